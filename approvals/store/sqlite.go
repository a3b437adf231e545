package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"modernc.org/sqlite"
)

// sqliteDB is the engine on one SQLite file. One connection, because SQLite has one writer and because two connections
// of one process would only wait for each other.
type sqliteDB struct {
	path string
	busy time.Duration
	sql  *sql.DB
	jobs *river.Client[*sql.Tx]
	bell *bell
}

func openSQLite(ctx context.Context, path string, o Options) (engine, error) {
	if err := createFile(path, o); err != nil {
		return nil, err
	}
	e := &sqliteDB{path: path, busy: o.BusyTimeout, bell: newBell()}
	if err := e.connect(o); err != nil {
		return nil, err
	}
	err := withFileLock(ctx, path+".lock", o.BusyTimeout, func() error {
		return migrateSQLite(ctx, e.sql, o.Logger)
	})
	if err != nil {
		return nil, errors.Join(e.fault(err), e.close())
	}
	return e, nil
}

func (e *sqliteDB) connect(o Options) error {
	connector, err := sqlite.NewConnector(sqliteDSN(e.path, url.Values{
		"_pragma": {
			fmt.Sprintf("busy_timeout(%d)", e.busy.Milliseconds()),
			"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
		},
		"_txlock": {"immediate"},
	}))
	if err != nil {
		return e.fault(err)
	}
	e.sql = sql.OpenDB(cachingConnector{connector})
	e.sql.SetMaxOpenConns(1)
	e.jobs, err = river.NewClient(riversqlite.New(e.sql), insertOnly(o.Logger))
	return err
}

// createFile makes the file, and its directory when only that is missing, readable by this user alone: the file holds
// who approved what. A longer missing path is more likely a typing error than a wish.
func createFile(path string, o Options) error {
	dir := filepath.Dir(path)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return storeError(err, "the database directory %s can't be created (%s): create it, or set another path", dir, reason(err))
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the path is the operator's configuration
	if err != nil {
		return storeError(err, "the database %s can't be opened for writing (%s): check its owner and mode, and that its directory is writable", path, reason(err))
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return storeError(err, "the database %s can't be examined (%s)", path, reason(err))
	}
	if info.Mode().Perm()&0o077 != 0 {
		o.Logger.Warn("the database can be read or written by other users: chmod 600 it", "path", path, "mode", info.Mode().Perm().String())
	}
	return nil
}

// reason is what the operating system said, without the path that the text names already.
func reason(err error) string {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

func (e *sqliteDB) begin(ctx context.Context, readOnly bool) (session, error) {
	tx, err := e.sql.BeginTx(ctx, &sql.TxOptions{ReadOnly: readOnly})
	if err != nil {
		return nil, err
	}
	return &sqliteTx{Tx: tx, jobs: e.jobs, bell: e.bell}, nil
}

func (e *sqliteDB) newWorker(cfg *river.Config) (runner, error) {
	return river.NewClient[*sql.Tx](newBellDriver(e.sql, e.bell), cfg)
}

func (e *sqliteDB) lockRow() string { return "" } // an immediate transaction already holds the only write lock

func (e *sqliteDB) lockSubmissions() string { return "" } // for the same reason

func (e *sqliteDB) close() error { return e.sql.Close() }

func (e *sqliteDB) fault(err error) error { return sqliteFault(err, e.path, e.busy) }

type sqliteTx struct {
	*sql.Tx
	jobs  *river.Client[*sql.Tx]
	bell  *bell
	added bool
}

func (t *sqliteTx) insertJob(ctx context.Context, args river.JobArgs, opts *river.InsertOpts) error {
	_, err := t.jobs.InsertTx(ctx, t.Tx, args, opts)
	t.added = true
	return err
}

func (t *sqliteTx) commit(context.Context) error {
	err := t.Commit()
	if err == nil && t.added {
		t.bell.ring()
	}
	return err
}

func (t *sqliteTx) rollback() { _ = t.Rollback() }
