package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// suite is what one test of the suite gets: an empty database and its URL.
type suite struct {
	url string
	db  *store.DB
}

// Run demands of a database everything that the gate relies on. newURL returns the URL of an empty database each time.
func Run(t *testing.T, newURL func(testing.TB) string) {
	for _, c := range []struct {
		name string
		test func(*testing.T, suite)
	}{
		{"request round trip", testRoundTrip},
		{"insert refuses", testInsertRefuses},
		{"list", testList},
		{"stale and due", testStaleAndDue},
		{"recent", testRecent},
		{"twins", testTwins},
		{"attach", testAttach},
		{"attach and vote", testAttachAndVote},
		{"marks", testMarks},
		{"retention", testRetention},
		{"arrows", testArrows},
		{"step arrows", testStepArrows},
		{"one winner", testOneWinner},
		{"atomic", testAtomic},
		{"overlooked error is not committed", testOverlookedError},
		{"votes", testVotes},
		{"votes wait for each other", testVotesSerialised},
		{"unknown states are tampering", testUnknownStates},
		{"audit chain", testAuditChain},
		{"audit tampering", testAuditTampering},
		{"audit rows are append-only", testAppendOnly},
		{"messages", testMessages},
		{"message reserved once", testMessageOnce},
		{"deliveries", testDeliveries},
		{"kept", testKept},
		{"kept by one", testKeptByOne},
		{"time-boxes", testTimeboxes},
		{"time-box refuses", testTimeboxRefuses},
		{"job comes after commit", testJobAfterCommit},
		{"jobs repeat", testJobsRepeat},
		{"repeats become one", testRepeatsBecomeOne},
		{"nonces", testNonces},
		{"job errors", testJobErrors},
		{"delayed job", testDelayedJob},
		{"queues", testQueues},
		{"two processes share", testTwoShare},
		{"simultaneous first opens", testFirstOpens},
		{"newer schema", testNewerSchema},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			u := newURL(t)
			c.test(t, suite{url: u, db: Open(t, u, store.Options{Clock: Noon})})
		})
	}
}

func kind(t *testing.T, want approvals.Kind, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, want, approvals.KindOf(err), "%v (%v)", err, errors.Unwrap(err))
}

func verified(t *testing.T, db *store.DB) {
	t.Helper()
	report, err := db.VerifyAudit(context.Background())
	require.NoError(t, err)
	require.Empty(t, report.Faults)
}

func testRoundTrip(t *testing.T, s suite) {
	ctx := context.Background()
	r := Pending(t, "AAAA0001", 3)
	Insert(t, s.db, r)
	got, err := s.db.Request(ctx, r.ID)
	require.NoError(t, err)
	digest, err := approvals.Digest(got)
	require.NoError(t, err)
	require.Equal(t, r.Digest, digest, "what is stored must digest to what was voted on")
	require.Len(t, got.Steps, 3)
	require.Equal(t, approvals.StepStatus{Index: 2, State: approvals.StepWaiting, Version: 1, UpdatedAt: Noon()}, got.Steps[2])
	got.Steps = nil
	require.Equal(t, r, got)

	_, err = s.db.Request(ctx, "nothere")
	kind(t, approvals.KindNotFound, err)
	kind(t, approvals.KindNotFound, s.db.InTx(ctx, func(tx *store.Tx) error { _, err := tx.Request(ctx, "nothere"); return err }))
}

func testInsertRefuses(t *testing.T, s suite) {
	ctx := context.Background()
	insert := func(r approvals.Request) error {
		return s.db.InTx(ctx, func(tx *store.Tx) error { return tx.Insert(ctx, r, approvals.Event{}) })
	}
	r := Pending(t, "AAAA0001", 1)
	require.NoError(t, insert(r))
	kind(t, approvals.KindConflict, insert(r))
	require.NoError(t, insert(child(Pending(t, "CHILD001", 1), r.ID)))
	for name, change := range map[string]func(*approvals.Request){
		"running":          func(r *approvals.Request) { r.State = approvals.Running },
		"no state":         func(r *approvals.Request) { r.State = "" },
		"no id":            func(r *approvals.Request) { r.ID = "" },
		"no steps":         func(r *approvals.Request) { r.Plan.Steps = nil },
		"no time":          func(r *approvals.Request) { r.CreatedAt = time.Time{} },
		"a step sent":      func(r *approvals.Request) { r.Steps = []approvals.StepStatus{{State: approvals.StepSending}} },
		"arguments broken": func(r *approvals.Request) { r.Plan.Args = []byte("{") },
		"another's key":    func(r *approvals.Request) { r.Key = approvals.Plan{}.Key() },
		"joined already":   func(r *approvals.Request) { r.Attached = []approvals.Person{{ID: "cat@example.com"}} },
		"approved by hand": func(r *approvals.Request) { r.State = approvals.Approved },
		"its own parent":   func(r *approvals.Request) { *r = child(*r, r.ID) },
		"pending child":    func(r *approvals.Request) { *r = child(*r, "AAAA0001"); r.State = approvals.Pending },
		"child with votes": func(r *approvals.Request) { *r = child(*r, "AAAA0001"); r.Quorum = []approvals.Quorum{{Count: 1}} },
		"reminder before":  func(r *approvals.Request) { r.Terms.RemindAfter = -1 },
		"half a wave":      func(r *approvals.Request) { r.Terms.Wave.Width = -1 },
		"a wave too early": func(r *approvals.Request) { r.Terms.Wave.Wait = -1 },
		"below no failure": func(r *approvals.Request) { r.Terms.Wave.StopOver = -1 },
		"over all of them": func(r *approvals.Request) { r.Terms.Wave.StopOver = 101 },
		"wrong emergency":  func(r *approvals.Request) { r.Terms.BreakGlass = true },
		"asked before": func(r *approvals.Request) {
			r.Quorum[0].Then = []approvals.Escalation{{After: -1}}
		},
	} {
		r := Pending(t, "AAAA0002", 1)
		change(&r)
		err := insert(r)
		kind(t, approvals.KindInvalid, err)
		_, err = s.db.Request(ctx, "AAAA0002")
		require.Equal(t, approvals.KindNotFound, approvals.KindOf(err), name)
	}
	r = Pending(t, "AAAA0003", 1)
	r.Outcome = "perhaps"
	kind(t, approvals.KindTampering, insert(r))
	verified(t, s.db)
}

