package slackbot_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/gate"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/slackbot"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

// submitted makes a request without anybody to tell of it, so that a test is the only one who calls the notifier.
func submitted(t *testing.T, h *house, origin string) approvals.Request {
	t.Helper()
	return submit(t, h, origin, "beaconing")
}

func submittedFor(t *testing.T, h *house, reason string) approvals.Request {
	t.Helper()
	return submit(t, h, "", reason)
}

func submit(t *testing.T, h *house, origin, reason string) approvals.Request {
	t.Helper()
	target := approvals.Target{ID: strings.Repeat("ab", 20), Kind: "device", Name: "host01.contoso.com"}
	r, err := h.gate.Submit(t.Context(), gate.Submission{
		Plan: approvals.Plan{
			Tenant: "5a1f6c1e-0d7b-4c0e-9f52-3b6d3f7a1c00", Tool: "isolate_devices", Risk: approvals.RiskContain, Args: []byte(`{}`), Reason: reason,
			Targets: []approvals.Target{target}, Steps: []approvals.Step{{Action: "isolate", Target: target.ID, Summary: "isolate host01"}}, Preview: "Isolate host01",
		},
		Requester: alice(), Origin: approvals.Origin{Channel: origin},
	})
	require.NoError(t, err)
	return r
}

func alice() approvals.Requester {
	return approvals.Requester{
		Person:   approvals.Person{ID: "alice@example.com", Aliases: []string{approvals.SlackAlias(slacksim.DefaultTeamID, slacksim.Alice)}},
		Verified: true, Via: approvals.ViaSlack,
	}
}

func quiet(t *testing.T) *house {
	t.Helper()
	return newHouse(t, plan{idle: true, deaf: true})
}

// process is a notifier with the test's clock, as one of several processes has its own.
func process(t *testing.T, h *house, clock func() time.Time) *slackbot.Notifier {
	t.Helper()
	n, err := slackbot.NewNotifier(slackbot.NotifierOptions{
		APIURL: h.slack.APIURL(), BotToken: h.Tokens().Bot, Store: h.db, ApprovalChannel: slacksim.Security, Gate: h.gate, Board: h.board,
		Clock: clock, Logger: h.logger(),
	})
	require.NoError(t, err)
	return n
}

func posts(h *house) []slacksim.Message { return h.Messages(slacksim.Security) }

func TestNotifyPostsOnceAndUpdatesInPlace(t *testing.T) {
	t.Parallel()
	h := quiet(t)
	r := submitted(t, h, slacksim.Security)
	n := h.notifier(t)
	for range 3 {
		again, err := n.Notify(t.Context(), r.ID)
		require.NoError(t, err)
		require.Zero(t, again)
	}
	require.Equal(t, 1, len(posts(h)))
	require.Zero(t, h.Calls("chat.update"), "what is right already is left alone")

	_, err := h.gate.Withdraw(t.Context(), r.ID, alice())
	require.NoError(t, err)
	for range 2 {
		_, err = n.Notify(t.Context(), r.ID)
		require.NoError(t, err)
	}
	require.Equal(t, 2, len(posts(h)), "the card and one follow-up in its thread, and none beside it: it was asked for in the same channel")
	require.Equal(t, posts(h)[0].TS, posts(h)[1].ThreadTS)
	require.Contains(t, shown(posts(h)[0]), "Cancelled")
	require.Equal(t, 1, h.Calls("chat.update"))
}

func TestNotifyTellsTheChannelThatAsked(t *testing.T) {
	t.Parallel()
	h := quiet(t)
	h.AddChannel("C0IRONE", "ir-one", slacksim.Alice)
	r := submitted(t, h, "C0IRONE")
	n := h.notifier(t)
	_, err := n.Notify(t.Context(), r.ID)
	require.NoError(t, err)
	require.Zero(t, len(h.Messages("C0IRONE")))
	_, err = h.gate.Withdraw(t.Context(), r.ID, alice())
	require.NoError(t, err)
	for range 2 {
		_, err = n.Notify(t.Context(), r.ID)
		require.NoError(t, err)
	}
	require.Equal(t, 1, len(h.Messages("C0IRONE")))
}

func TestManyNotifiersPostOneCard(t *testing.T) {
	t.Parallel()
	h := quiet(t)
	r := submitted(t, h, "")
	var wg sync.WaitGroup
	for range 6 {
		n := h.notifier(t)
		wg.Go(func() { _, _ = n.Notify(t.Context(), r.ID) })
	}
	wg.Wait()
	require.Equal(t, 1, len(posts(h)))
}

