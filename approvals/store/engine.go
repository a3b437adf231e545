package store

import (
	"context"
	"database/sql"

	"github.com/riverqueue/river"
)

// querier runs SQL with $n placeholders, which both databases understand.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// session is one transaction, shared by our statements and the job queue's.
type session interface {
	querier
	insertJob(ctx context.Context, args river.JobArgs, opts *river.InsertOpts) error
	commit(ctx context.Context) error
	// rollback does nothing after a commit.
	rollback()
}

// engine is all that differs between the two databases.
type engine interface {
	begin(ctx context.Context, readOnly bool) (session, error)
	newWorker(cfg *river.Config) (runner, error)
	// fault describes an error for the person who must mend it; an *approvals.Error passes through.
	fault(err error) error
	// lockRow is the suffix that makes a SELECT lock what it reads.
	lockRow() string
	// lockSubmissions is the statement that lets one transaction at a time past it; empty when every transaction is alone.
	lockSubmissions() string
	close() error
}

// runner is a job queue at work.
type runner interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	StopAndCancel(ctx context.Context) error
}

// scanner is a row being read.
type scanner interface{ Scan(dest ...any) error }

// collect reads all rows before it returns, because a connection serves one statement at a time.
func collect[T any](ctx context.Context, q querier, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

func scanText(row scanner) (s string, err error) {
	err = row.Scan(&s)
	return s, err
}
