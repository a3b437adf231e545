package cards

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

// fleet is a running request of n devices in waves, with steps in the given states and the others waiting.
func fleet(n int, states ...approvals.StepState) approvals.Request {
	r := sample()
	r.State, r.Terms.Wave = approvals.Running, approvals.Wave{Width: 2, StopOver: 20, Wait: 30 * time.Minute}
	base := r.Plan.Targets[0]
	r.Plan.Targets, r.Plan.Steps, r.Steps = nil, nil, nil
	for i := range n {
		d := base
		d.ID, d.Name = fmt.Sprintf("%040d", i), fmt.Sprintf("host%02d.contoso.com", i)
		r.Plan.Targets = append(r.Plan.Targets, d)
		r.Plan.Steps = append(r.Plan.Steps, approvals.Step{Action: "isolate", Target: d.ID, Summary: "isolate " + d.Name})
		s := approvals.StepStatus{Index: i, State: approvals.StepWaiting}
		if i < len(states) {
			s.State = states[i]
		}
		r.Steps = append(r.Steps, s)
	}
	return r
}

func TestFleetCardSaysHowFarItIs(t *testing.T) {
	t.Parallel()
	w := newWall(t)
	r := seal(t, fleet(7, approvals.StepSucceeded, approvals.StepFailed, approvals.StepAccepted, approvals.StepUnknown))
	shown := text(w.show(t, Card(r, Around{})))
	require.Contains(t, shown, "Progress: 1 of 7 succeeded, 1 failed, 1 unknown, 1 under way, 3 not sent")
	require.Contains(t, shown, "Wave 2 of 4, 2 at a time")
	require.Contains(t, shown, "Under way: isolate devices")

	one := sample()
	one.State = approvals.Running
	require.NotContains(t, text(w.show(t, Card(seal(t, one), Around{}))), "Progress")
}

func TestHeldAndPausedCardsSayByWhomSinceWhenAndWhy(t *testing.T) {
	t.Parallel()
	w := newWall(t)
	r := seal(t, fleet(4, approvals.StepSucceeded))
	at := time.Date(2026, 3, 1, 9, 5, 0, 0, time.UTC)
	stop := approvals.Stop{Scope: approvals.ScopeAll, Why: "drill <!channel>", Event: approvals.Event{Actor: "dave@example.com", At: at}}
	m := w.show(t, Card(r, Around{Stops: []approvals.Stop{stop}}))
	require.Contains(t, text(m), "Held: isolate devices")
	require.Contains(t, text(m), `everything is stopped since 2026-03-01 09:05 UTC by "dave@example.com", saying "drill <!channel>"`)
	require.Contains(t, text(m), "/mde lift all")
	require.Empty(t, m.Fires())

	m = w.show(t, Card(r, Around{Pause: "2 of 2 did not succeed", Resume: "WXYZ7890"}))
	require.Contains(t, text(m), "Paused: isolate devices")
	require.Contains(t, text(m), "2 of 2 did not succeed")
	require.Contains(t, text(m), "request WXYZ7890 asks them")
}

func TestCardSaysWhatApprovingIncludes(t *testing.T) {
	t.Parallel()
	w := newWall(t)
	r := fleet(5)
	r.State = approvals.Pending
	r.Plan.TimeBox = &approvals.TimeBox{For: 4 * time.Hour, Tool: "release_devices", Risk: approvals.RiskExpose}
	r.Terms.RemindAfter = 10 * time.Minute
	leads := approvals.Group{Name: "leads", Slack: "S2"}
	r.Quorum = []approvals.Quorum{{
		Count: 2, From: approvals.Group{Name: "on-call", Slack: "S1"}, Or: []approvals.Group{{Name: "it", People: []string{"x@example.com"}}}, Distinct: true,
		Then: []approvals.Escalation{{After: 20 * time.Minute, To: leads}},
	}}
	r.Attached = []approvals.Person{{ID: "erin@example.com", Name: "Erin"}}
	r = seal(t, r)
	shown := text(w.show(t, Card(r, Around{})))
	for _, want := range []string{
		"undone again 4 h after it succeeded (release_devices, risk expose)", "3 waves of 2", "or 30 min after it was sent", "more than 20 %",
		`Needs 2 people, each for another one of the groups "on-call" and "it", never the requester`,
		"reminded at 2026-03-01 09:10 UTC", `From 2026-03-01 09:20 UTC also members of group "leads" may approve`,
		`Also asked for by "Erin", erin@example.com`,
	} {
		require.Contains(t, shown, want)
	}
	require.Contains(t, details(r), "3 waves of 2", "the details leave nothing out that is approved")
	require.Contains(t, details(r), "4 h after it succeeded")

	r.Quorum[0].Distinct = false
	require.Contains(t, text(w.show(t, Card(seal(t, r), Around{}))), `2 of the groups "on-call" or "it"`)
}

