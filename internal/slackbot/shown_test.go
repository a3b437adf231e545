package slackbot_test

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/gate"
	"github.com/mde-ops/mde-ops/approvals/policy"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// rewrite writes a request's plan as whoever holds the database could, and returns what stood there.
func (h *house) rewrite(t *testing.T, id string, change func(string) string) string {
	t.Helper()
	raw, err := sql.Open("sqlite", "file:"+h.path+"?_pragma=busy_timeout(5000)")
	require.NoError(t, err)
	defer func() { require.NoError(t, raw.Close()) }()
	var was string
	require.NoError(t, raw.QueryRowContext(t.Context(), "SELECT plan FROM requests WHERE id = ?", id).Scan(&was))
	require.NotEqual(t, was, change(was))
	_, err = raw.ExecContext(t.Context(), "UPDATE requests SET plan = ? WHERE id = ?", change(was), id)
	require.NoError(t, err)
	return was
}

// TestPlanSwappedWhileItsCardIsDrawn has the database show another device for as long as people look.
func TestPlanSwappedWhileItsCardIsDrawn(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{deaf: true})
	h.typed(t, slacksim.Alice, "isolate "+mdesim.NameHost+" because beaconing")
	id := h.requests(t)[0].ID
	was := h.rewrite(t, id, func(p string) string { return strings.ReplaceAll(p, mdesim.NameHost, "printer-in-the-lobby") })
	_, err := h.notifier(t).Notify(t.Context(), id)
	require.NoError(t, err)
	h.rewrite(t, id, func(string) string { return was })

	card := h.card(t, "Does not verify")
	require.NotContains(t, shown(card), "printer-in-the-lobby")
	require.Empty(t, card.Buttons())
	require.Contains(t, h.log.String(), "does not verify and is not shown")
	require.Equal(t, approvals.Pending, h.state(t, id).State)
}

func TestDetailsOfAnAlteredRequestAreRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{deaf: true})
	r := submittedFor(t, h, strings.Repeat("a very long reason ", 6000))
	_, err := h.notifier(t).Notify(t.Context(), r.ID)
	require.NoError(t, err)
	card := h.card(t, "does not hold everything")
	h.press(t, slacksim.Bob, card, "Details")
	view := h.modal(t, slacksim.Bob)

	h.rewrite(t, r.ID, func(p string) string { return strings.Replace(p, "host01", "printer", 1) })
	_, err = h.ClickView(t.Context(), slacksim.Bob, view.ID, "Next")
	require.NoError(t, err)
	h.press(t, slacksim.Carol, card, "Details")
	h.told(t, slacksim.Carol, "was altered after it was made")
	require.Empty(t, h.Views(slacksim.Carol))
	require.Equal(t, view.Hash, h.modal(t, slacksim.Bob).Hash, "the page is not turned")
	h.press(t, slacksim.Carol, card, "Deny")
	out, err := h.Submit(t.Context(), slacksim.Carol, h.modal(t, slacksim.Carol).ID, map[string]string{"mde_reason": "no"})
	require.NoError(t, err)
	require.Contains(t, out.Errors["mde_reason"], "does not verify")
}

func TestCutConfirmCardIsConfirmedFromItsFullText(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{deaf: true, policy: confirming{defaultPolicy(t)}})
	r := submittedFor(t, h, strings.Repeat("a very long reason ", 200))
	_, err := h.notifier(t).Notify(t.Context(), r.ID)
	require.NoError(t, err)
	card := h.card(t, "The last page there has the Confirm button")
	h.press(t, slacksim.Bob, card, "Details")
	_, err = h.Submit(t.Context(), slacksim.Bob, h.modal(t, slacksim.Bob).ID, nil)
	require.NoError(t, err)
	h.told(t, slacksim.Bob, "who asked for this, can confirm it")
	require.Equal(t, approvals.Pending, h.state(t, r.ID).State)

	h.press(t, slacksim.Alice, card, "Details")
	view := h.modal(t, slacksim.Alice)
	require.Equal(t, "Confirm", view.Submit.Text)
	_, err = h.Submit(t.Context(), slacksim.Alice, view.ID, nil)
	require.NoError(t, err)
	h.told(t, slacksim.Alice, "counted")
	require.Equal(t, approvals.Approved, h.state(t, r.ID).State)
}

