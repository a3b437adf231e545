package demo

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/slackbot/cards"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// The gate's longer ways, with an assistant over MCP and people in Slack, on everything that production runs.

// gatePolicy has waves and an emergency way.
const gatePolicy = `version: 1
groups:
  oncall: {slack: ` + slacksim.OnCall + `}
defaults:
  from: oncall
  waves: {width: 2, stop_over: 20, wait: 10m}
break_glass:
  people: [` + slacksim.Alice + `]
  tools: [isolate_devices]
  tell: [oncall]
`

func gateStory(t *testing.T) *story {
	t.Helper()
	h, err := furnish(t.Context(), Options{StepLimit: patience}, gatePolicy)
	require.NoError(t, err)
	t.Cleanup(h.close)
	s := &story{house: h, screen: newScreen(new(bytes.Buffer), h.workspace.DisplayName)}
	s.assistant, err = newAssistant(t.Context(), h.url, h.token, s.screen)
	require.NoError(t, err)
	t.Cleanup(s.assistant.close)
	return s
}

// isolates lets the assistant ask to isolate devices, and returns the request's id.
func (s *story) isolates(t *testing.T, args map[string]any) string {
	t.Helper()
	ans, err := s.assistant.call(t.Context(), "isolate_devices", args)
	require.NoError(t, err)
	require.NoError(t, ans.must())
	id, err := ans.str("request_id")
	require.NoError(t, err)
	return id
}

// asked is what get_request answers the assistant.
func (s *story) asked(t *testing.T, id string) map[string]any {
	t.Helper()
	ans, err := s.assistant.call(t.Context(), "get_request", map[string]any{"id": id})
	require.NoError(t, err)
	require.NoError(t, ans.must())
	return ans.data
}

// approves presses Approve on a request's card.
func (s *story) approves(t *testing.T, user, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	place := s.noted(t, id)
	card, err := s.cardOf(ctx, id, func(m slacksim.Message) bool {
		return m.TS == place && len(m.Buttons()) > 0 && m.Buttons()[0].ActionID == cards.ActionApprove
	})
	require.NoError(t, err)
	require.NoError(t, s.patient().Press(ctx, user, slacksim.Security, card.TS, "Approve"))
	r, err := s.mcp.Gate.Get(ctx, id)
	require.NoError(t, err)
	on := r.Plan.Targets
	if r.Plan.Resumes != nil {
		on = r.Plan.Resumes.Targets
	}
	switch {
	case len(on) > cards.LargePlan:
		require.NoError(t, s.confirms(ctx, user, strconv.Itoa(len(on))))
	case cards.Destructive(r.Plan):
		require.NoError(t, s.confirms(ctx, user, on[0].Name))
	}
}

// noted is the card that the bot knows as a request's own, which it does a moment after Slack shows it. A clock that is set
// forward before lets the bot take the post for one that was given up, and post another.
func (s *story) noted(t *testing.T, id string) (place string) {
	t.Helper()
	until(t, "the place of the card of "+id+" is stored", func() bool {
		m, _, err := s.bot.Store.Message(t.Context(), id, cardKey)
		place = m.TS
		return err == nil && place != ""
	})
	return place
}

// until waits for a condition, looking from the test's own goroutine.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(limit) {
			t.Fatalf("it did not come to this in %v: %s", patience, what)
		}
	}
}

// patience is how long a machine that does much else may take for one thing.
const patience = slower * 30 * time.Second

func (s *story) ends(t *testing.T, id string) approvals.Request {
	t.Helper()
	r, err := s.mcp.Gate.Wait(t.Context(), id, func(r approvals.Request) bool { return r.State.Terminal() }, patience)
	require.NoError(t, err)
	require.True(t, r.State.Terminal(), "request %s is still %s: %s", id, r.State, r.Message)
	return r
}

// pending is the only request of a tool that waits.
func (s *story) pending(t *testing.T, tool string) approvals.Request {
	t.Helper()
	var found []approvals.Request
	until(t, "one request of "+tool+" waits", func() bool {
		all, err := s.mcp.Gate.List(t.Context(), store.Filter{States: []approvals.State{approvals.Pending}})
		require.NoError(t, err)
		found = slices.DeleteFunc(all, func(r approvals.Request) bool { return r.Plan.Tool != tool })
		return len(found) == 1
	})
	return found[0]
}

// shows waits until a request's card has a text.
func (s *story) shows(t *testing.T, id, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err := s.cardOf(ctx, id, func(m slacksim.Message) bool {
		return strings.Contains(slacksim.RenderText(m, slacksim.RenderOptions{Width: 500}), text)
	})
	if err != nil {
		card, _ := s.cardOf(t.Context(), id, func(slacksim.Message) bool { return true })
		t.Fatalf("the card of %s does not say %q: %v\n%s", id, text, err, slacksim.RenderText(card, slacksim.RenderOptions{Width: 120}))
	}
}

