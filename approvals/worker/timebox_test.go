package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
)

const hours = 4 * time.Hour

// boxed is a request that isolated so many devices for four hours.
func boxed(l *lab.Lab, devices int) approvals.Request {
	r := l.Submit(lab.Boxed(devices, hours))
	l.Approve(r.ID, "bob")
	r = l.Settle(r.ID)
	require.Equal(l.T, approvals.Succeeded, r.State)
	require.Len(l.T, l.Boxes(r.ID), devices)
	return r
}

// untilDue lets the time of the first time-box of a request pass.
func untilDue(l *lab.Lab, id string) {
	l.Clock.Advance(l.Boxes(id)[0].Due.Sub(l.Clock.Now()))
}

// releases are the accepted releases.
func releases(l *lab.Lab) (n int) {
	for _, e := range l.Tenant.Effects() {
		if e.Plan.Tool == "release_devices" && e.Tag != "" {
			n++
		}
	}
	return n
}

// released sees the release of the first time-box of a request through, and requires that it is closed then.
func released(l *lab.Lab, id string) approvals.Request {
	l.T.Helper()
	b := l.Boxes(id)[0]
	require.Equal(l.T, store.TimeboxReleasing, b.State, b.Message)
	child := l.Settle(b.ReleaseID)
	require.Equal(l.T, approvals.Succeeded, child.State, child.Message)
	l.Tend(id)
	for _, b := range l.Boxes(id) {
		require.Equal(l.T, store.TimeboxClosed, b.State, b.Message)
	}
	return child
}

func TestATimeBoxIsReleasedWhenItIsDueAndOnce(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := boxed(l, 2)
		untilDue(l, r.ID)
		l.Clock.Advance(-time.Millisecond)
		require.Positive(t, l.Tend(r.ID))
		require.Equal(t, store.TimeboxArmed, l.Boxes(r.ID)[0].State, "not a millisecond early")
		l.Clock.Advance(time.Minute)
		l.Tend(r.ID)
		child := released(l, r.ID)
		require.Equal(t, r.ID, child.Parent)
		require.Empty(t, child.Votes)
		require.Equal(t, r.Requester, child.Requester)
		require.Equal(t, 2, releases(l))
		require.Equal(t, "released by request "+child.ID, l.Boxes(r.ID)[1].Message)
		require.Zero(t, l.Tend(r.ID), "nothing is left to come back for")
		require.Empty(t, l.Said(r.ID, approvals.EventEscalated))
		l.Verified()
	})
}

func TestTwoWorkersAndARestartReleaseOnce(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := boxed(l, 3)
		untilDue(l, r.ID)
		l.Clock.Advance(time.Minute)
		l.Use(l.Policy) // as after a restart
		other := l.NewWorker(l.Policy, l.Tenant)
		var wg sync.WaitGroup
		for _, w := range []interface {
			Handle(c context.Context, j store.Job) (time.Duration, error)
		}{l.Worker, other, l.Worker, other} {
			wg.Go(func() {
				for range 3 {
					_, err := w.Handle(ctx(), store.Job{Kind: store.Boxes, RequestID: r.ID})
					require.NoError(t, err)
				}
			})
		}
		wg.Wait()
		released(l, r.ID)
		require.Equal(t, 3, releases(l))
		l.Verified()
	})
}

func TestALostJobOfATimeBoxIsFoundByTheSweep(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := boxed(l, 1)
		untilDue(l, r.ID)
		ids, err := l.DB.DueTimeboxes(ctx(), l.Clock.Now())
		require.NoError(t, err)
		require.Equal(t, []string{r.ID}, ids)
		l.Clock.Advance(2 * time.Minute)
		raw := storetest.Raw(t, l.URL)
		storetest.Exec(t, raw, "DELETE FROM river_job")
		_, err = l.Worker.Handle(ctx(), store.Job{Kind: store.Sweep})
		require.NoError(t, err)
		var jobs int
		require.NoError(t, raw.QueryRowContext(ctx(), "SELECT COUNT(*) FROM river_job WHERE kind = 'timebox'").Scan(&jobs))
		require.Equal(t, 1, jobs)
	})
}

