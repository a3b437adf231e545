package audit_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals/audit"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
)

// collector is a collector with a memory and bad days.
type collector struct {
	mu     sync.Mutex
	rows   []audit.Row
	answer func(rows int) int // nil means 200
	seen   int
	token  string
	server *httptest.Server
}

func newCollector(t *testing.T) *collector {
	c := &collector{}
	c.server = httptest.NewServer(c)
	t.Cleanup(c.server.Close)
	return c
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen++
	c.token = r.Header.Get("Authorization")
	rows := decodeRows(r.Body)
	if c.answer != nil {
		if status := c.answer(len(rows)); status != 0 {
			w.Header().Set("Retry-After", "30")
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
			return
		}
	}
	c.rows = append(c.rows, rows...)
}

func (c *collector) answers(fn func(rows int) int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = fn
}

func (c *collector) seqs() (out []int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return seqs(c.rows)
}

func seqs(rows []audit.Row) (out []int64) {
	for _, r := range rows {
		out = append(out, r.Seq)
	}
	return out
}

func decodeRows(r io.Reader) (rows []audit.Row) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		var row audit.Row
		if json.Unmarshal(lines.Bytes(), &row) == nil {
			rows = append(rows, row)
		}
	}
	return rows
}

func upTo(n int64) (out []int64) {
	for i := int64(1); i <= n; i++ {
		out = append(out, i)
	}
	return out
}

// export is an exporter whose waits a test watches instead of waiting.
type export struct {
	*audit.Exporter
	waits []time.Duration
	log   bytes.Buffer
}

// exportTo makes one. It runs until ends says so, which is asked at every wait.
func (b *bench) exportTo(sink audit.Sink, size int, ends func(e *export) bool) (*export, func()) {
	e := &export{}
	ctx, cancel := context.WithCancel(b.t.Context())
	var err error
	e.Exporter, err = audit.NewExporter(audit.ExporterOptions{
		Store: b.db, Sink: sink, Batch: size, Patience: time.Minute, Clock: func() time.Time { return b.now },
		Logger: slog.New(slog.NewTextHandler(&e.log, nil)),
		Sleep: func(_ context.Context, d time.Duration) {
			e.waits = append(e.waits, d)
			b.now = b.now.Add(d)
			if ends(e) {
				cancel()
			}
		},
	})
	require.NoError(b.t, err)
	return e, func() { e.Run(ctx) }
}

func (b *bench) collectorSink(c *collector, token string) audit.Sink {
	s, err := audit.NewCollector(audit.CollectorOptions{URL: c.server.URL + "/rows?key=hunter2", Token: token, Store: b.db})
	require.NoError(b.t, err)
	return s
}

func TestEveryRowReachesTheCollectorOnceWhileItIsUp(t *testing.T) {
	t.Parallel()
	each(t, func(b *bench) {
		c := newCollector(b.t)
		b.rows(7)
		_, run := b.exportTo(b.collectorSink(c, "the-token"), 3, func(*export) bool { return true })
		run()
		require.Equal(b.t, upTo(7), c.seqs())
		require.Equal(b.t, "Bearer the-token", c.token)
		b.rows(2)
		_, run = b.exportTo(b.collectorSink(c, ""), 3, func(*export) bool { return true }) // a new process goes on
		run()
		require.Equal(b.t, upTo(9), c.seqs())
		require.Empty(b.t, c.token)
		before := store.Ending{}
		for _, r := range c.rows {
			e, err := r.Event()
			require.NoError(b.t, err)
			prev := e
			prev.Seq, prev.Hash = before.Seq, before.Hash
			require.NoError(b.t, store.VerifyLink(prev, e), "what was exported verifies by itself")
			before = store.Ending{Seq: e.Seq, Hash: e.Hash}
		}
	})
}

// A collector that is down for a day loses no row.
func TestACollectorThatIsDownForADayLosesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, storetest.SQLite(t))
	c := newCollector(t)
	b.rows(3)
	start := b.now
	c.answers(func(int) int { return http.StatusBadGateway })
	e, run := b.exportTo(b.collectorSink(c, ""), 3, func(e *export) bool {
		if b.now.Sub(start) < 24*time.Hour {
			if len(e.waits)%100 == 0 {
				b.rows(1) // the gate goes on
			}
			return false
		}
		c.answers(nil)
		return len(c.seqs()) > 0
	})
	run()
	end, err := b.db.Ending(t.Context())
	require.NoError(t, err)
	require.Greater(t, end.Seq, int64(10))
	require.Equal(t, upTo(end.Seq), c.seqs())
	require.Contains(t, e.log.String(), "the audit is exported again")
}

