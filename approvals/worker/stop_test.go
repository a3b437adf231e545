package worker_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
	"github.com/mde-ops/mde-ops/approvals/worker"
)

// pressed writes only the audit row of a press, as a process does that dies right after it.
func pressed(l *lab.Lab, detail string) {
	require.NoError(l.T, l.DB.InTx(ctx(), func(tx *store.Tx) error {
		return tx.Note(ctx(), approvals.Event{At: l.Clock.Now(), Type: approvals.EventStopped, Actor: "ann@example.com", Step: -1, Detail: detail})
	}))
}

// forged writes an audit row that continues the chain as it should, as an intruder does who knows how.
func forged(l *lab.Lab, kind, request, detail string) {
	require.NoError(l.T, l.DB.InTx(ctx(), func(tx *store.Tx) error {
		return tx.Note(ctx(), approvals.Event{At: l.Clock.Now(), RequestID: request, Type: kind, Actor: "worker", Step: -1, Detail: detail})
	}))
}

// halfway is a fleet of 4 of which two steps were sent when somebody did something.
func halfway(l *lab.Lab, then func()) approvals.Request {
	r := approved(l, 4)
	l.Tenant.OnApply = func(task worker.Task) {
		if task.Index == 1 {
			l.Tenant.OnApply = nil
			then()
		}
	}
	l.Work(r.ID)
	require.Len(l.T, l.Tenant.Sends(), 2)
	return r
}

// still requires that nothing more is sent, however often somebody looks.
func still(l *lab.Lab, id string, sent int) {
	for range 5 {
		l.Clock.Advance(max(l.Work(id), time.Second))
		require.NoError(l.T, sweep(l))
	}
	_, err := l.NewWorker(l.Policy, l.Tenant).Handle(ctx(), store.Job{Kind: store.Advance, RequestID: id})
	require.NoError(l.T, err)
	require.Len(l.T, l.Tenant.Sends(), sent)
}

func TestAStopBetweenTwoStepsHoldsTheRest(t *testing.T) {
	for _, scope := range []string{"all", "response"} {
		t.Run(scope, func(t *testing.T) {
			lab.Each(t, func(t *testing.T, l *lab.Lab) {
				r := halfway(l, func() { l.Stop(scope) })
				require.Contains(t, l.Get(r.ID).Message, "held between two steps: stopped by ann@example.com ("+scope+"): drill")
				l.Tenant.End("Succeeded")
				still(l, r.ID, 2)
				got := l.Get(r.ID)
				require.Equal(t, approvals.Running, got.State)
				require.Equal(t, approvals.StepSucceeded, got.Steps[0].State, "what was sent is followed")
				require.Equal(t, approvals.StepWaiting, got.Steps[2].State)
				l.Lift(scope)
				require.Contains(t, l.Get(r.ID).Message, "goes on")
				require.Equal(t, approvals.Succeeded, l.Settle(r.ID).State)
				require.Len(t, l.Tenant.Sends(), 4)
				l.Verified()
			})
		})
	}
}

func TestAStopWhileVerifyingHolds(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := approved(l, 1)
		l.Directory.OnAsk = func() {
			if l.Get(r.ID).State == approvals.Running {
				l.Directory.OnAsk = nil
				l.Stop("all")
			}
		}
		l.Work(r.ID)
		require.Nil(t, l.Directory.OnAsk)
		still(l, r.ID, 0)
		require.Zero(t, l.Get(r.ID).Steps[0].Attempt)
		l.Verified()
	})
}

// The press is a bare row, so that the version of the request says nothing: only the look in the very transaction does.
func TestAStopInTheMarkingTransactionHolds(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := approved(l, 1)
		l.Directory.OnAsk = func() {
			if l.Get(r.ID).State == approvals.Running {
				l.Directory.OnAsk = nil
				pressed(l, "all: drill")
			}
		}
		l.Work(r.ID)
		require.Nil(t, l.Directory.OnAsk)
		require.Empty(t, l.Tenant.Sends())
		require.Zero(t, l.Get(r.ID).Steps[0].Attempt, "it was not even marked")
		still(l, r.ID, 0)
		l.Verified()
	})
}

