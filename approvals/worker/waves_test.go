package worker_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/worker"
)

// inWaves is a fleet of 7 in waves of two.
func inWaves(l *lab.Lab, w approvals.Wave) approvals.Request {
	l.Use(lab.Waves(l, w))
	return approved(l, 7)
}

// usual waits for the end of a wave, and for people when more than a fifth failed.
func usual() approvals.Wave { return approvals.Wave{Width: 2, StopOver: 20} }

// next has every action end, and works until what that leads to is sent.
func next(l *lab.Lab, id, status string) {
	l.Tenant.End(status)
	for range 4 {
		l.Clock.Advance(max(l.Work(id), 10*time.Second))
	}
}

func TestAFleetIsSentInWaves(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := inWaves(l, usual())
		l.Work(r.ID)
		for sent := 2; sent <= 6; sent += 2 {
			still(l, r.ID, sent)
			next(l, r.ID, "Succeeded")
		}
		still(l, r.ID, 7)
		require.Equal(t, approvals.Succeeded, l.Settle(r.ID).State)
		require.Len(t, l.Tenant.Effects(), 7)
		l.Verified()
	})
}

func TestTheNextWaveDoesNotWaitForEver(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := inWaves(l, approvals.Wave{Width: 4, StopOver: 20, Wait: 30 * time.Minute})
		l.Work(r.ID)
		l.Clock.Advance(29 * time.Minute)
		l.Work(r.ID)
		require.Len(t, l.Tenant.Sends(), 4)
		l.Clock.Advance(time.Minute)
		l.Work(r.ID)
		require.Len(t, l.Tenant.Sends(), 7)
	})
}

// question is the request that asks whether r may go on.
func question(l *lab.Lab, id string) approvals.Request {
	rows, err := l.DB.Requests(ctx(), store.Filter{})
	require.NoError(l.T, err)
	for _, q := range rows {
		if q.Plan.Tool == approvals.ToolResume && q.Plan.Steps[0].Target == id {
			return q
		}
	}
	require.Fail(l.T, "nobody was asked")
	return approvals.Request{}
}

// events counts the audit rows of a type.
func events(l *lab.Lab, id, kind string) (n int) {
	rows, err := l.DB.Events(ctx(), store.Query{RequestID: id})
	require.NoError(l.T, err)
	for _, e := range rows {
		if e.Type == kind {
			n++
		}
	}
	return n
}

// paused is a fleet whose first wave failed.
func paused(l *lab.Lab) (r, q approvals.Request) {
	r = inWaves(l, usual())
	l.Work(r.ID)
	next(l, r.ID, "Failed")
	still(l, r.ID, 2)
	q = question(l, r.ID)
	require.Equal(l.T, 1, events(l, r.ID, approvals.EventPaused))
	require.Equal(l.T, approvals.Pending, q.State)
	require.Equal(l.T, r.Requester, q.Requester)
	require.Contains(l.T, l.Get(r.ID).Message, "2 of the 2 steps that ended did not succeed, which is more than 20 %; request "+q.ID)
	return r, q
}

func TestAFleetThatFailsIsPausedAndGoesOnWhenPeopleSaySo(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r, q := paused(l)
		l.Clock.Advance(20 * time.Minute)
		l.Approve(q.ID, "cat")
		require.Equal(t, approvals.Succeeded, l.Settle(q.ID).State)
		require.Equal(t, 1, events(l, r.ID, approvals.EventResumed))
		l.Clock.Advance(50 * time.Minute) // the time to run begins anew with the yes to going on
		l.Work(r.ID)
		require.Len(t, l.Tenant.Sends(), 4)
		end := l.Settle(r.ID)
		require.Equal(t, approvals.Partial, end.State)
		require.Len(t, l.Tenant.Sends(), 7)
		require.Equal(t, approvals.StepFailed, end.Steps[0].State)
		require.Equal(t, approvals.StepSucceeded, end.Steps[6].State)
		l.Verified()
	})
}

func TestAFleetThatFailsAgainIsPausedAgain(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r, q := paused(l)
		l.Approve(q.ID, "cat")
		l.Settle(q.ID)
		l.Work(r.ID)
		next(l, r.ID, "TimeOut")
		still(l, r.ID, 4)
		require.Equal(t, 2, events(l, r.ID, approvals.EventPaused))
		second := question(l, r.ID)
		require.NotEqual(t, q.ID, second.ID, "an old yes is good for the old pause")
		l.Approve(second.ID, "cat")
		l.Settle(second.ID)
		require.Equal(t, approvals.Partial, l.Settle(r.ID).State)
		require.Len(t, l.Tenant.Sends(), 7)
		l.Verified()
	})
}

