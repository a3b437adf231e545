package slackbot_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

func TestTheRequesterWithdrawsFromTheCard(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	card, id := h.isolate(t)
	require.Contains(t, labelled(card), "Withdraw")
	h.CutBeforeAck(1)
	h.press(t, slacksim.Alice, card, "Withdraw")
	h.told(t, slacksim.Alice, "is cancelled")
	require.Equal(t, approvals.Cancelled, h.state(t, id).State)
	gone := h.card(t, "Cancelled: isolate devices")
	require.NotContains(t, labelled(gone), "Withdraw", "there is nothing left to take back")

	_, err := h.ClickStale(t.Context(), slacksim.Bob, card, "Approve")
	require.NoError(t, err)
	h.told(t, slacksim.Bob, "Not counted")
	require.Zero(t, h.tenant.Writes())
}

func TestNobodyElseWithdraws(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	card, id := h.isolate(t)
	for _, user := range []string{slacksim.Bob, slacksim.Carol} {
		h.press(t, user, card, "Withdraw")
		h.told(t, user, "Only alice@example.com, who asked for request "+id)
	}
	require.Len(t, h.events(t, approvals.EventRefused), 2, "who tried is in the audit")
	for _, user := range []string{slacksim.Dave, slacksim.Eve} { // a guest and somebody of another workspace
		_, err := h.ClickStale(t.Context(), user, card, "Withdraw")
		require.NoError(t, err)
		h.wait(t, func(s slacksim.Snapshot) bool { return len(s.Ephemerals[user]) > 0 })
	}
	require.Equal(t, approvals.Pending, h.state(t, id).State)
	alice, err := h.User(slacksim.Alice)
	require.NoError(t, err)
	alice.Deleted = true
	h.AddUser(alice)
	_, err = h.ClickStale(t.Context(), slacksim.Alice, card, "Withdraw")
	require.NoError(t, err)
	h.told(t, slacksim.Alice, "deactivated")
	require.Equal(t, approvals.Pending, h.state(t, id).State)
}

func TestAForgedWithdrawalTakesNothingBack(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	card, id := h.isolate(t)
	for name, change := range map[string]func(slacksim.Payload){
		"a copy of the card": func(p slacksim.Payload) { p["container"].(slacksim.Payload)["message_ts"] = "1700000000.000100" },
		"another version": func(p slacksim.Payload) {
			p["actions"].([]any)[0].(slacksim.Payload)["value"] = id + "." + "0000000000000000000000000000000000000000000000000000000000000000"
		},
		"another workspace": func(p slacksim.Payload) { p["user"].(slacksim.Payload)["team_id"] = "T0OTHER" },
	} {
		before := len(h.Ephemerals(slacksim.Alice))
		p, err := h.ClickPayload(slacksim.Alice, card, "Withdraw")
		require.NoError(t, err)
		change(p)
		_, err = h.Send(t.Context(), slacksim.Interactive, p)
		require.NoError(t, err)
		h.wait(t, func(s slacksim.Snapshot) bool { return len(s.Ephemerals[slacksim.Alice]) > before })
		require.Equal(t, approvals.Pending, h.state(t, id).State, name)
	}
}
