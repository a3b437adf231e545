package tools

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/ballot"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/policy"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/tools/toolstest"
)

// switchboard is an office whose worker has switches, with waves of two for isolations and two approvers.
func switchboard(t *testing.T) *office {
	t.Helper()
	p, err := policy.Default(policy.DefaultOptions{ApproverGroup: approvals.Group{Name: "on-call", People: []string{"bob@contoso.com", "cat@contoso.com"}}})
	require.NoError(t, err)
	o := &office{world: open(t, toolstest.Options{Policy: twos{p}})}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	signer, err := approvals.NewSigner(key)
	require.NoError(t, err)
	verifier, err := approvals.NewVerifier(signer.Public())
	require.NoError(t, err)
	o.box, err = ballot.New(ballot.Options{
		Store: o.DB, Policy: o.Policy, Signer: signer, Verifier: verifier, Directory: listed{}, Clock: o.Clock.Now,
	})
	require.NoError(t, err)
	facts, err := Facts()
	require.NoError(t, err)
	board, err := control.New(control.Options{Store: o.DB, Tools: facts, Clock: o.Clock.Now})
	require.NoError(t, err)
	o.performer, err = NewPerformer(PerformerOptions{Reader: o.Reader, Writer: o.Writer, Tenant: mdesim.DefaultTenantID, Board: board})
	require.NoError(t, err)
	o.worker, err = worker.New(worker.Options{
		Store: o.DB, Policy: o.Policy, Verifier: verifier, Directory: listed{}, Performer: o.performer, Tools: facts, Gate: o.Gate, Clock: o.Clock.Now,
	})
	require.NoError(t, err)
	return o
}

// twos is a policy with waves of two.
type twos struct{ approvals.Policy }

func (p twos) Decide(c approvals.Call) approvals.Decision {
	d := p.Policy.Decide(c)
	d.Terms.Wave = approvals.Wave{Width: 2, StopOver: 20}
	return d
}

// inSlack calls a tool as a person in Slack.
func (o *office) inSlack(tool, args string) (approvals.Request, error) {
	who := toolstest.Alice()
	who.Via = approvals.ViaSlack
	res, err := o.d.Call(o.t.Context(), Call{Tool: tool, Args: json.RawMessage(args), Requester: who})
	if err != nil {
		return approvals.Request{}, err
	}
	require.NotNil(o.t, res.Request)
	return *res.Request, nil
}

func (o *office) second(r approvals.Request) {
	o.t.Helper()
	_, err := o.box.Cast(o.t.Context(), ballot.Ballot{
		RequestID: r.ID, Digest: r.Digest, Voter: approvals.Person{ID: "cat@contoso.com"}, Verdict: approvals.VerdictApprove,
	})
	require.NoError(o.t, err)
}

func TestAStopIsLiftedThroughItsTool(t *testing.T) {
	o := switchboard(t)
	_, err := o.inSlack("lift_stop", `{"reason":"all clear"}`)
	require.Equal(t, approvals.KindInvalid, approvals.KindOf(err), "nothing is stopped: %v", err)

	_, r := o.ask("isolate_devices", `{"devices":["host01"],"reason":"beaconing"}`)
	require.NoError(t, o.Gate.Board().Stop(t.Context(), control.Order{By: toolstest.Alice(), Why: "drill"}))
	require.Equal(t, "cancelled", o.finish(r.ID).Status)
	_, err = o.call("lift_stop", `{"reason":"all clear"}`)
	require.Equal(t, approvals.KindDenied, approvals.KindOf(err), "an assistant can't ask: %v", err)

	lift, err := o.inSlack("lift_stop", `{"reason":"all clear"}`)
	require.NoError(t, err)
	require.Contains(t, lift.Plan.Preview, "by alice@contoso.com: drill")
	o.approve(lift)
	require.Equal(t, approvals.KindHeld, approvals.KindOf(o.Gate.Board().Held(t.Context(), "isolate_devices")))
	o.second(lift)
	require.Equal(t, "succeeded", o.finish(lift.ID).Status)
	require.NoError(t, o.Gate.Board().Held(t.Context(), "isolate_devices"))
	require.Zero(t, o.Tenant.Writes())

	_, r = o.ask("isolate_devices", `{"devices":["host01"],"reason":"beaconing"}`)
	o.approve(r)
	require.Equal(t, "succeeded", o.finish(r.ID).Status)
	require.Equal(t, 1, o.Tenant.Writes())
}

func TestAPausedRequestGoesOnThroughItsTool(t *testing.T) {
	o := switchboard(t)
	_, r := o.ask("isolate_devices", `{"devices":["host01","host02","host03"],"reason":"beaconing"}`)
	_, err := o.inSlack("resume_request", fmt.Sprintf(`{"id":%q,"reason":"go"}`, r.ID))
	require.Equal(t, approvals.KindConflict, approvals.KindOf(err), "it is not paused: %v", err)
	o.approve(r)
	o.Tenant.UpdateDevice(o.Tenant.Device("host01").ID, func(m *mdesim.Machine) { m.OnboardingStatus = "CanBeOnboarded" })
	for range 5 {
		_, err := o.worker.Handle(t.Context(), store.Job{Kind: store.Advance, RequestID: r.ID})
		require.NoError(t, err)
		o.Clock.Add(10 * time.Second)
	}
	writes := o.Tenant.Writes()
	q, err := o.inSlack("resume_request", fmt.Sprintf(`{"id":%q,"reason":"go"}`, r.ID))
	require.NoError(t, err)
	require.Equal(t, "isolate_devices", q.Plan.Resumes.Tool)
	o.approve(q)
	require.Equal(t, "succeeded", o.finish(q.ID).Status)
	require.Equal(t, "partial", o.finish(r.ID).Status)
	require.Greater(t, o.Tenant.Writes(), writes)
	require.Len(t, o.Tenant.Effects(), 2)
}

func TestAPerformerWithoutSwitchesRefusesTheirSteps(t *testing.T) {
	w := open(t, toolstest.Options{})
	plan := control.LiftPlan(mdesim.DefaultTenantID, "all", "all clear")
	_, err := w.performer.Apply(t.Context(), worker.Task{RequestID: "R", Tag: "[x]", Plan: plan, Step: plan.Steps[0]})
	var refused *worker.Refused
	require.ErrorAs(t, err, &refused)
	require.Contains(t, refused.Text, "no switches")
}
