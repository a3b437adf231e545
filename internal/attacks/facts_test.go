package attacks_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/gate"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/tools"
)

func aliceInSlack() approvals.Requester {
	return approvals.Requester{Verified: true, Via: approvals.ViaSlack, Person: approvals.Person{
		ID: alice, Aliases: []string{approvals.SlackAlias(slacksim.DefaultTeamID, slacksim.Alice)},
	}}
}

func (h *house) planned(tool, args string) approvals.Plan {
	h.t.Helper()
	p, err := h.dispatcher.Plan(h.t.Context(), tools.Call{Tool: tool, Args: []byte(args), Requester: aliceInSlack()})
	require.NoError(h.t, err)
	return p
}

// A taken-over mde-mcp says itself what a device is: which tags it has, what it is called, whether it is one at all.
func TestFactsThatWhoAsksInventedAreLookedUp(t *testing.T) {
	t.Parallel()
	for name, lie := range map[string]func(p *approvals.Plan, name string){
		"its tags":                 func(*approvals.Plan, string) {},
		"its tags, by its name":    func(p *approvals.Plan, name string) { p.Targets[0].Name = name },
		"what kind of thing it is": func(p *approvals.Plan, name string) { p.Targets[0].Name, p.Targets[0].Kind = name, "request" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t, plan{policy: tierZero})
			p := h.disguised()
			lie(&p, h.tenant.Device("dc01").ComputerDNSName)
			r, err := h.gate.Submit(t.Context(), gate.Submission{Plan: p, Requester: approvals.Requester{
				Person: approvals.Person{ID: "agent@example.com"}, Via: approvals.ViaMCP, Agent: "x",
			}})
			require.NoError(t, err)
			h.work(r.ID)
			h.sent(0)
			require.Equal(t, approvals.Cancelled, h.state(r.ID).State)
		})
	}
}

// tierZero lets everybody act on what has the tag lab, and nobody on what has the tag tier-0.
const tierZero = `protect:
- {name: tier-0, tags: [tier-0], then: deny}
rules:
- {name: labs are free, tools: [isolate_devices], only_tags: [lab], outcome: allow}
`

// disguised is the plan to isolate the domain controller, as if it was a device of the lab with another name.
func (h *house) disguised() approvals.Plan {
	h.t.Helper()
	p := h.planned("isolate_devices", `{"devices":["`+mdesim.NameHost+`"],"reason":"x"}`)
	dc := strings.ToLower(h.tenant.Device("dc01").ID)
	p.Targets[0].ID, p.Steps[0].Target, p.Targets[0].Tags = dc, dc, []string{"lab"}
	return p
}

// The columns by which the blast radius is counted are no part of the digest; mde-mcp writes them.
func TestARequestCountedAsAnotherToolSendsNothing(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		h := open(t, plan{url: url, policy: `limits:
  blast_radius:
  - {risks: [contain], window: 1h, targets: 1, then: deny}
`})
		id, card := h.asked(mdesim.NameHost)
		h.write("UPDATE requests SET tool = '', risk = '' WHERE id = $1", id)
		h.pressed(slacksim.Bob, card, "Approve")
		h.work(id)
		h.sent(0)
		require.Contains(t, h.state(id).Message, "is counted as one of")
	})
}

// Whoever may isolate a protected device for 15 minutes does not keep it isolated for a week with fewer.
func TestAnExtensionNeedsWhatTheIsolationNeeded(t *testing.T) {
	t.Parallel()
	h := open(t, plan{policy: `protect:
- {name: the host, devices: [` + mdesim.NameHost + `], then: {count: 2, from: responders}}
rules:
- {name: hosts, tools: [isolate_devices, release_devices], outcome: approve, count: 1}
`})
	p := h.planned("isolate_devices", `{"devices":["`+mdesim.NameHost+`"],"for":"15m","reason":"x"}`)
	a, err := h.gate.Answer(t.Context(), p, aliceInSlack())
	require.NoError(t, err)
	require.Len(t, a.Quorums(), 2, "on-call, and two responders")

	r, err := h.gate.Submit(t.Context(), gate.Submission{Plan: p, Requester: approvals.Requester{
		Verified: true, Via: approvals.ViaSlack, Person: approvals.Person{
			ID: "carol@example.com", Aliases: []string{approvals.SlackAlias(slacksim.DefaultTeamID, slacksim.Carol)},
		},
	}})
	require.NoError(t, err)
	h.pressed(slacksim.Bob, h.card(r.ID), "Approve")
	h.pressed(slacksim.Alice, h.card(r.ID), "Approve")
	require.Equal(t, approvals.Succeeded, h.settle(r.ID).State, h.state(r.ID).Message)

	x := h.planned("extend_timebox", `{"id":"`+r.ID+`","for":"168h","reason":"x"}`)
	a, err = h.gate.Answer(t.Context(), x, aliceInSlack())
	require.NoError(t, err)
	require.Len(t, a.Quorums(), 2, "%+v", a)
}

// To go on with a fleet needs no less than to begin it, also when it has a time-box.
func TestToGoOnWithATimeBoxNeedsWhatItNeeded(t *testing.T) {
	t.Parallel()
	h := open(t, plan{policy: `rules:
- {name: releases, tools: [release_devices], outcome: approve, count: 2, from: responders}
`})
	p := h.planned("isolate_devices", `{"devices":["`+mdesim.NameHost+`","`+mdesim.NameVIP+`"],"for":"4h","reason":"x"}`)
	began, err := h.gate.Answer(t.Context(), p, aliceInSlack())
	require.NoError(t, err)
	r := approvals.Request{ID: "AAAAAAAA", Plan: p, State: approvals.Running, Steps: []approvals.StepStatus{
		{State: approvals.StepFailed}, {Index: 1, State: approvals.StepWaiting},
	}}
	again, err := control.ResumePlan(r)
	require.NoError(t, err)
	goOn, err := h.gate.Answer(t.Context(), again, aliceInSlack())
	require.NoError(t, err)
	require.Len(t, goOn.Quorums(), len(began.Quorums()), "%+v", goOn.Quorums())
}

// A device that is protected by its name is protected from a cancellation of its isolation too.
func TestAProtectedDeviceIsProtectedFromCancellations(t *testing.T) {
	t.Parallel()
	h := open(t, plan{tenant: func(tn *mdesim.Tenant) { tn.ActionPending, tn.ActionRunning = time.Hour, time.Hour }, policy: `protect:
- {name: the host, devices: [` + mdesim.NameHost + `], then: deny}
rules:
- {name: cancellations, tools: [cancel_action], outcome: approve, count: 1}
`})
	a, err := h.writer.IsolateMachine(t.Context(), h.tenant.Device(mdesim.NameHost).ID, mdecore.IsolateRequest{Comment: "by hand", IsolationType: mdecore.IsolationFull})
	require.NoError(t, err)
	p := h.planned("cancel_action", `{"action_id":"`+a.ID+`","foreign":true,"reason":"x"}`)
	d, err := h.gate.Answer(t.Context(), p, aliceInSlack())
	require.NoError(t, err)
	require.Equal(t, approvals.Deny, d.Outcome, "%+v", d)

	p.Resumes = nil // a taken-over mde-mcp says nothing of the device
	r, err := h.gate.Submit(t.Context(), gate.Submission{Plan: p, Requester: aliceInSlack()})
	require.NoError(t, err)
	h.pressed(slacksim.Bob, h.card(r.ID), "Approve")
	h.work(r.ID)
	h.sent(1)
	require.Equal(t, approvals.Cancelled, h.state(r.ID).State)
}