func (s *story) verified(t *testing.T) {
	t.Helper()
	report, err := s.mcp.Gate.VerifyAudit(t.Context())
	require.NoError(t, err)
	require.Empty(t, report.Faults)
}

func TestAFleetIsPausedGoesOnAndIsUndone(t *testing.T) {
	s := gateStory(t)
	s.tenant.FailingDevices = []string{"host04.contoso.com"}
	fleet := s.isolates(t, map[string]any{"devices": []string{"host02", "host03", "host04", "host05", "host06"}, "reason": "ransomware"})
	s.approves(t, slacksim.Bob, fleet)
	question := s.pending(t, approvals.ToolResume)
	s.shows(t, fleet, "Paused: isolate devices")
	var view, progress map[string]any
	until(t, "the request says who is asked", func() bool { // the question is there a moment before the request says which it is
		view = s.asked(t, fleet)
		progress = view["progress"].(map[string]any)
		paused, _ := progress["paused"].(map[string]any)
		return paused["asks"] == question.ID
	})
	require.EqualValues(t, 2, progress["wave"])
	require.EqualValues(t, 3, progress["waves"])
	require.EqualValues(t, 1, progress["waiting"])
	require.Contains(t, view["next"], "Request "+question.ID+" asks people in Slack whether to go on")
	require.Equal(t, 4, s.tenant.Writes(), "the third wave stays")

	s.approves(t, slacksim.Carol, question.ID)
	r := s.ends(t, fleet)
	require.Equal(t, approvals.Partial, r.State, r.Message)
	s.shows(t, fleet, "Partly done: isolate devices")
	require.Equal(t, 5, s.tenant.Writes())

	told, err := s.types(t.Context(), slacksim.Alice, "undo "+fleet+" because it was a drill")
	require.NoError(t, err)
	undo := s.pending(t, "release_devices")
	require.Len(t, undo.Plan.Steps, 4, "%s", told)
	s.approves(t, slacksim.Bob, undo.ID)
	require.Equal(t, approvals.Succeeded, s.ends(t, undo.ID).State)
	require.Equal(t, 9, s.tenant.Writes())
	ans, err := s.assistant.call(t.Context(), "undo_request", map[string]any{"id": fleet, "reason": "again"})
	require.NoError(t, err)
	require.True(t, ans.refused)
	require.Contains(t, ans.text, "nothing of request "+fleet+" is left to take back")
	s.verified(t)
}

func TestTheGlassIsBrokenInSlackOnly(t *testing.T) {
	t.Parallel()
	s := gateStory(t)
	open := func(user string) slacksim.View {
		_, err := s.workspace.Command(t.Context(), user, slacksim.Security, "/mde", "break-glass "+mdesim.NameHost+" because the C2 is live")
		require.NoError(t, err)
		var v slacksim.View
		require.NoError(t, s.workspace.WaitFor(t.Context(), func(snap slacksim.Snapshot) bool {
			i := slices.IndexFunc(snap.Views[user], func(v slacksim.View) bool { return v.Submit != nil })
			if i >= 0 {
				v = snap.Views[user][i]
			}
			return i >= 0
		}))
		return v
	}
	submit := func(user string, v slacksim.View, text string) slacksim.Outcome {
		values, err := fields(v, text)
		require.NoError(t, err)
		out, err := s.workspace.Submit(t.Context(), user, v.ID, values)
		require.NoError(t, err)
		return out
	}
	v := open(slacksim.Bob)
	require.NotEmpty(t, submit(slacksim.Bob, v, mdesim.NameHost+" | me too").Errors, "policy does not name him")
	v = open(slacksim.Alice)
	require.NotEmpty(t, submit(slacksim.Alice, v, "host02.contoso.com | the C2 is live").Errors, "not the device's name")
	require.Zero(t, s.tenant.Writes())
	require.Empty(t, submit(slacksim.Alice, v, mdesim.NameHost+" | the C2 is live").Errors)

	all, err := s.mcp.Gate.List(t.Context(), store.Filter{})
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, approvals.Succeeded, s.ends(t, all[0].ID).State)
	s.shows(t, all[0].ID, "BREAK-GLASS · Done: isolate devices")
	require.Equal(t, 1, s.tenant.Writes())
	require.True(t, s.tenant.Isolated(s.tenant.Device("host01").ID))

	// The assistant of the same person has no such way.
	other := s.isolates(t, map[string]any{"devices": []string{"host02"}, "reason": "break-glass: the C2 is live"})
	require.Equal(t, "pending_approval", s.asked(t, other)["status"])
	require.Equal(t, 1, s.tenant.Writes())
	s.verified(t)
}

