package ballot_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/ballot"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
)

// The attacks on a vote are in approvals/invariants_test.go, beside the invariants they are aimed at.

func TestNewRefusesABoxWhoseVotesWouldNotCount(t *testing.T) {
	l := lab.New(t, storetest.SQLite(t))
	good := ballot.Options{Store: l.DB, Policy: l.Policy, Signer: l.Signer, Verifier: l.Verifier, Directory: l.Directory}
	foreign, err := approvals.NewVerifier(lab.NewSigner(t, 2).Public())
	require.NoError(t, err)
	for want, spoil := range map[string]func(*ballot.Options){
		"no store":              func(o *ballot.Options) { o.Store = nil },
		"no signer":             func(o *ballot.Options) { o.Signer = nil },
		"no policy":             func(o *ballot.Options) { o.Policy = nil },
		"no vote verifier":      func(o *ballot.Options) { o.Verifier = nil },
		"no directory":          func(o *ballot.Options) { o.Directory = nil },
		"don't belong together": func(o *ballot.Options) { o.Verifier = foreign },
	} {
		o := good
		spoil(&o)
		_, err := ballot.New(o)
		require.ErrorContains(t, err, want)
	}
	_, err = ballot.New(good)
	require.NoError(t, err)
}

func TestPeopleWhoPressAtOnceAreAllCounted(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(lab.Plan("run_script", 1))
		second := lab.New(t, l.URL) // the bot's other process
		boxes := []*ballot.Box{l.Box, second.Box}
		var counted atomic.Int64
		var group sync.WaitGroup
		for i, name := range []string{"bob", "cat", "bob", "cat", "bob", "cat"} {
			b := l.Ballot(r.ID, lab.Person(name), approvals.VerdictApprove)
			group.Go(func() {
				if _, err := boxes[i%2].Cast(t.Context(), b); err == nil {
					counted.Add(1)
				}
			})
		}
		group.Wait()
		require.EqualValues(t, 2, counted.Load(), "each person once")
		require.Equal(t, approvals.Approved, l.Get(r.ID).State)
		require.Len(t, l.Get(r.ID).Votes, 2)
		l.Verified()
	})
}

func TestADenialAndAnApprovalAtOnceHaveOneOutcome(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		for range 5 {
			r := l.Submit(lab.Plan("isolate_devices", 1))
			yes := l.Ballot(r.ID, lab.Person("bob"), approvals.VerdictApprove)
			no := l.Ballot(r.ID, lab.Person("cat"), approvals.VerdictDeny)
			var counted atomic.Int64
			var group sync.WaitGroup
			for _, b := range []ballot.Ballot{yes, no} {
				group.Go(func() {
					if _, err := l.Box.Cast(t.Context(), b); err == nil {
						counted.Add(1)
					}
				})
			}
			group.Wait()
			require.EqualValues(t, 1, counted.Load())
			require.Len(t, l.Get(r.ID).Votes, 1)
		}
		l.Verified()
	})
}

func TestAVoteIsStoredWithItsWords(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(lab.Plan("isolate_devices", 1))
		b := l.Ballot(r.ID, lab.Person("bob"), approvals.VerdictDeny)
		b.Reason = "not during the shift change"
		got, err := l.Box.Cast(t.Context(), b)
		require.NoError(t, err)
		require.Equal(t, approvals.Denied, got.State)
		require.Equal(t, "denied by bob@example.com", got.Message)
		require.Equal(t, b.Reason, got.Votes[0].Reason)
		require.NoError(t, l.Verifier.Verify(got.Votes[0]))
		events, err := l.DB.Events(t.Context(), store.Query{RequestID: r.ID})
		require.NoError(t, err)
		require.Equal(t, []string{approvals.EventSubmitted, approvals.EventVote, "denied"}, types(events))
	})
}

// Whoever has said yes to their own question under one name has no second vote under another.
func TestARequesterVotesUnderOneNameOnly(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(lab.Plan("isolate_devices", 1))
		other := lab.Person("ann.admin")
		l.Directory.Link(lab.Ann().Person, other)
		l.Use(lab.ParsePolicy(t, "rules:\n- {name: own, tools: [isolate_devices], outcome: confirm}\n"))
		require.NoError(t, l.Cast(r.ID, lab.Person("ann"), approvals.VerdictConfirm))
		require.Equal(t, approvals.Pending, l.Get(r.ID).State, "the policy it was asked under wants an approver as well")
		lab.Kind(t, approvals.KindConflict, l.Cast(r.ID, other, approvals.VerdictDeny))
		lab.Kind(t, approvals.KindConflict, l.Cast(r.ID, other, approvals.VerdictConfirm))
		require.Len(t, l.Get(r.ID).Votes, 1)
		l.Approve(r.ID, "bob")
		require.Equal(t, approvals.Approved, l.Get(r.ID).State)
	})
}

func types(events []approvals.Event) []string {
	var out []string
	for _, e := range events {
		out = append(out, e.Type)
	}
	return out
}

func TestNoStoreNoVote(t *testing.T) {
	l := lab.New(t, storetest.SQLite(t))
	r := l.Submit(lab.Plan("isolate_devices", 1))
	b := l.Ballot(r.ID, lab.Person("bob"), approvals.VerdictApprove)
	require.NoError(t, l.DB.Close())
	_, err := l.Box.Cast(t.Context(), b)
	lab.Kind(t, approvals.KindStore, err)
}
