package worker_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/worker"
)

func ctx() context.Context { return context.Background() }

// approved is a request that somebody on call approved.
func approved(l *lab.Lab, devices int) approvals.Request {
	r := l.Submit(lab.Plan("isolate_devices", devices))
	l.Approve(r.ID, "bob")
	return l.Get(r.ID)
}

func TestALostAnswerIsFoundAndNeverSentAgain(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := approved(l, 3)
		l.Tenant.Forecast(lab.Fair, lab.AnswerLost, lab.Fair)
		l.Work(r.ID)
		got := l.Get(r.ID)
		require.Equal(t, approvals.StepSending, got.Steps[1].State, "no trace is looked for while the answer may still come")
		require.Equal(t, approvals.StepAccepted, got.Steps[2].State, "the other steps go on")
		end := l.Settle(r.ID)
		require.Equal(t, approvals.Succeeded, end.State)
		require.Equal(t, "action-2", end.Steps[1].ActionID)
		require.Len(t, l.Tenant.Sends(), 3)
		l.Verified()
	})
}

func TestATraceThatAppearsLateIsAdopted(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := approved(l, 1)
		l.Tenant.Forecast(lab.AnswerLost)
		l.Tenant.Hide(true)
		l.Work(r.ID)
		l.Tenant.Hide(true)
		l.Clock.Advance(4*time.Minute + 59*time.Second)
		require.Positive(t, l.Work(r.ID))
		require.Equal(t, approvals.StepSending, l.Get(r.ID).Steps[0].State)
		l.Tenant.Hide(false)
		l.Work(r.ID)
		require.Equal(t, approvals.StepAccepted, l.Get(r.ID).Steps[0].State)
		require.Len(t, l.Tenant.Sends(), 1)
	})
}

func TestNoTraceWithinTheGraceIsUnknownForEver(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := approved(l, 2)
		l.Tenant.Forecast(lab.Dropped)
		end := l.Settle(r.ID)
		require.Equal(t, approvals.Unknown, end.State)
		require.Equal(t, approvals.StepUnknown, end.Steps[0].State)
		require.Contains(t, end.Steps[0].Message, approvals.Tag(r.ID, 0))
		require.Contains(t, end.Steps[0].Message, "look at the device's actions and decide")
		require.Equal(t, approvals.StepSucceeded, end.Steps[1].State)
		l.Clock.Advance(24 * time.Hour)
		l.Work(r.ID)
		require.NoError(t, sweep(l))
		require.Len(t, l.Tenant.Sends(), 2)
		require.Equal(t, end, l.Get(r.ID))
		l.Verified()
	})
}

func TestATraceThatCannotBeLookedForIsNotUnknown(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := approved(l, 1)
		l.Tenant.Forecast(lab.AnswerLost)
		l.Tenant.Blind(errors.New("503"))
		l.Work(r.ID)
		l.Clock.Advance(24 * time.Hour)
		require.Positive(t, l.Work(r.ID))
		require.Equal(t, approvals.StepSending, l.Get(r.ID).Steps[0].State)
		l.Tenant.Blind(nil)
		require.Equal(t, approvals.Succeeded, l.Settle(r.ID).State)
		require.Len(t, l.Tenant.Sends(), 1)
	})
}

func TestATraceThatCanNeverBeLookedForEndsAsUnknown(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := approved(l, 1)
		l.Tenant.Forecast(lab.AnswerLost)
		l.Tenant.Blind(errors.New("410"))
		l.Work(r.ID)
		l.Clock.Advance(7*24*time.Hour - time.Minute)
		l.Work(r.ID)
		require.Equal(t, approvals.StepSending, l.Get(r.ID).Steps[0].State)
		l.Clock.Advance(time.Minute)
		end := l.Settle(r.ID)
		require.Equal(t, approvals.Unknown, end.State)
		require.Contains(t, end.Steps[0].Message, "for 7 days the tenant could not be asked")
		require.Len(t, l.Tenant.Sends(), 1)
		l.Verified()
	})
}

func TestACrashAfterTheMarkIsNotSentAgain(t *testing.T) {
	for name, arrived := range map[string]bool{"the write arrived": true, "the write never left": false} {
		t.Run(name, func(t *testing.T) {
			lab.Each(t, func(t *testing.T, l *lab.Lab) {
				r := approved(l, 1)
				crash(l, r.ID, arrived)
				require.Equal(t, approvals.StepSending, l.Get(r.ID).Steps[0].State)
				end := l.Settle(r.ID)
				require.Equal(t, 1, end.Steps[0].Attempt)
				if arrived {
					require.Equal(t, approvals.Succeeded, end.State)
					require.Len(t, l.Tenant.Effects(), 1)
				} else {
					require.Equal(t, approvals.Unknown, end.State)
					require.Empty(t, l.Tenant.Effects())
				}
			})
		})
	}
}

