package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
)

func testRetention(t *testing.T, s suite) {
	ctx := context.Background()
	for i, id := range []string{"AAAA0001", "AAAA0002", "AAAA0003"} {
		Insert(t, s.db, Pending(t, id, 1))
		for _, key := range []string{"card", "thread:denied"} {
			require.NoError(t, s.db.PostedMessage(ctx, store.Message{
				RequestID: id, Key: key, Channel: "C1", TS: "1.2", Version: 1, ReservedAt: Noon().Add(time.Duration(i) * time.Second),
			}))
		}
	}
	require.NoError(t, s.db.PostedMessage(ctx, store.Message{RequestID: "stop", Key: "card", TS: "1.3", ReservedAt: Noon()}))
	Move(t, s.db, "AAAA0001", approvals.Denied) // a minute after noon
	Move(t, s.db, "AAAA0003", approvals.Denied)
	left := func() (n int) {
		for _, id := range []string{"AAAA0001", "AAAA0002", "AAAA0003", "stop"} {
			for _, key := range []string{"card", "thread:denied"} {
				if _, ok, err := s.db.Message(ctx, id, key); ok {
					n++
				} else {
					require.NoError(t, err)
				}
			}
		}
		return n
	}
	ended := Noon().Add(time.Minute)
	n, err := s.db.PruneMessages(ctx, ended, 100)
	require.NoError(t, err)
	require.Zero(t, n, "at that very moment it has only just ended")
	n, err = s.db.PruneMessages(ctx, ended.Add(time.Millisecond), 3)
	require.NoError(t, err)
	require.Equal(t, int64(3), n, "no more than it was told to at once")
	require.Equal(t, 4, left())
	n, err = s.db.PruneMessages(ctx, ended.Add(time.Millisecond), 3)
	require.NoError(t, err)
	require.Equal(t, int64(1), n)
	require.Equal(t, 3, left(), "what is open keeps its messages, and so does what is no request")
	list, err := s.db.Requests(ctx, store.Filter{})
	require.NoError(t, err)
	require.Len(t, list, 3)

	for i := range 5 {
		require.NoError(t, s.db.InTx(ctx, func(tx *store.Tx) error {
			_, err := tx.FirstTime(ctx, "slack", fmt.Sprint(i), Noon().Add(time.Duration(i)*time.Minute))
			return err
		}))
	}
	require.NoError(t, s.db.Prune(ctx, Noon().Add(3*time.Minute)))
	require.Equal(t, []string{"3", "4"}, texts(t, Raw(t, s.url), "SELECT item FROM seen ORDER BY item"))
	verified(t, s.db)
}
