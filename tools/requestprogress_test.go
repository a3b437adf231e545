package tools

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/ballot"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/tools/toolstest"
)

// work does the worker's job for a request some times, with time passing between.
func (o *office) work(id string, times int) {
	o.t.Helper()
	for range times {
		_, err := o.worker.Handle(o.t.Context(), store.Job{Kind: store.Advance, RequestID: id})
		require.NoError(o.t, err)
		o.Clock.Add(10 * time.Second)
	}
}

func (o *office) stop(scope string) {
	o.t.Helper()
	facts, err := Facts()
	require.NoError(o.t, err)
	board, err := control.New(control.Options{Store: o.DB, Tools: facts, Clock: o.Clock.Now})
	require.NoError(o.t, err)
	require.NoError(o.t, board.Stop(o.t.Context(), control.Order{Scope: scope, By: toolstest.Alice(), Why: "ransomware drill"}))
}

func (o *office) line(id string) requestLine {
	o.t.Helper()
	for _, l := range o.ok("list_requests", `{}`).Output.(listRequestsOut).Requests {
		if l.RequestID == id {
			return l
		}
	}
	o.t.Fatalf("request %s is not in the list", id)
	return requestLine{}
}

func TestAPausedFleetSaysHowFarItIsAndWhoIsAsked(t *testing.T) {
	t.Parallel()
	o := switchboard(t)
	_, r := o.ask("isolate_devices", `{"devices":["host01","host02","host03","host04","host05"],"reason":"beaconing"}`)
	require.Nil(t, o.view(r.ID).Progress, "nothing is counted before people said yes")
	o.approve(r)
	o.Tenant.UpdateDevice(o.Tenant.Device("host02").ID, func(m *mdesim.Machine) { m.OnboardingStatus = "CanBeOnboarded" })
	o.work(r.ID, 5)

	v := o.view(r.ID)
	p := v.Progress
	require.Equal(t, []int{5, 3, 0, 1, 1, 0, 0, 1, 3},
		[]int{p.Of, p.Waiting, p.Sent, p.Succeeded, p.Failed, p.Skipped, p.Unknown, p.Wave, p.Waves})
	require.NotNil(t, p.Paused)
	require.Contains(t, p.Paused.Why, "1 of the 1 steps that ended did not succeed")
	require.False(t, p.Paused.Since.IsZero())
	require.Empty(t, p.Held)
	require.NotEmpty(t, p.Paused.Asks)
	require.Equal(t, "resume_request", o.view(p.Paused.Asks).Tool)
	require.Contains(t, v.Next, "Request "+p.Paused.Asks+" asks people in Slack whether to go on; you can't decide that")
	require.Contains(t, o.ok("get_request", fmt.Sprintf(`{"id":%q}`, r.ID)).Text, "Progress: 1 of 5 succeeded, 1 failed, 3 not sent yet; wave 1 of 3.")
	require.Equal(t, "paused", o.line(r.ID).Hold)

	q, err := o.Gate.Get(t.Context(), p.Paused.Asks)
	require.NoError(t, err)
	o.approve(q)
	o.finish(q.ID)
	require.Nil(t, o.view(r.ID).Progress.Paused, "people said yes")
	v = o.finish(r.ID)
	require.Equal(t, "partial", v.Status)
	require.Equal(t, []int{5, 4, 1}, []int{v.Progress.Of, v.Progress.Succeeded, v.Progress.Failed})
	require.Contains(t, v.Next, "undo_request with id "+r.ID)
	require.Empty(t, o.line(r.ID).Hold)
	require.Len(t, o.Tenant.Effects(), 4)
}

