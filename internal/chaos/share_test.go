package chaos

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// Two processes on one store share the work, and no step is done twice; what a third one stops both hold, and go on with
// when people lift it.
func TestTwoProcessesShareTheWork(t *testing.T) {
	wanted(t)
	bin := build(t)
	for _, s := range stores() {
		t.Run(s.name, func(t *testing.T) {
			h := newHouse(t, bin, s.url(t), &mdesim.Tenant{Devices: 10, Latency: 20 * time.Millisecond})
			first, second := h.spawn(t, mdesim.DefaultAppID, ""), h.spawn(t, secondWriter, "")
			alive := func() { require.False(t, first.killed(t) || second.killed(t)) }
			ask := func(steps int) {
				for range 15 {
					h.approve(t, h.ask(t, steps))
				}
			}
			ask(1)
			rest(t, h, first, alive)
			ask(3)
			pending := h.ask(t, 1)
			h.stopped(t, "")
			h.held(t, pending)
			h.lifted(t, func() {})
			ask(1)
			rest(t, h, first, alive)
			v := judge(t, h)
			require.Zero(t, v.unknown)
			require.Equal(t, 1, v.stops)
			by := make(map[string]int)
			for _, e := range h.tenant.Effects() {
				by[e.Requestor]++
			}
			require.Len(t, by, 2, "one process did all the work: %v", by)
			second.interrupt(t)
			first.interrupt(t)
			h.ledger.judge(t, h.app.Store, rows(t, h))
			t.Logf("%s: shared as %v: %s", s.name, by, v)
		})
	}
}

// Three processes that start at the same moment on an empty store migrate it once and all come up.
func TestThreeFirstStartsMigrateOnce(t *testing.T) {
	wanted(t)
	bin := build(t)
	for _, s := range stores() {
		t.Run(s.name, func(t *testing.T) {
			url := s.url(t)
			h := newHouse(t, bin, s.url(t), &mdesim.Tenant{Devices: 10})
			h.environ = append(h.environ, "MDE_STORE="+url) // an empty one; the last value counts
			var workers [3]*process
			var all sync.WaitGroup
			for i := range workers {
				all.Go(func() { workers[i] = h.spawn(t, mdesim.DefaultAppID, "") })
			}
			all.Wait()
			wait(t.Context(), t, 30*time.Second, "three workers run", func() bool {
				running := 0
				for _, w := range workers {
					require.False(t, w.killed(t))
					if w.log.contains("the worker runs") {
						running++
					}
				}
				return running == len(workers)
			})
		})
	}
}
