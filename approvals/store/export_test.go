package store

import (
	"context"
	"database/sql"
)

// Record shows every statement of db to seen before it is executed.
func Record(db *DB, seen func(query string, args []any)) { db.engine = recorder{db.engine, seen} }

type recorder struct {
	engine
	seen func(string, []any)
}

func (r recorder) begin(ctx context.Context, readOnly bool) (session, error) {
	s, err := r.engine.begin(ctx, readOnly)
	return recorded{s, r.seen}, err
}

type recorded struct {
	session
	seen func(string, []any)
}

func (r recorded) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	r.seen(query, args)
	return r.session.ExecContext(ctx, query, args...)
}

func (r recorded) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	r.seen(query, args)
	return r.session.QueryContext(ctx, query, args...)
}

func (r recorded) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	r.seen(query, args)
	return r.session.QueryRowContext(ctx, query, args...)
}
