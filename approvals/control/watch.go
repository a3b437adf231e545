package control

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/internal/change"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// watch is how far this process has read the audit, and the presses and lifts that it met on the way. What it has read is
// remembered, so that a row which somebody removes afterwards still counts; and a row that was removed before it was read
// leaves a gap.
type watch struct {
	begun bool
	seq   int64
	hash  string
	marks []approvals.Event
	// sent is what was read of the sendings of each request.
	sent map[string]*sendings
}

// sendings is what this process has read of one request: how often each step was sent, when the last row was read, and
// whether it had ended by then.
type sendings struct {
	steps map[int]int
	read  time.Time
	ended bool
}

// sendMemory is how long the sendings of a request that ended are remembered: longer than policy can let an approval live.
const sendMemory = 8 * 24 * time.Hour

// liveRows bounds how many rows a process reads when it starts.
const liveRows = 100_000

// switchTypes are the types of the rows about switches.
func switchTypes() []string { return []string{approvals.EventStopped, approvals.EventLifted} }

// marks are all presses and lifts, oldest first, and the last row of the audit that they take into account.
func (b *Board) marks(ctx context.Context) ([]approvals.Event, int64, error) {
	if !b.Verifies() {
		rows, err := allMarks(ctx, b.o.Store.Marks, switchTypes()...)
		return rows, last(rows), err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.watch.begun {
		if err := b.start(ctx); err != nil {
			return nil, 0, err
		}
	}
	fault, err := b.readOn(ctx)
	if err == nil && fault != "" {
		err = b.alarm(ctx, fault)
	}
	if err != nil {
		return nil, 0, err
	}
	return b.watch.marks[:len(b.watch.marks):len(b.watch.marks)], b.watch.seq, nil
}

// begin reads the marks up to a row of the audit by their index, so that what follows is read row by row.
func (b *Board) begin(ctx context.Context, from int64, marks []approvals.Event) error {
	w := watch{begun: true, seq: from, sent: b.watch.sent}
	if w.sent == nil {
		w.sent = map[string]*sendings{}
	}
	if from > 0 {
		rows, err := b.o.Store.Events(ctx, store.Query{After: from - 1, Limit: 1})
		if err != nil {
			return err
		}
		if len(rows) == 1 && rows[0].Seq == from {
			w.hash = rows[0].Hash
		}
	}
	for _, e := range marks {
		if e.Seq <= from {
			w.marks = append(w.marks, e)
		}
	}
	b.watch = w
	return nil
}

// start begins where the oldest request that is still open was made, so that rows of open requests which somebody removed
// while no process looked leave a gap that is found. What was altered before the last time that everything was stopped to be
// compared with the tenant was dealt with then.
func (b *Board) start(ctx context.Context) error {
	head, err := b.o.Store.Head(ctx)
	if err != nil {
		return err
	}
	marks, err := allMarks(ctx, b.o.Store.Marks, switchTypes()...)
	if err != nil {
		return err
	}
	since, open, err := b.o.Store.OpenSince(ctx)
	if err != nil || !open {
		return errors.Join(err, b.begin(ctx, head, marks))
	}
	floor := max(head-liveRows, 0)
	for _, s := range marks {
		if stop, ok := stopOf([]approvals.Event{s}, approvals.ScopeRestore); ok && unsettled(stop) {
			floor = max(floor, s.Seq)
		}
	}
	from := head
	for from > floor {
		from = max(from-batch, floor)
		rows, err := b.o.Store.Events(ctx, store.Query{After: from, Limit: 1})
		if err != nil {
			return err
		}
		if len(rows) == 1 && rows[0].At.Before(since.Add(-liveSlack)) {
			break
		}
	}
	return b.begin(ctx, from, marks)
}

// liveSlack is by how much the clocks of the machines that write the audit may differ.
const liveSlack = time.Hour

// resume begins anew where the audit ends now, after what was wrong before that was said.
func (b *Board) resume(ctx context.Context) error {
	head, err := b.o.Store.Head(ctx)
	if err != nil {
		return err
	}
	marks, err := allMarks(ctx, b.o.Store.Marks, switchTypes()...)
	if err != nil {
		return err
	}
	return b.begin(ctx, head, marks)
}

// Remembers is KindTampering when this process has read that a step of r was sent more often than r and its audit say: rows
// were taken out of the middle, and what was done would be done again.
func (b *Board) Remembers(r approvals.Request) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	known := b.watch.sent[r.ID]
	if known == nil {
		return nil
	}
	for _, s := range r.Steps {
		if n := known.steps[s.Index]; s.State == approvals.StepWaiting && n > s.Attempt {
			return approvals.Refuse(approvals.KindTampering, nil, "step %d of request %s was sent %d times, and what is stored says %d", s.Index+1, r.ID, n, s.Attempt)
		}
	}
	return nil
}

