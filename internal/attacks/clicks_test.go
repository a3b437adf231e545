package attacks_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func TestReplayedClicksCountOnce(t *testing.T) {
	t.Parallel()
	h := open(t, plan{policy: two})
	id, card := h.asked(mdesim.NameHost)
	click, err := h.ClickStale(t.Context(), slacksim.Bob, card, "Approve")
	require.NoError(t, err)
	for range 3 {
		_, err := h.Replay(t.Context(), click.EnvelopeID) // the same delivery
		require.NoError(t, err)
	}
	require.Len(t, h.state(id).Votes, 1)
	before := h.head()
	h.pressed(slacksim.Bob, card, "Approve") // the same button, pressed again
	h.refused(before, bob, "already counted")
	require.Len(t, h.state(id).Votes, 1)
	h.sent(0)

	h.pressed(slacksim.Carol, card, "Approve")
	require.Equal(t, approvals.Succeeded, h.settle(id).State)
	require.Equal(t, 1, h.tenant.Writes())
	before = h.head()
	_, err = h.Replay(t.Context(), click.EnvelopeID)
	require.NoError(t, err)
	for _, user := range []string{slacksim.Bob, slacksim.Carol} {
		h.pressed(user, card, "Approve")
	}
	h.refused(before, bob, "already counted")
	h.sent(1)
	h.sound()
}

// A yes to what was denied, withdrawn or done is for nothing, and a yes to one request is none to the next of the same kind.
func TestAnOldYesIsNotForTheNextRequest(t *testing.T) {
	t.Parallel()
	h := open(t, plan{})
	first, card := h.asked(mdesim.NameHost)
	_, err := h.call("cancel_request", `{"id":"`+first+`"}`, by(approvals.ViaMCP, alice, true))
	require.NoError(t, err)
	second, next := h.asked(mdesim.NameHost)
	require.NotEqual(t, first, second)
	before := h.head()
	h.pressed(slacksim.Bob, card, "Approve")
	h.refused(before, bob, "already cancelled")

	p, err := h.ClickPayload(slacksim.Bob, card, "Approve") // the old button, as if pressed on the new card
	require.NoError(t, err)
	p["container"].(slacksim.Payload)["message_ts"] = next.TS
	before = h.head()
	h.heard(slacksim.Bob, func() error { _, err := h.Send(t.Context(), slacksim.Interactive, p); return err })
	h.refused(before, bob, "")
	require.Empty(t, h.state(second).Votes)
	h.sent(0)
	h.sound()
}

func TestAVoteAfterExpiry(t *testing.T) {
	t.Parallel()
	h := open(t, plan{})
	id, card := h.asked(mdesim.NameHost)
	h.pass(30 * time.Minute)
	before := h.head()
	require.Contains(t, h.pressed(slacksim.Bob, card, "Approve"), "already expired")
	h.refused(before, bob, "already expired")
	require.Equal(t, approvals.Expired, h.state(id).State)
	h.sent(0)

	id, card = h.asked(mdesim.NameVIP) // and a vote in time that is started too late
	h.pressed(slacksim.Bob, card, "Approve")
	h.pass(15 * time.Minute)
	h.sent(0)
	require.Equal(t, approvals.Expired, h.state(id).State)
	h.sound()
}

// The card of one plan is shown, and the vote that is sent is for another.
func TestACardForOnePlanAndAVoteForAnother(t *testing.T) {
	t.Parallel()
	h := open(t, plan{})
	harmless, shownCard := h.asked(mdesim.NameHost)
	evil, evilCard := h.asked(mdesim.NameVIP)
	other, ok := h.state(evil), h.state(harmless)
	for name, spoil := range map[string]func(p, action slacksim.Payload){
		"the other's button on this card": func(_, a slacksim.Payload) { a["value"] = evil + "." + other.Digest },
		"this one's digest for the other": func(_, a slacksim.Payload) { a["value"] = evil + "." + ok.Digest },
		"the other's digest for this one": func(_, a slacksim.Payload) { a["value"] = harmless + "." + other.Digest },
		"no digest":                       func(_, a slacksim.Payload) { a["value"] = evil + "." },
		"in another channel": func(p, a slacksim.Payload) {
			a["value"] = evil + "." + other.Digest
			p["container"].(slacksim.Payload)["channel_id"] = elsewhere
		},
		"a digest of zeros on the other's card": func(p, a slacksim.Payload) {
			a["value"] = evil + "." + strings.Repeat("0", 64)
			p["container"].(slacksim.Payload)["message_ts"] = evilCard.TS
		},
	} {
		p, err := h.ClickPayload(slacksim.Bob, shownCard, "Approve")
		require.NoError(t, err)
		action := p["actions"].([]any)[0].(slacksim.Payload)
		spoil(p, action)
		before := h.head()
		send := func() error { _, err := h.Send(t.Context(), slacksim.Interactive, p); return err }
		if name == "no digest" { // that is no button of ours at all
			require.NoError(t, send())
		} else {
			h.heard(slacksim.Bob, send)
			h.refused(before, bob, "")
		}
		require.Empty(t, h.state(evil).Votes, name)
		require.Empty(t, h.state(harmless).Votes, name)
	}
	copied := evilCard // a card that somebody copied into another channel
	copied.Channel = elsewhere
	before := h.head()
	require.Contains(t, h.pressed(slacksim.Bob, copied, "Approve"), "not the card of request")
	h.refused(before, bob, "not the card of request")
	h.sent(0)
	h.sound()
}

// The modal that asks for a reason, and the details, carry the request they are about; somebody sends them for another.
func TestAForgedModalVotesForNothing(t *testing.T) {
	t.Parallel()
	h := open(t, plan{})
	id, card := h.asked(mdesim.NameHost)
	r := h.state(id)
	for _, metadata := range []string{
		`{"stamp":"` + id + `.` + r.Digest + `","card":{"channel":"` + card.Channel + `","ts":"1.1"},"pages":1,"verdict":"approve"}`,
		`{"stamp":"` + id + `.` + strings.Repeat("0", 64) + `","card":{"channel":"` + card.Channel + `","ts":"` + card.TS + `"},"pages":1,"verdict":"approve"}`,
		`{"stamp":"` + id + `.` + r.Digest + `","card":{"channel":"` + card.Channel + `","ts":"` + card.TS + `"},"page":0,"pages":2,"verdict":"approve"}`,
		`{}`, `null`, ``,
	} {
		p, err := h.ClickPayload(slacksim.Bob, card, "Approve")
		require.NoError(t, err)
		p["type"] = "view_submission"
		p["view"] = slacksim.Payload{"id": "V1", "type": "modal", "callback_id": "mde_details_view", "private_metadata": metadata}
		before := h.head()
		_, err = h.Send(t.Context(), slacksim.Interactive, p)
		require.NoError(t, err)
		if strings.Contains(metadata, `"pages":1`) { // the last page, which has the button
			h.refused(before, bob, "")
		}
		require.Empty(t, h.state(id).Votes, metadata)
	}
	h.sent(0)
	h.sound()
}
