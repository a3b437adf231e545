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

// maxConflicts is how often in one job a lost compare-and-set is followed by another look.
const maxConflicts = 20

// pass is what one job has done so far.
type pass struct {
	started time.Time
	// sent are the steps that this very pass sent; their answers are on their way, so nobody looks for them yet.
	sent map[int]bool
	// asked are the steps whose trace or progress was asked for in this pass.
	asked map[int]bool
	// held says that no step can be sent now, and again when to try anew. What was sent is looked after all the same.
	held  bool
	again time.Duration
}

// hold ends the sending of this pass.
func (p *pass) hold(again time.Duration) move {
	p.held, p.again = true, again
	return look()
}

// move is what one act left to do: look again now, or come back later (zero when the request has ended).
type move struct {
	more  bool
	again time.Duration
}

// look is the answer of an act that changed something.
func look() move { return move{more: true} }

// done is the answer when nothing is left.
func done() move { return move{} }

// advance takes a request as far as it can now, one small act at a time, each in its own transaction.
func (w *Worker) advance(ctx context.Context, id string) (time.Duration, error) {
	p := &pass{started: w.now(), sent: map[int]bool{}, asked: map[int]bool{}}
	for conflicts := 0; conflicts < maxConflicts; {
		r, err := w.o.Store.Request(ctx, id)
		if approvals.KindOf(err) == approvals.KindNotFound {
			return 0, nil
		}
		if approvals.KindOf(err) == approvals.KindTampering { // it stays as it is, for people to look at
			w.o.Logger.ErrorContext(ctx, "a stored request can't be understood; nothing is done with it", "request", id, "error", err)
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		m, err := w.act(ctx, p, r)
		if approvals.KindOf(err) == approvals.KindConflict {
			conflicts++ // another process or a person was faster: see what it is now
			continue
		}
		if err != nil {
			return 0, err
		}
		if !m.more {
			return m.again, nil
		}
	}
	return store.Soon, nil
}

func (w *Worker) act(ctx context.Context, p *pass, r approvals.Request) (move, error) {
	switch r.State {
	case approvals.Approved:
		return w.claim(ctx, p, r)
	case approvals.Running:
		return w.run(ctx, p, r)
	case approvals.Pending:
		return w.reach(ctx, r)
	case approvals.Succeeded, approvals.Partial, approvals.Failed, approvals.Unknown,
		approvals.Denied, approvals.Expired, approvals.Cancelled:
	}
	return done(), nil // ended; an unknown state never moves
}

// claim takes an approved request into work, if its approval really holds.
func (w *Worker) claim(ctx context.Context, p *pass, r approvals.Request) (move, error) {
	failpoint.Hit(failpoint.BeforeClaim)
	if err := w.board.Held(ctx, r.Plan.Tool); err != nil {
		return w.heldBack(ctx, p, r, err)
	}
	if l, err := w.verify(ctx, r); err != nil {
		return w.turnAway(ctx, p, r, l, err)
	}
	by := change.By{At: w.now(), Actor: change.Worker, Detail: "approval verified; started"}
	return look(), w.inTx(ctx, func(tx *store.Tx) error {
		if err := tx.Move(ctx, change.Request(r, approvals.Running, by)); err != nil {
			return err
		}
		return change.Notify(ctx, tx, r.ID, "running")
	})
}

// errTooLate says that the time to start is over.
var errTooLate = errors.New("approved, but it was not started in time")

// leave is what a verified request may do now.
type leave struct {
	// wave is in which portions its steps are sent.
	wave approvals.Wave
	// resumed is when people last said that it may go on after a pause; zero when they never had to.
	resumed time.Time
}

// verify decides whether a step of r may be sent now, from what can't be forged in the database: the tools' own risks,
// the audit, this worker's own policy, signed votes and the directory's answer of this moment.
func (w *Worker) verify(ctx context.Context, r approvals.Request) (leave, error) {
	l := leave{wave: r.Terms.Wave}
	if tool, ok := w.o.Tools[r.Plan.Tool]; !ok || !tool.States(r.Plan.Risk) || !r.Plan.Risk.Valid() || r.Plan.Risk == approvals.RiskRead {
		return l, approvals.Refuse(approvals.KindTampering, nil, "the plan says that tool %q has risk %q, which is not what the tool states",
			r.Plan.Tool, r.Plan.Risk)
	}
	tool, risk, err := w.o.Store.Filed(ctx, r.ID)
	if err == nil && (tool != r.Plan.Tool || risk != r.Plan.Risk) {
		err = approvals.Refuse(approvals.KindTampering, nil, "request %s is counted as one of %q with risk %q, and is one of %q with risk %q",
			r.ID, tool, risk, r.Plan.Tool, r.Plan.Risk)
	}
	if err != nil {
		return l, err
	}
	events, err := change.Verified(ctx, w.o.Store, r)
	if err != nil {
		return l, err
	}
	if err := w.board.Remembers(r); err != nil {
		return l, err
	}
	if r.Parent != "" {
		return l, w.verifyChild(ctx, r)
	}
	if l.resumed, err = w.resumed(ctx, r, events); err != nil {
		return l, err
	}
	seen, err := w.observe(ctx, r)
	if err != nil {
		return l, err
	}
	standing, err := w.tally.CountWith(ctx, r, seen)
	if err != nil {
		return l, err
	}
	if !standing.Met() {
		return l, approvals.Refuse(approvals.KindDenied, nil, "the approval no longer holds: it needs %s", standing.Missing())
	}
	if l.wave, err = w.wave(ctx, r, standing.Since); err != nil {
		return l, err
	}
	return l, w.inTime(r, standing, l)
}

// observe looks up what r acts on until something of it was sent. KindNoAnswer when that can't be had.
func (w *Worker) observe(ctx context.Context, r approvals.Request) (*approvals.Plan, error) {
	o, ok := w.o.Performer.(Observer)
	if !ok || r.Begun() {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, w.timing.WriteTimeout)
	defer cancel()
	seen, err := o.Observe(ctx, r.Plan)
	if err != nil && approvals.KindOf(err) != approvals.KindDenied {
		err = approvals.Refuse(approvals.KindNoAnswer, err, "what request %s acts on could not be looked up; nothing was sent", r.ID)
	}
	return &seen, err
}

// inTime says whether it is too late to start, or, once something was sent, to go on. The limits run from the last
// signed vote, be it for going on, because the stored time of the decision could have been moved. The waits of the waves
// were approved with them and come on top.
func (w *Worker) inTime(r approvals.Request, standing approvals.Standing, l leave) error {
	now := w.now()
	if now.Before(standing.Since.Add(-clockSkew)) {
		return approvals.Refuse(approvals.KindHeld, nil, "approved at %s, which is still to come: this machine's clock was put back; nothing is sent before it is right",
			standing.Since.UTC().Format(time.RFC3339))
	}
	if r.Begun() {
		within := max(w.timing.RunLimit, standing.StartWithin) + l.wave.Span(len(r.Steps))
		since := standing.Since
		if l.resumed.After(since) {
			since = l.resumed
		}
		if !now.Before(since.Add(within)) {
			return approvals.Refuse(approvals.KindDenied, nil, "not sent within %v of the approval; ask again for what is still wanted", within)
		}
		return nil
	}
	limit := standing.Since.Add(standing.StartWithin)
	if stored := r.StartBefore(); stored.Before(limit) {
		limit = stored
	}
	if !now.Before(limit) {
		return errTooLate
	}
	return nil
}

// turnAway ends what may not run, and comes back later when only an answer was missing.
func (w *Worker) turnAway(ctx context.Context, p *pass, r approvals.Request, l leave, why error) (move, error) {
	var paused *pausedError
	if errors.As(why, &paused) {
		return w.askToGoOn(ctx, p, r, paused)
	}
	log := w.o.Logger.With("request", r.ID, "error", why, "cause", errors.Unwrap(why))
	to := approvals.Cancelled
	switch kind := approvals.KindOf(why); {
	case errors.Is(why, errTooLate):
		to = approvals.Expired
	case kind == approvals.KindTampering:
		log.ErrorContext(ctx, "stored data does not verify; the request is stopped")
	case kind == approvals.KindDenied:
	case kind == approvals.KindHeld:
		return w.heldBack(ctx, p, r, why)
	default:
		return w.unanswered(ctx, p, r, l, why)
	}
	by := change.By{At: w.now(), Actor: change.Worker, Detail: why.Error()}
	if r.State == approvals.Running {
		return look(), w.skipRest(ctx, r, by)
	}
	return done(), w.inTx(ctx, func(tx *store.Tx) error {
		if err := tx.Move(ctx, change.Request(r, to, by)); err != nil {
			return err
		}
		return change.Notify(ctx, tx, r.ID, "turned-away")
	})
}

// unanswered leaves what was not sent as it is until the answer can be had, or until its time is over.
func (w *Worker) unanswered(ctx context.Context, p *pass, r approvals.Request, l leave, why error) (move, error) {
	if late := w.inTime(r, approvals.Standing{Since: r.DecidedAt, StartWithin: r.StartWithin}, l); late != nil {
		return w.turnAway(ctx, p, r, l, late)
	}
	w.o.Logger.WarnContext(ctx, "a needed answer could not be had; nothing was sent", "request", r.ID, "error", why, "cause", errors.Unwrap(why))
	if r.State == approvals.Running {
		return p.hold(w.timing.Poll), nil
	}
	return move{again: w.timing.Poll}, nil
}

// skipRest skips every step that was not sent. What was sent is still seen through.
func (w *Worker) skipRest(ctx context.Context, r approvals.Request, by change.By) error {
	return w.inTx(ctx, func(tx *store.Tx) error {
		move := change.Touch(r, by.At)
		move.Message = by.Detail
		if err := tx.Move(ctx, move); err != nil {
			return err
		}
		for _, s := range r.Steps {
			if s.State != approvals.StepWaiting {
				continue
			}
			if err := tx.MoveStep(ctx, change.Step(r.ID, s, approvals.StepSkipped, by)); err != nil {
				return err
			}
		}
		return change.Notify(ctx, tx, r.ID, fmt.Sprintf("stopped-%d", r.Version))
	})
}

// inTx commits even when the process is asked to stop meanwhile: what was learnt must be stored.
func (w *Worker) inTx(ctx context.Context, fn func(*store.Tx) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.timing.WriteTimeout)
	defer cancel()
	return w.o.Store.InTx(ctx, fn)
}
