package approvals_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/gate"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/worker"
)

const (
	yes     = approvals.VerdictApprove
	no      = approvals.VerdictDeny
	confirm = approvals.VerdictConfirm
)

// ctx is the tests' context; none of them ends one.
func ctx() context.Context { return context.Background() }

// The invariants of docs/approvals.md, each with the attack that it has to stand.

func TestWhatIsApprovedRunsOnce(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(lab.Plan("isolate_devices", 3))
		l.Work(r.ID)
		require.Empty(t, l.Tenant.Sends(), "nothing may be sent while pending")
		l.Approve(r.ID, "bob")
		end := l.Settle(r.ID)
		require.Equal(t, approvals.Succeeded, end.State)
		require.Len(t, l.Tenant.Sends(), 3)
		for range 3 { // doing any job again changes nothing
			l.Work(r.ID)
		}
		require.Len(t, l.Tenant.Sends(), 3)
		require.Equal(t, end, l.Get(r.ID))
		for i, e := range l.Tenant.Effects() {
			require.Equal(t, r.Plan, e.Plan, "what ran is what was shown")
			require.Equal(t, approvals.Tag(r.ID, i), e.Tag)
		}
		l.Verified()
	})
}

func TestTheRequesterNeverApproves(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		l.Directory.Join("oncall", lab.Person("ann"), approvals.Person{ID: "second@example.com"})
		r := l.Submit(lab.Plan("isolate_devices", 1))
		for name, p := range map[string]approvals.Person{
			"herself":                lab.Person("ann"),
			"in capitals":            {ID: "ANN@Example.COM"},
			"with spaces":            {ID: " ann@example.com "},
			"by her Slack account":   {ID: "second@example.com", Aliases: []string{"slack:t0001/uann"}},
			"with her mail as alias": {ID: "second@example.com", Aliases: []string{"Ann@example.com"}},
		} {
			err := l.Cast(r.ID, p, yes)
			lab.Kind(t, approvals.KindNotVoter, err)
			require.Contains(t, err.Error(), "you asked for this; someone else must approve", name)
			lab.Kind(t, approvals.KindNotVoter, l.Cast(r.ID, p, no))
		}
		require.Equal(t, approvals.Pending, l.Get(r.ID).State)
		require.Empty(t, l.Get(r.ID).Votes)
		l.Verified()
	})
}

func TestStrangersNeverApprove(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(lab.Plan("isolate_devices", 1))
		lab.Kind(t, approvals.KindNotVoter, l.Cast(r.ID, lab.Person("mallory"), yes))
		lab.Kind(t, approvals.KindNotVoter, l.Cast(r.ID, lab.Person("eve"), yes)) // a lead, but not on call
		lab.Kind(t, approvals.KindNotVoter, l.Cast(r.ID, lab.Person("mallory"), no))
		lab.Kind(t, approvals.KindNotVoter, l.Cast(r.ID, approvals.Person{}, yes))
		lab.Kind(t, approvals.KindInvalid, l.Cast(r.ID, lab.Person("bob"), "maybe"))
		require.Equal(t, approvals.Pending, l.Get(r.ID).State)
		events, err := l.DB.Events(ctx(), store.Query{RequestID: r.ID})
		require.NoError(t, err)
		refused := 0
		for _, e := range events {
			if e.Type == approvals.EventRefused {
				refused++
			}
		}
		require.Equal(t, 5, refused, "every attempt is in the audit")
	})
}

func TestWhoeverPressesAThousandTimesFillsNoAudit(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(lab.Plan("isolate_devices", 1))
		rows := func() int { return len(l.Said(r.ID, approvals.EventRefused)) }
		for range 40 {
			lab.Kind(t, approvals.KindNotVoter, l.Cast(r.ID, lab.Person("mallory"), yes))
		}
		require.Equal(t, 5, rows())
		lab.Kind(t, approvals.KindNotVoter, l.Cast(r.ID, lab.Person("mallory"), no))
		lab.Kind(t, approvals.KindNotVoter, l.Cast(r.ID, lab.Person("eve"), yes))
		require.Equal(t, 7, rows(), "somebody else, and something else, is another attempt")
		l.Clock.Advance(time.Minute)
		lab.Kind(t, approvals.KindNotVoter, l.Cast(r.ID, lab.Person("mallory"), yes))
		require.Equal(t, 8, rows())
	})
}

