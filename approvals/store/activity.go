package store

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
)

// DB answers what was done lately.
var _ approvals.Activity = (*DB)(nil)

// Recent counts, for every window, the steps that were sent in it and those of approved and running requests that are
// still to be sent.
func (db *DB) Recent(ctx context.Context, query approvals.RecentQuery) (approvals.Recent, error) {
	counts := make(approvals.Recent, len(query.Windows))
	err := db.read(ctx, func(q querier) error {
		for _, w := range query.Windows {
			n, err := countRecent(ctx, q, query, w)
			if err != nil {
				return err
			}
			counts[w] = n
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return counts, nil
}

// recently are the steps that count for a window: those that were sent in it, found by the time of sending, and those that
// open requests are still to send. It has the same parameters in both halves.
const recently = `SELECT r.requester FROM steps s JOIN requests r ON r.id = s.request_id
		WHERE s.sent_ms > 0 AND s.sent_ms > $1 AND s.sent_ms < $2 AND r.id <> $3 AND ($4 = '' OR r.tool = $4) AND ($5 = '' OR r.risk = $5)
	UNION ALL SELECT r.requester FROM requests r JOIN steps s ON s.request_id = r.id
		WHERE r.` + live + ` AND r.state <> 'pending' AND s.state = 'waiting' AND r.decided_ms < $2
		AND r.id <> $3 AND ($4 = '' OR r.tool = $4) AND ($5 = '' OR r.risk = $5)`

func countRecent(ctx context.Context, q querier, query approvals.RecentQuery, w approvals.Window) (n int, err error) {
	args := []any{ms(query.At.Add(-w.Length)), ms(query.At), plain(query.Except), w.Tool, string(w.Risk)}
	if !w.Mine {
		err = q.QueryRowContext(ctx, "SELECT COUNT(*) FROM ("+recently+") AS done", args...).Scan(&n)
		return n, err
	}
	type share struct {
		who   approvals.Person
		steps int
	}
	shares, err := collect(ctx, q, func(row scanner) (s share, err error) {
		var text string
		err = row.Scan(&text, &s.steps)
		s.who = person(text)
		return s, err
	}, "SELECT requester, COUNT(*) FROM ("+recently+") AS done GROUP BY requester", args...)
	for _, s := range shares {
		if s.who.Same(query.Requester) { // by any of their names, as everywhere
			n += s.steps
		}
	}
	return n, err
}

// Filed is the tool and the risk under which a request is counted. They are not part of its digest.
func (db *DB) Filed(ctx context.Context, id string) (tool string, risk approvals.Risk, err error) {
	err = db.read(ctx, func(q querier) error {
		return q.QueryRowContext(ctx, "SELECT tool, risk FROM requests WHERE id = $1", plain(id)).Scan(&tool, &risk)
	})
	return tool, risk, err
}

// OpenSince is when the oldest open request was made; false when none is open.
// The plus keeps the databases from walking all requests by their age.
func (db *DB) OpenSince(ctx context.Context) (at time.Time, open bool, err error) {
	var since sql.NullInt64
	err = db.read(ctx, func(q querier) error {
		return q.QueryRowContext(ctx, "SELECT MIN(+created_ms) FROM requests WHERE "+live).Scan(&since)
	})
	return fromMS(since.Int64), since.Valid, err
}

// live repeats the condition of the indexes on open requests word for word, as marked does.
const live = `state IN ('pending', 'approved', 'running')`

// Marks returns audit rows of some of the types that approvals lists beside its switches, after a sequence, oldest first;
// 5000 at most. They are found by an index, however long the audit is.
func (db *DB) Marks(ctx context.Context, types []string, after int64) (list []approvals.Event, err error) {
	err = db.read(ctx, func(q querier) error {
		list, err = marks(ctx, q, types, after)
		return err
	})
	return list, err
}

// Marks is DB.Marks as this transaction sees it.
func (tx *Tx) Marks(ctx context.Context, types []string, after int64) ([]approvals.Event, error) {
	list, err := marks(ctx, tx.s, types, after)
	return list, tx.fault(err)
}

func marks(ctx context.Context, q querier, types []string, after int64) ([]approvals.Event, error) {
	quoted := make([]string, 0, len(types))
	args := []any{after, maxEvents}
	for _, t := range types {
		args = append(args, t)
		quoted = append(quoted, placeholders(len(args), 1))
	}
	return collect(ctx, q, scanEvent, "SELECT "+eventColumns+" FROM audit_event WHERE "+marked+" AND type IN ("+strings.Join(quoted, ", ")+
		") AND seq > $1 ORDER BY seq LIMIT $2", args...)
}

// marked repeats the condition of the index on marks word for word, because otherwise neither database uses it.
const marked = `type IN ('stopped', 'lifted', 'paused', 'resumed', 'extended', 'attached', 'reminded', 'policy', 'escalated')`

// StartedBy returns the id of the request and the index of its step that became the remote action, and false when none of
// ours did.
func (db *DB) StartedBy(ctx context.Context, actionID string) (request string, step int, ok bool, err error) {
	err = db.read(ctx, func(q querier) error {
		rows, err := q.QueryContext(ctx, "SELECT request_id, idx FROM steps WHERE action_id = $1 AND action_id <> '' LIMIT 1", plain(actionID))
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		if ok = rows.Next(); !ok {
			return rows.Err()
		}
		return rows.Scan(&request, &step)
	})
	return request, step, ok, err
}
