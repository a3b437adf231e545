package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
)

const (
	// minPoolConns leaves room for the listener and the migration lock beside our own transactions.
	minPoolConns    = 6
	connectTimeout  = 10 * time.Second
	rollbackTimeout = 5 * time.Second
)

// postgresDB is the engine on a PostgreSQL database. Our statements go through database/sql and the queue's through
// pgx, over one pool and, inside a transaction, over the same wire.
type postgresDB struct {
	place string // host:port/database, for texts
	pool  *pgxpool.Pool
	sql   *sql.DB
	jobs  *river.Client[pgx.Tx]
}

func openPostgres(ctx context.Context, text string, o Options) (engine, error) {
	cfg, err := pgxpool.ParseConfig(text)
	if err != nil {
		// The parser's own error may repeat the URL with its password.
		return nil, storeError(nil, "the postgres:// URL can't be understood: it should be postgres://user:password@host:port/database; percent-encode special characters in the password")
	}
	cfg.MaxConns = max(cfg.MaxConns, minPoolConns)
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = connectTimeout
	}
	params := cfg.ConnConfig.RuntimeParams
	if params["application_name"] == "" {
		params["application_name"] = "mde-ops"
	}
	params["lock_timeout"] = strconv.FormatInt(o.BusyTimeout.Milliseconds(), 10)
	params["synchronous_commit"] = "on" // a decision that was answered must survive a power cut

	e := &postgresDB{place: fmt.Sprintf("%s:%d/%s", cfg.ConnConfig.Host, cfg.ConnConfig.Port, cfg.ConnConfig.Database)}
	if e.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return nil, e.fault(err)
	}
	e.sql = stdlib.OpenDBFromPool(e.pool)
	if err = e.start(ctx, o); err != nil {
		return nil, errors.Join(e.fault(err), e.close())
	}
	return e, nil
}

func (e *postgresDB) start(ctx context.Context, o Options) (err error) {
	if e.jobs, err = river.NewClient(riverpgxv5.New(e.pool), insertOnly(o.Logger)); err != nil {
		return err
	}
	return e.withAdvisoryLock(ctx, func() error { return migratePostgres(ctx, e.sql, e.pool, o.Logger) })
}

// migrationLock is the advisory lock that all our processes take around migrations.
const migrationLock int64 = 0x6d64652d6f707301

func (e *postgresDB) withAdvisoryLock(ctx context.Context, fn func() error) error {
	conn, err := e.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", migrationLock); err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		_, _ = conn.Exec(ctx, "SELECT pg_advisory_unlock($1)", migrationLock)
	}()
	return fn()
}

func (e *postgresDB) begin(ctx context.Context, readOnly bool) (session, error) {
	var opts pgx.TxOptions
	if readOnly {
		opts = pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	}
	conn, err := e.sql.Conn(ctx)
	if err != nil {
		return nil, err
	}
	t := &postgresTx{Conn: conn, jobs: e.jobs}
	err = conn.Raw(func(dc any) (err error) {
		c, ok := dc.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("unexpected PostgreSQL connection type %T", dc)
		}
		t.tx, err = c.Conn().BeginTx(ctx, opts)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return t, nil
}

func (e *postgresDB) newWorker(cfg *river.Config) (runner, error) {
	return river.NewClient(riverpgxv5.New(e.pool), cfg)
}

func (e *postgresDB) lockRow() string { return " FOR UPDATE" }

// submissionLock is the advisory lock of LockSubmissions. It ends with its transaction.
const submissionLock int64 = 0x6d64652d6f707302

func (e *postgresDB) lockSubmissions() string {
	return fmt.Sprintf("SELECT pg_advisory_xact_lock(%d)", submissionLock)
}

func (e *postgresDB) close() error {
	err := e.sql.Close()
	e.pool.Close()
	return err
}

func (e *postgresDB) fault(err error) error { return postgresFault(err, e.place) }

type postgresTx struct {
	*sql.Conn
	tx   pgx.Tx
	jobs *river.Client[pgx.Tx]
}

func (t *postgresTx) insertJob(ctx context.Context, args river.JobArgs, opts *river.InsertOpts) error {
	_, err := t.jobs.InsertTx(ctx, t.tx, args, opts)
	return err
}

func (t *postgresTx) commit(ctx context.Context) error { return t.tx.Commit(ctx) }

// rollback also gives the connection back. It has a context of its own, because the caller's may be what ended.
func (t *postgresTx) rollback() {
	ctx, cancel := context.WithTimeout(context.Background(), rollbackTimeout)
	defer cancel()
	_ = t.tx.Rollback(ctx)
	_ = t.Close()
}
