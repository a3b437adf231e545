package store_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
)

func TestALookChangesNothing(t *testing.T) {
	t.Parallel()
	storetest.EachEmpty(t, func(t *testing.T, newURL func(testing.TB) string) {
		url := newURL(t)
		before, err := store.Look(t.Context(), store.Options{URL: url})
		require.NoError(t, err)
		require.Equal(t, !before.Postgres, before.Missing, "a file is made by whoever opens it")
		require.False(t, before.Current())
		require.False(t, before.Newer())
		require.Positive(t, before.Needs)
		require.Positive(t, before.QueueNeeds)
		again, err := store.Look(t.Context(), store.Options{URL: url})
		require.NoError(t, err)
		require.Equal(t, before, again, "nothing was made")

		storetest.Open(t, url, store.Options{})
		after, err := store.Look(t.Context(), store.Options{URL: url})
		require.NoError(t, err)
		require.True(t, after.Current(), "%+v", after)
		require.False(t, after.Missing)
		if after.Postgres {
			require.True(t, after.Votes, "the owner may")
			require.NotEmpty(t, after.Role)
			require.NotContains(t, after.Place, "@")
		} else {
			require.EqualValues(t, 0o600, after.Mode)
		}

		raw := storetest.Raw(t, url)
		storetest.Exec(t, raw, "INSERT INTO mde_migration (version_id, is_applied) VALUES (999, "+map[bool]string{true: "TRUE", false: "1"}[after.Postgres]+")")
		newer, err := store.Look(t.Context(), store.Options{URL: url})
		require.NoError(t, err)
		require.True(t, newer.Newer())
	})
}

func TestALookAtWhatIsNoDatabase(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/letter.db"
	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("Dear auditor, ", 200)), 0o600))
	_, err := store.Look(t.Context(), store.Options{URL: path})
	require.Equal(t, approvals.KindStore, approvals.KindOf(err))
	require.ErrorContains(t, err, "is not a SQLite database")
	for _, url := range []string{"postgres://root:hunter2@127.0.0.1:1/mde", "postgres://root:hunter2@[::1/mde", "mysql://root:hunter2@db/mde"} {
		_, err := store.Look(t.Context(), store.Options{URL: url})
		require.Equal(t, approvals.KindStore, approvals.KindOf(err), url)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestThePulseOfTheQueues(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, newURL func(testing.TB) string) {
		db := storetest.Open(t, newURL(t), store.Options{})
		p, err := db.Pulse(t.Context())
		require.NoError(t, err)
		require.Empty(t, p.Worked)
		require.Empty(t, p.Waiting)

		began := time.Now()
		require.NoError(t, db.InTx(t.Context(), func(tx *store.Tx) error {
			return tx.Enqueue(t.Context(), store.Job{Kind: store.Notify, RequestID: "ABCD2345"}, time.Time{})
		}))
		p, err = db.Pulse(t.Context())
		require.NoError(t, err)
		require.Empty(t, p.Worked)
		require.WithinDuration(t, began, p.Waiting[store.QueueSlack], 5*time.Second)
		require.Len(t, p.Waiting, 1)

		engine, err := db.Work(t.Context(), store.WorkOptions{Handler: &storetest.Recorder{}, Queues: []store.Queue{store.QueueSlack}})
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			p, err = db.Pulse(t.Context())
			return err == nil && !p.Worked[store.QueueSlack].IsZero() && p.Waiting[store.QueueSlack].IsZero()
		}, 20*time.Second, 20*time.Millisecond)
		require.WithinDuration(t, time.Now(), p.Worked[store.QueueSlack], 25*time.Second)
		require.NoError(t, engine.Stop(context.WithoutCancel(t.Context())))
	})
}