func TestBothKindsOfYesAreOfferedWhenBothAreOpen(t *testing.T) {
	t.Parallel()
	w := newWall(t)
	r := seal(t, sample())
	m := w.show(t, Card(r, Around{Asks: approvals.Confirm}))
	require.Equal(t, []string{"Approve", "Confirm", "Deny", "Details", "Withdraw"}, labels(m))
	require.Contains(t, text(m), "Approval and confirmation needed")
	require.Equal(t, approvals.VerdictConfirm, YesFor(r, approvals.Confirm, r.Requester.Person).Verdict)
	require.Equal(t, approvals.VerdictApprove, YesFor(r, approvals.Confirm, approvals.Person{ID: "bob@example.com"}).Verdict)

	cutCard := w.show(t, PlainCard(r, Around{Asks: approvals.Confirm}))
	require.Equal(t, []string{"Deny", "Details", "Withdraw"}, labels(cutCard))
	require.Contains(t, text(cutCard), "Confirm button for the requester")

	r = sample()
	r.Outcome, r.Quorum = approvals.Confirm, nil
	require.Equal(t, []string{"Approve", "Confirm", "Deny", "Details", "Withdraw"}, labels(w.show(t, Card(seal(t, r), Around{Asks: approvals.Approve}))))
	r.State = approvals.Approved
	require.Equal(t, []string{"Details", "Withdraw"}, labels(w.show(t, Card(seal(t, r), Around{Asks: approvals.Approve}))))
}

func TestBreakGlassIsLoudAndOffersNothing(t *testing.T) {
	t.Parallel()
	w := newWall(t)
	r := sample()
	r.Outcome, r.Quorum, r.Terms.BreakGlass, r.Rule = approvals.Confirm, nil, true, "break-glass"
	tell := Around{Tell: []approvals.Group{{Name: "on-call", Slack: slacksim.OnCall}, {Name: "owners <!here>", People: []string{"x"}}}}
	for _, state := range approvals.States() {
		r.State = state
		r = seal(t, r)
		m := w.show(t, Card(r, tell))
		require.Contains(t, text(m), "BREAK-GLASS · ")
		require.Contains(t, text(m), "nobody else was asked")
		require.Contains(t, text(m), `For group "owners <!here>"`)
		for _, l := range labels(m) {
			require.Contains(t, []string{"Details", "Withdraw"}, l, "%s: nobody votes on it", state)
		}
		firesOnlyDates(t, m, slacksim.OnCall)
		require.Equal(t, slacksim.OnCall, m.Fires()[0].Target)
	}
}

func TestTimedOutDeniedAndNobodyCanApproveAreToldApart(t *testing.T) {
	t.Parallel()
	w := newWall(t)
	for want, set := range map[string]func(*approvals.Request){
		"Timed out: isolate devices": func(r *approvals.Request) { r.State, r.Message = approvals.Expired, "nobody decided in time" },
		"Denied: isolate devices":    func(r *approvals.Request) { r.State, r.Message = approvals.Denied, "denied by bob@example.com" },
		"Nobody can approve: isolate devices": func(r *approvals.Request) {
			r.State, r.Message = approvals.Cancelled, "nobody can approve: group on-call is empty"
		},
		"Cancelled: isolate devices": func(r *approvals.Request) { r.State, r.Message = approvals.Cancelled, "withdrawn by alice" },
	} {
		r := sample()
		set(&r)
		shown := text(w.show(t, Card(seal(t, r), Around{})))
		require.Contains(t, shown, want)
		require.Contains(t, shown, r.Message)
	}
}

