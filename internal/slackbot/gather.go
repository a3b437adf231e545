package slackbot

import (
	"context"
	"errors"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/slackbot/cards"
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
		History(ctx context.Context, id string) (approvals.Request, []approvals.Event, error)
		Marks(ctx context.Context, types []string, after int64) ([]approvals.Event, error)
		Timeboxes(ctx context.Context, requestID string) ([]store.Timebox, error)
	}
)

// scene is a request and all that is told of it.
type scene struct {
	approvals.Request
	around cards.Around
	trail  cards.Trail
	// seen are the messages that were posted or are being posted, by their keys.
	seen map[string]store.Message
}

// read returns a request and what is told of it. What can't be had from the store or the board is an error, so that the
// job comes again; policy's answer is left out when it can't be had, because the card must not wait for it.
func (n *Notifier) read(ctx context.Context, id string) (s scene, err error) {
	// The switches come first, so that none is pressed after the moment at which the request is seen: it might have ended
	// before.
	if s.trail.Switches, err = n.presses(ctx); err != nil {
		return s, err
	}
	if s.Request, s.trail.Own, err = n.store.History(ctx, id); err != nil {
		return s, err
	}
	if s.seen, err = n.store.Messages(ctx, id); err != nil || approvals.Genuine(s.Request) != nil {
		return s, err
	}
	s.trail.Switches = n.about(s.Request, s.trail.Switches)
	s.around, err = n.look(ctx, s.Request, s.trail.Own)
	return s, err
}

// look is what the card shows besides the request.
func (n *Notifier) look(ctx context.Context, r approvals.Request, own []approvals.Event) (a cards.Around, err error) {
	a.Asks = n.asks(ctx, r)
	if r.Terms.BreakGlass {
		a.Tell = n.tell
	}
	if r.State == approvals.Approved || r.State == approvals.Running {
		if a.Stops, err = n.stops(ctx, r); err != nil {
			return a, err
		}
	}
	if r.State == approvals.Running && r.Terms.Wave.Width > 0 {
		a.Pause, a.Resume = pause(own)
	}
	if r.Plan.TimeBox != nil && r.Begun() {
		rows, err := n.store.Timeboxes(ctx, r.ID)
		if err != nil {
			return a, err
		}
		a.Boxes = cards.BoxesOf(rows)
	}
	return a, nil
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
	if n.board == nil {
		return nil, nil
	}
	all, err := n.board.InForce(ctx)
	if err != nil {
		return nil, err
	}
	var about []approvals.Stop
	for _, s := range all {
		if n.heeds(r, s.Scope) {
			about = append(about, s)
		}
	}
	return about, nil
}

// heeds reports whether a stop of that scope holds r. A tool that is not known here heeds all, and to lift a stop is never
// stopped.
func (n *Notifier) heeds(r approvals.Request, scope string) bool {
	info, known := n.tools[r.Plan.Tool]
	return r.Plan.Tool != approvals.ToolLift && (!known || approvals.Stop{Scope: scope}.Covers(info.Toolset))
}

// marksPage is how many rows the store returns at a time.
const marksPage = 5000

// presses are the rows of all stops and lifts.
func (n *Notifier) presses(ctx context.Context) (all []approvals.Event, err error) {
	if n.board == nil {
		return nil, nil
	}
	after := int64(0)
	for {
		rows, err := n.store.Marks(ctx, []string{approvals.EventStopped, approvals.EventLifted}, after)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
		if len(rows) < marksPage {
			return all, nil
		}
		after = rows[len(rows)-1].Seq
	}
}

// about keeps the rows of the switches that r heeds.
func (n *Notifier) about(r approvals.Request, rows []approvals.Event) (own []approvals.Event) {
	for _, e := range rows {
		scope, _, found := strings.Cut(e.Detail, ": ")
		if !found {
			scope = approvals.ScopeAll // as the board reads it
		}
		if n.heeds(r, scope) {
			own = append(own, e)
		}
	}
	return own
}

// pause is why the stop rule holds a request now, by its own rows, and the request that asks whether it may go on; empty
// when it does not. A card believes the audit's word that people said yes; whether they did is for the worker to verify.
func pause(own []approvals.Event) (why, resume string) {
	p, paused := approvals.LastPause(own)
	if !paused || len(p.Resumed) > 0 {
		return "", ""
	}
	return p.Why, p.Asked
}