// crash ends a worker in the middle of a send.
func crash(l *lab.Lab, id string, arrived bool) {
	w := l.NewWorker(l.Policy, crashing{l.Tenant, arrived})
	func() {
		defer func() { _ = recover() }()
		_, _ = w.Handle(ctx(), store.Job{Kind: store.Advance, RequestID: id})
	}()
}

// crashing is a performer whose process dies in Apply.
type crashing struct {
	*lab.Tenant
	arrived bool
}

func (c crashing) Apply(ctx context.Context, t worker.Task) (worker.Receipt, error) {
	if c.arrived {
		_, _ = c.Tenant.Apply(ctx, t)
	}
	panic("killed")
}

func TestARefusalIsFinalAndAThrottleIsNot(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := approved(l, 2)
		l.Tenant.Forecast(lab.Throttled, lab.Refusing)
		again := l.Work(r.ID)
		require.Equal(t, 10*time.Second, again, "not before Retry-After")
		require.Equal(t, approvals.StepWaiting, l.Get(r.ID).Steps[0].State)
		end := l.Settle(r.ID)
		require.Equal(t, approvals.Partial, end.State)
		require.Equal(t, approvals.StepFailed, end.Steps[0].State)
		require.Contains(t, end.Steps[0].Message, "the device is not supported")
		require.Equal(t, 2, end.Steps[0].Attempt)
		require.Len(t, l.Tenant.Effects(), 1)
		l.Verified()
	})
}

func TestAStalledProcessDoesNotSend(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := approved(l, 1)
		stalled := &stalling{clock: l.Clock}
		w, err := worker.New(worker.Options{
			Store: l.DB, Policy: l.Policy, Verifier: l.Verifier, Directory: l.Directory, Performer: l.Tenant, Tools: lab.Tools(),
			Clock: stalled.now, Logger: lab.Quiet(),
		})
		require.NoError(t, err)
		l.Directory.OnAsk = func() { stalled.arm(l.Get(r.ID).State == approvals.Running) }
		_, err = w.Handle(ctx(), store.Job{Kind: store.Advance, RequestID: r.ID})
		require.NoError(t, err)
		require.Empty(t, l.Tenant.Sends())
		require.Equal(t, approvals.StepWaiting, l.Get(r.ID).Steps[0].State)
		require.Equal(t, 1, l.Get(r.ID).Steps[0].Attempt)
		l.Directory.OnAsk = nil
		require.Equal(t, approvals.Succeeded, l.Settle(r.ID).State)
	})
}

// stalling is a clock that jumps by 16 s between the mark of the first step and the check before its send.
type stalling struct {
	clock *lab.Clock
	left  int
}

func (s *stalling) arm(yes bool) {
	if yes && s.left == 0 {
		s.left = 3 // read once for the time to start, once for the mark, and then the process stands still
	}
}

func (s *stalling) now() time.Time {
	if s.left > 0 {
		if s.left--; s.left == 0 {
			s.left = -1
			s.clock.Advance(16 * time.Second)
		}
	}
	return s.clock.Now()
}

func TestAWithdrawalBetweenTwoStepsStopsTheRest(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := approved(l, 4)
		l.Tenant.OnApply = func(task worker.Task) {
			if task.Index == 1 {
				got, err := l.Gate.Withdraw(ctx(), r.ID, lab.Ann())
				require.NoError(t, err)
				require.Equal(t, approvals.StepSkipped, got.Steps[2].State, "at once, not when a worker comes by")
			}
		}
		end := l.Settle(r.ID)
		require.Equal(t, approvals.Partial, end.State)
		require.Len(t, l.Tenant.Sends(), 2)
		require.Equal(t, approvals.StepSucceeded, end.Steps[1].State, "what was sent is seen through")
		require.Equal(t, approvals.StepSkipped, end.Steps[2].State)
		l.Verified()
	})
}

func TestAWithdrawalWhileVerifyingWins(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := approved(l, 1)
		l.Directory.OnAsk = func() {
			l.Directory.OnAsk = nil
			_, err := l.Gate.Withdraw(ctx(), r.ID, lab.Ann())
			require.NoError(t, err)
		}
		l.Work(r.ID)
		require.Equal(t, approvals.Cancelled, l.Get(r.ID).State)
		require.Empty(t, l.Tenant.Sends())
		l.Verified()
	})
}