func TestTimeBoxesShowWhatIsLeft(t *testing.T) {
	t.Parallel()
	w := newWall(t)
	r := fleet(3, approvals.StepSucceeded, approvals.StepSucceeded, approvals.StepSucceeded)
	r.State = approvals.Succeeded
	r = seal(t, r)
	due := time.Date(2026, 3, 1, 13, 0, 0, 0, time.UTC)
	a := Around{Boxes: []Box{
		{Step: 0, Due: due, State: "released", Child: "CHILD001"},
		{Step: 1, Due: due.Add(time.Hour), Open: true, State: "armed"},
		{Step: 2, Due: due.Add(2 * time.Hour), Open: true, State: "held", Trouble: "held", Note: "everything is stopped <!here>"},
	}}
	card := Card(r, a)
	m := w.show(t, card)
	require.Contains(t, string(m.RawBlocks), fmt.Sprintf(`date^%d^`, due.Add(time.Hour).Unix()), "Slack draws it in the reader's zone")
	for _, want := range []string{
		"2 of 3 still to be undone, the next 2026-03-01 14:00 UTC", `"host01.contoso.com": armed, due 2026-03-01 14:00 UTC`, "ended by request CHILD001",
		"held, due 2026-03-01 15:00 UTC, everything is stopped <!here>",
	} {
		require.Contains(t, text(m), want)
	}
	for _, e := range m.Fires() {
		require.Equal(t, slacksim.EntityDate, e.Kind)
	}
	r = sample()
	r.Parent = "PARENT01"
	require.Contains(t, text(w.show(t, Card(seal(t, r), Around{}))), "Ends the time-box of request PARENT01")

	r.State = approvals.Succeeded
	var many []Box
	for i := range 300 {
		many = append(many, Box{Step: i, Due: due, Open: true, State: "armed"})
	}
	require.Contains(t, text(w.show(t, Card(seal(t, r), Around{Boxes: many}))), "… and 280 more")
}

func TestMarkChangesWithWhatIsShownAndNotWithTime(t *testing.T) {
	t.Parallel()
	require.Empty(t, Around{Tell: []approvals.Group{{Name: "x"}}}.Mark(), "who is called never changes")
	seen := map[string]bool{}
	for _, a := range []Around{
		{Asks: approvals.Confirm},
		{Pause: "x"},
		{Pause: "x", Resume: "R"},
		{Boxes: []Box{{State: "armed"}}},
		{Boxes: []Box{{State: "released"}}},
		{Boxes: []Box{{State: "released", Child: "C"}}},
		{Stops: []approvals.Stop{{Scope: "all"}}},
		{Stops: []approvals.Stop{{Scope: "response"}}},
	} {
		require.NotEmpty(t, a.Mark())
		require.Equal(t, a.Mark(), a.Mark())
		require.False(t, seen[a.Mark()])
		seen[a.Mark()] = true
	}
}

