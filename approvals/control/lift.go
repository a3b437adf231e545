package control

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/internal/change"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// Act is one approved step that takes effect on the switches and not in the tenant.
type Act struct {
	// RequestID is the approved request.
	RequestID string
	// Step is its only step; Target is the scope, or the request that goes on.
	Step approvals.Step
}

// binding ties a step to the very row of the audit that it answers.
type binding struct {
	// Row is the sequence of the press or of the pause.
	Row int64 `json:"row,omitempty"`
}

func bindingOf(s approvals.Step) (binding, error) {
	var at binding
	if len(s.Args) == 0 {
		return at, nil
	}
	if err := json.Unmarshal(s.Args, &at); err != nil {
		return at, approvals.Refuse(approvals.KindInvalid, err, "the step's arguments can't be read; make the request again")
	}
	return at, nil
}

// bound is p tied to a row of the audit.
func bound(p approvals.Plan, row int64) (approvals.Plan, error) {
	args, err := json.Marshal(binding{Row: row})
	p.Steps[0].Args = args
	return p, err
}

// liftedBy is nil when s was lifted by a request that people approved, and else says why it is in force.
func (b *Board) liftedBy(ctx context.Context, s approvals.Stop) error {
	if s.Lift == nil {
		return held(s)
	}
	b.mu.Lock()
	known := b.lifted[s.Event]
	b.mu.Unlock()
	if known {
		return nil
	}
	if unsettled(s) {
		return approvals.Refuse(approvals.KindHeld, nil, "the restored database was not yet compared with the tenant")
	}
	r, err := b.granted(ctx, s.Lift.RequestID, wanted{tool: approvals.ToolLift, target: s.Scope, row: s.Event})
	if err != nil {
		return err
	}
	if r.Requester.Via != approvals.ViaSlack || !r.Requester.Verified {
		return approvals.Refuse(approvals.KindTampering, nil, "request %s was not made in Slack by somebody who was signed in", r.ID)
	}
	b.mu.Lock()
	b.lifted[s.Event] = true
	b.mu.Unlock()
	return nil
}

// wanted is what a request must have been approved for.
type wanted struct {
	tool, target string
	// row is the press or the pause that it answers.
	row approvals.Event
}

// granted returns the request when people said yes to exactly what is wanted, after the row was written; the words of its
// own row in the database prove nothing. A board without a Tally takes them all the same.
func (b *Board) granted(ctx context.Context, id string, want wanted) (approvals.Request, error) {
	r, err := b.o.Store.Request(ctx, id)
	if err != nil {
		return r, err
	}
	if err := b.answers(r, want); err != nil || !b.Verifies() {
		return r, err
	}
	if err := change.Verify(ctx, b.o.Store, r); err != nil {
		return r, err
	}
	return r, b.o.Tally.Stood(ctx, r)
}

// answers compares a request with what is wanted. A plan that is bound to the row can only have been made after it; one
// that is not needs votes which are newer.
func (b *Board) answers(r approvals.Request, want wanted) error {
	no := func(format string, args ...any) error {
		return approvals.Refuse(approvals.KindTampering, nil, "request %s "+format, append([]any{r.ID}, args...)...)
	}
	if r.Plan.Tool != want.tool || len(r.Plan.Steps) != 1 || r.Plan.Steps[0].Target != want.target {
		return no("is for something else")
	}
	at, err := bindingOf(r.Plan.Steps[0])
	switch {
	case err != nil:
		return err
	case len(b.o.Tools) > 0 && r.Plan.Risk != b.o.Tools[want.tool].Risk:
		return no("states risk %q, which is not what %s states", r.Plan.Risk, want.tool)
	case at.Row != 0 && at.Row != want.row.Seq:
		return no("answers audit row %d, and row %d came after it", at.Row, want.row.Seq)
	case r.State != approvals.Running && r.State != approvals.Succeeded:
		return no("is %s", r.State)
	case r.Outcome != approvals.Approve || r.Terms.BreakGlass || len(r.Votes) == 0:
		return no("was not approved by people")
	}
	for _, v := range r.Votes {
		if v.At.Before(want.row.At) || (at.Row == 0 && !v.At.After(want.row.At)) {
			return no("was voted on before it happened that it is about")
		}
	}
	return nil
}

