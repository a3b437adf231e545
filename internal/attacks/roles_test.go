package attacks_test

import (
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
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// An MCP process with nothing but the reading credential and its own database role is asked to act, and whoever took it over
// makes it say whatever SQL and HTTP there is.
func TestAnMCPProcessOfItsOwnRoleAskedToAct(t *testing.T) {
	t.Parallel()
	u := storetest.Postgres(t)
	h := open(t, plan{url: u})
	owner, err := sql.Open("pgx", u)
	require.NoError(t, err)
	t.Cleanup(func() { _ = owner.Close() })
	storetest.Exec(t, owner, store.Roles())
	as := loginAs(t, owner, u, "mde_mcp")
	db := storetest.Open(t, as, store.Options{Clock: h.clock.Now})
	a := h.agent(h.newDispatcher(h.newGate(db)))

	before := h.head()
	id := idIn(t, a.call("isolate_devices", map[string]any{"devices": []string{mdesim.NameHost}, "reason": "C2"}))
	h.recorded(before, approvals.EventSubmitted, alice, "") // to ask is what it may
	victim, _ := h.asked(mdesim.NameVIP)

	raw, err := sql.Open("pgx", as)
	require.NoError(t, err)
	defer func() { _ = raw.Close() }()
	vote := encoded(t, h.forgedVote(h.state(victim), newSigner(t, 9)))
	for _, statement := range []string{
		"UPDATE requests SET state = 'approved', decided_ms = 1 WHERE id = '" + victim + "'",
		"UPDATE requests SET state = 'running' WHERE id = '" + victim + "'",
		"UPDATE requests SET outcome = 'allow' WHERE id = '" + victim + "'",
		"UPDATE requests SET quorum = '[]' WHERE id = '" + victim + "'",
		"UPDATE requests SET plan = replace(plan, 'a', 'b') WHERE id = '" + id + "'",
		"UPDATE requests SET requester = '{}' WHERE id = '" + id + "'",
		"UPDATE steps SET state = 'sending' WHERE request_id = '" + id + "'",
		"DELETE FROM requests WHERE id = '" + victim + "'",
		"INSERT INTO votes (request_id, voter_id, verdict, at_ms, body) VALUES ('" + victim + "', 'bob@example.com', 'approve', 1, '" + vote + "')",
		"INSERT INTO audit_event VALUES (99999, 1, '" + victim + "', 'vote', 'bob@example.com', -1, '', '', '', '', '')",
		"INSERT INTO audit_event VALUES (99999, 1, '" + victim + "', 'approved', 'bob@example.com', -1, 'pending', 'approved', '', '', '')",
		"INSERT INTO audit_event VALUES (99999, 1, '', 'lifted', 'worker', -1, '', '', 'all: lifted', '', '')",
		"DELETE FROM audit_event", "UPDATE audit_event SET actor = 'x'", "TRUNCATE audit_event", "DROP TABLE votes",
		"ALTER TABLE requests DISABLE TRIGGER ALL", "SET ROLE mde_worker", "CREATE TABLE mine (x int)",
		"UPDATE timeboxes SET due_ms = 0", "INSERT INTO timeboxes SELECT * FROM timeboxes",
	} {
		res, err := raw.ExecContext(t.Context(), statement)
		if err == nil {
			n, _ := res.RowsAffected()
			require.Fail(t, "the role could", "%s: %d rows", statement, n)
		}
	}
	require.Error(t, h.isolateDirectly(), "and its credential isolates nothing")
	require.Empty(t, h.tenant.Effects())
	for _, r := range []string{id, victim} {
		require.Equal(t, approvals.Pending, h.state(r).State)
		require.Empty(t, h.state(r).Votes)
	}
	tried := h.tenant.Writes() // by that credential itself, and refused
	h.sent(tried)
	h.sound()

	card := h.card(id) // what it asked for is approved by people and done by the worker, as ever
	h.pressed(slacksim.Bob, card, "Approve")
	require.Equal(t, approvals.Succeeded, h.settle(id).State)
	require.Len(t, h.tenant.Effects(), 1)
}

// What a taken-over MCP process may insert says truly what it is, or is looked up before it is believed.
func TestWhatARoleThatOnlyAsksInsertsIsNotBelieved(t *testing.T) {
	t.Parallel()
	u := storetest.Postgres(t)
	h := open(t, plan{url: u, policy: tierZero})
	owner, err := sql.Open("pgx", u)
	require.NoError(t, err)
	t.Cleanup(func() { _ = owner.Close() })
	storetest.Exec(t, owner, store.Roles())
	raw, err := sql.Open("pgx", loginAs(t, owner, u, "mde_mcp"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = raw.Close() })
	say := func(sql string, args ...any) error {
		_, err := raw.ExecContext(t.Context(), sql, args...)
		return err
	}
	const denied = "role mde_mcp may not do this"

	r := h.writtenByHand()
	require.ErrorContains(t, say(insertRequest, columnsOf(t, r, "", "")...), denied, "it counts as no tool's")
	require.ErrorContains(t, say(insertRequest, columnsOf(t, r, r.Plan.Tool, "annotate")...), denied)
	require.ErrorContains(t, say("INSERT INTO audit_event VALUES (99999, 1, '', 'stopped', 'gate', -1, '', '', 'restore: reconciled: 0 requests', '', '')"),
		denied, "it says that a restore was compared with the tenant")

	require.NoError(t, h.db.InTx(t.Context(), func(tx *store.Tx) error { // as whoever owns that process can, who knows how
		return tx.Insert(t.Context(), r, approvals.Event{At: r.CreatedAt, RequestID: r.ID, Type: approvals.EventSubmitted, Actor: r.Requester.ID, Step: -1, To: string(r.State)})
	}))
	h.work(r.ID)
	require.Zero(t, h.tenant.Writes(), "%v", h.tenant.Effects())
	require.Contains(t, h.state(r.ID).Message, "is called", "the name that the tenant has")
}

// writtenByHand is the request to isolate the domain controller that policy would let run, by what is said of it.
func (h *house) writtenByHand() approvals.Request {
	h.t.Helper()
	r := approvals.Request{
		ID: "AAAAAAAA", Plan: h.disguised(), Requester: approvals.Requester{Person: approvals.Person{ID: "agent@example.com"}, Via: approvals.ViaMCP},
		Outcome: approvals.Allow, Rule: "labs are free", PolicyDigest: h.policy.Digest(), CreatedAt: h.clock.Now().UTC().Truncate(time.Millisecond),
		StartWithin: 15 * time.Minute, State: approvals.Approved, Version: 1,
	}
	r.ExpiresAt = r.CreatedAt.Add(30 * time.Minute)
	var err error
	r.Digest, err = approvals.Digest(r)
	require.NoError(h.t, err)
	return r
}

const insertRequest = `INSERT INTO requests (id, plan, requester, requester_id, origin, outcome, rule, quorum, policy_digest, digest,
	created_ms, expires_ms, start_within_ms, state, version, decided_ms, moved_ms, message, terms, parent, plan_key, tool, risk)
	VALUES ($1, $2, $3, $4, '{}', $5, $6, '[]', $7, $8, $9, $10, $11, 'approved', 1, $9, $9, '', '{}', '', '', $12, $13)`

func columnsOf(t *testing.T, r approvals.Request, tool, risk string) []any {
	return []any{
		r.ID, encoded(t, r.Plan), encoded(t, r.Requester), r.Requester.ID, string(r.Outcome), r.Rule, r.PolicyDigest, r.Digest,
		r.CreatedAt.UnixMilli(), r.ExpiresAt.UnixMilli(), r.StartWithin.Milliseconds(), tool, risk,
	}
}

// loginAs makes a login in a role, dropped afterwards, and returns the URL with it.
func loginAs(t *testing.T, owner *sql.DB, u, role string) string {
	t.Helper()
	name, password := "mde_test_"+strings.ToLower(rand.Text()[:12]), rand.Text()
	storetest.Exec(t, owner, "CREATE ROLE "+name+" LOGIN PASSWORD '"+password+"'")
	storetest.Exec(t, owner, "GRANT "+role+" TO "+name)
	t.Cleanup(func() { storetest.Exec(t, owner, "DROP ROLE "+name) })
	as, err := url.Parse(u)
	require.NoError(t, err)
	as.User = url.UserPassword(name, password)
	return as.String()
}

// isolateDirectly sends a write with the reading credential.
func (h *house) isolateDirectly() error {
	_, err := h.reader.IsolateMachine(h.t.Context(), h.tenant.Device(mdesim.NameHost).ID,
		mdecore.IsolateRequest{Comment: "mine", IsolationType: mdecore.IsolationFull})
	return err
}
