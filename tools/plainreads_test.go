package tools

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/tools/toolstest"
)

// Plain reads are lines of the log. The audit has what was asked for, decided and done, and nothing else.
func TestPlainReadsAreInTheLogAndNotInTheAudit(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	_, r := w.ask("isolate_devices", `{"devices":["host02"],"reason":"beaconing"}`)
	var log bytes.Buffer
	w.d.house.log = slog.New(slog.NewTextHandler(&log, nil))
	before, err := w.DB.Head(t.Context())
	require.NoError(t, err)
	reads := map[string]string{
		"find_devices": `{}`, "get_device": `{"device":"host01"}`, "list_alerts": `{}`, "list_requests": `{}`, "whoami": `{}`,
		"list_evidence": `{}`, "get_request": fmt.Sprintf(`{"id":%q}`, r.ID),
	}
	for tool, args := range reads {
		w.ok(tool, args)
		require.Contains(t, log.String(), "tool="+tool+" requester=alice@contoso.com")
	}
	require.Equal(t, len(reads), strings.Count(log.String(), "\n"), "one line for each:\n%s", log.String())
	require.NotContains(t, log.String(), "host01", "and never the arguments")
	after, err := w.DB.Head(t.Context())
	require.NoError(t, err)
	require.Equal(t, before, after, "a read left a row in the audit")
}
