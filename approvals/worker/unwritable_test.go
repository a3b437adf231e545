package worker_test

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/gate"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
	"github.com/mde-ops/mde-ops/approvals/worker"
)

// unwritable makes every further audit row fail, as a full disk or a right that was taken away does, until the returned
// function is called.
func unwritable(t *testing.T, raw *sql.DB, url string) (mend func()) {
	t.Helper()
	if strings.HasPrefix(url, "sqlite:") {
		storetest.Exec(t, raw, "CREATE TRIGGER audit_full BEFORE INSERT ON audit_event BEGIN SELECT RAISE(ABORT, 'disk full'); END")
		return func() { storetest.Exec(t, raw, "DROP TRIGGER audit_full") }
	}
	storetest.Exec(t, raw, "CREATE OR REPLACE FUNCTION audit_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'disk full'; END $$")
	storetest.Exec(t, raw, "CREATE TRIGGER audit_full BEFORE INSERT ON audit_event FOR EACH ROW EXECUTE FUNCTION audit_full()")
	return func() { storetest.Exec(t, raw, "DROP TRIGGER audit_full ON audit_event") }
}

func TestWhileTheAuditCantBeWrittenNothingActs(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		raw := storetest.Raw(t, l.URL)
		asked, ready, fleet := l.Submit(lab.Plan("isolate_devices", 1)), approved(l, 1), approved(l, 3)
		var mend func()
		l.Tenant.OnApply = func(task worker.Task) { // in the midst of a fleet, with its second step on the wire
			if task.Index == 1 {
				l.Tenant.OnApply = nil
				mend = unwritable(t, raw, l.URL)
			}
		}
		handle := func(id string) error {
			_, err := l.Worker.Handle(ctx(), store.Job{Kind: store.Advance, RequestID: id})
			return err
		}
		for range 10 {
			if handle(fleet.ID) != nil {
				break
			}
		}
		require.NotNil(t, mend)
		require.Len(t, l.Tenant.Sends(), 2)
		for range 3 {
			l.Clock.Advance(10 * time.Second)
			require.Error(t, handle(ready.ID))
			_ = handle(fleet.ID)
		}
		require.Error(t, l.Cast(asked.ID, lab.Person("bob"), approvals.VerdictApprove), "a vote is not counted without its row")
		_, err := l.Gate.Submit(ctx(), gate.Submission{Plan: lab.Plan("isolate_devices", 1), Requester: lab.Ann()})
		lab.Kind(t, approvals.KindStore, err)
		require.Len(t, l.Tenant.Sends(), 2, "nothing more was sent")
		require.Empty(t, l.Get(asked.ID).Votes)

		mend()
		require.Equal(t, approvals.Succeeded, l.Settle(ready.ID).State)
		require.Equal(t, approvals.Succeeded, l.Settle(fleet.ID).State)
		require.Len(t, l.Tenant.Effects(), 4, "and nothing was sent twice")
		l.Verified()
	})
}
