package approvals_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
)

// tallyOf is a tally of the lab under its policy of now.
func tallyOf(l *lab.Lab) *approvals.Tally {
	t, err := approvals.NewTally(approvals.TallyOptions{
		Policy: l.Policy, Verifier: l.Verifier, Directory: l.Directory, Activity: l.DB, Clock: l.Clock.Now,
	})
	require.NoError(l.T, err)
	return t
}

// ran is a request that two people approved and that ran to its end, long ago.
func ran(l *lab.Lab) approvals.Request {
	r := l.Submit(lab.Plan("run_script", 1))
	l.Approve(r.ID, "bob", "cat")
	require.Equal(l.T, approvals.Succeeded, l.Settle(r.ID).State)
	l.Clock.Advance(90 * 24 * time.Hour)
	return l.Get(r.ID)
}

func TestWhatWasApprovedStoodForEver(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := ran(l)
		for _, name := range []string{"bob", "cat"} {
			l.Directory.Leave("oncall", lab.Person(name))
			l.Directory.Forget(lab.Person(name))
		}
		l.Directory.Forget(lab.Person("ann"))
		l.Directory.Fail(errors.New("down"))
		l.Directory.Lose(errors.New("down"))
		require.NoError(t, tallyOf(l).Stood(ctx(), r), "nobody of then has to be there still")
		require.Equal(t, []string{"name:oncall", "slack:S0001"}, r.Votes[0].Groups)
	})
}

func TestWhatNobodyApprovedDidNotStand(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		waiting := l.Submit(lab.Plan("run_script", 1))
		lab.Kind(t, approvals.KindDenied, tallyOf(l).Stood(ctx(), waiting))
		l.Approve(waiting.ID, "bob")
		err := tallyOf(l).Stood(ctx(), l.Get(waiting.ID))
		lab.Kind(t, approvals.KindDenied, err)
		require.ErrorContains(t, err, "it lacks 1 more of oncall")
		denied := l.Submit(lab.Plan("isolate_devices", 1))
		require.NoError(t, l.Cast(denied.ID, lab.Person("bob"), no))
		lab.Kind(t, approvals.KindDenied, tallyOf(l).Stood(ctx(), l.Get(denied.ID)))
	})
}

