package control

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/internal/change"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/failpoint"
)

// ResumePlan is the plan to let r go on whenever it is performed. PlanResume is better where there is a board, because it
// names the pause.
func ResumePlan(r approvals.Request) (approvals.Plan, error) {
	args, err := json.Marshal(map[string]string{"id": r.ID})
	if err != nil {
		return approvals.Plan{}, err
	}
	left := 0
	for _, s := range r.Steps {
		if s.State == approvals.StepWaiting {
			left++
		}
	}
	if r.State != approvals.Running || left == 0 {
		return approvals.Plan{}, approvals.Refuse(approvals.KindConflict, nil, "request %s is %s and has %d steps left to send; there is nothing to go on with",
			r.ID, r.State, left)
	}
	return approvals.Plan{
		Tenant: r.Plan.Tenant, Tool: approvals.ToolResume, Risk: approvals.RiskContain, Args: args,
		Reason:  "go on with request " + r.ID,
		Targets: []approvals.Target{{ID: r.ID, Kind: "request", Name: clip(r.Plan.Preview, 200)}},
		Steps:   []approvals.Step{{Action: "resume", Target: r.ID, Summary: fmt.Sprintf("send the %d steps that are left of request %s", left, r.ID)}},
		Preview: fmt.Sprintf("Go on with request %s (%s): %d of %d steps are left", r.ID, clip(r.Plan.Preview, 200), left, len(r.Steps)),
		Resumes: Resumes(r.Plan),
	}, nil
}

// Resumes is what policy is asked about besides, when a request lets p go on, or last longer.
func Resumes(p approvals.Plan) *approvals.Resumed {
	return &approvals.Resumed{Tool: p.Tool, Risk: p.Risk, Args: p.Args, Targets: p.Targets, TimeBox: p.TimeBox}
}

// PlanResume is the plan to let r go on after the pause that holds it now. KindConflict when nothing holds it.
func (b *Board) PlanResume(ctx context.Context, r approvals.Request) (approvals.Plan, error) {
	events, err := change.Verified(ctx, b.o.Store, r)
	if err != nil {
		return approvals.Plan{}, err
	}
	pause, yes := approvals.LastPause(events)
	if !yes {
		return approvals.Plan{}, approvals.Refuse(approvals.KindConflict, nil, "request %s is not paused", r.ID)
	}
	if _, err := b.Resumption(ctx, r, pause); err == nil && b.Verifies() {
		return approvals.Plan{}, approvals.Refuse(approvals.KindConflict, nil, "request %s goes on already", r.ID)
	}
	plan, err := ResumePlan(r)
	if err != nil {
		return plan, err
	}
	plan.Warnings = append(plan.Warnings, "it was paused: "+pause.Why)
	return bound(plan, pause.Event.Seq)
}

// Resumption is the request by which people said yes to r going on after the pause. The error says why there is none.
func (b *Board) Resumption(ctx context.Context, r approvals.Request, p approvals.Pause) (approvals.Request, error) {
	err := error(approvals.Refuse(approvals.KindHeld, nil, "request %s is paused: %s", r.ID, p.Why))
	if !b.Verifies() {
		return approvals.Request{}, err
	}
	for _, e := range p.Resumed {
		id, _, _ := strings.Cut(e.Detail, ": ")
		var asked approvals.Request
		asked, err = b.granted(ctx, id, wanted{tool: approvals.ToolResume, target: r.ID, row: p.Event})
		if err == nil {
			err = same(asked, r)
		}
		if err == nil {
			return asked, nil
		}
	}
	return approvals.Request{}, err
}

// same refuses a resumption that policy was asked about as if it were for something else.
func same(asked, r approvals.Request) error {
	want, err := json.Marshal(Resumes(r.Plan))
	if err != nil {
		return err
	}
	have, err := json.Marshal(asked.Plan.Resumes)
	if err != nil || string(want) != string(have) {
		return approvals.Refuse(approvals.KindTampering, err, "request %s does not say truly what goes on with it", asked.ID)
	}
	return nil
}

// Resume writes that people said yes to a paused request going on, once. KindConflict when it has ended, or was paused
// again since.
func (b *Board) Resume(ctx context.Context, a Act) error {
	at, err := bindingOf(a.Step)
	if err != nil {
		return err
	}
	failpoint.Hit(failpoint.BeforeResume)
	return b.o.Store.InTx(ctx, func(tx *store.Tx) error {
		r, err := tx.Request(ctx, a.Step.Target)
		if err != nil {
			return err
		}
		marks, err := allMarks(ctx, tx.Marks, approvals.EventPaused, approvals.EventResumed)
		if err != nil {
			return err
		}
		pause, paused := approvals.LastPause(of(marks, r.ID))
		switch {
		case r.State != approvals.Running || !paused:
			return approvals.Refuse(approvals.KindConflict, nil, "request %s is %s and not paused", r.ID, r.State)
		case at.Row != 0 && at.Row != pause.Event.Seq:
			return approvals.Refuse(approvals.KindConflict, nil, "request %s was paused again since", r.ID)
		case resumedBy(pause, a.RequestID):
			return nil
		}
		move := change.Touch(r, b.now())
		move.Message = "goes on by request " + a.RequestID
		if err := tx.Move(ctx, move); err != nil {
			return err
		}
		if err := tx.Note(ctx, change.Note(r.ID, approvals.EventResumed, b.by(change.Worker, a.RequestID+": goes on"))); err != nil {
			return err
		}
		return push(ctx, tx, r, "resumed")
	})
}

func resumedBy(p approvals.Pause, id string) bool {
	for _, e := range p.Resumed {
		if strings.HasPrefix(e.Detail, id+": ") {
			return true
		}
	}
	return false
}

// Extend writes on the request that a.Step names that its time-box was extended; words say until when, for whoever reads
// them. Once for each request that asks.
func (b *Board) Extend(ctx context.Context, a Act, words string) error {
	return b.o.Store.InTx(ctx, func(tx *store.Tx) error {
		r, err := tx.Request(ctx, a.Step.Target)
		if err != nil {
			return err
		}
		marks, err := allMarks(ctx, tx.Marks, approvals.EventExtended)
		if err != nil {
			return err
		}
		for _, e := range of(marks, r.ID) {
			if strings.HasPrefix(e.Detail, a.RequestID+": ") {
				return nil
			}
		}
		if err := tx.Note(ctx, change.Note(r.ID, approvals.EventExtended, b.by(change.Worker, a.RequestID+": "+words))); err != nil {
			return err
		}
		return change.Notify(ctx, tx, r.ID, "extended-"+a.RequestID)
	})
}

// of keeps the rows of one request.
func of(events []approvals.Event, id string) (own []approvals.Event) {
	for _, e := range events {
		if e.RequestID == id {
			own = append(own, e)
		}
	}
	return own
}
