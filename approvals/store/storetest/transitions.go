package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
)

func move(db *store.DB, m store.Move) error {
	ctx := context.Background()
	return db.InTx(ctx, func(tx *store.Tx) error { return tx.Move(ctx, m) })
}

func testArrows(t *testing.T, s suite) {
	ctx := context.Background()
	Insert(t, s.db, Pending(t, "AAAA0001", 1))
	at := Noon().Add(time.Minute)
	m := store.Move{ID: "AAAA0001", From: approvals.Pending, To: approvals.Approved, Version: 1, At: at, Message: "approved by bob"}

	for name, wrong := range map[string]func(*store.Move){
		"version":      func(m *store.Move) { m.Version = 2 },
		"state":        func(m *store.Move) { m.From, m.To = approvals.Approved, approvals.Running },
		"no arrow":     func(m *store.Move) { m.To = approvals.Succeeded },
		"unknown":      func(m *store.Move) { m.From = "perhaps" },
		"no request":   func(m *store.Move) { m.ID = "nothere" },
		"unknown goal": func(m *store.Move) { m.To = "perhaps" },
	} {
		m := m
		wrong(&m)
		require.Equal(t, approvals.KindConflict, approvals.KindOf(move(s.db, m)), name)
	}
	require.NoError(t, move(s.db, m))
	kind(t, approvals.KindConflict, move(s.db, m)) // a replay
	touch := store.Move{ID: "AAAA0001", From: approvals.Approved, To: approvals.Approved, Version: 2, At: at.Add(time.Minute)}
	require.NoError(t, move(s.db, touch))
	got, err := s.db.Request(ctx, "AAAA0001")
	require.NoError(t, err)
	require.Equal(t, int64(3), got.Version)
	require.Equal(t, "approved by bob", got.Message, "a touch keeps the message")
	require.Equal(t, at, got.DecidedAt)
	require.True(t, got.FinishedAt.IsZero())

	require.NoError(t, move(s.db, store.Move{ID: "AAAA0001", From: approvals.Approved, To: approvals.Expired, Version: 3, At: at.Add(time.Hour)}))
	got, err = s.db.Request(ctx, "AAAA0001")
	require.NoError(t, err)
	require.Equal(t, at.Add(time.Hour), got.FinishedAt)
	require.Equal(t, at, got.DecidedAt)
	require.Empty(t, got.Message)
	kind(t, approvals.KindConflict, move(s.db, store.Move{ID: "AAAA0001", From: approvals.Expired, To: approvals.Expired, Version: 4, At: at})) // final is final

	events, err := s.db.Events(ctx, store.Query{RequestID: "AAAA0001"})
	require.NoError(t, err)
	require.Len(t, events, 3, "submitted, approved, expired; the touch left none")
	require.Equal(t, []string{"expired", "approved", "expired"}, []string{events[2].Type, events[2].From, events[2].To})
	verified(t, s.db)
}

func testStepArrows(t *testing.T, s suite) {
	ctx := context.Background()
	Insert(t, s.db, Pending(t, "AAAA0001", 2))
	step := func(m store.StepMove) error {
		m.ID, m.Index = "AAAA0001", 1
		if m.At.IsZero() {
			m.At = Noon().Add(2 * time.Minute)
		}
		return s.db.InTx(ctx, func(tx *store.Tx) error { return tx.MoveStep(ctx, m) })
	}
	sending := store.StepMove{From: approvals.StepWaiting, To: approvals.StepSending, Version: 1}
	kind(t, approvals.KindConflict, step(sending)) // pending requests send nothing
	Move(t, s.db, "AAAA0001", approvals.Approved)
	kind(t, approvals.KindConflict, step(sending)) // nor do unclaimed ones
	Move(t, s.db, "AAAA0001", approvals.Running)
	require.NoError(t, step(sending))
	kind(t, approvals.KindConflict, step(sending)) // a replay
	kind(t, approvals.KindConflict, step(store.StepMove{From: approvals.StepSending, To: approvals.StepFailed, Version: 1}))
	kind(t, approvals.KindConflict, step(store.StepMove{From: approvals.StepAccepted, To: approvals.StepFailed, Version: 2}))
	kind(t, approvals.KindConflict, step(store.StepMove{From: approvals.StepSending, To: approvals.StepSucceeded, Version: 2}))
	require.NoError(t, step(store.StepMove{From: approvals.StepSending, To: approvals.StepWaiting, Version: 2, Message: "too many requests"}))
	require.NoError(t, step(store.StepMove{From: approvals.StepWaiting, To: approvals.StepSending, Version: 3, At: Noon().Add(3 * time.Minute)}))
	require.NoError(t, step(store.StepMove{From: approvals.StepSending, To: approvals.StepAccepted, Version: 4, ActionID: "action-1", RemoteStatus: "Pending"}))
	before, err := s.db.Head(ctx)
	require.NoError(t, err)
	require.NoError(t, step(store.StepMove{From: approvals.StepAccepted, To: approvals.StepAccepted, Version: 5, RemoteStatus: "InProgress"}))
	after, err := s.db.Head(ctx)
	require.NoError(t, err)
	require.Equal(t, before, after, "a step's touch without a type leaves no audit row")

	got, err := s.db.Request(ctx, "AAAA0001")
	require.NoError(t, err)
	require.Equal(t, approvals.StepStatus{
		Index: 1, State: approvals.StepAccepted, Version: 6, Attempt: 2, SentAt: Noon().Add(3 * time.Minute), ActionID: "action-1",
		RemoteStatus: "InProgress", UpdatedAt: Noon().Add(2 * time.Minute),
	}, got.Steps[1])
	require.NoError(t, step(store.StepMove{From: approvals.StepAccepted, To: approvals.StepSucceeded, Version: 6, RemoteStatus: "Succeeded"}))
	kind(t, approvals.KindConflict, step(store.StepMove{From: approvals.StepSucceeded, To: approvals.StepSucceeded, Version: 7}))
	verified(t, s.db)
}

