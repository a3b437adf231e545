package attacks_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/gate"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/tools"
)

// glassRules let alice, by her Slack name, isolate without other people's yes.
const glassRules = `rules:
- {name: one, tools: [isolate_devices], outcome: approve, count: 1}
break_glass: {people: [` + slacksim.Alice + `], tools: [isolate_devices]}
`

func listAll() store.Filter { return store.Filter{} }

// glass opens the dialog for a device, as a person.
func (h *house) glass(user, device string) slacksim.View {
	h.t.Helper()
	require.Contains(h.t, h.typed(user, "break-glass "+device+" because C2"), "break-glass window is open")
	views := h.Views(user)
	require.NotEmpty(h.t, views)
	return views[len(views)-1]
}

func (h *house) submitGlass(user string, v slacksim.View, device string) slacksim.Outcome {
	h.t.Helper()
	out, err := h.Submit(h.t.Context(), user, v.ID, map[string]string{"mde_glass_device": device, "mde_reason": "C2"})
	require.NoError(h.t, err)
	return out
}

func TestBreakGlassByWhoIsNotListed(t *testing.T) {
	t.Parallel()
	h := open(t, plan{policy: glassRules})
	v := h.glass(slacksim.Bob, mdesim.NameHost)
	before := h.head()
	require.NotEmpty(t, h.submitGlass(slacksim.Bob, v, mdesim.NameHost).Errors)
	h.refused(before, bob, "break-glass")

	u := h.user(slacksim.Bob) // nor by taking the address of somebody who is
	u.Email = alice
	h.AddUser(u)
	before = h.head()
	require.NotEmpty(t, h.submitGlass(slacksim.Bob, v, mdesim.NameHost).Errors)
	h.refused(before, alice, "break-glass")
	h.sent(0)
	h.sound()
}

// Alice's dialog is submitted by somebody else, under her id from another workspace, or with its metadata rewritten.
func TestAForgedBreakGlassSubmission(t *testing.T) {
	t.Parallel()
	h := open(t, plan{policy: strings.Replace(glassRules, slacksim.Alice, slacksim.Alice+", "+slacksim.Bob, 1)})
	v := h.glass(slacksim.Alice, mdesim.NameHost)
	_, card := h.asked(mdesim.NameLinux)
	view := func(metadata string) slacksim.Payload {
		value := func(block, text string) slacksim.Payload {
			return slacksim.Payload{block + "_text": slacksim.Payload{"type": "plain_text_input", "value": text}}
		}
		return slacksim.Payload{
			"id": v.ID, "type": "modal", "callback_id": "mde_glass_view", "private_metadata": metadata,
			"state": slacksim.Payload{"values": slacksim.Payload{
				"mde_glass_device": value("mde_glass_device", mdesim.NameHost), "mde_reason": value("mde_reason", "C2"),
			}},
		}
	}
	metadata := v.PrivateMetadata
	require.Contains(t, metadata, slacksim.Alice)
	vip := strings.ReplaceAll(metadata, h.tenant.Device(mdesim.NameHost).ID, h.tenant.Device(mdesim.NameVIP).ID)
	here := slacksim.DefaultTeamID
	for _, c := range []struct{ user, team, metadata, actor, says string }{
		// listed as well, but it is alice's dialog
		{slacksim.Bob, "", metadata, approvals.SlackAlias(here, slacksim.Bob), "opened by somebody else"},
		{slacksim.Alice, "", vip, alice, "the device changed"},
		{slacksim.Alice, "", "{}", "", ""}, // no submission of this dialog at all
		{slacksim.Alice, "T0ELSEWHERE", metadata, approvals.SlackAlias("T0ELSEWHERE", slacksim.Alice), "another workspace"},
	} {
		before := h.head()
		p, err := h.ClickPayload(c.user, card, "Details")
		require.NoError(t, err)
		p["type"], p["view"] = "view_submission", view(c.metadata)
		if c.team != "" {
			foreign(p, c.team)
		}
		_, err = h.Send(t.Context(), slacksim.Interactive, p)
		require.NoError(t, err)
		if c.says != "" {
			h.refused(before, c.actor, c.says)
		}
	}
	h.sent(0)
	h.sound()
}

// The program's other faces have no way to say that it is an emergency, and no answer of policy makes a submission one.
func TestBreakGlassOverMCPAndTheShell(t *testing.T) {
	t.Parallel()
	h := open(t, plan{policy: glassRules, silent: true})
	for _, via := range []approvals.Via{approvals.ViaMCP, approvals.ViaShell} {
		who := by(via, alice, true)
		who.Aliases = []string{approvals.SlackAlias(slacksim.DefaultTeamID, slacksim.Alice)}
		for _, args := range []string{
			`{"devices":["` + mdesim.NameHost + `"],"reason":"C2","break_glass":true}`,
			`{"devices":["` + mdesim.NameHost + `"],"reason":"C2","emergency":"` + mdesim.NameHost + `"}`,
		} {
			_, err := h.call("isolate_devices", args, who)
			require.Equal(t, approvals.KindInvalid, approvals.KindOf(err))
		}
		for _, tool := range []string{"break_glass", "break-glass", "breakglass"} {
			_, err := h.call(tool, `{"device":"`+mdesim.NameHost+`"}`, who)
			require.Error(t, err)
		}
	}
	// A policy that answers with an emergency to an ordinary question makes none either.
	g, err := gate.New(gate.Options{Store: h.db, Policy: alwaysGlass{h.policy}, Tools: facts(t), Clock: h.clock.Now})
	require.NoError(t, err)
	t.Cleanup(g.Close)
	before := h.head()
	_, err = h.newDispatcher(g).Call(t.Context(), callOf("isolate_devices", map[string]any{"devices": []string{mdesim.NameHost}, "reason": "C2"}))
	require.Error(t, err)
	h.refused(before, alice, "only declared in the Slack dialog")
	h.sent(0)
	h.sound()
}

// alwaysGlass is a broken policy.
type alwaysGlass struct{ approvals.Policy }

func (p alwaysGlass) Decide(c approvals.Call) approvals.Decision {
	d := p.Policy.Decide(c)
	if c.Risk == approvals.RiskRead {
		return d
	}
	d.Outcome, d.Quorum, d.Terms = approvals.Confirm, approvals.Quorum{}, approvals.Terms{BreakGlass: true}
	return d
}

func callOf(tool string, args map[string]any) tools.Call {
	b, _ := json.Marshal(args)
	return tools.Call{Tool: tool, Args: b, Requester: by(approvals.ViaMCP, alice, true)}
}

// A row that says that it was made by breaking the glass, with a vote that no dialog made.
func TestABreakGlassRowWrittenIntoTheDatabase(t *testing.T) {
	t.Parallel()
	h := open(t, plan{policy: glassRules})
	id, _ := h.asked(mdesim.NameHost)
	r := h.state(id)
	r.Outcome, r.Rule, r.Quorum, r.Terms = approvals.Confirm, "break-glass", nil, approvals.Terms{BreakGlass: true}
	h.reseal(r)
	before := h.head()
	_, err := h.box.Cast(context.Background(), ballotOf(h.state(id), r.Requester.Person, approvals.VerdictConfirm))
	require.ErrorContains(t, err, "only the dialog")
	h.refused(before, alice, "only the dialog")
	h.sent(0)
}