func TestNoAnswerIsNoVoteAndNoRun(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(lab.Plan("isolate_devices", 1))
		l.Directory.Fail(errors.New("users.info: timeout"))
		lab.Kind(t, approvals.KindNoAnswer, l.Cast(r.ID, lab.Person("bob"), yes))
		lab.Kind(t, approvals.KindNoAnswer, l.Cast(r.ID, lab.Person("bob"), no))
		require.Equal(t, approvals.Pending, l.Get(r.ID).State)
		l.Directory.Fail(nil)
		l.Approve(r.ID, "bob")
		l.Directory.Fail(errors.New("users.info: timeout"))
		require.Positive(t, l.Work(r.ID), "asked again later")
		require.Equal(t, approvals.Approved, l.Get(r.ID).State)
		require.Empty(t, l.Tenant.Sends())
		l.Directory.Fail(nil)
		require.Equal(t, approvals.Succeeded, l.Settle(r.ID).State)
	})
}

func TestNoAnswerUntilItIsTooLate(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(lab.Plan("isolate_devices", 1))
		l.Approve(r.ID, "bob")
		l.Directory.Fail(errors.New("down"))
		l.Clock.Advance(15 * time.Minute)
		l.Work(r.ID)
		require.Equal(t, approvals.Expired, l.Get(r.ID).State)
		require.Empty(t, l.Tenant.Sends())
	})
}

func TestAQuorumIsDistinctPeople(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(lab.Plan("run_script", 1))
		l.Approve(r.ID, "bob")
		before := l.Get(r.ID)
		for _, again := range []approvals.Person{
			lab.Person("bob"), {ID: "BOB@example.com"}, {ID: "cat@example.com", Aliases: []string{"slack:T0001/UBOB"}},
		} {
			err := l.Cast(r.ID, again, yes)
			lab.Kind(t, approvals.KindConflict, err)
			require.Contains(t, err.Error(), "already counted")
		}
		require.Equal(t, before, l.Get(r.ID), "a second click changes nothing")
		l.Work(r.ID)
		require.Empty(t, l.Tenant.Sends())
		l.Approve(r.ID, "cat")
		require.Equal(t, approvals.Approved, l.Get(r.ID).State)
		require.Equal(t, approvals.Succeeded, l.Settle(r.ID).State)
		l.Verified()
	})
}

func TestAReplayedDeliveryActsOnce(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(lab.Plan("isolate_devices", 1))
		b := l.Ballot(r.ID, lab.Person("bob"), yes)
		b.Delivery = "envelope-1"
		first, err := l.Box.Cast(ctx(), b)
		require.NoError(t, err)
		require.Equal(t, approvals.Approved, first.State)
		head, err := l.DB.Head(ctx())
		require.NoError(t, err)
		second, err := l.Box.Cast(ctx(), b)
		require.NoError(t, err)
		require.Equal(t, first, second)
		after, err := l.DB.Head(ctx())
		require.NoError(t, err)
		require.Equal(t, head, after, "a redelivery leaves no trace")

		other := l.Submit(lab.Plan("isolate_devices", 1))
		reused := l.Ballot(other.ID, lab.Person("cat"), yes)
		reused.Delivery = "envelope-1"
		got, err := l.Box.Cast(ctx(), reused)
		require.NoError(t, err)
		require.Equal(t, approvals.Pending, got.State, "one delivery counts once, whatever it says the second time")
		require.Empty(t, got.Votes)
	})
}

func TestADenialIsFinal(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(lab.Plan("run_script", 1))
		l.Approve(r.ID, "bob")
		require.NoError(t, l.Cast(r.ID, lab.Person("cat"), no))
		require.Equal(t, approvals.Denied, l.Get(r.ID).State)
		lab.Kind(t, approvals.KindConflict, l.Cast(r.ID, lab.Person("dan"), yes))
		l.Work(r.ID)
		require.Equal(t, approvals.Denied, l.Get(r.ID).State)
		require.Empty(t, l.Tenant.Sends())
		l.Verified()
	})
}

