package storetest

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals/store"
)

// SQLiteReady is SQLite with the tables made.
func SQLiteReady(t testing.TB) string { return Ready(t, SQLite(t)) }

// Ready makes the tables of an SQLite database that is not there yet, by copying, and returns its URL. It does nothing to
// other databases.
func Ready(t testing.TB, u string) string {
	path, ok := strings.CutPrefix(u, "sqlite:")
	if _, err := os.Stat(path); !ok || err == nil {
		return u
	}
	require.NoError(t, CopyReady(path))
	return u
}

// CopyReady writes an SQLite database with the tables made, and nothing in them, to a file. Making the tables is most of what
// a first start takes, so that it is done once for a process.
func CopyReady(path string) error {
	file, err := sqliteTemplate()
	if err != nil {
		return err
	}
	return os.WriteFile(path, file, 0o600)
}

// sqliteTemplate is the file of a database that was migrated, once for this process.
var sqliteTemplate = sync.OnceValues(func() (file []byte, err error) {
	dir, err := os.MkdirTemp("", "mde-ops-template")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "mde-ops.db")
	if err := migrated("sqlite:" + path); err != nil {
		return nil, err
	}
	return os.ReadFile(path) //nolint:gosec // a path of our own
})

// migrated opens a database, which makes its tables, and closes it, so that it can be copied.
func migrated(u string) error {
	db, err := store.Open(context.Background(), store.Options{URL: u})
	if err != nil {
		return err
	}
	return db.Close()
}

// PostgresReady is Postgres with the tables made.
func PostgresReady(t testing.TB) string {
	server := os.Getenv(PostgresEnv)
	if server == "" {
		return Postgres(t) // which skips
	}
	template, err := postgresTemplate()
	require.NoError(t, err)
	return postgres(t, template)
}

// postgresTemplate is the name of a database that was migrated. It stays on the server, for all tests that want the same
// tables.
var postgresTemplate = sync.OnceValues(func() (name string, err error) {
	schema, err := store.Schema()
	if err != nil {
		return "", err
	}
	name = "mde_template_" + schema
	server := os.Getenv(PostgresEnv)
	db, err := sql.Open("pgx", server)
	if err != nil {
		return "", err
	}
	defer func() { _ = db.Close() }()
	conn, err := db.Conn(context.Background())
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	return name, makeTemplate(conn, server, name)
})

// templateLock keeps processes from making the same template at once. It ends with the connection.
const templateLock = 0x6d64652d6f707303

// makeTemplate makes the database unless it is there. It gets its name when it is complete.
func makeTemplate(conn *sql.Conn, server, name string) error {
	ctx := context.Background()
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", int64(templateLock)); err != nil {
		return err
	}
	var there bool
	err := conn.QueryRowContext(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&there)
	if err != nil || there {
		return err
	}
	u, err := databaseURL(server, name+"_new")
	if err != nil {
		return err
	}
	for _, step := range []func() error{
		execute(conn, "DROP DATABASE IF EXISTS "+name+"_new"), execute(conn, "CREATE DATABASE "+name+"_new"),
		func() error { return migrated(u) },
		execute(conn, "ALTER DATABASE "+name+"_new RENAME TO "+name),
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func execute(conn *sql.Conn, statement string) func() error {
	return func() error {
		_, err := conn.ExecContext(context.Background(), statement)
		return err
	}
}
