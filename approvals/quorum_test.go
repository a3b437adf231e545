package approvals_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
)

// counting is a tally with its surroundings and a sound request that needs two of oncall.
type counting struct {
	t         *testing.T
	signer    *approvals.Signer
	directory *lab.Directory
	tally     *approvals.Tally
	request   approvals.Request
	now       time.Time
}

func newCounting(t *testing.T) *counting {
	c := &counting{t: t, signer: lab.NewSigner(t, 1), directory: lab.NewDirectory(), now: lab.NewClock().Now()}
	c.directory.Join("oncall", lab.Person("bob"), lab.Person("cat"), lab.Person("ann"))
	verifier, err := approvals.NewVerifier(c.signer.Public())
	require.NoError(t, err)
	p := lab.DefaultPolicy(t)
	c.tally, err = approvals.NewTally(approvals.TallyOptions{Policy: p, Verifier: verifier, Directory: c.directory})
	require.NoError(t, err)
	c.request = approvals.Request{
		ID: "AAAAAAAA", Plan: lab.Plan("run_script", 1), Requester: lab.Ann(), Outcome: approvals.Approve,
		Quorum: []approvals.Quorum{{Count: 2, From: lab.Oncall()}}, PolicyDigest: p.Digest(),
		CreatedAt: c.now, ExpiresAt: c.now.Add(time.Hour), StartWithin: time.Hour,
	}
	c.seal()
	return c
}

func (c *counting) seal() {
	var err error
	c.request.Digest, err = approvals.Digest(c.request)
	require.NoError(c.t, err)
}

func (c *counting) vote(who approvals.Person, v approvals.Verdict, change ...func(*approvals.Vote)) {
	vote := approvals.Vote{RequestID: c.request.ID, Digest: c.request.Digest, Voter: who, Verdict: v, At: c.now.Add(time.Minute)}
	for _, f := range change {
		f(&vote)
	}
	vote, err := c.signer.Sign(vote)
	require.NoError(c.t, err)
	c.request.Votes = append(c.request.Votes, vote)
}

func TestTheTallyCountsGoodVotes(t *testing.T) {
	c := newCounting(t)
	s, err := c.tally.Count(ctx(), c.request)
	require.NoError(t, err)
	require.False(t, s.Met())
	require.Equal(t, "2 more of oncall", s.Missing())
	require.Equal(t, c.now, s.Since)
	c.vote(lab.Person("bob"), yes)
	s, err = c.tally.Count(ctx(), c.request)
	require.NoError(t, err)
	require.Equal(t, "1 more of oncall", s.Missing())
	c.vote(lab.Person("mallory"), yes)
	s, err = c.tally.Count(ctx(), c.request)
	require.NoError(t, err)
	require.False(t, s.Met(), "a stranger's vote does not count")
	c.vote(lab.Person("cat"), yes)
	s, err = c.tally.Count(ctx(), c.request)
	require.NoError(t, err)
	require.True(t, s.Met())
	require.Empty(t, s.Missing())
	require.Equal(t, c.now.Add(time.Minute), s.Since)
	require.Len(t, s.Demands, 1, "the same demand is made once")
}

func TestTwoNamesOfOneHumanAreOneVote(t *testing.T) {
	c := newCounting(t)
	c.directory.Join("oncall", approvals.Person{ID: "robert@example.com"})
	c.vote(lab.Person("bob"), yes)
	c.vote(approvals.Person{ID: "robert@example.com", Aliases: []string{"SLACK:t0001/ubob"}}, yes)
	s, err := c.tally.Count(ctx(), c.request)
	require.NoError(t, err)
	require.False(t, s.Met())
	require.Equal(t, 1, s.Demands[0].Have)
}

func TestOneBadVoteSpoilsARequest(t *testing.T) {
	for name, c := range map[string]struct {
		who    string
		v      approvals.Verdict
		spoil  func(*approvals.Vote)
		after  func(*approvals.Vote)
		kind   approvals.Kind
		phrase string
	}{
		"for another request":   {"cat", yes, func(v *approvals.Vote) { v.RequestID = "BBBBBBBB" }, nil, approvals.KindTampering, "another request"},
		"for another digest":    {"cat", yes, func(v *approvals.Vote) { v.Digest = "00" }, nil, approvals.KindTampering, "another version"},
		"of an unknown verdict": {"cat", "maybe", nil, nil, approvals.KindTampering, "something unknown"},
		"before the request":    {"cat", yes, func(v *approvals.Vote) { v.At = v.At.Add(-2 * time.Minute) }, nil, approvals.KindTampering, "outside its time"},
		"at its expiry":         {"cat", yes, func(v *approvals.Vote) { v.At = v.At.Add(59 * time.Minute) }, nil, approvals.KindTampering, "outside its time"},
		"the requester's own":   {"ann", yes, nil, nil, approvals.KindTampering, "the requester's own"},
		"altered afterwards":    {"cat", no, nil, func(v *approvals.Vote) { v.Verdict = yes }, approvals.KindTampering, "does not verify"},
		"given to another":      {"ann", yes, nil, func(v *approvals.Vote) { v.Voter = lab.Person("cat") }, approvals.KindTampering, "does not verify"},
		"signed by nobody":      {"cat", yes, nil, func(v *approvals.Vote) { v.Signature = nil }, approvals.KindTampering, "does not verify"},
		"of an unknown key":     {"cat", yes, nil, func(v *approvals.Vote) { v.KeyID = "0" }, approvals.KindTampering, "does not verify"},
		"a no":                  {"dan", no, nil, nil, approvals.KindDenied, "denied"},
	} {
		x := newCounting(t)
		x.vote(lab.Person("bob"), yes)
		if c.spoil == nil {
			c.spoil = func(*approvals.Vote) {}
		}
		x.vote(lab.Person(c.who), c.v, c.spoil)
		if c.after != nil {
			c.after(&x.request.Votes[1])
		}
		x.vote(lab.Person("cat"), yes, func(v *approvals.Vote) { v.At = v.At.Add(time.Second) })
		_, err := x.tally.Count(ctx(), x.request)
		require.Equal(t, c.kind, approvals.KindOf(err), "%s: %v", name, err)
		require.ErrorContains(t, err, c.phrase, name)
	}
}

