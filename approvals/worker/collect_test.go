package worker_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
	"github.com/mde-ops/mde-ops/approvals/worker"
)

const beingFetched = "finished on the device; its result is being fetched"

// ended is a request whose actions have ended well and give something, on a shelf that is still empty.
func ended(l *lab.Lab, devices int) (*lab.Archive, approvals.Request) {
	shelf := lab.NewArchive(l.Tenant)
	l.Worker = l.NewWorker(l.Policy, shelf)
	r := approved(l, devices)
	l.Work(r.ID)
	l.Tenant.End("Succeeded")
	l.Clock.Advance(time.Minute)
	l.Work(r.ID)
	return shelf, l.Get(r.ID)
}

// fetch does the job of one step, and returns when it wants to come again.
func fetch(l *lab.Lab, id string, step int) time.Duration {
	again, err := l.Worker.Handle(ctx(), store.Job{Kind: store.Collect, RequestID: id, Step: step})
	require.NoError(l.T, err)
	return again
}

func TestAStepEndsWhenItsResultIsKeptAndNotBefore(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		shelf, r := ended(l, 3)
		require.Equal(t, approvals.Running, r.State)
		for _, s := range r.Steps {
			require.Equal(t, approvals.StepAccepted, s.State)
			require.Equal(t, beingFetched, s.Message)
			require.Equal(t, "Succeeded", s.RemoteStatus)
		}
		require.Equal(t, 3, l.Jobs(store.Collect), "each step has its own")
		require.Zero(t, fetch(l, r.ID, 1))
		l.Work(r.ID)
		require.Equal(t, approvals.Running, l.Get(r.ID).State, "two are still on their way")
		require.Zero(t, fetch(l, r.ID, 0)+fetch(l, r.ID, 2))
		l.Work(r.ID)
		end := l.Get(r.ID)
		require.Equal(t, approvals.Succeeded, end.State)
		require.Equal(t, "kept as evidence of action-2", end.Steps[1].Message)
		kept := shelf.Kept()
		require.Len(t, kept, 3)
		require.Equal(t, []string{"bob"}, short(kept["action-1"].Approvers), "who approved is written beside the evidence")
		require.Len(t, l.Tenant.Sends(), 3)
		l.Verified()
	})
}

// short cuts ids at the @.
func short(ids []string) (out []string) {
	for _, id := range ids {
		for i := range id {
			if id[i] == '@' {
				id = id[:i]
				break
			}
		}
		out = append(out, id)
	}
	return out
}

func TestWhoIsNamedAsApproverSignedForThisVeryRequest(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		shelf, r := ended(l, 1)
		l.Write(`UPDATE votes SET body = REPLACE(CAST(body AS TEXT), '"signature":"', '"signature":"AAAA') WHERE request_id = $1`, r.ID)
		fetch(l, r.ID, 0)
		require.Contains(t, shelf.Kept(), "action-1")
		require.Empty(t, shelf.Kept()["action-1"].Approvers)
	})
}

func TestAskingAfterARequestAgainAndAgainEnqueuesOneFetch(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		shelf, r := ended(l, 1)
		before := l.Get(r.ID).Steps[0]
		for range 5 {
			l.Clock.Advance(10 * time.Minute)
			require.Positive(t, l.Work(r.ID))
		}
		require.Equal(t, 1, l.Jobs(store.Collect))
		require.Equal(t, before, l.Get(r.ID).Steps[0], "the time to give up must not move")
		require.Zero(t, shelf.Tries())
	})
}

func TestALostFetchIsEnqueuedAgain(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		_, r := ended(l, 1)
		storetest.Exec(t, storetest.Raw(t, l.URL), "DELETE FROM river_job")
		l.Clock.Advance(2 * time.Minute)
		require.NoError(t, sweep(l))
		l.Work(r.ID)
		require.Equal(t, 1, l.Jobs(store.Collect))
		fetch(l, r.ID, 0)
		l.Work(r.ID)
		require.Equal(t, approvals.Succeeded, l.Get(r.ID).State)
	})
}

func TestACrashWhileFetchingKeepsNothingTwice(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		shelf, r := ended(l, 1)
		for _, crash := range []func(){
			func() { shelf.OnCollect = func(worker.Task) error { panic("killed") } },
			func() { shelf.OnCollect, shelf.AfterKeeping = nil, func(worker.Task) { panic("killed") } },
		} {
			crash()
			require.Panics(t, func() { fetch(l, r.ID, 0) })
			require.Equal(t, beingFetched, l.Get(r.ID).Steps[0].Message)
		}
		shelf.AfterKeeping = nil
		fetch(l, r.ID, 0)
		tries := shelf.Tries()
		require.Zero(t, fetch(l, r.ID, 0), "a job that comes once more")
		require.Equal(t, tries, shelf.Tries(), "asks nobody")
		l.Work(r.ID)
		require.Equal(t, approvals.Succeeded, l.Get(r.ID).State)
		require.Len(t, shelf.Kept(), 1)
		require.Len(t, l.Tenant.Sends(), 1, "nothing is sent again for a result")
		l.Verified()
	})
}

func TestAResultThatIsGoneFailsTheStepAtOnce(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		shelf, r := ended(l, 1)
		shelf.OnCollect = func(worker.Task) error { return &worker.Refused{Text: "Defender deleted the package"} }
		require.Zero(t, fetch(l, r.ID, 0))
		l.Work(r.ID)
		end := l.Get(r.ID)
		require.Equal(t, approvals.Failed, end.State)
		require.Equal(t, "It was done; the result could not be fetched: Defender deleted the package", end.Steps[0].Message)
		require.Equal(t, 1, shelf.Tries())
		l.Verified()
	})
}