func TestNotifyInBadWeather(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		fault slacksim.Fault
		again time.Duration
		// sure says that the post certainly failed, so that the next call posts at once.
		sure bool
	}{
		{"rate limited", slacksim.Fault{Kind: slacksim.FaultRateLimited, RetryAfter: 7 * time.Second}, 7 * time.Second, true},
		{"rate limited without a time", slacksim.Fault{Kind: slacksim.FaultRateLimited, RetryAfter: -1}, 5 * time.Second, true},
		{"refused", slacksim.Fault{Kind: slacksim.FaultError, Error: "not_in_channel"}, time.Minute, true},
		{"internal error", slacksim.Fault{Kind: slacksim.FaultError, Error: "internal_error"}, time.Minute, false},
		{"unavailable", slacksim.Fault{Kind: slacksim.FaultStatus}, 30 * time.Second, false},
		{"empty answer", slacksim.Fault{Kind: slacksim.FaultEmpty}, 30 * time.Second, false},
		{"web page", slacksim.Fault{Kind: slacksim.FaultHTML}, 30 * time.Second, false},
		{"answer lost", slacksim.Fault{Kind: slacksim.FaultEOFAfterEffect}, 30 * time.Second, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := quiet(t)
			r := submitted(t, h, "")
			now := time.Now()
			n := process(t, h, func() time.Time { return now })
			c.fault.Method = "chat.postMessage"
			h.Fail(c.fault)
			again, err := n.Notify(t.Context(), r.ID)
			require.NoError(t, err)
			require.Equal(t, c.again, again)
			require.Equal(t, 1, h.Calls("chat.postMessage"), "a post is never repeated blindly")
			now = now.Add(7 * time.Second)
			_, err = n.Notify(t.Context(), r.ID)
			require.NoError(t, err)
			if c.sure {
				require.Equal(t, 2, h.Calls("chat.postMessage"))
				require.Equal(t, 1, len(posts(h)))
			} else {
				require.Equal(t, 1, h.Calls("chat.postMessage"), "it may have been posted: not again before its time")
			}
		})
	}
}

func TestReservationOfALostPostIsTakenOver(t *testing.T) {
	t.Parallel()
	h := quiet(t)
	r := submitted(t, h, "")
	now := time.Now()
	n := process(t, h, func() time.Time { return now })
	h.Fail(slacksim.Fault{Method: "chat.postMessage", Kind: slacksim.FaultEOFAfterEffect})
	_, err := n.Notify(t.Context(), r.ID)
	require.NoError(t, err)
	now = now.Add(time.Minute)
	again, err := n.Notify(t.Context(), r.ID)
	require.NoError(t, err)
	require.Zero(t, again)
	require.Equal(t, 2, len(posts(h)))
	m, _, err := h.db.Message(t.Context(), r.ID, "card")
	require.NoError(t, err)
	require.Equal(t, posts(h)[1].TS, m.TS, "the known card counts")

	h.run(t)
	h.press(t, slacksim.Bob, posts(h)[0], "Approve")
	h.told(t, slacksim.Bob, "this is not the card")
	require.Equal(t, approvals.Pending, h.state(t, r.ID).State)
}

func TestUpdatesThatFailAreRepeated(t *testing.T) {
	t.Parallel()
	h := quiet(t)
	r := submitted(t, h, "")
	now := time.Now()
	n := process(t, h, func() time.Time { return now })
	_, err := n.Notify(t.Context(), r.ID)
	require.NoError(t, err)
	_, err = h.gate.Withdraw(t.Context(), r.ID, alice())
	require.NoError(t, err)
	for i, kind := range []slacksim.FaultKind{slacksim.FaultEmpty, slacksim.FaultStatus, slacksim.FaultEOFAfterEffect, slacksim.FaultRateLimited} {
		h.Fail(slacksim.Fault{Method: "chat.update", Kind: kind})
		again, err := n.Notify(t.Context(), r.ID)
		require.NoError(t, err)
		require.Positive(t, again, kind)
		require.Equal(t, i+1, h.Calls("chat.update"))
		require.Len(t, posts(h), 1, "the card comes before its thread")
		now = now.Add(time.Minute)
	}
	again, err := n.Notify(t.Context(), r.ID)
	require.NoError(t, err)
	require.Zero(t, again)
	require.Contains(t, shown(posts(h)[0]), "Cancelled")
	require.Equal(t, 2, len(posts(h)))
}

