package slackbot_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/gate"
	"github.com/mde-ops/mde-ops/internal/slackbot"
	"github.com/mde-ops/mde-ops/internal/slackbot/cards"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// approveTyping presses Approve and types what the window asks for.
func (h *house) approveTyping(t *testing.T, user string, card slacksim.Message, typed string) {
	t.Helper()
	h.press(t, user, card, "Approve")
	require.Empty(t, h.typeInto(t, user, typed).Errors)
}

// typeInto submits the newest window of a person with something typed.
func (h *house) typeInto(t *testing.T, user, typed string) slacksim.Outcome {
	t.Helper()
	out, err := h.Submit(t.Context(), user, h.modal(t, user).ID, map[string]string{cards.BlockTyped: typed})
	require.NoError(t, err)
	return out
}

// typingAbove has a yes to more than so many targets typed.
func typingAbove(n int) func(*slackbot.Options) {
	return func(o *slackbot.Options) { o.LargePlan = n }
}

// large asks for the isolation of two devices where more than one are many, and returns its card.
func (h *house) large(t *testing.T) (slacksim.Message, string) {
	t.Helper()
	h.typed(t, slacksim.Alice, "isolate "+mdesim.NameHost+" "+mdesim.NameVIP+" because beaconing")
	card := h.card(t, "Approval needed")
	return card, requestOn(t, card)
}

func TestALargePlanIsApprovedByTypingHowManyDevices(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{bot: typingAbove(1)})
	card, id := h.large(t)
	h.press(t, slacksim.Bob, card, "Approve")
	view := h.modal(t, slacksim.Bob)
	require.Equal(t, "mde_typed_view", view.CallbackID)
	text := slacksim.RenderView(view, slacksim.RenderOptions{Width: 400})
	for _, d := range h.state(t, id).Plan.Targets {
		require.Contains(t, text, d.Name)
		require.Contains(t, text, d.ID)
	}
	require.Contains(t, text, `"beaconing"`)
	require.Contains(t, text, "type how many devices")

	for _, wrong := range []string{"3", "02", "2 devices", "two", mdesim.NameHost} {
		out := h.typeInto(t, slacksim.Bob, wrong)
		require.Contains(t, out.Errors[cards.BlockTyped], "type how many devices", "%q", wrong)
	}
	require.Empty(t, h.state(t, id).Votes)
	require.Empty(t, h.typeInto(t, slacksim.Bob, " 2 ").Errors)
	h.told(t, slacksim.Bob, "counted")
	h.card(t, "Done")
	require.Len(t, h.state(t, id).Votes, 1)
}

func TestAFewDevicesAreApprovedByAPress(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{deaf: true, bot: typingAbove(2)})
	h.typed(t, slacksim.Alice, "isolate "+mdesim.NameHost+" "+mdesim.NameVIP+" because beaconing")
	id := h.requests(t)[0].ID
	_, err := h.notifier(t).Notify(t.Context(), id)
	require.NoError(t, err)
	h.press(t, slacksim.Bob, h.card(t, "Approval needed"), "Approve")
	h.told(t, slacksim.Bob, "counted")
	require.Empty(t, h.Views(slacksim.Bob))
	require.Equal(t, approvals.Approved, h.state(t, id).State)
}

// planned asks for a plan as alice.
func (h *house) planned(t *testing.T, p approvals.Plan) approvals.Request {
	t.Helper()
	r, err := h.gate.Submit(t.Context(), gate.Submission{Plan: p, Requester: alice()})
	require.NoError(t, err)
	return r
}

// destroy asks for what can't be undone on one device.
func (h *house) destroy(t *testing.T) (slacksim.Message, string) {
	t.Helper()
	d := h.tenant.Device(mdesim.NameHost)
	p := approvals.Plan{
		Tenant: mdesim.DefaultTenantID, Tool: "stop_and_quarantine", Risk: approvals.RiskDestroy, Args: []byte(`{}`), Reason: "malware",
		Targets: []approvals.Target{{ID: d.ID, Kind: "device", Name: d.ComputerDNSName}},
		Steps:   []approvals.Step{{Action: "quarantine", Target: d.ID, Args: []byte(`{}`), Summary: "quarantine"}}, Preview: "Quarantine a file",
	}
	r := h.planned(t, p)
	_, err := h.notifier(t).Notify(t.Context(), r.ID)
	require.NoError(t, err)
	return h.card(t, "Approval needed"), r.ID
}

