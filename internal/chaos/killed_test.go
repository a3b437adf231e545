package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
	"github.com/mde-ops/mde-ops/internal/failpoint"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// killsEnv is the number of kills of a whole run, over all points and stores; 0 leaves the crash tests out, for a run
// that makes them in a step of its own.
const killsEnv = "MDE_TEST_CHAOS_KILLS"

// killsPerPoint is how often each point kills on each store: a few in a plain test run, as many as killsEnv asks for
// otherwise.
func killsPerPoint(t *testing.T) int {
	t.Helper()
	text := os.Getenv(killsEnv)
	if text == "" {
		return 2
	}
	total, err := strconv.Atoi(text)
	require.NoError(t, err, killsEnv)
	points := len(failpoint.Names())
	if os.Getenv(storetest.PostgresEnv) != "" {
		points *= len(stores())
	}
	return (total + points - 1) / points
}

// wanted skips a test that builds and runs real processes where those are not wanted.
func wanted(t *testing.T) {
	t.Helper()
	if testing.Short() || os.Getenv(killsEnv) == "0" {
		t.Skip("-short, or " + killsEnv + "=0: this test builds and kills real processes")
	}
}

// TestKilled kills workers at every named point on every store and then lets a healthy one clean up.
func TestKilled(t *testing.T) {
	wanted(t)
	path := build(t)
	for _, s := range stores() {
		for _, point := range failpoint.Names() {
			t.Run(s.name+"/"+point, func(t *testing.T) {
				runPoint(t, path, s, point, killsPerPoint(t))
			})
		}
	}
}

// storeKind is a database to run on.
type storeKind struct {
	name string
	url  func(t *testing.T) string
}

func stores() []storeKind {
	return []storeKind{{"sqlite", func(t *testing.T) string {
		t.Helper()
		return "sqlite:" + filepath.Join(t.TempDir(), "gate.db")
	}}, {"postgres", func(t *testing.T) string {
		t.Helper()
		return storetest.Postgres(t)
	}}}
}

// runPoint has requests in flight in two workers that die at the point, again and again, and judges what came of it.
func runPoint(t *testing.T, bin string, s storeKind, point string, kills int) {
	tenant := &mdesim.Tenant{Devices: 10}
	k := &killer{t: t, point: point, want: kills}
	if point == failpoint.PostSentAnswerLost {
		// The tenant has accepted and the answer is not written yet: the sender dies by a signal from outside.
		tenant.OnAccepted = k.accepted
	}
	k.house = newHouse(t, bin, s.url(t), tenant)
	var requests []approvals.Request
	for k.count() < kills {
		for open(t, k.house, requests) < 20 {
			for _, n := range []int{1, 3, 2} {
				r := k.house.ask(t, n)
				k.house.approve(t, r)
				requests = append(requests, r)
			}
		}
		k.round()
	}
	k.stop()
	healthy := k.house.spawn(t, mdesim.DefaultAppID, "")
	wait(t.Context(), t, 90*time.Second, "every request comes to an end", func() bool {
		require.False(t, healthy.killed(t))
		return open(t, k.house, requests) == 0
	})
	v := judge(t, k.house, requests)
	if point != failpoint.AfterClaimBeforePost { // there the mark is all that there is, and the step stays unknown
		require.Greater(t, v.once, v.unknown, "what reached the tenant was not found again")
	}
	t.Logf("%s %s: kills %d, requests %d, steps %d: one effect %d, unknown %d (with the effect %d), lost 0, doubled 0, stuck 0",
		s.name, point, k.count(), len(requests), v.steps, v.once, v.unknown, v.unknownWithEffect)
}

// open counts the requests that have not come to an end.
func open(t *testing.T, h *house, requests []approvals.Request) int {
	t.Helper()
	n := 0
	for _, r := range requests {
		now, err := h.app.Gate.Get(t.Context(), r.ID)
		require.NoError(t, err)
		if !now.State.Terminal() {
			n++
		}
	}
	return n
}

// killer keeps two workers running that die at a point.
type killer struct {
	t     *testing.T
	house *house
	point string
	want  int

	mu      sync.Mutex
	kills   int
	workers [2]*process
	ended   bool
}

