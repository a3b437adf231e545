package tools

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// collecting is a sitting whose worker fetches what actions gave, and whose reading credential may see the library: Defender
// asks for Library.Manage even for that.
type collecting struct{ *sitting }

// librarian staffs an office like that.
func librarian(t *testing.T) *office {
	t.Helper()
	o := staffedUnder(t, sessionPolicy(t))
	o.Reader = o.Client(t, mdesim.DefaultAppID, mdesim.DefaultAppSecret)
	var err error
	o.d, err = NewDispatcher(o.options())
	require.NoError(t, err)
	return o
}

// fetchAll does the worker's jobs that fetch, once for every step.
func (o *office) fetchAll(r approvals.Request) {
	o.t.Helper()
	for i := range r.Plan.Steps {
		_, err := o.worker.Handle(o.t.Context(), store.Job{Kind: store.Collect, RequestID: r.ID, Step: i})
		require.NoError(o.t, err)
	}
}

// collectDone is finish for a request whose results are fetched.
func (o *office) collectDone(id string) requestView {
	o.t.Helper()
	for range 200 {
		o.push(id)
		r, err := o.Gate.Get(o.t.Context(), id)
		require.NoError(o.t, err)
		if r.State.Terminal() {
			return o.ok("get_request", `{"id":"`+id+`"}`).Output.(requestView)
		}
		o.fetchAll(r)
		o.Clock.Add(10 * time.Second)
	}
	o.t.Fatal("the request does not end")
	return requestView{}
}

// TestCollectingSessions plays testdata/sessions/collect with the words of TestToolSessions, and two more: work also fetches,
// and content NAME TEXT puts a file on $DEVICE.
func TestCollectingSessions(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/sessions/collect/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			c := collecting{&sitting{office: librarian(t)}}
			words := c.words()
			words["work"], words["content"] = c.work, c.content
			testscript.Run(t, testscript.Params{Files: []string{file}, Cmds: words, RequireUniqueNames: true})
		})
	}
}

func (c collecting) work(ts *testscript.TestScript, _ bool, _ []string) {
	v := c.collectDone(ts.Getenv("REQUEST"))
	b, err := json.Marshal(v)
	ts.Check(err)
	c.say(ts, v.text()+"\n"+string(b))
}

func (c collecting) content(ts *testscript.TestScript, _ bool, args []string) {
	c.Tenant.PutDeviceFile(ts.Getenv("DEVICE"), args[0], []byte(args[1]))
}
