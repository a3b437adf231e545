package control

import (
	"context"
	"fmt"

	"github.com/mde-ops/mde-ops/approvals"
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
}

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
		if err := b.begin(ctx); err != nil {
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

// begin reads the marks up to where the audit ends now, by their index, and goes on from there row by row.
func (b *Board) begin(ctx context.Context) error {
	head, err := b.o.Store.Head(ctx)
	if err != nil {
		return err
	}
	w := watch{begun: true, seq: head}
	if head > 0 {
		rows, err := b.o.Store.Events(ctx, store.Query{After: head - 1, Limit: 1})
		if err != nil {
			return err
		}
		if len(rows) == 1 && rows[0].Seq == head {
			w.hash = rows[0].Hash
		}
	}
	marks, err := allMarks(ctx, b.o.Store.Marks, switchTypes()...)
	if err != nil {
		return err
	}
	for _, e := range marks {
		if e.Seq <= head {
			w.marks = append(w.marks, e)
		}
	}
	b.watch = w
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
	if err := b.press(ctx, approvals.ScopeAll, "gate", fault+"; run the audit's verification"); err != nil {
		return err
	}
	return b.begin(ctx)
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
