package gate

import (
	"context"
	"fmt"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/internal/change"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// casAttempts is how often a change is tried again when the request moved meanwhile.
const casAttempts = 8

// Withdraw takes a request back. Only its requester may, and a caller whose identity was only configured may withdraw
// only what was asked for in the same way: otherwise anybody could stop anybody's containment. What is pending or
// approved is cancelled. When it is already running, nothing more of it is sent: the steps that were not sent are
// skipped, one that is just being sent is not sent again, and the others are seen through. KindConflict when it has ended.
func (g *Gate) Withdraw(ctx context.Context, id string, by approvals.Requester) (approvals.Request, error) {
	for range casAttempts {
		// What is stored counts and not what this clock makes of it: to cancel a request that is overdue is always safe,
		// and to refuse it because this clock is ahead would let it run.
		r, err := g.store.Request(ctx, id)
		if err != nil {
			return approvals.Request{}, err
		}
		if err := mayWithdraw(r, by); err != nil {
			return r, change.Refused(ctx, g.store, g.logger, r.ID, change.By{At: g.now(), Actor: by.ID, Detail: err.Error()}, err)
		}
		err = g.withdraw(ctx, r, change.By{At: g.now(), Actor: by.ID, Detail: "withdrawn by " + by.ID})
		if approvals.KindOf(err) == approvals.KindConflict && !r.State.Terminal() {
			continue // it moved between reading and writing: look again
		}
		if err != nil {
			return r, err
		}
		return g.store.Request(ctx, id)
	}
	return approvals.Request{}, approvals.Refuse(approvals.KindConflict, nil, "request %s keeps changing; try again", id)
}

func mayWithdraw(r approvals.Request, by approvals.Requester) error {
	if err := by.CheckID(); err != nil {
		return err
	}
	same := r.Requester.Same(by.Person)
	if !by.Verified && same { // the word of a caller who proved nothing is good for their own word only
		same = !r.Requester.Verified && r.Requester.Via == by.Via && approvals.Person{ID: by.ID}.Same(approvals.Person{ID: r.Requester.ID})
	}
	switch {
	case same:
		return nil
	case !by.Verified && r.Requester.Verified:
		return approvals.Refuse(approvals.KindDenied, nil,
			"request %s was asked for by %s, who was signed in, and who you are was only configured; withdraw it in Slack, or sign in",
			r.ID, r.Requester.ID)
	}
	return approvals.Refuse(approvals.KindDenied, nil, "only %s, who asked for request %s, can withdraw it", r.Requester.ID, r.ID)
}

func (g *Gate) withdraw(ctx context.Context, r approvals.Request, by change.By) error {
	switch r.State {
	case approvals.Pending, approvals.Approved:
		return g.store.InTx(ctx, func(tx *store.Tx) error {
			if err := tx.Move(ctx, change.Request(r, approvals.Cancelled, by)); err != nil {
				return err
			}
			return change.Notify(ctx, tx, r.ID, "withdrawn")
		})
	case approvals.Running:
		return g.stop(ctx, r, by)
	case approvals.Succeeded, approvals.Partial, approvals.Failed, approvals.Unknown,
		approvals.Denied, approvals.Expired, approvals.Cancelled:
	}
	return approvals.Refuse(approvals.KindConflict, nil, "request %s is already %s (%s); there is nothing to withdraw", r.ID, r.State, r.Message)
}

// stop skips what was not sent, and leaves a mark in the audit that keeps a step which is just being sent from being sent
// again. Taking the request's next version makes a worker that is about to send lose.
func (g *Gate) stop(ctx context.Context, r approvals.Request, by change.By) error {
	skipped, sending := count(r, approvals.StepWaiting), count(r, approvals.StepSending)
	if skipped+sending == 0 {
		return approvals.Refuse(approvals.KindInvalid, nil, "every step of request %s was already sent; use cancel_action to stop what is under way", r.ID)
	}
	return g.store.InTx(ctx, func(tx *store.Tx) error {
		for _, s := range r.Steps {
			if s.State != approvals.StepWaiting {
				continue
			}
			if err := tx.MoveStep(ctx, change.Step(r.ID, s, approvals.StepSkipped, by)); err != nil {
				return err
			}
		}
		move := change.Touch(r, by.At)
		move.Message = fmt.Sprintf("%s: %d of %d steps will not be sent", by.Detail, skipped, len(r.Steps))
		if sending > 0 {
			move.Message += fmt.Sprintf("; %d being sent, which will not be tried again", sending)
		}
		if err := tx.Move(ctx, move); err != nil {
			return err
		}
		if err := tx.Note(ctx, change.Note(r.ID, approvals.EventWithdrawn, by)); err != nil {
			return err
		}
		if err := tx.Enqueue(ctx, store.Job{Kind: store.Advance, RequestID: r.ID, Nonce: "withdrawn"}, time.Time{}); err != nil {
			return err
		}
		return change.Notify(ctx, tx, r.ID, "withdrawn")
	})
}

func count(r approvals.Request, state approvals.StepState) (n int) {
	for _, s := range r.Steps {
		if s.State == state {
			n++
		}
	}
	return n
}
