package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
)

func openFails(t *testing.T, u string, want ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	db, err := store.Open(ctx, store.Options{URL: u, BusyTimeout: 200 * time.Millisecond})
	if err == nil {
		_ = db.Close()
	}
	require.Equal(t, approvals.KindStore, approvals.KindOf(err), "%v", err)
	for _, w := range want {
		require.ErrorContains(t, err, w)
	}
}

func TestOpenRefusesURLs(t *testing.T) {
	t.Parallel()
	for u, want := range map[string]string{
		"":                               "no database is configured",
		"  ":                             "no database is configured",
		"mysql://user:secret@host/db":    `can't begin with "mysql://"`,
		"sqlite:":                        "names no file",
		"sqlite:/var/lib/":               "names no file",
		":memory:":                       "forget approvals",
		"sqlite::memory:":                "forget approvals",
		"file.db?mode=memory":            "may not contain '?'",
		"postgres://user:secret@host:x/": "postgres://user:password@host:port/database",
		"postgres://u:sec%ret@host/db":   "percent-encode",
	} {
		openFails(t, u, want)
	}
}

func TestErrorsDoNotShowPasswords(t *testing.T) {
	t.Parallel()
	closed, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	for _, u := range []string{
		"mysql://user:s3cret@host/db", "postgres://user:s3cret@host:port/db", "postgres://user:s3cret%zz@host/db",
		"postgres://user:s3cret@" + closed.Addr().String() + "/db?sslmode=disable",
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		var log bytes.Buffer
		_, err := store.Open(ctx, store.Options{URL: u, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		cancel()
		require.Equal(t, approvals.KindStore, approvals.KindOf(err), u)
		require.NotContains(t, chain(err)+log.String(), "s3cret")
	}
}

// chain is the whole error with its causes, as a log would show it.
func chain(err error) string {
	var b strings.Builder
	for ; err != nil; err = errors.Unwrap(err) {
		b.WriteString(err.Error() + "\n")
	}
	return b.String()
}

func TestSQLiteOpenFailures(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	openFails(t, filepath.Join(dir, "no", "such", "mde.db"), "can't be created", "create it")
	openFails(t, dir, "can't be opened for writing")
	notDB := filepath.Join(dir, "letter.txt")
	require.NoError(t, os.WriteFile(notDB, []byte(strings.Repeat("Dear auditor, ", 200)), 0o600))
	openFails(t, notDB, "is not a SQLite database")

	if os.Geteuid() != 0 { // root may write everything
		locked := filepath.Join(dir, "readonly.db")
		require.NoError(t, os.WriteFile(locked, nil, 0o400))
		openFails(t, locked, "can't be opened for writing", "check its owner and mode")
	}
}

func TestSQLiteFileIsPrivate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "mde.db")
	db := storetest.Open(t, path, store.Options{})
	storetest.Insert(t, db, storetest.Pending(t, "AAAA0001", 1))
	info, err := os.Stat(filepath.Dir(path))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	files, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	for _, f := range files {
		info, err := f.Info()
		require.NoError(t, err)
		if !strings.HasSuffix(f.Name(), ".lock") { // holds nothing
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), f.Name())
		}
	}
}

func TestSQLitePathIsTakenLiterally(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a #b %41 'c' é.db")
	storetest.Open(t, "sqlite:"+path, store.Options{})
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.NotZero(t, info.Size())
}

// TestSQLiteLocked holds the write lock in another connection, as another process would.
func TestSQLiteLocked(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	u := storetest.SQLite(t)
	db := storetest.Open(t, u, store.Options{BusyTimeout: 150 * time.Millisecond})
	storetest.Insert(t, db, storetest.Pending(t, "AAAA0001", 1))
	holder, err := storetest.Raw(t, u).Conn(ctx)
	require.NoError(t, err)
	_, err = holder.ExecContext(ctx, "BEGIN IMMEDIATE")
	require.NoError(t, err)

	err = move(db)
	require.Equal(t, approvals.KindStore, approvals.KindOf(err))
	require.ErrorContains(t, err, "locked by another process for 150ms")
	got, err := db.Request(ctx, "AAAA0001")
	require.NoError(t, err, "reading goes on")
	require.Equal(t, approvals.Pending, got.State)

	_, err = holder.ExecContext(ctx, "ROLLBACK")
	require.NoError(t, err)
	require.NoError(t, holder.Close())
	require.NoError(t, move(db), "and nothing is left over")
}