func TestMentionsOnlyRealGroupIDs(t *testing.T) {
	t.Parallel()
	w := newWall(t)
	for _, bad := range []string{"S1> <!channel", "!here", "s0team", "U0BOB", "S", "", "S0TEAM|x", "S0TEAM\n", "S0TEAM^x"} {
		called, others := mentionable([]approvals.Group{{Name: "on-call <!channel>", Slack: bad}})
		require.Empty(t, called, "%q", bad)
		require.Len(t, others, 1)
	}
	r := sample()
	r.Quorum[0].From = approvals.Group{Name: "<!channel> <!subteam^S0EVIL>", Slack: "S1> <!channel"}
	r.Quorum[0].Then = []approvals.Escalation{{After: 20 * time.Minute, To: approvals.Group{Name: "*x* <@U0BOB>", Role: "Approver"}}}
	r.Terms.RemindAfter, r.Plan.Preview, r.Message = time.Minute, "<!everyone> preview", "<!here> waits"
	r = seal(t, r)
	list := Calls(r)
	require.Len(t, list, 2)
	for _, c := range list {
		m := w.show(t, Calling(r, c))
		for _, e := range m.Fires() {
			require.Equal(t, slacksim.EntityDate, e.Kind, "%v", e)
		}
		require.Contains(t, text(m), "<!everyone> preview")
	}
	r.Quorum[0].From.Slack = slacksim.OnCall
	m := w.show(t, Calling(r, Calls(seal(t, r))[0]))
	fired, _ := json.Marshal(m.Fires())
	require.Contains(t, string(fired), slacksim.OnCall)
}

func TestEscalationsAreListedOnceAndRemindersCallWhoMayVote(t *testing.T) {
	t.Parallel()
	r := sample()
	one, two := approvals.Group{Name: "one", Slack: "S1A"}, approvals.Group{Name: "two", Slack: "S2A"}
	then := []approvals.Escalation{{After: time.Minute, To: two}, {After: 10 * time.Minute, To: one}}
	r.Quorum = []approvals.Quorum{{Count: 1, From: one, Then: then}, {Count: 2, From: one, Or: []approvals.Group{two}, Then: then[:1]}}
	r.Terms.RemindAfter = 2 * time.Minute
	var keys []string
	for _, c := range Calls(r) {
		keys = append(keys, c.Key)
	}
	require.Equal(t, []string{"escalation:0", "reminder", "escalation:1"}, keys, "by their times")
	require.Equal(t, []approvals.Group{one, two}, Calls(r)[1].Groups)
	r.Terms.RemindAfter = 30 * time.Second
	r.Quorum = r.Quorum[:1]
	require.Equal(t, []approvals.Group{one}, Calls(r)[0].Groups, "whose time has not come is not called")
}

func TestSpansAreExact(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]time.Duration{
		"4 h": 4 * time.Hour, "1 h 30 min": 90 * time.Minute, "20 min": 20 * time.Minute, "45s": 45 * time.Second, "1m30s": 90 * time.Second, "0s": 0,
	} {
		require.Equal(t, want, span(d))
	}
}

func TestRequestToGoOnShowsWhatGoesOn(t *testing.T) {
	t.Parallel()
	w := newWall(t)
	r := sample()
	r.Plan.Tool = approvals.ToolResume
	r.Plan.Resumes = &approvals.Resumed{Tool: "isolate_devices", Risk: approvals.RiskContain, Args: []byte(`{"devices":["x"]}`), Targets: r.Plan.Targets}
	r.Plan.Targets = []approvals.Target{{ID: "PARENT01", Kind: "request", Name: "Isolate"}}
	r.Plan.Steps[0].Target = "PARENT01"
	r = seal(t, r)
	shown := text(w.show(t, Card(r, Around{})))
	require.Contains(t, shown, "About request PARENT01")
	require.Contains(t, shown, "What goes on: isolate devices, risk contain (1)")
	require.Contains(t, shown, r.Plan.Resumes.Targets[0].ID)
	require.Contains(t, details(r), r.Plan.Resumes.Targets[0].ID)
	require.Contains(t, details(r), `With {"devices":["x"]}`)
	for tool, heading := range map[string]string{
		approvals.ToolExtend: "What is undone later: isolate devices, risk contain (1)", "cancel_action": "What that is on: isolate devices, risk contain (1)",
	} {
		r.Plan.Tool = tool
		require.Contains(t, text(w.show(t, Card(seal(t, r), Around{}))), heading)
	}
	r.Plan.Tool = approvals.ToolResume
	r.Plan.Resumes.Tool = "*bold* <!channel>"
	m := w.show(t, Card(seal(t, r), Around{}))
	firesOnlyDates(t, m)
	require.Contains(t, text(m), "an unknown tool")
}
