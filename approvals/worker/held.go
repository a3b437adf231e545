package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/internal/change"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// heldBack leaves what was not sent as it is while something is stopped, or while nobody can tell whether it is. What was
// sent is looked after all the same.
func (w *Worker) heldBack(ctx context.Context, p *pass, r approvals.Request, why error) (move, error) {
	if approvals.KindOf(why) == approvals.KindStore {
		return done(), why
	}
	w.o.Logger.InfoContext(ctx, "nothing of a request is sent now", "request", r.ID, "why", why, "cause", errors.Unwrap(why))
	if r.State == approvals.Running {
		return p.hold(w.timing.Poll), nil
	}
	return move{again: w.timing.Poll}, nil
}

// slowly is how often something is tried again that is not urgent.
func (w *Worker) slowly() time.Duration { return 12 * w.timing.Poll }

// reach cancels a pending request that certainly nobody can approve, so that its requester need not wait for nothing.
func (w *Worker) reach(ctx context.Context, r approvals.Request) (move, error) {
	err := w.tally.Reachable(ctx, r)
	switch kind := approvals.KindOf(err); {
	case err == nil:
		return done(), nil
	case kind == approvals.KindDenied:
		by := change.By{At: w.now(), Actor: change.Worker, Detail: err.Error()}
		return done(), w.inTx(ctx, func(tx *store.Tx) error {
			if err := tx.Move(ctx, change.Request(r, approvals.Cancelled, by)); err != nil {
				return err
			}
			return change.Notify(ctx, tx, r.ID, "unreachable")
		})
	case kind == approvals.KindTampering:
		w.o.Logger.ErrorContext(ctx, "a pending request does not verify; nothing is done with it", "request", r.ID, "error", err)
		return done(), nil
	}
	w.o.Logger.WarnContext(ctx, "whether anybody can approve a request could not be looked up", "request", r.ID, "error", err, "cause", errors.Unwrap(err))
	return move{again: w.slowly()}, nil
}

// remind writes down, once each, that the approvers of a pending request were reminded, and that a further group is asked.
func (w *Worker) remind(ctx context.Context, id string) error {
	r, err := w.o.Store.Request(ctx, id)
	if err != nil || r.State != approvals.Pending {
		return nothing(err)
	}
	due := reminders(r, w.now())
	if len(due) == 0 {
		return nil
	}
	rows, err := w.o.Store.Events(ctx, store.Query{RequestID: id})
	if err != nil {
		return err
	}
	said := map[string]bool{}
	for _, e := range rows {
		said[e.Type+e.Detail] = true
	}
	for _, text := range due {
		if said[approvals.EventReminded+text] {
			continue
		}
		by := change.By{At: w.now(), Actor: change.Clock, Detail: text}
		err := w.inTx(ctx, func(tx *store.Tx) error {
			if err := tx.Move(ctx, change.Touch(r, by.At)); err != nil {
				return err
			}
			return tx.Note(ctx, change.Note(id, approvals.EventReminded, by))
		})
		if approvals.KindOf(err) == approvals.KindConflict {
			return nil // a vote came in between, or another process said it; the next notice looks again
		}
		if err != nil {
			return err
		}
		said[approvals.EventReminded+text] = true // two quorums may escalate to the same group
		r.Version++
	}
	return nil
}

// nothing takes a request that is gone, or that can't be understood, for nothing to do.
func nothing(err error) error {
	if kind := approvals.KindOf(err); kind == approvals.KindNotFound || kind == approvals.KindTampering {
		return nil
	}
	return err
}

// reminders are the texts of what is due of a pending request: its reminder, and each group that is asked as well by now.
func reminders(r approvals.Request, now time.Time) (due []string) {
	passed := func(after time.Duration) bool { return !now.Before(r.CreatedAt.Add(after)) }
	if r.Terms.RemindAfter > 0 && passed(r.Terms.RemindAfter) {
		due = append(due, fmt.Sprintf("reminder: nobody has decided for %v", r.Terms.RemindAfter))
	}
	for _, e := range r.Escalations() {
		if passed(e.After) {
			due = append(due, fmt.Sprintf("group %s: is asked as well, because nobody has decided for %v", e.To.Name, e.After))
		}
	}
	return due
}
