package store_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
)

func TestEachStepHasOneFetchHoweverOftenItIsAskedForAndComesAgain(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, newURL func(testing.TB) string) {
		ctx := context.Background()
		url := storetest.Ready(t, newURL(t))
		db := storetest.Open(t, url, store.Options{})
		ask := func(step int) {
			require.NoError(t, db.InTx(ctx, func(tx *store.Tx) error {
				return tx.Enqueue(ctx, store.Job{Kind: store.Collect, RequestID: "AAAA0001", Step: step}, time.Time{})
			}))
		}
		limit := make(chan time.Duration, 100)
		var calls [2]atomic.Int32
		h := &storetest.Recorder{Answer: func(ctx context.Context, j store.Job, _ int) (time.Duration, error) {
			end, _ := ctx.Deadline()
			limit <- time.Until(end)
			ask(j.Step) // while it runs
			if calls[j.Step].Add(1) < 3 {
				return 20 * time.Millisecond, nil
			}
			return 0, nil
		}}
		for range 3 {
			ask(0)
			ask(1)
		}
		e, err := db.Work(ctx, store.WorkOptions{Handler: h, Queues: []store.Queue{store.QueueFetch}, Workers: 1, FetchTimeout: 10 * time.Minute})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, e.Stop(context.Background())) })
		raw := storetest.Raw(t, url)
		require.Eventually(t, func() bool {
			var open int
			require.NoError(t, raw.QueryRowContext(ctx, "SELECT COUNT(*) FROM river_job WHERE kind = 'collect' AND state <> 'completed'").Scan(&open))
			return open == 0
		}, 30*time.Second, 20*time.Millisecond)
		for step := range calls {
			require.EqualValues(t, 3, calls[step].Load(), "a step's fetch comes again twice, and no other is made meanwhile")
		}
		require.Greater(t, <-limit, 9*time.Minute, "a download may take longer than other jobs")
	})
}
