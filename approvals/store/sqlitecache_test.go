package store

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"
)

// openCaching is an empty database with one table and one connection, which keeps its statements.
func openCaching(t *testing.T) *sql.DB {
	t.Helper()
	connector, err := sqlite.NewConnector("file:" + filepath.Join(t.TempDir(), "cache.db"))
	require.NoError(t, err)
	db := sql.OpenDB(cachingConnector{connector})
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	db.SetMaxOpenConns(1)
	_, err = db.ExecContext(t.Context(), "CREATE TABLE n (x INTEGER PRIMARY KEY); INSERT INTO n VALUES (1), (2), (3)")
	require.NoError(t, err)
	return db
}

// kept is how many statements the connection keeps compiled.
func kept(t *testing.T, db *sql.DB) (n int) {
	t.Helper()
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	require.NoError(t, conn.Raw(func(c any) error {
		caching, ok := c.(*cachingConn)
		require.True(t, ok)
		n = len(caching.idle)
		return nil
	}))
	return n
}

func TestAStatementThatIsBeingReadIsNotRunBySomebodyElse(t *testing.T) {
	t.Parallel()
	db := openCaching(t)
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	const query = "SELECT x FROM n WHERE x >= $1 ORDER BY x"
	var pairs []string
	outer, err := conn.QueryContext(t.Context(), query, 2)
	require.NoError(t, err)
	defer func() { _ = outer.Close() }()
	for outer.Next() {
		var a, b int
		require.NoError(t, outer.Scan(&a))
		require.NoError(t, conn.QueryRowContext(t.Context(), query, 1).Scan(&b))
		pairs = append(pairs, fmt.Sprint(a, b))
	}
	require.NoError(t, outer.Err())
	require.Equal(t, []string{"2 1", "3 1"}, pairs)
}

func TestAStatementHoldsNothingOfItsLastRun(t *testing.T) {
	t.Parallel()
	db := openCaching(t)
	ctx := t.Context()
	for i := range 3 {
		var x int
		require.NoError(t, db.QueryRowContext(ctx, "SELECT x FROM n WHERE x = $1", i+1).Scan(&x))
		require.Equal(t, i+1, x)
		require.ErrorIs(t, db.QueryRowContext(ctx, "SELECT x FROM n WHERE x = $1", 9).Scan(&x), sql.ErrNoRows)
		_, err := db.ExecContext(ctx, "INSERT INTO n VALUES ($1)", 1)
		require.ErrorContains(t, err, "UNIQUE", "and it fails as often as it is tried")
	}
	require.Error(t, db.QueryRowContext(ctx, "SELECT x FROM n WHERE x = $1").Scan(new(int)), "an argument of before is not there any more")
	_, err := db.ExecContext(ctx, "INSERT INTO n VALUES ($1)", 4)
	require.NoError(t, err)

	_, err = db.ExecContext(ctx, "ALTER TABLE n ADD COLUMN y INTEGER NOT NULL DEFAULT 7")
	require.NoError(t, err)
	var sum int
	require.NoError(t, db.QueryRowContext(ctx, "SELECT SUM(y) FROM n").Scan(&sum))
	require.Equal(t, 4*7, sum)
	_, err = db.ExecContext(ctx, "DROP TABLE n")
	require.NoError(t, err)
	require.ErrorContains(t, db.QueryRowContext(ctx, "SELECT x FROM n WHERE x = $1", 1).Scan(&sum), "no such table")
}

func TestStatementsOfManyTextsAreNotKeptForEver(t *testing.T) {
	t.Parallel()
	db := openCaching(t)
	for i := range 2*maxCompiled + 9 {
		var x int
		require.NoError(t, db.QueryRowContext(t.Context(), fmt.Sprintf("SELECT x + %d FROM n WHERE x = 1", i)).Scan(&x))
		require.Equal(t, i+1, x)
	}
	require.LessOrEqual(t, kept(t, db), maxCompiled)
	before := kept(t, db)
	long := fmt.Sprintf("SELECT x FROM n WHERE x = 1 -- %0*d", maxCompiledText, 0)
	require.NoError(t, db.QueryRowContext(t.Context(), long).Scan(new(int)))
	require.Equal(t, before, kept(t, db), "a long text is not kept")
}
