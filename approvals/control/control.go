// Package control holds the switches of the gate: the kill switch and the freezing of a toolset, which any responder may
// press and only approvers lift, and what else goes on only after people said so, such as a fleet that its stop rule
// paused. A switch is not a row that could be changed: it is what the audit says was pressed and lifted.
package control

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// Options is what a Board is made of.
type Options struct {
	Store *store.DB
	// Tools say which toolset a tool is in.
	Tools map[string]approvals.ToolInfo
	// Tally verifies what claims to lift a stop. Without one the audit rows are believed, which serves a face that only
	// refuses early; a worker needs it.
	Tally *approvals.Tally
	// Clock is time.Now and Logger slog.Default unless set.
	Clock  func() time.Time
	Logger *slog.Logger
}

// Board reads and presses the switches. It is safe for concurrent use.
type Board struct{ o Options }

// New makes a board.
func New(o Options) (*Board, error) {
	if o.Store == nil {
		return nil, errors.New("the switches have no store: nobody could tell what is stopped")
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Board{o: o}, nil
}

// Held is KindHeld when the tool may not act now, because everything or its toolset is stopped. An unknown tool counts as
// one of every toolset.
func (b *Board) Held(ctx context.Context, tool string) error {
	events, err := b.o.Store.Marks(ctx, []string{approvals.EventStopped, approvals.EventLifted}, 0)
	if err != nil {
		return err
	}
	for _, s := range approvals.Stops(events) {
		if info, known := b.o.Tools[tool]; s.Lift == nil && (!known || s.Covers(info.Toolset)) {
			return approvals.Refuse(approvals.KindHeld, nil, "%s is stopped since %s by %s: %s", s.Scope,
				s.Event.At.UTC().Format(time.RFC3339), s.Event.Actor, s.Why)
		}
	}
	return nil
}
