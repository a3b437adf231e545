package storetest

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// story is a request that was voted on, ran and ended, with eight audit rows.
func story(t *testing.T, db *store.DB, id string) {
	ctx := context.Background()
	r := Pending(t, id, 1)
	Insert(t, db, r)
	require.NoError(t, db.InTx(ctx, func(tx *store.Tx) error {
		if err := tx.AddVote(ctx, Vote(r, "bob@example.com"), approvals.Event{Detail: "pressed Approve"}); err != nil {
			return err
		}
		return tx.Note(ctx, approvals.Event{RequestID: id, Type: "refused", Actor: "eve@example.com", Step: -1, Detail: "not an approver"})
	}))
	Move(t, db, id, approvals.Approved)
	Move(t, db, id, approvals.Running)
	MoveStep(t, db, store.StepMove{ID: id, To: approvals.StepSending, At: Noon().Add(2 * time.Minute)})
	MoveStep(t, db, store.StepMove{ID: id, To: approvals.StepAccepted, At: Noon().Add(2 * time.Minute), ActionID: "action"})
	MoveStep(t, db, store.StepMove{ID: id, To: approvals.StepSucceeded, At: Noon().Add(3 * time.Minute)})
	Move(t, db, id, approvals.Succeeded)
}

func testAuditChain(t *testing.T, s suite) {
	ctx := context.Background()
	report, err := s.db.VerifyAudit(ctx)
	require.NoError(t, err)
	require.True(t, report.OK())
	require.Zero(t, report.Rows)

	story(t, s.db, "AAAA0001")
	story(t, s.db, "AAAA0002")
	report, err = s.db.VerifyAudit(ctx)
	require.NoError(t, err)
	require.Empty(t, report.Faults)
	require.Equal(t, int64(18), report.Rows)

	events, err := s.db.Events(ctx, store.Query{})
	require.NoError(t, err)
	require.Equal(t, events[17].Hash, report.Head)
	for i, e := range events {
		require.Equal(t, int64(i+1), e.Seq)
	}
	page, err := s.db.Events(ctx, store.Query{After: 9, Limit: 2})
	require.NoError(t, err)
	require.Equal(t, events[9:11], page)
	for _, bad := range []approvals.Event{{}, {Type: "vote"}, {Type: "approved", From: "pending", To: "approved"}} {
		kind(t, approvals.KindInvalid, s.db.InTx(ctx, func(tx *store.Tx) error { return tx.Note(ctx, bad) }))
	}
}

// testAuditTampering changes stored rows behind the store's back; every change must be found and located.
func testAuditTampering(t *testing.T, s suite) {
	ctx := context.Background()
	story(t, s.db, "AAAA0001")
	story(t, s.db, "AAAA0002")
	raw := Raw(t, s.url)
	for _, c := range []struct{ name, change, undo, want string }{
		{"edit", "UPDATE audit_event SET detail = 'pressed Deny' WHERE seq = 2", "UPDATE audit_event SET detail = 'pressed Approve' WHERE seq = 2", "row 2 was altered"},
		{"time", "UPDATE audit_event SET at_ms = at_ms + 1 WHERE seq = 5", "UPDATE audit_event SET at_ms = at_ms - 1 WHERE seq = 5", "row 5 was altered"},
		{"actor", "UPDATE audit_event SET actor = 'ann@example.com' WHERE seq = 4", "UPDATE audit_event SET actor = 'gate' WHERE seq = 4", "row 4 was altered"},
		{"own hash", "UPDATE audit_event SET hash = 'x' || hash WHERE seq = 4", "UPDATE audit_event SET hash = SUBSTR(hash, 2) WHERE seq = 4", "row 5 does not continue row 4"},
		{"gap", "UPDATE audit_event SET seq = 1000 WHERE seq = 18", "UPDATE audit_event SET seq = 18 WHERE seq = 1000", "rows 18 to 999 are missing"},
		{"delete", "UPDATE audit_event SET seq = 900 WHERE seq = 7", "UPDATE audit_event SET seq = 7 WHERE seq = 900", "row 7 is missing"},
		{"reorder", "UPDATE audit_event SET seq = CASE seq WHEN 3 THEN -4 ELSE -3 END WHERE seq IN (3, 4)", "", "row 3 was altered"},
		{"head", "UPDATE audit_head SET seq = 19", "UPDATE audit_head SET seq = 18", "rows are missing at the end"},
		{"head back", "UPDATE audit_head SET seq = 17", "UPDATE audit_head SET seq = 18", "rows after 17"},
		{"head hash", "UPDATE audit_head SET hash = 'x' || hash", "UPDATE audit_head SET hash = SUBSTR(hash, 2)", "head does not fit"},
		{"state", "UPDATE requests SET state = 'failed' WHERE id = 'AAAA0002'", "UPDATE requests SET state = 'succeeded' WHERE id = 'AAAA0002'", `request AAAA0002 is "failed", but the audit says "succeeded"`},
		{"step", "UPDATE steps SET state = 'unknown' WHERE request_id = 'AAAA0001'", "UPDATE steps SET state = 'succeeded' WHERE request_id = 'AAAA0001'", "step 0 of request AAAA0001"},
		{"vote moved", "UPDATE votes SET request_id = 'AAAA0002', voter_id = 'x' WHERE request_id = 'AAAA0001'", "UPDATE votes SET request_id = 'AAAA0001', voter_id = 'bob@example.com' WHERE voter_id = 'x'", "vote"},
		{"plan", "UPDATE requests SET plan = REPLACE(plan, 'device0', 'device9') WHERE id = 'AAAA0001'", "UPDATE requests SET plan = REPLACE(plan, 'device9', 'device0') WHERE id = 'AAAA0001'", "digest does not fit"},
		{"quorum", "UPDATE requests SET quorum = '[]' WHERE id = 'AAAA0001'", "", "digest does not fit"},
	} {
		before := dump(t, raw)
		for _, statement := range tampering(c.change) {
			require.NotZero(t, Exec(t, raw, statement), c.name)
		}
		report, err := s.db.VerifyAudit(ctx)
		require.NoError(t, err, c.name)
		require.Contains(t, strings.Join(report.Faults, "\n"), c.want, c.name)
		undo(t, raw, c.name, c.undo)
		require.Equal(t, before, dump(t, raw), c.name)
		report, err = s.db.VerifyAudit(ctx)
		require.NoError(t, err)
		require.Empty(t, report.Faults, c.name)
	}
	removed(t, s, raw)
}

