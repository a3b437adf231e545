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

const (
	// sweepLimit bounds what one sweep looks at; the next one goes on.
	sweepLimit = 500
	// cardsLimit is how many of the newest requests have their cards checked.
	cardsLimit = 200
	// cardMemory is how long after its end a request's card is still brought up to date.
	cardMemory = time.Hour
	// seenMemory is how long deliveries are remembered.
	seenMemory = 2 * time.Hour
)

// expire ends a request whose time is over, and waits for the moment when it is not over yet.
func (w *Worker) expire(ctx context.Context, id string) (time.Duration, error) {
	r, err := w.o.Store.Request(ctx, id)
	if approvals.KindOf(err) == approvals.KindNotFound {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if r, err = change.Expire(ctx, w.o.Store, r, w.now()); err != nil {
		return 0, err
	}
	if r.State != approvals.Pending {
		return 0, nil
	}
	return max(r.ExpiresAt.Sub(w.now()), time.Millisecond), nil
}

// sweep mends what a crash or a lost job left: it expires what is overdue, pushes what stands still and has cards
// brought up to date. Each part is tried whatever became of the others.
func (w *Worker) sweep(ctx context.Context) error {
	if err := w.settle(ctx); err != nil {
		w.o.Logger.ErrorContext(ctx, "a restored database could not be compared with the tenant yet; everything stays stopped", "error", err)
	}
	return errors.Join(w.board.Enforce(ctx), w.sweepOverdue(ctx), w.sweepStale(ctx), w.sweepBoxes(ctx), w.sweepCards(ctx), w.o.Store.Prune(ctx, w.now().Add(-seenMemory)))
}

func (w *Worker) sweepOverdue(ctx context.Context) error {
	ids, err := w.o.Store.DueToExpire(ctx, w.now())
	if err != nil {
		return err
	}
	var faults []error
	for _, id := range ids {
		_, err := w.expire(ctx, id)
		faults = append(faults, err) // one that can't be read must not keep the others alive
	}
	return errors.Join(faults...)
}

// sweepStale pushes every request that stands still, even while its old job is held by a process that died. The store
// keeps the repeats of a request to one job, so that pushes don't pile up.
func (w *Worker) sweepStale(ctx context.Context) error {
	now := w.now()
	ids, err := w.o.Store.Stale(ctx, []approvals.State{approvals.Approved, approvals.Running}, now.Add(-w.timing.Recovery), sweepLimit)
	if err != nil {
		return err
	}
	for _, id := range ids {
		err := w.o.Store.InTx(ctx, func(tx *store.Tx) error {
			return tx.Enqueue(ctx, store.Job{Kind: store.Advance, RequestID: id, Nonce: w.bucket(now)}, time.Time{})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sweepCards has every card brought up to date that shows an older version than its request has now.
func (w *Worker) sweepCards(ctx context.Context) error {
	rows, err := w.o.Store.Requests(ctx, store.Filter{Limit: cardsLimit})
	if err != nil {
		return err
	}
	now := w.now()
	for _, r := range rows {
		if r.State.Terminal() && now.Sub(r.FinishedAt) > cardMemory {
			continue
		}
		card, found, err := w.o.Store.Message(ctx, r.ID, "card")
		if err != nil {
			return err
		}
		if found && card.Version >= r.Version {
			continue
		}
		err = w.o.Store.InTx(ctx, func(tx *store.Tx) error { return change.Notify(ctx, tx, r.ID, w.bucket(now)) })
		if err != nil {
			return err
		}
	}
	return nil
}

// bucket names a stretch of time, so that sweeps of several processes push once per stretch.
func (w *Worker) bucket(now time.Time) string {
	return fmt.Sprintf("sweep-%d", now.UnixMilli()/max(w.timing.Recovery.Milliseconds(), 1))
}
