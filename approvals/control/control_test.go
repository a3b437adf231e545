package control_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
	"github.com/mde-ops/mde-ops/approvals/store"
)

func ctx() context.Context { return context.Background() }

// face is a board that only reads, as a process without the approvers' directory has it.
func face(l *lab.Lab) *control.Board {
	b, err := control.New(control.Options{Store: l.DB, Tools: lab.Tools(), Clock: l.Clock.Now, Logger: lab.Quiet()})
	require.NoError(l.T, err)
	return b
}

func order(scope string) control.Order {
	return control.Order{Scope: scope, By: lab.Ann(), Why: "drill"}
}

func TestABoardNeedsAStore(t *testing.T) {
	t.Parallel()
	_, err := control.New(control.Options{})
	require.ErrorContains(t, err, "no store")
}

func TestAStopHoldsItsToolsetEverythingOrWhatNobodyKnows(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		for _, b := range []*control.Board{face(l), l.NewBoard(l.Policy)} {
			require.NoError(t, b.Held(ctx(), "isolate_devices"))
			require.NoError(t, b.Held(ctx(), "nobody_knows"))
		}
		require.NoError(t, face(l).Stop(ctx(), order(" Live_Response ")))
		for _, b := range []*control.Board{face(l), l.NewBoard(l.Policy)} {
			require.NoError(t, b.Held(ctx(), "isolate_devices"))
			lab.Kind(t, approvals.KindHeld, b.Held(ctx(), "run_script"))
			lab.Kind(t, approvals.KindHeld, b.Held(ctx(), "nobody_knows"))
		}
		require.NoError(t, face(l).Stop(ctx(), order("")))
		for _, b := range []*control.Board{face(l), l.NewBoard(l.Policy)} {
			for tool := range lab.Tools() {
				if tool != approvals.ToolLift {
					lab.Kind(t, approvals.KindHeld, b.Held(ctx(), tool))
				}
			}
			require.NoError(t, b.Held(ctx(), approvals.ToolLift))
			stops, err := b.InForce(ctx())
			require.NoError(t, err)
			require.Len(t, stops, 2)
			require.Equal(t, "drill", stops[0].Why)
			require.Equal(t, "ann@example.com", stops[1].Event.Actor)
		}
		l.Verified()
	})
}

func TestAPressThatMeansNothingIsRefused(t *testing.T) {
	t.Parallel()
	l := lab.New(t, "sqlite:"+t.TempDir()+"/x.db")
	b := face(l)
	for _, scope := range []string{"everything", "restore", "all: and more", "isolate_devices"} {
		lab.Kind(t, approvals.KindInvalid, b.Stop(ctx(), order(scope)))
	}
	o := order("all")
	o.By.ID = "gate"
	lab.Kind(t, approvals.KindInvalid, b.Stop(ctx(), o))
	stops, err := b.InForce(ctx())
	require.NoError(t, err)
	require.Empty(t, stops)
}

func TestWhatIsTypedBecomesOneLineOfTheAudit(t *testing.T) {
	t.Parallel()
	l := lab.New(t, "sqlite:"+t.TempDir()+"/x.db")
	o := order("all")
	o.Why = "all: lifted\nresponse: \xff" + strings.Repeat("x", 1000)
	require.NoError(t, face(l).Stop(ctx(), o))
	o.Why = " \n"
	require.NoError(t, face(l).Stop(ctx(), control.Order{Scope: "response", By: lab.Ann()}))
	stops, err := face(l).InForce(ctx())
	require.NoError(t, err)
	require.Equal(t, []string{"all", "response"}, []string{stops[0].Scope, stops[1].Scope})
	require.True(t, strings.HasPrefix(stops[0].Why, "all: lifted response: "))
	require.Len(t, []rune(stops[0].Why), 400)
	require.Equal(t, "no reason given", stops[1].Why)
}

