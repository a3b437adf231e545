package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
)

const (
	verifyBatch = 1000 // audit rows at once
	// requestBatch is smaller, because a request comes with its steps, its votes and its part of the audit.
	requestBatch = 100
	// mostFaults is where a report ends: whoever replaced every row need not fill the memory too.
	mostFaults = 1000
)

// VerifyAudit reads the whole audit and every request, and locates each fault: a row that was altered, removed, added
// or moved; a request, step, time-box or set of votes that is not what the audit says; a request whose digest is not that of its
// content. It can't see that rows were cut off the end together with the head, nor that the whole chain was computed anew;
// checkpoints kept elsewhere can.
func (db *DB) VerifyAudit(ctx context.Context) (approvals.AuditReport, error) {
	return db.VerifyRows(ctx, nil)
}

// VerifyRows is VerifyAudit that also shows every row to visit, in order and on the same snapshot, with what is wrong with it
// as the successor of the one before. It holds a batch of rows in memory, however long the audit is.
func (db *DB) VerifyRows(ctx context.Context, visit func(e approvals.Event, wrong error)) (approvals.AuditReport, error) {
	v := verification{visit: visit}
	err := db.read(ctx, func(q querier) error {
		if err := v.chain(ctx, q); err != nil {
			return err
		}
		return v.requests(ctx, q)
	})
	if err != nil {
		return approvals.AuditReport{}, err
	}
	return v.report, nil
}

// VerifyLink reports what is wrong with a row as the successor of another; the zero Event comes before the first.
func VerifyLink(before, e approvals.Event) error {
	switch {
	case e.Seq <= before.Seq:
		return fmt.Errorf("audit row %d was added: it comes after row %d", e.Seq, before.Seq)
	case e.Seq == before.Seq+2:
		return fmt.Errorf("audit row %d is missing", e.Seq-1)
	case e.Seq != before.Seq+1:
		return fmt.Errorf("audit rows %d to %d are missing", before.Seq+1, e.Seq-1)
	case e.PrevHash != before.Hash:
		return fmt.Errorf("audit row %d does not continue row %d: one of them was altered, moved or replaced", e.Seq, before.Seq)
	}
	return VerifyHash(e)
}

// VerifyHash reports whether a row is what its own hash says.
func VerifyHash(e approvals.Event) error {
	if want, err := eventHash(e); err != nil || want != e.Hash {
		return fmt.Errorf("audit row %d was altered: its hash does not fit its content", e.Seq)
	}
	return nil
}

// spot is a request (step -1) or one of its steps.
type spot struct {
	request string
	step    int
}

// verification is one pass over the audit and what the audit says should be in the other tables.
type verification struct {
	report approvals.AuditReport
	visit  func(approvals.Event, error)
}

func (v *verification) fault(format string, args ...any) {
	switch n := len(v.report.Faults); {
	case n < mostFaults:
		v.report.Faults = append(v.report.Faults, fmt.Sprintf(format, args...))
	case n == mostFaults:
		v.report.Faults = append(v.report.Faults, fmt.Sprintf("there are more faults; the first %d are listed", mostFaults))
	}
}

func (v *verification) chain(ctx context.Context, q querier) error {
	var early int64
	if err := q.QueryRowContext(ctx, "SELECT COUNT(*) FROM audit_event WHERE seq < 1").Scan(&early); err != nil {
		return err
	}
	if early > 0 {
		v.fault("%d audit row(s) were added before the first", early)
	}
	var last approvals.Event
	for {
		batch, err := collect(ctx, q, scanEvent,
			"SELECT "+eventColumns+" FROM audit_event WHERE seq > $1 ORDER BY seq LIMIT $2", last.Seq, verifyBatch)
		if err != nil {
			return err
		}
		for _, e := range batch {
			v.link(last, e)
			last = e
		}
		if len(batch) < verifyBatch {
			break
		}
	}
	v.report.Head = last.Hash
	return v.head(ctx, q, last.Seq, last.Hash)
}

// link checks one row against its predecessor. A row out of place can be altered as well.
func (v *verification) link(last, e approvals.Event) {
	err := VerifyLink(last, e)
	if err != nil {
		v.fault("%v", err)
	}
	if altered := VerifyHash(e); altered != nil && altered.Error() != err.Error() {
		v.fault("%v", altered)
	}
	v.report.Rows++
	if v.visit != nil {
		v.visit(e, err)
	}
}

// String names a place for people.
func (p spot) String() string {
	if p.step < 0 {
		return "request " + clip(p.request)
	}
	return fmt.Sprintf("step %d of request %s", p.step, clip(p.request))
}

