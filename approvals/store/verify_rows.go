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
