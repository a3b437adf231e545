package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"modernc.org/sqlite"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations whose text only one of the databases understands; all others serve both.
const (
	onlySQLite   = "00002_append_only_sqlite.sql"
	onlyPostgres = "00003_append_only_postgres.sql"
)

// Schema is a name for the tables that this version of the program makes, another one after every change of a migration.
func Schema() (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(migrations, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := migrations.ReadFile(path)
		fmt.Fprintf(sum, "%s %d %s", path, len(text), text)
		return err
	})
	if err != nil {
		return "", err
	}
	m, err := rivermigrate.New(riverpgxv5.New(nil), nil)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(sum, "%d", len(m.AllVersions()))
	return hex.EncodeToString(sum.Sum(nil)[:6]), nil
}

func migrateSQLite(ctx context.Context, db *sql.DB, log *slog.Logger) error {
	if err := migrateOurs(ctx, goose.DialectSQLite3, db, onlyPostgres); err != nil {
		return err
	}
	m, err := rivermigrate.New(riversqlite.New(db), &rivermigrate.Config{Logger: log})
	if err != nil {
		return err
	}
	return migrateRiver[*sql.Tx](ctx, m)
}

func migratePostgres(ctx context.Context, db *sql.DB, pool *pgxpool.Pool, log *slog.Logger) error {
	if err := migrateOurs(ctx, goose.DialectPostgres, db, onlySQLite); err != nil {
		return err
	}
	m, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: log})
	if err != nil {
		return err
	}
	return migrateRiver[pgx.Tx](ctx, m)
}

func migrateOurs(ctx context.Context, dialect goose.Dialect, db *sql.DB, exclude string) error {
	texts, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(dialect, db, texts,
		goose.WithTableName("mde_migration"), goose.WithDisableGlobalRegistry(true), goose.WithExcludeNames([]string{exclude}))
	if err != nil {
		return err
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return cmp.Or(mayNotMigrate(err, "the version of the database's tables can't be read"), err)
	}
	if have > want {
		return newerSchema(fmt.Sprintf("version %d, this program knows %d", have, want))
	}
	if _, err = p.Up(ctx); err != nil {
		return cmp.Or(mayNotMigrate(err, fmt.Sprintf("the database's tables are of version %d and this program needs %d", have, want)), err)
	}
	return nil
}

func migrateRiver[T any](ctx context.Context, m *rivermigrate.Migrator[T]) error {
	known := len(m.AllVersions())
	done, err := m.ExistingVersions(ctx)
	if err != nil {
		// The migrator names a version that it does not have only when a later one wrote it.
		if _, hasLast := m.GetVersion(known); hasLast == nil && isUnknownVersion(err) {
			return newerSchema("of the job queue's tables")
		}
		return err
	}
	if len(done) >= known {
		return nil
	}
	if _, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		what := fmt.Sprintf("the job queue's tables are of version %d and this program needs %d", len(done), known)
		return cmp.Or(mayNotMigrate(err, what), err)
	}
	return nil
}

func isUnknownVersion(err error) bool {
	var n int
	_, scan := fmt.Sscanf(err.Error(), "migration %d not found in migrator bundle", &n)
	return scan == nil
}

func newerSchema(which string) error {
	return storeError(nil, "the database was written by a newer version of this program (schema %s): update this program; nothing was changed", which)
}

// withFileLock holds an exclusive lock on a file beside the database while fn runs. The lock is SQLite's own, so that it
// ends with the process, whatever ends the process.
func withFileLock(ctx context.Context, path string, busy time.Duration, fn func() error) (err error) {
	connector, err := sqlite.NewConnector(sqliteDSN(path, url.Values{
		"_pragma": {fmt.Sprintf("busy_timeout(%d)", busy.Milliseconds())},
		"_txlock": {"exclusive"},
	}))
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	return fn()
}