func TestVotesEndAtTheInstantOfExpiry(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		for _, c := range []struct {
			after time.Duration
			want  approvals.State
		}{
			{30*time.Minute - time.Millisecond, approvals.Approved},
			{30 * time.Minute, approvals.Expired},
			{time.Hour, approvals.Expired},
		} {
			r := l.Submit(lab.Plan("isolate_devices", 1))
			l.Clock.Advance(c.after)
			err := l.Cast(r.ID, lab.Person("bob"), yes)
			require.Equal(t, c.want, l.Get(r.ID).State, c.after)
			if c.want == approvals.Expired {
				lab.Kind(t, approvals.KindConflict, err)
				l.Work(r.ID)
			}
		}
		require.Empty(t, l.Tenant.Sends())
		l.Verified()
	})
}

func TestASlowLookupDoesNotExtendTheVoting(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(lab.Plan("isolate_devices", 1))
		b := l.Ballot(r.ID, lab.Person("bob"), yes)
		l.Clock.Advance(30*time.Minute - time.Second)
		l.Directory.OnAsk = func() { l.Clock.Advance(time.Second) }
		_, err := l.Box.Cast(ctx(), b)
		require.Error(t, err)
		require.Equal(t, approvals.Expired, l.Get(r.ID).State)
		require.Empty(t, l.Get(r.ID).Votes)
	})
}

func TestVotesNeverExtendTheWindow(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(lab.Plan("run_script", 1))
		l.Clock.Advance(29 * time.Minute)
		l.Approve(r.ID, "bob")
		require.Equal(t, r.ExpiresAt, l.Get(r.ID).ExpiresAt)
		l.Clock.Advance(time.Minute)
		lab.Kind(t, approvals.KindConflict, l.Cast(r.ID, lab.Person("cat"), yes))
		require.Equal(t, approvals.Expired, l.Get(r.ID).State)
	})
}

func TestNothingStartsAfterStartBefore(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		for _, late := range []time.Duration{15 * time.Minute, 24 * time.Hour} {
			r := l.Submit(lab.Plan("isolate_devices", 1))
			l.Approve(r.ID, "bob")
			l.Clock.Advance(late)
			l.Work(r.ID)
			require.Equal(t, approvals.Expired, l.Get(r.ID).State)
		}
		require.Empty(t, l.Tenant.Sends())
		l.Verified()
	})
}

func TestAMovedDecisionTimeDoesNotReviveAnApproval(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(lab.Plan("isolate_devices", 1))
		l.Approve(r.ID, "bob")
		l.Clock.Advance(time.Hour)
		l.Write("UPDATE requests SET decided_ms = $1 WHERE id = $2", l.Clock.Now().UnixMilli(), r.ID)
		l.Work(r.ID)
		require.Equal(t, approvals.Expired, l.Get(r.ID).State)
		require.Empty(t, l.Tenant.Sends())
	})
}

func TestAThrottledStartIsNotSentLate(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(lab.Plan("isolate_devices", 1))
		l.Approve(r.ID, "bob")
		l.Tenant.Forecast(lab.Throttled)
		l.Work(r.ID)
		require.Equal(t, approvals.Running, l.Get(r.ID).State)
		l.Clock.Advance(time.Hour)
		l.Work(r.ID)
		require.Equal(t, approvals.Cancelled, l.Get(r.ID).State)
		require.Equal(t, approvals.StepSkipped, l.Get(r.ID).Steps[0].State)
		require.Empty(t, l.Tenant.Effects())
	})
}

func TestAnOldCardDoesNotVote(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(lab.Plan("isolate_devices", 1))
		b := l.Ballot(r.ID, lab.Person("bob"), yes)
		b.Digest = strings.Repeat("0", 64)
		_, err := l.Box.Cast(ctx(), b)
		lab.Kind(t, approvals.KindConflict, err)
		require.Empty(t, l.Get(r.ID).Votes)
	})
}

func TestApproversMustStillBeApproversAtTheClaim(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(lab.Plan("isolate_devices", 1))
		l.Approve(r.ID, "bob")
		l.Directory.Leave("oncall", lab.Person("bob"))
		l.Work(r.ID)
		require.Equal(t, approvals.Cancelled, l.Get(r.ID).State)
		require.Contains(t, l.Get(r.ID).Message, "1 more of oncall")
		require.Empty(t, l.Tenant.Sends())
		l.Verified()
	})
}

