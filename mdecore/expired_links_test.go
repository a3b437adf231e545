package mdecore_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/internal/leaks"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// aging is a tenant on whose clock more than a link's life passes before each of the next downloads. It counts the links
// that were issued.
type aging struct {
	mu     sync.Mutex
	now    time.Time
	late   int
	issued int
}

func (a *aging) clock() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.now
}

func (a *aging) request(r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case strings.Contains(r.URL.Path, "GetLiveResponseResultDownloadLink"):
		a.issued++
	case strings.HasPrefix(r.URL.Path, "/storage/") && a.late > 0:
		a.late--
		a.now = a.now.Add(31 * time.Minute)
	}
}

// TestAResultLinkThatExpiredIsIssuedOnceMore lets a real link of the tenant grow older than its 30 minutes.
func TestAResultLinkThatExpiredIsIssuedOnceMore(t *testing.T) {
	t.Parallel()
	for late, issued := range map[int]int{0: 1, 1: 2, 2: 2} {
		t.Run(fmt.Sprint(late), func(t *testing.T) {
			t.Parallel()
			a := &aging{now: time.Now()}
			said := new(sink)
			tenant := &mdesim.Tenant{ActionPending: -1, ActionRunning: -1, TokenLife: 24 * time.Hour, Clock: a.clock, OnRequest: a.request}
			c := simulated(t, tenant, func(_ *azpipe.CredentialConfig, o *mdecore.Options) {
				o.Logger = slog.New(slog.NewJSONHandler(said, &slog.HandlerOptions{Level: slog.LevelDebug}))
			})
			action, err := c.StartLiveResponse(t.Context(), tenant.Device("host01").ID, live(mdecore.RunScript{ScriptName: "inventory.ps1"}))
			require.NoError(t, err)
			a.mu.Lock()
			a.now, a.late = a.now.Add(time.Minute), late
			a.mu.Unlock()
			var file bytes.Buffer
			_, err = c.LiveResponseResult(t.Context(), action.ID, 0, &file, mdecore.DownloadOptions{Unpack: true})
			require.Equal(t, issued, a.issued)
			if late < 2 {
				require.NoError(t, err)
				require.Contains(t, file.String(), "inventory.ps1")
				return
			}
			require.ErrorContains(t, err, "also a newly issued one")
			require.Empty(t, file.Bytes(), "nothing was written")
			fmt.Fprintf(said, "%v\n%+v\n%#v\n", err, err, err)
			found, err := leaks.Find(strings.NewReader(said.String()))
			require.NoError(t, err)
			require.Empty(t, found)
		})
	}
}
