package slackbot_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/ballot"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/slackbot"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func (h *house) inForce(t *testing.T) []approvals.Stop {
	t.Helper()
	stops, err := h.board.InForce(t.Context())
	require.NoError(t, err)
	return stops
}

func TestAnyResponderStopsEverything(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	_, id := h.isolate(t)
	out := h.typed(t, slacksim.Bob, "stop because ransomware <!channel> &lt;!here&gt;, it's everywhere; see `x`")
	require.Contains(t, shown(out.Ephemerals[0]), "Everything is stopped")
	stops := h.inForce(t)
	require.Len(t, stops, 1)
	require.Equal(t, approvals.ScopeAll, stops[0].Scope)
	require.Equal(t, "bob@example.com", stops[0].Event.Actor)
	require.Contains(t, stops[0].Why, "it's everywhere; see `x`")

	told := h.card(t, "STOPPED")
	require.Contains(t, shown(told), `"Bob Birch", bob@example.com pressed stop, saying "ransomware @channel <!here>, it's everywhere`)
	require.Empty(t, told.Fires())
	h.card(t, "Cancelled: isolate devices")
	require.Equal(t, approvals.Cancelled, h.state(t, id).State)
	require.Zero(t, h.tenant.Writes())
}

func TestStopWorksWhereverAResponderIsAndNeedsNoReason(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{deaf: true})
	h.AddChannel("C0RANDOM", "random", slacksim.Alice)
	for _, c := range []struct{ text, scope string }{{"stop", "all"}, {"STOP Everything", "all"}, {"stop Response because odd", "response"}} {
		out, err := h.Command(t.Context(), slacksim.Alice, "C0RANDOM", "/mde", c.text)
		require.NoError(t, err)
		require.Contains(t, shown(out.Ephemerals[0]), "/mde lift "+c.scope, c.text)
		stops := h.inForce(t)
		require.Equal(t, c.scope, stops[len(stops)-1].Scope)
	}
	out, err := h.Command(t.Context(), slacksim.Alice, "C0RANDOM", "/mde", "break-glass "+mdesim.NameHost)
	require.NoError(t, err)
	require.Contains(t, shown(out.Ephemerals[0]), "does not work in this channel", "only stopping is for everywhere")
}

func TestWhoIsNoResponderStopsNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{deaf: true})
	for user, want := range map[string]string{
		slacksim.Carol: "responder group", slacksim.Dave: "guest", slacksim.Eve: "another workspace",
	} {
		out := h.typed(t, user, "stop because I want to")
		require.Contains(t, shown(out.Ephemerals[0]), want)
	}
	require.Empty(t, h.inForce(t))
	require.Zero(t, h.Calls("chat.postMessage"))
}

func TestStopsThatAreMistypedSaySo(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{deaf: true})
	for text, want := range map[string]string{
		"stop respons":        "Did you mean /mde stop response?",
		"stop response now":   "Nothing was stopped",
		"stop <!channel>":     "there is no toolset",
		"stop entities":       "there is no toolset",
		"break-glass":         "exactly one device",
		"break-glass a b":     "exactly one device",
		"stopp":               "Did you mean /mde stop?",
		"help stop":           "Any responder may",
		"help break-glass":    "without other people's yes",
		"stop_everything all": "does not know the word",
	} {
		out := h.typed(t, slacksim.Alice, text)
		require.Contains(t, shown(out.Ephemerals[0]), want, text)
	}
	require.Empty(t, h.inForce(t))
	require.Empty(t, h.Views(slacksim.Alice))
}

func TestStopThatIsDeliveredAgainStopsOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{deaf: true})
	out := h.typed(t, slacksim.Alice, "stop because drill")
	_, err := h.Replay(t.Context(), out.EnvelopeID)
	require.NoError(t, err)
	events, err := h.db.Marks(t.Context(), []string{approvals.EventStopped}, 0)
	require.NoError(t, err)
	require.Len(t, events, 1)
}

