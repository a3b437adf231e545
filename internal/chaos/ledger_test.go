package chaos

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/audit"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// ledger is where the audit of a house goes outside its database: checkpoints in a folder, and an export. With SQLite
// worker one exports to a file; with PostgreSQL both export to one collector.
type ledger struct {
	checkpoints, file string
	private, public   string
	collector         *httptest.Server

	mu    sync.Mutex
	lines bytes.Buffer
	// life is how much was exported before the database was restored.
	life int
	// taken is told who sent what the collector keeps, before that is answered.
	taken func(application string)
}

func newLedger(t *testing.T, storeURL string) *ledger {
	t.Helper()
	dir := t.TempDir()
	l := &ledger{checkpoints: filepath.Join(dir, "checkpoints")}
	var err error
	l.private, l.public, err = audit.NewKeys()
	require.NoError(t, err)
	if strings.HasPrefix(storeURL, "sqlite:") {
		l.file = filepath.Join(dir, "audit.jsonl")
		return l
	}
	l.collector = httptest.NewServer(http.HandlerFunc(l.collect))
	t.Cleanup(l.collector.Close)
	return l
}

// collect keeps what it is sent.
func (l *ledger) collect(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	l.mu.Lock()
	_, _ = l.lines.Write(body)
	taken := l.taken
	l.mu.Unlock()
	if taken != nil {
		taken(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	}
}

// whenTaken sets who is told.
func (l *ledger) whenTaken(f func(string)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.taken = f
}

// environ is what a worker is told about the audit.
func (l *ledger) environ(application string) []string {
	all := []string{"MDE_AUDIT_SIGNING_KEY=" + l.private, "MDE_AUDIT_CHECKPOINTS=" + l.checkpoints}
	switch {
	case l.collector != nil:
		all = append(all, "MDE_AUDIT_EXPORT="+l.collector.URL+"/audit", "MDE_AUDIT_EXPORT_TOKEN="+application)
	case application == mdesim.DefaultAppID:
		all = append(all, "MDE_AUDIT_EXPORT="+l.file)
	}
	return all
}

// exported is what was exported so far.
func (l *ledger) exported(t *testing.T) string {
	t.Helper()
	if l.collector == nil {
		text, err := os.ReadFile(l.file)
		require.NoError(t, err)
		return string(text)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.String()
}

// restored says that the database is older from now on: rows are exported again, and other ones under the same numbers.
func (l *ledger) restored(t *testing.T) {
	t.Helper()
	l.life = len(l.exported(t))
}

// judge verifies the audit against its checkpoints, which must prove it to its last row, and the export, which must have
// every row at least once and, without the repeats, in order.
func (l *ledger) judge(t *testing.T, db *store.DB, stored []approvals.Event) {
	t.Helper()
	keep, err := audit.OpenFolder(l.checkpoints, false)
	require.NoError(t, err)
	keys, err := audit.ParseKeys(l.public)
	require.NoError(t, err)
	report, err := audit.Verify(t.Context(), db, keep, keys, "mde-ops/"+mdesim.DefaultTenantID)
	require.NoError(t, err)
	require.True(t, report.OK(), "%s", report)
	require.Equal(t, report.Last, report.Proved, "%s", report)
	text := l.exported(t)
	got := map[int64]string{}
	repeated := inOrder(t, text[:l.life], got) + inOrder(t, text[l.life:], got)
	for _, e := range stored {
		require.Equal(t, e.Hash, got[e.Seq], "row %d is not in the export", e.Seq)
	}
	if l.life == 0 {
		require.Len(t, got, len(stored))
		same, err := audit.Compare(t.Context(), db, strings.NewReader(text))
		require.NoError(t, err)
		require.Empty(t, same.Faults)
	}
	t.Logf("audit: %d rows, %d checkpoints prove all of them; exported all, %d repeated", report.Last, report.Checkpoints, repeated)
}

// inOrder reads exported lines into got and returns how many were repeats. No row may come before one that is missing.
func inOrder(t *testing.T, text string, got map[int64]string) (repeated int) {
	t.Helper()
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for next := int64(0); lines.Scan(); {
		var row audit.Row
		require.NoError(t, json.Unmarshal(lines.Bytes(), &row), "%q", lines.Text())
		if next == 0 {
			next = row.Seq
			require.True(t, next == 1 || got[next-1] != "", "the export begins at row %d", next)
		}
		require.LessOrEqual(t, row.Seq, next, "rows are missing in the export before row %d", row.Seq)
		got[row.Seq] = row.Hash
		if row.Seq == next {
			next++
		} else {
			repeated++
		}
	}
	require.NoError(t, lines.Err())
	return repeated
}