func TestAStopCancelsWhatHasNotBegunAndNothingElse(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		pending, ready := l.Submit(lab.Plan("isolate_devices", 1)), l.Submit(lab.Plan("isolate_devices", 1))
		other, ended := l.Submit(lab.Plan("run_script", 1)), l.Submit(lab.Plan("isolate_devices", 1))
		l.Approve(ready.ID, "bob")
		require.NoError(t, l.Cast(ended.ID, lab.Person("bob"), approvals.VerdictDeny))
		require.NoError(t, face(l).Stop(ctx(), order("response")))
		require.Equal(t, approvals.Cancelled, l.Get(pending.ID).State)
		require.Equal(t, approvals.Cancelled, l.Get(ready.ID).State)
		require.Equal(t, approvals.Pending, l.Get(other.ID).State)
		require.Equal(t, approvals.Denied, l.Get(ended.ID).State)
		lab.Kind(t, approvals.KindConflict, l.Cast(pending.ID, lab.Person("bob"), approvals.VerdictApprove))
		l.Work(ready.ID)
		require.Empty(t, l.Tenant.Sends())
		l.Verified()
	})
}

func TestThePlanOfALiftSaysWhatItLifts(t *testing.T) {
	t.Parallel()
	l := lab.New(t, "sqlite:"+t.TempDir()+"/x.db")
	for _, b := range []*control.Board{face(l), l.NewBoard(l.Policy)} {
		_, err := b.PlanLift(ctx(), "tenant", "all", "clear")
		lab.Kind(t, approvals.KindInvalid, err)
		require.ErrorContains(t, err, "what is stopped: nothing")
	}
	r := l.Submit(lab.Plan("isolate_devices", 2))
	l.Approve(r.ID, "bob")
	l.Tenant.Forecast(lab.Fair, lab.Throttled)
	l.Work(r.ID)
	require.NoError(t, face(l).Stop(ctx(), order("all")))
	require.NoError(t, face(l).Stop(ctx(), order("devices")))
	plan, err := face(l).PlanLift(ctx(), "tenant", "", "clear")
	require.NoError(t, err)
	require.NoError(t, plan.Check())
	require.Equal(t, "all", plan.Targets[0].ID)
	require.Contains(t, plan.Preview, "everything is stopped since 2026-03-01T12:00:00Z by ann@example.com: drill")
	require.Equal(t, []string{"also stopped, and not lifted by this: devices", "1 running requests go on with what they have not sent"}, plan.Warnings)
	_, err = face(l).PlanLift(ctx(), "tenant", "response", "clear")
	require.ErrorContains(t, err, "what is stopped: all, devices")
}

// A row alone does not lift, not even for a board that can't verify votes.
func TestALiftRowWithoutAnApprovedRequestLiftsNothing(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		require.NoError(t, face(l).Stop(ctx(), order("all")))
		lift := l.AskToLift("all")
		for _, id := range []string{"", "NOBODY00", lift.ID} {
			require.NoError(t, l.DB.InTx(ctx(), func(tx *store.Tx) error {
				return tx.Note(ctx(), approvals.Event{At: l.Clock.Now(), RequestID: id, Type: approvals.EventLifted, Actor: "worker", Step: -1, Detail: "all: lifted"})
			}))
			for _, b := range []*control.Board{face(l), l.NewBoard(l.Policy)} {
				err := b.Held(ctx(), "isolate_devices")
				lab.Kind(t, approvals.KindHeld, err)
				require.ErrorContains(t, err, "its lift does not count")
			}
		}
		l.Approve(lift.ID, "bob", "cat")
		require.Equal(t, approvals.Succeeded, l.Settle(lift.ID).State)
		for _, b := range []*control.Board{face(l), l.NewBoard(l.Policy)} {
			require.NoError(t, b.Held(ctx(), "isolate_devices"))
		}
	})
}

func TestALiftIsWrittenOnce(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		b := face(l) // a worker's would look for the votes first
		require.NoError(t, b.Stop(ctx(), order("all")))
		plan, err := b.PlanLift(ctx(), "tenant", "all", "clear")
		require.NoError(t, err)
		act := control.Act{RequestID: "LIFTLIFT", Step: plan.Steps[0]}
		done, err := b.Done(ctx(), act)
		require.NoError(t, err)
		require.False(t, done)
		for range 2 {
			require.NoError(t, b.Lift(ctx(), act))
		}
		done, err = b.Done(ctx(), act)
		require.NoError(t, err)
		require.True(t, done)
		rows, err := l.DB.Marks(ctx(), []string{approvals.EventLifted}, 0)
		require.NoError(t, err)
		require.Len(t, rows, 1)
		require.NoError(t, b.Stop(ctx(), order("all")))
		lab.Kind(t, approvals.KindConflict, b.Lift(ctx(), act))
		act.Step.Target = "devices"
		lab.Kind(t, approvals.KindConflict, b.Lift(ctx(), act))
	})
}