func TestSuccessAndItsTimeBoxAreStoredTogetherOrNotAtAll(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(lab.Boxed(1, hours))
		l.Approve(r.ID, "bob")
		l.Work(r.ID)
		l.Tenant.End("Succeeded")
		l.Clock.Advance(time.Minute)
		raw := storetest.Raw(t, l.URL)
		storetest.Exec(t, raw, "ALTER TABLE timeboxes RENAME TO away")
		_, err := l.Worker.Handle(ctx(), store.Job{Kind: store.Advance, RequestID: r.ID})
		require.Error(t, err)
		require.Equal(t, approvals.StepAccepted, l.Get(r.ID).Steps[0].State, "no success without its time-box")
		storetest.Exec(t, raw, "ALTER TABLE away RENAME TO timeboxes")
		l.Settle(r.ID)
		require.Len(t, l.Boxes(r.ID), 1)
	})
}

func TestADeviceThatWasOfflineGetsItsFullTime(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(lab.Boxed(2, hours))
		l.Approve(r.ID, "bob")
		l.Work(r.ID)
		l.Clock.Advance(time.Minute)
		l.Tenant.EndOf("device-0", "Succeeded")
		l.Work(r.ID)
		require.Len(t, l.Boxes(r.ID), 1, "armed for each device at its own success")
		l.Clock.Advance(3 * time.Hour)
		l.Settle(r.ID)
		boxes := l.Boxes(r.ID)
		require.Len(t, boxes, 2)
		require.GreaterOrEqual(t, boxes[1].Due.Sub(boxes[0].Due), 3*time.Hour)
		l.Clock.Advance(time.Hour + time.Minute)
		l.Tend(r.ID)
		boxes = l.Boxes(r.ID)
		require.Equal(t, store.TimeboxReleasing, boxes[0].State)
		require.Equal(t, store.TimeboxArmed, boxes[1].State)
		l.Settle(boxes[0].ReleaseID)
		require.Equal(t, 1, releases(l))
	})
}

func TestAnApprovedExtensionMovesATimeBoxAndAForgedRowDoesNot(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := boxed(l, 1)
		due := l.Boxes(r.ID)[0].Due
		stranger := l.Extend(l.Submit(lab.Plan("run_script", 1)).ID, 5*time.Hour)
		l.Approve(stranger.ID, "bob", "cat") // what it extends needs two
		require.Equal(t, approvals.Succeeded, l.Settle(stranger.ID).State)
		x := l.Extend(r.ID, 2*time.Hour)
		require.NoError(t, l.DB.InTx(ctx(), func(tx *store.Tx) error {
			for _, by := range []string{x.ID, stranger.ID, r.ID, "NOSUCHID"} { // not approved, for another, no extension, nothing
				e := approvals.Event{At: l.Clock.Now(), RequestID: r.ID, Type: approvals.EventExtended, Actor: "worker", Step: -1, Detail: by + ": more time"}
				if err := tx.Note(ctx(), e); err != nil {
					return err
				}
			}
			return nil
		}))
		l.Look(r.ID)
		require.Equal(t, due, l.Boxes(r.ID)[0].Due)

		x = l.Extend(r.ID, 3*time.Hour)
		l.Approve(x.ID, "cat")
		require.Equal(t, approvals.Succeeded, l.Settle(x.ID).State)
		l.Look(r.ID)
		require.Equal(t, due.Add(3*time.Hour), l.Boxes(r.ID)[0].Due)
		l.Clock.Advance(due.Sub(l.Clock.Now()) + 3*time.Hour - time.Second)
		l.Tend(r.ID)
		require.Zero(t, releases(l))
		l.Clock.Advance(time.Second)
		l.Tend(r.ID)
		released(l, r.ID)
	})
}

func TestATimeWrittenIntoTheDatabaseReleasesNothingEarlyAndNothingLate(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := boxed(l, 1)
		due := l.Boxes(r.ID)[0].Due
		l.Write("UPDATE timeboxes SET due_ms = 1, try_ms = 1")
		l.Tend(r.ID)
		b := l.Boxes(r.ID)[0]
		require.Equal(t, store.TimeboxArmed, b.State)
		require.Equal(t, due, b.Due, "put right")
		require.Zero(t, releases(l))
		untilDue(l, r.ID)
		l.Write("UPDATE timeboxes SET due_ms = due_ms + 999999999, try_ms = try_ms + 999999999")
		l.Tend(r.ID)
		released(l, r.ID)
	})
}

