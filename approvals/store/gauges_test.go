package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
)

func TestGaugesCountWhatIsOpenAndQueued(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, newURL func(testing.TB) string) {
		ctx := context.Background()
		db := storetest.Open(t, storetest.Ready(t, newURL(t)), store.Options{})
		empty, err := db.Gauges(ctx)
		require.NoError(t, err)
		require.Empty(t, empty.Open)
		require.Empty(t, empty.Jobs)
		for i, id := range []string{"AAAA0001", "AAAA0002", "AAAA0003"} {
			r := storetest.Pending(t, id, 1)
			r.CreatedAt = r.CreatedAt.Add(time.Duration(i) * time.Second)
			var err error
			r.Digest, err = approvals.Digest(r)
			require.NoError(t, err)
			storetest.Insert(t, db, r)
		}
		storetest.Move(t, db, "AAAA0002", approvals.Approved)
		storetest.Move(t, db, "AAAA0003", approvals.Denied)
		require.NoError(t, db.InTx(ctx, func(tx *store.Tx) error {
			for _, kind := range []store.JobKind{store.Notify, store.Advance} {
				if err := tx.Enqueue(ctx, store.Job{Kind: kind, RequestID: "AAAA0001"}, time.Time{}); err != nil {
					return err
				}
			}
			return nil
		}))
		g, err := db.Gauges(ctx)
		require.NoError(t, err)
		require.Equal(t, []store.OpenCount{
			{State: approvals.Approved, Count: 1, Oldest: storetest.Pending(t, "X", 1).CreatedAt.Add(time.Second)},
			{State: approvals.Pending, Count: 1, Oldest: storetest.Pending(t, "X", 1).CreatedAt},
		}, g.Open)
		require.Equal(t, []store.JobCount{{Queue: "mde", State: "available", Count: 1}, {Queue: "slack", State: "available", Count: 1}}, g.Jobs)
		head, err := db.Head(ctx)
		require.NoError(t, err)
		require.Equal(t, head, g.Head)
	})
}

func TestTurnsTellEachChangeOfStateOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, newURL func(testing.TB) string) {
		ctx := context.Background()
		db := storetest.Open(t, storetest.Ready(t, newURL(t)), store.Options{})
		r := storetest.Pending(t, "AAAA0001", 1)
		storetest.Insert(t, db, r)
		storetest.Move(t, db, r.ID, approvals.Approved)
		storetest.Move(t, db, r.ID, approvals.Running)
		var all []store.Turn
		var after int64
		for range 10 {
			some, upTo, err := db.Turns(ctx, after, 2)
			require.NoError(t, err)
			require.LessOrEqual(t, len(some), 2)
			all, after = append(all, some...), upTo
		}
		head, err := db.Head(ctx)
		require.NoError(t, err)
		require.Equal(t, head, after, "also past rows that change no state")
		var arrows [][2]string
		for _, turn := range all {
			require.Equal(t, r.Plan.Tool, turn.Tool)
			require.Equal(t, r.CreatedAt, turn.Asked)
			require.Equal(t, -1, turn.Step)
			require.False(t, turn.At.Before(turn.Asked))
			arrows = append(arrows, [2]string{turn.From, turn.To})
		}
		require.Equal(t, [][2]string{{"", "pending"}, {"pending", "approved"}, {"approved", "running"}}, arrows)
	})
}

// /metrics of mde-mcp shows the same as the worker's, whose role may do more.
func TestTheRoleThatOnlyAsksCanReadTheGauges(t *testing.T) {
	t.Parallel()
	u := storetest.Postgres(t)
	storetest.Insert(t, storetest.Open(t, u, store.Options{}), storetest.Pending(t, "AAAA0001", 1))
	raw := asOwner(t, u)
	storetest.Exec(t, raw, store.Roles())
	db := storetest.Open(t, login(t, raw, u, "mde_mcp"), store.Options{})
	g, err := db.Gauges(context.Background())
	require.NoError(t, err)
	require.Len(t, g.Open, 1)
	turns, _, err := db.Turns(context.Background(), 0, 10)
	require.NoError(t, err)
	require.Len(t, turns, 1)
}
