// Package control holds the switches of the gate: the kill switch and the freezing of a toolset, which any responder may
// press and only approvers lift, and what else goes on only after people said so, such as a fleet that its stop rule
// paused. A switch is not a row that could be changed: it is what the audit says was pressed and lifted.
package control

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/internal/change"
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
type Board struct {
	o Options

	mu sync.Mutex
	// watch is what this process has read of the audit; only a board with a Tally keeps one.
	watch watch
	// lifted remembers the presses, each with its whole row, whose lift was verified. A number alone could be another press's
	// once rows were removed.
	lifted map[approvals.Event]bool
}

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
	return &Board{o: o, lifted: map[approvals.Event]bool{}}, nil
}

// Verifies reports whether the board believes a lift only with the votes of the request behind it.
func (b *Board) Verifies() bool { return b.o.Tally != nil }

// Held is KindHeld when the tool may not act now, because everything or its toolset is stopped. An unknown tool counts as
// one of every toolset. To ask for a lift is never held.
func (b *Board) Held(ctx context.Context, tool string) error {
	_, err := b.Clear(ctx, tool)
	return err
}

// Clearance says that nothing held a tool when somebody looked.
type Clearance struct {
	board *Board
	tool  string
	// seq is the last audit row that was looked at.
	seq int64
}

// Clear is Held, and gives what to look at again in the transaction that acts.
func (b *Board) Clear(ctx context.Context, tool string) (Clearance, error) {
	stops, seq, err := b.current(ctx)
	if err != nil {
		return Clearance{}, err
	}
	for _, s := range stops {
		if b.covers(s, tool) {
			return Clearance{}, held(s)
		}
	}
	return Clearance{board: b, tool: tool, seq: seq}, nil
}

// Still is KindHeld when something was stopped, as tx sees it, after the clearance was given.
func (c Clearance) Still(ctx context.Context, tx *store.Tx) error {
	rows, err := tx.Marks(ctx, []string{approvals.EventStopped}, c.seq)
	if err != nil {
		return err
	}
	for _, s := range approvals.Stops(rows) {
		if c.board.covers(s, c.tool) {
			return held(s)
		}
	}
	return nil
}

// InForce lists the stops that are in force, oldest scope first. A lift that does not verify leaves its stop in force, with
// the reason in Doubt.
func (b *Board) InForce(ctx context.Context) ([]approvals.Stop, error) {
	stops, _, err := b.current(ctx)
	return stops, err
}

// current is InForce, and the last audit row that was looked at.
func (b *Board) current(ctx context.Context) ([]approvals.Stop, int64, error) {
	marks, seq, err := b.marks(ctx)
	if err != nil {
		return nil, 0, err
	}
	var stops []approvals.Stop
	for _, s := range approvals.Stops(marks) {
		err := b.liftedBy(ctx, s)
		if err == nil {
			continue
		}
		if approvals.KindOf(err) == approvals.KindStore {
			return nil, 0, err
		}
		if s.Lift != nil {
			s.Doubt = err.Error()
		}
		stops = append(stops, s)
	}
	return stops, seq, nil
}

// covers reports whether s holds the tool.
func (b *Board) covers(s approvals.Stop, tool string) bool {
	if tool == approvals.ToolLift {
		return false
	}
	info, known := b.o.Tools[tool]
	return !known || s.Covers(info.Toolset)
}

// held tells people what is stopped, by whom, why, and why a lift does not count.
func held(s approvals.Stop) error {
	what := name(s.Scope)
	doubt := ""
	if s.Doubt != "" {
		doubt = "; its lift does not count: " + s.Doubt
	}
	return approvals.Refuse(approvals.KindHeld, nil, "%s stopped since %s by %s: %s%s; approvers lift it in Slack, with /mde lift %s",
		what, s.Event.At.UTC().Format(time.RFC3339), s.Event.Actor, s.Why, doubt, s.Scope)
}

func name(scope string) string {
	switch scope {
	case approvals.ScopeAll:
		return "everything is"
	case approvals.ScopeRestore:
		return "everything is (restored database)"
	}
	return "the toolset " + scope + " is"
}

// scopes lists what may be pressed.
func (b *Board) scopes() []string {
	all := []string{approvals.ScopeAll}
	for _, info := range b.o.Tools {
		if info.Toolset != "" && !slices.Contains(all, info.Toolset) {
			all = append(all, info.Toolset)
		}
	}
	slices.Sort(all[1:])
	return all
}

// scope checks what somebody wants to press; nothing means everything.
func (b *Board) scope(s string) (string, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	if s == "" {
		return approvals.ScopeAll, nil
	}
	if all := b.scopes(); !slices.Contains(all, s) {
		return "", approvals.Refuse(approvals.KindInvalid, nil, "there is nothing called %q to stop; there are %s", clip(s, 60), strings.Join(all, ", "))
	}
	return s, nil
}

// clip makes one line of at most n characters of what somebody typed.
func clip(s string, n int) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "�")), " ")
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// maxWords is how much of somebody's words an audit row keeps.
const maxWords = 400

// now is the clock in the store's resolution.
func (b *Board) now() time.Time { return b.o.Clock().UTC().Truncate(time.Millisecond) }

// by says who did something, now.
func (b *Board) by(actor, detail string) change.By {
	return change.By{At: b.now(), Actor: actor, Detail: detail}
}
