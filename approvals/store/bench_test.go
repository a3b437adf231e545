package store_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
)

func eachDatabase(b *testing.B, fn func(*testing.B, *store.DB)) {
	b.Run("sqlite", func(b *testing.B) { fn(b, storetest.Open(b, storetest.SQLite(b), store.Options{})) })
	b.Run("postgres", func(b *testing.B) { fn(b, storetest.Open(b, storetest.Postgres(b), store.Options{})) })
}

func decide(ctx context.Context, db *store.DB, r approvals.Request) error {
	return db.InTx(ctx, func(tx *store.Tx) error {
		if err := tx.AddVote(ctx, storetest.Vote(r, "bob@example.com"), approvals.Event{}); err != nil {
			return err
		}
		if err := tx.Move(ctx, store.Move{ID: r.ID, From: approvals.Pending, To: approvals.Approved, Version: 1, At: time.Now()}); err != nil {
			return err
		}
		return tx.Enqueue(ctx, store.Job{Kind: store.Advance, RequestID: r.ID}, time.Time{})
	})
}

// report adds the percentiles that matter to a person who waits.
func report(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	for _, p := range []int{50, 99} {
		b.ReportMetric(float64(took[(len(took)-1)*p/100].Microseconds())/1000, fmt.Sprintf("ms-p%d", p))
	}
}

// BenchmarkDecision is one approval: vote, transition, two audit rows and the job, committed.
func BenchmarkDecision(b *testing.B) {
	eachDatabase(b, func(b *testing.B, db *store.DB) {
		ctx := context.Background()
		var took []time.Duration
		for i := 0; b.Loop(); i++ {
			r := storetest.Pending(b, fmt.Sprintf("A%07d", i), 1)
			b.StopTimer()
			storetest.Insert(b, db, r)
			b.StartTimer()
			start := time.Now()
			require.NoError(b, decide(ctx, db, r))
			took = append(took, time.Since(start))
		}
		report(b, took)
	})
}

// BenchmarkApproveToStart is how long it takes from the call that approves to the handler that acts on it.
func BenchmarkApproveToStart(b *testing.B) {
	eachDatabase(b, func(b *testing.B, db *store.DB) {
		ctx := context.Background()
		started := make(chan time.Time, 1)
		h := &storetest.Recorder{Answer: func(context.Context, store.Job, int) (time.Duration, error) {
			started <- time.Now()
			return 0, nil
		}}
		e, err := db.Work(ctx, store.WorkOptions{Handler: h, Queues: store.Queues()})
		require.NoError(b, err)
		defer func() { require.NoError(b, e.Stop(ctx)) }()
		warm := storetest.Pending(b, "WARMINGUP", 1)
		storetest.Insert(b, db, warm)
		require.NoError(b, decide(ctx, db, warm))
		<-started
		var took []time.Duration
		for i := 0; b.Loop(); i++ {
			r := storetest.Pending(b, fmt.Sprintf("A%07d", i), 1)
			b.StopTimer()
			storetest.Insert(b, db, r)
			time.Sleep(time.Duration(i%7) * 11 * time.Millisecond) // not in step with any poll
			b.StartTimer()
			start := time.Now()
			require.NoError(b, decide(ctx, db, r))
			took = append(took, (<-started).Sub(start))
		}
		report(b, took)
	})
}
