package gate_test

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/gate"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
	"github.com/mde-ops/mde-ops/approvals/policy"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
)

func ctx() context.Context { return context.Background() }

func TestSubmitRefusesWhatCouldNotRun(t *testing.T) {
	l := lab.New(t, storetest.SQLite(t))
	for want, spoil := range map[string]func(*gate.Submission){
		"states risk \"\"":            func(s *gate.Submission) { s.Plan.Risk = "" },
		"states risk \"mild\"":        func(s *gate.Submission) { s.Plan.Risk = "mild" },
		"only reads":                  func(s *gate.Submission) { s.Plan.Risk = approvals.RiskRead },
		"no tool or no tenant":        func(s *gate.Submission) { s.Plan.Tenant = "" },
		"has no steps":                func(s *gate.Submission) { s.Plan.Steps = nil },
		"has no targets":              func(s *gate.Submission) { s.Plan.Targets = nil },
		"not one of its targets":      func(s *gate.Submission) { s.Plan.Steps[1].Target = "elsewhere" },
		"twice or without an id":      func(s *gate.Submission) { s.Plan.Targets[1].ID = "device-0" },
		"has no requester":            func(s *gate.Submission) { s.Requester.ID = " " },
		"does again what an earlier":  func(s *gate.Submission) { s.Plan.Steps[1] = s.Plan.Steps[0] },
		"target \"DEVICE-0\" twice":   func(s *gate.Submission) { s.Plan.Targets[1].ID = "DEVICE-0" },
		"1001 steps, more than 1000":  func(s *gate.Submission) { s.Plan = lab.Plan("isolate_devices", 1001) },
		"\"slack:T0001/UBOB\" is not": func(s *gate.Submission) { s.Requester.ID = "slack:T0001/UBOB" },
		"\"Worker\" is not the name":  func(s *gate.Submission) { s.Requester.ID = "Worker" },
		"no face of this program":     func(s *gate.Submission) { s.Requester.Via = "fax" },
		"a reason is needed":          func(s *gate.Submission) { s.Plan.Reason = " \n" },
		"its arguments are not JSON":  func(s *gate.Submission) { s.Plan.Args = json.RawMessage("{") },
		"101 targets are more than the 100": func(s *gate.Submission) {
			s.Plan = lab.Plan("isolate_devices", 101)
		},
	} {
		s := gate.Submission{Plan: lab.Plan("isolate_devices", 2), Requester: lab.Ann()}
		spoil(&s)
		_, err := l.Gate.Submit(ctx(), s)
		lab.Kind(t, approvals.KindInvalid, err)
		require.ErrorContains(t, err, want)
	}
	_, err := l.Gate.Submit(ctx(), gate.Submission{Plan: lab.Plan("offboard_devices", 1), Requester: lab.Ann()})
	lab.Kind(t, approvals.KindDenied, err)
	require.ErrorContains(t, err, "switched off")

	list, err := l.Gate.List(ctx(), store.Filter{})
	require.NoError(t, err)
	require.Empty(t, list)
	events, err := l.DB.Events(ctx(), store.Query{})
	require.NoError(t, err)
	require.Len(t, events, 19)
	for _, e := range events {
		require.Equal(t, approvals.EventRefused, e.Type)
	}
	l.Verified()
}

func TestWithoutAnApproverGroupNothingGatedRuns(t *testing.T) {
	l := lab.New(t, storetest.SQLite(t))
	p, err := policy.Default(policy.DefaultOptions{})
	require.NoError(t, err)
	l.Use(p)
	_, err = l.Gate.Submit(ctx(), gate.Submission{Plan: lab.Plan("isolate_devices", 1), Requester: lab.Ann()})
	lab.Kind(t, approvals.KindDenied, err)
	require.ErrorContains(t, err, "set the approver group")
}

func TestSubmitKeepsWhatItWasGiven(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		p := lab.Plan("isolate_devices", 2)
		p.Reason = "bytes \xff\xfe, a \x00, <b>&amp;</b> and \u2028"
		p.Targets[0].LastSeen = time.Now() // with a monotonic part and a zone
		r := l.Submit(p)
		require.Regexp(t, regexp.MustCompile("^[0-9A-HJKMNP-TV-Z]{8}$"), r.ID)
		require.NoError(t, approvals.Genuine(r), "what is read back is what was digested")
		require.Equal(t, approvals.Pending, r.State)
		require.Equal(t, r.CreatedAt.Add(30*time.Minute), r.ExpiresAt)
		require.Equal(t, []approvals.Quorum{{Count: 1, From: lab.Oncall()}}, r.Quorum)
		l.Approve(r.ID, "bob")
		require.Equal(t, approvals.Succeeded, l.Settle(r.ID).State)
		l.Verified()
	})
}