func TestRefusedBlocksAndDeletedCardsAreReplaced(t *testing.T) {
	t.Parallel()
	h := quiet(t)
	r := submitted(t, h, "")
	n := h.notifier(t)
	h.Fail(slacksim.Fault{Method: "chat.postMessage", Kind: slacksim.FaultError, Error: "invalid_blocks"})
	_, err := n.Notify(t.Context(), r.ID)
	require.NoError(t, err)
	require.Equal(t, 1, len(posts(h)))
	for _, b := range posts(h)[0].Buttons() {
		require.NotEqual(t, "Approve", b.Label)
	}

	require.NoError(t, h.db.InTx(t.Context(), func(tx *store.Tx) error {
		return tx.Move(t.Context(), store.Move{ID: r.ID, From: r.State, To: r.State, Version: r.Version, At: time.Now()})
	}))
	h.Fail(slacksim.Fault{Method: "chat.update", Kind: slacksim.FaultError, Error: "message_not_found"})
	for range 2 {
		again, err := n.Notify(t.Context(), r.ID)
		require.NoError(t, err)
		require.Zero(t, again)
	}
	require.Equal(t, 2, len(posts(h)))
	m, _, err := h.db.Message(t.Context(), r.ID, "card")
	require.NoError(t, err)
	require.Equal(t, posts(h)[1].TS, m.TS)
}

func TestCardThatMovedWhileItWasDrawnIsDrawnAgain(t *testing.T) {
	t.Parallel()
	h := quiet(t)
	r := submitted(t, h, "")
	n := h.notifier(t)
	h.Fail(slacksim.Fault{Method: "chat.postMessage", Kind: slacksim.FaultSlow, Delay: 300 * time.Millisecond})
	done := make(chan error, 1)
	go func() {
		_, err := n.Notify(t.Context(), r.ID)
		done <- err
	}()
	h.wait(t, func(s slacksim.Snapshot) bool { return len(s.Messages[slacksim.Security]) == 1 })
	_, err := h.gate.Withdraw(t.Context(), r.ID, alice())
	require.NoError(t, err)
	require.NoError(t, <-done)
	require.Contains(t, shown(posts(h)[0]), "Cancelled")
}

func TestPostThatCouldNotBeRecordedIsNotPostedAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{idle: true, deaf: true, busy: 50 * time.Millisecond})
	r := submitted(t, h, "")
	n := h.notifier(t)
	h.Fail(slacksim.Fault{Method: "chat.postMessage", Kind: slacksim.FaultSlow, Delay: 500 * time.Millisecond})
	done := make(chan error, 1)
	go func() {
		_, err := n.Notify(t.Context(), r.ID)
		done <- err
	}()
	h.wait(t, func(s slacksim.Snapshot) bool { return len(s.Messages[slacksim.Security]) == 1 })
	unlock := h.lock(t)
	require.Equal(t, approvals.KindStore, approvals.KindOf(<-done))
	_, err := n.Notify(t.Context(), r.ID)
	require.Equal(t, approvals.KindStore, approvals.KindOf(err))
	unlock()
	again, err := n.Notify(t.Context(), r.ID)
	require.NoError(t, err)
	require.Zero(t, again)
	require.Equal(t, 1, h.Calls("chat.postMessage"))
	m, _, err := h.db.Message(t.Context(), r.ID, "card")
	require.NoError(t, err)
	require.Equal(t, posts(h)[0].TS, m.TS)
}

func TestNotifierNeedsItsParts(t *testing.T) {
	t.Parallel()
	h := quiet(t)
	for _, o := range []slackbot.NotifierOptions{
		{BotToken: "xoxb-x", ApprovalChannel: "C0X"},
		{BotToken: "xoxb-x", ApprovalChannel: "#security", Store: h.db},
		{BotToken: "xapp-x", ApprovalChannel: "C0X", Store: h.db},
		{BotToken: "xoxb-x", ApprovalChannel: "C0X", Store: h.db, APIURL: "slack.com"},
	} {
		_, err := slackbot.NewNotifier(o)
		require.Error(t, err)
	}
	_, err := h.notifier(t).Notify(t.Context(), "NOSUCH00")
	require.Equal(t, approvals.KindNotFound, approvals.KindOf(err))
}