func TestAPauseThatNobodyEndsSkipsTheRest(t *testing.T) {
	for name, end := range map[string]func(*lab.Lab, string){
		"denied": func(l *lab.Lab, id string) {
			require.NoError(l.T, l.Cast(id, lab.Person("cat"), approvals.VerdictDeny))
		},
		"expired": func(l *lab.Lab, _ string) { l.Clock.Advance(31 * time.Minute) },
		"cancelled": func(l *lab.Lab, id string) {
			_, err := l.Gate.Withdraw(ctx(), id, lab.Ann())
			require.NoError(l.T, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			lab.Each(t, func(t *testing.T, l *lab.Lab) {
				r, q := paused(l)
				end(l, q.ID)
				got := l.Settle(r.ID)
				require.Len(t, l.Tenant.Sends(), 2)
				require.Equal(t, approvals.Partial, got.State)
				require.Equal(t, approvals.StepSkipped, got.Steps[2].State)
				require.Contains(t, got.Steps[2].Message, "request "+q.ID+", which asked whether to go on, was "+name)
				l.Verified()
			})
		})
	}
}

func TestAForgedResumptionResumesNothing(t *testing.T) {
	for name, forge := range map[string]func(l *lab.Lab, r, q approvals.Request){
		"of the question itself": func(l *lab.Lab, r, q approvals.Request) { forged(l, approvals.EventResumed, r.ID, q.ID+": goes on") },
		"of the fleet itself":    func(l *lab.Lab, r, _ approvals.Request) { forged(l, approvals.EventResumed, r.ID, r.ID+": goes on") },
		"of the question of another fleet": func(l *lab.Lab, r, _ approvals.Request) {
			_, other := paused2(l)
			l.Approve(other.ID, "cat")
			l.Settle(other.ID)
			forged(l, approvals.EventResumed, r.ID, other.ID+": goes on")
		},
		"of a milder question": func(l *lab.Lab, _, q approvals.Request) {
			q.Plan.Resumes = nil
			q.Plan.Steps[0].Args = append(q.Plan.Steps[0].Args[:len(q.Plan.Steps[0].Args)-1], `,"x":1}`...) // not the twin of the true one
			milder := l.Submit(q.Plan)
			l.Approve(milder.ID, "cat")
			l.Settle(milder.ID)
		},
		"as if it had never been paused": func(l *lab.Lab, _, _ approvals.Request) {
			l.Write("DELETE FROM audit_event WHERE type = 'paused'")
		},
	} {
		t.Run(name, func(t *testing.T) {
			lab.Each(t, func(t *testing.T, l *lab.Lab) {
				r, q := paused(l)
				forge(l, r, q)
				for range 5 {
					l.Clock.Advance(max(l.Work(r.ID), time.Second))
				}
				require.Len(t, l.Tenant.Of(r.ID), 2)
			})
		})
	}
}

// paused2 is one more paused fleet in the same lab.
func paused2(l *lab.Lab) (r, q approvals.Request) {
	r = approved(l, 7)
	l.Work(r.ID)
	next(l, r.ID, "Failed")
	return r, question(l, r.ID)
}

func TestAStopDuringAPauseAsksAgainAfterTheLift(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r, q := paused(l)
		l.Stop("all")
		require.Equal(t, approvals.Cancelled, l.Get(q.ID).State)
		still(l, r.ID, 2)
		l.Lift("all")
		still(l, r.ID, 2)
		again := question(l, r.ID)
		require.NotEqual(t, q.ID, again.ID)
		l.Approve(again.ID, "dan")
		l.Settle(again.ID)
		require.Equal(t, approvals.Partial, l.Settle(r.ID).State)
		require.Len(t, l.Tenant.Sends(), 7)
		l.Verified()
	})
}

