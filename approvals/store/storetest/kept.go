package storetest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
)

func testKept(t *testing.T, s suite) {
	ctx := context.Background()
	none, err := s.db.Kept(ctx, "workspace")
	require.NoError(t, err)
	require.Equal(t, store.Kept{Name: "workspace"}, none)

	require.NoError(t, s.db.Keep(ctx, none, "T1"))
	first, err := s.db.Kept(ctx, "workspace")
	require.NoError(t, err)
	require.Equal(t, store.Kept{Name: "workspace", Value: "T1", Version: 1}, first)
	require.Equal(t, approvals.KindConflict, approvals.KindOf(s.db.Keep(ctx, none, "T2")), "who saw nothing does not replace something")

	require.NoError(t, s.db.Keep(ctx, first, "T3"))
	require.Equal(t, approvals.KindConflict, approvals.KindOf(s.db.Keep(ctx, first, "T4")), "what was seen is not there any more")
	got, err := s.db.Kept(ctx, "workspace")
	require.NoError(t, err)
	require.Equal(t, store.Kept{Name: "workspace", Value: "T3", Version: 2}, got)

	missing := store.Kept{Name: "another", Version: 1}
	require.Equal(t, approvals.KindConflict, approvals.KindOf(s.db.Keep(ctx, missing, "x")))
}

// testKeptByOne lets many processes change what they all saw: one does.
func testKeptByOne(t *testing.T, s suite) {
	ctx := context.Background()
	other := Open(t, s.url, store.Options{})
	for round := range 3 {
		saw, err := s.db.Kept(ctx, "token")
		require.NoError(t, err)
		var won atomic.Int64
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				if []*store.DB{s.db, other}[i%2].Keep(ctx, saw, fmt.Sprint(round, i)) == nil {
					won.Add(1)
				}
			})
		}
		wg.Wait()
		require.Equal(t, int64(1), won.Load())
	}
}
