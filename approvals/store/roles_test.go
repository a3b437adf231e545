package store_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
)

// login makes a login in a role, dropped afterwards, and returns the URL with it.
func login(t *testing.T, owner *sql.DB, u, role string) string {
	t.Helper()
	name, password := "mde_test_"+strings.ToLower(rand.Text()[:12]), rand.Text()
	storetest.Exec(t, owner, "CREATE ROLE "+name+" LOGIN PASSWORD '"+password+"'")
	if role != "" {
		storetest.Exec(t, owner, "GRANT "+role+" TO "+name)
	}
	t.Cleanup(func() { storetest.Exec(t, owner, "DROP ROLE "+name) })
	as, err := url.Parse(u)
	require.NoError(t, err)
	as.User = url.UserPassword(name, password)
	return as.String()
}

// asOwner opens the database as who it belongs to, guards in place.
func asOwner(t *testing.T, u string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", u)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestARoleThatOnlyAsksCanOnlyAsk(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	u := storetest.Postgres(t)
	owner := storetest.Open(t, u, store.Options{Clock: storetest.Noon})
	raw := asOwner(t, u)
	storetest.Exec(t, raw, store.Roles())
	storetest.Exec(t, raw, store.Roles()) // once more changes nothing
	asking := login(t, raw, u, "mde_mcp")
	db := storetest.Open(t, asking, store.Options{Clock: storetest.Noon})

	r, running := storetest.Pending(t, "AAAA0001", 2), storetest.Pending(t, "AAAA0002", 2)
	for _, r := range []approvals.Request{r, running} {
		require.NoError(t, db.InTx(ctx, func(tx *store.Tx) error { return ask(ctx, tx, r) }))
	}
	require.NoError(t, db.InTx(ctx, func(tx *store.Tx) error { return ask(ctx, tx, consented(t)) }), "a client's word for an annotation")
	storetest.Move(t, owner, running.ID, approvals.Approved)
	storetest.Move(t, owner, running.ID, approvals.Running)
	storetest.MoveStep(t, owner, store.StepMove{ID: running.ID, To: approvals.StepSending, At: storetest.Noon()})
	storetest.MoveStep(t, db, store.StepMove{ID: running.ID, Index: 1, To: approvals.StepSkipped, At: storetest.Noon()})
	got, err := db.Request(ctx, r.ID)
	require.NoError(t, err)
	require.NoError(t, attach(ctx, db, got))

	armed := store.Timebox{
		RequestID: running.ID, Target: "device0", Tool: "release_devices", ArmedAt: storetest.Noon(), Due: storetest.Noon().Add(time.Hour),
	}
	require.NoError(t, owner.InTx(ctx, func(tx *store.Tx) error { return tx.Arm(ctx, armed, "worker") }))
	boxes, err := db.Timeboxes(ctx, running.ID)
	require.NoError(t, err)
	require.Len(t, boxes, 1, "when something ends may be read")
	require.NoError(t, db.InTx(ctx, func(tx *store.Tx) error {
		return tx.Note(ctx, approvals.Event{Type: approvals.EventStopped, Actor: "ann@example.com", Step: -1, Detail: "all: drill"})
	}), "what only stops needs no proof")
	refusedBySQL(t, asking)
	for name, err := range map[string]error{
		"vote": db.InTx(ctx, func(tx *store.Tx) error {
			return tx.AddVote(ctx, storetest.Vote(r, "bob@example.com"), approvals.Event{})
		}),
		"approve": db.InTx(ctx, func(tx *store.Tx) error {
			return tx.Move(ctx, store.Move{ID: r.ID, From: approvals.Pending, To: approvals.Approved, Version: 2, At: storetest.Noon()})
		}),
		"send": db.InTx(ctx, func(tx *store.Tx) error {
			return tx.MoveStep(ctx, store.StepMove{ID: running.ID, From: approvals.StepSending, To: approvals.StepAccepted, Version: 2, At: storetest.Noon()})
		}),
		"lift": db.InTx(ctx, func(tx *store.Tx) error {
			return tx.Note(ctx, approvals.Event{Type: approvals.EventLifted, Actor: "worker", Step: -1, Detail: "all: lifted"})
		}),
	} {
		require.Equal(t, approvals.KindStore, approvals.KindOf(err), name)
		require.ErrorContains(t, err, "the database role may not do this", name)
	}
	storetest.Move(t, db, r.ID, approvals.Cancelled)
	report, err := owner.VerifyAudit(ctx)
	require.NoError(t, err)
	require.Empty(t, report.Faults)
}