func TestAHeldRequestSaysWhatHoldsItAndWhatEndsThat(t *testing.T) {
	t.Parallel()
	o := switchboard(t)
	_, r := o.ask("isolate_devices", `{"devices":["host01","host02","host03"],"reason":"beaconing"}`)
	o.approve(r)
	o.work(r.ID, 1)
	o.stop("response")
	o.work(r.ID, 3)
	v := o.view(r.ID)
	require.Len(t, v.Progress.Held, 1)
	require.Equal(t, "response", v.Progress.Held[0].Scope)
	require.Equal(t, "ransomware drill", v.Progress.Held[0].Why)
	require.Contains(t, v.Next, "Held: the toolset response is stopped")
	require.Contains(t, v.Next, "/mde lift response")
	require.Equal(t, "held", o.line(r.ID).Hold)
	require.Len(t, o.Tenant.Effects(), 2, "the second wave stays")

	who := o.ok("whoami", `{"tool":"isolate_devices"}`)
	require.Equal(t, "response", who.Output.(whoamiOut).Stopped[0].Scope)
	require.Contains(t, who.Text, "Stopped: the toolset response is stopped")
	require.Contains(t, who.Text, "/mde lift response")
	_, err := o.call("isolate_devices", `{"devices":["host09"],"reason":"beaconing"}`)
	require.Equal(t, approvals.KindHeld, approvals.KindOf(err))
	require.Contains(t, err.Error(), "approvers lift it in Slack")
}

func TestASilenceIsToldApartFromANo(t *testing.T) {
	t.Parallel()
	o := switchboard(t)
	ask := func(device string) approvals.Request {
		_, r := o.ask("isolate_devices", fmt.Sprintf(`{"devices":[%q],"reason":"beaconing"}`, device))
		return r
	}
	silent, refused, late, stopped, mine := ask("host01"), ask("host02"), ask("host03"), ask("host04"), ask("host05")
	_, err := o.box.Cast(t.Context(), ballot.Ballot{
		RequestID: refused.ID, Digest: refused.Digest, Voter: approvals.Person{ID: "bob@contoso.com"}, Verdict: approvals.VerdictDeny, Reason: "not on a Friday",
	})
	require.NoError(t, err)
	o.ok("cancel_request", fmt.Sprintf(`{"id":%q}`, mine.ID))
	o.Clock.Add(time.Second)
	o.approve(late)
	o.Clock.Add(time.Hour)
	for _, r := range []approvals.Request{silent, late} { // the worker writes down what its clock says
		_, err := o.worker.Handle(t.Context(), store.Job{Kind: store.Expire, RequestID: r.ID})
		require.NoError(t, err)
	}
	again := ask("host04")
	require.NotEqual(t, stopped.ID, again.ID)
	o.stop("all")
	for _, c := range []struct {
		r                   approvals.Request
		status, ended, next string
	}{
		{silent, "expired", endedUndecided, "nobody decided in time, which is no denial"},
		{refused, "denied", endedDenied, "An approver said no"},
		{late, "expired", endedUnstarted, "approved and not started in time"},
		{again, "cancelled", endedStopped, "whoami shows what is stopped"},
		{mine, "cancelled", endedWithdrawn, "nothing of it was done"},
	} {
		v := o.view(c.r.ID)
		require.Equal(t, []string{c.status, c.ended}, []string{v.Status, v.EndedBy}, c.r.Plan.Preview)
		require.Contains(t, v.Next, c.next)
		require.Equal(t, c.ended, o.line(c.r.ID).EndedBy)
	}
	require.Contains(t, o.line(silent.ID).text(), "expired (timed out)")
	require.Zero(t, o.Tenant.Writes())
}

func TestTheListShowsWhatIsStillToBeUndone(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	_, r := o.ask("isolate_devices", `{"devices":["host01"],"reason":"beaconing","for":"4h"}`)
	o.approve(r)
	v := o.finish(r.ID)
	due := v.Timeboxes[0].Due
	require.Contains(t, v.Next, "1 step still to be undone by itself, the next at "+clockTime(due))
	require.Contains(t, v.Next, "undo_request with id "+r.ID)
	l := o.line(r.ID)
	require.Equal(t, &boxSum{Open: 1, Next: due}, l.Timebox)
	require.Contains(t, l.text(), "1 step to be undone, the next at "+clockTime(due))

	o.Clock.Add(4 * time.Hour)
	o.stop("all")
	o.tend(r.ID)
	l, v = o.line(r.ID), o.view(r.ID)
	require.Equal(t, "held", l.Timebox.Trouble)
	require.Contains(t, l.text(), "NOT undone yet: held")
	require.Contains(t, v.Next, "its step is NOT undone (held: ")
}