func TestNothingForgedStood(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := ran(l)
		foreign := lab.NewSigner(t, 9)
		resign := func(s *approvals.Signer, v approvals.Vote, change func(*approvals.Vote)) approvals.Vote {
			change(&v)
			signed, err := s.Sign(v)
			require.NoError(t, err)
			return signed
		}
		digest := func(r *approvals.Request) {
			var err error
			r.Digest, err = approvals.Digest(*r)
			require.NoError(t, err)
		}
		for name, c := range map[string]struct {
			forge func(*approvals.Request)
			kind  approvals.Kind
		}{
			"an altered plan":        {func(r *approvals.Request) { r.Plan.Targets[0].ID, r.Plan.Steps[0].Target = "dc", "dc" }, approvals.KindTampering},
			"a plan resealed":        {func(r *approvals.Request) { r.Plan.Reason = "other"; digest(r) }, approvals.KindTampering},
			"a foreign signature":    {func(r *approvals.Request) { r.Votes[1] = resign(foreign, r.Votes[1], func(*approvals.Vote) {}) }, approvals.KindTampering},
			"an unsigned vote":       {func(r *approvals.Request) { r.Votes[1].Signature = nil }, approvals.KindTampering},
			"another's vote":         {func(r *approvals.Request) { r.Votes[1].Voter = lab.Person("dan") }, approvals.KindTampering},
			"a vote for another":     {func(r *approvals.Request) { r.Votes[1].RequestID = "BBBBBBBB" }, approvals.KindTampering},
			"an altered group":       {func(r *approvals.Request) { r.Votes[1].Groups = []string{"name:oncall"} }, approvals.KindTampering},
			"one vote twice":         {func(r *approvals.Request) { r.Votes[1] = r.Votes[0] }, approvals.KindDenied},
			"a vote taken out":       {func(r *approvals.Request) { r.Votes = r.Votes[:1] }, approvals.KindDenied},
			"no votes":               {func(r *approvals.Request) { r.Votes = nil }, approvals.KindDenied},
			"an outcome of its own":  {func(r *approvals.Request) { r.Outcome, r.Quorum, r.Votes = approvals.Allow, nil, nil; digest(r) }, approvals.KindDenied},
			"nobody needed":          {func(r *approvals.Request) { r.Quorum[0].Count, r.Votes = 0, nil; digest(r) }, approvals.KindDenied},
			"one needed":             {func(r *approvals.Request) { r.Quorum[0].Count, r.Votes = 1, nil; digest(r) }, approvals.KindDenied},
			"another's child":        {func(r *approvals.Request) { r.Parent, r.Votes = "AAAAAAAA", nil; digest(r) }, approvals.KindDenied},
			"its own emergency":      {func(r *approvals.Request) { r.Terms.BreakGlass, r.Votes = true, nil; digest(r) }, approvals.KindDenied},
			"its own confirmation":   {func(r *approvals.Request) { r.Outcome, r.Quorum, r.Votes = approvals.Confirm, nil, nil; digest(r) }, approvals.KindDenied},
			"attached since":         {func(r *approvals.Request) { r.Attached = []approvals.Person{{ID: "BOB@example.com"}} }, approvals.KindDenied},
			"made in business hours": {func(r *approvals.Request) { r.CreatedAt = r.CreatedAt.Add(-time.Hour) }, approvals.KindTampering},
		} {
			forged := clone(t, r)
			c.forge(&forged)
			err := tallyOf(l).Stood(ctx(), forged)
			require.Equal(t, c.kind, approvals.KindOf(err), "%s: %v", name, err)
		}
		require.NoError(t, tallyOf(l).Stood(ctx(), r))
	})
}

// clone copies a request as the store would give it, so that a forger changes nothing of the original.
func clone(t testing.TB, r approvals.Request) (out approvals.Request) {
	b, err := json.Marshal(r)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &out))
	return out
}

func TestADenialAndAParentAreNoApproval(t *testing.T) {
	oncall := func(v *approvals.Vote) { v.Groups = lab.Oncall().Marks() }
	c := newCounting(t)
	c.vote(lab.Person("bob"), yes, oncall)
	c.vote(lab.Person("cat"), yes, oncall)
	require.NoError(t, c.tally.Stood(ctx(), c.request))
	c.vote(lab.Person("dan"), no, oncall)
	err := c.tally.Stood(ctx(), c.request)
	lab.Kind(t, approvals.KindDenied, err)
	require.ErrorContains(t, err, "dan@example.com denied")

	c = newCounting(t)
	c.request.Parent = "BBBBBBBB"
	c.seal()
	c.vote(lab.Person("bob"), yes, oncall)
	c.vote(lab.Person("cat"), yes, oncall)
	err = c.tally.Stood(ctx(), c.request)
	lab.Kind(t, approvals.KindDenied, err)
	require.ErrorContains(t, err, "approved with request BBBBBBBB")
}

