package chaos

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/failpoint"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// stopsAndLifts kills `mde-mcp stop` when the stop is written and nothing is cancelled yet, and the workers while they
// hold and go on. The stop counts all the same: that nothing was sent until people lifted it is judged by the audit.
func stopsAndLifts(tr *trial) {
	t := tr.T
	h := newHouse(t, tr.bin, tr.store.url(t), &mdesim.Tenant{Devices: 10, Latency: 150 * time.Millisecond})
	var workers [2]*process
	again := func(i int) {
		if workers[i] != nil {
			workers[i].kill()
		}
		workers[i] = h.spawn(t, applications()[i], "")
	}
	again(0)
	again(1)
	for n := range tr.kills {
		seen := len(h.tenant.Effects())
		for range 2 {
			h.approve(t, h.ask(t, 8))
		}
		pending := h.ask(t, 1)
		wait(t.Context(), t, 30*time.Second, "something is sent", func() bool { return len(h.tenant.Effects()) > seen })
		h.stopped(t, failpoint.AfterStop)
		again(n % 2)
		h.held(t, pending)
		require.True(t, h.waits(t), "everything was sent before it was stopped: this shows nothing")
		h.lifted(t, func() { again((n + 1) % 2) })
	}
	tr.count(failpoint.AfterStop, tr.kills)
	for _, w := range workers {
		w.kill()
	}
	t.Logf("%s: and workers %d times while things were stopped and lifted", tr.store.name, 2*tr.kills+2)
	healthy := h.spawn(t, mdesim.DefaultAppID, "")
	rest(t, h, healthy, func() {})
	v := tr.verdict(h, healthy)
	require.Equal(t, tr.kills, v.stops)
}

// stopped presses the kill switch with the command, which dies at the point.
func (h *house) stopped(t *testing.T, point string) {
	t.Helper()
	p := h.start(t, point, nil, "mde-mcp", "stop", "--reason", "a crash test", "--as", "alice@example.com")
	<-p.done
	if point == "" {
		require.True(t, p.cmd.ProcessState.Success(), p.log)
		return
	}
	require.True(t, p.killed(t))
}

// held waits until everything that a stop covers and has not begun is cancelled.
func (h *house) held(t *testing.T, pending approvals.Request) {
	t.Helper()
	wait(t.Context(), t, 30*time.Second, "what waits is cancelled", func() bool {
		for _, r := range h.live(t) {
			if r.State != approvals.Running {
				return false
			}
		}
		return true
	})
	now, err := h.app.Gate.Get(t.Context(), pending.ID)
	require.NoError(t, err)
	require.Equal(t, approvals.Cancelled, now.State)
}

// waits reports whether something runs that has not been sent whole.
func (h *house) waits(t *testing.T) bool {
	t.Helper()
	for _, r := range h.live(t) {
		for _, s := range r.Steps {
			if r.State == approvals.Running && s.State == approvals.StepWaiting {
				return true
			}
		}
	}
	return false
}

// lifted has people lift whatever is stopped; meanwhile happens between their last vote and the lift. Where a lift was
// cut off they ask again.
func (h *house) lifted(t *testing.T, meanwhile func()) {
	t.Helper()
	alice := approvals.Requester{
		Person: approvals.Person{ID: "alice@contoso.com", Aliases: []string{approvals.SlackAlias(slacksim.DefaultTeamID, slacksim.Alice)}},
		Via:    approvals.ViaSlack, Verified: true,
	}
	for range 5 {
		stops, err := h.app.Gate.Board().InForce(t.Context())
		require.NoError(t, err)
		if len(stops) == 0 {
			return
		}
		lift := h.call(t, approvals.ToolLift, map[string]any{"scope": stops[0].Scope, "reason": "the crash test goes on"}, alice)
		h.approve(t, lift)
		meanwhile()
		meanwhile = func() {}
		wait(t.Context(), t, 30*time.Second, "the lift comes to an end", func() bool {
			now, err := h.app.Gate.Get(t.Context(), lift.ID)
			require.NoError(t, err)
			return now.State.Terminal()
		})
	}
	require.Fail(t, "nobody could lift the stop")
}