func TestWhatDestroysIsApprovedByTypingTheName(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{deaf: true})
	card, id := h.destroy(t)
	name := h.state(t, id).Plan.Targets[0].Name
	h.press(t, slacksim.Bob, card, "Approve")
	for _, wrong := range []string{"1", strings.Replace(name, "o", "о", 1), name + ".", h.state(t, id).Plan.Targets[0].ID} {
		require.Contains(t, h.typeInto(t, slacksim.Bob, wrong).Errors[cards.BlockTyped], "type the name of the device", "%q", wrong)
	}
	require.Empty(t, h.typeInto(t, slacksim.Bob, strings.ToUpper(name)).Errors)
	h.told(t, slacksim.Bob, "counted")
	require.Len(t, h.state(t, id).Votes, 1)

	h.press(t, slacksim.Carol, card, "Deny") // a no is never typed
	_, err := h.Submit(t.Context(), slacksim.Carol, h.modal(t, slacksim.Carol).ID, map[string]string{"mde_reason": "no"})
	require.NoError(t, err)
	require.Equal(t, approvals.Denied, h.state(t, id).State)
}

// Whoever can send what Slack sends, and not type: a press as if no window were needed, a submission of the details, and one
// of the window without its field, with another verdict or about another card.
func TestNoForgedYesDoesWithoutTyping(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{deaf: true})
	card, id := h.destroy(t)
	name := h.state(t, id).Plan.Targets[0].Name
	h.press(t, slacksim.Bob, card, "Approve")
	view := h.modal(t, slacksim.Bob)
	ticket := func(change func(*cards.Ticket)) string {
		got, _, err := cards.ParseTicket(view.PrivateMetadata)
		require.NoError(t, err)
		change(&got)
		return got.String()
	}
	same := func(*cards.Ticket) {}
	for attack, forged := range map[string]struct {
		callback, metadata string
		typed              map[string]string
	}{
		"a page before the last":     {cards.ViewDetails, ticket(func(t *cards.Ticket) { t.Pages = 2 }), map[string]string{cards.BlockTyped: name}},
		"the details, nothing typed": {cards.ViewDetails, ticket(func(t *cards.Ticket) { t.Pages = 1 }), nil},
		"the window, nothing typed":  {cards.ViewTyped, ticket(same), nil},
		"the window of a number":     {cards.ViewTyped, ticket(same), map[string]string{cards.BlockTyped: "1"}},
		"another verdict":            {cards.ViewTyped, ticket(func(t *cards.Ticket) { t.Verdict = "yes" }), map[string]string{cards.BlockTyped: name}},
		"a denial that is a yes":     {cards.ViewDeny, ticket(same), map[string]string{cards.BlockTyped: name}},
		"another place":              {cards.ViewTyped, ticket(func(t *cards.Ticket) { t.Card.TS = "1700000000.000100" }), map[string]string{cards.BlockTyped: name}},
		"another digest":             {cards.ViewTyped, ticket(func(t *cards.Ticket) { t.Stamp = id + "." + strings.Repeat("0", 64) }), map[string]string{cards.BlockTyped: name}},
	} {
		_, err := h.Send(t.Context(), slacksim.Interactive, h.submission(t, slacksim.Bob, card, slacksim.Payload{
			"id": view.ID, "type": "modal", "callback_id": forged.callback, "private_metadata": forged.metadata,
		}, forged.typed))
		require.NoError(t, err, attack)
		require.Empty(t, h.state(t, id).Votes, attack)
	}
	require.Equal(t, approvals.Pending, h.state(t, id).State)
}

func TestAWindowSubmittedTwiceIsOneVote(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{deaf: true})
	card, id := h.destroy(t)
	h.press(t, slacksim.Bob, card, "Approve")
	typed := map[string]string{cards.BlockTyped: h.state(t, id).Plan.Targets[0].Name}
	view := h.modal(t, slacksim.Bob)
	p := h.submission(t, slacksim.Bob, card, slacksim.Payload{
		"id": view.ID, "type": "modal", "callback_id": view.CallbackID, "private_metadata": view.PrivateMetadata,
	}, typed)
	h.CutBeforeAck(1)
	for range 2 {
		_, err := h.Send(t.Context(), slacksim.Interactive, p)
		require.NoError(t, err)
	}
	p["trigger_id"] = "another.trigger"
	_, err := h.Send(t.Context(), slacksim.Interactive, p)
	require.NoError(t, err)
	require.Len(t, h.state(t, id).Votes, 1)
	require.Equal(t, approvals.Pending, h.state(t, id).State, "two people are asked, and this is one")
}