// child makes r one that ends the time-box of another.
func child(r approvals.Request, parent string) approvals.Request {
	r.Parent, r.State, r.Outcome, r.Quorum = parent, approvals.Approved, approvals.Allow, nil
	r.Digest, _ = approvals.Digest(r) // a fixture always can be digested
	return r
}

func testList(t *testing.T, s suite) {
	ctx := context.Background()
	for i, id := range []string{"AAAA0001", "AAAA0002", "AAAA0003"} {
		r := Pending(t, id, 1+i)
		r.CreatedAt = Noon().Add(time.Duration(i) * time.Minute)
		r.Requester.ID = []string{"ann@example.com", "Bob@Example.com", "ann@example.com"}[i]
		Insert(t, s.db, r)
	}
	Move(t, s.db, "AAAA0002", approvals.Denied)
	for name, c := range map[string]struct {
		f    store.Filter
		want []string
	}{
		"all":       {store.Filter{}, []string{"AAAA0003", "AAAA0002", "AAAA0001"}},
		"states":    {store.Filter{States: []approvals.State{approvals.Pending, approvals.Running}}, []string{"AAAA0003", "AAAA0001"}},
		"requester": {store.Filter{RequesterID: "bob@example.com"}, []string{"AAAA0002"}},
		"limit":     {store.Filter{Limit: 2}, []string{"AAAA0003", "AAAA0002"}},
		"page":      {store.Filter{Before: Noon().Add(2 * time.Minute), Limit: 1}, []string{"AAAA0002"}},
		"all of it": {store.Filter{States: []approvals.State{approvals.Pending}, RequesterID: "ann@example.com", Before: Noon().Add(time.Minute)}, []string{"AAAA0001"}},
		"several": {store.Filter{
			States:      []approvals.State{approvals.Denied, approvals.Pending, approvals.Pending},
			RequesterID: "bob@example.com",
		}, []string{"AAAA0002"}},
		"nobody": {store.Filter{RequesterID: "carl@example.com"}, nil},
	} {
		list, err := s.db.Requests(ctx, c.f)
		require.NoError(t, err, name)
		var ids []string
		for _, r := range list {
			ids = append(ids, r.ID)
			require.Len(t, r.Steps, len(r.Plan.Steps))
		}
		require.Equal(t, c.want, ids, name)
	}
}

func testStaleAndDue(t *testing.T, s suite) {
	ctx := context.Background()
	Insert(t, s.db, Pending(t, "AAAA0001", 1))
	Insert(t, s.db, Pending(t, "AAAA0002", 1))
	Move(t, s.db, "AAAA0002", approvals.Approved) // at noon plus one minute; may start until 12:16

	due := func(after time.Duration) []string {
		ids, err := s.db.DueToExpire(ctx, Noon().Add(after))
		require.NoError(t, err)
		return ids
	}
	require.Empty(t, due(16*time.Minute-time.Millisecond))
	require.Equal(t, []string{"AAAA0002"}, due(16*time.Minute), "at the instant it is due")
	require.Equal(t, []string{"AAAA0002"}, due(30*time.Minute-time.Millisecond))
	require.Equal(t, []string{"AAAA0001", "AAAA0002"}, due(30*time.Minute))

	stale := func(since time.Duration, states ...approvals.State) []string {
		ids, err := s.db.Stale(ctx, states, Noon().Add(since), 10)
		require.NoError(t, err)
		return ids
	}
	require.Empty(t, stale(time.Minute-time.Millisecond, approvals.Approved, approvals.Running))
	require.Equal(t, []string{"AAAA0002"}, stale(time.Minute, approvals.Approved, approvals.Running))
	Move(t, s.db, "AAAA0002", approvals.Running)
	MoveStep(t, s.db, store.StepMove{ID: "AAAA0002", To: approvals.StepSending, At: Noon().Add(5 * time.Minute)})
	require.Empty(t, stale(4*time.Minute, approvals.Running), "a step that moved is movement of its request")
	require.Empty(t, stale(time.Hour))
}