func TestStopHoldsEvenWhenItCantBeAnnounced(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{deaf: true})
	h.Fail(slacksim.Fault{Method: "chat.postMessage", Kind: slacksim.FaultError, Error: "not_in_channel"})
	out := h.typed(t, slacksim.Alice, "stop because drill")
	require.Contains(t, shown(out.Ephemerals[0]), "tell people yourself")
	require.Len(t, h.inForce(t), 1)
}

func TestBotWithoutSwitchesSaysThatNothingWasStopped(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{deaf: true, bot: func(o *slackbot.Options) { o.Board = nil }})
	require.Contains(t, shown(h.typed(t, slacksim.Alice, "stop").Ephemerals[0]), "Nothing was stopped")
}

// TestHeldCardIsDrawnAnew has a request that runs when everything is stopped.
func TestHeldCardIsDrawnAnewAlthoughTheRequestDidNotMove(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{idle: true, deaf: true})
	r := submitted(t, h, "")
	require.NoError(t, h.approve(t, r))
	n := h.notifier(t)
	_, err := n.Notify(t.Context(), r.ID)
	require.NoError(t, err)
	require.Contains(t, shown(posts(h)[0]), "Approved, starting")

	// What only an audit row says, as of another process that has just pressed.
	require.NoError(t, h.pressed(t, "all: drill"))
	for range 2 {
		_, err = n.Notify(t.Context(), r.ID)
		require.NoError(t, err)
	}
	require.Contains(t, shown(posts(h)[0]), "Approved, held")
	require.Contains(t, shown(posts(h)[0]), `everything is stopped since`)
	require.Equal(t, 1, h.Calls("chat.update"))
}

func (h *house) pressed(t *testing.T, detail string) error {
	t.Helper()
	return h.note(t.Context(), approvals.Event{Type: approvals.EventStopped, Actor: "dave@example.com", Step: -1, Detail: detail})
}

func (h *house) note(ctx context.Context, e approvals.Event) error {
	return h.db.InTx(ctx, noted(ctx, e))
}

func noted(ctx context.Context, e approvals.Event) func(*store.Tx) error {
	return func(tx *store.Tx) error { return tx.Note(ctx, e) }
}

// approve casts bob's vote, past Slack.
func (h *house) approve(t *testing.T, r approvals.Request) error {
	t.Helper()
	bob, err := h.people.Identify(t.Context(), slacksim.DefaultTeamID, slacksim.Bob)
	require.NoError(t, err)
	_, err = h.box.Cast(t.Context(), ballot.Ballot{RequestID: r.ID, Digest: r.Digest, Voter: bob, Verdict: approvals.VerdictApprove})
	return err
}

func TestOnePersonLiftsNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	require.Contains(t, shown(h.typed(t, slacksim.Alice, "lift because over").Ephemerals[0]), "othing is stopped")
	h.typed(t, slacksim.Alice, "stop because drill")
	require.Contains(t, shown(h.typed(t, slacksim.Carol, "lift because I say so").Ephemerals[0]), "responder group")
	h.typed(t, slacksim.Bob, "lift because the drill is over")
	card := h.card(t, "Nobody can approve: lift stop") // two of on-call besides bob, and there is carol only
	require.Equal(t, []string{"Details"}, labelled(card))
	require.Len(t, h.inForce(t), 1)
}

// labelled are the buttons of a card.
func labelled(m slacksim.Message) (labels []string) {
	for _, b := range m.Buttons() {
		labels = append(labels, b.Label)
	}
	return labels
}

func TestPeopleLiftAStopTogether(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	h.typed(t, slacksim.Alice, "stop because drill")
	h.typed(t, slacksim.Alice, "lift all because the drill is over")
	card := h.card(t, "Approval needed: lift stop")
	h.approveTyping(t, slacksim.Bob, card, "all")
	h.told(t, slacksim.Bob, "is counted. Now")
	require.Len(t, h.inForce(t), 1, "one yes is not enough")
	h.approveTyping(t, slacksim.Carol, card, "ALL")
	h.card(t, "Done: lift stop")
	require.Empty(t, h.inForce(t))
}