// escalating is a policy with two groups of which different people are needed, a reminder and an escalation.
type escalating struct{ approvals.Policy }

func (p escalating) Decide(c approvals.Call) approvals.Decision {
	d := p.Policy.Decide(c)
	if d.Outcome != approvals.Approve {
		return d
	}
	d.Quorum.Count, d.Quorum.Distinct = 2, true
	d.Quorum.Or = []approvals.Group{{Name: "leads", People: []string{"cat@contoso.com"}}}
	d.Quorum.Then = []approvals.Escalation{{After: 20 * time.Minute, To: approvals.Group{Name: "managers", People: []string{"eve@contoso.com"}}}}
	d.Terms.RemindAfter = 10 * time.Minute
	return d
}

func TestWhoMayApproveAndWhenOthersMayIsSaid(t *testing.T) {
	t.Parallel()
	p := toolstest.Open(t, toolstest.Options{}).Policy
	w := open(t, toolstest.Options{Policy: escalating{p}})
	const words = `needs approval by 2 of group "on-call" or "leads" (each of a different group), or "managers" after 20m0s without a decision, never the requester`
	require.Contains(t, w.ok("whoami", `{"tool":"isolate_devices"}`).Text, words)
	dry := w.ok("isolate_devices", `{"devices":["host01"],"reason":"x","dry_run":true}`)
	require.Contains(t, dry.Text, words)
	v, r := w.ask("isolate_devices", `{"devices":["host01"],"reason":"beaconing"}`)
	require.Equal(t, []quorumView{{Count: 2, Group: "on-call", Or: []string{"leads"}, Distinct: true, Later: []string{`"managers" after 20m0s without a decision`}}}, v.Approvers)
	require.Equal(t, []callView{
		{At: r.CreatedAt.Add(10 * time.Minute), What: "the approvers are reminded"},
		{At: r.CreatedAt.Add(20 * time.Minute), What: `group "managers" may approve as well`},
	}, v.Calls)
	w.Clock.Add(15 * time.Minute)
	v = w.ok("get_request", fmt.Sprintf(`{"id":%q}`, r.ID)).Output.(requestView)
	require.Equal(t, []bool{true, false}, []bool{v.Calls[0].Past, v.Calls[1].Past})
	require.NotContains(t, v.Next, "reminded")
	require.Contains(t, v.Next, `group "managers" may approve as well`)
}

func TestAWaitingCallIsToldHowFarTheRequestIs(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	_, r := o.ask("isolate_devices", `{"devices":["host01","host02"],"reason":"beaconing"}`)
	told := make(chan Progress, 1000)
	done := make(chan error, 1)
	go func() {
		_, err := o.d.Call(t.Context(), Call{
			Tool: "get_request", Args: json.RawMessage(fmt.Sprintf(`{"id":%q,"wait_seconds":30}`, r.ID)), Requester: toolstest.Alice(),
			Progress: func(p Progress) { told <- p },
		})
		done <- err
	}()
	require.Equal(t, Progress{Done: 0, Total: 5, Text: "request " + r.ID + " is pending_approval"}, <-told)
	o.approve(r)
	next := <-told
	for next.Done == 0 { // a vote is told of as well
		next = <-told
	}
	require.Equal(t, 1, next.Done)
	o.finish(r.ID)
	require.NoError(t, <-done)
	close(told)
	var last Progress
	for p := range told {
		last = p
	}
	require.LessOrEqual(t, last.Done, last.Total, "%v", last)
	require.NotContains(t, last.Text, string(approvals.Succeeded)+":", "the end is said by the answer: %v", last)
}