// forge writes an approved child straight into the database, with everything that the gate would write.
func forge(l *lab.Lab, parent approvals.Request, plan approvals.Plan) approvals.Request {
	r := parent
	r.ID, r.Plan, r.Parent, r.Outcome, r.Quorum, r.Rule = "F0RGED01", plan, parent.ID, approvals.Allow, nil, "time-box of "+parent.ID
	r.State, r.Version, r.Votes, r.Key = approvals.Approved, 1, nil, plan.Key()
	r.CreatedAt, r.DecidedAt, r.FinishedAt = l.Clock.Now(), l.Clock.Now(), time.Time{}
	r.ExpiresAt, r.Steps = l.Clock.Now().Add(time.Hour), nil
	for i := range plan.Steps {
		r.Steps = append(r.Steps, approvals.StepStatus{Index: i, State: approvals.StepWaiting})
	}
	var err error
	r.Digest, err = approvals.Digest(r)
	require.NoError(l.T, err)
	storetest.Insert(l.T, l.DB, r)
	return r
}

// refusedChild requires that a forged child sends nothing and ends.
func refusedChild(l *lab.Lab, child approvals.Request, why string) {
	l.T.Helper()
	before := len(l.Tenant.Sends())
	l.Work(child.ID)
	got := l.Get(child.ID)
	require.Equal(l.T, approvals.Cancelled, got.State, got.Message)
	require.Contains(l.T, got.Message, why)
	require.Len(l.T, l.Tenant.Sends(), before)
}

func TestAChildWithoutABoxedParentSendsNothing(t *testing.T) {
	lab.Each(t, func(_ *testing.T, l *lab.Lab) {
		r := l.Submit(lab.Plan("isolate_devices", 1))
		l.Approve(r.ID, "bob")
		r = l.Settle(r.ID)
		refusedChild(l, forge(l, r, lab.Plan("release_devices", 1)), "has no time-box")
	})
}

func TestAChildOfNobodySendsNothing(t *testing.T) {
	lab.Each(t, func(_ *testing.T, l *lab.Lab) {
		r := boxed(l, 1)
		r.ID = "NOPARENT"
		refusedChild(l, forge(l, r, lab.Plan("release_devices", 1)), "there is no request NOPARENT")
	})
}

func TestAChildThatIsEarlyOrAboutAnotherDeviceSendsNothing(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*approvals.Plan)
		why    string
		due    bool
	}{
		{"early", func(*approvals.Plan) {}, "is not over before", false},
		{"another device", func(p *approvals.Plan) { p.Targets[0].ID, p.Steps[0].Target = "device-9", "device-9" }, "succeeded on \"device-9\"", true},
		{"another tool", func(p *approvals.Plan) { p.Tool, p.Risk = "run_script", approvals.RiskExecute }, "is not the release", true},
		{"further arguments", func(p *approvals.Plan) { p.Steps[0].Args = json.RawMessage(`{"x":1}`) }, "is not the release", true},
		{"not the box's own", func(*approvals.Plan) {}, "is not being ended by it", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			lab.Each(t, func(t *testing.T, l *lab.Lab) {
				r := boxed(l, 1)
				plan, err := l.Tenant.Inverse(r, []int{0})
				require.NoError(t, err)
				c.change(&plan)
				if c.due {
					untilDue(l, r.ID)
				}
				child := forge(l, r, plan)
				if !c.due {
					l.Write("UPDATE timeboxes SET state = 'releasing', release_id = 'F0RGED01', due_ms = 1, try_ms = 1")
				}
				refusedChild(l, child, c.why)
			})
		})
	}
}

