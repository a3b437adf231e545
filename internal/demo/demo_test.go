package demo

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// TestMain gives all demos one folder for temporary files and looks into it at the end: a demo leaves nothing behind.
func TestMain(m *testing.M) {
	os.Exit(runTidily(m))
}

func runTidily(m *testing.M) int {
	dir, err := os.MkdirTemp("", "demo-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Setenv("TMPDIR", dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	left, err := filepath.Glob(filepath.Join(dir, "mde-ops-*"))
	if err != nil || len(left) > 0 {
		fmt.Fprintln(os.Stderr, "left behind:", left, err)
		return 1
	}
	return code
}

// inOrder requires that text has all the parts, one after the other.
func inOrder(t *testing.T, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, p := range parts {
		_, after, found := strings.Cut(rest, p)
		require.True(t, found, "%q is not there, or not in its place, in:\n%s", p, text)
		rest = after
	}
}

// This one is alone, because it looks at the clock.
func TestTheStoryIsToldAsItHappens(t *testing.T) {
	var out bytes.Buffer
	began := time.Now()
	require.NoError(t, Story(t.Context(), Options{StepLimit: patience, In: strings.NewReader(""), Out: &out}))
	require.Less(t, time.Since(began), slower*15*time.Second, "a newcomer waits for it")
	inOrder(t, out.String(),
		"1. An alert comes in", "Beaconing to a known C2 server",
		"2. The assistant reads the device", "Isolation: not isolated", "host01 is one device",
		"3. Isolating an ambiguous host name is refused", "is ambiguous, 2 devices answer to it", "nothing was sent to the tenant (writes so far: 0)",
		"4. Isolating the right device", "is pending_approval", "a card appears in #security", "Approval needed: isolate devices", "[1] Approve",
		"5. The requester's own click is refused", "someone else must approve", "(writes so far: 0)",
		"6. The on-call approver presses Approve", "POST /api/machines/", "/isolate", "exactly one POST for this approval (writes so far: 1)",
		"7. The action is followed to its end", "Done: isolate devices",
		"8. The device is released the same way", "/unisolate", "exactly one POST for this approval (writes so far: 2)", "host01 is back on the network",
		"9. Isolated again, for 15 minutes only", "for 15m, each released 15m after", "(writes so far: 3)", "Time-box of step 1: armed", "it will be released at",
		"10. Any responder stops everything", "@alice", "types /mde stop", "Everything is stopped", "everything is stopped since", "(writes so far: 3)",
		"11. Only approvers lift it, two of them", "Approval needed: lift stop", "Needs 2 of group", "@bob", "@carol", "nothing is stopped any more",
		"12. Fifteen minutes later", "/unisolate", "(writes so far: 4)", "host01 is back on the network, by request",
		"13. The audit is verified", "three approved by people, one by what they approved",
		"All of it happened as told",
	)
	require.NotContains(t, out.String(), "\x1b", "no colours where nobody looks")
}

// A story must not go on when something differs from what it tells: it ends with an error that names the step.
func TestTheStoryNamesTheStepThatDiffers(t *testing.T) {
	t.Parallel()
	refused := func(method, path string) func(*testing.T, *house) {
		return func(_ *testing.T, h *house) {
			h.tenant.Fail(mdesim.Fault{Method: method, Path: path, Status: http.StatusForbidden, Times: -1})
		}
	}
	for name, c := range map[string]struct {
		breakIt func(*testing.T, *house)
		want    string
	}{
		"the alerts can't be read": {refused(http.MethodGet, "/api/alerts"), `^demo: step 1 \(An alert comes in\): refused: `},
		"the device can't be read": {refused(http.MethodGet, "/api/machines"), `^demo: step 2 \(.*\): refused: `},
		"somebody else writes":     {strangersWrite, `^demo: step 3 \(.*\): the tenant received 1 writes, want 0`},
		"the isolation is refused": {refused(http.MethodPost, "/api/machines/*/isolate"), `^demo: step 6 \(.*\): the tenant accepted 0 writes, want 1`},
		"the isolation fails":      {deviceFails, `^demo: step 7 \(.*\): request [0-9A-Z]+ ended as "failed"`},
		"the release is refused":   {refused(http.MethodPost, "/api/machines/*/unisolate"), `^demo: step 8 \(.*\): the tenant accepted 1 writes, want 2`},
		"the MCP server has gone":  {func(_ *testing.T, h *house) { h.url = "http://127.0.0.1:1/mcp" }, `^demo: .*connection refused`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, err := build(t.Context(), Options{StepLimit: patience})
			require.NoError(t, err)
			defer h.close()
			c.breakIt(t, h)
			var out bytes.Buffer
			err = tell(t.Context(), h, Options{Out: &out})
			require.Error(t, err, out.String())
			require.Regexp(t, c.want, err.Error())
			require.NotContains(t, out.String(), "All of it happened")
		})
	}
}

func strangersWrite(t *testing.T, h *house) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.sim.Server.URL+"/api/machines/"+h.tenant.Device("host01").ID+"/isolate", http.NoBody)
	require.NoError(t, err)
	resp, err := h.sim.Server.Client().Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
}

func deviceFails(_ *testing.T, h *house) { h.tenant.FailingDevices = []string{mdesim.NameHost} }

func TestAnAlteredAuditEndsTheStory(t *testing.T) {
	t.Parallel()
	s := gateStory(t)
	id := s.isolates(t, map[string]any{"devices": []string{"host01"}, "reason": "beaconing"})
	db, err := sql.Open("sqlite", filepath.Join(s.dir, "gate.db")+"?_pragma=busy_timeout(5000)")
	require.NoError(t, err)
	defer func() { _ = db.Close() }()
	_, err = db.ExecContext(t.Context(), "UPDATE requests SET state = 'denied', decided_ms = 1, finished_ms = 1 WHERE id = $1", id)
	require.NoError(t, err)
	require.ErrorContains(t, s.audit(t.Context()), "the audit does not verify")
}

func TestACancelledStoryEndsAtOnce(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	out := &watched{at: "2. The assistant reads the device", then: cancel}
	require.ErrorContains(t, Story(ctx, Options{StepLimit: patience, In: strings.NewReader(""), Out: out}), "interrupted in step 2")
	require.NotContains(t, out.String(), "9. ")
}

// watched is an output that does something when a text has passed.
type watched struct {
	mu   sync.Mutex
	text bytes.Buffer
	at   string
	then func()
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.text.Write(p)
	if w.then != nil && strings.Contains(w.text.String(), w.at) {
		w.then()
		w.then = nil
	}
	return n, err
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

func TestServeTellsHowToReachItAndStaysUntilItIsEnded(t *testing.T) {
	t.Parallel()
	h, err := build(t.Context(), Options{StepLimit: patience})
	require.NoError(t, err)
	defer h.close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reached := make(chan string, 1)
	out := &watched{at: "You are @bob in #security"}
	out.then = func() {
		reached <- regexp.MustCompile(`Streamable HTTP:\s+(\S+)`).FindStringSubmatch(out.text.String())[1]
	}
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, h, Options{StepLimit: patience, In: strings.NewReader(""), Out: out}) }()
	select {
	case url := <-reached:
		a, err := newAssistant(t.Context(), url, "", newScreen(new(bytes.Buffer), nil))
		require.NoError(t, err)
		ans, err := a.call(t.Context(), "whoami", map[string]any{})
		a.close()
		require.NoError(t, err)
		require.Contains(t, ans.text, "alice@contoso.com")
	case err := <-ended:
		t.Fatalf("it ended with its input: %v\n%s", err, out)
	}
	cancel()
	require.NoError(t, <-ended)
}
