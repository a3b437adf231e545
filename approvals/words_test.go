package approvals_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
)

func TestTerminalIsFinal(t *testing.T) {
	for _, from := range append(approvals.States(), "odd", "") {
		for _, to := range append(approvals.States(), "odd", "") {
			if from.Terminal() || from == to || !slices.Contains(approvals.States(), to) {
				require.False(t, from.CanMove(to), "%s to %s", from, to)
			}
		}
	}
	for _, from := range append(approvals.StepStates(), "odd", "") {
		for _, to := range append(approvals.StepStates(), "odd", "") {
			if from.Terminal() || from == to || !slices.Contains(approvals.StepStates(), to) {
				require.False(t, from.CanMove(to), "%s to %s", from, to)
			}
		}
	}
	require.False(t, approvals.StepUnknown.CanMove(approvals.StepSending))
	require.False(t, approvals.StepAccepted.CanMove(approvals.StepWaiting))
}

func TestOverall(t *testing.T) {
	for _, c := range []struct {
		steps []approvals.StepState
		want  approvals.State
	}{
		{[]approvals.StepState{approvals.StepSucceeded, approvals.StepSucceeded}, approvals.Succeeded},
		{[]approvals.StepState{approvals.StepSucceeded, approvals.StepFailed}, approvals.Partial},
		{[]approvals.StepState{approvals.StepSucceeded, approvals.StepSkipped}, approvals.Partial},
		{[]approvals.StepState{approvals.StepFailed, approvals.StepSkipped}, approvals.Partial},
		{[]approvals.StepState{approvals.StepTimedOut, approvals.StepCancelled}, approvals.Failed},
		{[]approvals.StepState{approvals.StepSkipped, approvals.StepSkipped}, approvals.Cancelled},
		{[]approvals.StepState{approvals.StepSucceeded, approvals.StepUnknown}, approvals.Unknown},
		{[]approvals.StepState{approvals.StepSucceeded, approvals.StepAccepted}, ""},
		{[]approvals.StepState{approvals.StepWaiting}, ""},
	} {
		var steps []approvals.StepStatus
		for _, s := range c.steps {
			steps = append(steps, approvals.StepStatus{State: s})
		}
		got, ended := approvals.Overall(steps)
		require.Equal(t, c.want, got, c.steps)
		require.Equal(t, c.want != "", ended, c.steps)
	}
}

// TestSameIsSymmetric also holds that a person without names is nobody, not even themselves.
func TestSameIsSymmetric(t *testing.T) {
	name := rapid.SampledFrom([]string{"", " ", "a@b", "A@B", " a@b ", "slack:T/U", "slack:t/u", "c@d"})
	person := rapid.Custom(func(t *rapid.T) approvals.Person {
		return approvals.Person{ID: name.Draw(t, "id"), Aliases: rapid.SliceOfN(name, 0, 3).Draw(t, "aliases")}
	})
	rapid.Check(t, func(t *rapid.T) {
		p, q := person.Draw(t, "p"), person.Draw(t, "q")
		if p.Same(q) != q.Same(p) {
			t.Fatalf("Same is not symmetric for %v and %v", p, q)
		}
	})
	require.False(t, approvals.Person{}.Same(approvals.Person{}))
	require.True(t, lab.Person("ann").Same(approvals.Person{ID: "x@y", Aliases: []string{"SLACK:T0001/UANN"}}))
	team, user, ok := lab.Person("ann").Slack()
	require.Equal(t, []any{"T0001", "UANN", true}, []any{team, user, ok})
	_, _, ok = approvals.Person{Aliases: []string{"slack:broken"}}.Slack()
	require.False(t, ok)
}

// TestTheDigestCoversWhatIsShown changes one field after the other and wants another digest each time.
func TestTheDigestCoversWhatIsShown(t *testing.T) {
	c := newCounting(t)
	seen := map[string]string{c.request.Digest: "the original"}
	for name, change := range map[string]func(*approvals.Request){
		"id":        func(r *approvals.Request) { r.ID = "BBBBBBBB" },
		"tenant":    func(r *approvals.Request) { r.Plan.Tenant = "t" },
		"tool":      func(r *approvals.Request) { r.Plan.Tool = "t" },
		"risk":      func(r *approvals.Request) { r.Plan.Risk = approvals.RiskRead },
		"args":      func(r *approvals.Request) { r.Plan.Args = json.RawMessage(`{"x":1}`) },
		"reason":    func(r *approvals.Request) { r.Plan.Reason = "r" },
		"target":    func(r *approvals.Request) { r.Plan.Targets = []approvals.Target{{ID: "d"}} },
		"steps":     func(r *approvals.Request) { r.Plan.Steps = append(slices.Clone(r.Plan.Steps), r.Plan.Steps[0]) },
		"warnings":  func(r *approvals.Request) { r.Plan.Warnings = []string{"w"} },
		"preview":   func(r *approvals.Request) { r.Plan.Preview = "p" },
		"requester": func(r *approvals.Request) { r.Requester.ID = "x@y" },
		"agent":     func(r *approvals.Request) { r.Requester.Agent = "a" },
		"outcome":   func(r *approvals.Request) { r.Outcome = approvals.Allow },
		"rule":      func(r *approvals.Request) { r.Rule = "r" },
		"quorum":    func(r *approvals.Request) { r.Quorum = nil },
		"policy":    func(r *approvals.Request) { r.PolicyDigest = "p" },
		"created":   func(r *approvals.Request) { r.CreatedAt = r.CreatedAt.Add(1e6) },
		"expires":   func(r *approvals.Request) { r.ExpiresAt = r.ExpiresAt.Add(1e6) },
		"start":     func(r *approvals.Request) { r.StartWithin += 1e6 },
	} {
		r := c.request
		change(&r)
		digest, err := approvals.Digest(r)
		require.NoError(t, err)
		require.Empty(t, seen[digest], name)
		seen[digest] = name
	}
	for name, change := range map[string]func(*approvals.Request){
		"state": func(r *approvals.Request) { r.State = approvals.Running },
		"votes": func(r *approvals.Request) { r.Votes = []approvals.Vote{{}} },
	} {
		r := c.request
		change(&r)
		digest, err := approvals.Digest(r)
		require.NoError(t, err)
		require.Equal(t, c.request.Digest, digest, name)
	}
	none, empty := c.request, c.request
	none.Quorum, empty.Quorum = nil, []approvals.Quorum{}
	a, err := approvals.Digest(none)
	require.NoError(t, err)
	b, err := approvals.Digest(empty)
	require.NoError(t, err)
	require.Equal(t, a, b)
}

