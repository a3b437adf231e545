package store

import (
	"context"
	"strings"

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

func countRecent(ctx context.Context, q querier, query approvals.RecentQuery, w approvals.Window) (n int, err error) {
	mine := ""
	if w.Mine {
		mine = personKey(query.Requester.ID)
	}
	const which = ` AND ($1 = '' OR r.tool = $1) AND ($2 = '' OR r.risk = $2) AND ($3 = '' OR r.requester_id = $3) AND r.id <> $4`
	err = q.QueryRowContext(ctx, `SELECT
		(SELECT COUNT(*) FROM steps s JOIN requests r ON r.id = s.request_id WHERE s.sent_ms > $5 AND s.sent_ms < $6`+which+`) +
		(SELECT COUNT(*) FROM requests r JOIN steps s ON s.request_id = r.id
			WHERE r.state IN ('approved', 'running') AND s.state = 'waiting' AND r.decided_ms < $6`+which+`)`,
		w.Tool, string(w.Risk), mine, query.Except, ms(query.At.Add(-w.Length)), ms(query.At)).Scan(&n)
	return n, err
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
