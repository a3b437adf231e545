package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// Pulse is what the job queue shows of the processes that work it, by queue. Times are those of the machines' own clocks.
type Pulse struct {
	// Worked is when a job of the queue was last begun or ended; absent when none was for a day, because ended jobs are
	// forgotten then. A worker of QueueMDE sweeps every minute.
	Worked map[Queue]time.Time
	// Waiting is since when the oldest job of the queue waits that could be done now; absent where none does.
	Waiting map[Queue]time.Time
}

// Pulse reads the signs of life of whoever works the queues. The role mde_mcp may.
func (db *DB) Pulse(ctx context.Context) (p Pulse, err error) {
	p = Pulse{Worked: map[Queue]time.Time{}, Waiting: map[Queue]time.Time{}}
	err = db.read(ctx, func(q querier) error {
		for _, name := range Queues() {
			for _, sign := range []struct {
				query string
				into  map[Queue]time.Time
			}{
				{"SELECT finalized_at FROM river_job WHERE state = 'completed' AND queue = $1 ORDER BY finalized_at DESC LIMIT 1", p.Worked},
				{"SELECT attempted_at FROM river_job WHERE state = 'running' AND queue = $1 ORDER BY attempted_at DESC LIMIT 1", p.Worked},
				{"SELECT scheduled_at FROM river_job WHERE state = 'available' AND queue = $1 ORDER BY scheduled_at LIMIT 1", p.Waiting},
			} {
				at, err := jobTime(ctx, q, sign.query, string(name))
				if err != nil {
					return err
				}
				if !at.IsZero() && at.After(sign.into[name]) {
					sign.into[name] = at
				}
			}
		}
		return nil
	})
	return p, err
}

// jobTime is the one time that a query answers, or zero when it answers none.
func jobTime(ctx context.Context, q querier, query string, args ...any) (time.Time, error) {
	var at sql.NullTime
	err := q.QueryRowContext(ctx, query, args...).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	return at.Time.UTC(), err
}
