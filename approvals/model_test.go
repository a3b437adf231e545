package approvals_test

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/ballot"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/gate"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
	"github.com/mde-ops/mde-ops/approvals/worker"
)

// livesEnv says how many lives TestRandomLives takes; a plain run takes a few dozen.
const livesEnv = "MDE_TEST_LIVES"

// TestRandomLives feeds random commands to the real gate, ballot box, switches and workers on real databases and compares
// what happens with a model that knows the rules only. One life is one check of rapid: a request, from its submission to
// its end, with everything that can come in between. Lives share a database in batches, which run side by side.
func TestRandomLives(t *testing.T) {
	t.Parallel()
	lives, many := plainLives, false
	if text := os.Getenv(livesEnv); text != "" {
		n, err := strconv.Atoi(text)
		require.NoError(t, err, livesEnv)
		lives, many = n, true
	}
	checks, err := strconv.Atoi(flag.Lookup("rapid.checks").Value.String())
	require.NoError(t, err)
	seen := &counters{reached: map[string]int{}}
	if text := os.Getenv(livesProcessesEnv); text != "" {
		processes, err := strconv.Atoi(text)
		require.NoError(t, err, livesProcessesEnv)
		livesInProcesses(t, lives, processes, seen)
		seen.report(t, many && lives >= enough)
		return
	}
	left := make(chan int, lives)
	for i := range lives {
		left <- i
	}
	close(left)
	t.Run("batches", func(t *testing.T) {
		for i := range (lives + checks - 1) / checks {
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				batchOfLives(t, left, seen)
			})
		}
	})
	if file := os.Getenv(livesCountedEnv); file != "" {
		seen.write(t, file)
		many = false // whoever started this process looks at all of them
	}
	seen.report(t, many && lives >= enough)
}

const (
	plainLives = 40
	// enough lives reach every trouble there is; fewer need not.
	enough = 2000
)

// counters say how often the lives got to what they are about.
type counters struct {
	mu      sync.Mutex
	reached map[string]int
	// failed ends all batches when one has found something.
	failed atomic.Bool
}

func (c *counters) add(reached map[string]int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for what, n := range reached {
		c.reached[what] += n
	}
}

// troubles are what the generator must get to in many lives, and how often in ten thousand at least. That is about a third
// of what it does.
func troubles() map[string]int {
	return map[string]int{
		"executed": 2000, "quorum of two executed": 500, "confirmed and executed": 30, "distinct groups executed": 50, "escalated vote counted": 80,
		"denied": 500, "expired": 800, "withdrawn": 150, "withdrawn midway": 30, "replayed click": 1000, "two approvers at once": 120,
		"vote at the instant": 60, "vote 1ms before": 60, "vote 1ms after": 40, "group changed between vote and claim": 60,
		"policy changed between vote and claim": 30, "stopped": 250, "lifted": 400, "ran after a lift": 1, "frozen elsewhere": 150,
		"stop held what ran": 40, "clock back": 600, "crashed before the mark": 120, "crashed before the write": 40, "crashed after the write": 30,
		"crashed looking": 10, "crashed following": 10, "crashed in a vote": 50, "two processes": 70, "attached": 800, "attached person voted": 2000,
		"same asked again": 1500, "paused": 30, "resumed": 3, "time-box released": 1000, "time-box extended": 2, "time-box looked at": 1500,
		"tampered: state": 60, "tampered: vote": 50, "tampered: step": 20, "tampered: needed count": 20, "tampered: plan": 30,
		"forged lift": 10, "forged resumption": 1, "forged extension": 5, "forged due time": 2, "forged release": 2, "forged request": 40,
		"by an assistant": 1000, "unverified": 1000, "refused at once": 200,
	}
}

func (c *counters) report(t *testing.T, many bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var lines []string
	for _, what := range slices.Sorted(maps.Keys(c.reached)) {
		lines = append(lines, fmt.Sprintf("%s %d", what, c.reached[what]))
	}
	t.Logf("%d lives on %d processors reached: %s", c.reached["lives"], runtime.GOMAXPROCS(0), strings.Join(lines, ", "))
	if !many || t.Failed() {
		return // too few lives to have seen everything
	}
	for what, n := range troubles() {
		require.GreaterOrEqual(t, c.reached[what]*10000, n*c.reached["lives"], "the generator hardly gets to %q", what)
	}
}

// bench is a database with everything around it, for one life after another.
type bench struct {
	l    *lab.Lab
	kits []kit
	raw  *sql.DB
	// high is the latest time that any life has seen; lives numbers them.
	high              time.Time
	lives, deliveries int
	// altered are requests that an intruder has changed, which the audit's verification must name.
	altered []string
	life    *world
}

// kit is what the processes with one policy have. Both workers are processes of their own.
type kit struct {
	rules
	policy  approvals.Policy
	gate    *gate.Gate
	box     *ballot.Box
	face    *control.Board
	workers [2]*worker.Worker
}

func newBench(t testing.TB) *bench {
	b := &bench{l: lab.New(t, memoryURL(t))}
	for _, p := range modelPolicies() {
		k := kit{rules: p, policy: p.parse(t)}
		b.l.Use(k.policy)
		k.gate, k.box, k.face = b.l.Gate, b.l.Box, b.l.NewBoard(k.policy)
		for i := range k.workers {
			k.workers[i] = b.l.NewWorker(k.policy, mortal{b.l.Tenant, b})
		}
		b.kits = append(b.kits, k)
	}
	b.l.Directory.OnAsk = func() { b.life.asked() }
	b.raw = storetest.Raw(t, b.l.URL)
	b.high = b.l.Clock.Now()
	return b
}

// memoryURL is a SQLite file in memory where the system has such a place: lives are about crashes of processes, which lose
// nothing that was written, and waiting for the disk would take most of the time.
func memoryURL(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "mde-ops-lives-") //nolint:usetesting // the tests' own place is on a disk
	if err != nil {
		return storetest.SQLite(t)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return "sqlite:" + dir + "/lives.db"
}

// batchOfLives takes lives until none is left or rapid has had enough.
func batchOfLives(t *testing.T, left <-chan int, seen *counters) {
	var b *bench
	running, failed := false, false
	rapid.Check(t, func(rt *rapid.T) {
		defer func() {
			if running {
				seen.failed.Store(true)
			}
		}()
		failed = failed || running // the last one did not come to its end, and rapid looks for a shorter one
		if _, ok := <-left; !failed && (!ok || seen.failed.Load()) {
			return
		}
		if b == nil || running {
			b = newBench(t)
		}
		running = true
		w := newWorld(b)
		w.live(rt)
		running = false
		seen.add(w.reached)
	})
	if b != nil && !failed {
		b.verify(t)
	}
}

// verify reads the whole audit: it must be sound but for what intruders altered, and every alteration must be found.
func (b *bench) verify(t *testing.T) {
	report, err := b.l.Gate.VerifyAudit(context.Background())
	require.NoError(t, err)
	for _, f := range report.Faults {
		require.True(t, slices.ContainsFunc(b.altered, func(id string) bool { return strings.Contains(f, id) }), "nobody altered that: %s", f)
	}
	for _, id := range b.altered {
		require.True(t, slices.ContainsFunc(report.Faults, func(f string) bool { return strings.Contains(f, id) }), "%s was altered, and nobody notices", id)
	}
}
