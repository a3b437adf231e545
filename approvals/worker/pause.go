package worker

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/gate"
	"github.com/mde-ops/mde-ops/approvals/internal/change"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/failpoint"
)

// pausedError says that the stop rule holds a request and people have not let it go on.
type pausedError struct {
	pause approvals.Pause
	why   error
}

// Error says why the request does not go on.
func (e *pausedError) Error() string { return e.why.Error() }

// Unwrap returns what the switches said.
func (e *pausedError) Unwrap() error { return e.why }

// resumed is when people voted that r may go on after its last pause; zero when it was never paused.
func (w *Worker) resumed(ctx context.Context, r approvals.Request, events []approvals.Event) (time.Time, error) {
	pause, yes := approvals.LastPause(events)
	if !yes {
		return time.Time{}, nil
	}
	asked, err := w.board.Resumption(ctx, r, pause)
	switch kind := approvals.KindOf(err); {
	case kind == approvals.KindStore || kind == approvals.KindNoAnswer || kind == approvals.KindConflict:
		return time.Time{}, err
	case err != nil:
		return time.Time{}, &pausedError{pause: pause, why: err}
	}
	var at time.Time
	for _, v := range asked.Votes {
		if v.At.After(at) {
			at = v.At
		}
	}
	return at, nil
}

// wave is in which portions r is sent: as it was approved, or as policy says now where that is stricter.
func (w *Worker) wave(ctx context.Context, r approvals.Request, since time.Time) (approvals.Wave, error) {
	if len(r.Steps) == 1 {
		return approvals.Wave{}, nil
	}
	now, err := approvals.Decide(ctx, w.o.Policy, w.o.Store, r.Plan, r.Requester,
		approvals.DecideAt{At: since, Except: r.ID, BreakGlass: r.Terms.BreakGlass})
	if err != nil {
		return approvals.Wave{}, err
	}
	now.Outcome = approvals.Allow // what else it says was counted; here only the terms are joined
	return approvals.Stricter(approvals.Decision{Outcome: approvals.Allow, Terms: r.Terms}, now).Terms.Wave, nil
}

// nextWave waits for the next portion, or holds the request when the stop rule says so.
func (w *Worker) nextWave(ctx context.Context, p *pass, r approvals.Request, portion approvals.Portion, now time.Time) (move, error) {
	if portion.Pause != "" {
		failpoint.Hit(failpoint.BeforePause)
		by := change.By{At: now, Actor: change.Worker, Detail: portion.Pause}
		return look(), w.noteOn(ctx, r, approvals.EventPaused, "paused: "+portion.Pause, by)
	}
	again := w.timing.Poll
	if !portion.Again.IsZero() {
		again = min(again, portion.Again.Sub(now))
	}
	return p.hold(max(again, time.Millisecond)), nil
}

// noteOn writes an audit row on a request that says so on its card. Taking its next version makes everybody look again.
func (w *Worker) noteOn(ctx context.Context, r approvals.Request, kind, message string, by change.By) error {
	return w.inTx(ctx, func(tx *store.Tx) error {
		move := change.Touch(r, by.At)
		move.Message = message
		if err := tx.Move(ctx, move); err != nil {
			return err
		}
		if err := tx.Note(ctx, change.Note(r.ID, kind, by)); err != nil {
			return err
		}
		return change.Notify(ctx, tx, r.ID, fmt.Sprintf("%s-%d", kind, r.Version))
	})
}

// askToGoOn asks people, once for each pause, whether a paused request may go on, and skips the rest when they say no.
func (w *Worker) askToGoOn(ctx context.Context, p *pass, r approvals.Request, held *pausedError) (move, error) {
	open, no, err := w.answered(ctx, held)
	switch {
	case err != nil:
		return done(), err
	case open:
		return p.hold(w.timing.Poll), nil
	case no == "" && w.o.Gate == nil:
		no = "paused, and this process has no gate to ask people at"
	}
	if no != "" {
		return look(), w.skipRest(ctx, r, change.By{At: w.now(), Actor: change.Worker, Detail: no})
	}
	plan, err := w.board.PlanResume(ctx, r)
	if err != nil {
		return done(), err
	}
	asked, err := w.o.Gate.Submit(ctx, gate.Submission{Plan: plan, Requester: r.Requester, Origin: r.Origin})
	if err != nil {
		w.o.Logger.ErrorContext(ctx, "people could not be asked whether a paused request may go on; it will be tried again",
			"request", r.ID, "error", err)
		return p.hold(w.slowly()), nil
	}
	failpoint.Hit(failpoint.AfterAsking)
	by := change.By{At: w.now(), Actor: change.Worker, Detail: approvals.Asked(asked.ID)}
	return look(), w.noteOn(ctx, r, approvals.EventEscalated, fmt.Sprintf("paused: %s; request %s asks whether to go on", held.pause.Why, asked.ID), by)
}

// answered says whether the question of a pause is still open, or was answered with a no, and with which words. Neither
// means that people have to be asked, also when the kill switch cancelled the question.
func (w *Worker) answered(ctx context.Context, held *pausedError) (open bool, no string, err error) {
	id := held.pause.Asked
	if id == "" {
		return false, "", nil
	}
	asked, err := w.o.Store.Request(ctx, id)
	switch kind := approvals.KindOf(err); {
	case kind == approvals.KindNotFound || kind == approvals.KindTampering:
		return false, "paused, and request " + id + ", which asked whether to go on, can't be read", nil
	case err != nil:
		return false, "", err
	}
	asked = approvals.AsOf(asked, w.now())
	switch {
	case !asked.State.Terminal():
		return true, "", nil
	case asked.State == approvals.Cancelled && strings.HasPrefix(asked.Message, control.Stopped):
		return false, "", nil
	case asked.State == approvals.Succeeded:
		return false, fmt.Sprintf("paused, and request %s does not let it go on: %v", id, held.why), nil
	}
	return false, fmt.Sprintf("paused, and request %s, which asked whether to go on, was %s: %s", id, asked.State, asked.Message), nil
}