func TestApproversMustStillBeApproversAtEveryStep(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(lab.Plan("isolate_devices", 3))
		l.Approve(r.ID, "bob")
		l.Tenant.OnApply = func(task worker.Task) {
			if task.Index == 1 {
				l.Directory.Leave("oncall", lab.Person("bob"))
			}
		}
		end := l.Settle(r.ID)
		require.Equal(t, approvals.Partial, end.State)
		require.Len(t, l.Tenant.Sends(), 2)
		require.Equal(t, approvals.StepSkipped, end.Steps[2].State)
		l.Verified()
	})
}

func TestAChangedPolicyAsksForMore(t *testing.T) {
	two := "rules:\n- {name: two, tools: [isolate_devices], outcome: approve, count: 2}\n"
	leads := "rules:\n- {name: leads, tools: [isolate_devices], outcome: approve, count: 1, from: leads}\n"
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		for name, c := range map[string]struct {
			rules string
			then  []string // who has to approve after the change
		}{
			"larger count": {two, []string{"cat"}},
			"another set":  {leads, []string{"eve"}},
		} {
			l.Use(lab.DefaultPolicy(t))
			claimed, pending := l.Submit(lab.Plan("isolate_devices", 1)), l.Submit(lab.Plan("isolate_devices", 1))
			l.Approve(claimed.ID, "bob")
			l.Use(lab.ParsePolicy(t, c.rules))
			l.Work(claimed.ID)
			require.Equal(t, approvals.Cancelled, l.Get(claimed.ID).State, name)
			require.Empty(t, l.Tenant.Of(claimed.ID))
			l.Approve(pending.ID, "bob")
			require.Equal(t, approvals.Pending, l.Get(pending.ID).State, name)
			l.Approve(pending.ID, c.then...)
			require.Equal(t, approvals.Succeeded, l.Settle(pending.ID).State, name)
		}
		l.Verified()
	})
}

func TestALoosenedPolicyDoesNotReduceADemand(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		l.Use(lab.ParsePolicy(t, "rules:\n- {name: two, tools: [isolate_devices], outcome: approve, count: 2, from: leads}\n"))
		r := l.Submit(lab.Plan("isolate_devices", 1))
		l.Use(lab.ParsePolicy(t, "rules:\n- {name: free, tools: [isolate_devices], outcome: allow}\n"))
		l.Approve(r.ID, "eve")
		require.Equal(t, approvals.Pending, l.Get(r.ID).State)
		l.Approve(r.ID, "fay")
		require.Equal(t, approvals.Succeeded, l.Settle(r.ID).State)
	})
}

func TestAMixedFleetNeedsEveryRuleOfItsTargets(t *testing.T) {
	const rules = `rules:
  - {name: printers, tags: [printer], outcome: approve, from: oncall}
  - {name: tier-0, tags: [tier-0], outcome: approve, count: 2, from: leads}
  - {name: life, tags: [life-support], outcome: deny, why: patients depend on it}
`
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		l.Use(lab.ParsePolicy(t, rules))
		for _, order := range [][]string{{"printer", "tier-0"}, {"tier-0", "printer"}, {"office", "tier-0"}} {
			r := l.Submit(fleet(order...))
			require.Len(t, r.Quorum, 2)
			l.Approve(r.ID, "bob")
			l.Work(r.ID)
			require.Equal(t, approvals.Pending, l.Get(r.ID).State, order)
			l.Approve(r.ID, "eve")
			require.Equal(t, "waits for 1 more of leads", l.Get(r.ID).Message)
			l.Approve(r.ID, "fay")
			require.Equal(t, approvals.Succeeded, l.Settle(r.ID).State)
			require.Len(t, l.Tenant.Of(r.ID), 2)
		}
		for _, order := range [][]string{{"printer", "life-support"}, {"life-support", "printer"}} {
			_, err := l.Gate.Submit(ctx(), gate.Submission{Plan: fleet(order...), Requester: lab.Ann()})
			lab.Kind(t, approvals.KindDenied, err)
			require.ErrorContains(t, err, "patients depend on it; leave it out")
		}
		l.Verified()
	})
}

// A fleet that was let in by a milder policy gets every rule of the policy that the worker has now.
func TestAMixedFleetIsDecidedAgainAtTheClaim(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(fleet("printer", "tier-0"))
		l.Approve(r.ID, "bob")
		l.Use(lab.ParsePolicy(t, "rules:\n- {name: p, tags: [printer], outcome: approve}\n- {name: t, tags: [tier-0], outcome: approve, from: leads}\n"))
		l.Work(r.ID)
		require.Equal(t, approvals.Cancelled, l.Get(r.ID).State)
		require.Contains(t, l.Get(r.ID).Message, "1 more of leads")
		require.Empty(t, l.Tenant.Sends())
	})
}

