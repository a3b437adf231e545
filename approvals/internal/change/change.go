// Package change builds the store's transitions of requests and steps, each with its audit row, so that no caller can
// move one without saying who did it and why.
package change

import (
	"context"
	"slices"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// The actors of transitions that no person made.
const (
	Worker = "worker"
	Clock  = "clock"
	Gate   = "gate"
)

// By says when a transition happens, who makes it and why, in one sentence.
type By struct {
	At     time.Time
	Actor  string
	Detail string
}

// Request moves r to another state.
func Request(r approvals.Request, to approvals.State, by By) store.Move {
	return store.Move{
		ID: r.ID, From: r.State, To: to, Version: r.Version, At: by.At, Message: by.Detail,
		Decided: r.State == approvals.Pending && to != approvals.Pending, Finished: to.Terminal(),
		Event: approvals.Event{
			At: by.At, RequestID: r.ID, Type: string(to), Actor: by.Actor, Step: -1,
			From: string(r.State), To: string(to), Detail: by.Detail,
		},
	}
}

// Touch takes the next version of r without changing its state, so that whoever read the same version loses.
func Touch(r approvals.Request, at time.Time) store.Move {
	return store.Move{ID: r.ID, From: r.State, To: r.State, Version: r.Version, At: at, Message: r.Message}
}

// Step moves one step of a request to another state.
func Step(requestID string, s approvals.StepStatus, to approvals.StepState, by By) store.StepMove {
	return store.StepMove{
		ID: requestID, Index: s.Index, From: s.State, To: to, Version: s.Version, At: by.At, Message: by.Detail,
		Sent: to == approvals.StepSending, NotBefore: s.NotBefore, ActionID: s.ActionID, RemoteStatus: s.RemoteStatus,
		Event: approvals.Event{
			At: by.At, RequestID: requestID, Type: string(to), Actor: by.Actor, Step: s.Index,
			From: string(s.State), To: string(to), Detail: by.Detail,
		},
	}
}

// Note is an audit row of something that changed nothing.
func Note(requestID, kind string, by By) approvals.Event {
	return approvals.Event{At: by.At, RequestID: requestID, Type: kind, Actor: by.Actor, Step: -1, Detail: by.Detail}
}

// Expire expires r when the clock says so, and reports whether r is now expired. When somebody else moved r first,
// nothing happens and what r has become is returned.
func Expire(ctx context.Context, db *store.DB, r approvals.Request, now time.Time) (approvals.Request, error) {
	why, due := approvals.Overdue(r, now)
	if !due {
		return r, nil
	}
	err := db.InTx(ctx, func(tx *store.Tx) error {
		if err := tx.Move(ctx, Request(r, approvals.Expired, By{At: now, Actor: Clock, Detail: why})); err != nil {
			return err
		}
		return Notify(ctx, tx, r.ID, "expired")
	})
	if err != nil && approvals.KindOf(err) != approvals.KindConflict {
		return r, err
	}
	return db.Request(ctx, r.ID)
}

// Notify asks for the request's card to be brought up to date. The nonce keeps the job apart from one that is running
// now and has already read the older state.
func Notify(ctx context.Context, tx *store.Tx, requestID, nonce string) error {
	return tx.Enqueue(ctx, store.Job{Kind: store.Notify, RequestID: requestID, Nonce: nonce}, time.Time{})
}

// Verify compares r with its audit rows: KindTampering when they don't agree, KindConflict when r moved meanwhile, and
// KindDenied when it was withdrawn, whatever became of its steps since.
func Verify(ctx context.Context, db *store.DB, r approvals.Request) error {
	_, err := Verified(ctx, db, r)
	return err
}

// Verified is Verify, and returns the audit rows that it went by.
func Verified(ctx context.Context, db *store.DB, r approvals.Request) ([]approvals.Event, error) {
	events, err := db.Trail(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	wrong := Agrees(r, events)
	if approvals.KindOf(wrong) != approvals.KindTampering {
		return events, wrong
	}
	// The rows were read after r, so another process may have moved it in between. Only what is still the same is wrong.
	now, err := db.Request(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	if !sameVersions(r, now) {
		return nil, approvals.Refuse(approvals.KindConflict, nil, "request %s was changed meanwhile; look again", r.ID)
	}
	return nil, wrong
}

// Agrees compares r with its audit rows that were read together with it: KindTampering when they don't agree, and
// KindDenied when it was withdrawn, whatever became of its steps since.
func Agrees(r approvals.Request, events []approvals.Event) error {
	fault := approvals.CheckHistory(r, events)
	if fault == nil {
		return notWithdrawn(r, events)
	}
	return fault
}

func notWithdrawn(r approvals.Request, events []approvals.Event) error {
	if how, yes := approvals.Withdrawn(events); yes {
		return approvals.Refuse(approvals.KindDenied, nil, "request %s was %s", r.ID, how)
	}
	return nil
}

func sameVersions(a, b approvals.Request) bool {
	return a.Version == b.Version && a.State == b.State && len(a.Votes) == len(b.Votes) &&
		slices.EqualFunc(a.Steps, b.Steps, func(x, y approvals.StepStatus) bool { return x.Version == y.Version && x.State == y.State })
}
