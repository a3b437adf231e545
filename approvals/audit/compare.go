package audit

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// Comparison is what holding an export against the audit found.
type Comparison struct {
	// Rows is how many exported rows were read.
	Rows int64
	// Faults locates each row of the audit that is not the one that was exported, 100 at most.
	Faults []string
}

const mostDifferences = 100

func (c *Comparison) fault(format string, args ...any) {
	if len(c.Faults) < mostDifferences {
		c.Faults = append(c.Faults, fmt.Sprintf(format, args...))
	}
}

// Compare reads an export, as JSON lines in any order, and holds it against the audit row by row. Where a chain was computed
// anew, this names the row at which it was altered. The export itself is believed only as far as its own hashes fit.
func Compare(ctx context.Context, db *store.DB, r io.Reader) (Comparison, error) {
	var c Comparison
	var group []approvals.Event
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		var row Row
		err := json.Unmarshal(lines.Bytes(), &row)
		var e approvals.Event
		if err == nil {
			e, err = row.Event()
		}
		if err != nil || row.Seq < 1 {
			return c, fmt.Errorf("line %d of the export is no row of an audit", n)
		}
		c.Rows++
		if err := store.VerifyHash(e); err != nil {
			c.fault("the export is altered itself: %v", err)
			continue
		}
		if group = append(group, e); len(group) == batch {
			if err := c.hold(ctx, db, group); err != nil {
				return c, err
			}
			group = group[:0]
		}
	}
	if err := lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = errors.New("a line of the export is too long for a row of an audit")
		}
		return c, err
	}
	return c, c.hold(ctx, db, group)
}

// hold compares some exported rows with the stored ones of the same numbers.
func (c *Comparison) hold(ctx context.Context, db *store.DB, exported []approvals.Event) error {
	var stored []approvals.Event
	for _, e := range exported {
		if len(stored) == 0 || stored[0].Seq > e.Seq || stored[len(stored)-1].Seq < e.Seq {
			var err error
			if stored, err = db.Events(ctx, store.Query{After: e.Seq - 1, Limit: batch}); err != nil {
				return err
			}
		}
		c.row(e, stored)
	}
	return nil
}

func (c *Comparison) row(e approvals.Event, stored []approvals.Event) {
	for _, s := range stored {
		if s.Seq != e.Seq {
			continue
		}
		switch {
		case s.Hash == e.Hash:
		case same(s, e):
			c.fault("row %d has the exported content and another chain before it", e.Seq)
		default:
			c.fault("row %d is not the one that was exported: it said %s, and now says %s", e.Seq, inWords(e), inWords(s))
		}
		return
	}
	c.fault("row %d was exported and is not in the audit: %s", e.Seq, inWords(e))
}

// same compares two rows without their place in the chain.
func same(a, b approvals.Event) bool {
	a.PrevHash, a.Hash, b.PrevHash, b.Hash = "", "", "", ""
	a.At, b.At = a.At.UTC(), b.At.UTC()
	return a == b
}

func inWords(e approvals.Event) string {
	return fmt.Sprintf("%q by %q on request %q step %d at %s, %q→%q: %q", e.Type, e.Actor, e.RequestID, e.Step, e.At.UTC().Format(timeLayout), e.From, e.To, e.Detail)
}
