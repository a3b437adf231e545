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

// fetchMessage marks an accepted step whose action has ended and whose result is being fetched. The step is not asked after
// any more: from then on its job decides. Whoever alters the mark gains nothing, because a Collector looks at the action
// itself.
const fetchMessage = "finished on the device; its result is being fetched"

// collects reports whether what a step does gives something to keep.
func (w *Worker) collects(r approvals.Request, s approvals.StepStatus) bool {
	c, ok := w.o.Performer.(Collector)
	return ok && c.Collects(task(r, s))
}

// fetching reports whether a step waits for its result.
func (w *Worker) fetching(r approvals.Request, s approvals.StepStatus) bool {
	return s.State == approvals.StepAccepted && s.Message == fetchMessage && w.collects(r, s)
}

// beginFetch marks a step and has its result fetched, in one transaction. When the job is lost all the same, every later look
// at the request enqueues it again.
func (w *Worker) beginFetch(ctx context.Context, r approvals.Request, s approvals.StepStatus) error {
	now := w.now()
	m := change.Step(r.ID, s, approvals.StepAccepted, change.By{At: now, Actor: change.Worker, Detail: fetchMessage})
	m.Event = approvals.Event{} // its state is the same
	return w.inTx(ctx, func(tx *store.Tx) error {
		if err := tx.MoveStep(ctx, m); err != nil {
			return err
		}
		if err := tx.Enqueue(ctx, store.Job{Kind: store.Collect, RequestID: r.ID, Step: s.Index}, time.Time{}); err != nil {
			return err
		}
		return tellOfSteps(ctx, tx, r.ID, now)
	})
}

// enqueueFetch does nothing while the step has an unfinished job.
func (w *Worker) enqueueFetch(ctx context.Context, id string, step int) error {
	return w.inTx(ctx, func(tx *store.Tx) error {
		return tx.Enqueue(ctx, store.Job{Kind: store.Collect, RequestID: id, Step: step}, time.Time{})
	})
}

// collect fetches the result of one step and ends the step with it. Nothing that was stopped meanwhile holds it up: what was
// sent is seen through.
func (w *Worker) collect(ctx context.Context, id string, step int) (time.Duration, error) {
	r, err := w.o.Store.Request(ctx, id)
	switch kind := approvals.KindOf(err); {
	case kind == approvals.KindNotFound:
		return 0, nil
	case kind == approvals.KindTampering:
		w.o.Logger.ErrorContext(ctx, "a stored request can't be understood; nothing is fetched for it", "request", id, "error", err)
		return 0, nil
	case err != nil:
		return 0, err
	case step < 0 || step >= len(r.Steps) || !w.fetching(r, r.Steps[step]):
		return 0, nil // done by another job, or never begun
	}
	s := r.Steps[step]
	fetchCtx, cancel := context.WithTimeout(ctx, w.timing.FetchTimeout)
	defer cancel()
	progress, fault := w.fetch(fetchCtx, r, s)
	if again := w.tryAgain(s, fault); again > 0 {
		w.o.Logger.WarnContext(ctx, "the result of an action could not be fetched yet; it will be tried again",
			"request", r.ID, "step", s.Index, "action", s.ActionID, "in", again, "error", fault)
		return again, nil
	}
	err = w.endFetch(ctx, r, s, progress, fault)
	if approvals.KindOf(err) == approvals.KindConflict {
		return store.Soon, nil // look what it has become
	}
	return 0, err
}

// fetch calls the performer, whose answer is taken for an end only when it is one.
func (w *Worker) fetch(ctx context.Context, r approvals.Request, s approvals.StepStatus) (Progress, error) {
	c, ok := w.o.Performer.(Collector)
	if !ok {
		return Progress{}, errors.New("this worker can't collect")
	}
	t := task(r, s)
	t.Approvers = w.approvers(r)
	progress, err := c.Collect(ctx, t, s.ActionID)
	if err == nil && !approvals.StepAccepted.CanMove(progress.State) {
		err = fmt.Errorf("the performer says that a step which was fetched is %q", progress.State)
	}
	return progress, err
}

// tryAgain is how long to wait before the next try; zero when it succeeded, can't, or was tried for long enough.
func (w *Worker) tryAgain(s approvals.StepStatus, fault error) time.Duration {
	var refused *Refused
	since := w.now().Sub(s.UpdatedAt)
	if fault == nil || errors.As(fault, &refused) || since >= w.timing.FetchLimit {
		return 0
	}
	again := min(max(w.timing.Poll, since/10), 12*w.timing.Poll) // soon at first, less often the longer it takes
	var notSent *NotSent
	if errors.As(fault, &notSent) {
		again = max(again, notSent.RetryAfter)
	}
	return min(again, w.timing.FetchLimit-since) // the last try is at the limit
}

// endFetch ends the step, and has the request looked at, in one transaction.
func (w *Worker) endFetch(ctx context.Context, r approvals.Request, s approvals.StepStatus, p Progress, fault error) error {
	to, by := p.State, change.By{At: w.now(), Actor: change.Worker, Detail: p.Message}
	if fault != nil {
		to, by.Detail = approvals.StepFailed, "It was done; the result could not be fetched: "+whyNot(fault)
		w.o.Logger.ErrorContext(ctx, "the result of an action was not fetched", "request", r.ID, "step", s.Index, "action", s.ActionID, "error", fault)
	} else if p.RemoteStatus != "" {
		s.RemoteStatus = p.RemoteStatus
	}
	m := change.Step(r.ID, s, to, by)
	return w.inTx(ctx, func(tx *store.Tx) error {
		if err := tx.MoveStep(ctx, m); err != nil {
			return err
		}
		if err := w.succeeded(ctx, tx, r, m); err != nil {
			return err
		}
		if err := tellOfSteps(ctx, tx, r.ID, m.At); err != nil {
			return err
		}
		return tx.Enqueue(ctx, store.Job{Kind: store.Advance, RequestID: r.ID}, time.Time{})
	})
}

// whyNot is for people. Only a performer's own refusal is: other errors may hold what is for the log alone.
func whyNot(fault error) string {
	var refused *Refused
	if errors.As(fault, &refused) {
		return text(refused)
	}
	return "it was tried again and again and failed each time; the worker's log has the cause. Defender may still have it"
}

// approvers are the people whose signed votes said yes to this very request. A vote whose signature does not hold names nobody.
func (w *Worker) approvers(r approvals.Request) (ids []string) {
	for _, v := range r.Votes {
		forThis := v.RequestID == r.ID && v.Digest == r.Digest && v.Verdict == approvals.VerdictApprove
		if forThis && w.o.Verifier.Verify(v) == nil {
			ids = append(ids, v.Voter.ID)
		}
	}
	return ids
}
