package store_test

import (
	"context"
	"database/sql"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
)

// TestEverythingIsFoundByAnIndex lets the databases explain every statement that a decision, a submission, a list or a
// sweep makes: none may read a whole table, because tables grow for ever.
func TestEverythingIsFoundByAnIndex(t *testing.T) {
	t.Parallel()
	storetest.EachEmpty(t, func(t *testing.T, newURL func(testing.TB) string) {
		u := newURL(t)
		db := storetest.Open(t, u, store.Options{Clock: storetest.Noon})
		rows := 20_000
		if strings.HasPrefix(u, "sqlite:") {
			rows = 500 // it counts nothing, so that its plans are the same for any number
		}
		storetest.Fill(t, u, rows, storetest.Noon())
		asked := map[string][]any{}
		store.Record(db, func(query string, args []any) { asked[query] = args })
		exercise(t, db)
		raw := storetest.Raw(t, u)
		explain := explainPostgres
		if strings.HasPrefix(u, "sqlite:") {
			explain = explainSQLite
		}
		n, used := 0, map[string]bool{}
		for query, args := range asked {
			if strings.HasPrefix(query, "INSERT") || strings.Contains(query, "pg_advisory") {
				continue
			}
			n++
			plan, bad := explain(t, raw, query, args)
			if !strings.HasPrefix(query, "DELETE") { // removes a good part of a small table, which is read as a whole then
				require.Empty(t, bad, "%s\nreads a whole table", query)
			}
			for part, index := range indexes() {
				if strings.Contains(query, part) {
					used[part] = true
					require.Regexp(t, index, plan, query)
				}
			}
		}
		require.Greater(t, n, 30, "so many statements were explained")
		require.Len(t, used, len(indexes()))
	})
}

// indexes says which index finds what a statement asks for, where another one would do for small tables.
func indexes() map[string]string {
	return map[string]string{
		"AND type = $1 ORDER BY seq": "audit_event_marks",
		"AND type IN ($3":            "audit_event_marks",
		"state = 'denied'":           "requests_denied",
		"plan_key = $1":              "requests_(twin|live)",
		"s.sent_ms > $1":             "steps_sent",
		"action_id = $1":             "steps_by_action",
		"WHERE state = $2 ORDER":     "requests_(by_state|live)",
		"m.reserved_ms < $1":         "messages_by_age",
		"WHERE at_ms < $1":           "seen_by_age",
	}
}

// exercise makes every statement whose cost may depend on how much is stored.
func exercise(t *testing.T, db *store.DB) {
	t.Helper()
	ctx := context.Background()
	now := storetest.Noon()
	r := storetest.Pending(t, "AAAA0001", 1)
	storetest.Insert(t, db, r)
	require.NoError(t, decide(ctx, db, r))
	storetest.Move(t, db, r.ID, approvals.Running)
	storetest.MoveStep(t, db, store.StepMove{ID: r.ID, To: approvals.StepSending, At: now})
	first := approvals.Window{Length: time.Hour}
	mine := approvals.Window{Length: time.Hour, Mine: true, Tool: "isolate_devices", Risk: approvals.RiskContain}
	_, err := db.Recent(ctx, approvals.RecentQuery{Windows: []approvals.Window{first, mine}, At: now, Requester: r.Requester.Person})
	require.NoError(t, err)
	for _, f := range []store.Filter{
		{},
		{Before: now},
		{RequesterID: "user7@example.com"},
		{RequesterID: "user7@example.com", States: []approvals.State{approvals.Succeeded, approvals.Denied}, Before: now},
		{States: []approvals.State{approvals.Running}},
		{States: []approvals.State{approvals.Unknown}, Before: now},
		{States: approvals.States()},
	} {
		_, err := db.Requests(ctx, f)
		require.NoError(t, err)
	}
	_, err = db.Stale(ctx, []approvals.State{approvals.Approved, approvals.Running}, now, 10)
	require.NoError(t, err)
	_, err = db.DueToExpire(ctx, now)
	require.NoError(t, err)
	_, _, _, err = db.StartedBy(ctx, "action-F0000001")
	require.NoError(t, err)
	_, err = db.Marks(ctx, []string{approvals.EventStopped, approvals.EventLifted}, 0)
	require.NoError(t, err)
	_, err = db.Events(ctx, store.Query{RequestID: r.ID})
	require.NoError(t, err)
	_, err = db.Events(ctx, store.Query{After: 100, Limit: 10})
	require.NoError(t, err)
	_, err = db.Head(ctx)
	require.NoError(t, err)
	_, _, err = db.Message(ctx, r.ID, "card")
	require.NoError(t, err)
	_, _, err = db.ReserveMessage(ctx, r.ID, "card", now, time.Minute)
	require.NoError(t, err)
	require.NoError(t, db.PostedMessage(ctx, store.Message{RequestID: r.ID, Key: "card", TS: "1.2", ReservedAt: now}))
	require.NoError(t, db.ReleaseMessage(ctx, r.ID, "card"))
	require.NoError(t, db.Prune(ctx, now))
	require.NoError(t, db.InTx(ctx, func(tx *store.Tx) error { return submitted(ctx, tx, r, now) }))
}

