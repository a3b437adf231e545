package storetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals/store"
)

func testMessages(t *testing.T, s suite) {
	ctx := context.Background()
	const takeOver = time.Minute
	reserve := func(after time.Duration) (store.Message, bool) {
		m, mine, err := s.db.ReserveMessage(ctx, "AAAA0001", "card", Noon().Add(after), takeOver)
		require.NoError(t, err)
		return m, mine
	}
	_, ok, err := s.db.Message(ctx, "AAAA0001", "card")
	require.NoError(t, err)
	require.False(t, ok)

	m, mine := reserve(0)
	require.True(t, mine)
	require.Equal(t, store.Message{RequestID: "AAAA0001", Key: "card", ReservedAt: Noon()}, m)
	_, mine = reserve(takeOver - time.Millisecond)
	require.False(t, mine)
	_, mine = reserve(takeOver)
	require.True(t, mine, "the process that reserved it has died")
	require.NoError(t, s.db.ReleaseMessage(ctx, "AAAA0001", "card"))
	m, mine = reserve(takeOver + time.Second)
	require.True(t, mine, "a released reservation is free")

	Insert(t, s.db, Pending(t, "AAAA0001", 1))
	m.Channel, m.TS, m.Version = "C1", "1700.1", 1
	require.NoError(t, s.db.PostedMessage(ctx, m))
	got, mine := reserve(24 * time.Hour)
	require.False(t, mine, "what is posted is never posted again")
	require.Equal(t, m, got)
	require.NoError(t, s.db.ReleaseMessage(ctx, "AAAA0001", "card"))
	got, ok, err = s.db.Message(ctx, "AAAA0001", "card")
	require.NoError(t, err)
	require.True(t, ok, "what is posted is not released")
	require.Equal(t, m, got)

	m.Version = 2
	require.NoError(t, s.db.PostedMessage(ctx, m))
	m.Version = 1
	require.NoError(t, s.db.PostedMessage(ctx, m))
	got, _, err = s.db.Message(ctx, "AAAA0001", "card")
	require.NoError(t, err)
	require.Equal(t, int64(2), got.Version, "an older version does not replace a newer one")
	_, mine, err = s.db.ReserveMessage(ctx, "AAAA0001", "thread:succeeded", Noon(), takeOver)
	require.NoError(t, err)
	require.True(t, mine)
	_, _, err = s.db.ReserveMessage(ctx, "AAAA0002", "card", Noon(), takeOver)
	require.NoError(t, err)
	all, err := s.db.Messages(ctx, "AAAA0001")
	require.NoError(t, err)
	require.Equal(t, map[string]store.Message{
		"card": got, "thread:succeeded": {RequestID: "AAAA0001", Key: "thread:succeeded", ReservedAt: Noon()},
	}, all, "posted and reserved, of this request alone")
}

func testMessageOnce(t *testing.T, s suite) {
	other := Open(t, s.url, store.Options{})
	var won atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, 12)
	for i := range errs {
		wg.Go(func() {
			db := []*store.DB{s.db, other}[i%2]
			_, mine, err := db.ReserveMessage(context.Background(), "AAAA0001", "card", Noon(), time.Minute)
			errs[i] = err
			if mine {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, int64(1), won.Load())
}

func testDeliveries(t *testing.T, s suite) {
	ctx := context.Background()
	first := func(scope, key string, at time.Time) (first bool) {
		require.NoError(t, s.db.InTx(ctx, func(tx *store.Tx) (err error) {
			first, err = tx.FirstTime(ctx, scope, key, at)
			return err
		}))
		return first
	}
	require.True(t, first("slack", "E1", Noon()))
	require.False(t, first("slack", "E1", Noon().Add(time.Hour)))
	require.True(t, first("other", "E1", Noon()))
	require.True(t, first("slack", "E2", Noon().Add(time.Hour)))
	require.NoError(t, s.db.Prune(ctx, Noon().Add(time.Minute)))
	require.False(t, first("slack", "E2", Noon().Add(2*time.Hour)))
	require.True(t, first("slack", "E1", Noon().Add(2*time.Hour)))
}