// testOneWinner lets many goroutines, through two handles on one database, take the same arrow.
func testOneWinner(t *testing.T, s suite) {
	ctx := context.Background()
	other := Open(t, s.url, store.Options{})
	const rounds, rivals = 5, 12
	for round := range rounds {
		id := fmt.Sprintf("AAAA%04d", round)
		Insert(t, s.db, Pending(t, id, 1))
		var won atomic.Int64
		var wg sync.WaitGroup
		errs := make(chan error, rivals)
		for i := range rivals {
			wg.Go(func() {
				db, to := s.db, approvals.Approved
				if i%2 == 0 {
					db, to = other, approvals.Denied
				}
				err := move(db, store.Move{ID: id, From: approvals.Pending, To: to, Version: 1, At: Noon().Add(time.Minute)})
				if err == nil {
					won.Add(1)
				} else if approvals.KindOf(err) != approvals.KindConflict {
					errs <- err
				}
			})
		}
		wg.Wait()
		close(errs)
		for err := range errs {
			require.NoError(t, err)
		}
		require.Equal(t, int64(1), won.Load())
		events, err := s.db.Events(ctx, store.Query{RequestID: id})
		require.NoError(t, err)
		require.Len(t, events, 2, "only the winner left an audit row")
	}
	verified(t, s.db)
}

func testAtomic(t *testing.T, s suite) {
	ctx := context.Background()
	Insert(t, s.db, Pending(t, "AAAA0001", 1))
	h := &Recorder{}
	work(t, s.db, h, store.Queues()...)
	changed := errors.New("the caller changed its mind")
	err := s.db.InTx(ctx, func(tx *store.Tx) error {
		r, err := tx.Request(ctx, "AAAA0001")
		require.NoError(t, err)
		require.NoError(t, tx.AddVote(ctx, Vote(r, "bob@example.com"), approvals.Event{}))
		require.NoError(t, tx.Move(ctx, store.Move{ID: r.ID, From: r.State, To: approvals.Approved, Version: r.Version, At: Noon()}))
		require.NoError(t, tx.Note(ctx, approvals.Event{Type: "noted"}))
		require.NoError(t, tx.Enqueue(ctx, store.Job{Kind: store.Advance, RequestID: r.ID}, time.Time{}))
		first, err := tx.FirstTime(ctx, "slack", "envelope", Noon())
		require.NoError(t, err)
		require.True(t, first)
		return changed
	})
	require.Same(t, changed, err)
	require.NoError(t, s.db.InTx(ctx, func(tx *store.Tx) error {
		first, err := tx.FirstTime(ctx, "slack", "envelope", Noon())
		require.True(t, first, "a rolled-back delivery was not seen")
		return errors.Join(err, tx.Enqueue(ctx, store.Job{Kind: store.Advance, RequestID: "marker"}, time.Time{}))
	}))
	require.Eventually(t, func() bool { return len(h.Jobs()) > 0 }, 20*time.Second, 5*time.Millisecond)
	require.Equal(t, []store.Job{{Kind: store.Advance, RequestID: "marker"}}, h.Jobs())
	got, err := s.db.Request(ctx, "AAAA0001")
	require.NoError(t, err)
	require.Equal(t, approvals.Pending, got.State)
	require.Empty(t, got.Votes)
	head, err := s.db.Head(ctx)
	require.NoError(t, err)
	require.Equal(t, int64(1), head)
	require.Panics(t, func() {
		_ = s.db.InTx(ctx, func(tx *store.Tx) error {
			_ = tx.Note(ctx, approvals.Event{Type: "noted"})
			panic("in the middle")
		})
	})
	verified(t, s.db) // and a panic leaves the connection usable
}

func testOverlookedError(t *testing.T, s suite) {
	ctx := context.Background()
	Insert(t, s.db, Pending(t, "AAAA0001", 1))
	Exec(t, Raw(t, s.url), "DROP TABLE messages")
	Exec(t, Raw(t, s.url), "DROP TABLE seen")
	err := s.db.InTx(ctx, func(tx *store.Tx) error {
		if err := tx.Move(ctx, store.Move{ID: "AAAA0001", From: approvals.Pending, To: approvals.Approved, Version: 1, At: Noon()}); err != nil {
			return err
		}
		_, _ = tx.FirstTime(ctx, "slack", "x", Noon()) // fails, and fn does not look
		return nil
	})
	kind(t, approvals.KindStore, err)
	got, err := s.db.Request(ctx, "AAAA0001")
	require.NoError(t, err)
	require.Equal(t, approvals.Pending, got.State)
}

