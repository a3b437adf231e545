package store_test

import (
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
)

// TestRescue leaves a job marked as running by a process that no longer exists: it is run again after the rescue time,
// and not before. The leader here works the other queue only, and still must not discard it.
func TestRescue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mde.db")
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		db, err := store.Open(ctx, store.Options{URL: path})
		require.NoError(t, err)
		job := store.Job{Kind: store.Advance, RequestID: "AAAA0001"}
		require.NoError(t, db.InTx(ctx, func(tx *store.Tx) error { return tx.Enqueue(ctx, job, time.Time{}) }))
		raw := storetest.Raw(t, "sqlite:"+path)
		now := time.Now()
		require.Equal(t, int64(1), storetest.Exec(t, raw, "UPDATE river_job SET state = 'running', attempt = 1, attempted_at = $1, attempted_by = jsonb('[\"gone\"]')",
			now.UTC().Format("2006-01-02 15:04:05.000")))
		require.NoError(t, raw.Close())

		slack, mde := &storetest.Recorder{}, &storetest.Recorder{}
		leader, err := db.Work(ctx, store.WorkOptions{Handler: slack, Queues: []store.Queue{store.QueueSlack}, JobTimeout: 5 * time.Second, Rescue: 10 * time.Second})
		require.NoError(t, err)
		time.Sleep(2 * time.Second) // it is elected
		other, err := db.Work(ctx, store.WorkOptions{Handler: mde, Queues: []store.Queue{store.QueueMDE}})
		require.NoError(t, err)
		time.Sleep(7 * time.Second)
		require.Empty(t, mde.Jobs(), "a job that may still be running is left alone")
		time.Sleep(30 * time.Second) // the leader looks every 30 s
		require.Equal(t, []store.Job{job}, mde.Jobs())
		require.Empty(t, slack.Jobs())
		require.NoError(t, other.Stop(ctx))
		require.NoError(t, leader.Stop(ctx))
		require.NoError(t, db.Close())
	})
}

// sweeper counts sweeps.
type sweeper struct{ times []time.Time }

func (s *sweeper) Handle(_ context.Context, job store.Job) (time.Duration, error) {
	if job.Kind == store.Sweep {
		s.times = append(s.times, time.Now())
	}
	return 0, nil
}

// TestSweepAndOutage runs a real engine for a while: sweeps come at the start and at their interval, and a job that fails
// for most of that time is neither discarded nor forgotten.
func TestSweepAndOutage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mde.db")
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		db, err := store.Open(ctx, store.Options{URL: path})
		require.NoError(t, err)
		s := &sweeper{}
		outage := time.Now().Add(32 * time.Second)
		h := &storetest.Recorder{Answer: func(context.Context, store.Job, int) (time.Duration, error) {
			if time.Now().Before(outage) {
				return 0, context.DeadlineExceeded
			}
			return 0, nil
		}}
		e, err := db.Work(ctx, store.WorkOptions{Handler: both{s, h}, Queues: []store.Queue{store.QueueMDE}, Workers: 1, SweepEvery: 8 * time.Second})
		require.NoError(t, err)
		require.NoError(t, db.InTx(ctx, func(tx *store.Tx) error {
			return tx.Enqueue(ctx, store.Job{Kind: store.Advance, RequestID: "AAAA0001"}, time.Time{})
		}))
		time.Sleep(42 * time.Second)
		require.NoError(t, e.Stop(ctx))
		require.GreaterOrEqual(t, len(s.times), 5)
		require.LessOrEqual(t, len(s.times), 6)
		at := h.Times()
		require.Greater(t, len(at), 8, "more often than errors are kept")
		last := at[len(at)-1]
		require.False(t, last.Before(outage))
		require.Less(t, last.Sub(outage), 12*time.Second, "the end of the outage is noticed soon")
		raw := storetest.Raw(t, "sqlite:"+path)
		require.Zero(t, storetest.Exec(t, raw, "DELETE FROM river_job WHERE state IN ('discarded', 'cancelled')"))
		require.Zero(t, storetest.Exec(t, raw, "DELETE FROM river_job WHERE json_array_length(errors) > 8"), "rows must not grow with an outage")
		require.NoError(t, raw.Close())
		require.NoError(t, db.Close())
	})
}

// both hands sweeps to one handler and all else to the other.
type both struct{ sweeps, rest store.Handler }

func (b both) Handle(ctx context.Context, job store.Job) (time.Duration, error) {
	if job.Kind == store.Sweep {
		return b.sweeps.Handle(ctx, job)
	}
	return b.rest.Handle(ctx, job)
}
