package chaos

import (
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/mde-ops/mde-ops/approvals/store/storetest"
	"github.com/mde-ops/mde-ops/internal/failpoint"
)

// killsEnv is the number of kills of a whole run, over all points and stores; 0 leaves the crash tests out, for a run
// that makes them in a step of its own.
const killsEnv = "MDE_TEST_CHAOS_KILLS"

// killsPerPoint is how often each point kills on each store: once in a plain test run, as many as killsEnv asks for
// otherwise.
func killsPerPoint(t *testing.T) int {
	t.Helper()
	text := os.Getenv(killsEnv)
	if text == "" {
		return 1
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

// scenario is work during which processes die at some points.
type scenario struct {
	name   string
	points []string
	run    func(*trial)
}

func scenarios() []scenario {
	return []scenario{
		{"time-boxes", boxes().points, boxes().run}, // the longest first
		{"isolations", isolations().points, isolations().run},
		{"fleets", fleets().points, fleets().run},
		{"stops and lifts", []string{failpoint.AfterStop}, stopsAndLifts},
		{"restored database", []string{failpoint.DuringRestore}, restored},
		{"asking and voting", []string{failpoint.DuringSubmit, failpoint.DuringVote}, askingAndVoting},
	}
}

// trial is one scenario on one store.
type trial struct {
	*testing.T
	scenario scenario
	store    storeKind
	bin      string
	kills    int // at each point
	totals   *totals
}

// count adds kills to the sum of the run.
func (tr *trial) count(point string, kills int) {
	tr.Helper()
	tr.totals.mu.Lock()
	defer tr.totals.mu.Unlock()
	tr.totals.kills += kills
	tr.Logf("%s: killed %d times at %s", tr.store.name, kills, point)
}

// verdict judges a house that has come to rest, with a last worker that is ended in good order.
func (tr *trial) verdict(h *house, healthy *process) verdict {
	tr.Helper()
	v := judge(tr.T, h)
	healthy.interrupt(tr.T)
	h.ledger.judge(tr.T, h.app.Store, rows(tr.T, h))
	tr.totals.mu.Lock()
	defer tr.totals.mu.Unlock()
	tr.totals.v.add(v)
	tr.Logf("%s %s: %s", tr.store.name, tr.scenario.name, v)
	return v
}

// totals is the sum of a run.
type totals struct {
	mu    sync.Mutex
	kills int
	v     verdict
}

// TestKilled kills processes at every named point on every store, lets a healthy one clean up and judges what came of it.
func TestKilled(t *testing.T) {
	wanted(t)
	path := build(t)
	var sum totals
	// Side by side, more than there are cores: most of the time is spent waiting for what the dead have left.
	var all errgroup.Group
	all.SetLimit(3)
	for _, sc := range scenarios() {
		for _, s := range stores() {
			all.Go(func() error {
				t.Run(s.name+"/"+sc.name, func(t *testing.T) {
					sc.run(&trial{T: t, scenario: sc, store: s, bin: path, kills: killsPerPoint(t), totals: &sum})
				})
				return nil
			})
		}
	}
	_ = all.Wait()
	if t.Failed() {
		t.Log("at least one effect was lost or doubled, or something was stuck: see above")
		return
	}
	t.Logf("kills %d at %d points: %s", sum.kills, len(failpoint.Names()), sum.v)
}

// Every named point belongs to exactly one scenario.
func TestEveryPointKillsSomewhere(t *testing.T) {
	var all []string
	for _, sc := range scenarios() {
		all = append(all, sc.points...)
	}
	require.ElementsMatch(t, failpoint.Names(), all)
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

// rest waits until everything in a house has ended, with a worker that nothing kills.
func rest(t *testing.T, h *house, healthy *process, tend func()) {
	t.Helper()
	wait(t.Context(), t, 2*time.Minute, "every request and every time-box comes to an end", func() bool {
		require.False(t, healthy.killed(t))
		tend()
		return h.ended(t)
	})
}
