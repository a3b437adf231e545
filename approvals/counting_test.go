package approvals_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// asking is a policy that answers every acting call with the same quorums, so that a test can ask for what the file may
// ask for.
type asking struct {
	approvals.Policy
	name    string
	outcome approvals.Outcome
	quorums []approvals.Quorum
	expires time.Duration
}

func newAsking(t testing.TB, name string, quorums ...approvals.Quorum) asking {
	return asking{Policy: lab.DefaultPolicy(t), name: name, outcome: approvals.Approve, quorums: quorums, expires: time.Hour}
}

func (p asking) Digest() string { return p.name }

func (p asking) Decide(approvals.Call) approvals.Decision {
	d := approvals.Decision{
		Outcome: p.outcome, Rule: p.name, Why: "of the test", Expires: p.expires, StartBefore: time.Hour, MaxTargets: 100,
	}
	if p.outcome == approvals.Approve {
		d.Quorum, d.Also = p.quorums[0], p.quorums[1:]
	}
	return d
}

// managers is a third group.
func managers() approvals.Group { return approvals.Group{Name: "managers", Slack: "S0003"} }

// both asks for two people of two different groups.
func both() approvals.Quorum {
	return approvals.Quorum{Count: 2, From: lab.Oncall(), Or: []approvals.Group{lab.Leads()}, Distinct: true}
}

func TestTwoGroupsOnePersonIsOne(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		l.Directory.Join("leads", lab.Person("bob"))
		l.Use(newAsking(t, "distinct", both()))
		r := l.Submit(lab.Plan("isolate_devices", 1))
		l.Approve(r.ID, "bob") // on call and a lead
		require.Equal(t, approvals.Pending, l.Get(r.ID).State)
		require.Equal(t, "waits for 1 more of oncall or leads (of different groups)", l.Get(r.ID).Message)
		l.Work(r.ID)
		require.Empty(t, l.Tenant.Sends())
		l.Approve(r.ID, "cat") // bob moves over to the leads
		require.Equal(t, approvals.Approved, l.Get(r.ID).State)
		require.Equal(t, approvals.Succeeded, l.Settle(r.ID).State)
		l.Verified()
	})
}

func TestTwoOfOneGroupAreNotTwoGroups(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		l.Use(newAsking(t, "distinct", both()))
		r := l.Submit(lab.Plan("isolate_devices", 1))
		l.Approve(r.ID, "bob", "cat", "dan")
		require.Equal(t, approvals.Pending, l.Get(r.ID).State)
		l.Work(r.ID)
		require.Empty(t, l.Tenant.Sends())
		l.Approve(r.ID, "eve")
		require.Equal(t, approvals.Approved, l.Get(r.ID).State)
	})
}

// Bob joins the leads after his vote, which was signed as that of somebody on call and no more.
func TestWhoJoinsAGroupAfterTheVoteDoesNotCountForIt(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		l.Use(newAsking(t, "distinct", both()))
		r := l.Submit(lab.Plan("isolate_devices", 1))
		l.Approve(r.ID, "bob")
		l.Directory.Join("leads", lab.Person("bob"))
		l.Approve(r.ID, "cat")
		require.Equal(t, approvals.Pending, l.Get(r.ID).State)
		require.Contains(t, l.Get(r.ID).Message, "a group has changed since")
		l.Work(r.ID)
		require.Empty(t, l.Tenant.Sends())
		l.Approve(r.ID, "eve")
		require.Equal(t, approvals.Succeeded, l.Settle(r.ID).State)
		l.Verified()
	})
}

func TestOneGroupUnderTwoNamesIsOneGroup(t *testing.T) {
	c := newCounting(t)
	alias := approvals.Group{Name: "leads", Slack: "S0001"}
	c.directory.Join("leads", lab.Person("cat"))
	q := approvals.Quorum{Count: 2, From: lab.Oncall(), Or: []approvals.Group{alias}, Distinct: true}
	c.ask(q)
	c.vote(lab.Person("bob"), yes)
	c.vote(lab.Person("cat"), yes)
	_, err := c.tally.Count(ctx(), c.request)
	lab.Kind(t, approvals.KindDenied, err)
	require.ErrorContains(t, err, "nobody can satisfy")
}

