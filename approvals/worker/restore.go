package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/internal/change"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/failpoint"
)

// lookBack asks once whether the database was restored from a backup, and stops everything when it was.
func (w *Worker) lookBack(ctx context.Context) error {
	if w.o.Restored == nil || w.lookedBack.Load() {
		return nil
	}
	finding, err := w.o.Restored(ctx)
	if err != nil {
		return fmt.Errorf("whether the database was restored from a backup could not be found out, so nothing is started: %w", err)
	}
	if finding != "" {
		w.o.Logger.ErrorContext(ctx, "the database is older than it should be; everything is stopped until approvers lift it", "finding", finding)
		if err := w.board.Restored(ctx, finding); err != nil {
			return err
		}
	}
	w.lookedBack.Store(true)
	return nil
}

// settle compares a restored database with the tenant: what the tenant did and the database has forgotten is adopted, so
// that it is not done again. Until that was possible for every step, nobody can lift the stop.
func (w *Worker) settle(ctx context.Context) error {
	if w.o.Performer == nil {
		return nil
	}
	if err := w.lookBack(ctx); err != nil {
		return err
	}
	if todo, err := w.board.Unsettled(ctx); err != nil || !todo {
		return err
	}
	rows, err := w.board.Live(ctx, approvals.Pending, approvals.Approved, approvals.Running)
	if err != nil {
		return err
	}
	adopted, cancelled := 0, 0
	var faults []error
	for _, r := range rows {
		n, err := w.reconcile(ctx, r)
		faults = append(faults, err)
		if r.State == approvals.Running {
			adopted += n
		} else {
			cancelled += min(n, 1)
		}
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	return w.board.Reconciled(ctx, fmt.Sprintf("%d requests were compared with the tenant, %d steps adopted, %d requests cancelled because they were already performed",
		len(rows), adopted, cancelled))
}

// reconcile looks in the tenant for every step of r that the database believes not to have been accepted, and returns how
// many were found.
func (w *Worker) reconcile(ctx context.Context, r approvals.Request) (found int, err error) {
	for _, s := range r.Steps {
		if s.State != approvals.StepWaiting && s.State != approvals.StepSending {
			continue
		}
		receipt, ok, err := w.find(ctx, r, s)
		failpoint.Hit(failpoint.DuringRestore)
		switch {
		case err != nil:
			return found, fmt.Errorf("step %d of request %s could not be looked for: %w", s.Index+1, r.ID, err)
		case !ok:
			continue
		case r.State != approvals.Running:
			return 1, w.performedBefore(ctx, r, s, receipt)
		}
		if err := w.adopt(ctx, r, s, receipt); err != nil {
			return found, err // also a conflict: the next round sees what it has become
		}
		found++
	}
	return found, nil
}

func (w *Worker) find(ctx context.Context, r approvals.Request, s approvals.StepStatus) (Receipt, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, w.timing.WriteTimeout)
	defer cancel()
	receipt, found, err := w.o.Performer.Find(ctx, task(r, s), r.CreatedAt.Add(-clockSkew))
	if err == nil && found && receipt.ActionID == "" {
		err = errors.New("the tenant names no action id")
	}
	return receipt, found, err
}

// performedBefore cancels a request that had not begun and of which the tenant has done something.
func (w *Worker) performedBefore(ctx context.Context, r approvals.Request, s approvals.StepStatus, receipt Receipt) error {
	by := change.By{At: w.now(), Actor: change.Worker, Detail: fmt.Sprintf(
		"was already performed before the restore: step %d is action %s; look at what it did", s.Index+1, receipt.ActionID)}
	return w.inTx(ctx, func(tx *store.Tx) error {
		if err := tx.Move(ctx, change.Request(r, approvals.Cancelled, by)); err != nil {
			return err
		}
		return change.Notify(ctx, tx, r.ID, "restored")
	})
}

// adopt takes over what the tenant has done of a running request, all in one transaction.
func (w *Worker) adopt(ctx context.Context, r approvals.Request, s approvals.StepStatus, receipt Receipt) error {
	by := change.By{At: w.now(), Actor: change.Worker, Detail: "found in the tenant after the database was restored, as action " + receipt.ActionID}
	return w.inTx(ctx, func(tx *store.Tx) error {
		if s.State == approvals.StepWaiting {
			if err := tx.MoveStep(ctx, change.Step(r.ID, s, approvals.StepSending, by)); err != nil {
				return err
			}
			s.State, s.Version, s.NotBefore = approvals.StepSending, s.Version+1, time.Time{}
		}
		s.ActionID, s.RemoteStatus = receipt.ActionID, receipt.RemoteStatus
		if err := tx.MoveStep(ctx, change.Step(r.ID, s, approvals.StepAccepted, by)); err != nil {
			return err
		}
		return change.Notify(ctx, tx, r.ID, "restored")
	})
}
