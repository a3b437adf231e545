package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// patience is only reached when something is broken.
const patience = 30 * time.Second

// work starts an engine that the test's end stops.
func work(t testing.TB, db *store.DB, h store.Handler, queues ...store.Queue) {
	t.Helper()
	e, err := db.Work(context.Background(), store.WorkOptions{Handler: h, Queues: queues})
	require.NoError(t, err)
	t.Cleanup(func() { stop(t, e) })
}

func stop(t testing.TB, e *store.Engine) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, e.Stop(ctx))
}

func enqueue(t testing.TB, db *store.DB, j store.Job, at time.Time) {
	t.Helper()
	ctx := context.Background()
	require.NoError(t, db.InTx(ctx, func(tx *store.Tx) error { return tx.Enqueue(ctx, j, at) }))
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, patience, 5*time.Millisecond)
}

func advance(id string) store.Job { return store.Job{Kind: store.Advance, RequestID: id} }

// testJobAfterCommit holds a transaction open after it enqueued: nothing may start before the commit, and what starts
// must see what was committed.
func testJobAfterCommit(t *testing.T, s suite) {
	ctx := context.Background()
	Insert(t, s.db, Pending(t, "AAAA0001", 1))
	h := &Recorder{}
	seen := make(chan approvals.State, 1)
	h.Answer = func(ctx context.Context, j store.Job, _ int) (time.Duration, error) {
		r, err := s.db.Request(ctx, j.RequestID)
		seen <- r.State
		return 0, err
	}
	work(t, s.db, h, store.QueueMDE)
	require.NoError(t, s.db.InTx(ctx, func(tx *store.Tx) error {
		if err := tx.Enqueue(ctx, advance("AAAA0001"), time.Time{}); err != nil {
			return err
		}
		time.Sleep(300 * time.Millisecond) // long enough for a worker that looks too early
		require.Empty(t, h.Jobs())
		return tx.Move(ctx, store.Move{ID: "AAAA0001", From: approvals.Pending, To: approvals.Approved, Version: 1, At: Noon()})
	}))
	select {
	case state := <-seen:
		require.Equal(t, approvals.Approved, state)
	case <-time.After(patience):
		t.Fatal("the job never came")
	}
}

func testJobsRepeat(t *testing.T, s suite) {
	h := &Recorder{Answer: func(_ context.Context, _ store.Job, earlier int) (time.Duration, error) {
		switch earlier {
		case 0, 1:
			return store.Soon, nil
		case 2, 3:
			return 300 * time.Millisecond, nil
		}
		return 0, nil
	}}
	work(t, s.db, h, store.QueueMDE)
	job := store.Job{Kind: store.Advance, RequestID: "AAAA0001", Nonce: "first"}
	enqueue(t, s.db, job, time.Time{})
	eventually(t, func() bool { return h.Count(job) == 5 })
	at := h.Times()
	require.GreaterOrEqual(t, at[3].Sub(at[2]), 299*time.Millisecond)
	require.GreaterOrEqual(t, at[4].Sub(at[3]), 299*time.Millisecond)
	for _, j := range h.Jobs() {
		require.Equal(t, job, j, "a repeat is the same job")
	}
}

// testRepeatsBecomeOne enqueues many jobs of one request, each of which wants to come again: only one may go on.
func testRepeatsBecomeOne(t *testing.T, s suite) {
	const pause = 200 * time.Millisecond
	h := &Recorder{Answer: func(context.Context, store.Job, int) (time.Duration, error) { return pause, nil }}
	work(t, s.db, h, store.QueueMDE)
	for range 6 {
		enqueue(t, s.db, advance("AAAA0001"), time.Time{})
	}
	eventually(t, func() bool { return len(h.Jobs()) >= 6 })
	six := h.Times()[5]
	eventually(t, func() bool { return len(h.Jobs()) >= 12 })
	require.GreaterOrEqual(t, h.Times()[11].Sub(six), 4*pause, "six more calls take six pauses when one job makes them, and one when six do")
}

