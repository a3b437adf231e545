package storetest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
)

func box(index int) store.Timebox {
	return store.Timebox{
		RequestID: "AAAA0001", Index: index, Target: "DEVICE0", Tool: "release_devices",
		ArmedAt: Noon(), Due: Noon().Add(4 * time.Hour), Message: "until 16:00",
	}
}

func arm(t *testing.T, db *store.DB, b store.Timebox) {
	t.Helper()
	require.NoError(t, db.InTx(context.Background(), func(tx *store.Tx) error { return tx.Arm(context.Background(), b, "worker") }))
}

func moveBox(db *store.DB, m store.TimeboxMove) error {
	return db.InTx(context.Background(), func(tx *store.Tx) error { return tx.MoveTimebox(context.Background(), m) })
}

// testTimeboxes goes through the life of a time-box: armed once, found when due, released, back, closed for good.
func testTimeboxes(t *testing.T, s suite) {
	ctx := context.Background()
	Insert(t, s.db, Pending(t, "AAAA0001", 2))
	arm(t, s.db, box(1))
	again := box(1)
	again.Due = Noon().Add(time.Hour)
	arm(t, s.db, again)

	boxes, err := s.db.Timeboxes(ctx, "AAAA0001")
	require.NoError(t, err)
	require.Equal(t, []store.Timebox{{
		RequestID: "AAAA0001", Index: 1, Target: "device0", Tool: "release_devices", State: store.TimeboxArmed, Version: 1,
		ArmedAt: Noon(), Due: Noon().Add(4 * time.Hour), TryAt: Noon().Add(4 * time.Hour), Message: "until 16:00", UpdatedAt: Noon(),
	}}, boxes, "armed a second time, the first stands")
	due := func(after time.Duration) []string {
		ids, err := s.db.DueTimeboxes(ctx, Noon().Add(after))
		require.NoError(t, err)
		return ids
	}
	require.Empty(t, due(4*time.Hour-time.Millisecond))
	require.Equal(t, []string{"AAAA0001"}, due(4*time.Hour))

	at := Noon().Add(4 * time.Hour)
	held := store.TimeboxMove{
		RequestID: "AAAA0001", Index: 1, From: store.TimeboxArmed, To: store.TimeboxArmed, Version: 1, At: at,
		TryAt: at.Add(time.Minute), Trouble: "held", Message: "stopped", Actor: "worker",
	}
	require.NoError(t, moveBox(s.db, held))
	kind(t, approvals.KindConflict, moveBox(s.db, held))
	require.Empty(t, due(4*time.Hour), "held, it is looked at a minute later")
	release := store.TimeboxMove{
		RequestID: "AAAA0001", Index: 1, From: store.TimeboxArmed, To: store.TimeboxReleasing, Version: 2, At: at,
		ReleaseID: "BBBB0001", Message: "by request BBBB0001", Actor: "worker",
	}
	require.NoError(t, moveBox(s.db, release))
	kind(t, approvals.KindConflict, moveBox(s.db, release))
	boxes, err = s.db.Timeboxes(ctx, "AAAA0001")
	require.NoError(t, err)
	require.Equal(t, "BBBB0001", boxes[0].ReleaseID)
	require.Empty(t, boxes[0].Trouble)
	require.True(t, boxes[0].Open())

	require.NoError(t, moveBox(s.db, store.TimeboxMove{
		RequestID: "AAAA0001", Index: 1, From: store.TimeboxReleasing, To: store.TimeboxClosed, Version: 3, At: at, Message: "released", Actor: "worker",
	}))
	require.Empty(t, due(24*time.Hour))
	kind(t, approvals.KindConflict, moveBox(s.db, store.TimeboxMove{
		RequestID: "AAAA0001", Index: 1, From: store.TimeboxClosed, To: store.TimeboxArmed, Version: 4, At: at, Message: "again", Actor: "worker",
	}))
	testBoxAudit(t, s)
}

func testBoxAudit(t *testing.T, s suite) {
	t.Helper()
	events, err := s.db.Events(context.Background(), store.Query{RequestID: "AAAA0001"})
	require.NoError(t, err)
	var said []string
	for _, e := range events {
		if e.Type == store.EventTimebox {
			require.Equal(t, 1, e.Step)
			said = append(said, e.Detail)
		}
	}
	require.Equal(t, []string{"armed: until 16:00", "releasing: by request BBBB0001", "closed: released"}, said, "a touch leaves no row")
	verified(t, s.db)
	testBoxTampering(t, s)
}

// testBoxTampering changes time-boxes behind the store's back. Whoever closes or removes one by hand is found.
func testBoxTampering(t *testing.T, s suite) {
	t.Helper()
	raw := Raw(t, s.url)
	for _, c := range []struct{ change, undo, want string }{
		{
			"UPDATE timeboxes SET state = 'armed'", "UPDATE timeboxes SET state = 'closed'",
			`the time-box of step 1 of request AAAA0001 is "armed", but the audit says "closed"`,
		},
		{
			"UPDATE timeboxes SET idx = 0", "UPDATE timeboxes SET idx = 1",
			"the time-box of step 1 of request AAAA0001 is in the audit but not in the table: it was removed",
		},
		{
			"INSERT INTO timeboxes SELECT request_id, 0, target, tool, state, version, armed_ms, due_ms, try_ms, release_id, trouble, message, updated_ms FROM timeboxes",
			"DELETE FROM timeboxes WHERE idx = 0", "the time-box of step 0 of request AAAA0001 is not in the audit",
		},
		{"DELETE FROM timeboxes", "", "the time-box of step 1 of request AAAA0001 is in the audit but not in the table: it was removed"},
	} {
		require.EqualValues(t, 1, Exec(t, raw, c.change))
		report, err := s.db.VerifyAudit(context.Background())
		require.NoError(t, err)
		require.NotEmpty(t, report.Faults, c.change)
		require.Contains(t, strings.Join(report.Faults, "\n"), c.want)
		if c.undo != "" {
			Exec(t, raw, c.undo)
			verified(t, s.db)
		}
	}
}

// testTimeboxRefuses is about what no time-box may be, and about the target's name.
func testTimeboxRefuses(t *testing.T, s suite) {
	ctx := context.Background()
	Insert(t, s.db, Pending(t, "AAAA0001", 1))
	for name, change := range map[string]func(*store.Timebox){
		"no request": func(b *store.Timebox) { b.RequestID = "" },
		"no target":  func(b *store.Timebox) { b.Target = "" },
		"no tool":    func(b *store.Timebox) { b.Tool = "" },
		"no start":   func(b *store.Timebox) { b.ArmedAt = time.Time{} },
		"no time":    func(b *store.Timebox) { b.Due = b.ArmedAt },
	} {
		b := box(0)
		change(&b)
		err := s.db.InTx(ctx, func(tx *store.Tx) error { return tx.Arm(ctx, b, "worker") })
		require.Equal(t, approvals.KindInvalid, approvals.KindOf(err), name)
	}
	arm(t, s.db, box(0))
	require.NoError(t, s.db.InTx(ctx, func(tx *store.Tx) error {
		ids, err := tx.TimeboxesOn(ctx, "Device0")
		require.NoError(t, err)
		require.Equal(t, []string{"AAAA0001"}, ids)
		boxes, err := tx.Timeboxes(ctx, "AAAA0001")
		require.NoError(t, err)
		require.Len(t, boxes, 1)
		return nil
	}))
}