// Both votes are real, but of members of one group where two were asked for.
func TestAVoteStoodOnlyForTheGroupsItWasSignedFor(t *testing.T) {
	c := newCounting(t)
	one := func(g approvals.Group) approvals.Quorum { return approvals.Quorum{Count: 1, From: g} }
	c.ask(one(lab.Oncall()), one(lab.Leads()))
	oncall := func(v *approvals.Vote) { v.Groups = lab.Oncall().Marks() }
	c.vote(lab.Person("bob"), yes, oncall)
	c.vote(lab.Person("cat"), yes, oncall)
	err := c.tally.Stood(ctx(), c.request)
	lab.Kind(t, approvals.KindDenied, err)
	require.ErrorContains(t, err, "it lacks 1 more of leads")
	c.vote(lab.Person("dan"), yes) // somebody of no group
	lab.Kind(t, approvals.KindDenied, c.tally.Stood(ctx(), c.request))
	c.vote(lab.Person("eve"), yes, func(v *approvals.Vote) { v.Groups = lab.Leads().Marks() })
	require.NoError(t, c.tally.Stood(ctx(), c.request))

	renamed, redefined, other := lab.Leads(), lab.Leads(), lab.Leads()
	renamed.Name, redefined.Slack, other.Name, other.Slack = "chiefs", "S0009", "chiefs", "S0009"
	for _, g := range []approvals.Group{renamed, redefined} {
		c.under(newAsking(t, "edited", one(lab.Oncall()), one(g)))
		require.NoError(t, c.tally.Stood(ctx(), c.request), "%v", g)
	}
	c.under(newAsking(t, "edited", one(lab.Oncall()), one(other)))
	lab.Kind(t, approvals.KindDenied, c.tally.Stood(ctx(), c.request))
}

func TestWhatPolicyNowRefusesDidNotStand(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := ran(l)
		late := newAsking(t, "no time", r.Quorum...)
		late.expires = 0
		for name, p := range map[string]approvals.Policy{
			"a no":            lab.ParsePolicy(t, "rules:\n- {name: stop, tools: [run_script], outcome: deny}\n"),
			"more approvers":  lab.ParsePolicy(t, "rules:\n- {name: more, tools: [run_script], outcome: approve, count: 3, from: oncall}\n"),
			"another group":   lab.ParsePolicy(t, "rules:\n- {name: other, tools: [run_script], outcome: approve, count: 1, from: leads}\n"),
			"the other's yes": lab.ParsePolicy(t, "rules:\n- {name: own, tools: [run_script], outcome: confirm}\n"),
			"a shorter time":  late,
		} {
			l.Policy = p
			err := tallyOf(l).Stood(ctx(), r)
			require.Equal(t, approvals.KindDenied, approvals.KindOf(err), "%s: %v", name, err)
		}
		l.Policy = lab.ParsePolicy(t, "rules:\n- {name: free, tools: [run_script], outcome: allow}\n")
		require.NoError(t, tallyOf(l).Stood(ctx(), r), "a milder policy takes nothing away")
	})
}

// hourly allows by the clock: what nobody signed is judged by the policy of this moment.
type hourly struct {
	asking
	until time.Time
}

func (p hourly) Decide(c approvals.Call) approvals.Decision {
	if c.At.Before(p.until) {
		p.outcome = approvals.Allow
	}
	return p.asking.Decide(c)
}

func TestWhatWasAllowedStandsWhileItIsAllowed(t *testing.T) {
	c := newCounting(t)
	c.under(hourly{newAsking(t, "hourly", approvals.Quorum{Count: 1, From: lab.Oncall()}), c.now.Add(time.Hour)})
	c.request.Outcome, c.request.Quorum = approvals.Allow, nil
	c.seal()
	require.NoError(t, c.tally.Stood(ctx(), c.request))
	c.now = c.now.Add(2 * time.Hour)
	lab.Kind(t, approvals.KindDenied, c.tally.Stood(ctx(), c.request))
}

// … and what people signed by the policy of the hour in which the last of them did.
func TestWhatWasSignedStandsByItsOwnHour(t *testing.T) {
	c := newCounting(t)
	strict := newAsking(t, "night", approvals.Quorum{Count: 1, From: managers()})
	c.under(nightly{newAsking(t, "day", approvals.Quorum{Count: 1, From: lab.Oncall()}), strict, c.now.Add(10 * time.Minute)})
	c.request.Quorum = []approvals.Quorum{{Count: 1, From: lab.Oncall()}}
	c.seal()
	oncall := func(v *approvals.Vote) { v.Groups = lab.Oncall().Marks() }
	c.vote(lab.Person("bob"), yes, oncall)
	c.now = c.now.Add(5 * time.Hour)
	require.NoError(t, c.tally.Stood(ctx(), c.request))
	c.request.Votes = nil
	c.vote(lab.Person("bob"), yes, oncall, func(v *approvals.Vote) { v.At = c.request.CreatedAt.Add(10 * time.Minute) })
	lab.Kind(t, approvals.KindDenied, c.tally.Stood(ctx(), c.request))
}

