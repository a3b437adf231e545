// Package storetest is one suite of demands that every database under approvals/store must meet, and the helpers that
// other packages' tests use to get an empty database and to write into it behind the store's back.
package storetest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the "pgx" driver, for Raw
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // the "sqlite" driver, for Raw

	"github.com/mde-ops/mde-ops/approvals/store"
)

// PostgresEnv names the environment variable with the URL of a PostgreSQL server on which tests may create databases.
const PostgresEnv = "MDE_TEST_POSTGRES"

// SQLite returns the URL of an empty database in a directory of the test's own.
func SQLite(t testing.TB) string {
	return "sqlite:" + filepath.Join(t.TempDir(), "mde-ops.db")
}

// Postgres returns the URL of an empty database of the test's own, dropped afterwards. It skips the test when the
// environment names no server.
func Postgres(t testing.TB) string { return postgres(t, "") }

// postgres creates a database as a copy of another one, or empty.
func postgres(t testing.TB, template string) string {
	server := os.Getenv(PostgresEnv)
	if server == "" {
		t.Skip("no PostgreSQL: set " + PostgresEnv + " to the postgres:// URL of a server where this test may create databases")
	}
	name := "mde_test_" + strings.ToLower(rand.Text()[:12])
	u, err := databaseURL(server, name)
	require.NoError(t, err, "%s must be a URL", PostgresEnv)
	create := "CREATE DATABASE " + name
	if template != "" {
		create += " TEMPLATE " + template
	}
	admin(t, server, create)
	t.Cleanup(func() { admin(t, server, "DROP DATABASE "+name+" WITH (FORCE)") })
	return u
}

func databaseURL(server, name string) (string, error) {
	u, err := url.Parse(server)
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	return u.String(), nil
}

func admin(t testing.TB, server, statement string) {
	db, err := sql.Open("pgx", server)
	require.NoError(t, err)
	defer func() { _ = db.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err = db.ExecContext(ctx, statement)
	require.NoError(t, err, statement)
}

// EachEmpty runs fn against every database that is at hand: SQLite always, PostgreSQL when the environment names one.
func EachEmpty(t *testing.T, fn func(t *testing.T, newURL func(testing.TB) string)) {
	t.Run("sqlite", func(t *testing.T) { fn(t, SQLite) })
	t.Run("postgres", func(t *testing.T) { fn(t, Postgres) })
}

// Each is EachEmpty for tests that don't care about migrations: the databases have their tables already, copied from one
// that was migrated once, which is much faster.
func Each(t *testing.T, fn func(t *testing.T, newURL func(testing.TB) string)) {
	t.Run("sqlite", func(t *testing.T) { fn(t, SQLiteReady) })
	t.Run("postgres", func(t *testing.T) { fn(t, PostgresReady) })
}

// Open opens the database at u, to be closed with the test. Options other than the URL are o's.
func Open(t testing.TB, u string, o store.Options) *store.DB {
	t.Helper()
	o.URL = u
	db, err := store.Open(context.Background(), o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// Raw opens the database at u without the store and without its guards: constraints are off where that is possible and
// the audit's triggers are gone. Statements may use $n on both databases.
func Raw(t testing.TB, u string) *sql.DB {
	t.Helper()
	if path, ok := strings.CutPrefix(u, "sqlite:"); ok {
		db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)&_pragma=ignore_check_constraints(1)")
		require.NoError(t, err)
		t.Cleanup(func() { _ = db.Close() })
		Exec(t, db, "DROP TRIGGER IF EXISTS audit_event_no_update")
		Exec(t, db, "DROP TRIGGER IF EXISTS audit_event_no_delete")
		return db
	}
	db, err := sql.Open("pgx", u)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	Exec(t, db, "DROP TRIGGER IF EXISTS audit_event_append_only ON audit_event")
	Exec(t, db, `DO $$ DECLARE c record; BEGIN
		FOR c IN SELECT conname, conrelid::regclass AS tab FROM pg_constraint WHERE contype = 'c' AND conrelid IN
			('requests'::regclass, 'steps'::regclass, 'votes'::regclass, 'audit_event'::regclass) LOOP
			EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.tab, c.conname);
		END LOOP; END $$`)
	return db
}

// Exec runs one statement that must succeed and returns how many rows it changed.
func Exec(t testing.TB, db *sql.DB, query string, args ...any) int64 {
	t.Helper()
	res, err := db.ExecContext(context.Background(), query, args...)
	require.NoError(t, err, query)
	n, err := res.RowsAffected()
	require.NoError(t, err)
	return n
}
