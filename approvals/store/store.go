package store

import (
	"context"
	"log/slog"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
)

const (
	defaultBusyTimeout = 10 * time.Second
	maxListed          = 500
)

// Options say which database to open and how.
type Options struct {
	// URL is "sqlite:<path>", a bare path, or a "postgres://" URL.
	URL string
	// Logger gets the engine's own remarks; nil discards them.
	Logger *slog.Logger
	// Clock is the time that rows and delays are reckoned from; nil means time.Now.
	Clock func() time.Time
	// BusyTimeout is how long to wait for another writer; zero means 10 s.
	BusyTimeout time.Duration
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.BusyTimeout <= 0 {
		o.BusyTimeout = defaultBusyTimeout
	}
	return o
}

// DB is an open database. Its methods may be called from many goroutines, but not from inside a function given to InTx:
// SQLite has one connection, which that function already holds.
type DB struct {
	engine engine
	opts   Options
}

// Open opens the database and brings its schema up to date under a lock that all processes share, so that simultaneous
// first starts migrate once. It refuses a schema newer than this binary. Errors are *approvals.Error of KindStore whose
// text says what to do; passwords in URLs are never shown.
func Open(ctx context.Context, o Options) (*DB, error) {
	o = o.withDefaults()
	where, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	var e engine
	if where.postgres {
		e, err = openPostgres(ctx, where.text, o)
	} else {
		e, err = openSQLite(ctx, where.text, o)
	}
	if err != nil {
		return nil, err
	}
	return &DB{engine: e, opts: o}, nil
}

// Close closes the database. Stop the Engine first.
func (db *DB) Close() error { return db.engine.close() }

func (db *DB) now() time.Time { return db.opts.Clock() }

// InTx runs fn in one transaction and commits when fn returns nil. Errors of the database come as *approvals.Error of
// KindStore; whatever fn returns passes through unchanged, after the transaction was rolled back. fn must not call the
// network or the DB's own methods.
func (db *DB) InTx(ctx context.Context, fn func(*Tx) error) error {
	s, err := db.engine.begin(ctx, false)
	if err != nil {
		return db.engine.fault(err)
	}
	defer s.rollback()
	tx := &Tx{db: db, s: s}
	if err := fn(tx); err != nil {
		return err
	}
	if tx.broken != nil {
		return tx.broken // fn overlooked it; what was written is not what fn thinks
	}
	if err := tx.appendAudit(ctx); err != nil {
		return err
	}
	if err := s.commit(ctx); err != nil {
		return db.engine.fault(err)
	}
	return nil
}

// read runs fn on one consistent snapshot.
func (db *DB) read(ctx context.Context, fn func(querier) error) error {
	s, err := db.engine.begin(ctx, true)
	if err != nil {
		return db.engine.fault(err)
	}
	defer s.rollback()
	if err := fn(s); err != nil {
		return db.engine.fault(err)
	}
	return nil
}

// Tx is one transaction, valid only inside the function given to InTx. Audit rows are written in order just before the
// commit, so that the lock on the chain's head is taken last and held shortest.
type Tx struct {
	db     *DB
	s      session
	events []approvals.Event
	broken error
}

// fault turns a driver's error into ours and keeps the transaction from being committed.
func (tx *Tx) fault(err error) error {
	if err == nil {
		return nil
	}
	err = tx.db.engine.fault(err)
	if approvals.KindOf(err) == approvals.KindStore {
		tx.broken = err
	}
	return err
}

// exec runs one statement and returns how many rows it changed.
func (tx *Tx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := tx.s.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, tx.fault(err)
	}
	n, err := res.RowsAffected()
	return n, tx.fault(err)
}
