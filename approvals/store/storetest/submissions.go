package storetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// sent stores a request of a tool whose first steps were sent at a time, and whose others still wait.
func sent(t *testing.T, db *store.DB, r approvals.Request, tool string, steps int, at time.Time) {
	t.Helper()
	r.Plan.Tool = tool
	Insert(t, db, r)
	Move(t, db, r.ID, approvals.Approved)
	Move(t, db, r.ID, approvals.Running)
	for i := range steps {
		MoveStep(t, db, store.StepMove{ID: r.ID, Index: i, To: approvals.StepSending, At: at})
	}
}

func testRecent(t *testing.T, s suite) {
	ctx := context.Background()
	at := func(m time.Duration) time.Time { return Noon().Add(m * time.Minute) }
	sent(t, s.db, Pending(t, "AAAA0001", 3), "isolate_devices", 2, at(10)) // and one to be sent
	alias := Pending(t, "AAAA0002", 2)
	alias.Requester.ID = "ann.other@example.com" // with the same Slack name
	sent(t, s.db, alias, "run_script", 2, at(30))
	other := Pending(t, "AAAA0003", 1)
	other.Requester.Person = approvals.Person{ID: "bob@example.com"}
	sent(t, s.db, other, "isolate_devices", 1, at(50))
	Insert(t, s.db, Pending(t, "AAAA0004", 5)) // pending counts for nothing
	approved := Pending(t, "AAAA0005", 4)
	approved.Plan.Risk = approvals.RiskExecute
	Insert(t, s.db, approved)
	Move(t, s.db, approved.ID, approvals.Approved)

	hour, half := approvals.Window{Length: time.Hour}, approvals.Window{Length: 30 * time.Minute}
	tool, risk, mine := hour, hour, hour
	tool.Tool, risk.Risk, mine.Mine = "isolate_devices", approvals.RiskExecute, true
	recent := func(q approvals.RecentQuery) approvals.Recent {
		q.Windows = []approvals.Window{hour, half, tool, risk, mine}
		q.Requester = approvals.Person{ID: "someone@example.com", Aliases: []string{"SLACK:t1/u1"}}
		got, err := s.db.Recent(ctx, q)
		require.NoError(t, err)
		return got
	}
	require.Equal(t, approvals.Recent{hour: 10, half: 6, tool: 8, risk: 4, mine: 9}, recent(approvals.RecentQuery{At: at(60)}))
	require.Equal(t, approvals.Recent{hour: 6, half: 2, tool: 4, risk: 0, mine: 5}, recent(approvals.RecentQuery{At: at(60), Except: "AAAA0005"}))
	require.Equal(t, 7, recent(approvals.RecentQuery{At: at(60), Except: "AAAA0001"})[hour])
	require.Equal(t, 9, recent(approvals.RecentQuery{At: at(50)})[hour], "what is sent at that very moment does not count")
	require.Equal(t, 8, recent(approvals.RecentQuery{At: at(70)})[hour], "nor what was sent when the window began")
	require.Zero(t, recent(approvals.RecentQuery{At: at(1)})[hour], "nor what was decided at that moment")
	none, err := s.db.Recent(ctx, approvals.RecentQuery{At: at(60)})
	require.NoError(t, err)
	require.Empty(t, none)
}

func testTwins(t *testing.T, s suite) {
	ctx := context.Background()
	twins := func(key string) (ids []string) {
		require.NoError(t, s.db.InTx(ctx, func(tx *store.Tx) (err error) {
			ids, err = tx.Twins(ctx, key)
			return err
		}))
		return ids
	}
	for i, id := range []string{"AAAA0003", "AAAA0002", "AAAA0001"} {
		r := Pending(t, id, 1)
		r.Key, r.CreatedAt = r.Plan.Key(), Noon().Add(time.Duration(i)*time.Second)
		Insert(t, s.db, r)
	}
	key := Pending(t, "AAAA0001", 1).Plan.Key()
	require.Equal(t, []string{"AAAA0003", "AAAA0002", "AAAA0001"}, twins(key))
	require.Empty(t, twins(Pending(t, "AAAA0001", 2).Plan.Key()))
	Move(t, s.db, "AAAA0003", approvals.Denied)
	Move(t, s.db, "AAAA0002", approvals.Approved)
	Move(t, s.db, "AAAA0002", approvals.Running)
	require.Equal(t, []string{"AAAA0002", "AAAA0001"}, twins(key))
}