func TestForgedVotesOfTheParentReleaseNothing(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := boxed(l, 1)
		l.Write("UPDATE votes SET body = replace(body, 'bob', 'dan'), voter_id = 'dan@example.com'")
		untilDue(l, r.ID)
		l.Tend(r.ID)
		b := l.Boxes(r.ID)[0]
		require.Equal(t, store.TimeboxArmed, b.State)
		require.Equal(t, "denied", b.Trouble)
		require.Len(t, l.Said(r.ID, approvals.EventEscalated), 1)
		require.Zero(t, releases(l))
	})
}

func TestAStopHoldsTheReleaseUntilItIsLifted(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := boxed(l, 2)
		l.Stop(approvals.ScopeAll)
		untilDue(l, r.ID)
		l.Clock.Advance(time.Minute)
		for range 5 {
			l.Clock.Advance(max(l.Tend(r.ID), time.Minute))
		}
		require.Equal(t, "held", l.Boxes(r.ID)[0].Trouble)
		require.Zero(t, releases(l))
		said := l.Said(r.ID, approvals.EventEscalated)
		require.Len(t, said, 1, "said once")
		require.Contains(t, said[0], "stopped since")
		require.Contains(t, said[0], "1 more")
		l.Lift(approvals.ScopeAll)
		l.Clock.Advance(time.Minute)
		l.Tend(r.ID)
		released(l, r.ID)
		require.Equal(t, 2, releases(l))
	})
}

func TestAStopBetweenTheReleasesRequestAndItsSendHoldsIt(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := boxed(l, 1)
		untilDue(l, r.ID)
		l.Tend(r.ID)
		child := l.Boxes(r.ID)[0].ReleaseID
		l.Stop("response")
		l.Work(child)
		l.Tend(r.ID)
		require.Zero(t, releases(l))
		require.Equal(t, store.TimeboxArmed, l.Boxes(r.ID)[0].State, "not forgotten")
		require.NotEmpty(t, l.Said(r.ID, approvals.EventEscalated))
		l.Lift("response")
		l.Clock.Advance(10 * time.Minute)
		l.Tend(r.ID)
		released(l, r.ID)
		require.Equal(t, 1, releases(l))
	})
}

func TestAPolicyThatDeniesTheReleaseKeepsItUntilItAllowsAgain(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		usual := l.Policy
		r := boxed(l, 1)
		l.Use(lab.ParsePolicy(t, "rules:\n  - {name: frozen, tools: [release_devices], outcome: deny, why: not today}\n"+
			"  - {name: one, tools: [isolate_devices], outcome: approve, count: 1}\n"))
		untilDue(l, r.ID)
		for range 3 {
			l.Tend(r.ID)
			l.Clock.Advance(10 * time.Minute)
		}
		b := l.Boxes(r.ID)[0]
		require.Equal(t, store.TimeboxArmed, b.State)
		require.Equal(t, "denied", b.Trouble)
		require.Contains(t, b.Message, "not today")
		require.Len(t, l.Said(r.ID, approvals.EventEscalated), 1)
		require.Zero(t, releases(l))
		l.Use(usual)
		l.Tend(r.ID)
		released(l, r.ID)
	})
}

func TestWhatIsNoLongerOursIsClosedAndNotReleased(t *testing.T) {
	for name, events := range map[string][]string{
		"released by somebody else":       {"release_devices"},
		"isolated again by somebody else": {"isolate_devices"},
		"released and isolated again":     {"release_devices", "isolate_devices"},
	} {
		t.Run(name, func(t *testing.T) {
			lab.Each(t, func(t *testing.T, l *lab.Lab) {
				r := boxed(l, 1)
				for _, tool := range events {
					l.Tenant.Foreign(tool, "device-0")
				}
				untilDue(l, r.ID)
				l.Tend(r.ID)
				b := l.Boxes(r.ID)[0]
				require.Equal(t, store.TimeboxClosed, b.State)
				require.Contains(t, b.Message, "nothing is left to release: foreign-device-0")
				require.Zero(t, releases(l))
				require.Empty(t, l.Said(r.ID, approvals.EventEscalated))
			})
		})
	}
}