// submitted makes the statements of a submission.
func submitted(ctx context.Context, tx *store.Tx, r approvals.Request, now time.Time) error {
	for _, step := range []func() error{
		func() error { return tx.LockSubmissions(ctx) },
		func() error { _, err := tx.Twins(ctx, "key"); return err },
		func() error { _, err := tx.Waiting(ctx, r.Requester.Person, now); return err },
		func() error { _, err := tx.Denials(ctx, now.Add(-2*time.Hour)); return err },
		func() error { _, _, err := tx.LastMark(ctx, approvals.EventPolicy); return err },
		func() error { _, err := tx.Marks(ctx, []string{approvals.EventStopped}, 7); return err },
		func() error { _, err := tx.FirstTime(ctx, "slack", "1", now); return err },
		func() error {
			got, err := tx.Request(ctx, r.ID)
			if err != nil {
				return err
			}
			return tx.Attach(ctx, got, approvals.Person{ID: "cat@example.com"}, now)
		},
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// explained are the lines of a plan.
func explained(t *testing.T, raw *sql.DB, statement string, args []any, columns int) (lines []string) {
	t.Helper()
	rows, err := raw.QueryContext(context.Background(), statement, args...)
	require.NoError(t, err, statement)
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var line string
		into := make([]any, columns)
		for i := range into {
			into[i] = new(any)
		}
		into[columns-1] = &line
		require.NoError(t, rows.Scan(into...))
		lines = append(lines, line)
	}
	require.NoError(t, rows.Err())
	return lines
}

var (
	wholePostgres = regexp.MustCompile(`Seq Scan on (requests|steps|votes|audit_event|messages|seen)`)
	wholeSQLite   = regexp.MustCompile(`^SCAN (requests|steps|votes|audit_event|messages|seen|r|s|m)\b`)
	// inOrder are indexes that a scan may follow: it ends at a limit, or the index holds what is open only.
	inOrder = regexp.MustCompile(`USING (COVERING )?INDEX (requests_newest|requests_live|requests_twin)\b`)
)

func explainPostgres(t *testing.T, raw *sql.DB, query string, args []any) (plan string, bad []string) {
	t.Helper()
	lines := explained(t, raw, "EXPLAIN "+query, args, 1)
	for _, line := range lines {
		if wholePostgres.MatchString(line) {
			bad = append(bad, line)
		}
	}
	return strings.Join(lines, "\n"), bad
}

func explainSQLite(t *testing.T, raw *sql.DB, query string, args []any) (plan string, bad []string) {
	t.Helper()
	lines := explained(t, raw, "EXPLAIN QUERY PLAN "+query, args, 4)
	for _, line := range lines {
		if wholeSQLite.MatchString(line) && !inOrder.MatchString(line) {
			bad = append(bad, line)
		}
	}
	return strings.Join(lines, "\n"), bad
}