// ask makes the request ask for quorums, under a policy that asks the same.
func (c *counting) ask(quorums ...approvals.Quorum) {
	c.under(newAsking(c.t, "asking", quorums...))
	c.request.Quorum = quorums
	c.seal()
}

func (c *counting) under(p approvals.Policy) {
	verifier, err := approvals.NewVerifier(c.signer.Public())
	require.NoError(c.t, err)
	c.tally, err = approvals.NewTally(approvals.TallyOptions{
		Policy: p, Verifier: verifier, Directory: c.directory, Clock: func() time.Time { return c.now },
	})
	require.NoError(c.t, err)
}

func (c *counting) have() int {
	c.t.Helper()
	s, err := c.tally.Count(ctx(), c.request)
	require.NoError(c.t, err)
	return s.Demands[0].Have
}

func TestPeopleOfSeveralGroupsCountTogether(t *testing.T) {
	c := newCounting(t)
	c.directory.Join("leads", lab.Person("eve"), lab.Person("bob"))
	c.ask(approvals.Quorum{Count: 2, From: lab.Oncall(), Or: []approvals.Group{lab.Leads()}})
	c.vote(lab.Person("bob"), yes)
	require.Equal(t, 1, c.have(), "in both groups, and still one")
	c.vote(lab.Person("eve"), yes)
	require.Equal(t, 2, c.have())
	c.vote(lab.Person("mallory"), yes)
	require.Equal(t, 2, c.have())
}

// The matching is a maximum one: whoever can stand for several groups makes room for who can't.
func TestTheMatchingIsAMaximum(t *testing.T) {
	members := map[string][]string{"oncall": {"bob", "cat", "dan"}, "leads": {"bob", "cat"}, "managers": {"bob"}}
	q := approvals.Quorum{Count: 3, From: lab.Oncall(), Or: []approvals.Group{lab.Leads(), managers()}, Distinct: true}
	for _, order := range [][]string{{"bob", "cat", "dan"}, {"dan", "cat", "bob"}, {"cat", "bob", "dan"}, {"bob", "dan", "cat"}} {
		c := newCounting(t)
		c.directory = lab.NewDirectory()
		for group, people := range members {
			for _, p := range people {
				c.directory.Join(group, lab.Person(p))
			}
		}
		c.ask(q)
		for i, name := range order {
			c.vote(lab.Person(name), yes)
			require.Equal(t, i+1, c.have(), "%v", order)
		}
	}
}

func TestNamesJoinedByAThirdVoteAreOneHuman(t *testing.T) {
	c := newCounting(t)
	other := approvals.Person{ID: "robert@example.com"}
	c.directory.Join("oncall", other)
	c.vote(lab.Person("bob"), yes)
	c.vote(other, yes)
	require.Equal(t, 2, c.have())
	joint := approvals.Person{ID: "bob@home.example.com", Aliases: []string{"bob@example.com", "robert@example.com"}}
	c.vote(joint, yes)
	require.Equal(t, 1, c.have())
}

func escalating() approvals.Quorum {
	return approvals.Quorum{
		Count: 1, From: lab.Oncall(), Then: []approvals.Escalation{{After: 20 * time.Minute, To: lab.Leads()}, {After: 2 * time.Hour, To: managers()}},
	}
}

func TestTheNextGroupCountsFromItsTimeOn(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		l.Use(newAsking(t, "escalating", escalating()))
		r := l.Submit(lab.Plan("isolate_devices", 1))
		l.Clock.Advance(20*time.Minute - time.Millisecond)
		err := l.Cast(r.ID, lab.Person("eve"), yes)
		lab.Kind(t, approvals.KindNotVoter, err)
		require.ErrorContains(t, err, "is asked from 12:20 UTC on")
		require.Empty(t, l.Get(r.ID).Votes)
		l.Clock.Advance(time.Millisecond)
		l.Approve(r.ID, "eve")
		require.Equal(t, approvals.Approved, l.Get(r.ID).State)
		require.Equal(t, []string{"name:leads", "slack:S0002"}, l.Get(r.ID).Votes[0].Groups)
		require.Equal(t, approvals.Succeeded, l.Settle(r.ID).State)
		l.Verified()
	})
}

