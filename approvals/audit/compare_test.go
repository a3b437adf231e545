package audit_test

import (
	"bytes"
	"database/sql"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals/audit"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
)

// exported is every row as JSON lines.
func (b *bench) exported() string {
	rows, err := b.db.Events(b.t.Context(), store.Query{})
	require.NoError(b.t, err)
	var text []byte
	for _, e := range rows {
		text, err = audit.AppendLine(text, e)
		require.NoError(b.t, err)
	}
	return string(text)
}

// Where the whole chain was computed anew, an export names the very row.
func TestAnExportNamesTheAlteredRow(t *testing.T) {
	t.Parallel()
	table(t, map[string]struct {
		attack func(t *testing.T, raw *sql.DB)
		want   []string
	}{
		"nothing": {func(*testing.T, *sql.DB) {}, nil},
		"altered": {func(t *testing.T, raw *sql.DB) {
			storetest.Exec(t, raw, "UPDATE audit_event SET actor = 'ann@example.com' WHERE seq = 5")
			rechain(t, raw, 5)
		}, []string{"row 5 is not the one that was exported", "row 6 has the exported content"}},
		"removed": {func(t *testing.T, raw *sql.DB) {
			storetest.Exec(t, raw, "DELETE FROM audit_event WHERE seq > 6")
		}, []string{"row 7 was exported and is not in the audit"}},
	}, func(b *bench, c struct {
		attack func(t *testing.T, raw *sql.DB)
		want   []string
	},
	) {
		b.rows(7)
		text := b.exported()
		c.attack(b.t, storetest.Raw(b.t, b.url))
		found, err := audit.Compare(b.t.Context(), b.db, strings.NewReader(text))
		require.NoError(b.t, err)
		require.Equal(b.t, int64(7), found.Rows)
		require.Equal(b.t, len(c.want) == 0, len(found.Faults) == 0, found.Faults)
		for i, want := range c.want {
			require.Contains(b.t, found.Faults[i], want)
		}
	})
}

func TestAnAlteredExportIsNotBelieved(t *testing.T) {
	t.Parallel()
	b := newBench(t, storetest.SQLite(t))
	b.rows(3)
	text := b.exported()
	found, err := audit.Compare(t.Context(), b.db, strings.NewReader(strings.Replace(text, "not an approver", "an approver", 1)))
	require.NoError(t, err)
	require.Equal(t, []string{"the export is altered itself: audit row 1 was altered: its hash does not fit its content"}, found.Faults)
	for _, bad := range []string{"a letter", "{}", `{"seq":1,"at":"yesterday"}`, strings.Repeat("x", 5<<20)} {
		_, err = audit.Compare(t.Context(), b.db, bytes.NewReader([]byte(text+bad)))
		require.ErrorContains(t, err, "of the export is", "%.20q", bad)
	}
}

func FuzzCompare(f *testing.F) {
	f.Add(`{"seq":1,"at":"2026-03-01T12:00:00.000Z","type":"refused","actor":"x","prev_hash":"","hash":""}`)
	f.Add("{}\n[]\n")
	f.Add("")
	db := storetest.Open(f, storetest.SQLite(f), store.Options{})
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = audit.Compare(t.Context(), db, strings.NewReader(text))
	})
}
