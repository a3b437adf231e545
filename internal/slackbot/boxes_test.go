package slackbot_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func TestTimeBoxIsApprovedShownAndEscalatedOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	h.typed(t, slacksim.Alice, "isolate "+mdesim.NameHost+" --for 4h because beaconing")
	card := h.card(t, "Approval needed")
	id := requestOn(t, card)
	require.Contains(t, shown(card), "undone again 4 h after it succeeded (release_devices, risk expose)")
	h.press(t, slacksim.Bob, card, "Approve")
	h.told(t, slacksim.Bob, "is counted")
	if h.state(t, id).State == approvals.Pending { // to expose may take more people than to contain
		h.press(t, slacksim.Carol, card, "Approve")
	}
	h.card(t, "Done: isolate devices")
	h.card(t, "Time-box: 1 of 1 still to be undone")

	boxes, err := h.db.Timeboxes(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, boxes, 1)
	require.NoError(t, h.db.InTx(t.Context(), func(tx *store.Tx) error {
		return tx.MoveTimebox(t.Context(), store.TimeboxMove{
			RequestID: id, Index: 0, From: boxes[0].State, To: boxes[0].State, Version: boxes[0].Version, At: time.Now(),
			Trouble: "held", Message: "everything is stopped <!channel>",
		})
	}))
	for range 3 {
		_, err = h.notifier(t).Notify(t.Context(), id)
		require.NoError(t, err)
	}
	h.card(t, "NOT undone yet, due")
	var calls []slacksim.Message
	h.wait(t, func(s slacksim.Snapshot) bool { // the bot's own worker may have been first, and be just posting it
		calls = nil
		for _, m := range s.Messages[slacksim.Security] {
			if m.ThreadTS == card.TS && len(called(m)) > 0 {
				calls = append(calls, m)
			}
		}
		return len(calls) > 0
	})
	require.Len(t, calls, 1, "escalated once, however often it is looked at")
	require.Equal(t, []string{slacksim.OnCall}, called(calls[0]))
	require.Contains(t, shown(calls[0]), "everything is stopped <!channel>")
}

func TestUndoAndExtendAreTypedAsTheirToolsDeclare(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{deaf: true})
	for text, want := range map[string]string{
		"undo NOSUCH00 because odd":        "NOSUCH00",
		"extend NOSUCH00 6h because more":  "NOSUCH00",
		"extend NOSUCH00 --for 6h because": "empty",
		"resume NOSUCH00 because go on":    "NOSUCH00",
		"help undo":                        "/mde undo ID",
		"help extend":                      "/mde extend ID FOR",
		"help lift":                        "/mde lift [SCOPE]",
	} {
		require.Contains(t, shown(h.typed(t, slacksim.Alice, text).Ephemerals[0]), want, text)
	}
}
