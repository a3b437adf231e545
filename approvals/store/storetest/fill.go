package storetest

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
)

// Fill loads n ended requests of the half minutes before a time into a database that is migrated and empty, each with a
// step, a vote, a message and three audit rows, by a few statements. They look like real ones and are listed like them, but their
// digests and the audit's hashes are only filler, so that nothing of it verifies. At most 9,999,999.
func Fill(t testing.TB, u string, n int, until time.Time) {
	t.Helper()
	driver, source, lite := "pgx", u, false
	if path, ok := strings.CutPrefix(u, "sqlite:"); ok {
		driver, source, lite = "sqlite", "file:"+path+"?_pragma=synchronous(OFF)&_pragma=cache_size(-200000)&_pragma=busy_timeout(10000)", true
	}
	db, err := sql.Open(driver, source)
	require.NoError(t, err)
	defer func() { _ = db.Close() }()
	tx, err := db.BeginTx(context.Background(), nil)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback() }()
	start := until.UnixMilli() - int64(n+1)*halfMinute
	for _, q := range fillers(t, n, start) {
		_, err := tx.ExecContext(context.Background(), q.text, q.args...)
		require.NoError(t, err, q.text)
	}
	require.NoError(t, tx.Commit())
	after := "VACUUM ANALYZE" // which PostgreSQL does by itself in production, and nobody for SQLite
	if lite {
		after = "PRAGMA wal_checkpoint(TRUNCATE)"
	}
	_, err = db.ExecContext(context.Background(), after)
	require.NoError(t, err)
}

const halfMinute = 30_000

// statement is SQL that both databases understand, with its arguments.
type statement struct {
	text string
	args []any
}

// The words that stand for what differs between the rows.
const (
	fillID     = "FILLID"
	fillPerson = "fillperson"
)

func fillers(t testing.TB, n int, start int64) []statement {
	t.Helper()
	r := Pending(t, fillID, 1)
	r.Plan.Targets[0].ID, r.Plan.Steps[0].Target, r.Requester.Person = fillID, fillID, approvals.Person{ID: fillPerson}
	vote := Vote(r, "bob@example.com")
	text := func(v any) string {
		b, err := json.Marshal(v)
		require.NoError(t, err)
		return string(b)
	}
	const (
		id     = "'F' || SUBSTR(CAST(10000000 + i AS TEXT), 2)"
		who    = "'user' || CAST(i % 500 AS TEXT) || '@example.com'"
		state  = "CASE WHEN i % 20 < 14 THEN 'succeeded' WHEN i % 20 < 16 THEN 'denied' WHEN i % 20 < 18 THEN 'expired' ELSE 'cancelled' END"
		done   = "i % 20 < 14"
		series = " FROM (WITH RECURSIVE series(i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM series WHERE i < $1) SELECT i FROM series) AS series"
		at     = "(CAST($2 AS BIGINT) + i * 30000)"
		hash   = "'00000000000000000000000000000000000000000000000000000000' || SUBSTR(CAST(100000000 + %s AS TEXT), 2)"
	)
	hashOf := func(seq string) string { return strings.Replace(hash, "%s", seq, 1) }
	return []statement{
		{`INSERT INTO requests (id, plan, requester, requester_id, origin, outcome, rule, quorum, policy_digest, digest, created_ms, expires_ms,
			start_within_ms, state, version, decided_ms, finished_ms, moved_ms, message, plan_key, tool, risk)
			SELECT ` + id + `, REPLACE($3, '` + fillID + `', ` + id + `), REPLACE($4, '` + fillPerson + `', ` + who + `), ` + who + `, '{}', 'approve', 'contain', $5,
			'policy', ` + hashOf("i") + `, ` + at + `, ` + at + ` + 1800000, 900000, ` + state + `, 3, ` + at + ` + 10000, ` + at + ` + 20000, ` + at + ` + 20000,
			'long ago', ` + hashOf("i") + `, 'isolate_devices', 'contain'` + series, []any{n, start, text(r.Plan), text(r.Requester), text(r.Quorum)}},
		{`INSERT INTO steps (request_id, idx, state, version, attempt, sent_ms, action_id, remote_status, message, updated_ms)
			SELECT ` + id + `, 0, CASE WHEN ` + done + ` THEN 'succeeded' ELSE 'skipped' END, 3, CASE WHEN ` + done + ` THEN 1 ELSE 0 END,
			CASE WHEN ` + done + ` THEN ` + at + ` + 15000 ELSE 0 END, CASE WHEN ` + done + ` THEN 'action-' || ` + id + ` ELSE '' END,
			'', 'long ago', ` + at + ` + 20000` + series, []any{n, start}},
		{
			`INSERT INTO votes (request_id, voter_id, verdict, at_ms, body)
			SELECT ` + id + `, 'bob@example.com', 'approve', ` + at + ` + 10000, REPLACE($3, '` + fillID + `', ` + id + `)` + series + ` WHERE ` + done,
			[]any{n, start, text(vote)},
		},
		{
			`INSERT INTO audit_event (seq, at_ms, request_id, type, actor, step, from_state, to_state, detail, prev_hash, hash)
			SELECT 3 * i - 2, ` + at + `, ` + id + `, 'submitted', ` + who + `, -1, '', 'pending', 'asked', ` + hashOf("(3 * i - 3)") + `, ` + hashOf("(3 * i - 2)") + series,
			[]any{n, start},
		},
		{
			`INSERT INTO audit_event (seq, at_ms, request_id, type, actor, step, from_state, to_state, detail, prev_hash, hash)
			SELECT 3 * i - 1, ` + at + ` + 10000, ` + id + `, 'vote', 'bob@example.com', -1, '', '', 'approve', ` + hashOf("(3 * i - 2)") + `, ` + hashOf("(3 * i - 1)") + series,
			[]any{n, start},
		},
		{
			`INSERT INTO audit_event (seq, at_ms, request_id, type, actor, step, from_state, to_state, detail, prev_hash, hash)
			SELECT 3 * i, ` + at + ` + 20000, ` + id + `, ` + state + `, 'worker', -1, 'pending', ` + state + `, 'long ago', ` + hashOf("(3 * i - 1)") + `, ` + hashOf("(3 * i)") + series,
			[]any{n, start},
		},
		{`INSERT INTO messages (request_id, slot, channel, ts, version, reserved_ms)
			SELECT ` + id + `, 'card', 'C1', '1.2', 3, ` + at + series, []any{n, start}},
		{"INSERT INTO seen (scope, item, at_ms) SELECT 'slack', " + id + ", " + at + series, []any{n, start}},
		{"UPDATE audit_head SET seq = 3 * $1, hash = " + hashOf("(3 * $1)"), []any{n}},
	}
}