func TestAgreedIsWhatPeopleSignedWhateverPolicySaysSince(t *testing.T) {
	c := newCounting(t)
	c.under(newAsking(t, "strict", approvals.Quorum{Count: 3, From: managers()}))
	c.request.Quorum = []approvals.Quorum{{Count: 2, From: lab.Oncall()}}
	c.seal()
	oncall := func(v *approvals.Vote) { v.Groups = lab.Oncall().Marks() }
	lab.Kind(t, approvals.KindDenied, c.tally.Agreed(ctx(), c.request))
	c.vote(lab.Person("bob"), yes, oncall)
	lab.Kind(t, approvals.KindDenied, c.tally.Agreed(ctx(), c.request))
	c.vote(lab.Person("cat"), yes)
	lab.Kind(t, approvals.KindDenied, c.tally.Agreed(ctx(), c.request))
	c.request.Votes = c.request.Votes[:1]
	c.vote(lab.Person("cat"), yes, oncall)
	lab.Kind(t, approvals.KindDenied, c.tally.Stood(ctx(), c.request))
	require.NoError(t, c.tally.Agreed(ctx(), c.request))
	fewer := c.request
	fewer.Votes, fewer.Quorum = c.request.Votes[:1], []approvals.Quorum{{Count: 1, From: lab.Oncall()}}
	lab.Kind(t, approvals.KindTampering, c.tally.Agreed(ctx(), fewer))
	c.vote(lab.Person("dan"), approvals.VerdictDeny, oncall)
	lab.Kind(t, approvals.KindDenied, c.tally.Agreed(ctx(), c.request))
}

func TestNobodyAgreedToWhatWasAllowed(t *testing.T) {
	c := newCounting(t)
	c.request.Outcome, c.request.Quorum = approvals.Allow, nil
	c.seal()
	lab.Kind(t, approvals.KindDenied, c.tally.Agreed(ctx(), c.request))
}

type nightly struct {
	asking
	night asking
	from  time.Time
}

func (p nightly) Decide(c approvals.Call) approvals.Decision {
	if c.At.Before(p.from) {
		return p.asking.Decide(c)
	}
	return p.night.Decide(c)
}

func TestPermits(t *testing.T) {
	c := newCounting(t)
	require.NoError(t, c.tally.Permits(ctx(), c.request), "whose yes it wants is not asked")
	for name, p := range map[string]approvals.Policy{
		"a no":       lab.ParsePolicy(t, "rules:\n- {name: stop, tools: [run_script], outcome: deny}\n"),
		"a riddle":   asking{Policy: lab.DefaultPolicy(t), outcome: "maybe"},
		"fewer":      lab.ParsePolicy(t, "rules:\n- {name: few, tools: [run_script], outcome: allow, max_targets: 1}\n"),
		"not at all": asking{Policy: lab.DefaultPolicy(t)},
	} {
		c := newCounting(t)
		c.request.Plan = lab.Plan("run_script", 2)
		c.seal()
		require.NoError(t, c.tally.Permits(ctx(), c.request))
		c.under(p)
		err := c.tally.Permits(ctx(), c.request)
		require.Equal(t, approvals.KindDenied, approvals.KindOf(err), "%s: %v", name, err)
	}
	c.request.Plan.Reason = "other"
	lab.Kind(t, approvals.KindTampering, c.tally.Permits(ctx(), c.request))
}

