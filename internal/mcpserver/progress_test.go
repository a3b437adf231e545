package mcpserver

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/tools"
)

// heard keeps the notifications that a client received.
type heard struct {
	mu  sync.Mutex
	all []map[string]any
}

func (h *heard) note(n mcp.JSONRPCNotification) {
	if n.Method != "notifications/progress" {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, n.Params.AdditionalFields)
}

func (h *heard) list() []map[string]any {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.all)
}

// carry moves a request, or its first step, as a worker would.
func (w *world) carry(t *testing.T, to string) {
	t.Helper()
	r, err := w.Gate.Get(t.Context(), "REQ00001")
	require.NoError(t, err)
	now := w.Clock.Now()
	event := approvals.Event{At: now, RequestID: r.ID, Type: to, Actor: "worker", Step: -1, To: to}
	require.NoError(t, w.DB.InTx(t.Context(), func(tx *store.Tx) error {
		if s := r.Steps[0]; to == "sending" {
			event.Step, event.From = 0, string(s.State)
			return tx.MoveStep(t.Context(), store.StepMove{
				ID: r.ID, From: s.State, To: approvals.StepState(to), Version: s.Version, At: now, Sent: true, Event: event,
			})
		}
		event.From = string(r.State)
		return tx.Move(t.Context(), store.Move{
			ID: r.ID, From: r.State, To: approvals.State(to), Version: r.Version, At: now, Decided: to == "approved", Finished: to == "cancelled", Event: event,
		})
	}))
}

// A client that asks for progress is told each time that a step moves, with numbers that only grow, and nobody else is.
func TestAWaitingClientIsToldOfProgress(t *testing.T) {
	for _, via := range connections() {
		for _, token := range []any{"tok-1", nil} {
			t.Run(via.name, func(t *testing.T) {
				w := open(t, func(o *Options) { o.ProgressEvery = time.Microsecond })
				c := via.connect(t, w.server)
				var h heard
				c.OnNotification(h.note)
				greet(t, c)
				call(t, c, "isolate_devices", map[string]any{"devices": []string{"host01"}, "reason": "beaconing"})

				done := make(chan *mcp.CallToolResult, 1)
				go func() {
					var req mcp.CallToolRequest
					req.Params.Name, req.Params.Arguments = "get_request", map[string]any{"id": "REQ00001", "wait_seconds": 30}
					if token != nil {
						req.Params.Meta = &mcp.Meta{ProgressToken: token}
					}
					res, err := c.CallTool(t.Context(), req)
					if err != nil {
						t.Error(err)
					}
					done <- res
				}()
				reached := func(n int) {
					if token != nil {
						require.Eventually(t, func() bool { return len(h.list()) >= n }, 10*time.Second, time.Millisecond)
					}
				}
				reached(1)
				w.carry(t, "approved")
				reached(2)
				w.carry(t, "running")
				w.carry(t, "sending")
				reached(3)
				w.carry(t, "cancelled")
				view := structured(t, <-done)
				require.Equal(t, "cancelled", view["status"])
				if token == nil {
					require.Empty(t, h.list(), "nobody asked")
					return
				}
				last := -1.0
				for _, n := range h.list() {
					require.Equal(t, token, n["progressToken"])
					require.EqualValues(t, 3, n["total"])
					require.Contains(t, n["message"], "request REQ00001 is ")
					require.Greater(t, number(t, n["progress"]), last)
					last = number(t, n["progress"])
				}
				require.Less(t, last, 3.0, "the answer says the end")
			})
		}
	}
}

// number is a number, which stays an int where nothing is sent over a wire.
func number(t *testing.T, v any) float64 {
	t.Helper()
	switch n := v.(type) {
	case int:
		return float64(n)
	case float64:
		return n
	}
	t.Fatalf("%v is no number", v)
	return 0
}

func TestProgressIsToldRarelyAndOnlyGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		type said struct {
			done int
			at   time.Duration
		}
		var all []said
		m := &meter{every: time.Second, last: -1, tell: func(p tools.Progress) { all = append(all, said{p.Done, time.Since(began)}) }}
		for i := range 10 { // 0, 1, … every 300 ms
			m.told(tools.Progress{Done: i})
			m.told(tools.Progress{Done: i - 1})
			time.Sleep(300 * time.Millisecond)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		require.Equal(t, []said{{0, 0}, {3, time.Second}, {6, 2 * time.Second}, {9, 3 * time.Second}}, all)
		m.told(tools.Progress{Done: 9})
		require.Len(t, all, 4, "nothing is told twice")
		m.told(tools.Progress{Done: 10})
		m.told(tools.Progress{Done: 11})
		m.close()
		m.told(tools.Progress{Done: 12})
		time.Sleep(5 * time.Second)
		synctest.Wait()
		require.Equal(t, said{10, 8 * time.Second}, all[4])
		require.Len(t, all, 5, "nothing is told after the answer")
		idle := &meter{every: time.Second, last: -1, tell: m.tell}
		idle.close()
		idle.told(tools.Progress{Done: 1})
		require.Len(t, all, 5, "nor by one that had told nothing")
	})
}