func (v *verification) head(ctx context.Context, q querier, seq int64, hash string) error {
	var headSeq int64
	var headHash string
	err := q.QueryRowContext(ctx, "SELECT seq, hash FROM audit_head WHERE id = 1").Scan(&headSeq, &headHash)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		v.fault("the audit's head is missing")
		return nil
	case err != nil:
		return err
	case headSeq > seq:
		v.fault("the audit ends at row %d, but its head says %d: rows are missing at the end", seq, headSeq)
	case headSeq < seq:
		v.fault("the audit has rows after %d, where its head says it ends", headSeq)
	case headHash != hash:
		v.fault("the audit's head does not fit its last row %d", seq)
	}
	return nil
}

// requests compares every request with what the audit says about it, in batches by id. The database itself cuts the audit
// into the same ranges, because its order of texts need not be ours.
func (v *verification) requests(ctx context.Context, q querier) error {
	after := ""
	for {
		ids, err := collect(ctx, q, scanText, "SELECT id FROM requests WHERE id > $1 ORDER BY id LIMIT $2", after, requestBatch)
		if err != nil {
			return err
		}
		span, args := " WHERE request_id > $1", []any{after}
		if len(ids) == requestBatch {
			after = ids[len(ids)-1]
			span, args = span+" AND request_id <= $2", append(args, after)
		}
		said, err := v.said(ctx, q, " FROM audit_event"+span, args)
		if err != nil {
			return err
		}
		if err := v.timeboxes(ctx, q, said, span, args); err != nil {
			return err
		}
		for _, id := range ids {
			if err := v.request(ctx, q, id, said[id]); err != nil {
				return err
			}
			delete(said, id)
		}
		v.orphans(said)
		if len(ids) < requestBatch {
			return nil
		}
	}
}

// saying is what the audit says about one request.
type saying struct {
	last  map[int]string // the state of each step; -1 is the request itself
	votes map[string]bool
	boxes map[int]string // the state of each step's time-box
}

// said folds a range of the audit by request, and reports each row that moves something from where it was not.
func (v *verification) said(ctx context.Context, q querier, rows string, args []any) (map[string]*saying, error) {
	all := map[string]*saying{}
	list, err := q.QueryContext(ctx, "SELECT "+eventColumns+rows+" ORDER BY request_id, seq", args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = list.Close() }()
	for list.Next() {
		e, err := scanEvent(list)
		if err != nil {
			return nil, err
		}
		if all[e.RequestID] == nil {
			all[e.RequestID] = &saying{last: map[int]string{}, votes: map[string]bool{}, boxes: map[int]string{}}
		}
		v.fold(all[e.RequestID], e)
	}
	return all, list.Err()
}

func (v *verification) fold(s *saying, e approvals.Event) {
	if e.Type == voteEvent {
		s.votes[e.Actor] = true
	}
	if e.Type == EventTimebox {
		s.boxes[e.Step], _, _ = strings.Cut(e.Detail, ":")
	}
	if e.To == "" {
		return
	}
	have, ok := s.last[e.Step]
	if ok && have != e.From || !ok && e.From != "" && (e.Step < 0 || e.From != string(approvals.StepWaiting)) {
		v.fault("audit row %d moves %s from %q, which was not its state", e.Seq, spot{e.RequestID, e.Step}, e.From)
	}
	s.last[e.Step] = e.To
}

// orphans reports the requests that moved, as the audit says, and are gone.
func (v *verification) orphans(said map[string]*saying) {
	for _, id := range slices.Sorted(maps.Keys(said)) {
		if len(said[id].last) > 0 {
			v.fault("request %s is in the audit but not in the table", clip(id))
		}
	}
}

func (v *verification) request(ctx context.Context, q querier, id string, said *saying) error {
	if said == nil {
		said = &saying{}
	}
	r, err := loadRequest(ctx, q, id, "")
	switch {
	case approvals.KindOf(err) == approvals.KindTampering:
		v.fault("%s", err)
		return nil
	case err != nil:
		return err
	}
	v.state(said, spot{id, -1}, string(r.State), "")
	for _, s := range r.Steps {
		v.state(said, spot{id, s.Index}, string(s.State), string(approvals.StepWaiting))
	}
	v.ballots(said, r)
	if want, err := approvals.Digest(r); err != nil || want != r.Digest {
		v.fault("request %s was altered: its digest does not fit its content", clip(id))
	}
	return nil
}

// state compares a state with the last transition; initial is what a place has before its first.
func (v *verification) state(said *saying, at spot, have, initial string) {
	want, ok := said.last[at.step]
	if !ok {
		want = initial
	}
	if have != want {
		v.fault("%s is %q, but the audit says %q: its state was written straight into the table", at, have, want)
	}
}

func (v *verification) ballots(said *saying, r approvals.Request) {
	for _, vote := range r.Votes {
		if voter := personKey(vote.Voter.ID); !said.votes[voter] {
			v.fault("the vote of %s on request %s has no audit row: it was written straight into the table", clip(voter), clip(r.ID))
		}
	}
	if len(r.Votes) < len(said.votes) {
		v.fault("request %s has %d votes, but the audit says %d: votes were removed", clip(r.ID), len(r.Votes), len(said.votes))
	}
}