func testVotes(t *testing.T, s suite) {
	ctx := context.Background()
	r := Pending(t, "AAAA0001", 1)
	Insert(t, s.db, r)
	vote := func(v approvals.Vote) error {
		return s.db.InTx(ctx, func(tx *store.Tx) error { return tx.AddVote(ctx, v, approvals.Event{Detail: "pressed Approve"}) })
	}
	bob := Vote(r, "bob@example.com")
	bob.Reason, bob.Signature = "broken \xff and \x00 text", []byte{0, 1, 2, 255}
	require.NoError(t, vote(bob))
	kind(t, approvals.KindConflict, vote(bob))
	kind(t, approvals.KindConflict, vote(Vote(r, " BOB@example.com ")))
	require.NoError(t, vote(Vote(r, "carol@example.com")))
	kind(t, approvals.KindInvalid, vote(Vote(r, " ")))
	wrong := Vote(r, "dave@example.com")
	wrong.Verdict = "perhaps"
	kind(t, approvals.KindInvalid, vote(wrong))
	kind(t, approvals.KindNotFound, vote(Vote(approvals.Request{ID: "nothere"}, "dave@example.com")))

	got, err := s.db.Request(ctx, r.ID)
	require.NoError(t, err)
	require.Len(t, got.Votes, 2)
	require.Equal(t, bob.Signature, got.Votes[0].Signature)
	require.Equal(t, bob.At, got.Votes[0].At)
	require.Equal(t, "broken � and \x00 text", got.Votes[0].Reason)
	verified(t, s.db)
}

// testVotesSerialised has two people vote at once where two are needed: whoever commits second must see both votes.
func testVotesSerialised(t *testing.T, s suite) {
	ctx := context.Background()
	other := Open(t, s.url, store.Options{})
	for round := range 5 {
		r := Pending(t, fmt.Sprintf("AAAA%04d", round), 1)
		Insert(t, s.db, r)
		var saw [2]int
		var errs [2]error
		var wg sync.WaitGroup
		for i, db := range []*store.DB{s.db, other} {
			wg.Go(func() {
				errs[i] = db.InTx(ctx, func(tx *store.Tx) error {
					if err := tx.AddVote(ctx, Vote(r, fmt.Sprintf("voter%d@example.com", i)), approvals.Event{}); err != nil {
						return err
					}
					now, err := tx.Request(ctx, r.ID)
					saw[i] = len(now.Votes)
					return err
				})
			})
		}
		wg.Wait()
		require.NoError(t, errors.Join(errs[:]...))
		require.ElementsMatch(t, []int{1, 2}, saw[:])
	}
	verified(t, s.db)
}

func testUnknownStates(t *testing.T, s suite) {
	ctx := context.Background()
	for i, change := range []string{
		"UPDATE requests SET state = 'perhaps' WHERE id = $1",
		"UPDATE requests SET outcome = 'deny' WHERE id = $1",
		"UPDATE requests SET version = 0 WHERE id = $1",
		"UPDATE requests SET plan = '{' WHERE id = $1",
		"UPDATE requests SET quorum = 'none' WHERE id = $1",
		"UPDATE steps SET state = 'maybe' WHERE request_id = $1",
		"DELETE FROM steps WHERE request_id = $1 AND idx = 0",
		"DELETE FROM steps WHERE request_id = $1 AND idx = 1",
		"UPDATE steps SET idx = 7 WHERE request_id = $1 AND idx = 1",
		"UPDATE votes SET verdict = 'confirm' WHERE request_id = $1",
		"UPDATE votes SET body = '[]' WHERE request_id = $1",
		"UPDATE votes SET voter_id = 'eve@example.com' WHERE request_id = $1",
	} {
		r := Pending(t, fmt.Sprintf("AAAA%04d", i), 2)
		Insert(t, s.db, r)
		require.NoError(t, s.db.InTx(ctx, func(tx *store.Tx) error { return tx.AddVote(ctx, Vote(r, "bob@example.com"), approvals.Event{}) }))
		require.Equal(t, int64(1), min(1, Exec(t, Raw(t, s.url), change, r.ID)), change)
		_, err := s.db.Request(ctx, r.ID)
		require.Equal(t, approvals.KindTampering, approvals.KindOf(err), "%s: %v", change, err)
		err = s.db.InTx(ctx, func(tx *store.Tx) error { _, err := tx.Request(ctx, r.ID); return err })
		require.Equal(t, approvals.KindTampering, approvals.KindOf(err), change)
	}
	good := Pending(t, "GOOD0000", 2)
	Insert(t, s.db, good)
	list, err := s.db.Requests(ctx, store.Filter{})
	require.NoError(t, err)
	require.Len(t, list, 1, "what is damaged does not hide what is not")
	require.Equal(t, good.ID, list[0].ID)
}