func TestWhatChangesBetweenTheReleasesRequestAndItsSendIsNotReleased(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := boxed(l, 1)
		untilDue(l, r.ID)
		l.Tend(r.ID)
		l.Tenant.Foreign("isolate_devices", "device-0")
		child := l.Boxes(r.ID)[0].ReleaseID
		l.Work(child)
		require.Equal(t, approvals.Cancelled, l.Get(child).State)
		require.Zero(t, releases(l))
		l.Tend(r.ID)
		require.Equal(t, store.TimeboxClosed, l.Boxes(r.ID)[0].State)
	})
}

func TestAClockThatIsPutBackWaits(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := boxed(l, 1)
		l.Clock.Advance(-24 * time.Hour)
		require.Greater(t, l.Tend(r.ID), 24*time.Hour)
		require.Zero(t, releases(l))
		l.Clock.Advance(24*time.Hour + hours + time.Minute)
		l.Tend(r.ID)
		released(l, r.ID)
	})
}

func TestAClockThatJumpsForwardAloneReleasesNothing(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := boxed(l, 1)
		l.Clock.Advance(24 * time.Hour)
		l.Tenant.Lag(24 * time.Hour)
		l.Tend(r.ID)
		b := l.Boxes(r.ID)[0]
		require.Equal(t, "clock", b.Trouble)
		require.Contains(t, b.Message, "24h0m0s apart")
		require.Len(t, l.Said(r.ID, approvals.EventEscalated), 1)
		require.Zero(t, releases(l))

		l.Clock.Advance(-24 * time.Hour)
		l.Tenant.Lag(0)
		l.Tend(r.ID)
		require.Empty(t, l.Boxes(r.ID)[0].Trouble)
		require.Zero(t, releases(l), "set right, its time is not over")
		untilDue(l, r.ID)
		l.Tend(r.ID)
		released(l, r.ID)
	})
}

func TestAReleaseThatFailsIsToldAndTriedAgain(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := boxed(l, 1)
		untilDue(l, r.ID)
		l.Tend(r.ID)
		first := l.Boxes(r.ID)[0].ReleaseID
		l.Tenant.Forecast(lab.Refusing)
		require.Equal(t, approvals.Failed, l.Settle(first).State)
		l.Tend(r.ID)
		b := l.Boxes(r.ID)[0]
		require.Equal(t, store.TimeboxArmed, b.State)
		require.Equal(t, "failed", b.Trouble)
		require.Contains(t, b.Message, "the device is not supported")
		require.Len(t, l.Said(r.ID, approvals.EventEscalated), 1)
		l.Clock.Advance(6 * time.Minute)
		l.Tend(r.ID)
		require.NotEqual(t, first, released(l, r.ID).ID)
		require.Equal(t, 1, releases(l))
	})
}

func TestAReleaseThatDoesNotEndIsToldOnce(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := boxed(l, 1)
		untilDue(l, r.ID)
		l.Tend(r.ID)
		l.Work(l.Boxes(r.ID)[0].ReleaseID) // sent, and the device is offline
		for range 30 {
			l.Clock.Advance(max(l.Tend(r.ID), time.Minute))
		}
		b := l.Boxes(r.ID)[0]
		require.Equal(t, store.TimeboxReleasing, b.State)
		require.Equal(t, "slow", b.Trouble)
		require.Len(t, l.Said(r.ID, approvals.EventEscalated), 1)
		released(l, r.ID)
		require.Equal(t, 1, releases(l))
	})
}

func TestATenantThatCantBeAskedIsAskedAgain(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := boxed(l, 1)
		untilDue(l, r.ID)
		l.Tenant.Blind(errors.New("connection refused"))
		l.Tend(r.ID)
		require.Empty(t, l.Boxes(r.ID)[0].Trouble, "a short outage is no news")
		l.Clock.Advance(6 * time.Minute)
		l.Tend(r.ID)
		require.Equal(t, "asking", l.Boxes(r.ID)[0].Trouble)
		require.Len(t, l.Said(r.ID, approvals.EventEscalated), 1)
		require.Zero(t, releases(l))
		l.Tenant.Blind(nil)
		l.Clock.Advance(2 * time.Minute)
		l.Tend(r.ID)
		released(l, r.ID)
	})
}

