package attacks_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// A clock that is put back doesn't make an old request young: what was expired stays so, and a vote is never cast before its
// request was made.
func TestTheClockIsMovedAtTheVote(t *testing.T) {
	t.Parallel()
	h := open(t, plan{})
	id, card := h.asked(mdesim.NameHost)
	h.clock.move(-time.Hour)
	before := h.head()
	require.Contains(t, h.pressed(slacksim.Bob, card, "Approve"), "made in the future")
	h.refused(before, bob, "made in the future")
	h.clock.move(2 * time.Hour)
	before = h.head()
	require.Contains(t, h.pressed(slacksim.Bob, card, "Approve"), "already expired")
	h.refused(before, bob, "already expired")
	h.clock.move(-time.Hour) // and back to where it had time
	before = h.head()
	require.Contains(t, h.pressed(slacksim.Bob, card, "Approve"), "already expired")
	h.refused(before, bob, "already expired")
	require.Equal(t, approvals.Expired, h.state(id).State)
	h.sent(0)
	h.sound()
}

func TestTheClockIsMovedAtTheClaim(t *testing.T) {
	t.Parallel()
	for name, moves := range map[string][]time.Duration{
		"forward":             {15 * time.Minute},
		"far forward":         {48 * time.Hour},
		"back":                {-time.Hour},
		"forward, then back":  {time.Hour, -time.Hour},
		"back, and far ahead": {-time.Hour, 3 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t, plan{})
			id, card := h.asked(mdesim.NameHost)
			require.Contains(t, h.pressed(slacksim.Bob, card, "Approve"), "it is approved")
			for _, d := range moves {
				h.clock.move(d)
				h.sent(0)
			}
			if name == "back" {
				require.Equal(t, approvals.Approved, h.state(id).State, "it waits until the clock is right")
				h.clock.move(time.Hour)
				h.settle(id)
				h.sent(1)
				return
			}
			require.Equal(t, approvals.Expired, h.state(id).State)
			h.sound()
		})
	}
}

// boxed isolates a device for four hours, and returns the request.
func (h *house) boxed() string {
	h.t.Helper()
	id := requestIn(h.t, h.typed(slacksim.Alice, "isolate "+mdesim.NameHost+" --for 4h because C2"))
	h.pressed(slacksim.Bob, h.card(id), "Approve")
	require.Equal(h.t, approvals.Succeeded, h.settle(id).State)
	require.Equal(h.t, 1, h.tenant.Writes())
	return id
}

// lookAtBoxes has the worker look at what has to be released, and at what that made.
func (h *house) lookAtBoxes(id string, writes int) {
	h.t.Helper()
	for range 3 {
		_, err := h.worker.Handle(h.t.Context(), store.Job{Kind: store.Boxes, RequestID: id})
		require.NoError(h.t, err)
		h.sent(writes)
	}
}

// A time-box ends by two clocks: while ours and the tenant's are apart nothing is released, whichever was moved.
func TestTheClockIsMovedToEndATimeBox(t *testing.T) {
	t.Parallel()
	h := open(t, plan{})
	id := h.boxed()
	h.clock.move(5 * time.Hour)
	h.lookAtBoxes(id, 1)
	h.clock.move(-10 * time.Hour)
	h.lookAtBoxes(id, 1)
	h.clock.move(5 * time.Hour)
	h.theirs.move(5 * time.Hour)
	h.lookAtBoxes(id, 1)
	h.theirs.move(-5 * time.Hour)
	h.write("UPDATE timeboxes SET due_ms = $1 WHERE request_id = $2", h.clock.Now().UnixMilli(), id) // due now, says the row
	h.lookAtBoxes(id, 1)
	h.write("UPDATE timeboxes SET due_ms = $1 WHERE request_id = $2", h.clock.Now().Add(1000*time.Hour).UnixMilli(), id) // or never
	h.pass(4*time.Hour + time.Minute)
	h.write("UPDATE timeboxes SET due_ms = $1 WHERE request_id = $2", h.clock.Now().UnixMilli(), id)
	h.lookAtBoxes(id, 2)
}