func TestACrashInAWaveGoesOnAtTheNextStep(t *testing.T) {
	for name, arrived := range map[string]bool{"the write arrived": true, "the write never left": false} {
		t.Run(name, func(t *testing.T) {
			lab.Each(t, func(t *testing.T, l *lab.Lab) {
				r := inWaves(l, approvals.Wave{Width: 3, StopOver: 50})
				crash(l, r.ID, arrived)
				l.Tenant.End("Succeeded")
				end := l.Settle(r.ID)
				for i, s := range end.Steps {
					require.Equal(t, 1, s.Attempt, "step %d", i)
				}
				if arrived {
					require.Equal(t, approvals.Succeeded, end.State)
				} else {
					require.Equal(t, approvals.Unknown, end.State)
				}
				effects := map[string]int{}
				for _, e := range l.Tenant.Effects() {
					effects[e.Tag]++
				}
				for tag, n := range effects {
					require.Equal(t, 1, n, tag)
				}
				l.Verified()
			})
		})
	}
}

func TestAWithdrawalBetweenTwoWavesStopsTheRest(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := inWaves(l, usual())
		l.Work(r.ID)
		next(l, r.ID, "Succeeded")
		require.Len(t, l.Tenant.Sends(), 4)
		_, err := l.Gate.Withdraw(ctx(), r.ID, lab.Ann())
		require.NoError(t, err)
		end := l.Settle(r.ID)
		require.Equal(t, approvals.Partial, end.State)
		require.Equal(t, approvals.StepSucceeded, end.Steps[3].State)
		require.Equal(t, approvals.StepSkipped, end.Steps[4].State)
		require.Len(t, l.Tenant.Sends(), 4)
		l.Verified()
	})
}

// To go on never takes less than to begin: the question asks for the people of both tools.
func TestAResumptionNeedsWhatTheFleetNeeded(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		l.Use(lab.ParsePolicy(t, "rules:\n- {name: two leads, tools: [isolate_devices], outcome: approve, count: 2, from: leads}\n"))
		r := l.Submit(lab.Plan("isolate_devices", 3))
		l.Approve(r.ID, "eve", "fay")
		l.Tenant.Forecast(lab.Fair, lab.Throttled)
		l.Work(r.ID)
		_, err := l.NewBoard(l.Policy).PlanResume(ctx(), l.Get(r.ID))
		lab.Kind(t, approvals.KindConflict, err)
		forged(l, approvals.EventPaused, r.ID, "half of them failed")
		plan, err := l.NewBoard(l.Policy).PlanResume(ctx(), l.Get(r.ID))
		require.NoError(t, err)
		q := l.Submit(plan)
		require.Len(t, q.Quorum, 2)
		l.Approve(q.ID, "bob", "eve")
		l.Clock.Advance(time.Minute)
		l.Work(r.ID)
		require.Len(t, l.Tenant.Effects(), 1)
		l.Approve(q.ID, "fay")
		l.Settle(q.ID)
		require.Equal(t, approvals.Succeeded, l.Settle(r.ID).State)
	})
}

func TestARequestThatNobodyCanApproveIsCancelledAtOnce(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(lab.Plan("isolate_devices", 1))
		require.Zero(t, l.Work(r.ID), "there are people")
		l.Directory.Fail(errors.New("down"))
		require.Positive(t, l.Work(r.ID), "nobody knows yet")
		require.Equal(t, approvals.Pending, l.Get(r.ID).State)
		l.Directory.Fail(nil)
		for _, name := range []string{"bob", "cat", "dan"} {
			l.Directory.Leave("oncall", lab.Person(name))
		}
		l.Work(r.ID)
		require.Equal(t, approvals.Cancelled, l.Get(r.ID).State)
		require.Contains(t, l.Get(r.ID).Message, "nobody can approve")
		l.Verified()
	})
}

// later is the default policy with a reminder and a second group.
type later struct{ approvals.Policy }

func (p later) Decide(c approvals.Call) approvals.Decision {
	d := p.Policy.Decide(c)
	d.Terms.RemindAfter = 5 * time.Minute
	d.Quorum.Then = []approvals.Escalation{{After: 10 * time.Minute, To: lab.Leads()}}
	return d
}

func TestRemindersAreWrittenOnce(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		l.Use(later{lab.DefaultPolicy(t)})
		r := l.Submit(lab.Plan("isolate_devices", 1))
		w, err := worker.New(worker.Options{
			Store: l.DB, Policy: l.Policy, Verifier: l.Verifier, Directory: l.Directory, Clock: l.Clock.Now, Logger: lab.Quiet(),
			Notifier: &board{db: l.DB, seen: map[string][]approvals.State{}},
		})
		require.NoError(t, err)
		for _, want := range []int{0, 1, 2, 2} {
			for range 2 {
				_, err := w.Handle(ctx(), store.Job{Kind: store.Notify, RequestID: r.ID})
				require.NoError(t, err)
			}
			require.Equal(t, want, events(l, r.ID, approvals.EventReminded))
			l.Clock.Advance(5 * time.Minute)
		}
		l.Verified()
	})
}

