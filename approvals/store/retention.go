package store

import (
	"context"
	"time"
)

const (
	// MessageMemory is how long after its end a request is still known to have messages. Until then what comes late, such as
	// the end of a time-box, finds the card that it belongs to.
	MessageMemory = 180 * 24 * time.Hour
	// pruneAtOnce is how many rows one transaction removes, so that nobody waits long for it; pruneRounds how many
	// transactions one call makes.
	pruneAtOnce = 2000
	pruneRounds = 50
)

// Prune forgets deliveries seen before the given time, and the messages of requests that ended long before it. Callers keep
// at least an hour, because that is how long Slack may deliver again. What is left over when there is very much goes with
// the next call. Requests and the audit stay.
func (db *DB) Prune(ctx context.Context, before time.Time) error {
	for _, prune := range []func() (int64, error){
		func() (int64, error) { return db.pruneSeen(ctx, before) },
		func() (int64, error) { return db.PruneMessages(ctx, before.Add(-MessageMemory), pruneAtOnce) },
	} {
		for range pruneRounds {
			n, err := prune()
			if err != nil {
				return err
			}
			if n < pruneAtOnce {
				break
			}
		}
	}
	return nil
}

func (db *DB) pruneSeen(ctx context.Context, before time.Time) (n int64, err error) {
	err = db.InTx(ctx, func(tx *Tx) error {
		n, err = tx.exec(ctx, `DELETE FROM seen WHERE (scope, item) IN
			(SELECT scope, item FROM seen WHERE at_ms < $1 ORDER BY at_ms LIMIT $2)`, ms(before), pruneAtOnce)
		return err
	})
	return n, err
}

// PruneMessages forgets where the messages of requests are that ended before a time, the oldest first and so many at most,
// and returns how many it forgot. They stay in Slack.
func (db *DB) PruneMessages(ctx context.Context, ended time.Time, most int) (n int64, err error) {
	err = db.InTx(ctx, func(tx *Tx) error {
		n, err = tx.exec(ctx, `DELETE FROM messages WHERE (request_id, slot) IN
			(SELECT m.request_id, m.slot FROM messages m JOIN requests r ON r.id = m.request_id
			WHERE m.reserved_ms < $1 AND r.finished_ms > 0 AND r.finished_ms < $1 ORDER BY m.reserved_ms, m.request_id, m.slot LIMIT $2)`,
			ms(ended), most)
		return err
	})
	return n, err
}