// The time is the signed one: an early vote does not begin to count later, and nobody can move it.
func TestAnEarlyVoteOfTheNextGroupNeverCounts(t *testing.T) {
	c := newCounting(t)
	c.directory.Join("leads", lab.Person("eve"), lab.Person("fay"))
	c.ask(escalating())
	early := func(v *approvals.Vote) { v.At = c.now.Add(20*time.Minute - time.Millisecond) }
	c.vote(lab.Person("eve"), yes, early)
	require.Zero(t, c.have())
	c.now = c.now.Add(50 * time.Minute)
	require.Zero(t, c.have(), "not later either")
	c.request.Votes[0].At = c.request.CreatedAt.Add(30 * time.Minute)
	_, err := c.tally.Count(ctx(), c.request)
	lab.Kind(t, approvals.KindTampering, err)
	c.request.Votes = nil
	c.vote(lab.Person("fay"), yes, func(v *approvals.Vote) { v.At = c.request.CreatedAt.Add(20 * time.Minute) })
	require.Equal(t, 1, c.have())
}

func TestTheNextGroupMayDenyAtOnce(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		l.Use(newAsking(t, "escalating", escalating()))
		r := l.Submit(lab.Plan("isolate_devices", 1))
		require.NoError(t, l.Cast(r.ID, lab.Person("eve"), no))
		require.Equal(t, approvals.Denied, l.Get(r.ID).State)
	})
}

// Who asked for the same counts as little as the requester, under any of their names.
func TestAnAttachedPersonNeverApproves(t *testing.T) {
	c := newCounting(t)
	c.directory.Join("oncall", approvals.Person{ID: "second@example.com"})
	c.directory.Link(lab.Person("bob"), approvals.Person{ID: "bob@example.com", Aliases: []string{"robert@example.com"}})
	c.directory.Join("oncall", approvals.Person{ID: "robert@example.com"})
	c.request.Attached = []approvals.Person{lab.Person("bob")}
	for name, p := range map[string]approvals.Person{
		"himself":                       lab.Person("bob"),
		"in capitals":                   {ID: "BOB@Example.COM"},
		"by his Slack account":          {ID: "second@example.com", Aliases: []string{"SLACK:t0001/ubob"}},
		"by a name the directory knows": {ID: "robert@example.com"},
	} {
		c.request.Votes = nil
		c.vote(p, yes)
		require.Zero(t, c.have(), name)
	}
	c.vote(lab.Person("cat"), yes)
	require.Equal(t, 1, c.have(), "others still count")
	c.directory.Lose(errors.New("timeout"))
	_, err := c.tally.Count(ctx(), c.request)
	lab.Kind(t, approvals.KindNoAnswer, err)
}

// losing is a directory that can't say who one person is.
type losing struct {
	approvals.Directory
	who string
}

func (d losing) Known(ctx context.Context, p approvals.Person) (approvals.Person, bool, error) {
	if p.ID == d.who {
		return approvals.Person{}, false, errors.New("timeout")
	}
	return d.Directory.Known(ctx, p)
}

func TestWhoIsAttachedHasToBeLookedUp(t *testing.T) {
	c := newCounting(t)
	c.request.Attached = []approvals.Person{lab.Person("bob")}
	verifier, err := approvals.NewVerifier(c.signer.Public())
	require.NoError(t, err)
	c.tally, err = approvals.NewTally(approvals.TallyOptions{
		Policy: lab.DefaultPolicy(t), Verifier: verifier, Directory: losing{c.directory, "bob@example.com"},
	})
	require.NoError(t, err)
	_, err = c.tally.Count(ctx(), c.request)
	lab.Kind(t, approvals.KindNoAnswer, err)
}