// A step that was just being sent when its request was withdrawn, and then certainly was not accepted, is never sent.
func TestAWithdrawalWhileAStepIsTurnedBackHolds(t *testing.T) {
	for name, steps := range map[string]int{"the only step": 1, "one of several": 3} {
		t.Run(name, func(t *testing.T) {
			lab.Each(t, func(t *testing.T, l *lab.Lab) {
				r := approved(l, steps)
				l.Tenant.Forecast(lab.Throttled)
				l.Tenant.OnApply = func(worker.Task) {
					l.Tenant.OnApply = nil
					got, err := l.Gate.Withdraw(ctx(), r.ID, lab.Ann())
					require.NoError(t, err)
					require.Contains(t, got.Message, "1 being sent, which will not be tried again")
				}
				l.Work(r.ID)
				l.Clock.Advance(10 * time.Minute)
				l.Work(r.ID)
				require.Equal(t, approvals.Cancelled, l.Get(r.ID).State)
				require.Contains(t, l.Get(r.ID).Steps[0].Message, "withdrawn by ann@example.com")
				require.Empty(t, l.Tenant.Effects())
				l.Verified()
			})
		})
	}
}

func TestAWithdrawalWhileALaterStepIsTurnedBackHolds(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := approved(l, 3)
		l.Tenant.Forecast(lab.Fair, lab.Throttled)
		l.Tenant.OnApply = func(task worker.Task) {
			if task.Index == 1 {
				_, err := l.Gate.Withdraw(ctx(), r.ID, lab.Ann())
				require.NoError(t, err)
			}
		}
		require.Equal(t, approvals.Partial, l.Settle(r.ID).State)
		require.Len(t, l.Tenant.Effects(), 1)
		l.Verified()
	})
}

func TestWhatWasSentIsSeenThroughWhileTheRestCannotBeSent(t *testing.T) {
	down := func(l *lab.Lab) { l.Directory.Fail(errors.New("no_such_subteam")) }
	for name, c := range map[string]struct {
		first, then lab.Weather
		hinder      func(*lab.Lab)
		want        approvals.StepState
	}{
		"throttled, the first runs":        {lab.Fair, lab.Throttled, func(*lab.Lab) {}, approvals.StepSucceeded},
		"throttled, the first was lost":    {lab.AnswerLost, lab.Throttled, func(*lab.Lab) {}, approvals.StepSucceeded},
		"no directory, the first runs":     {lab.Fair, lab.Fair, down, approvals.StepSucceeded},
		"no directory, the first was lost": {lab.Dropped, lab.Fair, down, approvals.StepUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			lab.Each(t, func(t *testing.T, l *lab.Lab) {
				r := approved(l, 2)
				l.Tenant.Forecast(c.first)
				for range 200 {
					l.Tenant.Forecast(c.then)
				}
				l.Tenant.OnApply = func(worker.Task) { c.hinder(l) }
				began := l.Clock.Now()
				l.Clock.Advance(l.Work(r.ID))
				l.Tenant.End("Succeeded")
				for l.Clock.Now().Before(began.Add(10 * time.Minute)) {
					l.Clock.Advance(max(l.Work(r.ID), time.Second))
				}
				got := l.Get(r.ID)
				require.Equal(t, c.want, got.Steps[0].State)
				require.Equal(t, approvals.StepWaiting, got.Steps[1].State, "the other still waits for its turn")
				l.Verified()
			})
		})
	}
}

func TestRetryAfterHoldsForEveryJob(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := approved(l, 2)
		l.Tenant.Forecast(lab.Throttled)
		require.Equal(t, 10*time.Second, l.Work(r.ID))
		l.Clock.Advance(4 * time.Second)
		require.Equal(t, 6*time.Second, l.Work(r.ID), "a job that the sweep pushed waits for the rest of it")
		other := l.NewWorker(l.Policy, l.Tenant)
		_, err := other.Handle(ctx(), store.Job{Kind: store.Advance, RequestID: r.ID})
		require.NoError(t, err)
		require.Len(t, l.Tenant.Sends(), 1, "neither it nor the next step was sent within Retry-After")
		l.Clock.Advance(6 * time.Second)
		require.Equal(t, approvals.Succeeded, l.Settle(r.ID).State)
	})
}