// fleet is a plan on devices with one tag each.
func fleet(tags ...string) approvals.Plan {
	p := lab.Plan("isolate_devices", len(tags))
	for i, tag := range tags {
		p.Targets[i].Tags = []string{tag}
	}
	return p
}

func TestADenyingPolicyStopsWhatIsUnderWay(t *testing.T) {
	stop := "rules:\n- {name: stop, tools: [isolate_devices], outcome: deny, why: incident freeze}\n"
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		pending, approved := l.Submit(lab.Plan("isolate_devices", 1)), l.Submit(lab.Plan("isolate_devices", 1))
		running := l.Submit(lab.Plan("isolate_devices", 3))
		l.Approve(approved.ID, "bob")
		l.Approve(running.ID, "bob")
		l.Tenant.Forecast(lab.Fair, lab.Throttled)
		l.Work(running.ID)
		l.Use(lab.ParsePolicy(t, stop))
		err := l.Cast(pending.ID, lab.Person("bob"), yes)
		lab.Kind(t, approvals.KindDenied, err)
		require.Contains(t, err.Error(), "incident freeze")
		l.Work(approved.ID)
		require.Equal(t, approvals.Cancelled, l.Get(approved.ID).State)
		require.Equal(t, approvals.Partial, l.Settle(running.ID).State)
		require.Len(t, l.Tenant.Effects(), 1)
		require.NoError(t, l.Cast(pending.ID, lab.Person("bob"), no), "a no is always heard")
		l.Verified()
	})
}

func TestAnAllowedCallIsDecidedAgainAtTheClaim(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		l.Use(lab.ParsePolicy(t, "rules:\n- {name: free, tools: [isolate_devices], outcome: allow}\n"))
		r, again := l.Submit(lab.Plan("isolate_devices", 1)), l.Submit(lab.Plan("isolate_devices", 1))
		require.Equal(t, approvals.Approved, r.State)
		require.Equal(t, approvals.Succeeded, l.Settle(r.ID).State)
		l.Use(lab.DefaultPolicy(t))
		l.Work(again.ID)
		require.Equal(t, approvals.Cancelled, l.Get(again.ID).State)
		require.Len(t, l.Tenant.Sends(), 1)
	})
}

// policyOf answers every call alike, also with what no policy of ours would say.
type policyOf struct{ d approvals.Decision }

func (policyOf) Windows() []approvals.Window { return nil }

func (policyOf) Limits() approvals.Limits { return approvals.Limits{} }

func (p policyOf) Decide(approvals.Call) approvals.Decision { return p.d }
func (policyOf) Digest() string                             { return "another" }

func TestAnUnknownOutcomeIsANo(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(lab.Plan("isolate_devices", 1))
		l.Approve(r.ID, "bob")
		for _, outcome := range []approvals.Outcome{"", "ALLOW", "maybe"} {
			l.Use(policyOf{approvals.Decision{Outcome: outcome, StartBefore: time.Hour, Expires: time.Hour}})
			_, err := l.Gate.Submit(ctx(), gate.Submission{Plan: lab.Plan("isolate_devices", 1), Requester: lab.Ann()})
			lab.Kind(t, approvals.KindDenied, err)
		}
		l.Work(r.ID)
		require.Equal(t, approvals.Cancelled, l.Get(r.ID).State)
		require.Empty(t, l.Tenant.Sends())
	})
}

func TestANobodyQuorumIsANo(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(lab.Plan("isolate_devices", 1))
		l.Approve(r.ID, "bob")
		for _, q := range []approvals.Quorum{{}, {Count: 0, From: lab.Oncall()}, {Count: -1, From: lab.Oncall()}, {Count: 1}} {
			l.Use(policyOf{approvals.Decision{Outcome: approvals.Approve, Quorum: q, StartBefore: time.Hour, Expires: time.Hour}})
			_, err := l.Gate.Submit(ctx(), gate.Submission{Plan: lab.Plan("isolate_devices", 1), Requester: lab.Ann()})
			lab.Kind(t, approvals.KindDenied, err)
		}
		l.Work(r.ID)
		require.Equal(t, approvals.Cancelled, l.Get(r.ID).State)
		require.Empty(t, l.Tenant.Sends())
	})
}

