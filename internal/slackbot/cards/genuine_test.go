package cards

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
)

// TestAlteredRequestsAreNotShown changes, one at a time, what a vote is for, without the digest following.
func TestAlteredRequestsAreNotShown(t *testing.T) {
	t.Parallel()
	w := newWall(t)
	for name, alter := range map[string]func(*approvals.Request){
		"target":     func(r *approvals.Request) { r.Plan.Targets[0].Name = "printer-in-the-lobby" },
		"target id":  func(r *approvals.Request) { r.Plan.Targets[0].ID = strings.Repeat("cd", 20) },
		"step":       func(r *approvals.Request) { r.Plan.Steps[0].Action = "wipe" },
		"reason":     func(r *approvals.Request) { r.Plan.Reason = "harmless" },
		"requester":  func(r *approvals.Request) { r.Requester.ID = "boss@example.com" },
		"quorum":     func(r *approvals.Request) { r.Quorum[0].Count = 1 },
		"outcome":    func(r *approvals.Request) { r.Outcome = approvals.Confirm },
		"no digest":  func(r *approvals.Request) { r.Digest = "" },
		"other rule": func(r *approvals.Request) { r.Rule = "another" },
	} {
		for _, state := range []approvals.State{approvals.Pending, approvals.Unknown} {
			r := seal(t, sample())
			r.State = state
			alter(&r)
			for _, drawn := range []blockkit.Message{Card(r, Around{}), PlainCard(r, Around{}), FollowUp(r, Around{})} {
				m := w.show(t, drawn)
				require.Empty(t, labels(m), name)
				require.Contains(t, text(m), "Does not verify: request ABCD1234", name)
				require.NotContains(t, text(m), r.Plan.Targets[0].Name, name)
			}
			v := DetailsView(r, Place{}, 0, YesFor(r, "", approvals.Person{}))
			w.open(t, v)
			require.Nil(t, v.Submit, name)
			require.NotContains(t, details(r), r.Plan.Targets[0].Name, name)
		}
	}
}

func TestStepsOutsideTheTargetsCantBeApproved(t *testing.T) {
	t.Parallel()
	w := newWall(t)
	r := sample()
	evil := strings.Repeat("dc", 20)
	r.Plan.Steps = append(r.Plan.Steps, approvals.Step{Action: "isolate", Target: evil, Summary: "isolate host01.contoso.com"})
	r = seal(t, r)
	require.Empty(t, labels(w.show(t, Card(r, Around{}))))
	require.Nil(t, DetailsView(r, Place{}, 0, YesFor(r, "", approvals.Person{})).Submit)
	require.Equal(t, approvals.KindTampering, approvals.KindOf(approvals.Genuine(r)))
}

func TestCardListsStepsThatAreNotOnePerTarget(t *testing.T) {
	t.Parallel()
	w := newWall(t)
	for name, change := range map[string]func(*approvals.Plan){
		"more": func(p *approvals.Plan) {
			s := p.Steps[0]
			s.Args = []byte(`{"t":"UnManagedDevice"}`)
			p.Steps = append(p.Steps, s)
		},
		"other action":    func(p *approvals.Plan) { p.Steps[1].Action = "wipe" },
		"other arguments": func(p *approvals.Plan) { p.Steps[1].Args = []byte(`{"t":"Selective"}`) },
		"other order":     func(p *approvals.Plan) { p.Steps[0], p.Steps[1] = p.Steps[1], p.Steps[0] },
		"fewer":           func(p *approvals.Plan) { p.Steps = p.Steps[:1] },
	} {
		r := sample()
		second, step := r.Plan.Targets[0], r.Plan.Steps[0]
		second.ID, second.Name = strings.Repeat("b2", 20), "host02.contoso.com"
		step.Target = second.ID
		r.Plan.Targets, r.Plan.Steps = append(r.Plan.Targets, second), append(r.Plan.Steps, step)
		change(&r.Plan)
		m := w.show(t, Card(seal(t, r), Around{}))
		require.Contains(t, labels(m), "Approve", name)
		require.NotContains(t, text(m), "once on each", name)
		for i, s := range r.Plan.Steps {
			target, _ := r.Plan.Target(s.Target)
			require.Contains(t, text(m), strconv.Itoa(i+1)+". "+s.Action+` "`+target.Name+`" id `+s.Target+" with "+string(s.Args), name)
		}
	}
}

func TestCardSaysWhatIsMissingNow(t *testing.T) {
	t.Parallel()
	w := newWall(t)
	r := sample()
	r.Quorum[0].Count = 1
	r.Votes = []approvals.Vote{{Voter: approvals.Person{ID: "bob@example.com"}, Verdict: approvals.VerdictApprove, At: r.CreatedAt}}
	r.Message = "waits for 1 more of on-call" // the requester turned out to be unknown, or policy is stricter by now
	r = seal(t, r)
	require.Contains(t, text(w.show(t, Card(r, Around{}))), "Now: waits for 1 more of on-call")
}

func TestCardNamesEveryDemand(t *testing.T) {
	t.Parallel()
	w := newWall(t)
	r := sample()
	r.Quorum = append(r.Quorum, approvals.Quorum{Count: 1, From: approvals.Group{Name: "tier-0 owners", Slack: "S2"}})
	r.Votes = []approvals.Vote{{Voter: approvals.Person{ID: "bob@example.com"}, Verdict: approvals.VerdictApprove, At: r.CreatedAt}}
	shown := text(w.show(t, Card(seal(t, r), Around{})))
	for _, want := range []string{`Needs 2 of group "on-call"`, `Needs 1 of group "tier-0 owners"`, "Each of these must be met; 1 said yes so far"} {
		require.Contains(t, shown, want)
	}
}

func TestStepsSayEachThingOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		state approvals.State
		step  approvals.StepStatus
		want  string
	}{
		{approvals.Running, approvals.StepStatus{State: approvals.StepWaiting}, `… isolate "host01.contoso.com": waiting`},
		{approvals.Denied, approvals.StepStatus{State: approvals.StepWaiting}, `– isolate "host01.contoso.com": not sent`},
		{approvals.Expired, approvals.StepStatus{State: approvals.StepWaiting}, `– isolate "host01.contoso.com": not sent`},
		{approvals.Cancelled, approvals.StepStatus{State: approvals.StepWaiting}, `– isolate "host01.contoso.com": not sent`},
		{approvals.Running, approvals.StepStatus{State: approvals.StepAccepted, ActionID: "4f1c", Message: "accepted as action 4f1c"}, `… isolate "host01.contoso.com": accepted as action 4f1c`},
		{
			approvals.Running,
			approvals.StepStatus{State: approvals.StepAccepted, ActionID: "4f1c", Message: "found again after its answer was lost, as action 4f1c"},
			`… isolate "host01.contoso.com": accepted, found again after its answer was lost, as action 4f1c`,
		},
		{approvals.Succeeded, approvals.StepStatus{State: approvals.StepSucceeded, ActionID: "4f1c"}, `✔ isolate "host01.contoso.com": succeeded, action 4f1c`},
		{approvals.Failed, approvals.StepStatus{State: approvals.StepTimedOut, Message: "it may be offline"}, `✘ isolate "host01.contoso.com": timed out, it may be offline`},
	} {
		r := sample()
		r.State = c.state
		require.Equal(t, c.want, stepLine(r, c.step))
		r.Steps, r.Message = []approvals.StepStatus{c.step}, string(c.step.State)+": "+c.step.Message
		require.Equal(t, []string{c.want}, outcome(r), "the request's own message repeats its only step")
		r.Message = "denied by bob@example.com"
		require.Len(t, outcome(r), 2)
	}
}