func TestATakenIDIsReplaced(t *testing.T) {
	l := lab.New(t, storetest.SQLite(t))
	ids := []string{"AAAAAAAA", "AAAAAAAA", "BBBBBBBB", "BBBBBBBB", "BBBBBBBB", "BBBBBBBB", "BBBBBBBB"}
	g, err := gate.New(gate.Options{Store: l.DB, Policy: l.Policy, Clock: l.Clock.Now, Logger: lab.Quiet(), NewID: func() string {
		id := ids[0]
		ids = ids[1:]
		return id
	}})
	require.NoError(t, err)
	defer g.Close()
	ask := func() (approvals.Request, error) {
		return g.Submit(ctx(), gate.Submission{Plan: lab.Plan("isolate_devices", 1), Requester: lab.Ann()})
	}
	for _, want := range []string{"AAAAAAAA", "BBBBBBBB"} {
		r, err := ask()
		require.NoError(t, err)
		require.Equal(t, want, r.ID)
	}
	_, err = ask()
	lab.Kind(t, approvals.KindConflict, err)
}

func TestReadingExpires(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r, other := l.Submit(lab.Plan("isolate_devices", 1)), l.Submit(lab.Plan("isolate_devices", 1))
		l.Clock.Advance(30 * time.Minute)
		got, err := l.Gate.Get(ctx(), r.ID)
		require.NoError(t, err)
		require.Equal(t, approvals.Expired, got.State)
		list, err := l.Gate.List(ctx(), store.Filter{})
		require.NoError(t, err)
		require.Len(t, list, 2)
		for _, x := range list {
			require.Equal(t, approvals.Expired, x.State)
		}
		require.Equal(t, r.ExpiresAt, got.FinishedAt)
		got, err = l.Gate.Withdraw(ctx(), other.ID, lab.Ann())
		require.NoError(t, err, "a clock that is ahead must not keep a request from being withdrawn")
		require.Equal(t, approvals.Cancelled, got.State)
		require.Equal(t, approvals.Pending, l.Get(r.ID).State, "a clock that only reads ends nothing")
		lab.Kind(t, approvals.KindConflict, l.Cast(r.ID, lab.Person("bob"), approvals.VerdictApprove))
		require.Equal(t, approvals.Expired, l.Get(r.ID).State)
		_, err = l.Gate.Get(ctx(), "NOSUCHID")
		lab.Kind(t, approvals.KindNotFound, err)
		l.Verified()
	})
}

func TestOnlyTheRequesterWithdraws(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		pending, approved := l.Submit(lab.Plan("isolate_devices", 1)), l.Submit(lab.Plan("isolate_devices", 1))
		l.Approve(approved.ID, "bob")
		bob := approvals.Requester{Person: lab.Person("bob"), Verified: true, Via: approvals.ViaSlack}
		for _, r := range []approvals.Request{pending, approved} {
			_, err := l.Gate.Withdraw(ctx(), r.ID, bob)
			lab.Kind(t, approvals.KindDenied, err)
			got, err := l.Gate.Withdraw(ctx(), r.ID, approvals.Requester{Person: approvals.Person{ID: "ANN@example.com"}, Verified: true, Via: approvals.ViaMCP})
			require.NoError(t, err)
			require.Equal(t, approvals.Cancelled, got.State)
			_, err = l.Gate.Withdraw(ctx(), r.ID, lab.Ann())
			lab.Kind(t, approvals.KindConflict, err)
			require.ErrorContains(t, err, "is already cancelled")
			l.Work(r.ID)
		}
		lab.Kind(t, approvals.KindConflict, l.Cast(pending.ID, lab.Person("bob"), approvals.VerdictApprove))
		require.Empty(t, l.Tenant.Sends())
		l.Verified()
	})
}

// A name in a configuration is good for what was asked under that name in the same way, and for nothing else.
func TestAnUnprovedNameWithdrawsOnlyItsOwn(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		signedIn := l.Submit(lab.Plan("isolate_devices", 1))
		configured := approvals.Requester{Person: approvals.Person{ID: "ann@example.com"}, Via: approvals.ViaMCP}
		own, err := l.Gate.Submit(ctx(), gate.Submission{Plan: lab.Plan("isolate_devices", 1), Requester: configured})
		require.NoError(t, err)
		_, err = l.Gate.Withdraw(ctx(), signedIn.ID, configured)
		lab.Kind(t, approvals.KindDenied, err)
		require.ErrorContains(t, err, "only configured")
		for _, who := range []approvals.Requester{
			{Person: approvals.Person{ID: "ann@example.com"}, Via: approvals.ViaShell},
			{Person: approvals.Person{ID: "mallory@example.com", Aliases: []string{"ann@example.com"}}, Via: approvals.ViaMCP},
		} {
			_, err := l.Gate.Withdraw(ctx(), own.ID, who)
			lab.Kind(t, approvals.KindDenied, err)
		}
		for _, verified := range []bool{true, false} {
			_, err = l.Gate.Withdraw(ctx(), signedIn.ID, approvals.Requester{
				Person: approvals.Person{ID: "slack:t0001/uann"}, Verified: verified, Via: approvals.ViaMCP,
			})
			lab.Kind(t, approvals.KindInvalid, err)
		}
		require.Equal(t, approvals.Pending, l.Get(signedIn.ID).State)
		got, err := l.Gate.Withdraw(ctx(), own.ID, configured)
		require.NoError(t, err)
		require.Equal(t, approvals.Cancelled, got.State)
		l.Verified()
	})
}

