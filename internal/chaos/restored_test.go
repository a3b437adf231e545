package chaos

import (
	"context"
	"crypto/rand"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
	"github.com/mde-ops/mde-ops/internal/failpoint"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// restored puts a backup in the place of a database after what it remembers as half done was finished, and kills workers
// while they compare it with the tenant. Everything is stopped until that is done and people lift it; nothing is sent twice.
func restored(tr *trial) {
	t := tr.T
	first := tr.store.url(t)
	h := newHouse(t, tr.bin, first, &mdesim.Tenant{Devices: 10, Latency: 30 * time.Millisecond})
	for range 5 {
		h.approve(t, h.ask(t, 4))
	}
	pending := h.ask(t, 4)
	busy := h.spawn(t, mdesim.DefaultAppID, "")
	wait(t.Context(), t, 30*time.Second, "something is sent", func() bool { return len(h.tenant.Effects()) > 0 })
	busy.kill()
	h.app.Close()
	backup := copied(t, first)
	h.open(t)
	h.approve(t, pending)
	worker := h.spawn(t, mdesim.DefaultAppID, "")
	rest(t, h, worker, func() {})
	worker.interrupt(t) // with a last checkpoint, which the backup is older than
	h.app.Close()
	h.ledger.restored(t)
	h.environ = append(h.environ, "MDE_STORE="+backup) // the last value counts
	h.open(t)
	require.NotEmpty(t, h.live(t))
	for n := range tr.kills {
		dying := h.spawn(t, applications()[n%2], failpoint.DuringRestore+":"+strconv.Itoa(1+n%2))
		select {
		case <-dying.done:
		case <-time.After(30 * time.Second):
			require.Fail(t, "it did not die", tail(dying.log.String()))
		}
		require.True(t, dying.killed(t))
	}
	tr.count(failpoint.DuringRestore, tr.kills)
	healthy := h.spawn(t, mdesim.DefaultAppID, "")
	wait(t.Context(), t, time.Minute, "the restored database is compared with the tenant", func() bool {
		stops, err := h.app.Gate.Board().InForce(t.Context())
		require.NoError(t, err)
		return len(stops) == 1 && strings.HasPrefix(stops[0].Why, "reconciled: ")
	})
	h.lifted(t, func() {})
	rest(t, h, healthy, func() {})
	v := tr.verdict(h, healthy)
	require.Positive(t, v.adopted)
	now, err := h.app.Gate.Get(t.Context(), pending.ID)
	require.NoError(t, err)
	require.Equal(t, approvals.Cancelled, now.State, "it was performed after the backup was made")
}

// copied copies a database that nobody uses and returns its URL.
func copied(t *testing.T, from string) string {
	t.Helper()
	if path, ok := strings.CutPrefix(from, "sqlite:"); ok {
		to := filepath.Join(t.TempDir(), "backup.db")
		for _, suffix := range []string{"", "-wal"} {
			text, err := os.ReadFile(path + suffix)
			if suffix != "" && os.IsNotExist(err) {
				continue
			}
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(to+suffix, text, 0o600))
		}
		return "sqlite:" + to
	}
	u, err := url.Parse(from)
	require.NoError(t, err)
	source := strings.TrimPrefix(u.Path, "/")
	name := "mde_test_" + strings.ToLower(rand.Text()[:12])
	db, err := sql.Open("pgx", os.Getenv(storetest.PostgresEnv))
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := db.ExecContext(context.WithoutCancel(t.Context()), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
		require.NoError(t, err)
		_ = db.Close()
	})
	wait(t.Context(), t, 30*time.Second, "the connections of the dead are gone", func() bool {
		_, err = db.ExecContext(t.Context(), "CREATE DATABASE "+name+" TEMPLATE "+source)
		return err == nil
	})
	u.Path = "/" + name
	return u.String()
}
