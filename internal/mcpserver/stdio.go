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
	open    map[id]bool
	settled chan struct{}
}

func newLedger() *ledger {
	l := &ledger{open: map[id]bool{}, settled: make(chan struct{})}
	close(l.settled)
	return l
}

func (l *ledger) begin(request id) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) == 0 {
		l.settled = make(chan struct{})
	}
	l.open[request] = true
}

func (l *ledger) end(request id) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.open[request] {
		return
	}
	delete(l.open, request)
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
	ID     id              `json:"id"`
	Method string          `json:"method"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
	Params json.RawMessage `json:"params"`
}

// answers reports whether m carries a result. The library answers no such message, whatever else is in it.
func (m message) answers() bool { return len(m.Result) > 0 && string(m.Result) != "null" }

// cancelled is the id of the request that m cancels.
func (m message) cancelled() id {
	var p struct {
		RequestID id `json:"requestId"`
	}
	if json.Unmarshal(m.Params, &p) != nil {
		return ""
	}
	return p.RequestID
}

// id is a request's id in one spelling, empty when there is none. A client may write 1.0 or "\u0061" and the library
// answers to 1 and "a": compared as they were written they would never meet.
type id string

// UnmarshalJSON reads a number as the library does, as a float64.
func (i *id) UnmarshalJSON(b []byte) error {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	if v == nil {
		*i = ""
		return nil
	}
	one, err := json.Marshal(v)
	*i = id(one)
	return err
}

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
		r.ledger.end(m.cancelled())
	case m.ID != "" && m.Method != "" && m.Method != "subscriptions/listen" && !m.answers():
		r.ledger.begin(m.ID)
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

	mu sync.Mutex // the library writes questions beside answers
}

func (w *openWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	n, err := w.out.Write(p)
	w.mu.Unlock()
	for line := range bytes.Lines(p) {
		var m message
		if json.Unmarshal(line, &m) == nil && m.Method == "" && (m.Result != nil || m.Error != nil) {
			w.ledger.end(m.ID)
		}
	}
	return n, err
}