// ask makes the statements of a submission, in the order of the gate.
func ask(ctx context.Context, tx *store.Tx, r approvals.Request) error {
	if err := tx.LockSubmissions(ctx); err != nil {
		return err
	}
	if _, err := tx.Denials(ctx, storetest.Noon()); err != nil {
		return err
	}
	if err := tx.Insert(ctx, r, approvals.Event{Type: approvals.EventSubmitted, Actor: r.Requester.ID}); err != nil {
		return err
	}
	for _, nonce := range []string{"", "remind", "remind"} {
		if err := tx.Enqueue(ctx, store.Job{Kind: store.Notify, RequestID: r.ID, Nonce: nonce}, storetest.Noon().Add(time.Hour)); err != nil {
			return err
		}
	}
	return tx.Enqueue(ctx, store.Job{Kind: store.Advance, RequestID: r.ID}, time.Time{})
}

func attach(ctx context.Context, db *store.DB, r approvals.Request) error {
	return db.InTx(ctx, func(tx *store.Tx) error {
		return tx.Attach(ctx, r, approvals.Person{ID: "cat@example.com"}, storetest.Noon())
	})
}

// refusedBySQL says in SQL what the role must not do.
func refusedBySQL(t *testing.T, asking string) {
	t.Helper()
	db, err := sql.Open("pgx", asking)
	require.NoError(t, err)
	defer func() { _ = db.Close() }()
	for _, statement := range []string{
		"UPDATE requests SET state = 'approved', decided_ms = 1 WHERE id = 'AAAA0001'",
		"UPDATE requests SET state = 'approved', decided_ms = 1, version = version + 1 WHERE id = 'AAAA0001'",
		"UPDATE requests SET state = 'denied', decided_ms = 1, finished_ms = 1 WHERE id = 'AAAA0001'",
		"UPDATE requests SET state = 'cancelled', finished_ms = 1, version = version + 1 WHERE id = 'AAAA0002'",
		"UPDATE requests SET decided_ms = 99999999999999 WHERE id = 'AAAA0002'",
		"UPDATE requests SET version = 1 WHERE id = 'AAAA0002'",
		"UPDATE requests SET plan = '{}'", "UPDATE requests SET outcome = 'allow'", "UPDATE requests SET quorum = '[]'",
		"UPDATE requests SET parent = 'AAAA0001'", "UPDATE requests SET digest = ''", "DELETE FROM requests",
		insertAs("approved", "confirm", ""), consentedAs("AAAA0001", "{}"), consentedAs("AAAA0003", `{"client_consent":false}`), consentedAs("AAAA0003", `{}`),
		consentedAs("AAAA0001", `{"client_consent":true}`), insertAs("approved", "approve", ""), insertAs("running", "allow", ""), insertAs("succeeded", "allow", ""), insertAs("approved", "allow", "AAAA0001"),
		"INSERT INTO steps (request_id, idx, state, version, attempt, updated_ms) VALUES ('AAAA0001', 7, 'succeeded', 1, 1, 1)",
		"UPDATE steps SET state = 'sending', attempt = 1 WHERE request_id = 'AAAA0001'", "UPDATE steps SET action_id = 'x'",
		"UPDATE steps SET state = 'skipped', version = version + 1 WHERE request_id = 'AAAA0002' AND idx = 0",
		"UPDATE steps SET message = 'x' WHERE request_id = 'AAAA0001'", "DELETE FROM steps",
		"INSERT INTO votes (request_id, voter_id, verdict, at_ms, body) VALUES ('AAAA0001', 'bob@example.com', 'approve', 1, '{}')",
		"UPDATE votes SET verdict = 'approve'", "DELETE FROM votes", "INSERT INTO seen VALUES ('a', 'b', 1)", "DELETE FROM messages",
		eventAs("vote", ""), eventAs("approved", "approved"), eventAs("running", "running"), eventAs("lifted", ""), eventAs("resumed", ""),
		eventAs("extended", ""), eventAs("break_glass", ""), eventAs("timebox", ""), eventAs("x", "succeeded"),
		"UPDATE audit_event SET detail = 'x'", "DELETE FROM audit_event", "TRUNCATE audit_event", "UPDATE audit_head SET seq = 0", "DELETE FROM audit_head",
		"UPDATE river_job SET state = 'cancelled'", "DELETE FROM river_job", "UPDATE timeboxes SET state = 'closed'", "DELETE FROM timeboxes",
		"INSERT INTO timeboxes SELECT request_id, 1, target, tool, state, version, armed_ms, due_ms, try_ms, release_id, trouble, message, updated_ms FROM timeboxes",
		"UPDATE audit_cursor SET seq = 0", "INSERT INTO audit_cursor VALUES ('file', 0, '')", "DELETE FROM audit_cursor",
		"SELECT * FROM audit_cursor", "SELECT * FROM kept", "INSERT INTO kept VALUES ('slack-workspace', 'T1', 1)", "SELECT * FROM messages", "SELECT * FROM seen", "SELECT * FROM river_leader",
		"INSERT INTO mde_migration (version_id, is_applied) VALUES (9, true)",
		"DROP TRIGGER requests_refuse_mcp ON requests", "ALTER TABLE requests DISABLE TRIGGER ALL", "SET session_replication_role = replica",
		"CREATE OR REPLACE FUNCTION mde_refuse_mcp() RETURNS trigger LANGUAGE sql AS ''", "CREATE TABLE own (x int)", "SET ROLE mde_worker",
	} {
		_, err := db.ExecContext(context.Background(), statement)
		require.Error(t, err, statement)
		require.Regexp(t, "42501", err.Error(), statement)
	}
}

