package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// testFirstOpens opens an existing database many times at once; TestSimultaneousFirstStarts does it to an empty one.
func testFirstOpens(t *testing.T, s suite) {
	Insert(t, s.db, Pending(t, "AAAA0001", 1))
	OpenTogether(t, s.url, 4)
	verified(t, s.db)
}

// OpenTogether opens one database several times at the same moment; each must succeed and find the same tables.
func OpenTogether(t *testing.T, u string, n int) {
	t.Helper()
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			db, err := store.Open(context.Background(), store.Options{URL: u})
			if err == nil {
				_, err = db.Head(context.Background())
				err = errors.Join(err, db.Close())
			}
			errs[i] = err
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
}

func testNewerSchema(t *testing.T, s suite) {
	for name, change := range map[string][2]string{
		"ours":  {"INSERT INTO mde_migration (version_id, is_applied) VALUES (9999, TRUE)", "DELETE FROM mde_migration WHERE version_id = 9999"},
		"queue": {"INSERT INTO river_migration (line, version) VALUES ('main', 9999)", "DELETE FROM river_migration WHERE version = 9999"},
	} {
		raw := Raw(t, s.url)
		Exec(t, raw, change[0])
		_, err := store.Open(context.Background(), store.Options{URL: s.url})
		require.Equal(t, approvals.KindStore, approvals.KindOf(err), "%s: %v", name, err)
		require.ErrorContains(t, err, "newer version of this program", name)
		Exec(t, raw, change[1])
		OpenTogether(t, s.url, 1)
	}
}