func TestTheSameAskedTwiceIsOneRequestThatNeitherApproves(t *testing.T) {
	t.Parallel()
	s := gateStory(t)
	id := s.isolates(t, map[string]any{"devices": []string{"host01"}, "reason": "beaconing"})
	require.Equal(t, id, s.isolates(t, map[string]any{"devices": []string{"host01.contoso.com"}, "reason": "asked again"}))
	told, err := s.types(t.Context(), slacksim.Bob, "isolate host01 because beaconing")
	require.NoError(t, err)
	require.Contains(t, told, id)
	s.shows(t, id, "Also asked for by")

	before := len(s.workspace.Ephemerals(slacksim.Bob))
	s.approves(t, slacksim.Bob, id)
	require.NoError(t, s.workspace.WaitFor(t.Context(), func(snap slacksim.Snapshot) bool { return len(snap.Ephemerals[slacksim.Bob]) > before }))
	r, err := s.mcp.Gate.Get(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, approvals.Pending, r.State)
	require.Empty(t, r.Votes)
	s.approves(t, slacksim.Carol, id)
	require.Equal(t, approvals.Succeeded, s.ends(t, id).State)
	require.Equal(t, 1, s.tenant.Writes())
	s.verified(t)
}

func TestAStopHoldsAFleetBetweenItsWavesUntilTwoLiftIt(t *testing.T) {
	s := gateStory(t)
	const takes = 10 * time.Minute // by the demo's clock, so that no wave ends before its time
	s.tenant.ActionRunning = takes
	fleet := s.isolates(t, map[string]any{"devices": []string{"host02", "host03", "host04"}, "reason": "ransomware", "for": "15m"})
	waiting := s.isolates(t, map[string]any{"devices": []string{"host07"}, "reason": "ransomware"})
	s.approves(t, slacksim.Bob, fleet)
	until(t, "the first wave is sent", func() bool { return s.tenant.Writes() >= 2 })
	_, err := s.types(t.Context(), slacksim.Bob, "stop response because the wrong fleet")
	require.NoError(t, err)
	require.Equal(t, approvals.Cancelled, s.ends(t, waiting).State)
	require.Equal(t, "stopped", s.asked(t, waiting)["ended_by"])
	s.shows(t, fleet, "Held: isolate devices")
	s.clock.forward(takes + time.Minute)
	until(t, "what was sent is followed", func() bool {
		return s.asked(t, fleet)["progress"].(map[string]any)["succeeded"] == 2.0
	})
	view := s.asked(t, fleet)
	require.Contains(t, view["next"], "Held: the toolset response is stopped")
	who, err := s.assistant.call(t.Context(), "whoami", map[string]any{"tool": "isolate_devices"})
	require.NoError(t, err)
	require.Contains(t, who.text, "/mde lift response")
	lists, err := s.assistant.call(t.Context(), "list_requests", map[string]any{"state": "running"})
	require.NoError(t, err)
	require.Contains(t, lists.text, fmt.Sprintf("%s running, held", fleet))
	require.Equal(t, 2, s.tenant.Writes())

	// The assistant isn't even offered to lift it; a person in Slack is, and two others agree.
	_, err = s.assistant.call(t.Context(), approvals.ToolLift, map[string]any{"scope": "response", "reason": "please"})
	require.ErrorContains(t, err, "not found")
	_, err = s.types(t.Context(), slacksim.Alice, "lift response because it was the right fleet")
	require.NoError(t, err)
	lift := s.pending(t, approvals.ToolLift)
	s.approves(t, slacksim.Bob, lift.ID)
	s.shows(t, lift.ID, "1 so far")
	require.Equal(t, 2, s.tenant.Writes())
	s.approves(t, slacksim.Carol, lift.ID)
	require.Equal(t, approvals.Succeeded, s.ends(t, lift.ID).State)
	until(t, "the second wave is sent", func() bool { return s.tenant.Writes() == 3 })
	s.clock.forward(takes + time.Minute)
	require.Equal(t, approvals.Succeeded, s.ends(t, fleet).State)

	// And all three are released when their time is over, by requests that nobody has to approve.
	s.clock.forward(15 * time.Minute)
	until(t, "all three are being released", func() bool { return len(s.tenant.Effects()) == 6 })
	s.clock.forward(takes + time.Minute)
	for _, host := range []string{"host02", "host03", "host04"} {
		until(t, host+" is released", func() bool { return !s.tenant.Isolated(s.tenant.Device(host).ID) })
	}
	require.Len(t, s.tenant.Effects(), 6)
	s.verified(t)
}
