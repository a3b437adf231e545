package audit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// Report is what a verification found, and how far it proved.
type Report struct {
	approvals.AuditReport
	// Place is where the checkpoints are; empty when none were asked for. Checkpoints is how many verified.
	Place       string
	Checkpoints int
	// Last is the number of the last row.
	Last int64
	// Proved says that rows 1..Proved are what they were at ProvedAt, when the checkpoint Number was signed; 0 when nothing is
	// proved. The rows after it are only chained: whoever can write to the database could have computed them anew.
	Proved   int64
	ProvedAt time.Time
	Number   int64
	// Restores are the times that rows were lost, as the checkpoints say. They are not among the faults: people must know them.
	Restores []Restore
}

// Verify reads the whole audit, as store.VerifyAudit does, and compares it with its checkpoints: a row that was altered is
// found even when the whole chain was computed anew, and rows that were cut off the end are missed back to the last
// checkpoint. With a nil keep it does without. The origin may be empty, and is then what the first checkpoint says.
func Verify(ctx context.Context, db *store.DB, keep Keep, keys Keys, origin string) (Report, error) {
	v := comparison{}
	if keep != nil {
		if keys.Empty() {
			return Report{}, errors.New("there are checkpoints but no key to verify them: set MDE_AUDIT_PUBLIC_KEYS to the public key that `mde-slackbot keygen --audit` printed")
		}
		l, err := readLine(ctx, keep, keys, origin)
		if err != nil {
			return Report{}, err
		}
		v.place, v.faults, v.report.Checkpoints = keep.String(), l.faults, len(l.list)
		v.left, v.report.Restores = l.split()
		v.report.Place = v.place
	}
	stored, err := db.VerifyRows(ctx, v.row)
	if err != nil {
		return Report{}, err
	}
	v.ended(stored.Rows)
	v.report.AuditReport, v.report.Last = stored, v.seen
	v.report.Faults = append(v.faults, stored.Faults...)
	return v.report, nil
}

// comparison holds the checkpoints against the rows as these pass by.
type comparison struct {
	report Report
	place  string
	faults []string
	left   []Checkpoint // by rows
	broken bool         // a row was wrong: nothing after it is proved
	seen   int64
}

// row takes one row of the audit, with what the chain says about it.
func (v *comparison) row(e approvals.Event, wrong error) {
	v.broken = v.broken || wrong != nil
	v.seen = max(v.seen, e.Seq)
	for len(v.left) > 0 && v.left[0].Rows <= e.Seq {
		c := v.left[0]
		v.left = v.left[1:]
		switch {
		case v.broken || c.Rows < e.Seq: // something is wrong, and was reported: the chain, or the order of the checkpoints
		case c.Rows == e.Seq && c.Head == e.Hash:
			v.report.Proved, v.report.ProvedAt, v.report.Number = c.Rows, c.At, c.Number
		default:
			v.broken = true
			v.faults = append(v.faults, fmt.Sprintf("a row from %d to %d was altered, replaced or moved, and the chain after it computed anew: row %d is not the one that %v is about; "+
				"an export made before shows which", v.report.Proved+1, c.Rows, c.Rows, c))
		}
	}
}

// ended is told how many rows there were, and reports those that were cut off.
func (v *comparison) ended(rows int64) {
	if n := len(v.left); n > 0 {
		v.faults = append(v.faults, fmt.Sprintf("rows %d to %d were removed: the audit ends at row %d, but %v is about %d rows",
			v.seen+1, v.left[n-1].Rows, v.seen, v.left[n-1], v.left[n-1].Rows))
	}
	if v.place != "" && v.report.Checkpoints == 0 && rows > 0 && len(v.faults) == 0 {
		v.faults = append(v.faults, fmt.Sprintf("there is no checkpoint in %s: none was written yet (is MDE_AUDIT_SIGNING_KEY set for mde-slackbot?), or somebody removed them", v.place))
	}
}

// String says what was found, what to do, and how far it is proved.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the audit has %d rows", r.Rows)
	if r.Place != "" {
		fmt.Fprintf(&b, ", and %s holds %d checkpoint(s) that verify", r.Place, r.Checkpoints)
	}
	b.WriteString("\n" + r.proof() + "\n")
	for _, s := range r.Restores {
		fmt.Fprintf(&b, "RESTORED: checkpoint %d of %s says that the database had rows 1..%d of the %d before: the others were lost or replaced\n",
			s.Number, s.At.UTC().Format(time.RFC3339), s.After, s.Lost)
	}
	for _, f := range r.Faults {
		b.WriteString("FAULT: " + f + "\n")
	}
	if !r.OK() {
		b.WriteString("keep the database, the checkpoints and every export as they are, stop acting (`mde-mcp stop`), and find out who could write to them\n")
	}
	return b.String()
}

func (r Report) proof() string {
	switch {
	case r.Rows == 0 && r.OK():
		return "there is nothing to prove"
	case r.Place == "":
		return fmt.Sprintf("rows 1..%d are shown by the chain only, because there are no checkpoints to compare them with: set MDE_AUDIT_CHECKPOINTS and MDE_AUDIT_PUBLIC_KEYS", r.Rows)
	case r.Proved == 0:
		return "no row is proved by a checkpoint"
	}
	text := fmt.Sprintf("rows 1..%d are proved by checkpoint %d of %s", r.Proved, r.Number, r.ProvedAt.UTC().Format(time.RFC3339))
	if r.Last > r.Proved {
		text += fmt.Sprintf("; rows %d..%d only by the chain", r.Proved+1, r.Last)
	}
	return text
}