// batch is how many audit rows are read at a time.
const batch = 1000

// readOn reads what was written since, and says what is wrong with it: a row that does not continue the one before it, or
// an end before what was read already.
func (b *Board) readOn(ctx context.Context) (fault string, err error) {
	w := &b.watch
	for {
		rows, err := b.o.Store.Events(ctx, store.Query{After: w.seq, Limit: batch})
		if err != nil {
			return "", err
		}
		for _, e := range rows {
			if fault := w.wrong(e); fault != "" {
				return fault, nil
			}
			w.seq, w.hash = e.Seq, e.Hash
			w.remember(e, b.now())
			if e.Type == approvals.EventStopped || e.Type == approvals.EventLifted {
				w.marks = append(w.marks, e)
			}
		}
		if len(rows) < batch {
			break
		}
	}
	head, err := b.o.Store.Head(ctx)
	if err == nil && head < w.seq {
		fault = fmt.Sprintf("the audit ends at row %d, and this process has read row %d: rows were removed, or an older database was put in its place", head, w.seq)
	}
	return fault, err
}

// wrong says what is wrong with the next row; empty when nothing is.
func (w *watch) wrong(e approvals.Event) string {
	if e.Seq != w.seq+1 || e.PrevHash != w.hash {
		return fmt.Sprintf("audit row %d does not continue row %d, which this process read before: a row was removed or altered", e.Seq, w.seq)
	}
	if err := store.VerifyHash(e); err != nil {
		return err.Error()
	}
	return ""
}

// alarm stops everything because the audit is not what it was, durably, and begins to read anew after that. Until the
// stop can be written nothing acts, because every look fails.
func (b *Board) alarm(ctx context.Context, fault string) error {
	b.o.Logger.ErrorContext(ctx, "the audit was altered; everything is stopped until approvers lift it", "fault", fault)
	before := b.watch.marks
	if err := b.press(ctx, approvals.ScopeAll, change.Gate, clip(fault, 250)+"; run the audit's verification"); err != nil {
		return err
	}
	// What was in force stays so, though its row may be gone; and what rows are gone besides, the tenant has to say.
	for _, s := range approvals.Stops(before) {
		if s.Scope == approvals.ScopeAll || s.Scope == approvals.ScopeRestore || b.lifted[s.Event] {
			continue
		}
		if err := b.press(ctx, s.Scope, change.Gate, "pressed again: "+s.Why); err != nil {
			return err
		}
	}
	if err := b.press(ctx, approvals.ScopeRestore, change.Gate, notReconciled+clip(fault, 250)); err != nil {
		return err
	}
	return b.resume(ctx)
}

// remember keeps count of sendings, and forgets those that no approval can be left of.
func (w *watch) remember(e approvals.Event, now time.Time) {
	s := w.sent[e.RequestID]
	if e.Step >= 0 && e.To == string(approvals.StepSending) {
		if s == nil {
			s = &sendings{steps: map[int]int{}}
			w.sent[e.RequestID] = s
		}
		s.steps[e.Step]++
	}
	if s == nil {
		return
	}
	s.read = now
	if e.Step < 0 && e.To != "" {
		s.ended = approvals.State(e.To).Terminal()
	}
	if s.ended { // the rows that end requests come seldom enough
		maps.DeleteFunc(w.sent, func(_ string, s *sendings) bool { return s.ended && now.Sub(s.read) > sendMemory })
	}
}

// allMarks reads marks of some types to their end, however many there are.
func allMarks(ctx context.Context, read func(context.Context, []string, int64) ([]approvals.Event, error), types ...string) ([]approvals.Event, error) {
	var all []approvals.Event
	for {
		rows, err := read(ctx, types, last(all))
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 {
			return all, nil
		}
		all = append(all, rows...)
	}
}

func last(events []approvals.Event) int64 {
	if len(events) == 0 {
		return 0
	}
	return events[len(events)-1].Seq
}
