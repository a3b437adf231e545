package slackbot

import (
	"context"
	"errors"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// The parts of other packages that tell what a card shows besides its request.
type (
	// answerer is policy's answer now; the gate has it.
	answerer interface {
		Answer(ctx context.Context, plan approvals.Plan, by approvals.Requester) (approvals.Decision, error)
	}
	// board lists the stops in force.
	board interface {
		InForce(ctx context.Context) ([]approvals.Stop, error)
	}
	// lookups is what of it the store knows.
	lookups interface {
		Events(ctx context.Context, query store.Query) ([]approvals.Event, error)
		Timeboxes(ctx context.Context, requestID string) ([]store.Timebox, error)
	}
)

// read returns a request and what its card shows besides it. What can't be had from the store or the board is an error, so
// that the job comes again; policy's answer is left out when it can't be had, because the card must not wait for it.
func (n *Notifier) read(ctx context.Context, id string) (approvals.Request, around, error) {
	r, err := n.store.Request(ctx, id)
	if err != nil || approvals.Genuine(r) != nil {
		return r, around{}, err
	}
	a := around{asks: n.asks(ctx, r)}
	if r.Terms.BreakGlass {
		a.tell = n.tell
	}
	if r.State == approvals.Approved || r.State == approvals.Running {
		if a.stops, err = n.stops(ctx, r); err != nil {
			return r, a, err
		}
	}
	if r.State == approvals.Running && r.Terms.Wave.Width > 0 {
		if a.pause, a.resume, err = n.pause(ctx, r); err != nil {
			return r, a, err
		}
	}
	if r.Plan.TimeBox != nil && r.Begun() {
		rows, err := n.store.Timeboxes(ctx, r.ID)
		if err != nil {
			return r, a, err
		}
		a.boxes = boxesOf(rows)
	}
	return r, a, nil
}

// asks is what policy asks for now besides the request's own outcome; empty when that is the same, or can't be had.
func (n *Notifier) asks(ctx context.Context, r approvals.Request) approvals.Outcome {
	if n.gate == nil || r.State != approvals.Pending {
		return ""
	}
	d, err := n.gate.Answer(ctx, r.Plan, r.Requester)
	if err != nil {
		n.log.WarnContext(ctx, "what policy asks for now could not be shown", "request", r.ID, "error", err, "cause", errors.Unwrap(err))
		return ""
	}
	if d.Outcome == r.Outcome || (d.Outcome != approvals.Approve && d.Outcome != approvals.Confirm) {
		return ""
	}
	return d.Outcome
}

// stops are those in force that hold the request.
func (n *Notifier) stops(ctx context.Context, r approvals.Request) ([]approvals.Stop, error) {
	if n.board == nil || r.Plan.Tool == approvals.ToolLift {
		return nil, nil // to lift a stop is never stopped
	}
	all, err := n.board.InForce(ctx)
	if err != nil {
		return nil, err
	}
	var about []approvals.Stop
	for _, s := range all {
		if info, known := n.tools[r.Plan.Tool]; !known || s.Covers(info.Toolset) {
			about = append(about, s)
		}
	}
	return about, nil
}

// eventsPage is how many audit rows are read at a time.
const eventsPage = 5000

// pause is why the request's stop rule holds it now, and the request that asks whether it may go on; empty when it does
// not. A card believes the audit's word that people said yes; whether they did is for the worker to verify.
func (n *Notifier) pause(ctx context.Context, r approvals.Request) (why, resume string, err error) {
	var about []approvals.Event
	q := store.Query{RequestID: r.ID, Limit: eventsPage}
	for {
		rows, err := n.store.Events(ctx, q)
		if err != nil {
			return "", "", err
		}
		for _, e := range rows {
			q.After = e.Seq
			if e.Type == approvals.EventPaused || e.Type == approvals.EventResumed || e.Type == approvals.EventEscalated {
				about = append(about, e)
			}
		}
		if len(rows) < eventsPage {
			break
		}
	}
	p, paused := approvals.LastPause(about)
	if !paused || len(p.Resumed) > 0 {
		return "", "", nil
	}
	return p.Why, p.Asked, nil
}