func TestAPressCutShortStillCancels(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		pending, ready := l.Submit(lab.Plan("isolate_devices", 1)), approved(l, 1)
		pressed(l, "response: drill")
		l.Work(ready.ID)
		require.Equal(t, approvals.Approved, l.Get(ready.ID).State)
		require.NoError(t, sweep(l))
		for _, id := range []string{pending.ID, ready.ID} {
			require.Equal(t, approvals.Cancelled, l.Get(id).State)
			require.Contains(t, l.Get(id).Message, "stopped by ann@example.com (response): drill")
		}
		require.Empty(t, l.Tenant.Sends())
		l.Verified()
	})
}

func TestAFreezeOfAnotherToolsetDoesNotHold(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := approved(l, 4)
		l.Tenant.OnApply = func(task worker.Task) {
			if task.Index == 1 {
				l.Stop("live_response")
			}
		}
		require.Equal(t, approvals.Succeeded, l.Settle(r.ID).State)
		require.Len(t, l.Tenant.Sends(), 4)
	})
}

func TestAPendingLiftLiftsNothing(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := halfway(l, func() { l.Stop("all") })
		lift := l.AskToLift("all")
		still(l, r.ID, 2)
		l.Approve(lift.ID, "bob")
		still(l, r.ID, 2)
		require.Equal(t, approvals.Pending, l.Get(lift.ID).State, "it takes two, as for everything destructive")
		l.Stop("all")
		require.Equal(t, approvals.Pending, l.Get(lift.ID).State, "no stop cancels what may lift one")
	})
}

func TestForgedLiftsLiftNothing(t *testing.T) {
	for name, forge := range map[string]func(*lab.Lab, approvals.Request){
		"of no request": func(l *lab.Lab, _ approvals.Request) { forged(l, approvals.EventLifted, "", "all: lifted") },
		"of the approved request itself": func(l *lab.Lab, r approvals.Request) {
			forged(l, approvals.EventLifted, r.ID, "all: lifted")
		},
		"of a request that still waits": func(l *lab.Lab, _ approvals.Request) {
			forged(l, approvals.EventLifted, l.AskToLift("all").ID, "all: lifted")
		},
		"of a request with one vote too few, whose state was written": func(l *lab.Lab, _ approvals.Request) {
			lift := l.AskToLift("all")
			l.Approve(lift.ID, "bob")
			forged(l, approvals.EventLifted, lift.ID, "all: lifted")
			l.Write("UPDATE requests SET state = 'succeeded' WHERE id = '" + lift.ID + "'")
		},
		"with one vote too few, state and audit written": func(l *lab.Lab, _ approvals.Request) {
			lift := l.AskToLift("all")
			l.Approve(lift.ID, "bob")
			lift = l.Get(lift.ID)
			m := store.Move{ID: lift.ID, From: approvals.Pending, To: approvals.Approved, Version: lift.Version, At: l.Clock.Now(), Message: "x"}
			require.NoError(l.T, l.DB.InTx(ctx(), func(tx *store.Tx) error { return tx.Move(ctx(), m) }))
			begin(l, lift.ID)
			forged(l, approvals.EventLifted, lift.ID, "all: lifted")
		},
		"of another scope": func(l *lab.Lab, _ approvals.Request) {
			l.Stop("devices")
			l.Clock.Advance(time.Second)
			lift := l.Submit(lift("devices"))
			l.Approve(lift.ID, "bob", "cat")
			l.Settle(lift.ID)
			forged(l, approvals.EventLifted, lift.ID, "all: lifted")
		},
		"of the press before, in the same instant": func(l *lab.Lab, _ approvals.Request) {
			lift := l.AskToLift("all")
			l.Approve(lift.ID, "bob", "cat")
			l.Stop("all")
			begin(l, lift.ID)
			forged(l, approvals.EventLifted, lift.ID, "all: lifted")
		},
		"that was withdrawn": func(l *lab.Lab, _ approvals.Request) {
			forged(l, approvals.EventLifted, withdrawn(l), "all: lifted")
		},
		"that was withdrawn, whose state was written": func(l *lab.Lab, _ approvals.Request) {
			id := withdrawn(l)
			forged(l, approvals.EventLifted, id, "all: lifted")
			l.Write("UPDATE requests SET state = 'succeeded' WHERE id = '" + id + "'")
		},
		"that was not asked for in Slack": func(l *lab.Lab, _ approvals.Request) {
			who := lab.Ann()
			who.Via = approvals.ViaMCP
			lift := insert(l, who)
			l.Approve(lift, "bob", "cat")
			l.Settle(lift)
		},
	} {
		t.Run(name, func(t *testing.T) {
			lab.Each(t, func(_ *testing.T, l *lab.Lab) {
				r := halfway(l, func() { l.Stop("all") })
				forge(l, r)
				still(l, r.ID, 2)
			})
		})
	}
}