func TestWaitsGrowAndARefusalIsLoud(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		status int
		first  time.Duration
		log    []string
	}{
		"down":        {http.StatusServiceUnavailable, 30 * time.Second, []string{"level=WARN", "HTTP 503", "nothing is lost"}},
		"too often":   {http.StatusTooManyRequests, 30 * time.Second, []string{"level=WARN", "HTTP 429"}},
		"bad token":   {http.StatusUnauthorized, 30 * time.Second, []string{"level=ERROR", "REFUSES", "check MDE_AUDIT_EXPORT_TOKEN"}},
		"moved":       {http.StatusFound, 30 * time.Second, []string{"HTTP 302", "redirections are not followed"}},
		"bad request": {http.StatusBadRequest, 30 * time.Second, []string{"level=ERROR", "REFUSES"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, storetest.SQLite(t))
			c := newCollector(t)
			c.answers(func(int) int { return x.status })
			b.rows(2)
			e, run := b.exportTo(b.collectorSink(c, "hunter3"), 5, func(e *export) bool { return len(e.waits) == 9 })
			run()
			require.Equal(t, x.first, e.waits[0], "what the collector asked for")
			require.Equal(t, time.Minute, e.waits[8], "and never longer than patience allows")
			for _, want := range x.log {
				require.Contains(t, e.log.String(), want)
			}
			require.NotContains(t, e.log.String(), "hunter", "neither the token nor the query")
			require.Empty(t, c.seqs())
			require.Equal(t, 9, c.seen)
			c.answers(nil)
			_, run = b.exportTo(b.collectorSink(c, "hunter3"), 5, func(*export) bool { return true })
			run()
			require.Equal(t, upTo(2), c.seqs())
		})
	}
}

func TestAnUnreachableCollectorIsTriedAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, storetest.SQLite(t))
	c := newCollector(t)
	sink := b.collectorSink(c, "hunter3")
	c.server.Close()
	b.rows(1)
	e, run := b.exportTo(sink, 5, func(e *export) bool { return len(e.waits) == 4 })
	run()
	require.Equal(t, []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}, e.waits)
	require.Contains(t, e.log.String(), "can't be reached")
	require.NotContains(t, e.log.String(), "hunter")
}

func TestBatchesThatAreTooLargeAreMadeSmaller(t *testing.T) {
	t.Parallel()
	b := newBench(t, storetest.SQLite(t))
	c := newCollector(t)
	c.answers(func(rows int) int {
		if rows > 2 {
			return http.StatusRequestEntityTooLarge
		}
		return 0
	})
	b.rows(11)
	_, run := b.exportTo(b.collectorSink(c, ""), 8, func(*export) bool { return true })
	run()
	require.Equal(t, upTo(11), c.seqs())
}

// A row is never marked as exported before the collector has it: an answer that got lost sends it twice, with the same id.
func TestAnAnswerThatIsLostSendsTwice(t *testing.T) {
	t.Parallel()
	b := newBench(t, storetest.SQLite(t))
	c := newCollector(t)
	lost := 0
	b.rows(4)
	c.answers(func(int) int {
		if lost++; lost == 1 {
			c.rows = append(c.rows, audit.Row{Seq: 1}, audit.Row{Seq: 2}) // it has them, but says no
			return http.StatusGatewayTimeout
		}
		return 0
	})
	_, run := b.exportTo(b.collectorSink(c, ""), 2, func(e *export) bool { return len(e.waits) == 2 })
	run()
	require.Equal(t, []int64{1, 2, 1, 2, 3, 4}, c.seqs())
}

func TestAnotherHistoryIsExportedAnew(t *testing.T) {
	t.Parallel()
	b := newBench(t, storetest.SQLite(t))
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	sink, err := audit.NewFile(audit.FileOptions{Path: file})
	require.NoError(t, err)
	once := func() *export {
		e, run := b.exportTo(sink, 10, func(*export) bool { return true })
		run()
		return e
	}
	b.rows(4)
	once()
	raw := storetest.Raw(t, b.url)
	storetest.Exec(t, raw, "DELETE FROM audit_event WHERE seq > 2")
	rechain(t, raw, 3)
	e := once()
	require.Contains(t, e.log.String(), "restored or replaced")
	require.Equal(t, []int64{1, 2, 3, 4, 1, 2}, seqs(fileRows(t, file)))
}

