package store_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Each(t, storetest.Run)
}

func TestSimultaneousFirstStarts(t *testing.T) {
	t.Parallel()
	storetest.EachEmpty(t, func(t *testing.T, newURL func(testing.TB) string) {
		for range 3 {
			storetest.OpenTogether(t, newURL(t), 3)
		}
	})
}

// openInChild makes this test binary open a database and leave a note in it, as another process.
const openInChild = "MDE_TEST_OPEN_IN_CHILD"

func TestMain(m *testing.M) {
	if u := os.Getenv(openInChild); u != "" {
		if err := firstStart(u); err != nil {
			_, _ = os.Stderr.WriteString(chain(err))
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func firstStart(u string) error {
	ctx := context.Background()
	db, err := store.Open(ctx, store.Options{URL: u})
	if err != nil {
		return err
	}
	err = db.InTx(ctx, func(tx *store.Tx) error {
		return tx.Note(ctx, approvals.Event{Type: "started", Actor: "worker", Step: -1})
	})
	return errors.Join(err, db.Close())
}

// TestFirstStartsOfProcesses starts three processes at once on an empty database: it is migrated once, and all three
// work.
func TestFirstStartsOfProcesses(t *testing.T) {
	t.Parallel()
	storetest.EachEmpty(t, func(t *testing.T, newURL func(testing.TB) string) {
		u := newURL(t)
		self, err := os.Executable()
		require.NoError(t, err)
		outputs, errs := make([][]byte, 3), make([]error, 3)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				cmd := exec.CommandContext(t.Context(), self)
				cmd.Env = append(os.Environ(), openInChild+"="+u)
				outputs[i], errs[i] = cmd.CombinedOutput()
			})
		}
		wg.Wait()
		for i := range errs {
			require.NoError(t, errs[i], string(outputs[i]))
		}
		db := storetest.Open(t, u, store.Options{})
		report, err := db.VerifyAudit(context.Background())
		require.NoError(t, err)
		require.Empty(t, report.Faults)
		require.Equal(t, int64(3), report.Rows)
	})
}
