package slacksim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// maxResponse is the size at which Slack silently drops an answer sent over a socket.
const maxResponse = 20480

// writeWait bounds a write to a socket whose other end doesn't read.
const writeWait = 5 * time.Second

// The reasons of a disconnect message.
const (
	DisconnectWarning          = "warning"             // DisconnectWarning says that the connection will be closed soon.
	DisconnectRefreshRequested = "refresh_requested"   // DisconnectRefreshRequested asks for a new connection.
	DisconnectLinkDisabled     = "link_disabled"       // DisconnectLinkDisabled says that Socket Mode was switched off.
	DisconnectTooMany          = "too_many_websockets" // DisconnectTooMany refuses a connection over the limit.
)

// connection is one open socket.
type connection struct {
	conn     *websocket.Conn
	writing  sync.Mutex
	draining bool // draining connections get no new envelopes; guarded by Workspace.mu.
	deaf     bool // deaf connections are about to be cut, nothing from them arrives any more; guarded by Workspace.mu.
	gone     chan struct{}
}

// cut ends the connection without a closing handshake, as a broken network does.
func (c *connection) cut() { _ = c.conn.NetConn().Close() }

func (c *connection) write(v any) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.writeLocked(v)
}

func (c *connection) writeLocked(v any) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(writeWait)); err != nil {
		return err
	}
	return c.conn.WriteJSON(v)
}

func appsConnectionsOpen(w *Workspace, st *state, _ args) answer {
	ticket := st.nextID("ticket")
	st.tickets[ticket] = true
	q := url.Values{"ticket": {ticket}, "app_id": {w.appID()}}
	return answer{"ok": true, "url": strings.Replace(st.baseURL, "http://", "ws://", 1) + "/link/?" + q.Encode()}
}

// serveSocket turns a request with an unused ticket into a Socket Mode connection.
func (s *Server) serveSocket(rw http.ResponseWriter, r *http.Request) {
	st := s.ws.lock()
	ticket := r.URL.Query().Get("ticket")
	valid := st.tickets[ticket] && !st.closed
	delete(st.tickets, ticket)
	s.ws.unlock()
	if !valid {
		http.Error(rw, "invalid ticket", http.StatusForbidden)
		return
	}
	// Slack clients send the origin https://api.slack.com, which is not this host.
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := up.Upgrade(rw, r, nil)
	if err != nil {
		return
	}
	c := &connection{conn: conn, gone: make(chan struct{})}
	s.wg.Go(func() { s.runSocket(c) })
}

func (s *Server) runSocket(c *connection) {
	defer func() { _ = c.conn.Close() }()
	defer close(c.gone)
	if !s.admit(c) {
		return
	}
	defer s.ws.remove(c)
	s.wg.Go(func() { s.ping(c) })
	for {
		_, frame, err := c.conn.ReadMessage()
		if err != nil {
			return
		}
		s.ws.receive(c, frame)
	}
}

// admit says hello and takes the connection into service, or refuses it because there are too many.
func (s *Server) admit(c *connection) bool {
	w := s.ws
	// Held until hello is written, so that no envelope goes before it.
	c.writing.Lock()
	defer c.writing.Unlock()
	st := w.lock()
	n := len(st.conns) + 1
	ok := n <= orDefault(w.MaxConnections, defaultMaxConnections) && !st.closed
	if ok {
		st.conns = append(slices.Clone(st.conns), c)
	}
	w.unlock()
	if !ok {
		_ = c.writeLocked(disconnectMessage(DisconnectTooMany))
		return false
	}
	life := orDefault(w.ConnectionTime, defaultConnectionTime)
	err := c.writeLocked(map[string]any{
		"type": "hello", "num_connections": n, "connection_info": map[string]any{"app_id": w.appID()},
		"debug_info": map[string]any{"host": "applink-simulated", "build_number": 1, "approximate_connection_time": int(life.Seconds())},
	})
	if err != nil {
		w.remove(c)
		return false
	}
	st = w.lock()
	st.notify()
	w.unlock()
	return true
}

func (w *Workspace) remove(c *connection) {
	st := w.lock()
	defer w.unlock()
	st.conns = slices.DeleteFunc(slices.Clone(st.conns), func(other *connection) bool { return other == c })
	st.notify()
}

func (s *Server) ping(c *connection) {
	every := orDefault(s.ws.PingInterval, defaultPing)
	if every < 0 {
		return
	}
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		if c.conn.WriteControl(websocket.PingMessage, []byte("ping"), time.Now().Add(writeWait)) != nil {
			return
		}
		select {
		case <-t.C:
		case <-c.gone:
			return
		}
	}
}

func disconnectMessage(reason string) map[string]any {
	return map[string]any{"type": "disconnect", "reason": reason, "debug_info": map[string]any{"host": "applink-simulated"}}
}

// Disconnect sends a disconnect message with the given reason to every connection. After any reason but warning the
// connections get no new envelopes; acknowledgements on them still count until the client closes them.
func (w *Workspace) Disconnect(reason string) {
	st := w.lock()
	conns := slices.Clone(st.conns)
	for _, c := range conns {
		c.draining = c.draining || reason != DisconnectWarning
	}
	w.unlock()
	for _, c := range conns {
		_ = c.write(disconnectMessage(reason))
	}
}

// DropConnections cuts every socket without a closing handshake and returns how many there were. It returns when the
// workspace has noticed, so that what is sent next doesn't go to a dead socket.
func (w *Workspace) DropConnections() int {
	st := w.lock()
	conns := slices.Clone(st.conns)
	w.unlock()
	for _, c := range conns {
		c.cut()
		<-c.gone
	}
	return len(conns)
}

// CutAfterSending cuts the connection right after each of the next n envelopes was sent. The client may or may not have read it;
// the envelope comes again on another connection, or after a reconnect.
func (w *Workspace) CutAfterSending(n int) {
	st := w.lock()
	defer w.unlock()
	st.cutNext = n
}

// CutBeforeAck lets the next n acknowledgements be lost: the client has done its work and answers, and at that moment the
// connection breaks. The envelope comes again on another connection, or after a reconnect.
func (w *Workspace) CutBeforeAck(n int) {
	st := w.lock()
	defer w.unlock()
	st.loseAcks = n
}

// receive takes an answer from a client.
func (w *Workspace) receive(c *connection, frame []byte) {
	st := w.lock()
	defer w.unlock()
	if c.deaf {
		return
	}
	defer st.notify()
	if len(frame) >= maxResponse {
		st.oversized++
		return
	}
	var res struct {
		EnvelopeID string          `json:"envelope_id"`
		Payload    json.RawMessage `json:"payload"`
	}
	if json.Unmarshal(frame, &res) != nil {
		return
	}
	d := st.pending[res.EnvelopeID]
	if d != nil && st.loseAcks > 0 {
		st.loseAcks--
		c.cut()
		return
	}
	if i, ok := st.envelopeAt[res.EnvelopeID]; ok {
		st.envelopes[i].Acks++
	}
	if d == nil || d.done {
		st.late++
		return
	}
	d.done = true
	d.acked <- res.Payload
}