func fileRows(t *testing.T, path string) []audit.Row {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return decodeRows(bytes.NewReader(text))
}

func TestTheFileIsRotatedAndSurvivesACrash(t *testing.T) {
	t.Parallel()
	b := newBench(t, storetest.SQLite(t))
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.jsonl")
	step := func() error {
		sink, err := audit.NewFile(audit.FileOptions{Path: path, Size: 1200}) // about three rows
		require.NoError(t, err)
		x, err := audit.NewExporter(audit.ExporterOptions{Store: b.db, Sink: sink, Batch: 2})
		require.NoError(t, err)
		for {
			if n, err := x.Step(t.Context()); err != nil || n == 0 {
				return err
			}
		}
	}
	b.rows(5)
	require.NoError(t, step())
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	half, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = half.WriteString(`{"seq":6,"at":"20`) // the process died in the middle
	require.NoError(t, err)
	require.NoError(t, half.Close())
	b.rows(4)
	require.NoError(t, step())
	var all []audit.Row
	names, err := filepath.Glob(path + ".0*")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, name := range append(names, path) {
		all = append(all, fileRows(t, name)...)
	}
	require.Equal(t, upTo(9), seqs(all), "each once")

	require.NoError(t, os.Remove(path)) // as an operator's own rotation does
	b.rows(1)
	require.NoError(t, step())
	require.Equal(t, []int64{10}, seqs(fileRows(t, path)))
}

func TestAFileThatIsNotOursIsLeftAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t, storetest.SQLite(t))
	b.rows(1)
	for text, want := range map[string]string{"a letter\n": "move it away", `{"seq":1}` + "\n": "move it away"} {
		path := filepath.Join(t.TempDir(), "file")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		sink, err := audit.NewFile(audit.FileOptions{Path: path})
		require.NoError(t, err)
		_, err = sink.Position(t.Context())
		require.ErrorContains(t, err, want)
		have, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, text, string(have))
	}
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Chmod(path, 0o644)) //nolint:gosec // that is what must be refused
	sink, err := audit.NewFile(audit.FileOptions{Path: path})
	require.NoError(t, err)
	_, err = sink.Position(t.Context())
	require.ErrorContains(t, err, "chmod 600")
}

func TestCollectorsThatWouldLeakAreRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"http://collector.example.com/x":          "https",
		"https://user:hunter2@collector.example/": "MDE_AUDIT_EXPORT_TOKEN",
		"ftp://127.0.0.1/":                        "https",
		"https://":                                "can't be understood",
		"https://x/#y":                            "fragment",
		"http://127.0.0.1.example.com/":           "https",
		"http://10.0.0.1/":                        "https",
	} {
		err := audit.CheckCollector(text)
		require.ErrorContains(t, err, want, text)
		require.NotContains(t, err.Error(), "hunter2")
	}
	for _, text := range []string{"https://collector.example.com/x?y=z", "http://127.0.0.1:8080/", "http://[::1]/", "http://localhost/"} {
		require.NoError(t, audit.CheckCollector(text))
	}
	_, err := audit.NewCollector(audit.CollectorOptions{URL: "https://x/", Token: "a\nb", Store: &store.DB{}})
	require.ErrorContains(t, err, "more than one line")
	require.False(t, strings.Contains(err.Error(), "a\nb"))
}

// Two processes that export to one collector may send rows twice, never lose one.
func TestTwoExportersLoseNothing(t *testing.T) {
	t.Parallel()
	each(t, func(b *bench) {
		c := newCollector(b.t)
		b.rows(40)
		var all sync.WaitGroup
		for range 2 {
			sink := b.collectorSink(c, "")
			x, err := audit.NewExporter(audit.ExporterOptions{Store: b.db, Sink: sink, Batch: 3})
			require.NoError(b.t, err)
			all.Go(func() {
				for {
					n, err := x.Step(b.t.Context())
					if n == 0 && err == nil {
						return
					}
				}
			})
		}
		all.Wait()
		have := map[int64]bool{}
		for _, n := range c.seqs() {
			have[n] = true
		}
		require.Len(b.t, have, 40)
	})
}