func TestADamagedRequestDoesNotHideTheOthers(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		damaged, good := l.Submit(lab.Plan("isolate_devices", 1)), l.Submit(lab.Plan("isolate_devices", 1))
		l.Write("UPDATE requests SET plan = '{' WHERE id = $1", damaged.ID)
		list, err := l.Gate.List(ctx(), store.Filter{})
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.Equal(t, good.ID, list[0].ID)
		_, err = l.Worker.Handle(ctx(), store.Job{Kind: store.Sweep})
		require.NoError(t, err)
	})
}

func TestARunningRequestWithNothingLeftIsNotWithdrawn(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(lab.Plan("isolate_devices", 1))
		l.Approve(r.ID, "bob")
		l.Work(r.ID)
		_, err := l.Gate.Withdraw(ctx(), r.ID, lab.Ann())
		lab.Kind(t, approvals.KindInvalid, err)
		require.ErrorContains(t, err, "cancel_action")
		require.Equal(t, approvals.Succeeded, l.Settle(r.ID).State)
	})
}

func decided(r approvals.Request) bool { return r.State != approvals.Pending }

func TestWaitWakesAtAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lab.New(t, storetest.SQLite(t))
		r := l.Submit(lab.Plan("isolate_devices", 1))
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() {
				began := time.Now()
				got, err := l.Gate.Wait(ctx(), r.ID, decided, time.Minute)
				require.NoError(t, err)
				require.Equal(t, approvals.Approved, got.State)
				require.Less(t, time.Since(began), 6*time.Second)
			})
		}
		time.Sleep(5 * time.Second)
		l.Approve(r.ID, "bob")
		group.Wait()
	})
}

func TestWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lab.New(t, storetest.SQLite(t))
		r := l.Submit(lab.Plan("isolate_devices", 1))

		began := time.Now()
		got, err := l.Gate.Wait(ctx(), r.ID, decided, time.Minute)
		require.NoError(t, err)
		require.Equal(t, approvals.Pending, got.State)
		require.Equal(t, time.Minute, time.Since(began), "at its limit")

		short, cancel := context.WithTimeout(ctx(), time.Second)
		defer cancel()
		_, err = l.Gate.Wait(short, r.ID, decided, time.Minute)
		require.ErrorIs(t, err, context.DeadlineExceeded)

		_, err = l.Gate.Wait(ctx(), "NOSUCHID", decided, time.Minute)
		lab.Kind(t, approvals.KindNotFound, err)

		l.Clock.Advance(30*time.Minute - time.Second)
		began = time.Now()
		time.AfterFunc(time.Second, func() { l.Clock.Advance(time.Second) })
		got, err = l.Gate.Wait(ctx(), r.ID, decided, time.Hour)
		require.NoError(t, err)
		require.Equal(t, approvals.Expired, got.State, "expiry needs no worker and no audit row")
		require.LessOrEqual(t, time.Since(began), 3*time.Second)

		open := l.Submit(lab.Plan("isolate_devices", 1))
		time.AfterFunc(time.Second, l.Gate.Close)
		got, err = l.Gate.Wait(ctx(), open.ID, decided, time.Hour)
		require.NoError(t, err)
		require.Equal(t, approvals.Pending, got.State, "closing lets waiters go")
	})
}

func TestNewRefusesWhatCouldNotDecide(t *testing.T) {
	l := lab.New(t, storetest.SQLite(t))
	_, err := gate.New(gate.Options{Policy: l.Policy})
	require.ErrorContains(t, err, "no store")
	_, err = gate.New(gate.Options{Store: l.DB})
	require.ErrorContains(t, err, "no policy")
}

func TestAClosedStoreLetsNothingIn(t *testing.T) {
	l := lab.New(t, storetest.SQLite(t))
	require.NoError(t, l.DB.Close())
	_, err := l.Gate.Submit(ctx(), gate.Submission{Plan: lab.Plan("isolate_devices", 1), Requester: lab.Ann()})
	lab.Kind(t, approvals.KindStore, err)
	require.False(t, strings.Contains(err.Error(), "sql:"), "the driver's words are for the log")
}
