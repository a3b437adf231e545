package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
)

// voteEvent is the type of the audit row of a vote; the verification counts on it.
const voteEvent = "vote"

const maxEvents = 5000

const eventColumns = "seq, at_ms, request_id, type, actor, step, from_state, to_state, detail, prev_hash, hash"

// record keeps an audit row for the commit.
func (tx *Tx) record(e approvals.Event, at time.Time) {
	if e.At.IsZero() {
		e.At = at
	}
	if e.At.IsZero() {
		e.At = tx.db.now()
	}
	tx.events = append(tx.events, e)
}

// recordMove keeps the audit row of an arrow. Only a touch without a type leaves none.
func (tx *Tx) recordMove(e approvals.Event, at time.Time, from, to string) {
	if from == to {
		if e.Type == "" {
			return
		}
		from, to = "", ""
	}
	if e.Type == "" {
		e.Type = to
	}
	e.From, e.To = from, to
	tx.record(e, at)
}

// eventHash is the SHA-256 (hex) over the canonical form of a row and its predecessor's hash. The field order is part
// of the form: fields are only ever added at the end, with a new format number.
func eventHash(e approvals.Event) (string, error) {
	b, err := json.Marshal(struct {
		Format    int    `json:"format"`
		Seq       int64  `json:"seq"`
		AtMS      int64  `json:"at_ms"`
		RequestID string `json:"request_id"`
		Type      string `json:"type"`
		Actor     string `json:"actor"`
		Step      int    `json:"step"`
		From      string `json:"from"`
		To        string `json:"to"`
		Detail    string `json:"detail"`
		Prev      string `json:"prev"`
	}{1, e.Seq, e.At.UnixMilli(), e.RequestID, e.Type, e.Actor, e.Step, e.From, e.To, e.Detail, e.PrevHash})
	if err != nil {
		return "", fmt.Errorf("audit row %d can't be hashed: %w", e.Seq, err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// appendAudit writes the transaction's audit rows. The lock on the head's row lasts until the commit, so numbers are
// gapless and in commit order.
func (tx *Tx) appendAudit(ctx context.Context) error {
	if len(tx.events) == 0 {
		return nil
	}
	var seq int64
	var hash string
	err := tx.s.QueryRowContext(ctx, "UPDATE audit_head SET seq = seq + $1 WHERE id = 1 RETURNING seq, hash", len(tx.events)).Scan(&seq, &hash)
	if err != nil {
		return tx.fault(err)
	}
	seq -= int64(len(tx.events))
	for _, e := range tx.events {
		seq++
		e.Seq, e.PrevHash = seq, hash
		for _, s := range []*string{&e.RequestID, &e.Type, &e.Actor, &e.From, &e.To, &e.Detail} {
			*s = plain(*s)
		}
		if e.Hash, err = eventHash(e); err != nil {
			return tx.fault(err)
		}
		hash = e.Hash
		if err := tx.insertEvent(ctx, e); err != nil {
			return err
		}
	}
	_, err = tx.exec(ctx, "UPDATE audit_head SET hash = $1 WHERE id = 1", hash)
	return err
}

func (tx *Tx) insertEvent(ctx context.Context, e approvals.Event) error {
	_, err := tx.exec(ctx, "INSERT INTO audit_event ("+eventColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
		e.Seq, e.At.UnixMilli(), e.RequestID, e.Type, e.Actor, e.Step, e.From, e.To, e.Detail, e.PrevHash, e.Hash)
	return err
}

func scanEvent(row scanner) (e approvals.Event, err error) {
	var at int64
	err = row.Scan(&e.Seq, &at, &e.RequestID, &e.Type, &e.Actor, &e.Step, &e.From, &e.To, &e.Detail, &e.PrevHash, &e.Hash)
	e.At = time.UnixMilli(at).UTC()
	return e, err
}

// Trail returns all audit rows of one request, oldest first.
func (db *DB) Trail(ctx context.Context, id string) (list []approvals.Event, err error) {
	err = db.read(ctx, func(q querier) error {
		list, err = trail(ctx, q, id)
		return err
	})
	return list, err
}

// History is Request and Trail on one snapshot, so that whatever does not agree is wrong.
func (db *DB) History(ctx context.Context, id string) (r approvals.Request, list []approvals.Event, err error) {
	err = db.read(ctx, func(q querier) error {
		if r, err = loadRequest(ctx, q, id, ""); err != nil {
			return err
		}
		list, err = trail(ctx, q, id)
		return err
	})
	return r, list, err
}

func trail(ctx context.Context, q querier, id string) ([]approvals.Event, error) {
	return collect(ctx, q, scanEvent, "SELECT "+eventColumns+" FROM audit_event WHERE request_id = $1 ORDER BY seq", plain(id))
}

// Head returns the sequence of the last audit row; 0 when there is none. It is cheap: processes poll it to learn of
// each other's changes.
func (db *DB) Head(ctx context.Context) (seq int64, err error) {
	err = db.read(ctx, func(q querier) error {
		return q.QueryRowContext(ctx, "SELECT seq FROM audit_head WHERE id = 1").Scan(&seq)
	})
	return seq, err
}

// Query chooses audit rows.
type Query struct {
	// After is the last sequence already seen.
	After int64
	// RequestID limits the answer to one request; empty means all.
	RequestID string
	// Limit is the most to return; 0 means 1000, and 5000 is the most.
	Limit int
}

// Events returns the audit rows that query chooses, oldest first.
func (db *DB) Events(ctx context.Context, query Query) (list []approvals.Event, err error) {
	args := []any{query.After, limit(query.Limit, 1000, maxEvents)}
	where := []string{"seq > $1"}
	if query.RequestID != "" {
		where = append(where, "request_id = $3")
		args = append(args, plain(query.RequestID))
	}
	err = db.read(ctx, func(q querier) error {
		list, err = collect(ctx, q, scanEvent,
			"SELECT "+eventColumns+" FROM audit_event WHERE "+strings.Join(where, " AND ")+" ORDER BY seq LIMIT $2", args...)
		return err
	})
	return list, err
}