func insertAs(state, outcome, parent string) string {
	return `INSERT INTO requests (id, plan, requester, requester_id, origin, outcome, rule, quorum, policy_digest, digest, created_ms, expires_ms,
		start_within_ms, state, version, decided_ms, moved_ms, parent) SELECT 'FORGED01', plan, requester, requester_id, origin, '` + outcome + `', rule, quorum,
		policy_digest, digest, created_ms, expires_ms, start_within_ms, '` + state + `', 1, 1, 1, '` + parent + `' FROM requests WHERE id = 'AAAA0001'`
}

// consented is an annotation that its requester confirmed in their client.
func consented(t *testing.T) approvals.Request {
	r := storetest.Pending(t, "AAAA0003", 1)
	r.Plan.Tool, r.Plan.Risk, r.Requester.Via = "tag_devices", approvals.RiskAnnotate, approvals.ViaMCP
	r.Outcome, r.Quorum, r.State, r.DecidedAt, r.Terms.ClientConsent = approvals.Confirm, nil, approvals.Approved, r.CreatedAt, true
	var err error
	r.Digest, err = approvals.Digest(r)
	require.NoError(t, err)
	return r
}

// consentedAs copies a request as one that was confirmed by a client.
func consentedAs(id, terms string) string {
	return `INSERT INTO requests (id, plan, requester, requester_id, origin, outcome, rule, quorum, policy_digest, digest, created_ms, expires_ms,
		start_within_ms, state, version, decided_ms, moved_ms, parent, terms, tool, risk) SELECT 'FORGED01', plan, requester, requester_id, origin, 'confirm', rule, quorum,
		policy_digest, digest, created_ms, expires_ms, start_within_ms, 'approved', 1, 1, 1, '', '` + terms + `', tool, risk FROM requests WHERE id = '` + id + `'`
}

func eventAs(kind, to string) string {
	return `INSERT INTO audit_event VALUES (999, 1, 'AAAA0001', '` + kind + `', 'worker', -1, 'pending', '` + to + `', '', '', '')`
}