func TestReachable(t *testing.T) {
	lead := func(c *counting) { c.directory.Join("leads", lab.Person("eve")) }
	later := func(after time.Duration) approvals.Quorum {
		return approvals.Quorum{Count: 1, From: approvals.Group{Name: "empty", Slack: "S0"}, Then: []approvals.Escalation{{After: after, To: lab.Leads()}}}
	}
	for name, c := range map[string]struct {
		quorum approvals.Quorum
		change func(*counting)
		says   string // empty: reachable
	}{
		"enough":                   {approvals.Quorum{Count: 2, From: lab.Oncall()}, nil, ""},
		"without the requester":    {approvals.Quorum{Count: 3, From: lab.Oncall()}, nil, "it takes 3, and group oncall has 2 besides those who asked"},
		"without who is attached":  {approvals.Quorum{Count: 2, From: lab.Oncall()}, attach("bob"), "it takes 2, and group oncall has 1"},
		"the requester attached":   {approvals.Quorum{Count: 2, From: lab.Oncall()}, attach("ann"), ""},
		"an unknown group":         {approvals.Quorum{Count: 1, From: lab.Leads()}, nil, "group leads is empty or unknown"},
		"the requester alone":      {approvals.Quorum{Count: 1, From: lab.Leads()}, func(c *counting) { c.directory.Join("leads", lab.Person("ann")) }, "has only those who asked"},
		"one of two groups":        {approvals.Quorum{Count: 2, From: lab.Leads(), Or: []approvals.Group{lab.Oncall()}}, nil, ""},
		"two of one group":         {both(), nil, "it takes people of 2 different groups, and group oncall has 2 besides those who asked; group leads is empty"},
		"two of two groups":        {both(), lead, ""},
		"later":                    {later(time.Hour - time.Millisecond), lead, ""},
		"too late":                 {later(time.Hour), lead, "it takes 1, and group empty is empty"},
		"nobody later either":      {later(time.Minute), nil, "group leads is empty"},
		"an impossible number":     {approvals.Quorum{From: lab.Oncall()}, nil, "nobody can satisfy"},
		"nobody can be asked":      {approvals.Quorum{Count: 1, From: lab.Oncall()}, func(c *counting) { c.directory.Fail(errors.New("down")) }, "no answer"},
		"nobody can be identified": {approvals.Quorum{Count: 1, From: lab.Oncall()}, func(c *counting) { c.directory.Lose(errors.New("down")) }, "no answer"},
	} {
		x := newCounting(t)
		x.ask(c.quorum)
		if c.change != nil {
			c.change(x)
		}
		err := x.tally.Reachable(ctx(), x.request)
		switch c.says {
		case "":
			require.NoError(t, err, name)
		case "no answer":
			require.Equal(t, approvals.KindNoAnswer, approvals.KindOf(err), "%s: %v", name, err)
		default:
			require.Equal(t, approvals.KindDenied, approvals.KindOf(err), "%s: %v", name, err)
			require.ErrorContains(t, err, c.says, name)
		}
	}
}

func attach(name string) func(*counting) {
	return func(c *counting) { c.request.Attached = []approvals.Person{lab.Person(name)} }
}

func TestReachableIsAboutPeopleOnly(t *testing.T) {
	c := newCounting(t)
	c.under(lab.ParsePolicy(t, "rules:\n- {name: stop, tools: [run_script], outcome: deny}\n"))
	require.NoError(t, c.tally.Reachable(ctx(), c.request), "policy may allow it again before it expires")
	c.under(newAsking(t, "edited", approvals.Quorum{Count: 1, From: managers()}))
	lab.Kind(t, approvals.KindDenied, c.tally.Reachable(ctx(), c.request))
	c = newCounting(t)
	c.request.Outcome, c.request.Quorum = approvals.Confirm, nil
	c.seal()
	c.under(asking{Policy: lab.DefaultPolicy(t), name: "own", outcome: approvals.Confirm})
	require.NoError(t, c.tally.Reachable(ctx(), c.request))
	c.directory.Forget(lab.Person("ann"))
	lab.Kind(t, approvals.KindDenied, c.tally.Reachable(ctx(), c.request))
	c.request.Rule = "other"
	lab.Kind(t, approvals.KindTampering, c.tally.Reachable(ctx(), c.request))
}
