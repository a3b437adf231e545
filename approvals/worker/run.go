package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/internal/change"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/failpoint"
)

// run does the next act for a running request: send what waits, then look for what was lost, then follow, then finish.
func (w *Worker) run(ctx context.Context, p *pass, r approvals.Request) (move, error) {
	next, ok := w.next(p, r)
	if ok && !w.hasTime(p) {
		return move{again: store.Soon}, nil
	}
	if ok && next.State == approvals.StepWaiting {
		return w.send(ctx, p, r, next)
	}
	if ok {
		p.asked[next.Index] = true
		if w.fetching(r, next) {
			return look(), w.enqueueFetch(ctx, r.ID, next.Index)
		}
		if next.State == approvals.StepSending {
			return w.recover(ctx, r, next)
		}
		return w.follow(ctx, r, next)
	}
	if final, ended := approvals.Overall(r.Steps); ended {
		return w.finish(ctx, r, final)
	}
	return move{again: w.untilNext(p, r)}, nil
}

// hasTime keeps an act from being cut off half way by the end of the job.
func (w *Worker) hasTime(p *pass) bool {
	return w.now().Sub(p.started) <= (w.timing.JobTimeout-w.timing.WriteTimeout)/2
}

// next is the step to do something about now.
func (w *Worker) next(p *pass, r approvals.Request) (approvals.StepStatus, bool) {
	full := r.Plan.Full(r.Steps)
	for _, s := range r.Steps {
		if s.State == approvals.StepWaiting && !p.held && !full {
			return s, true
		}
	}
	for _, s := range r.Steps {
		answered := !p.sent[s.Index] || w.now().Sub(s.SentAt) >= w.timing.WriteTimeout
		if s.State == approvals.StepSending && !p.asked[s.Index] && answered {
			return s, true
		}
	}
	oldest, found := approvals.StepStatus{}, false
	for _, s := range r.Steps {
		if s.State != approvals.StepAccepted || p.asked[s.Index] || w.now().Before(w.followAt(s)) {
			continue
		}
		if !found || s.UpdatedAt.Before(oldest.UpdatedAt) {
			oldest, found = s, true // the longest unasked first, so that a long plan is followed evenly
		}
	}
	return oldest, found
}

// followAt is when an accepted step is asked after: soon at first, less often the longer it takes.
func (w *Worker) followAt(s approvals.StepStatus) time.Time {
	age := s.UpdatedAt.Sub(s.SentAt)
	return s.UpdatedAt.Add(min(max(w.timing.Poll, age/10), 12*w.timing.Poll))
}

// untilNext is how long nothing has to be done.
func (w *Worker) untilNext(p *pass, r approvals.Request) time.Duration {
	wait := 12 * w.timing.Poll
	for _, s := range r.Steps {
		switch s.State {
		case approvals.StepSending:
			wait = min(wait, w.timing.Poll)
		case approvals.StepAccepted:
			if !w.fetching(r, s) { // the job that fetches says when it is done
				wait = min(wait, w.followAt(s).Sub(w.now()))
			}
		case approvals.StepWaiting:
			if !r.Plan.Full(r.Steps) { // else what is under way says when
				wait = min(wait, p.again)
			}
		case approvals.StepSucceeded, approvals.StepFailed, approvals.StepTimedOut,
			approvals.StepCancelled, approvals.StepSkipped, approvals.StepUnknown:
		}
	}
	return max(wait, w.timing.Poll/2, time.Millisecond)
}

// send marks a step, durably, and only then sends it, once.
func (w *Worker) send(ctx context.Context, p *pass, r approvals.Request, s approvals.StepStatus) (move, error) {
	clear, err := w.board.Clear(ctx, r.Plan.Tool)
	if err != nil {
		return w.heldBack(ctx, p, r, err)
	}
	l, err := w.verify(ctx, r)
	if err != nil {
		return w.turnAway(ctx, p, r, l, err)
	}
	now := w.now()
	if portion := l.wave.Portion(r.Steps, now, l.resumed); !slices.Contains(portion.Send, s.Index) {
		return w.nextWave(ctx, p, r, portion, now)
	}
	if wait := notBefore(r).Sub(now); wait > 0 {
		return p.hold(wait), nil
	}
	marked, err := w.mark(ctx, r, s, clear, now)
	if approvals.KindOf(err) == approvals.KindHeld {
		return w.heldBack(ctx, p, r, err)
	}
	if err != nil {
		return done(), err
	}
	return w.post(ctx, p, r, marked)
}