// begin writes that an approved request runs, as its audit would have it.
func begin(l *lab.Lab, id string) {
	r := l.Get(id)
	m := store.Move{ID: id, From: approvals.Approved, To: approvals.Running, Version: r.Version, At: l.Clock.Now(), Message: "x"}
	require.NoError(l.T, l.DB.InTx(ctx(), func(tx *store.Tx) error { return tx.Move(ctx(), m) }))
}

// withdrawn is a lift that two people approved and that its requester took back.
func withdrawn(l *lab.Lab) string {
	lift := l.AskToLift("all")
	l.Approve(lift.ID, "bob", "cat")
	_, err := l.Gate.Withdraw(ctx(), lift.ID, lab.Ann())
	require.NoError(l.T, err)
	return lift.ID
}

// insert writes a lift past the gate, which would not have let it in.
func insert(l *lab.Lab, who approvals.Requester) string {
	r := l.AskToLift("all")
	r.ID, r.Requester, r.State = "LIFT0000", who, approvals.Pending
	var err error
	r.Digest, err = approvals.Digest(r)
	require.NoError(l.T, err)
	require.NoError(l.T, l.DB.InTx(ctx(), func(tx *store.Tx) error {
		return tx.Insert(ctx(), r, approvals.Event{At: r.CreatedAt, Type: approvals.EventSubmitted, Actor: who.ID})
	}))
	return r.ID
}

func TestARemovedStopStillHolds(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := halfway(l, func() {
			l.Stop("all")
			l.Write("DELETE FROM audit_event WHERE type = 'stopped'")
		})
		still(l, r.ID, 2)
		stops, err := l.NewBoard(l.Policy).InForce(ctx())
		require.NoError(t, err)
		require.Len(t, stops, 2)
		require.Equal(t, []string{"all", "restore"}, []string{stops[0].Scope, stops[1].Scope})
		for _, s := range stops {
			require.Equal(t, "gate", s.Event.Actor, "the program pressed it itself, for every process")
			require.Contains(t, s.Why, "a row was removed or altered")
		}
	})
}

func TestAStopRemovedAfterItWasReadStillHolds(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := halfway(l, func() { l.Stop("all") })
		l.Write("DELETE FROM audit_event WHERE type = 'stopped'")
		for range 5 {
			l.Clock.Advance(max(l.Work(r.ID), time.Second))
		}
		require.Len(t, l.Tenant.Sends(), 2)
	})
}