// PlanLift is the plan to lift what is stopped under that name now: this press and no later one. KindInvalid when nothing
// is, KindHeld when it can't be lifted yet.
func (b *Board) PlanLift(ctx context.Context, tenant, scope, reason string) (approvals.Plan, error) {
	if scope = strings.ToLower(strings.TrimSpace(scope)); scope == "" {
		scope = approvals.ScopeAll
	}
	stops, err := b.InForce(ctx)
	if err != nil {
		return approvals.Plan{}, err
	}
	plan := LiftPlan(tenant, scope, reason)
	found := false
	var others []string
	for _, s := range stops {
		if s.Scope != scope {
			others = append(others, s.Scope)
			continue
		}
		if unsettled(s) {
			return approvals.Plan{}, approvals.Refuse(approvals.KindHeld, nil,
				"the restored database is still being compared with the tenant; nothing can be lifted before that is done: see the worker's log")
		}
		found = true
		plan.Preview = fmt.Sprintf("Lift the stop: %s stopped since %s by %s: %s", name(scope), s.Event.At.UTC().Format(time.RFC3339), s.Event.Actor, s.Why)
		if plan, err = bound(plan, s.Event.Seq); err != nil {
			return plan, err
		}
	}
	if !found {
		return approvals.Plan{}, approvals.Refuse(approvals.KindInvalid, nil, "nothing is stopped under %q; what is stopped: %s",
			clip(scope, 60), orNothing(others))
	}
	if len(others) > 0 {
		plan.Warnings = append(plan.Warnings, "also stopped, and not lifted by this: "+strings.Join(others, ", "))
	}
	running, err := b.Live(ctx, approvals.Running)
	if n := b.heldBy(running, scope); err == nil && n > 0 {
		plan.Warnings = append(plan.Warnings, fmt.Sprintf("%d running requests go on with what they have not sent", n))
	}
	return plan, err
}

func orNothing(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}

func (b *Board) heldBy(rows []approvals.Request, scope string) (n int) {
	for _, r := range rows {
		if b.covers(approvals.Stop{Scope: scope}, r.Plan.Tool) {
			n++
		}
	}
	return n
}

// LiftPlan is the plan of lifting whatever is stopped under that name when it is performed. PlanLift is better where there
// is a board, because it names the press.
func LiftPlan(tenant, scope, reason string) approvals.Plan {
	args, _ := json.Marshal(map[string]string{"scope": scope}) // a map of strings always can be
	return approvals.Plan{
		Tenant: tenant, Tool: approvals.ToolLift, Risk: approvals.RiskDestroy, Args: args, Reason: reason,
		Targets: []approvals.Target{{ID: scope, Kind: "switch", Name: scope}},
		Steps:   []approvals.Step{{Action: "lift", Target: scope, Summary: "lift the stop of " + scope}},
		Preview: "Lift the stop of " + scope,
	}
}