func TestAnAttachedPersonCanNotVote(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(lab.Plan("isolate_devices", 1))
		l.Write(`UPDATE requests SET attached = '[{"id":"bob@example.com"}]' WHERE id = $1`, r.ID)
		lab.Kind(t, approvals.KindTampering, l.Cast(r.ID, lab.Person("cat"), yes)) // the audit knows nothing of it
		require.NoError(t, l.DB.InTx(ctx(), func(tx *store.Tx) error {
			return tx.Note(ctx(), approvals.Event{RequestID: r.ID, Type: approvals.EventAttached, Actor: "bob@example.com", Step: -1})
		}))
		for _, v := range []approvals.Verdict{yes, no} {
			err := l.Cast(r.ID, approvals.Person{ID: "BOB@example.com"}, v)
			lab.Kind(t, approvals.KindNotVoter, err)
			require.ErrorContains(t, err, "you asked for the same")
		}
		l.Approve(r.ID, "cat")
		require.Equal(t, approvals.Succeeded, l.Settle(r.ID).State)
	})
}

func TestTheAuditKnowsWhoIsAttached(t *testing.T) {
	c := newCounting(t)
	c.request.State = approvals.Pending
	c.request.Steps = []approvals.StepStatus{{State: approvals.StepWaiting}}
	submitted := approvals.Event{RequestID: c.request.ID, Type: approvals.EventSubmitted, Step: -1, To: "pending"}
	attached := approvals.Event{RequestID: c.request.ID, Type: approvals.EventAttached, Step: -1, Actor: "Bob@example.com "}
	require.NoError(t, approvals.CheckHistory(c.request, []approvals.Event{submitted}))
	lab.Kind(t, approvals.KindTampering, approvals.CheckHistory(c.request, []approvals.Event{submitted, attached}))
	c.request.Attached = []approvals.Person{lab.Person("bob")}
	require.NoError(t, approvals.CheckHistory(c.request, []approvals.Event{submitted, attached, attached}))
	lab.Kind(t, approvals.KindTampering, approvals.CheckHistory(c.request, []approvals.Event{submitted}))
	c.request.Attached = []approvals.Person{lab.Person("cat")}
	lab.Kind(t, approvals.KindTampering, approvals.CheckHistory(c.request, []approvals.Event{submitted, attached}))
}

// When the kind of yes changes with the policy, the box takes whichever is open, and both are needed.
func TestThePolicyChangesTheKindOfYes(t *testing.T) {
	confirming := func(t testing.TB) approvals.Policy {
		p := newAsking(t, "confirming")
		p.outcome = approvals.Confirm
		return p
	}
	approving := func(t testing.TB) approvals.Policy {
		return newAsking(t, "approving", approvals.Quorum{Count: 1, From: lab.Oncall()})
	}
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		for name, change := range map[string][2]func(testing.TB) approvals.Policy{
			"confirm becomes approve": {confirming, approving}, "approve becomes confirm": {approving, confirming},
		} {
			for _, order := range [][]string{{"ann", "bob"}, {"bob", "ann"}} {
				l.Use(change[0](t))
				r := l.Submit(lab.Plan("isolate_devices", 1))
				l.Use(change[1](t))
				for i, who := range order {
					require.Equal(t, approvals.Pending, l.Get(r.ID).State, name)
					l.Work(r.ID)
					v := yes
					if who == "ann" {
						v = confirm
					}
					require.NoError(t, l.Cast(r.ID, lab.Person(who), v), "%s: %s is number %d", name, who, i)
				}
				sent := len(l.Tenant.Sends())
				require.Equal(t, approvals.Succeeded, l.Settle(r.ID).State, name)
				require.Len(t, l.Tenant.Sends(), sent+1)
			}
			l.Use(change[0](t))
			r := l.Submit(lab.Plan("isolate_devices", 1))
			l.Use(change[1](t))
			require.NoError(t, l.Cast(r.ID, lab.Person("ann"), no), "%s: the requester may say no to their own question", name)
			require.Equal(t, approvals.Denied, l.Get(r.ID).State)
		}
		l.Verified()
	})
}