func TestALiftApprovedBeforeASecondPressDoesNotLiftIt(t *testing.T) {
	for name, plan := range map[string]func(*lab.Lab) approvals.Request{
		"of the first press": func(l *lab.Lab) approvals.Request { return l.AskToLift("all") },
		"of whatever is pressed": func(l *lab.Lab) approvals.Request {
			return l.Submit(control.LiftPlan(lab.Plan("isolate_devices", 1).Tenant, "all", "all clear"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			lab.Each(t, func(t *testing.T, l *lab.Lab) {
				r := halfway(l, func() { l.Stop("all") })
				l.Clock.Advance(time.Second)
				lift := plan(l)
				l.Approve(lift.ID, "bob", "cat")
				l.Clock.Advance(time.Second)
				l.Stop("all")
				l.Settle(lift.ID)
				still(l, r.ID, 2)
				l.Clock.Advance(time.Second)
				l.Lift("all")
				require.Equal(t, approvals.Succeeded, l.Settle(r.ID).State)
				require.Len(t, l.Tenant.Sends(), 4)
				l.Verified()
			})
		})
	}
}

func TestAStopAfterALiftHoldsAgain(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		l.Stop("all")
		l.Clock.Advance(time.Second)
		l.Lift("all")
		r := halfway(l, func() { l.Stop("all") })
		still(l, r.ID, 2)
		l.Lift("all")
		require.Equal(t, approvals.Succeeded, l.Settle(r.ID).State)
		l.Verified()
	})
}

// A clock that went back can't make votes newer than the press: the stop stays.
func TestALiftWithAClockThatWentBackLiftsNothing(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := halfway(l, func() { l.Stop("all") })
		l.Clock.Advance(-10 * time.Minute)
		lift := l.AskToLift("all")
		l.Approve(lift.ID, "bob", "cat")
		lift = l.Settle(lift.ID)
		require.Equal(t, approvals.Failed, lift.State, "it lifted nothing, and says so")
		require.Contains(t, lift.Steps[0].Message, "was voted on before it happened")
		l.Work(r.ID)
		require.Len(t, l.Tenant.Sends(), 2)
		stops, err := l.NewBoard(l.Policy).InForce(ctx())
		require.NoError(t, err)
		require.Nil(t, stops[0].Lift)
	})
}

func TestTwoWorkersKeepToAStop(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := approved(l, 30)
		workers := []*worker.Worker{l.Worker, l.NewWorker(l.Policy, l.Tenant)}
		var once sync.Once
		l.Tenant.OnApply = func(task worker.Task) {
			if task.Index == 3 {
				once.Do(func() { l.Stop("all") })
			}
		}
		var group sync.WaitGroup
		for i := range 4 {
			group.Go(func() {
				for range 3 {
					_, _ = workers[i%2].Handle(ctx(), store.Job{Kind: store.Advance, RequestID: r.ID})
				}
			})
		}
		group.Wait()
		sent := len(l.Tenant.Sends())
		require.GreaterOrEqual(t, sent, 4)
		require.Less(t, sent, 30)
		still(l, r.ID, sent)
		l.Lift("all")
		require.Equal(t, approvals.Succeeded, l.Settle(r.ID).State)
		require.Len(t, l.Tenant.Effects(), 30)
		l.Verified()
	})
}

// TestAStopThatIsJustBeingWrittenIsWaitedFor has a press of another process written and not yet committed while a step is
// about to be marked.
func TestAStopThatIsJustBeingWrittenIsWaitedFor(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(lab.Plan("isolate_devices", 1))
		l.Approve(r.ID, "bob")
		db := storetest.Open(t, l.URL, store.Options{Clock: l.Clock.Now})
		written, end, pressed := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		go func() {
			pressed <- db.InTx(t.Context(), func(tx *store.Tx) error {
				err := errors.Join(tx.LockSubmissions(t.Context()), tx.Note(t.Context(), approvals.Event{
					At: l.Clock.Now(), Type: approvals.EventStopped, Actor: "ann@example.com", Step: -1, Detail: "all: drill",
				}))
				close(written)
				<-end
				return err
			})
		}()
		<-written
		worked := make(chan struct{})
		go func() {
			defer close(worked)
			_, _ = l.Worker.Handle(t.Context(), store.Job{Kind: store.Advance, RequestID: r.ID})
		}()
		select {
		case <-worked:
		case <-time.After(200 * time.Millisecond): // only gives a worker that does not wait the time to show it
		}
		sent := l.Tenant.Sends()
		close(end)
		require.NoError(t, <-pressed)
		<-worked
		require.Empty(t, sent)
		l.Work(r.ID)
		require.Empty(t, l.Tenant.Sends())
	})
}
