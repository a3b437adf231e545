package lab

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/worker"
)

// Boxed is a plan of isolations that are released after a time.
func Boxed(devices int, after time.Duration) approvals.Plan {
	p := Plan("isolate_devices", devices)
	p.TimeBox = &approvals.TimeBox{For: after, Tool: "release_devices", Risk: Tools()["release_devices"].Risk}
	return p
}

// Extend asks, as ann, for more time for a request's time-boxes.
func (l *Lab) Extend(id string, more time.Duration) approvals.Request {
	args, err := json.Marshal(worker.Extension{For: more})
	require.NoError(l.T, err)
	p := Plan(approvals.ToolExtend, 1)
	p.Resumes = control.Resumes(l.Get(id).Plan)
	p.Targets = []approvals.Target{{ID: id, Kind: "request", Name: id}}
	p.Steps = []approvals.Step{{Action: "extend", Target: id, Args: args, Summary: "extend " + id}}
	return l.Submit(p)
}

// Tend does the job of a request's time-boxes until it wants to wait, and returns how long.
func (l *Lab) Tend(id string) time.Duration { return l.tend(l.Worker, id, "") }

// Look does the same as after something happened on a device.
func (l *Lab) Look(id string) time.Duration { return l.tend(l.Worker, id, "look-test") }

func (l *Lab) tend(w *worker.Worker, id, nonce string) time.Duration {
	for range 50 {
		again, err := w.Handle(context.Background(), store.Job{Kind: store.Boxes, RequestID: id, Nonce: nonce})
		require.NoError(l.T, err)
		if again >= 0 {
			return again
		}
	}
	require.Fail(l.T, "the job of the time-boxes wants to run again for ever")
	return 0
}

// Boxes are the time-boxes of a request.
func (l *Lab) Boxes(id string) []store.Timebox {
	boxes, err := l.DB.Timeboxes(context.Background(), id)
	require.NoError(l.T, err)
	return boxes
}

// Said are the details of a request's audit rows of a type.
func (l *Lab) Said(id, kind string) (said []string) {
	events, err := l.DB.Events(context.Background(), store.Query{RequestID: id})
	require.NoError(l.T, err)
	for _, e := range events {
		if e.Type == kind {
			said = append(said, e.Detail)
		}
	}
	return said
}

// Foreign is an isolation or release of a device that somebody made by other means and that succeeded.
func (t *Tenant) Foreign(tool, device string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.effects = append(t.effects, &Effect{
		ActionID: "foreign-" + device + "-" + tool, Plan: approvals.Plan{Tool: tool}, Step: approvals.Step{Target: device},
		At: t.clock.Now(), Status: "Succeeded",
	})
}

// Lag makes the tenant's clock differ from ours.
func (t *Tenant) Lag(by time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lag = by
}

// Clock implements worker.Timepiece.
func (t *Tenant) Clock(context.Context) (time.Time, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.clock.Now().Add(-t.lag), t.blind
}

// Inverse implements worker.Undoer.
func (t *Tenant) Inverse(r approvals.Request, steps []int) (approvals.Plan, error) {
	p := approvals.Plan{
		Tenant: r.Plan.Tenant, Tool: r.Plan.TimeBox.Tool, Risk: r.Plan.TimeBox.Risk, Reason: "time-box of " + r.ID,
		Args: json.RawMessage(`{}`), Preview: "release",
	}
	for _, i := range steps {
		target, _ := r.Plan.Target(r.Plan.Steps[i].Target)
		p.Targets = append(p.Targets, target)
		p.Steps = append(p.Steps, approvals.Step{Action: "release", Target: target.ID, Summary: "release " + target.ID})
	}
	return p, nil
}

// InForce implements worker.Undoer.
func (t *Tenant) InForce(_ context.Context, r approvals.Request, steps []int) ([]worker.Force, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.blind != nil {
		return nil, t.blind
	}
	forces := make([]worker.Force, len(steps))
	for n, i := range steps {
		forces[n] = t.force(r.Plan.Steps[i].Target, approvals.Tag(r.ID, i), r.Steps[i].ActionID)
	}
	return forces, nil
}

func (t *Tenant) force(device, tag, action string) worker.Force {
	var now *Effect
	for _, e := range t.effects {
		if e.Step.Target != device || !slices.Contains([]string{"isolate_devices", "release_devices"}, e.Plan.Tool) {
			continue
		}
		if e.Status == "Pending" {
			return worker.Force{State: worker.ForceUnclear, Why: e.ActionID + " is under way"}
		}
		if e.Status == "Succeeded" {
			now = e
		}
	}
	switch {
	case now == nil:
		return worker.Force{State: worker.ForceUnclear, Why: "nothing is known of it"}
	case now.ActionID != action || now.Tag != tag:
		return worker.Force{State: worker.ForceOver, Why: now.ActionID + " came after it"}
	}
	return worker.Force{State: worker.ForceOurs}
}

// errNoUndo is what a performer without a memory of its own answers.
var errNoUndo = errors.New("this performer can't undo")

// Inverse implements worker.Undoer.
func (h hands) Inverse(r approvals.Request, steps []int) (approvals.Plan, error) {
	if u, ok := h.Performer.(worker.Undoer); ok {
		return u.Inverse(r, steps)
	}
	return approvals.Plan{}, errNoUndo
}

// InForce implements worker.Undoer.
func (h hands) InForce(ctx context.Context, r approvals.Request, steps []int) ([]worker.Force, error) {
	if u, ok := h.Performer.(worker.Undoer); ok {
		return u.InForce(ctx, r, steps)
	}
	return nil, errNoUndo
}

// Clock implements worker.Timepiece.
func (h hands) Clock(ctx context.Context) (time.Time, error) {
	if c, ok := h.Performer.(worker.Timepiece); ok {
		return c.Clock(ctx)
	}
	return time.Time{}, errNoUndo
}

// onOurs reports whether a tool takes effect on our own switches.
func onOurs(tool string) bool {
	return tool == approvals.ToolLift || tool == approvals.ToolResume || tool == approvals.ToolExtend
}

// EndOf gives the actions on one device that still run their final status.
func (t *Tenant) EndOf(device, status string) {
	t.change(func(e *Effect) {
		if e.Status == "Pending" && e.Step.Target == device {
			e.Status = status
		}
	})
}
