package attacks_test

import (
	"crypto/rand"
	"database/sql"
	"net/url"
	"strings"
	"testing"

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