func TestKeysAreRead(t *testing.T) {
	s := lab.NewSigner(t, 1)
	public := approvals.FormatPublicKey(s.Public())
	pub, err := approvals.ParsePublicKey(public)
	require.NoError(t, err)
	require.Equal(t, s.Public(), pub)
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	private := approvals.FormatPrivateKey(key)
	got, err := approvals.ParsePrivateKey(private)
	require.NoError(t, err)
	require.Equal(t, key, got)
	bare := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for _, bad := range []string{
		"", "x", "AAAA", bare, base64.StdEncoding.EncodeToString(make([]byte, 33)), "mde-vote-", "mde-vote-private-", "mde-vote-public-",
		"mde-vote-private-" + bare[1:], "mde-vote-public-" + bare[1:], "mde-vote-public-mde-vote-private-" + bare, "MDE-VOTE-PUBLIC-" + bare,
	} {
		_, err = approvals.ParsePublicKey(bad)
		require.ErrorContains(t, err, "keygen", bad)
		_, err = approvals.ParsePrivateKey(bad)
		require.ErrorContains(t, err, "keygen", bad)
	}
	// Both are 32 bytes: a seed must not pass for a public key.
	_, err = approvals.ParsePublicKey(private)
	require.ErrorContains(t, err, "only mde-slackbot may hold")
	require.NotContains(t, err.Error(), bare)
	_, err = approvals.ParsePrivateKey(public)
	require.ErrorContains(t, err, "is a public key")
	_, err = approvals.NewSigner(nil)
	require.ErrorContains(t, err, "has 0 bytes")
}

func TestHistoryMustExplainTheState(t *testing.T) {
	r := approvals.Request{ID: "A", State: approvals.Running, Plan: lab.Plan("isolate_devices", 1), Steps: []approvals.StepStatus{
		{State: approvals.StepAccepted, Attempt: 1},
	}, Votes: []approvals.Vote{{}}}
	row := func(step int, from, to string) approvals.Event {
		return approvals.Event{RequestID: "A", Step: step, From: from, To: to, Type: to}
	}
	vote := approvals.Event{RequestID: "A", Step: -1, Type: approvals.EventVote}
	good := []approvals.Event{
		row(-1, "", "pending"), vote, row(-1, "pending", "approved"),
		{RequestID: "A", Step: -1, Type: "refused"},
		row(-1, "approved", "running"), row(0, "waiting", "sending"), row(0, "sending", "accepted"),
	}
	require.NoError(t, approvals.CheckHistory(r, good))
	for name, rows := range map[string][]approvals.Event{
		"nothing":             {},
		"no vote":             slices.Delete(slices.Clone(good), 1, 2),
		"two votes":           append([]approvals.Event{vote}, good...),
		"no approval":         slices.Delete(slices.Clone(good), 2, 3),
		"not running":         slices.Delete(slices.Clone(good), 4, 5),
		"never sent":          slices.Delete(slices.Clone(good), 5, 6),
		"not accepted":        good[:6],
		"another request's":   append(slices.Clone(good), approvals.Event{RequestID: "B"}),
		"begins running":      {row(-1, "", "running"), vote, row(0, "waiting", "sending"), row(0, "sending", "accepted")},
		"begins twice":        append([]approvals.Event{row(-1, "", "pending")}, good...),
		"ended since":         append(slices.Clone(good), row(-1, "running", "failed")),
		"an arrow not there":  append(slices.Clone(good), row(-1, "running", "pending")),
		"a step ended since":  append(slices.Clone(good), row(0, "accepted", "failed")),
		"a step's wild arrow": append(slices.Clone(good), row(0, "accepted", "waiting")),
		"sent twice": append(slices.Clone(good[:6]), row(0, "sending", "waiting"), row(0, "waiting", "sending"),
			row(0, "sending", "accepted")),
	} {
		err := approvals.CheckHistory(r, rows)
		require.Equal(t, approvals.KindTampering, approvals.KindOf(err), name)
	}
	r.Steps = nil
	require.Error(t, approvals.CheckHistory(r, good))
}

func TestErrorsHaveTwoAudiences(t *testing.T) {
	cause := errors.New("secret detail")
	err := fmt.Errorf("while testing: %w", approvals.Refuse(approvals.KindStore, cause, "the database %s is locked", "x"))
	require.Equal(t, approvals.KindStore, approvals.KindOf(err))
	require.NotContains(t, err.Error(), "secret")
	require.ErrorIs(t, err, cause)
	require.Empty(t, approvals.KindOf(cause))
	require.Empty(t, approvals.KindOf(nil))
}