func TestTheTallyFailsClosed(t *testing.T) {
	c := newCounting(t)
	c.vote(lab.Person("bob"), yes)
	c.vote(lab.Person("cat"), yes)
	c.directory.Fail(errors.New("timeout"))
	_, err := c.tally.Count(ctx(), c.request)
	lab.Kind(t, approvals.KindNoAnswer, err)
	require.NotContains(t, err.Error(), "timeout", "the cause is for the log")
	c.directory.Fail(nil)
	c.directory.Lose(errors.New("timeout"))
	_, err = c.tally.Count(ctx(), c.request)
	lab.Kind(t, approvals.KindNoAnswer, err)
	c.directory.Lose(nil)

	for name, change := range map[string]func(*approvals.Request){
		"an altered plan":    func(r *approvals.Request) { r.Plan.Reason = "other" },
		"no digest":          func(r *approvals.Request) { r.Digest = "" },
		"a longer voting":    func(r *approvals.Request) { r.ExpiresAt = r.ExpiresAt.Add(time.Millisecond) },
		"another requester":  func(r *approvals.Request) { r.Requester.Verified = false },
		"an unmarshalable":   func(r *approvals.Request) { r.Plan.Args = []byte("{") },
		"a smaller quorum":   func(r *approvals.Request) { r.Quorum = []approvals.Quorum{{Count: 1, From: lab.Oncall()}} },
		"no quorum":          func(r *approvals.Request) { r.Quorum = nil },
		"another policy":     func(r *approvals.Request) { r.PolicyDigest = "x" },
		"a longer way there": func(r *approvals.Request) { r.StartWithin++; r.StartWithin += time.Millisecond },
	} {
		r := c.request
		change(&r)
		_, err := c.tally.Count(ctx(), r)
		require.Equal(t, approvals.KindTampering, approvals.KindOf(err), "%s: %v", name, err)
	}
}

func TestDemandsThatNobodyCanMeet(t *testing.T) {
	for name, d := range map[string]approvals.Demand{
		"deny":         {Outcome: approvals.Deny, Have: 9},
		"unknown":      {Outcome: "maybe", Have: 9},
		"zero":         {},
		"count 0":      {Outcome: approvals.Approve, Have: 9},
		"one too few":  {Outcome: approvals.Approve, Quorum: approvals.Quorum{Count: 2, From: lab.Oncall()}, Have: 1},
		"no own yes":   {Outcome: approvals.Confirm},
		"negative one": {Outcome: approvals.Approve, Quorum: approvals.Quorum{Count: -1, From: lab.Oncall()}},
	} {
		require.False(t, d.Met(), name)
	}
	for name, d := range map[string]approvals.Demand{
		"allow":   {Outcome: approvals.Allow},
		"confirm": {Outcome: approvals.Confirm, Have: 1},
		"enough":  {Outcome: approvals.Approve, Quorum: approvals.Quorum{Count: 2, From: lab.Oncall()}, Have: 3},
	} {
		require.True(t, d.Met(), name)
	}
	require.False(t, approvals.Standing{}.Met(), "no demands at all is no yes")
}

func TestConfirmNeedsAVerifiedRequester(t *testing.T) {
	c := newCounting(t)
	c.request.Outcome, c.request.Quorum = approvals.Confirm, nil
	c.request.Requester.Verified = false
	c.seal()
	_, err := c.tally.Count(ctx(), c.request)
	lab.Kind(t, approvals.KindDenied, err)
	require.ErrorContains(t, err, "was not verified")
}

func TestFewerTargetsNow(t *testing.T) {
	c := newCounting(t)
	c.request.Plan = lab.Plan("run_script", 101)
	c.seal()
	_, err := c.tally.Count(ctx(), c.request)
	lab.Kind(t, approvals.KindDenied, err)
	require.ErrorContains(t, err, "policy now allows 100")
}

func TestAnUnknownOutcomeIsRefusedBeforeAnyVoteIsCounted(t *testing.T) {
	c := newCounting(t)
	c.request.Outcome, c.request.Quorum = "maybe", nil
	c.seal()
	c.vote(lab.Person("bob"), yes)
	_, err := c.tally.Count(ctx(), c.request)
	lab.Kind(t, approvals.KindDenied, err)
	require.ErrorContains(t, err, `"maybe"`)
}