func TestAWithdrawalLeavesTheTimeBoxesOfWhatSucceeded(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(lab.Boxed(2, hours))
		l.Approve(r.ID, "bob")
		l.Tenant.Forecast(lab.Fair, lab.Throttled)
		l.Work(r.ID)
		_, err := l.Gate.Withdraw(ctx(), r.ID, lab.Ann())
		require.NoError(t, err)
		require.Equal(t, approvals.Partial, l.Settle(r.ID).State)
		require.Len(t, l.Boxes(r.ID), 1)
		untilDue(l, r.ID)
		l.Tend(r.ID)
		released(l, r.ID)
		require.Equal(t, 1, releases(l))
	})
}

func TestAReleaseOfOursClosesTheTimeBoxSoon(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := boxed(l, 1)
		early := l.Submit(lab.Plan("release_devices", 1))
		l.Approve(early.ID, "cat")
		require.Equal(t, approvals.Succeeded, l.Settle(early.ID).State)
		require.Equal(t, store.TimeboxArmed, l.Boxes(r.ID)[0].State)
		l.Look(r.ID) // the job that the release left
		b := l.Boxes(r.ID)[0]
		require.Equal(t, store.TimeboxClosed, b.State)
		require.True(t, strings.HasPrefix(b.Message, "nothing is left to release"), b.Message)
		require.Equal(t, 1, releases(l))
	})
}

// curfew denies releases from a moment on, as quiet hours do.
type curfew struct {
	approvals.Policy
	from time.Time
}

func (p curfew) Decide(c approvals.Call) approvals.Decision {
	if c.Tool == "release_devices" && c.At.After(p.from) {
		return approvals.Decision{Outcome: approvals.Deny, Rule: "curfew", Why: "nobody is there to look"}
	}
	return p.Policy.Decide(c)
}

func TestAReleaseKeepsToWhatPolicySaysOfItsOwnHour(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		usual := l.Policy
		r := boxed(l, 1)
		l.Use(curfew{usual, l.Clock.Now()})
		untilDue(l, r.ID)
		l.Tend(r.ID)
		b := l.Boxes(r.ID)[0]
		require.Equal(t, store.TimeboxArmed, b.State)
		require.Contains(t, b.Message, "nobody is there to look")
		require.Zero(t, releases(l))
		l.Use(usual)
		l.Clock.Advance(6 * time.Minute)
		l.Tend(r.ID)
		l.Use(curfew{usual, l.Clock.Now()})
		l.Clock.Advance(time.Second)
		l.Work(l.Boxes(r.ID)[0].ReleaseID)
		require.Zero(t, releases(l), "asked again when it is claimed")
	})
}

func TestAnExtensionThatHidesWhatItExtendsCountsForNothing(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := boxed(l, 1)
		due := l.Boxes(r.ID)[0].Due
		p := l.Extend(r.ID, 2*time.Hour).Plan
		p.Resumes, p.Steps[0].Args = nil, []byte(`{"for":10800000000000}`)
		x := l.Submit(p)
		l.Approve(x.ID, "bob")
		require.Equal(t, approvals.Succeeded, l.Settle(x.ID).State)
		l.Look(r.ID)
		require.Equal(t, due, l.Boxes(r.ID)[0].Due)
	})
}

func TestMoreTimeThatPeopleAgreedToOutlivesAStricterPolicy(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		usual := l.Policy
		r := boxed(l, 1)
		due := l.Boxes(r.ID)[0].Due
		x := l.Extend(r.ID, 2*time.Hour)
		l.Approve(x.ID, "cat")
		require.Equal(t, approvals.Succeeded, l.Settle(x.ID).State)
		for _, now := range []string{"outcome: approve, count: 3", "outcome: deny, why: no more"} {
			l.Use(lab.ParsePolicy(t, "rules:\n  - {name: strict, tools: ["+approvals.ToolExtend+"], "+now+"}\n"+"  - {name: one, risks: [contain, expose], outcome: approve, count: 1}\n"))
			l.Look(r.ID)
			require.Equal(t, due.Add(2*time.Hour), l.Boxes(r.ID)[0].Due, now)
		}
		l.Clock.Advance(due.Sub(l.Clock.Now()) + 2*time.Hour)
		l.Use(usual)
		l.Tend(r.ID)
		released(l, r.ID)
	})
}
