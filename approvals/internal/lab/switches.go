package lab

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/worker"
)

// NewBoard makes the switches as a process with a policy has them.
func (l *Lab) NewBoard(p approvals.Policy) *control.Board {
	tally, err := approvals.NewTally(approvals.TallyOptions{
		Policy: p, Verifier: l.Verifier, Directory: l.Directory, Activity: l.DB, Clock: l.Clock.Now,
	})
	require.NoError(l.T, err)
	b, err := control.New(control.Options{Store: l.DB, Tools: Tools(), Tally: tally, Clock: l.Clock.Now, Logger: Quiet()})
	require.NoError(l.T, err)
	return b
}

// Stop presses a switch as ann, on another process's board.
func (l *Lab) Stop(scope string) {
	require.NoError(l.T, l.NewBoard(l.Policy).Stop(context.Background(), control.Order{Scope: scope, By: Ann(), Why: "drill"}))
}

// AskToLift asks, as ann, for what is stopped under that name to be lifted.
func (l *Lab) AskToLift(scope string) approvals.Request {
	plan, err := l.NewBoard(l.Policy).PlanLift(context.Background(), Plan("isolate_devices", 1).Tenant, scope, "all clear")
	require.NoError(l.T, err)
	return l.Submit(plan)
}

// Lift has a stop lifted by the two who must say so.
func (l *Lab) Lift(scope string) {
	r := l.AskToLift(scope)
	l.Approve(r.ID, "bob", "cat")
	require.Equal(l.T, approvals.Succeeded, l.Settle(r.ID).State)
}

// Waves is the default policy with waves for isolations.
func Waves(l *Lab, w approvals.Wave) approvals.Policy { return waves{DefaultPolicy(l.T), w} }

// waves gives every decision about an isolation the same waves.
type waves struct {
	approvals.Policy
	wave approvals.Wave
}

// Decide implements approvals.Policy.
func (p waves) Decide(c approvals.Call) approvals.Decision {
	d := p.Policy.Decide(c)
	if c.Tool == "isolate_devices" {
		d.Terms.Wave = p.wave
	}
	return d
}

// hands are a performer that takes acts on the switches to the board and all others to the tenant.
type hands struct {
	worker.Performer
	board *control.Board
}

// Apply implements worker.Performer.
func (h hands) Apply(ctx context.Context, t worker.Task) (worker.Receipt, error) {
	act := control.Act{RequestID: t.RequestID, Step: t.Step}
	var err error
	switch t.Plan.Tool {
	case approvals.ToolLift:
		err = h.board.Lift(ctx, act)
	case approvals.ToolResume:
		err = h.board.Resume(ctx, act)
	case approvals.ToolExtend:
		err = h.board.Extend(ctx, act, "more time")
	default:
		return h.Performer.Apply(ctx, t)
	}
	if err != nil {
		return worker.Receipt{}, &worker.Refused{Text: err.Error(), Err: err}
	}
	return worker.Receipt{ActionID: "switch-" + t.RequestID, RemoteStatus: "done"}, nil
}

// Find implements worker.Performer.
func (h hands) Find(ctx context.Context, t worker.Task, since time.Time) (worker.Receipt, bool, error) {
	if !onOurs(t.Plan.Tool) {
		return h.Performer.Find(ctx, t, since)
	}
	done, err := h.board.Done(ctx, control.Act{RequestID: t.RequestID, Step: t.Step})
	return worker.Receipt{ActionID: "switch-" + t.RequestID, RemoteStatus: "done"}, done, err
}

// Follow implements worker.Performer.
func (h hands) Follow(ctx context.Context, t worker.Task, actionID string) (worker.Progress, error) {
	if !onOurs(t.Plan.Tool) {
		return h.Performer.Follow(ctx, t, actionID)
	}
	return worker.Progress{RemoteStatus: "done", State: approvals.StepSucceeded}, nil
}
