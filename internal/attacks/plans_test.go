package attacks_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/gate"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// planOn is a plan to isolate so many devices.
func planOn(n int) approvals.Plan {
	p := approvals.Plan{
		Tenant: mdesim.DefaultTenantID, Tool: "isolate_devices", Risk: approvals.RiskContain, Reason: "C2",
		Args: json.RawMessage(`{}`), Preview: "isolate many",
	}
	for i := range n {
		id := fmt.Sprintf("%040x", i+1)
		p.Targets = append(p.Targets, approvals.Target{ID: id, Kind: "device", Name: "host" + id})
		p.Steps = append(p.Steps, approvals.Step{Action: "isolate", Target: id, Args: json.RawMessage(`{"IsolationType":"Full"}`), Summary: "isolate"})
	}
	return p
}

func TestAnOversizePlan(t *testing.T) {
	t.Parallel()
	h := open(t, plan{})
	names := make([]string, 101)
	for i := range names {
		names[i] = fmt.Sprintf("nobody%03d.contoso.com", i)
	}
	asked := h.tenant.Requests()
	args, err := json.Marshal(map[string]any{"devices": names, "reason": "C2"})
	require.NoError(t, err)
	_, err = h.call("isolate_devices", string(args), by(approvals.ViaMCP, alice, true))
	require.Equal(t, approvals.KindInvalid, approvals.KindOf(err), "the tool")
	require.Equal(t, asked, h.tenant.Requests(), "nobody even looks a hundred devices up")

	for n, want := range map[int]string{101: "more than the 100 that one call may have", 1001: "more than 1000"} {
		before := h.head()
		_, err = h.gate.Submit(t.Context(), gate.Submission{Plan: planOn(n), Requester: by(approvals.ViaMCP, alice, true)})
		require.ErrorContains(t, err, want)
		h.refused(before, alice, want)
	}

	id, card := h.asked(mdesim.NameHost) // and one that grew in the database
	r := h.state(id)
	r.Plan.Targets, r.Plan.Steps = planOn(101).Targets, planOn(101).Steps
	h.reseal(r)
	before := h.head()
	h.pressed(slacksim.Bob, card, "Approve")
	h.refused(before, bob, "")
	h.sent(0)
}

// A name that looks like another one is not that one: it finds its own device or none, and the card says what it is.
func TestLookAlikeNamesFindNoOtherDevice(t *testing.T) {
	t.Parallel()
	h := open(t, plan{})
	host := h.tenant.Device(mdesim.NameHost)
	for name, typed := range map[string]string{
		"Cyrillic o":         strings.Replace(mdesim.NameHost, "o", "\u043e", 1),
		"long s":             strings.Replace(mdesim.NameHost, "s", "\u017f", 1),
		"full width":         strings.Replace(mdesim.NameHost, "h", "\uff48", 1),
		"right to left":      "\u202e" + mdesim.NameHost,
		"soft hyphen":        strings.Replace(mdesim.NameHost, "01", "\u00ad01", 1),
		"combining":          strings.Replace(mdesim.NameHost, "o", "o\u0301", 1),
		"full stop of CJK":   strings.Replace(mdesim.NameHost, ".", "\u3002", 1),
		"zero-width joiner":  strings.Replace(mdesim.NameHost, "ho", "h\u200do", 1),
		"Kelvin and company": strings.Replace(mdesim.NameHost, "contoso", "conto\u017fo", 1),
	} {
		args, err := json.Marshal(map[string]any{"devices": []string{typed}, "reason": "C2"})
		require.NoError(t, err)
		_, err = h.call("isolate_devices", string(args), by(approvals.ViaMCP, alice, true))
		require.Error(t, err, name)
	}
	_, err := h.call("isolate_devices", encoded(t, map[string]any{"devices": []string{mdesim.NameLookalike}, "reason": "C2"}), by(approvals.ViaMCP, alice, true))
	require.Error(t, err, "by its name nobody can mean it")
	like := h.tenant.Device(mdesim.NameLookalike) // a device of its own, that is named by its id
	require.NotEqual(t, host.ID, like.ID)
	look := h.state(h.isolation(like.ID, by(approvals.ViaMCP, alice, true)))
	require.Equal(t, like.ID, look.Plan.Targets[0].ID)
	require.Contains(t, shown(h.card(look.ID)), like.ID)
	require.NotEmpty(t, look.Plan.Warnings, "people are told that the name is not what it looks like")
	id, card := h.asked(mdesim.NameHost)
	require.Equal(t, host.ID, h.state(id).Plan.Targets[0].ID)
	require.Contains(t, shown(card), host.ID)
	h.pressed(slacksim.Bob, card, "Approve")
	h.settle(id)
	require.Equal(t, host.ID, h.tenant.Effects()[0].MachineID)
	h.sent(1)
	h.sound()
}
