package store

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/mde-ops/mde-ops/approvals"
)

// note is the smallest change.
func note(db *DB, detail string) error {
	ctx := context.Background()
	return db.InTx(ctx, func(tx *Tx) error {
		return tx.Note(ctx, approvals.Event{Type: "noted", Step: -1, Detail: detail})
	})
}

func TestSQLiteFull(t *testing.T) {
	t.Parallel()
	db, err := Open(context.Background(), Options{URL: filepath.Join(t.TempDir(), "mde.db")})
	require.NoError(t, err)
	defer func() { _ = db.Close() }()
	lite, ok := db.engine.(*sqliteDB)
	require.True(t, ok)
	_, err = lite.sql.ExecContext(t.Context(), "PRAGMA max_page_count = 1") // SQLite takes the present size instead
	require.NoError(t, err)
	detail := string(make([]byte, 1<<16))
	err = note(db, detail)
	require.Equal(t, approvals.KindStore, approvals.KindOf(err))
	require.ErrorContains(t, err, "is full; nothing was saved")
	head, err := db.Head(context.Background())
	require.NoError(t, err)
	require.Zero(t, head)
	_, err = lite.sql.ExecContext(t.Context(), "PRAGMA max_page_count = 1000000")
	require.NoError(t, err)
	require.NoError(t, note(db, detail), "with space again, work goes on")
}

func TestSQLiteReadOnly(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "mde.db")
	db, err := Open(context.Background(), Options{URL: path})
	require.NoError(t, err)
	require.NoError(t, db.Close())

	connector, err := sqlite.NewConnector("file:" + path + "?mode=ro&_pragma=journal_mode(WAL)&_txlock=immediate")
	require.NoError(t, err)
	e := &sqliteDB{path: path, busy: time.Second, sql: sql.OpenDB(connector)}
	ro := &DB{engine: e, opts: Options{}.withDefaults()}
	defer func() { _ = ro.Close() }()
	err = note(ro, "x")
	require.Equal(t, approvals.KindStore, approvals.KindOf(err), "%v", err)
	require.ErrorContains(t, err, "is read-only; nothing was saved")
	_, err = ro.Head(context.Background())
	require.NoError(t, err)
}
