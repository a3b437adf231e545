package store

import (
	"context"

	"github.com/mde-ops/mde-ops/approvals"
)

// Ending is where the audit ends.
type Ending struct {
	// Seq and Hash are those of the last row: 0 and empty before the first.
	Seq  int64
	Hash string
}

// Ending returns where the audit ends, as its last row says.
func (db *DB) Ending(ctx context.Context) (end Ending, err error) {
	err = db.read(ctx, func(q querier) error {
		last, err := collect(ctx, q, scanEvent, "SELECT "+eventColumns+" FROM audit_event ORDER BY seq DESC LIMIT 1")
		if err == nil && len(last) == 1 {
			end = Ending{Seq: last[0].Seq, Hash: last[0].Hash}
		}
		return err
	})
	return end, err
}

// RowHash returns the stored hash of one audit row, and false when there is no such row.
func (db *DB) RowHash(ctx context.Context, seq int64) (hash string, ok bool, err error) {
	var found []approvals.Event
	err = db.read(ctx, func(q querier) error {
		found, err = collect(ctx, q, scanEvent, "SELECT "+eventColumns+" FROM audit_event WHERE seq = $1", seq)
		return err
	})
	if err != nil || len(found) == 0 {
		return "", false, err
	}
	return found[0].Hash, true, nil
}

// Cursor returns how far a reader of the audit has come: the zero Ending before it began.
func (db *DB) Cursor(ctx context.Context, reader string) (at Ending, err error) {
	err = db.read(ctx, func(q querier) error {
		rows, err := q.QueryContext(ctx, "SELECT seq, hash FROM audit_cursor WHERE reader = $1", plain(reader))
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		if !rows.Next() {
			return rows.Err()
		}
		return rows.Scan(&at.Seq, &at.Hash)
	})
	return at, err
}

// MoveCursor moves a reader's cursor from where the caller saw it, else KindConflict and nothing changes.
func (db *DB) MoveCursor(ctx context.Context, reader string, from, to Ending) error {
	return db.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.exec(ctx, "INSERT INTO audit_cursor (reader, seq, hash) VALUES ($1, 0, '') ON CONFLICT (reader) DO NOTHING", plain(reader)); err != nil {
			return err
		}
		n, err := tx.exec(ctx, "UPDATE audit_cursor SET seq = $1, hash = $2 WHERE reader = $3 AND seq = $4 AND hash = $5", to.Seq, to.Hash, plain(reader), from.Seq, from.Hash)
		if err == nil && n != 1 {
			return conflict("another process has moved the cursor of %s meanwhile", clip(reader))
		}
		return err
	})
}

// FilePath is the path of the SQLite file that a URL names; empty for PostgreSQL.
func FilePath(url string) (string, error) {
	where, err := parseURL(url)
	if err != nil || where.postgres {
		return "", err
	}
	return where.text, nil
}