func TestSQLiteMigrationLocked(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	u := storetest.SQLite(t)
	lock, err := sql.Open("sqlite", strings.TrimPrefix(u, "sqlite:")+".lock")
	require.NoError(t, err)
	defer func() { _ = lock.Close() }()
	conn, err := lock.Conn(ctx)
	require.NoError(t, err)
	_, err = conn.ExecContext(ctx, "BEGIN EXCLUSIVE")
	require.NoError(t, err)
	openFails(t, u, "locked by another process")
	require.NoError(t, conn.Close())
}

func move(db *store.DB) error {
	ctx := context.Background()
	return db.InTx(ctx, func(tx *store.Tx) error {
		return tx.Move(ctx, store.Move{ID: "AAAA0001", From: approvals.Pending, To: approvals.Approved, Version: 1, At: storetest.Noon()})
	})
}

func TestCancelledCalls(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, newURL func(testing.TB) string) {
		db := storetest.Open(t, newURL(t), store.Options{})
		storetest.Insert(t, db, storetest.Pending(t, "AAAA0001", 1))
		ctx, cancel := context.WithCancel(context.Background())
		err := db.InTx(ctx, func(tx *store.Tx) error {
			if err := tx.Move(ctx, store.Move{ID: "AAAA0001", From: approvals.Pending, To: approvals.Approved, Version: 1, At: storetest.Noon()}); err != nil {
				return err
			}
			cancel()
			return nil
		})
		require.Equal(t, approvals.KindStore, approvals.KindOf(err), "%v", err)
		_, err = db.Head(ctx)
		require.Equal(t, approvals.KindStore, approvals.KindOf(err), "%v", err)
		got, err := db.Request(context.Background(), "AAAA0001")
		require.NoError(t, err)
		require.Equal(t, approvals.Pending, got.State)
		require.NoError(t, move(db))
	})
}

func TestPostgresFailures(t *testing.T) {
	t.Parallel()
	closed, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	openFails(t, "postgres://u:p@"+closed.Addr().String()+"/db", "can't be reached", closed.Addr().String())

	u, err := url.Parse(storetest.Postgres(t))
	require.NoError(t, err)
	db := storetest.Open(t, u.String(), store.Options{BusyTimeout: 200 * time.Millisecond})
	storetest.Insert(t, db, storetest.Pending(t, "AAAA0001", 1))
	missing := *u
	missing.Path = "/no_such_database"
	openFails(t, missing.String(), "no such database")
	stranger := *u
	stranger.User = url.UserPassword("nobody_of_that_name", "s3cret")
	openFails(t, stranger.String(), "refused the sign-in")

	readOnly := *u
	readOnly.RawQuery = "default_transaction_read_only=on"
	ro, err := store.Open(context.Background(), store.Options{URL: readOnly.String()})
	require.NoError(t, err, "the schema is complete, so that reading works")
	defer func() { _ = ro.Close() }()
	err = move(ro)
	require.Equal(t, approvals.KindStore, approvals.KindOf(err))
	require.ErrorContains(t, err, "read-only")

	raw := storetest.Raw(t, u.String())
	tx, err := raw.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "SELECT * FROM requests FOR UPDATE")
	require.NoError(t, err)
	err = move(db)
	require.Equal(t, approvals.KindStore, approvals.KindOf(err))
	require.ErrorContains(t, err, "locked by another session")
	require.NoError(t, tx.Rollback())

	storetest.Exec(t, raw, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mde-ops' AND datname = $1", strings.TrimPrefix(u.Path, "/"))
	require.Eventually(t, func() bool { return move(db) == nil }, 20*time.Second, 10*time.Millisecond, "a lost connection mends itself")
}