// tampering splits what takes two statements: a swap of two primary keys has to go through free ones.
func tampering(change string) []string {
	if strings.Contains(change, "CASE seq") {
		return []string{change, "UPDATE audit_event SET seq = -seq WHERE seq < 0"}
	}
	return []string{change}
}

func undo(t *testing.T, raw *sql.DB, name, statement string) {
	t.Helper()
	switch name {
	case "reorder":
		for _, u := range tampering("UPDATE audit_event SET seq = CASE seq WHEN 3 THEN -4 ELSE -3 END WHERE seq IN (3, 4)") {
			Exec(t, raw, u)
		}
	case "quorum":
		Exec(t, raw, "UPDATE requests SET quorum = (SELECT quorum FROM requests WHERE id = 'AAAA0002') WHERE id = 'AAAA0001'")
	default:
		Exec(t, raw, statement)
	}
}

// dump is what the tampering may touch, to be sure that each case begins with a sound database.
func dump(t *testing.T, raw *sql.DB) (out []string) {
	t.Helper()
	for _, q := range []string{
		"SELECT CAST(seq AS TEXT) || detail || hash FROM audit_event ORDER BY seq",
		"SELECT state || plan || quorum FROM requests ORDER BY id",
		"SELECT state || request_id FROM steps ORDER BY request_id, idx",
		"SELECT request_id || voter_id FROM votes ORDER BY request_id, voter_id",
	} {
		out = append(out, texts(t, raw, q)...)
	}
	return out
}

// texts reads the rows of a query with one text column.
func texts(t *testing.T, raw *sql.DB, query string) (out []string) {
	t.Helper()
	rows, err := raw.QueryContext(context.Background(), query)
	require.NoError(t, err)
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var s string
		require.NoError(t, rows.Scan(&s))
		out = append(out, s)
	}
	require.NoError(t, rows.Err())
	return out
}

// removed takes away whole rows, which nothing in the database can undo.
func removed(t *testing.T, s suite, raw *sql.DB) {
	faults := func() string {
		report, err := s.db.VerifyAudit(context.Background())
		require.NoError(t, err)
		return strings.Join(report.Faults, "\n")
	}
	Exec(t, raw, "DELETE FROM votes WHERE request_id = 'AAAA0002'")
	require.Contains(t, faults(), "request AAAA0002 has 0 votes, but the audit says 1")
	r := Pending(t, "AAAA0009", 1)
	Exec(t, raw, `INSERT INTO requests SELECT 'AAAA0009', plan, requester, requester_id, origin, outcome, rule, quorum, policy_digest, digest,
		created_ms, expires_ms, start_within_ms, 'approved', version, decided_ms, 0, moved_ms, message,
				terms, parent, plan_key, attached, tool, risk FROM requests WHERE id = 'AAAA0001'`)
	Exec(t, raw, "INSERT INTO steps (request_id, idx, state, version, updated_ms) VALUES ($1, 0, 'waiting', 1, 1)", r.ID)
	require.Contains(t, faults(), `request AAAA0009 is "approved", but the audit says ""`)
	Exec(t, raw, "DELETE FROM steps WHERE request_id = 'AAAA0001'")
	Exec(t, raw, "DELETE FROM votes WHERE request_id = 'AAAA0001'")
	Exec(t, raw, "DELETE FROM requests WHERE id = 'AAAA0001'")
	require.Contains(t, faults(), "request AAAA0001 is in the audit but not in the table")
	Exec(t, raw, "DELETE FROM audit_event WHERE seq = 18")
	require.Contains(t, faults(), "rows are missing at the end")
	Exec(t, raw, "DELETE FROM audit_head")
	require.Contains(t, faults(), "head is missing")
}

// testAppendOnly tries to rewrite history as a program with the database's rights would, guards in place.
func testAppendOnly(t *testing.T, s suite) {
	story(t, s.db, "AAAA0001")
	driver, source := "pgx", s.url
	if path, ok := strings.CutPrefix(s.url, "sqlite:"); ok {
		driver, source = "sqlite", path
	}
	db, err := sql.Open(driver, source)
	require.NoError(t, err)
	defer func() { _ = db.Close() }()
	for _, statement := range []string{"UPDATE audit_event SET detail = 'x' WHERE seq = 1", "DELETE FROM audit_event WHERE seq = 9"} {
		_, err = db.ExecContext(context.Background(), statement)
		require.ErrorContains(t, err, "never", statement)
	}
	verified(t, s.db)
}
