package chaos

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// Two processes on one store share the work, and no step is done twice.
func TestTwoProcessesShareTheWork(t *testing.T) {
	wanted(t)
	bin := build(t)
	for _, s := range stores() {
		t.Run(s.name, func(t *testing.T) {
			h := newHouse(t, bin, s.url(t), &mdesim.Tenant{Devices: 10, Latency: 20 * time.Millisecond})
			first, second := h.spawn(t, mdesim.DefaultAppID, ""), h.spawn(t, secondWriter, "")
			var requests []approvals.Request
			for range 30 {
				r := h.ask(t, 1)
				h.approve(t, r)
				requests = append(requests, r)
			}
			wait(t.Context(), t, 60*time.Second, "every request comes to an end", func() bool {
				require.False(t, first.killed(t) || second.killed(t))
				return open(t, h, requests) == 0
			})
			v := judge(t, h, requests)
			require.Equal(t, len(requests), v.once)
			by := make(map[string]int)
			for _, e := range h.tenant.Effects() {
				by[e.Requestor]++
			}
			require.Len(t, by, 2, "one process did all the work: %v", by)
			t.Logf("%s: %d requests, shared as %v, doubled 0", s.name, len(requests), by)
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