func TestAFetchThatFailsIsTriedAgainForAnHour(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		shelf, r := ended(l, 1)
		shelf.OnCollect = func(worker.Task) error { return errors.New("503 with sig=SECRET") }
		begun := l.Clock.Now()
		again := fetch(l, r.ID, 0)
		for ; again > 0; again = fetch(l, r.ID, 0) {
			require.Equal(t, approvals.StepAccepted, l.Get(r.ID).Steps[0].State)
			require.LessOrEqual(t, again, time.Minute)
			l.Clock.Advance(again)
		}
		require.InDelta(t, time.Hour, l.Clock.Now().Sub(begun), float64(time.Second))
		end := l.Get(r.ID).Steps[0]
		require.Equal(t, approvals.StepFailed, end.State)
		require.Contains(t, end.Message, "It was done; the result could not be fetched")
		require.NotContains(t, end.Message, "SECRET")
		require.Greater(t, shelf.Tries(), 10)
	})
}

func TestAFetchWaitsAsLongAsTheTenantSays(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		shelf, r := ended(l, 1)
		shelf.OnCollect = func(worker.Task) error {
			return &worker.NotSent{RetryAfter: 7 * time.Minute, Err: errors.New("429")}
		}
		require.Equal(t, 7*time.Minute, fetch(l, r.ID, 0))
		shelf.OnCollect = nil
		require.Zero(t, fetch(l, r.ID, 0))
	})
}

func TestAnAnswerThatIsNoEndEndsNothing(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		_, r := ended(l, 1)
		l.Worker = l.NewWorker(l.Policy, undecided{lab.NewArchive(l.Tenant)})
		require.Positive(t, fetch(l, r.ID, 0))
		require.Equal(t, beingFetched, l.Get(r.ID).Steps[0].Message)
	})
}

// undecided says of what it fetched that it still runs.
type undecided struct{ *lab.Archive }

func (undecided) Collect(context.Context, worker.Task, string) (worker.Progress, error) {
	return worker.Progress{State: approvals.StepAccepted}, nil
}

func TestWhatAnActionThatFailedGaveIsFetchedToo(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		p := partly{lab.NewArchive(l.Tenant)}
		l.Worker = l.NewWorker(l.Policy, p)
		r := approved(l, 1)
		l.Work(r.ID)
		l.Tenant.End("Failed")
		l.Clock.Advance(time.Minute)
		l.Work(r.ID)
		require.Equal(t, beingFetched, l.Get(r.ID).Steps[0].Message)
		fetch(l, r.ID, 0)
		l.Work(r.ID)
		end := l.Get(r.ID)
		require.Equal(t, approvals.Failed, end.State)
		require.Equal(t, "the second command failed", end.Steps[0].Message)
		require.Len(t, p.Kept(), 1)
	})
}

// partly is a tenant whose failed actions gave something.
type partly struct{ *lab.Archive }

func (p partly) Follow(ctx context.Context, t worker.Task, id string) (worker.Progress, error) {
	progress, err := p.Archive.Follow(ctx, t, id)
	progress.Results = progress.State == approvals.StepFailed
	return progress, err
}

func (p partly) Collect(ctx context.Context, t worker.Task, id string) (worker.Progress, error) {
	progress, err := p.Archive.Collect(ctx, t, id)
	progress.State, progress.Message = approvals.StepFailed, "the second command failed"
	return progress, err
}

func TestWhatWasSentIsFetchedAlthoughEverythingIsStopped(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		shelf, r := ended(l, 1)
		l.Stop("all")
		fetch(l, r.ID, 0)
		l.Work(r.ID)
		require.Equal(t, approvals.Succeeded, l.Get(r.ID).State)
		require.Len(t, shelf.Kept(), 1)
	})
}

func TestNothingIsFetchedBeforeTheActionHasEnded(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		shelf := lab.NewArchive(l.Tenant)
		l.Worker = l.NewWorker(l.Policy, shelf)
		r := approved(l, 1)
		l.Work(r.ID)
		l.Clock.Advance(time.Minute)
		l.Work(r.ID)
		for _, step := range []int{0, -1, 7} {
			require.Zero(t, fetch(l, r.ID, step))
		}
		require.Zero(t, shelf.Tries())
		require.Zero(t, l.Jobs(store.Collect))
		_, err := l.Worker.Handle(ctx(), store.Job{Kind: store.Collect, RequestID: "NOSUCH00"})
		require.NoError(t, err)
	})
}

// A fetch may take minutes: sends have a queue of their own.
func TestAStepIsFetchedByTheQueueWhileOthersAreSent(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		shelf, r := ended(l, 3)
		hold, began := make(chan struct{}), make(chan struct{}, 3)
		shelf.OnCollect = func(worker.Task) error { began <- struct{}{}; <-hold; return nil }
		require.NoError(t, l.Worker.Start(ctx()))
		t.Cleanup(func() { require.NoError(t, l.Worker.Stop(ctx())) })
		<-began
		<-began // as many as are fetched at a time
		other := approved(l, 1)
		require.Eventually(t, func() bool { return len(l.Tenant.Of(other.ID)) == 1 }, 30*time.Second, 5*time.Millisecond)
		close(hold)
		require.Eventually(t, func() bool { return l.Get(r.ID).State == approvals.Succeeded }, 30*time.Second, 5*time.Millisecond)
		require.Len(t, shelf.Kept(), 3)
	})
}