func TestTheWorkersRoleWorksAndAltersNothing(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	u := storetest.Postgres(t)
	storetest.Open(t, u, store.Options{})
	raw := asOwner(t, u)
	storetest.Exec(t, raw, store.Roles())
	working := login(t, raw, u, "mde_worker")
	db := storetest.Open(t, working, store.Options{Clock: storetest.Noon})
	h := &storetest.Recorder{}
	e, err := db.Work(ctx, store.WorkOptions{Handler: h, Queues: store.Queues()})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Stop(ctx)) }()
	r := storetest.Pending(t, "AAAA0001", 1)
	storetest.Insert(t, db, r)
	require.NoError(t, decide(ctx, db, r))
	storetest.Move(t, db, r.ID, approvals.Running)
	storetest.MoveStep(t, db, store.StepMove{ID: r.ID, To: approvals.StepSending, At: storetest.Noon()})
	require.Eventually(t, func() bool { return h.Count(store.Job{Kind: store.Advance, RequestID: r.ID}) == 1 }, 20*time.Second, 10*time.Millisecond)
	workBoxes(t, db, r)
	require.NoError(t, db.PostedMessage(ctx, store.Message{RequestID: r.ID, Key: "card", TS: "1", ReservedAt: storetest.Noon()}))
	require.NoError(t, db.Keep(ctx, store.Kept{Name: "slack-workspace"}, "T1"))
	require.NoError(t, db.Keep(ctx, store.Kept{Name: "slack-workspace", Version: 1}, "T2"))
	require.NoError(t, db.Prune(ctx, storetest.Noon()))

	sqlDB := asOwner(t, working)
	for _, statement := range []string{
		"UPDATE audit_event SET detail = 'x'", "DELETE FROM audit_event", "UPDATE votes SET verdict = 'deny'", "DELETE FROM votes", "DELETE FROM requests",
		"DELETE FROM steps", "DELETE FROM audit_head", "DELETE FROM timeboxes", "DELETE FROM audit_cursor", "DELETE FROM kept", "TRUNCATE timeboxes", "CREATE TABLE own (x int)", "DROP TABLE votes", "DELETE FROM mde_migration",
	} {
		_, err := sqlDB.ExecContext(ctx, statement)
		require.ErrorContains(t, err, "SQLSTATE 42501", statement)
	}
}

// workBoxes arms a time-box, closes it, and moves a reader of the audit on, as the worker does.
func workBoxes(t *testing.T, db *store.DB, r approvals.Request) {
	t.Helper()
	ctx := context.Background()
	at := storetest.Noon().Add(time.Hour)
	require.NoError(t, db.InTx(ctx, func(tx *store.Tx) error {
		return tx.Arm(ctx, store.Timebox{RequestID: r.ID, Target: "device0", Tool: "release_devices", ArmedAt: storetest.Noon(), Due: at}, "worker")
	}))
	require.NoError(t, db.InTx(ctx, func(tx *store.Tx) error {
		return tx.MoveTimebox(ctx, store.TimeboxMove{RequestID: r.ID, From: store.TimeboxArmed, To: store.TimeboxClosed, Version: 1, At: at, Actor: "worker"})
	}))
	end, err := db.Ending(ctx)
	require.NoError(t, err)
	require.NoError(t, db.MoveCursor(ctx, "file", store.Ending{}, end))
	at2, err := db.Cursor(ctx, "file")
	require.NoError(t, err)
	require.Equal(t, end, at2)
}

func TestARoleThatMayNotMigrateSaysWhatToDo(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	u := storetest.Postgres(t)
	raw := asOwner(t, u)
	storetest.Exec(t, raw, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
	stranger := login(t, raw, u, "")
	open := func(url string) error {
		db, err := store.Open(ctx, store.Options{URL: url})
		if err == nil {
			require.NoError(t, db.Close())
		}
		return err
	}
	says := func(err error, want string) {
		t.Helper()
		require.Equal(t, approvals.KindStore, approvals.KindOf(err), "%v", err)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "the role that owns its tables")
	}
	says(open(stranger), "can't be read") // there is nothing yet
	require.NoError(t, open(u))
	storetest.Exec(t, raw, store.Roles())
	says(open(stranger), "can't be read") // and nothing that it may read
	asking := login(t, raw, u, "mde_mcp")
	require.NoError(t, open(asking))

	var newest int64
	require.NoError(t, raw.QueryRowContext(ctx, "DELETE FROM mde_migration WHERE version_id = (SELECT MAX(version_id) FROM mde_migration) RETURNING version_id").Scan(&newest))
	says(open(asking), "this program needs")
	storetest.Exec(t, raw, "INSERT INTO mde_migration (version_id, is_applied) VALUES ($1, TRUE)", newest)
	require.NoError(t, open(asking))
	storetest.Exec(t, raw, "DELETE FROM river_migration WHERE version = (SELECT MAX(version) FROM river_migration)")
	says(open(asking), "the job queue's tables")
}
