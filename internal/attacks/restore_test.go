package attacks_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/audit"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// checkpoints are kept outside the database, signed with a key that is not in it.
type checkpoints struct {
	h      *house
	keep   *audit.Folder
	signer *audit.Signer
	keys   audit.Keys
}

func (h *house) checkpoints() *checkpoints {
	h.t.Helper()
	keep, err := audit.OpenFolder(filepath.Join(h.t.TempDir(), "checkpoints"), true)
	require.NoError(h.t, err)
	private, public, err := audit.NewKeys()
	require.NoError(h.t, err)
	signer, err := audit.ParseSigner(private)
	require.NoError(h.t, err)
	keys, err := audit.ParseKeys(public)
	require.NoError(h.t, err)
	return &checkpoints{h: h, keep: keep, signer: signer, keys: keys}
}

// keeper writes and reads them, as a process that has just begun.
func (c *checkpoints) keeper() *audit.Keeper {
	c.h.t.Helper()
	k, err := audit.NewKeeper(audit.KeeperOptions{
		Store: c.h.db, Keep: c.keep, Signer: c.signer, Keys: c.keys, Origin: "attacks", Clock: c.h.clock.Now, Logger: c.h.log,
	})
	require.NoError(c.h.t, err)
	return k
}

// A backup from before is put in the place of the database, so that an approval which was used is there once more. The
// worker starts stopped, finds in the tenant what was done, and people lift the stop.
func TestADatabaseRestoredFromABackup(t *testing.T) {
	t.Parallel()
	h := open(t, plan{})
	kept := h.checkpoints()
	path := strings.TrimPrefix(h.url, "sqlite:")
	done, card := h.asked(mdesim.NameHost)
	h.pressed(slacksim.Bob, card, "Approve")
	unused, card := h.asked(mdesim.NameVIP)
	h.pressed(slacksim.Bob, card, "Approve")
	require.Equal(t, approvals.Approved, h.state(unused).State)
	h.backUp(path)

	require.Equal(t, approvals.Succeeded, h.settle(done).State)
	require.Equal(t, 1, h.tenant.Writes())
	_, err := kept.keeper().Checkpoint(t.Context())
	require.NoError(t, err)

	h.restore(path)
	h.build(plan{})
	h.worker = h.newWorker(plan{restored: kept.keeper().Restored})
	require.Equal(t, approvals.Approved, h.state(done).State, "as if it had never run")
	before := h.head()
	require.NoError(t, h.worker.Start(t.Context()))
	require.Eventually(t, func() bool { return h.state(done).State == approvals.Cancelled }, patience, 10*time.Millisecond,
		"what the tenant has done already is found there")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, h.worker.Stop(ctx))
	h.recorded(before, approvals.EventStopped, "gate", "restore: ")
	require.Equal(t, approvals.KindHeld, approvals.KindOf(h.board.Held(t.Context(), "isolate_devices")))
	h.sent(1)
	require.NotEqual(t, approvals.Running, h.state(unused).State, "nothing goes on before people lift the stop")
}

func (h *house) backUp(path string) {
	h.t.Helper()
	storetest.Exec(h.t, storetest.Raw(h.t, h.url), "VACUUM INTO '"+path+".bak'")
}

// restore puts the backup in the place of the database, with nobody having it open.
func (h *house) restore(path string) {
	h.t.Helper()
	h.gate.Close()
	require.NoError(h.t, h.db.Close())
	require.NoError(h.t, os.Chmod(path+".bak", 0o600))
	h.url = "sqlite:" + path + ".bak"
}

// A database is put back in place to a moment within a fleet, while the worker runs: it notices, compares, and people lift the stop.
func TestADatabaseRestoredUnderARunningWorker(t *testing.T) {
	t.Parallel()
	var h *house
	var once sync.Once
	h = open(t, plan{tenant: func(tn *mdesim.Tenant) {
		tn.OnAccepted = func(mdesim.Effect) { once.Do(func() { h.backUp(strings.TrimPrefix(h.url, "sqlite:")) }) }
	}})
	done := h.running()
	require.Equal(t, approvals.Succeeded, h.settle(done).State)
	require.Equal(t, 2, h.tenant.Writes())

	raw := storetest.Raw(t, h.url)
	raw.SetMaxOpenConns(1)
	storetest.Exec(t, raw, "ATTACH '"+strings.TrimPrefix(h.url, "sqlite:")+".bak' AS bak")
	for _, table := range []string{"timeboxes", "votes", "steps", "requests", "audit_event", "audit_head", "messages", "seen"} {
		storetest.Exec(t, raw, "DELETE FROM main."+table)
		storetest.Exec(t, raw, "INSERT INTO main."+table+" SELECT * FROM bak."+table)
	}
	require.Equal(t, approvals.KindHeld, approvals.KindOf(h.board.Held(t.Context(), "isolate_devices")))
	require.Equal(t, approvals.Running, h.state(done).State)
	h.sent(2) // which compares it with the tenant
	h.lifted("all", "restore")
	h.sent(2)
	require.Equal(t, approvals.Succeeded, h.settle(done).State)
	h.sent(2)
}
