package mcpserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/server"
)

const (
	// workers is how many calls run at once: get_request may wait for most of a minute in each.
	workers = 32
	// drain is how long calls may go on after the input ended.
	drain = 60 * time.Second
)

// Serve speaks MCP over in and out until in ends, then answers what is still open, or until ctx is done. Only protocol
// messages are written to out. The library keeps one session per process, so there must not be two at a time.
func (s *Server) Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	ledger := newLedger()
	stdio := server.NewStdioServer(s.mcp)
	server.WithWorkerPoolSize(workers)(stdio)
	stdio.SetErrorLogger(slog.NewLogLogger(s.log.Handler(), slog.LevelWarn))
	err := stdio.Listen(ctx, &openReader{in: in, ctx: ctx, ledger: ledger, limit: s.o.MaxBody}, &openWriter{out: out, ledger: ledger})
	if !errors.Is(err, context.Canceled) || ctx.Err() == nil {
		return err
	}
	return nil // the session was ended from outside, as it is with Ctrl-C
}

// ledger keeps the ids of requests that were read and not answered yet. The library cancels every call when its input
// ends; without it a script that pipes its calls in would get no answers.
type ledger struct {
	mu      sync.Mutex
	open    map[string]bool
	settled chan struct{}
}

func newLedger() *ledger {
	l := &ledger{open: map[string]bool{}, settled: make(chan struct{})}
	close(l.settled)
	return l
}

func (l *ledger) begin(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) == 0 {
		l.settled = make(chan struct{})
	}
	l.open[id] = true
}

func (l *ledger) end(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.open[id] {
		return
	}
	delete(l.open, id)
	if len(l.open) == 0 {
		close(l.settled)
	}
}

func (l *ledger) wait() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.settled
}

// message is as much of a JSON-RPC message as the ledger needs.
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
	Params struct {
		RequestID json.RawMessage `json:"requestId"`
	} `json:"params"`
}

func (m message) named() bool { return len(m.ID) > 0 && string(m.ID) != "null" }

// openReader hands on whole lines, bounds them, and holds the end of the input back while requests are open.
type openReader struct {
	in     io.Reader
	ctx    context.Context // Read takes none, and must not outlive the session
	ledger *ledger
	limit  int64
	lines  *bytesQueue
}

func (r *openReader) Read(p []byte) (int, error) {
	if r.lines == nil {
		r.lines = &bytesQueue{in: r.in, limit: r.limit, seen: r.note}
	}
	n, err := r.lines.Read(p)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	select {
	case <-r.ledger.wait():
	case <-r.ctx.Done():
	case <-time.After(drain):
	}
	return n, io.EOF
}

// note enters a request, and strikes one that its client cancelled: that gets no answer. Neither does a subscription, for
// as long as it lives, so it is not waited for.
func (r *openReader) note(line []byte) {
	var m message
	switch {
	case json.Unmarshal(line, &m) != nil:
	case m.Method == "notifications/cancelled":
		r.ledger.end(string(m.Params.RequestID))
	case m.named() && m.Method != "" && m.Method != "subscriptions/listen":
		r.ledger.begin(string(m.ID))
	}
}

// errTooLong says that a client sent a line that no message needs.
var errTooLong = errors.New("a message on standard input is too long")

// bytesQueue reads whole lines from in and gives them out byte by byte.
type bytesQueue struct {
	in    io.Reader
	limit int64
	seen  func(line []byte)
	raw   []byte // read, not yet a whole line
	ready []byte // whole lines, to be given out
	err   error
}

func (q *bytesQueue) Read(p []byte) (int, error) {
	for len(q.ready) == 0 {
		if q.err != nil {
			return 0, q.err
		}
		q.fill()
	}
	n := copy(p, q.ready)
	q.ready = q.ready[n:]
	return n, nil
}

func (q *bytesQueue) fill() {
	buf := make([]byte, 32<<10)
	n, err := q.in.Read(buf)
	q.raw = append(q.raw, buf[:n]...)
	if err != nil {
		q.err = err
		if len(q.raw) > 0 && q.raw[len(q.raw)-1] != '\n' {
			q.raw = append(q.raw, '\n') // a last line without its end is a line
		}
	}
	end := bytes.LastIndexByte(q.raw, '\n')
	if end < 0 {
		if int64(len(q.raw)) > q.limit {
			q.err = errTooLong
		}
		return
	}
	q.ready, q.raw = q.raw[:end+1:end+1], append([]byte(nil), q.raw[end+1:]...)
	for line := range bytes.Lines(q.ready) {
		q.seen(line)
	}
}

// openWriter passes messages on and notes answers.
type openWriter struct {
	out    io.Writer
	ledger *ledger
}

func (w *openWriter) Write(p []byte) (int, error) {
	n, err := w.out.Write(p)
	for line := range bytes.Lines(p) {
		var m message
		if json.Unmarshal(line, &m) == nil && m.named() && m.Method == "" && (m.Result != nil || m.Error != nil) {
			w.ledger.end(string(m.ID))
		}
	}
	return n, err
}
