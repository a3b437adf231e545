package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"modernc.org/sqlite"
)

// Condition is what a look at a database found.
type Condition struct {
	// Place names the database without a password: a file, or host:port/database.
	Place string
	// Postgres says which of the two it is.
	Postgres bool
	// Missing says that there is no such file. Nothing else is known then.
	Missing bool
	// Version is that of our tables and Needs the one of this program; Queue and QueueNeeds those of the job queue's tables.
	Version, Needs, Queue, QueueNeeds int
	// Mode is the mode of the file.
	Mode fs.FileMode
	// Role is the database role, and Votes says that it may write votes. PostgreSQL alone has them.
	Role  string
	Votes bool
}

// Current reports whether the tables are those of this program.
func (c Condition) Current() bool { return c.Version == c.Needs && c.Queue == c.QueueNeeds }

// Newer reports whether a newer version of the program made the tables.
func (c Condition) Newer() bool { return c.Version > c.Needs || c.Queue > c.QueueNeeds }

// Look looks at a database without changing it: what Open would make or bring up to date is only reported. Errors are as
// Open's.
func Look(ctx context.Context, o Options) (Condition, error) {
	o = o.withDefaults()
	where, err := parseURL(o.URL)
	if err != nil {
		return Condition{}, err
	}
	c := Condition{Place: where.text, Postgres: where.postgres}
	if c.Needs, c.QueueNeeds, err = needed(where.postgres); err != nil {
		return c, err
	}
	if where.postgres {
		err = c.lookPostgres(ctx, where.text)
	} else {
		err = c.lookSQLite(ctx, o)
	}
	return c, err
}

// needed are the versions of the tables that this program makes.
func needed(postgres bool) (ours, queue int, err error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return 0, 0, err
	}
	for _, name := range names {
		base := strings.TrimPrefix(name, "migrations/")
		if postgres && base == onlySQLite || !postgres && base == onlyPostgres {
			continue
		}
		number, _, _ := strings.Cut(base, "_")
		n, err := strconv.Atoi(number)
		if err != nil {
			return 0, 0, fmt.Errorf("the migration %s has no number: %w", base, err)
		}
		ours = max(ours, n)
	}
	m, err := rivermigrate.New(riverpgxv5.New(nil), nil)
	if err != nil {
		return 0, 0, err
	}
	return ours, len(m.AllVersions()), nil
}

func (c *Condition) lookSQLite(ctx context.Context, o Options) (err error) {
	info, err := os.Stat(c.Place)
	if errors.Is(err, fs.ErrNotExist) {
		c.Missing = true
		return nil
	}
	if err != nil {
		return storeError(err, "the database %s can't be opened (%s): check its owner and mode", c.Place, reason(err))
	}
	c.Mode = info.Mode().Perm()
	connector, err := sqlite.NewConnector(sqliteDSN(c.Place, url.Values{
		"mode": {"ro"}, "_pragma": {fmt.Sprintf("busy_timeout(%d)", o.BusyTimeout.Milliseconds())},
	}))
	if err != nil {
		return sqliteFault(err, c.Place, o.BusyTimeout)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, db.Close()) }()
	exists := "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = $1"
	return sqliteFault(c.versions(ctx, db, exists), c.Place, o.BusyTimeout)
}

func (c *Condition) lookPostgres(ctx context.Context, text string) (err error) {
	cfg, err := pgx.ParseConfig(text)
	if err != nil { // the parser's own error may repeat the URL with its password
		c.Place = "PostgreSQL"
		return storeError(nil, "the postgres:// URL can't be understood: it should be postgres://user:password@host:port/database; percent-encode special characters in the password")
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = connectTimeout
	}
	c.Place = fmt.Sprintf("%s:%d/%s", cfg.Host, cfg.Port, cfg.Database)
	db := stdlib.OpenDB(*cfg)
	db.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, db.Close()) }()
	exists := "SELECT COUNT(*) FROM (SELECT to_regclass($1) AS found) AS t WHERE found IS NOT NULL"
	if err := c.versions(ctx, db, exists); err != nil {
		return postgresFault(err, c.Place)
	}
	role := "SELECT current_user, COALESCE(has_table_privilege(current_user, to_regclass('votes'), 'INSERT'), false)"
	return postgresFault(db.QueryRowContext(ctx, role).Scan(&c.Role, &c.Votes), c.Place)
}

// versions reads which migrations were made; 0 where there is no table of them.
func (c *Condition) versions(ctx context.Context, q *sql.DB, exists string) error {
	for _, v := range []struct {
		table, query string
		into         *int
	}{
		{"mde_migration", "SELECT COALESCE(MAX(version_id), 0) FROM mde_migration WHERE is_applied", &c.Version},
		{"river_migration", "SELECT COALESCE(MAX(version), 0) FROM river_migration", &c.Queue},
	} {
		var n int
		if err := q.QueryRowContext(ctx, exists, v.table).Scan(&n); err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		if err := q.QueryRowContext(ctx, v.query).Scan(v.into); err != nil {
			return err
		}
	}
	return nil
}