func TestWhatARestoredDatabaseForgotIsNotDoneAgain(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		running, waiting, ready := approved(l, 3), l.Submit(lab.Plan("isolate_devices", 1)), approved(l, 1)
		l.Tenant.Forecast(lab.Fair, lab.Throttled)
		l.Work(running.ID)
		// What the tenant did after the backup was taken: the second step of the fleet, and the two that had not begun.
		for _, task := range []worker.Task{did(running, 1), did(waiting, 0), did(ready, 0)} {
			_, err := l.Tenant.Apply(ctx(), task)
			require.NoError(t, err)
		}
		sent := len(l.Tenant.Sends())
		finding := "its last checkpoint is row 900, and it has 12 rows"
		l.Restored = finds(finding)
		l.Worker = l.NewWorker(l.Policy, l.Tenant)
		l.Tenant.Blind(errors.New("503"))
		require.NoError(t, sweep(l))
		still(l, running.ID, sent)
		_, err := l.NewBoard(l.Policy).PlanLift(ctx(), "t", approvals.ScopeRestore, "")
		lab.Kind(t, approvals.KindHeld, err)
		l.Tenant.Blind(nil)
		require.NoError(t, sweep(l))
		still(l, running.ID, sent)
		for _, id := range []string{waiting.ID, ready.ID} {
			require.Equal(t, approvals.Cancelled, l.Get(id).State)
			require.Contains(t, l.Get(id).Message, "was already performed before the restore")
		}
		got := l.Get(running.ID)
		require.Equal(t, approvals.StepAccepted, got.Steps[1].State)
		require.Equal(t, approvals.StepWaiting, got.Steps[2].State)
		l.Worker = l.NewWorker(l.Policy, l.Tenant)
		require.NoError(t, sweep(l), "another start with the same finding")
		l.Lift(approvals.ScopeRestore)
		require.NoError(t, sweep(l))
		require.Equal(t, approvals.Succeeded, l.Settle(running.ID).State)
		require.Len(t, l.Tenant.Sends(), sent+1)
		require.Len(t, l.Tenant.Of(running.ID), 3)
		l.Verified()
	})
}

func TestALiftFromBeforeTheComparisonLiftsNoRestore(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := approved(l, 2)
		l.Tenant.Forecast(lab.Fair, lab.Throttled)
		l.Work(r.ID)
		l.Restored = finds("old")
		l.Worker = l.NewWorker(l.Policy, l.Tenant)
		l.Tenant.Blind(errors.New("503"))
		require.NoError(t, sweep(l))
		stops, err := l.NewBoard(l.Policy).InForce(ctx())
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(stops[0].Why, "not reconciled: "))
		lift := l.Submit(lift(approvals.ScopeRestore))
		l.Clock.Advance(time.Second)
		l.Approve(lift.ID, "bob", "cat")
		l.Work(lift.ID)
		forged(l, approvals.EventLifted, lift.ID, "restore: lifted")
		l.Work(r.ID)
		require.Len(t, l.Tenant.Effects(), 1)
	})
}

func TestAWorkerThatCannotTellTheDatabasesAgeDoesNotStart(t *testing.T) {
	l := lab.New(t, "sqlite:"+t.TempDir()+"/x.db")
	l.Restored = func(context.Context) (string, error) { return "", errors.New("no such container") }
	require.ErrorContains(t, l.NewWorker(l.Policy, l.Tenant).Start(ctx()), "no such container")
}

// did is a step as the tenant saw it.
func did(r approvals.Request, i int) worker.Task {
	return worker.Task{RequestID: r.ID, Index: i, Tag: approvals.Tag(r.ID, i), Plan: r.Plan, Step: r.Plan.Steps[i], Requester: r.Requester}
}

// finds is an answer about the database's age.
func finds(finding string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return finding, nil }
}

// lift is a plan to lift whatever is stopped.
func lift(scope string) approvals.Plan {
	return control.LiftPlan(lab.Plan("isolate_devices", 1).Tenant, scope, "all clear")
}
