package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/mde-ops/mde-ops/approvals"
)

const verifyBatch = 1000

// VerifyAudit reads the whole audit and every request, and locates each fault: a row that was altered, removed, added
// or moved; a request, step or set of votes that is not what the audit says; a request whose digest is not that of its
// content. It can't see that rows were cut off the end together with the head; checkpoints kept elsewhere can.
func (db *DB) VerifyAudit(ctx context.Context) (approvals.AuditReport, error) {
	v := verification{last: map[spot]string{}, votes: map[string]map[string]bool{}, found: map[string]bool{}}
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

// spot is a request (step -1) or one of its steps.
type spot struct {
	request string
	step    int
}

// verification is one pass over the audit and what the audit says should be in the other tables.
type verification struct {
	report approvals.AuditReport
	last   map[spot]string
	votes  map[string]map[string]bool
	found  map[string]bool
}

func (v *verification) fault(format string, args ...any) {
	v.report.Faults = append(v.report.Faults, fmt.Sprintf(format, args...))
}

func (v *verification) chain(ctx context.Context, q querier) error {
	var seq int64
	var hash string
	for {
		batch, err := collect(ctx, q, scanEvent,
			"SELECT "+eventColumns+" FROM audit_event WHERE seq > $1 ORDER BY seq LIMIT $2", seq, verifyBatch)
		if err != nil {
			return err
		}
		for _, e := range batch {
			v.link(e, seq, hash)
			seq, hash = e.Seq, e.Hash
			v.report.Rows++
		}
		if len(batch) < verifyBatch {
			break
		}
	}
	v.report.Head = hash
	return v.head(ctx, q, seq, hash)
}

// link checks one row against its predecessor and notes what it says about a state or a vote.
func (v *verification) link(e approvals.Event, prevSeq int64, prevHash string) {
	switch {
	case e.Seq == prevSeq+2:
		v.fault("audit row %d is missing", e.Seq-1)
	case e.Seq != prevSeq+1:
		v.fault("audit rows %d to %d are missing", prevSeq+1, e.Seq-1)
	case e.PrevHash != prevHash:
		v.fault("audit row %d does not continue row %d: one of them was altered, moved or replaced", e.Seq, prevSeq)
	}
	if want, err := eventHash(e); err != nil || want != e.Hash {
		v.fault("audit row %d was altered: its hash does not fit its content", e.Seq)
	}
	if e.To != "" {
		at := spot{e.RequestID, e.Step}
		if have, ok := v.last[at]; ok && have != e.From || !ok && e.From != "" && (e.Step < 0 || e.From != string(approvals.StepWaiting)) {
			v.fault("audit row %d moves %s from %q, which was not its state", e.Seq, at, e.From)
		}
		v.last[at] = e.To
	}
	if e.Type == voteEvent {
		if v.votes[e.RequestID] == nil {
			v.votes[e.RequestID] = map[string]bool{}
		}
		v.votes[e.RequestID][e.Actor] = true
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

// requests compares every request with what the audit said last about it, in batches by id.
func (v *verification) requests(ctx context.Context, q querier) error {
	after := ""
	for {
		ids, err := collect(ctx, q, scanText, "SELECT id FROM requests WHERE id > $1 ORDER BY id LIMIT $2", after, verifyBatch)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := v.request(ctx, q, id); err != nil {
				return err
			}
			after = id
		}
		if len(ids) < verifyBatch {
			break
		}
	}
	missing := map[string]bool{}
	for at := range v.last {
		if !v.found[at.request] {
			missing[at.request] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(missing)) {
		v.fault("request %s is in the audit but not in the table", clip(id))
	}
	return nil
}

func (v *verification) request(ctx context.Context, q querier, id string) error {
	v.found[id] = true
	r, err := loadRequest(ctx, q, id, "")
	switch {
	case approvals.KindOf(err) == approvals.KindTampering:
		v.fault("%s", err)
		return nil
	case err != nil:
		return err
	}
	v.state(spot{id, -1}, string(r.State), "")
	for _, s := range r.Steps {
		v.state(spot{id, s.Index}, string(s.State), string(approvals.StepWaiting))
	}
	v.ballots(r)
	if want, err := approvals.Digest(r); err != nil || want != r.Digest {
		v.fault("request %s was altered: its digest does not fit its content", clip(id))
	}
	return nil
}

// state compares a state with the last transition; initial is what a place has before its first.
func (v *verification) state(at spot, have, initial string) {
	want, ok := v.last[at]
	if !ok {
		want = initial
	}
	if have != want {
		v.fault("%s is %q, but the audit says %q: its state was written straight into the table", at, have, want)
	}
}

func (v *verification) ballots(r approvals.Request) {
	said := v.votes[r.ID]
	for _, vote := range r.Votes {
		if voter := personKey(vote.Voter.ID); !said[voter] {
			v.fault("the vote of %s on request %s has no audit row: it was written straight into the table", clip(voter), clip(r.ID))
		}
	}
	if len(r.Votes) < len(said) {
		v.fault("request %s has %d votes, but the audit says %d: votes were removed", clip(r.ID), len(r.Votes), len(said))
	}
}