func TestQuorumsThatNobodyCanMeet(t *testing.T) {
	nobody := approvals.Group{Name: "nobody"}
	for name, q := range map[string]approvals.Quorum{
		"none":                  {From: lab.Oncall()},
		"of nobody":             {Count: 1, From: nobody},
		"or of nobody":          {Count: 1, From: lab.Oncall(), Or: []approvals.Group{nobody}},
		"later of nobody":       {Count: 1, From: lab.Oncall(), Then: []approvals.Escalation{{To: nobody}}},
		"more than groups":      {Count: 3, From: lab.Oncall(), Or: []approvals.Group{lab.Leads()}, Distinct: true},
		"more than real groups": {Count: 2, From: lab.Oncall(), Or: []approvals.Group{{Name: "x", Slack: "S0001"}}, Distinct: true},
	} {
		require.False(t, q.Possible(), name)
		c := newCounting(t)
		c.ask(q)
		_, err := c.tally.Count(ctx(), c.request)
		require.Equal(t, approvals.KindDenied, approvals.KindOf(err), "%s: %v", name, err)
	}
	require.True(t, both().Possible())
	require.True(t, escalating().Possible())
}

func TestAVoteIsSignedWithItsGroups(t *testing.T) {
	c := newCounting(t)
	c.vote(lab.Person("bob"), yes, func(v *approvals.Vote) { v.Groups = []string{"name:oncall"} })
	_, err := c.tally.Count(ctx(), c.request)
	require.NoError(t, err)
	c.request.Votes[0].Groups = append(slices.Clone(c.request.Votes[0].Groups), "name:leads")
	_, err = c.tally.Count(ctx(), c.request)
	lab.Kind(t, approvals.KindTampering, err)
}

func TestBreakGlassIsWhatPolicySaysOfIt(t *testing.T) {
	glass := func(p asking) approvals.Policy { return broken{p} }
	p := newAsking(t, "glass")
	p.outcome = approvals.Confirm
	for name, spoil := range map[string]func(*approvals.Request){
		"over MCP":        func(r *approvals.Request) { r.Requester.Via = approvals.ViaMCP },
		"unverified":      func(r *approvals.Request) { r.Requester.Verified = false },
		"by an assistant": func(r *approvals.Request) { r.Requester.Agent = "x" },
		"another risk":    func(r *approvals.Request) { r.Plan.Risk = approvals.RiskExecute },
		"allowed":         func(r *approvals.Request) { r.Outcome = approvals.Allow },
	} {
		c := newCounting(t)
		c.under(glass(p))
		c.request.Plan = lab.Plan("isolate_devices", 1)
		c.request.Outcome, c.request.Quorum, c.request.Terms.BreakGlass = approvals.Confirm, nil, true
		c.seal()
		c.vote(lab.Person("ann"), confirm)
		require.Equal(t, 1, c.have())
		c.request.Votes = nil
		spoil(&c.request)
		c.seal()
		c.vote(lab.Person("ann"), confirm)
		_, err := c.tally.Count(ctx(), c.request)
		require.Equal(t, approvals.KindDenied, approvals.KindOf(err), "%s: %v", name, err)
	}
	c := newCounting(t)
	c.under(p) // a policy that would confirm, and has no such section
	c.request.Plan = lab.Plan("isolate_devices", 1)
	c.request.Outcome, c.request.Quorum, c.request.Terms.BreakGlass = approvals.Confirm, nil, true
	c.seal()
	c.vote(lab.Person("ann"), confirm)
	_, err := c.tally.Count(ctx(), c.request)
	lab.Kind(t, approvals.KindDenied, err)
	require.ErrorContains(t, err, "does not let ann@example.com break the glass")
}

// broken is a policy that lets the glass be broken.
type broken struct{ asking }

func (p broken) Decide(c approvals.Call) approvals.Decision {
	d := p.asking.Decide(c)
	d.Terms.BreakGlass = c.BreakGlass
	return d
}