// mark says in the store that a step is being sent, unless something was stopped since the clearance.
func (w *Worker) mark(ctx context.Context, r approvals.Request, s approvals.StepStatus, clear control.Clearance, at time.Time) (approvals.StepStatus, error) {
	by := change.By{At: at, Actor: change.Worker, Detail: r.Plan.Steps[s.Index].Summary}
	marked := s
	marked.State, marked.Version, marked.SentAt = approvals.StepSending, s.Version+1, at
	return marked, w.o.Store.InTx(ctx, func(tx *store.Tx) error {
		// A stop is written behind the same lock, so that none can be committed between the look at it below and the mark.
		if err := tx.LockSubmissions(ctx); err != nil {
			return err
		}
		// Taking the request's next version makes everybody lose who changed it since it was verified, and whom it
		// changes under.
		if err := tx.Move(ctx, change.Touch(r, at)); err != nil {
			return err
		}
		if err := clear.Still(ctx, tx); err != nil {
			return err
		}
		return tx.MoveStep(ctx, change.Step(r.ID, s, approvals.StepSending, by))
	})
}

// post sends a marked step, once, and stores what it was answered.
func (w *Worker) post(ctx context.Context, p *pass, r approvals.Request, marked approvals.StepStatus) (move, error) {
	p.sent[marked.Index] = true
	failpoint.Hit(failpoint.AfterClaimBeforePost)
	if stalled := w.now().Sub(marked.SentAt); stalled > w.timing.SendLimit {
		return w.record(ctx, p, r, marked, Receipt{}, &NotSent{Err: fmt.Errorf("this process stood still for %v", stalled)})
	}
	receipt, err := w.apply(ctx, r, marked)
	failpoint.Hit(failpoint.AnswerReceivedNotStored)
	m, err := w.record(ctx, p, r, marked, receipt, err)
	if err == nil && marked.Index+1 < len(r.Steps) {
		failpoint.Hit(failpoint.BetweenSteps)
	}
	return m, err
}

// notBefore is the earliest time to send anything of r. What the tenant says to one step it says to all, because it
// limits the application and not the device.
func notBefore(r approvals.Request) (latest time.Time) {
	for _, s := range r.Steps {
		if s.State == approvals.StepWaiting && s.NotBefore.After(latest) {
			latest = s.NotBefore
		}
	}
	return latest
}

func (w *Worker) apply(ctx context.Context, r approvals.Request, s approvals.StepStatus) (Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, w.timing.WriteTimeout)
	defer cancel()
	return w.o.Performer.Apply(ctx, task(r, s))
}

// record stores what a send was answered. An answer that leaves doubt is not stored: the step stays marked as sending,
// and its trace is looked for.
func (w *Worker) record(ctx context.Context, p *pass, r approvals.Request, s approvals.StepStatus, receipt Receipt, answer error) (move, error) {
	var notSent *NotSent
	var refused *Refused
	by := change.By{At: w.now(), Actor: change.Worker}
	switch {
	case answer == nil && receipt.ActionID != "":
		return look(), w.accept(ctx, r, s, receipt, "accepted")
	case errors.As(answer, &notSent):
		by.Detail = text(notSent)
		again := max(notSent.RetryAfter, w.timing.Poll/2, time.Millisecond)
		s.NotBefore = by.At.Add(again) // stored, because another job or process must not be earlier either
		return p.hold(again), w.moveStep(ctx, r, change.Step(r.ID, s, approvals.StepWaiting, by))
	case errors.As(answer, &refused):
		by.Detail = text(refused)
		return look(), w.moveStep(ctx, r, change.Step(r.ID, s, approvals.StepFailed, by))
	}
	w.o.Logger.WarnContext(ctx, "whether a step was accepted is not known; its trace will be looked for",
		"request", r.ID, "step", s.Index, "error", answer)
	return look(), nil
}

// accept stores the action that a step became.
func (w *Worker) accept(ctx context.Context, r approvals.Request, s approvals.StepStatus, receipt Receipt, how string) error {
	s.ActionID, s.RemoteStatus = receipt.ActionID, receipt.RemoteStatus
	by := change.By{At: w.now(), Actor: change.Worker, Detail: how + " as action " + receipt.ActionID}
	return w.moveStep(ctx, r, change.Step(r.ID, s, approvals.StepAccepted, by))
}

// recover looks for the trace of a step whose answer was lost. It is never sent again.
func (w *Worker) recover(ctx context.Context, r approvals.Request, s approvals.StepStatus) (move, error) {
	askCtx, cancel := context.WithTimeout(ctx, w.timing.WriteTimeout)
	defer cancel()
	receipt, found, err := w.o.Performer.Find(askCtx, task(r, s), s.SentAt.Add(-clockSkew))
	switch {
	case (err != nil || found && receipt.ActionID == "") && w.now().Sub(s.SentAt) >= lookLimit:
		return look(), w.lost(ctx, r, s, fmt.Sprintf("and for %d days the tenant could not be asked what became of it", lookLimit/(24*time.Hour)))
	case err != nil || (found && receipt.ActionID == ""):
		w.o.Logger.WarnContext(ctx, "a lost step could not be looked for", "request", r.ID, "step", s.Index, "error", err)
		return look(), nil
	case found:
		return look(), w.accept(ctx, r, s, receipt, "found again after its answer was lost,")
	case w.now().Sub(s.SentAt) < w.timing.Grace:
		return look(), nil
	}
	return look(), w.lost(ctx, r, s, fmt.Sprintf("and no action tagged %s appeared within %v", approvals.Tag(r.ID, s.Index), w.timing.Grace))
}