func TestAnOlderDatabaseInThePlaceOfTheOldOneStopsEverything(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		b := l.NewBoard(l.Policy)
		l.Submit(lab.Plan("isolate_devices", 1))
		l.Submit(lab.Plan("isolate_devices", 1))
		require.NoError(t, b.Held(ctx(), "isolate_devices"))
		l.Write("DELETE FROM audit_event WHERE seq = 2")
		l.Write("UPDATE audit_head SET seq = 1, hash = (SELECT hash FROM audit_event WHERE seq = 1)")
		err := b.Held(ctx(), "isolate_devices")
		lab.Kind(t, approvals.KindHeld, err)
		require.ErrorContains(t, err, "the audit ends at row 1, and this process has read row 2")
		lab.Kind(t, approvals.KindHeld, l.NewBoard(l.Policy).Held(ctx(), "isolate_devices"))
	})
}

func TestAResumptionIsPlannedOnlyForWhatIsPaused(t *testing.T) {
	t.Parallel()
	l := lab.New(t, "sqlite:"+t.TempDir()+"/x.db")
	r := l.Submit(lab.Plan("isolate_devices", 2))
	_, err := control.ResumePlan(r)
	lab.Kind(t, approvals.KindConflict, err)
	_, err = l.NewBoard(l.Policy).PlanResume(ctx(), r)
	lab.Kind(t, approvals.KindConflict, err)
	act := control.Act{RequestID: "RESUME00", Step: approvals.Step{Action: "resume", Target: r.ID}}
	lab.Kind(t, approvals.KindConflict, l.NewBoard(l.Policy).Resume(ctx(), act))
	act.Step.Args = []byte("{")
	lab.Kind(t, approvals.KindInvalid, l.NewBoard(l.Policy).Resume(ctx(), act))
}

func TestAnExtensionIsWrittenOnce(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(lab.Plan("isolate_devices", 1))
		act := control.Act{RequestID: "EXTEND00", Step: approvals.Step{Action: "extend", Target: r.ID}}
		for range 2 {
			require.NoError(t, face(l).Extend(ctx(), act, "4h0m0s"))
		}
		rows, err := l.DB.Marks(ctx(), []string{approvals.EventExtended}, 0)
		require.NoError(t, err)
		require.Len(t, rows, 1)
		require.Equal(t, "EXTEND00: 4h0m0s", rows[0].Detail)
		require.Equal(t, r.ID, rows[0].RequestID)
		done, err := face(l).Done(ctx(), act)
		require.NoError(t, err)
		require.True(t, done)
		act.Step.Target = "NOBODY00"
		lab.Kind(t, approvals.KindNotFound, face(l).Extend(ctx(), act, "4h0m0s"))
		l.Verified()
	})
}

func TestEveryLiveRequestIsListedHoweverManyThereAre(t *testing.T) {
	t.Parallel()
	l := lab.New(t, "sqlite:"+t.TempDir()+"/x.db")
	made := map[string]bool{}
	require.NoError(t, l.DB.InTx(ctx(), func(tx *store.Tx) error {
		for i := range 620 {
			r := approvals.Request{
				ID: "R" + strings.Repeat("0", 4) + string(rune('A'+i/26)) + string(rune('a'+i%26)), Plan: lab.Plan("isolate_devices", 1), Requester: lab.Ann(),
				Outcome: approvals.Approve, CreatedAt: l.Clock.Now(), ExpiresAt: l.Clock.Now().Add(time.Hour), State: approvals.Pending,
			}
			made[r.ID] = true
			if err := tx.Insert(ctx(), r, approvals.Event{Actor: "ann@example.com"}); err != nil {
				return err
			}
			if i%3 == 2 {
				l.Clock.Advance(time.Second)
			}
		}
		return nil
	}))
	live, err := face(l).Live(ctx(), approvals.Pending)
	require.NoError(t, err)
	require.Len(t, live, 620)
	for _, r := range live {
		delete(made, r.ID)
	}
	require.Empty(t, made, "each of them, which a stop then ends one by one")
}