// Lift writes that a stop is lifted, once. KindConflict when it is not in force any more, was pressed again since the
// request was made, or when no worker would believe the lift.
func (b *Board) Lift(ctx context.Context, a Act) error {
	at, err := bindingOf(a.Step)
	if err != nil {
		return err
	}
	scope := a.Step.Target
	if err := b.wouldLift(ctx, a.RequestID, scope); err != nil {
		return err
	}
	err = b.o.Store.InTx(ctx, func(tx *store.Tx) error {
		marks, err := allMarks(ctx, tx.Marks, switchTypes()...)
		if err != nil {
			return err
		}
		s, ok := stopOf(marks, scope)
		switch {
		case !ok:
			return approvals.Refuse(approvals.KindConflict, nil, "nothing is stopped under %q", clip(scope, 60))
		case s.Lift != nil && s.Lift.RequestID == a.RequestID:
			return nil
		case at.Row != 0 && at.Row != s.Event.Seq:
			return approvals.Refuse(approvals.KindConflict, nil, "it was pressed again by %s at %s; ask for that to be lifted",
				s.Event.Actor, s.Event.At.UTC().Format(time.RFC3339))
		case unsettled(s):
			return approvals.Refuse(approvals.KindHeld, nil, "the restored database is still being compared with the tenant")
		}
		return tx.Note(ctx, change.Note(a.RequestID, approvals.EventLifted, b.by(change.Worker, scope+": lifted")))
	})
	if err == nil {
		b.goOn(ctx, approvals.Stop{Scope: scope})
	}
	return err
}

// wouldLift refuses a lift that liftedBy would not believe, such as one whose votes a clock put back makes older than the
// press: the request must not end as if it had lifted anything.
func (b *Board) wouldLift(ctx context.Context, id, scope string) error {
	if !b.Verifies() {
		return nil
	}
	marks, err := allMarks(ctx, b.o.Store.Marks, switchTypes()...)
	if err != nil {
		return err
	}
	s, ok := stopOf(marks, scope)
	if !ok {
		return nil // the transaction says so
	}
	_, err = b.granted(ctx, id, wanted{tool: approvals.ToolLift, target: scope, row: s.Event})
	if approvals.KindOf(err) == approvals.KindTampering {
		return approvals.Refuse(approvals.KindConflict, err, "nothing was lifted: %s; ask for the lift again", err)
	}
	return err
}

func stopOf(marks []approvals.Event, scope string) (approvals.Stop, bool) {
	for _, s := range approvals.Stops(marks) {
		if s.Scope == scope {
			return s, true
		}
	}
	return approvals.Stop{}, false
}

// goOn pushes what was held. It is a courtesy: what is held looks again by itself.
func (b *Board) goOn(ctx context.Context, s approvals.Stop) {
	rows, err := b.Live(ctx, approvals.Running)
	for _, r := range rows {
		if err != nil || !b.covers(s, r.Plan.Tool) {
			continue
		}
		err = b.o.Store.InTx(ctx, func(tx *store.Tx) error {
			move := change.Touch(r, b.now())
			move.Message = "goes on: the stop was lifted"
			if err := tx.Move(ctx, move); err != nil {
				return err
			}
			return push(ctx, tx, r, "lifted")
		})
		if approvals.KindOf(err) == approvals.KindConflict {
			err = nil
		}
	}
	if err != nil {
		b.o.Logger.WarnContext(ctx, "what was held could not be pushed; it looks again by itself", "error", err)
	}
}

// push has a request looked at and its card drawn anew.
func push(ctx context.Context, tx *store.Tx, r approvals.Request, why string) error {
	nonce := fmt.Sprintf("%s-%d", why, r.Version)
	if err := tx.Enqueue(ctx, store.Job{Kind: store.Advance, RequestID: r.ID, Nonce: nonce}, time.Time{}); err != nil {
		return err
	}
	return change.Notify(ctx, tx, r.ID, nonce)
}

// Done reports whether the effect of an act is in the audit.
func (b *Board) Done(ctx context.Context, a Act) (bool, error) {
	rows, err := allMarks(ctx, b.o.Store.Marks, approvals.EventLifted, approvals.EventResumed, approvals.EventExtended)
	for _, e := range rows {
		if e.Type == approvals.EventLifted && e.RequestID == a.RequestID {
			return true, err
		}
		if e.Type != approvals.EventLifted && e.RequestID == a.Step.Target && strings.HasPrefix(e.Detail, a.RequestID+": ") {
			return true, err
		}
	}
	return false, err
}