func TestAFleetEndsAnHourAfterItsApproval(t *testing.T) {
	for name, hinder := range map[string]func(*lab.Lab){
		"nobody worked":   func(*lab.Lab) {},
		"nobody answered": func(l *lab.Lab) { l.Directory.Fail(errors.New("down")) },
	} {
		t.Run(name, func(t *testing.T) {
			lab.Each(t, func(t *testing.T, l *lab.Lab) {
				r := approved(l, 3)
				l.Tenant.Forecast(lab.Fair, lab.Throttled, lab.Fair, lab.Throttled)
				l.Work(r.ID)
				l.Clock.Advance(time.Hour - time.Second)
				l.Work(r.ID)
				require.Len(t, l.Tenant.Effects(), 2, "within the hour it goes on")
				l.Clock.Advance(time.Second)
				hinder(l)
				l.Work(r.ID)
				l.Clock.Advance(30 * 24 * time.Hour)
				end := l.Settle(r.ID)
				require.Equal(t, approvals.Partial, end.State)
				require.Len(t, l.Tenant.Effects(), 2)
				require.Contains(t, end.Steps[2].Message, "not sent within 1h0m0s of the approval")
				l.Verified()
			})
		})
	}
}

func TestManyWorkersOnTheSameRequestSendOnce(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := approved(l, 5)
		second := lab.New(t, l.URL) // another process: its own connection, the same file
		second.Tenant = l.Tenant
		workers := []*worker.Worker{l.Worker, l.NewWorker(l.Policy, l.Tenant), second.NewWorker(second.Policy, l.Tenant)}
		var group sync.WaitGroup
		for i := range 9 {
			group.Go(func() {
				for range 5 {
					_, _ = workers[i%3].Handle(ctx(), store.Job{Kind: store.Advance, RequestID: r.ID})
				}
			})
		}
		group.Wait()
		require.Equal(t, approvals.Succeeded, l.Settle(r.ID).State)
		require.Len(t, l.Tenant.Sends(), 5)
		l.Verified()
	})
}

func TestOutcomesAddUp(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		for status, want := range map[string]approvals.State{
			"Succeeded": approvals.Succeeded, "Failed": approvals.Failed, "TimeOut": approvals.Failed, "Cancelled": approvals.Failed,
		} {
			r := approved(l, 2)
			l.Work(r.ID)
			l.Tenant.End(status)
			require.Equal(t, want, l.Settle(r.ID).State, status)
		}
		l.Verified()
	})
}

func TestAnUnknownProgressIsAskedAgain(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := approved(l, 1)
		l.Work(r.ID)
		l.Tenant.End("SomethingNew")
		l.Clock.Advance(time.Minute)
		require.Positive(t, l.Work(r.ID))
		require.Equal(t, approvals.StepAccepted, l.Get(r.ID).Steps[0].State)
	})
}

func TestFollowingSlowsDown(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := approved(l, 1)
		require.Equal(t, 5*time.Second, l.Work(r.ID))
		l.Clock.Advance(20 * time.Minute)
		require.Equal(t, time.Minute, l.Work(r.ID), "a slow action is asked after once a minute")
	})
}

func sweep(l *lab.Lab) error {
	_, err := l.Worker.Handle(ctx(), store.Job{Kind: store.Sweep})
	return err
}

func TestTheSweepExpiresAndPushes(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		pending, late, stuck := l.Submit(lab.Plan("isolate_devices", 1)), approved(l, 1), approved(l, 1)
		l.Tenant.Forecast(lab.Throttled)
		l.Work(stuck.ID)
		l.Clock.Advance(31 * time.Minute)
		require.NoError(t, sweep(l))
		require.NoError(t, sweep(l))
		require.Equal(t, approvals.Expired, l.Get(pending.ID).State)
		require.Equal(t, approvals.Expired, l.Get(late.ID).State)
		require.Equal(t, approvals.Running, l.Get(stuck.ID).State)
		l.Verified()
	})
}

func TestExpireWaitsForItsMoment(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(lab.Plan("isolate_devices", 1))
		job := store.Job{Kind: store.Expire, RequestID: r.ID}
		l.Clock.Advance(10 * time.Minute)
		again, err := l.Worker.Handle(ctx(), job)
		require.NoError(t, err)
		require.Equal(t, 20*time.Minute, again)
		l.Clock.Advance(again)
		again, err = l.Worker.Handle(ctx(), job)
		require.NoError(t, err)
		require.Zero(t, again)
		require.Equal(t, approvals.Expired, l.Get(r.ID).State)
	})
}