func testNonces(t *testing.T, s suite) {
	sweep := func(nonce string) store.Job {
		return store.Job{Kind: store.Advance, RequestID: "AAAA0001", Nonce: nonce}
	}
	for range 3 {
		enqueue(t, s.db, sweep("12:00"), time.Time{})
		enqueue(t, s.db, sweep("12:01"), time.Time{})
		enqueue(t, s.db, advance("AAAA0002"), time.Time{})
	}
	h := &Recorder{}
	work(t, s.db, h, store.QueueMDE)
	eventually(t, func() bool { return len(h.Jobs()) == 5 })
	require.ElementsMatch(t, []store.Job{sweep("12:00"), sweep("12:01"), advance("AAAA0002"), advance("AAAA0002"), advance("AAAA0002")}, h.Jobs())
	// A finished job no longer stands in the way, once the queue has written down that it finished.
	eventually(t, func() bool {
		enqueue(t, s.db, sweep("12:00"), time.Time{})
		return len(h.Jobs()) > 5
	})
	ctx := context.Background()
	kind(t, approvals.KindInvalid, s.db.InTx(ctx, func(tx *store.Tx) error { return tx.Enqueue(ctx, store.Job{Kind: "other"}, time.Time{}) }))
}

func testJobErrors(t *testing.T, s suite) {
	h := &Recorder{Answer: func(_ context.Context, _ store.Job, earlier int) (time.Duration, error) {
		switch {
		case earlier < 2:
			return 0, errors.New("the tenant is away")
		case earlier == 2:
			panic("a fault in the handler")
		}
		return 0, nil
	}}
	work(t, s.db, h, store.QueueMDE)
	enqueue(t, s.db, advance("AAAA0001"), time.Time{})
	eventually(t, func() bool { return len(h.Jobs()) == 4 }) // the queue's own backoff would take minutes
}

func testDelayedJob(t *testing.T, s suite) {
	h := &Recorder{}
	work(t, s.db, h, store.QueueMDE)
	start := time.Now()
	enqueue(t, s.db, advance("later"), Noon().Add(700*time.Millisecond)) // the DB's clock stands at noon
	enqueue(t, s.db, advance("much later"), Noon().Add(time.Hour))
	enqueue(t, s.db, advance("past"), Noon().Add(-time.Hour))
	eventually(t, func() bool { return len(h.Jobs()) == 2 })
	jobs := h.Jobs()
	require.ElementsMatch(t, []store.Job{advance("past"), advance("later")}, jobs)
	require.GreaterOrEqual(t, h.Times()[slices.Index(jobs, advance("later"))].Sub(start), 699*time.Millisecond)
}

// testQueues has one process for each queue; every job goes to the right one.
func testQueues(t *testing.T, s suite) {
	other := Open(t, s.url, store.Options{})
	mde, slack := &Recorder{}, &Recorder{}
	work(t, s.db, mde, store.QueueMDE)
	work(t, other, slack, store.QueueSlack)
	for _, k := range []store.JobKind{store.Advance, store.Notify, store.Expire} {
		enqueue(t, s.db, store.Job{Kind: k, RequestID: "AAAA0001"}, time.Time{})
	}
	eventually(t, func() bool { return len(mde.Jobs()) == 2 && len(slack.Jobs()) == 1 })
	require.ElementsMatch(t, []store.Job{advance("AAAA0001"), {Kind: store.Expire, RequestID: "AAAA0001"}}, mde.Jobs())
	require.Equal(t, []store.Job{{Kind: store.Notify, RequestID: "AAAA0001"}}, slack.Jobs())
	for name, o := range map[string]store.WorkOptions{
		"no handler": {Queues: store.Queues()}, "no queue": {Handler: mde}, "wrong queue": {Handler: mde, Queues: []store.Queue{"x"}},
		"rescue": {Handler: mde, Queues: store.Queues(), JobTimeout: time.Minute, Rescue: time.Minute},
	} {
		_, err := s.db.Work(context.Background(), o)
		require.Equal(t, approvals.KindInvalid, approvals.KindOf(err), name)
	}
}

// testTwoShare lets two processes' engines work one database: every job runs, none twice.
func testTwoShare(t *testing.T, s suite) {
	other := Open(t, s.url, store.Options{})
	a, b := &Recorder{}, &Recorder{}
	slow := func(context.Context, store.Job, int) (time.Duration, error) {
		time.Sleep(2 * time.Millisecond)
		return 0, nil
	}
	a.Answer, b.Answer = slow, slow
	work(t, s.db, a, store.QueueMDE)
	work(t, other, b, store.QueueMDE)
	const jobs = 30
	for i := range jobs {
		enqueue(t, []*store.DB{s.db, other}[i%2], advance(fmt.Sprintf("AAAA%04d", i)), time.Time{})
	}
	eventually(t, func() bool { return len(a.Jobs())+len(b.Jobs()) >= jobs })
	count := map[store.Job]int{}
	for _, j := range append(a.Jobs(), b.Jobs()...) {
		count[j]++
		require.Equal(t, 1, count[j], j)
	}
	require.Len(t, count, jobs)
}
