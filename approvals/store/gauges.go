package store

import (
	"context"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
)

// Gauges is what the store holds at one moment, in numbers: for whoever watches over a deployment.
type Gauges struct {
	// Open are the open requests, one entry for each state that has any.
	Open []OpenCount
	// Jobs are those that wait, run or are to be tried again, one entry for each queue and state that has any.
	Jobs []JobCount
	// Head is the sequence of the last audit row.
	Head int64
}

// OpenCount is how many requests are in a state, and when the oldest of them was made.
type OpenCount struct {
	State  approvals.State
	Count  int
	Oldest time.Time
}

// JobCount is how many jobs of a queue are in a state of the job engine: available, running, retryable or scheduled.
type JobCount struct {
	Queue, State string
	Count        int
}

// Gauges counts what is open and what is queued, on one snapshot.
func (db *DB) Gauges(ctx context.Context) (g Gauges, err error) {
	err = db.read(ctx, func(q querier) error {
		if g.Open, err = collect(ctx, q, scanOpen, "SELECT state, COUNT(*), MIN(created_ms) FROM requests WHERE "+live+" GROUP BY state ORDER BY state"); err != nil {
			return err
		}
		if g.Jobs, err = collect(ctx, q, scanJobs, `SELECT queue, state, COUNT(*) FROM river_job
			WHERE state IN ('available', 'retryable', 'running', 'scheduled') GROUP BY queue, state ORDER BY queue, state`); err != nil {
			return err
		}
		return q.QueryRowContext(ctx, "SELECT seq FROM audit_head WHERE id = 1").Scan(&g.Head)
	})
	return g, err
}

func scanOpen(row scanner) (c OpenCount, err error) {
	var oldest int64
	err = row.Scan(&c.State, &c.Count, &oldest)
	c.Oldest = fromMS(oldest)
	return c, err
}

func scanJobs(row scanner) (c JobCount, err error) {
	err = row.Scan(&c.Queue, &c.State, &c.Count)
	return c, err
}

// Turn is a change of state that the audit tells of, without words: of a request, or of one of its steps.
type Turn struct {
	Seq int64
	At  time.Time
	// Step is the step's index, or -1 for the request itself.
	Step     int
	From, To string
	// Tool is the request's, and Asked when it was made.
	Tool  string
	Asked time.Time
}

// Turns returns the changes of state after an audit row, oldest first, at most so many, and the row up to which these are all.
func (db *DB) Turns(ctx context.Context, after int64, most int) (list []Turn, upTo int64, err error) {
	most = limit(most, maxListed, maxEvents)
	err = db.read(ctx, func(q querier) error {
		if err := q.QueryRowContext(ctx, "SELECT seq FROM audit_head WHERE id = 1").Scan(&upTo); err != nil {
			return err
		}
		list, err = collect(ctx, q, scanTurn, `SELECT e.seq, e.at_ms, e.step, e.from_state, e.to_state, r.tool, r.created_ms
			FROM audit_event e JOIN requests r ON r.id = e.request_id
			WHERE e.seq > $1 AND e.to_state <> '' AND e.to_state <> e.from_state ORDER BY e.seq LIMIT $2`, after, most)
		return err
	})
	if len(list) == most {
		upTo = list[most-1].Seq
	}
	return list, upTo, err
}

func scanTurn(row scanner) (t Turn, err error) {
	var at, asked int64
	err = row.Scan(&t.Seq, &at, &t.Step, &t.From, &t.To, &t.Tool, &asked)
	t.At, t.Asked = fromMS(at), fromMS(asked)
	return t, err
}