func (k *killer) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.kills
}

// round (re)starts dead workers and waits for the next death, or a moment.
func (k *killer) round() {
	k.mu.Lock()
	for i, application := range []string{mdesim.DefaultAppID, secondWriter} {
		if k.workers[i] != nil && k.workers[i].killed(k.t) {
			k.kills++
			k.workers[i] = nil
		}
		if k.workers[i] == nil && k.kills < k.want {
			k.workers[i] = k.house.spawn(k.t, application, k.failpoint())
		}
	}
	workers := k.workers
	k.mu.Unlock()
	timeout := time.NewTimer(500 * time.Millisecond)
	defer timeout.Stop()
	select {
	case <-ended(workers[0]):
	case <-ended(workers[1]):
	case <-timeout.C:
	}
}

func ended(p *process) <-chan struct{} {
	if p == nil {
		return nil
	}
	return p.done
}

// failpoint is what the worker's environment names; a lost answer is made by the tenant instead.
func (k *killer) failpoint() string {
	if k.point == failpoint.PostSentAnswerLost {
		return ""
	}
	return k.point
}

// accepted runs in the tenant after a write was carried out and before it is answered: it kills its sender.
func (k *killer) accepted(e mdesim.Effect) {
	k.mu.Lock()
	if k.ended {
		k.mu.Unlock()
		return
	}
	sender := k.workers[0]
	if e.Requestor == "worker two" {
		sender = k.workers[1]
	}
	k.mu.Unlock()
	if sender != nil {
		sender.kill()
	}
}

// stop ends the dying workers; what they leave behind is for a healthy one.
func (k *killer) stop() {
	k.mu.Lock()
	k.ended = true
	workers := k.workers
	k.mu.Unlock()
	for _, w := range workers {
		if w != nil {
			w.kill()
		}
	}
}

// verdict is what came of a run.
type verdict struct{ steps, once, unknown, unknownWithEffect int }

// judge compares every step with what the tenant saw of it: exactly one effect, or unknown and a person asked.
func judge(t *testing.T, h *house, requests []approvals.Request) verdict {
	t.Helper()
	effects := make(map[string]int)
	for _, e := range h.tenant.Effects() {
		tag, _, _ := strings.Cut(e.Comment, " ")
		effects[tag]++
	}
	var v verdict
	for _, r := range requests {
		now, err := h.app.Gate.Get(t.Context(), r.ID)
		require.NoError(t, err)
		for _, s := range now.Steps {
			v.steps++
			n := effects[approvals.Tag(r.ID, s.Index)]
			require.LessOrEqual(t, n, 1, "step %d of %s had %d effects", s.Index, r.ID, n)
			switch s.State {
			case approvals.StepSucceeded:
				require.Equal(t, 1, n, "step %d of %s succeeded without an effect", s.Index, r.ID)
				v.once++
			case approvals.StepUnknown:
				v.unknown++
				v.unknownWithEffect += n
				require.Equal(t, approvals.Unknown, now.State)
			default:
				require.Fail(t, "unexpected end", "step %d of %s is %s: %s", s.Index, r.ID, s.State, s.Message)
			}
		}
		if now.State == approvals.Unknown {
			requireAsked(t, h, r.ID)
		}
	}
	report, err := h.app.Gate.VerifyAudit(t.Context())
	require.NoError(t, err)
	require.True(t, report.OK(), "%v", report.Faults)
	return v
}

// requireAsked waits until the workspace shows that a person has to look at a request.
func requireAsked(t *testing.T, h *house, id string) {
	t.Helper()
	wait(t.Context(), t, 60*time.Second, fmt.Sprintf("a person is asked about %s", id), func() bool {
		for _, m := range h.workspace.Messages(slacksim.Security) {
			said := strings.ToLower(m.Text + string(m.RawBlocks))
			if m.ThreadTS != "" && strings.Contains(said, strings.ToLower(id)) && strings.Contains(said, "unknown") {
				return true
			}
		}
		return false
	})
}