func TestCardThatSlackRefusedIsApprovedFromItsFullText(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{deaf: true})
	r := submittedFor(t, h, "beaconing")
	h.Fail(slacksim.Fault{Method: "chat.postMessage", Kind: slacksim.FaultError, Error: "invalid_blocks"})
	_, err := h.notifier(t).Notify(t.Context(), r.ID)
	require.NoError(t, err)
	card := h.card(t, "can't be shown here")
	h.press(t, slacksim.Bob, card, "Details")
	view := h.modal(t, slacksim.Bob)
	require.Contains(t, slacksim.RenderView(view, slacksim.RenderOptions{Width: 400}), r.Plan.Targets[0].ID)
	_, err = h.Submit(t.Context(), slacksim.Bob, view.ID, nil)
	require.NoError(t, err)
	h.told(t, slacksim.Bob, "counted")
	require.Equal(t, approvals.Approved, h.state(t, r.ID).State)
}

func TestDetailsAreForRespondersApproversAndWhoeverAsked(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	const frank = "U0FRANK"
	h.AddUser(slacksim.User{ID: frank, Name: "frank", RealName: "Frank Fox", Email: "frank@example.com", EmailConfirmed: true})
	h.AddChannel(slacksim.Security, "security", slacksim.Alice, slacksim.Bob, slacksim.Carol, frank)
	card, _ := h.isolate(t)
	h.press(t, frank, card, "Details")
	h.told(t, frank, "Only responders and the approvers")
	require.Empty(t, h.Views(frank))
	h.press(t, slacksim.Carol, card, "Details") // approves, and is no responder
	h.modal(t, slacksim.Carol)

	h.AddGroup(slacksim.Responders, "responders", frank)
	h.press(t, frank, card, "Details")
	h.modal(t, frank)
	h.press(t, slacksim.Alice, card, "Details") // asked, and is neither now
	h.modal(t, slacksim.Alice)

	h.Fail(slacksim.Fault{Method: "usergroups.users.list", Kind: slacksim.FaultStatus, Times: -1})
	h.press(t, slacksim.Bob, card, "Details")
	h.told(t, slacksim.Bob, "whether you may read")
	require.Empty(t, h.Views(slacksim.Bob))
}

// A newer policy may want other people to vote than the one a request was made under; on a cut card they can only do it
// from the details.
func TestDetailsAreForTheApproversOfTodaysPolicyToo(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{deaf: true})
	older, err := policy.Default(policy.DefaultOptions{ApproverGroup: approvals.Group{Name: "leads", People: []string{"bob@example.com"}}})
	require.NoError(t, err)
	then, err := gate.New(gate.Options{Store: h.db, Policy: older, Logger: h.logger()})
	require.NoError(t, err)
	defer then.Close()
	today := h.gate
	h.gate = then
	r := submittedFor(t, h, "beaconing")
	h.gate = today
	_, err = h.notifier(t).Notify(t.Context(), r.ID)
	require.NoError(t, err)
	h.press(t, slacksim.Carol, h.card(t, "Approval needed"), "Details") // on call, and neither a lead nor a responder
	h.modal(t, slacksim.Carol)
}

func TestAnswersSpeakToPeople(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{deaf: true})
	say := func(text string) string {
		out := h.typed(t, slacksim.Alice, text)
		require.Len(t, out.Ephemerals, 1)
		answer := shown(out.Ephemerals[0])
		for _, program := range []string{"Call ", "isolate_devices again", "get_request", "wait_seconds", "dry_run"} {
			require.NotContains(t, answer, program)
		}
		return answer
	}
	require.Contains(t, say("isolate "+mdesim.NameHost+" --dry-run because beaconing"), "To ask for it, type the same without --dry-run.")
	require.Empty(t, h.requests(t))
	say("isolate " + mdesim.NameHost + " because beaconing")
	id := h.requests(t)[0].ID
	require.Contains(t, say("request "+id), "/mde cancel-request "+id+" withdraws it")
	require.Contains(t, say("cancel-request "+id), "This is final.")
	require.Contains(t, say("request "+id), "This is final.")
}