func attach(db *store.DB, r approvals.Request, id string) error {
	return db.InTx(context.Background(), func(tx *store.Tx) error {
		return tx.Attach(context.Background(), r, approvals.Person{ID: id, Aliases: []string{"slack:T1/U2"}}, Noon().Add(time.Minute))
	})
}

func testAttach(t *testing.T, s suite) {
	ctx := context.Background()
	r := Pending(t, "AAAA0001", 1)
	Insert(t, s.db, r)
	require.NoError(t, attach(s.db, r, "bob@example.com"))
	kind(t, approvals.KindConflict, attach(s.db, r, "cat@example.com")) // of the version that was
	got, err := s.db.Request(ctx, r.ID)
	require.NoError(t, err)
	require.NoError(t, attach(s.db, got, "cat@example.com"))
	kind(t, approvals.KindInvalid, attach(s.db, got, " "))
	got, err = s.db.Request(ctx, r.ID)
	require.NoError(t, err)
	require.Equal(t, []string{"bob@example.com", "cat@example.com"}, []string{got.Attached[0].ID, got.Attached[1].ID})
	require.Equal(t, []string{"slack:T1/U2"}, got.Attached[0].Aliases)
	require.Equal(t, int64(3), got.Version)
	require.Equal(t, r.State, got.State)
	events, err := s.db.Events(ctx, store.Query{RequestID: r.ID})
	require.NoError(t, err)
	require.NoError(t, approvals.CheckHistory(got, events))
	Move(t, s.db, r.ID, approvals.Denied)
	got, err = s.db.Request(ctx, r.ID)
	require.NoError(t, err)
	kind(t, approvals.KindConflict, attach(s.db, got, "dan@example.com"))
	verified(t, s.db)
}

// testAttachAndVote has one person vote and ask at once, through two handles: only one of the two is taken.
func testAttachAndVote(t *testing.T, s suite) {
	ctx := context.Background()
	other := Open(t, s.url, store.Options{})
	for _, id := range []string{"AAAA0001", "AAAA0002", "AAAA0003", "AAAA0004"} {
		r := Pending(t, id, 1)
		Insert(t, s.db, r)
		var voted, joined error
		var all sync.WaitGroup
		all.Go(func() {
			voted = s.db.InTx(ctx, func(tx *store.Tx) error {
				if err := tx.AddVote(ctx, Vote(r, "bob@example.com"), approvals.Event{}); err != nil {
					return err
				}
				return tx.Move(ctx, store.Move{ID: r.ID, From: r.State, To: r.State, Version: r.Version, At: Noon()})
			})
		})
		all.Go(func() { joined = attach(other, r, "bob@example.com") })
		all.Wait()
		require.Equal(t, 1, len(slices.DeleteFunc([]error{voted, joined}, func(err error) bool { return err != nil })), "%v, %v", voted, joined)
		kind(t, approvals.KindConflict, errors.Join(voted, joined))
	}
	verified(t, s.db)
}

func testMarks(t *testing.T, s suite) {
	ctx := context.Background()
	note := func(kind, detail string) {
		require.NoError(t, s.db.InTx(ctx, func(tx *store.Tx) error {
			return tx.Note(ctx, approvals.Event{Type: kind, Actor: "gate", Step: -1, Detail: detail})
		}))
	}
	newest := func(kind string) (detail string, found bool) {
		require.NoError(t, s.db.InTx(ctx, func(tx *store.Tx) error {
			e, ok, err := tx.LastMark(ctx, kind)
			detail, found = e.Detail, ok
			return err
		}))
		return detail, found
	}
	_, found := newest(approvals.EventPolicy)
	require.False(t, found)
	for _, e := range []string{"policy one", "stopped all", "refused no", "policy two", "lifted all"} {
		note(strings.Fields(e)[0], e)
	}
	detail, found := newest(approvals.EventPolicy)
	require.True(t, found)
	require.Equal(t, "policy two", detail)
	_, found = newest("refused")
	require.False(t, found, "only marks are found")
	list, err := s.db.Marks(ctx, []string{approvals.EventStopped, approvals.EventPolicy}, 1)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, []int64{2, 4}, []int64{list[0].Seq, list[1].Seq})
}