func TestJobsThatMeanNothing(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		for _, kind := range []store.JobKind{store.Advance, store.Expire} {
			again, err := l.Worker.Handle(ctx(), store.Job{Kind: kind, RequestID: "GONE"})
			require.NoError(t, err)
			require.Zero(t, again)
		}
		_, err := l.Worker.Handle(ctx(), store.Job{Kind: "dance"})
		require.ErrorContains(t, err, `"dance" is not known`)
		_, err = l.Worker.Handle(ctx(), store.Job{Kind: store.Notify, RequestID: "X"})
		require.ErrorContains(t, err, "no notifier")
	})
}

// board is a notifier that remembers whom it told what.
type board struct {
	db   *store.DB
	mu   sync.Mutex
	seen map[string][]approvals.State
}

func (b *board) Notify(ctx context.Context, id string) (time.Duration, error) {
	r, err := b.db.Request(ctx, id)
	if err != nil {
		return 0, err
	}
	b.mu.Lock()
	b.seen[id] = append(b.seen[id], r.State)
	b.mu.Unlock()
	return 0, b.db.PostedMessage(ctx, store.Message{RequestID: id, Key: "card", Channel: "C1", TS: "1.1", Version: r.Version})
}

// TestTheEngineCarriesARequestToItsEnd runs everything for real: jobs, leases, two workers, the system's clock.
func TestTheEngineCarriesARequestToItsEnd(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		b := &board{db: l.DB, seen: map[string][]approvals.State{}}
		for i := range 2 {
			w, err := worker.New(worker.Options{
				Store: l.DB, Policy: l.Policy, Verifier: l.Verifier, Directory: l.Directory, Performer: succeeding{l.Tenant}, Tools: lab.Tools(),
				Notifier: b, Timing: worker.Timing{Poll: 10 * time.Millisecond}, Clock: l.Clock.Now, Logger: lab.Quiet(), Workers: 2 + i,
			})
			require.NoError(t, err)
			require.NoError(t, w.Start(ctx()))
			t.Cleanup(func() { require.NoError(t, w.Stop(ctx())) })
		}
		var ids []string
		for range 5 {
			ids = append(ids, approved(l, 2).ID)
		}
		for _, id := range ids {
			require.Eventually(t, func() bool {
				l.Clock.Advance(20 * time.Millisecond)
				b.mu.Lock()
				defer b.mu.Unlock()
				told := b.seen[id]
				return len(told) > 0 && told[len(told)-1] == approvals.Succeeded
			}, 15*time.Second, 10*time.Millisecond, "people are told the end of %s", id)
		}
		require.Len(t, l.Tenant.Sends(), 10)
		l.Verified()
	})
}

// succeeding ends every action as soon as it is asked after.
type succeeding struct{ *lab.Tenant }

func (s succeeding) Follow(ctx context.Context, t worker.Task, id string) (worker.Progress, error) {
	s.End("Succeeded")
	return s.Tenant.Follow(ctx, t, id)
}

func TestNewRefusesWhatCouldNotDecide(t *testing.T) {
	l := lab.New(t, "sqlite:"+t.TempDir()+"/x.db")
	good := worker.Options{
		Store: l.DB, Policy: l.Policy, Verifier: l.Verifier, Directory: l.Directory, Performer: l.Tenant, Tools: lab.Tools(), Logger: lab.Quiet(),
	}
	for want, spoil := range map[string]func(*worker.Options){
		"no store":            func(o *worker.Options) { o.Store = nil },
		"no policy":           func(o *worker.Options) { o.Policy = nil },
		"no vote verifier":    func(o *worker.Options) { o.Verifier = nil },
		"no directory":        func(o *worker.Options) { o.Directory = nil },
		"has nothing to do":   func(o *worker.Options) { o.Performer = nil },
		"no performer":        func(o *worker.Options) { o.Performer, o.Queues = nil, []store.Queue{store.QueueMDE} },
		"states a risk":       func(o *worker.Options) { o.Tools = nil },
		"no notifier":         func(o *worker.Options) { o.Queues = store.Queues() },
		"the grace 20s":       func(o *worker.Options) { o.Timing.Grace = 20 * time.Second },
		"the job timeout 20s": func(o *worker.Options) { o.Timing.JobTimeout = 20 * time.Second },
		"the rescue time 30s": func(o *worker.Options) { o.Timing.Rescue = 30 * time.Second },
	} {
		o := good
		spoil(&o)
		_, err := worker.New(o)
		require.ErrorContains(t, err, want)
	}
	_, err := worker.New(good)
	require.NoError(t, err)
	require.Equal(t, "not sent: 429", fmt.Sprint(&worker.NotSent{Err: errors.New("429")}))
}