// lost leaves a step to people: nobody can tell whether it was done.
func (w *Worker) lost(ctx context.Context, r approvals.Request, s approvals.StepStatus, why string) error {
	by := change.By{At: w.now(), Actor: change.Worker, Detail: "its answer was lost " + why + "; look at the device's actions and decide"}
	return w.moveStep(ctx, r, change.Step(r.ID, s, approvals.StepUnknown, by))
}

const (
	// clockSkew is how far the tenant's clock may be behind ours.
	clockSkew = 2 * time.Minute
	// lookLimit is when a look-up that never answers ends: a request must not wait for ever.
	lookLimit = 7 * 24 * time.Hour
)

// follow asks how far an accepted step has come.
func (w *Worker) follow(ctx context.Context, r approvals.Request, s approvals.StepStatus) (move, error) {
	askCtx, cancel := context.WithTimeout(ctx, w.timing.WriteTimeout)
	defer cancel()
	progress, err := w.o.Performer.Follow(askCtx, task(r, s), s.ActionID)
	failpoint.Hit(failpoint.DuringFollow)
	going := progress.State == approvals.StepAccepted
	if err != nil || (!going && !approvals.StepAccepted.CanMove(progress.State)) {
		w.o.Logger.WarnContext(ctx, "an action could not be followed; it will be asked after again",
			"request", r.ID, "step", s.Index, "action", s.ActionID, "state", string(progress.State), "error", err)
		return look(), nil
	}
	s.RemoteStatus = progress.RemoteStatus
	if (progress.State == approvals.StepSucceeded || progress.Results) && w.collects(r, s) {
		return look(), w.beginFetch(ctx, r, s)
	}
	m := change.Step(r.ID, s, progress.State, change.By{At: w.now(), Actor: change.Worker, Detail: progress.Message})
	if going {
		m.Event = approvals.Event{} // nothing happened but the asking
	}
	return look(), w.moveStep(ctx, r, m)
}

// moveStep moves a step and, when that is news, has people told.
func (w *Worker) moveStep(ctx context.Context, r approvals.Request, m store.StepMove) error {
	err := w.inTx(ctx, func(tx *store.Tx) error {
		if err := tx.MoveStep(ctx, m); err != nil || m.Event.Type == "" {
			return err
		}
		if err := w.succeeded(ctx, tx, r, m); err != nil {
			return err
		}
		return tellOfSteps(ctx, tx, r.ID, m.At)
	})
	if err == nil && m.To == approvals.StepSucceeded && r.Plan.TimeBox != nil {
		failpoint.Hit(failpoint.BoxArmed)
	}
	return err
}

// tellOfSteps has people told of a step's news: one notice for all steps of the same moment, because a card is edited at most
// about once a second.
func tellOfSteps(ctx context.Context, tx *store.Tx, id string, at time.Time) error {
	at = at.Truncate(noticeEvery).Add(noticeEvery)
	return tx.Enqueue(ctx, store.Job{Kind: store.Notify, RequestID: id, Nonce: fmt.Sprintf("steps-%d", at.Unix())}, at)
}

// noticeEvery is how long step news is gathered.
const noticeEvery = 2 * time.Second

// finish ends a request whose steps have all ended.
func (w *Worker) finish(ctx context.Context, r approvals.Request, final approvals.State) (move, error) {
	by := change.By{At: w.now(), Actor: change.Worker, Detail: summary(r)}
	return done(), w.inTx(ctx, func(tx *store.Tx) error {
		if err := tx.Move(ctx, change.Request(r, final, by)); err != nil {
			return err
		}
		return change.Notify(ctx, tx, r.ID, "finished")
	})
}

// summary is the outcome in one sentence.
func summary(r approvals.Request) string {
	if len(r.Steps) == 1 {
		s := r.Steps[0]
		if s.Message == "" {
			return string(s.State)
		}
		return fmt.Sprintf("%s: %s", s.State, s.Message)
	}
	counts := map[approvals.StepState]int{}
	for _, s := range r.Steps {
		counts[s.State]++
	}
	out := fmt.Sprintf("%d steps", len(r.Steps))
	for _, state := range approvals.StepStates() {
		if n := counts[state]; n > 0 {
			out += fmt.Sprintf(", %d %s", n, state)
		}
	}
	return out
}

func task(r approvals.Request, s approvals.StepStatus) Task {
	return Task{
		RequestID: r.ID, Index: s.Index, Tag: approvals.Tag(r.ID, s.Index),
		Plan: r.Plan, Step: r.Plan.Steps[s.Index], Requester: r.Requester,
	}
}
