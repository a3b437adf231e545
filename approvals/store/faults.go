package store

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/mde-ops/mde-ops/approvals"
)

// ended describes a context that ended, or nil.
func ended(err error) error {
	if errors.Is(err, context.Canceled) {
		return storeError(err, "the call was cancelled before the database had answered; nothing was saved")
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return storeError(err, "the database did not answer in time; nothing was saved, try again")
	}
	return nil
}

// ours returns err when it is a refusal already.
func ours(err error) error {
	if approvals.KindOf(err) != "" {
		return err
	}
	return nil
}

func sqliteFault(err error, path string, busy time.Duration) error {
	if err == nil {
		return nil
	}
	if e := ours(err); e != nil {
		return e
	}
	var se *sqlite.Error
	if !errors.As(err, &se) {
		if e := ended(err); e != nil {
			return e
		}
		return storeError(err, "the database %s could not be used; nothing was saved (see the log)", path)
	}
	switch se.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return storeError(err, "the database %s stayed locked by another process for %s; nothing was saved: try again, and end what holds it if it stays", path, busy)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		return storeError(err, "the database %s is read-only; nothing was saved: make the file, its -wal and -shm files and its directory writable for this user", path)
	case sqlite3.SQLITE_FULL:
		return storeError(err, "the disk or the size limit of the database %s is full; nothing was saved: free some space", path)
	case sqlite3.SQLITE_CANTOPEN:
		return storeError(err, "the database %s can't be opened: check that its directory exists and is writable for this user", path)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return storeError(err, "%s is not a SQLite database, or is damaged: set another path, or restore it from a backup", path)
	case sqlite3.SQLITE_IOERR:
		return storeError(err, "the disk under the database %s reports an error; nothing was saved: it must be a local disk in good order", path)
	case sqlite3.SQLITE_INTERRUPT:
		return storeError(err, "the call ended before the database had answered; nothing was saved")
	}
	return storeError(err, "the database %s refused a statement; nothing was saved (see the log)", path)
}

func postgresFault(err error, place string) error {
	if err == nil {
		return nil
	}
	if e := ours(err); e != nil {
		return e
	}
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return postgresAnswer(pe, err, place)
	}
	var ce *pgconn.ConnectError
	var ne net.Error
	switch {
	case errors.As(err, &ce), errors.As(err, &ne) && !errors.Is(err, context.DeadlineExceeded):
		return storeError(err, "PostgreSQL at %s can't be reached; nothing was saved: check that it runs, and host, port and network", place)
	case ended(err) != nil:
		return ended(err)
	case errors.Is(err, sql.ErrConnDone), pgconn.SafeToRetry(err):
		return storeError(err, "the connection to PostgreSQL at %s was lost; nothing was saved, try again", place)
	}
	return storeError(err, "PostgreSQL at %s could not be used (see the log)", place)
}

// postgresAnswer describes what the server itself said, by SQLSTATE.
func postgresAnswer(pe *pgconn.PgError, err error, place string) error {
	switch pe.Code {
	case "40001", "40P01":
		return storeError(err, "PostgreSQL at %s saw two changes collide; nothing was saved, try again", place)
	case "55P03":
		return storeError(err, "PostgreSQL at %s kept a row locked by another session for too long; nothing was saved, try again", place)
	case "25006":
		return storeError(err, "PostgreSQL at %s is read-only (a standby?); nothing was saved: use the primary", place)
	case "42501":
		return storeError(err, "the database role may not do this at PostgreSQL %s (%s); nothing was saved: grant it", place, clip(pe.Message))
	case "3D000":
		return storeError(err, "PostgreSQL at %s has no such database: create it, or correct the URL", place)
	}
	switch pe.Code[:min(2, len(pe.Code))] {
	case "28":
		return storeError(err, "PostgreSQL at %s refused the sign-in: check user and password in the URL", place)
	case "53":
		return storeError(err, "PostgreSQL at %s is out of disk, memory or connections (%s); nothing was saved", place, clip(pe.Message))
	case "57", "08":
		return storeError(err, "PostgreSQL at %s is shutting down or broke off; nothing was saved, try again", place)
	}
	return storeError(err, "PostgreSQL at %s refused a statement (SQLSTATE %s); nothing was saved (see the log)", place, pe.Code)
}
