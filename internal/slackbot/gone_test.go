package slackbot_test

import (
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/slackbot"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

// touch gives a request its next version, so that its card has to be drawn.
func touch(t *testing.T, h *house, id string) {
	t.Helper()
	r := h.state(t, id)
	require.NoError(t, h.db.InTx(t.Context(), func(tx *store.Tx) error {
		return tx.Move(t.Context(), store.Move{ID: id, From: r.State, To: r.State, Version: r.Version, At: time.Now()})
	}))
}

func (h *house) cardOf(t *testing.T, id string) store.Message {
	t.Helper()
	m, _, err := h.db.Message(t.Context(), id, "card")
	require.NoError(t, err)
	return m
}

func TestDeletedCardIsReplacedAndOnlyTheNewOneCounts(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{deaf: true})
	r := submitted(t, h, "")
	n := h.notifier(t)
	_, err := n.Notify(t.Context(), r.ID)
	require.NoError(t, err)
	old := h.cardOf(t, r.ID)
	api := slack.New(h.Tokens().Bot, slack.OptionAPIURL(h.slack.APIURL()))
	_, _, err = api.DeleteMessageContext(t.Context(), old.Channel, old.TS)
	require.NoError(t, err)
	touch(t, h, r.ID)
	for range 2 {
		again, err := n.Notify(t.Context(), r.ID)
		require.NoError(t, err)
		require.Zero(t, again)
	}
	require.Len(t, posts(h), 1)
	require.NotEqual(t, old.TS, h.cardOf(t, r.ID).TS)
	h.press(t, slacksim.Bob, posts(h)[0], "Approve")
	h.told(t, slacksim.Bob, "is counted")
	require.Equal(t, approvals.Approved, h.state(t, r.ID).State)
	_, err = n.Notify(t.Context(), r.ID)
	require.NoError(t, err)
	require.Equal(t, []string{"Approved by bob@example.com. It starts."}, told(t, h, r.ID), "the thread goes on below the new card")
}

func TestArchivedChannelIsSaidAndItsCardsMoveToTheNewOne(t *testing.T) {
	t.Parallel()
	h := quiet(t)
	now := time.Now()
	r := submitted(t, h, "")
	n := process(t, h, func() time.Time { return now })
	_, err := n.Notify(t.Context(), r.ID)
	require.NoError(t, err)
	archived := slacksim.Fault{Method: "chat.update", Kind: slacksim.FaultError, Error: "is_archived", Times: -1}
	h.Fail(archived)
	touch(t, h, r.ID)
	again, err := n.Notify(t.Context(), r.ID)
	require.NoError(t, err)
	require.Equal(t, time.Minute, again, "a person has to mend it")
	require.Contains(t, h.log.String(), "the channel is archived; choose another")
	require.Len(t, posts(h), 1)
	require.Equal(t, approvals.Pending, h.state(t, r.ID).State, "the request is alive")

	const fresh = "C0FRESH"
	h.AddChannel(fresh, "security-2", slacksim.Bob)
	moved, err := slackbot.NewNotifier(slackbot.NotifierOptions{
		APIURL: h.slack.APIURL(), BotToken: h.Tokens().Bot, Store: h.db, ApprovalChannel: fresh, Logger: h.logger(),
	})
	require.NoError(t, err)
	for range 2 {
		again, err = moved.Notify(t.Context(), r.ID)
		require.NoError(t, err)
		require.Zero(t, again)
	}
	require.Len(t, h.Messages(fresh), 1)
	require.Equal(t, fresh, h.cardOf(t, r.ID).Channel)
}

func TestChannelThatTheAppIsNotInHoldsNothingUpForEver(t *testing.T) {
	t.Parallel()
	h := quiet(t)
	now := time.Now()
	n := process(t, h, func() time.Time { return now })
	h.SetChannel(slacksim.Channel{ID: "C0IRONE", Name: "ir-one", Members: []string{slacksim.Alice}, BotAbsent: true})
	r := submitted(t, h, "C0IRONE")
	_, err := h.gate.Withdraw(t.Context(), r.ID, alice())
	require.NoError(t, err)
	_, err = n.Notify(t.Context(), r.ID)
	require.NoError(t, err)
	require.Contains(t, h.log.String(), "invite the app to the channel")
	calls := h.Calls("chat.postMessage")
	now = now.Add(time.Hour)
	again, err := n.Notify(t.Context(), r.ID)
	require.NoError(t, err)
	require.Zero(t, again)
	require.Equal(t, calls, h.Calls("chat.postMessage"), "it stands in the card's thread; nobody waits for the other channel")
	require.Len(t, posts(h), 2)

	// The approvers' own channel is waited for.
	h.SetChannel(slacksim.Channel{ID: slacksim.Security, Name: "security", Members: []string{slacksim.Bob}, BotAbsent: true})
	other := submittedFor(t, h, "another")
	again, err = n.Notify(t.Context(), other.ID)
	require.NoError(t, err)
	require.Equal(t, time.Minute, again)
	h.SetChannel(slacksim.Channel{ID: slacksim.Security, Name: "renamed", Members: []string{slacksim.Bob}})
	now = now.Add(time.Minute)
	again, err = n.Notify(t.Context(), other.ID)
	require.NoError(t, err)
	require.Zero(t, again)
	require.Len(t, posts(h), 3, "an id stays when a channel is renamed")
}

func TestConfirmationGoesToTheApproversWhereNoOtherChannelTakesIt(t *testing.T) {
	t.Parallel()
	for _, begunThere := range []bool{false, true} {
		h := newHouse(t, plan{idle: true, deaf: true, policy: confirming{defaultPolicy(t)}})
		away := slacksim.Channel{ID: "C0IRONE", Name: "ir-one", Members: []string{slacksim.Alice}, BotAbsent: true}
		n := h.notifier(t)
		if begunThere {
			h.AddChannel(away.ID, away.Name, slacksim.Alice)
		} else {
			h.SetChannel(away)
		}
		r := submitted(t, h, away.ID)
		if begunThere {
			_, err := n.Notify(t.Context(), r.ID)
			require.NoError(t, err)
			require.Equal(t, away.ID, h.cardOf(t, r.ID).Channel)
			h.SetChannel(away)
			h.Fail(slacksim.Fault{Method: "chat.update", Kind: slacksim.FaultError, Error: "channel_not_found"})
			touch(t, h, r.ID)
		}
		for range 2 {
			again, err := n.Notify(t.Context(), r.ID)
			require.NoError(t, err)
			require.Zero(t, again)
		}
		require.Len(t, posts(h), 1)
		require.Equal(t, slacksim.Security, h.cardOf(t, r.ID).Channel)
	}
}