func TestConfirmIsTheRequestersOwnYes(t *testing.T) {
	rules := "rules:\n- {name: own, tools: [isolate_devices], outcome: confirm}\n"
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		l.Use(lab.ParsePolicy(t, rules))
		r := l.Submit(lab.Plan("isolate_devices", 1))
		lab.Kind(t, approvals.KindNotVoter, l.Cast(r.ID, lab.Person("bob"), confirm))
		lab.Kind(t, approvals.KindNotVoter, l.Cast(r.ID, lab.Person("bob"), yes))
		lab.Kind(t, approvals.KindNotVoter, l.Cast(r.ID, lab.Person("ann"), yes))
		require.NoError(t, l.Cast(r.ID, lab.Person("ann"), confirm))
		require.Equal(t, approvals.Succeeded, l.Settle(r.ID).State)

		second := l.Submit(lab.Plan("isolate_devices", 1))
		require.NoError(t, l.Cast(second.ID, lab.Person("ann"), no))
		require.Equal(t, approvals.Denied, l.Get(second.ID).State)

		third := l.Submit(lab.Plan("isolate_devices", 1))
		require.NoError(t, l.Cast(third.ID, lab.Person("ann"), confirm))
		l.Use(lab.DefaultPolicy(t))
		l.Work(third.ID)
		require.Equal(t, approvals.Cancelled, l.Get(third.ID).State, "a confirmation is no approval")
		lab.Kind(t, approvals.KindNotVoter, l.Cast(l.Submit(lab.Plan("isolate_devices", 1)).ID, lab.Person("ann"), confirm))

		for _, who := range []approvals.Requester{
			{Person: lab.Person("ann"), Verified: true, Via: approvals.ViaMCP},
			{Person: lab.Person("ann"), Verified: true, Via: approvals.ViaShell},
			{Person: lab.Person("ann"), Via: approvals.ViaSlack},
		} {
			l.Use(lab.ParsePolicy(t, rules))
			_, err := l.Gate.Submit(ctx(), gate.Submission{Plan: lab.Plan("isolate_devices", 1), Requester: who})
			lab.Kind(t, approvals.KindDenied, err)
		}
	})
}

func TestAnUnverifiedRequesterNeedsOneMore(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		who := approvals.Requester{Person: lab.Person("ann"), Via: approvals.ViaMCP, Agent: "assistant"}
		r, err := l.Gate.Submit(ctx(), gate.Submission{Plan: lab.Plan("isolate_devices", 1), Requester: who})
		require.NoError(t, err)
		l.Approve(r.ID, "bob")
		require.Equal(t, approvals.Pending, l.Get(r.ID).State)
		l.Approve(r.ID, "cat")
		require.Equal(t, approvals.Approved, l.Get(r.ID).State)
	})
}

// A person may sign in under one name and vote under another; only the directory can tell.
func TestTheRequesterUnderAnotherNameNeverApproves(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		who := approvals.Requester{Person: approvals.Person{ID: "bob.admin@corp.example"}, Verified: true, Via: approvals.ViaMCP}
		l.Directory.Link(who.Person, lab.Person("bob"))
		r, err := l.Gate.Submit(ctx(), gate.Submission{Plan: lab.Plan("isolate_devices", 1), Requester: who})
		require.NoError(t, err)
		lab.Kind(t, approvals.KindNotVoter, l.Cast(r.ID, lab.Person("bob"), yes))
		require.Empty(t, l.Get(r.ID).Votes)
		l.Approve(r.ID, "cat")
		require.Equal(t, approvals.Approved, l.Get(r.ID).State)
	})
}

// Whom the directory doesn't know could be anybody in the group, the one approver included.
func TestARequesterWhomNobodyKnowsNeedsOneMore(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		l.Directory.Forget(lab.Person("ann"))
		r := l.Submit(lab.Plan("isolate_devices", 1))
		l.Approve(r.ID, "bob")
		require.Equal(t, approvals.Pending, l.Get(r.ID).State)
		l.Approve(r.ID, "cat")
		require.Equal(t, approvals.Approved, l.Get(r.ID).State)
	})
}