// submission is what Slack would send for a view that somebody says they submitted.
func (h *house) submission(t *testing.T, user string, card slacksim.Message, view slacksim.Payload, typed map[string]string) slacksim.Payload {
	t.Helper()
	p, err := h.ClickPayload(user, card, "Details")
	require.NoError(t, err)
	for _, gone := range []string{"actions", "container", "message", "channel", "response_url"} {
		delete(p, gone)
	}
	values := slacksim.Payload{}
	for block, text := range typed {
		values[block] = slacksim.Payload{block + "_text": slacksim.Payload{"type": "plain_text_input", "value": text}}
	}
	view["state"] = slacksim.Payload{"values": values}
	p["type"], p["view"] = "view_submission", view
	return p
}

// What the window can't hold whole is read in the details, whose last page asks for the same.
func TestWhatTheWindowCanNotHoldIsTypedAfterTheDetails(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{deaf: true, bot: typingAbove(1)})
	d, other := h.tenant.Device(mdesim.NameHost), h.tenant.Device(mdesim.NameVIP)
	r := h.planned(t, approvals.Plan{
		Tenant: mdesim.DefaultTenantID, Tool: "isolate_devices", Risk: approvals.RiskContain, Args: []byte(`{}`), Reason: strings.Repeat("long ", 2000),
		Targets: []approvals.Target{{ID: d.ID, Kind: "device", Name: "a"}, {ID: other.ID, Kind: "device", Name: "b"}},
		Steps:   []approvals.Step{{Action: "isolate", Target: d.ID, Summary: "a"}, {Action: "isolate", Target: other.ID, Summary: "b"}}, Preview: "Isolate both",
	})
	_, err := h.notifier(t).Notify(t.Context(), r.ID)
	require.NoError(t, err)
	card := h.card(t, "does not hold everything")
	h.press(t, slacksim.Bob, card, "Details")
	view := h.modal(t, slacksim.Bob)
	require.Equal(t, cards.ViewDetails, view.CallbackID)
	require.NotNil(t, view.Submit)
	require.Contains(t, h.typeInto(t, slacksim.Bob, "3").Errors[cards.BlockTyped], "type how many")
	require.Empty(t, h.state(t, r.ID).Votes)

	_, err = h.Click(t.Context(), slacksim.Bob, card.Channel, card.TS, "Approve")
	require.Error(t, err, "a card that was cut has no yes")
	forged := card // as if its card had one
	p, err := h.ClickPayload(slacksim.Carol, forged, "Details")
	require.NoError(t, err)
	p["actions"].([]any)[0].(slacksim.Payload)["action_id"] = cards.ActionApprove
	_, err = h.Send(t.Context(), slacksim.Interactive, p)
	require.NoError(t, err)
	require.Equal(t, cards.ViewDetails, h.modal(t, slacksim.Carol).CallbackID, "the window would have been cut")
	require.Empty(t, h.state(t, r.ID).Votes)

	require.Empty(t, h.typeInto(t, slacksim.Bob, "2").Errors)
	h.told(t, slacksim.Bob, "counted")
	require.Equal(t, approvals.Approved, h.state(t, r.ID).State)
}

func TestTheWindowIsForThoseWhoMayRead(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{deaf: true})
	card, id := h.destroy(t)
	const frank = "U0FRANK"
	h.AddUser(slacksim.User{ID: frank, Name: "frank", RealName: "Frank Fox", Email: "frank@example.com", EmailConfirmed: true})
	h.AddChannel(slacksim.Security, "security", slacksim.Alice, slacksim.Bob, slacksim.Carol, frank)
	h.press(t, frank, card, "Approve")
	h.told(t, frank, "Only responders and the approvers")
	require.Empty(t, h.Views(frank))

	h.press(t, slacksim.Alice, card, "Approve")
	out := h.typeInto(t, slacksim.Alice, h.state(t, id).Plan.Targets[0].Name)
	require.Contains(t, out.Errors[cards.BlockTyped], "someone else must approve")

	h.press(t, slacksim.Bob, card, "Approve")
	h.press(t, slacksim.Carol, card, "Deny")
	_, err := h.Submit(t.Context(), slacksim.Carol, h.modal(t, slacksim.Carol).ID, map[string]string{"mde_reason": "no"})
	require.NoError(t, err)
	out = h.typeInto(t, slacksim.Bob, h.state(t, id).Plan.Targets[0].Name)
	require.Contains(t, out.Errors[cards.BlockTyped], "already denied", "what was decided while the window was open")
	_, err = h.ClickStale(t.Context(), slacksim.Carol, card, "Approve")
	require.NoError(t, err)
	h.told(t, slacksim.Carol, "is denied; nothing was counted")
	require.Equal(t, approvals.Denied, h.state(t, id).State)
}

func TestANegativeSizeIsRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{idle: true, deaf: true, bot: typingAbove(-1)})
	_, err := slackbot.New(h.options)
	require.ErrorContains(t, err, "-1")
}
