package mcpserver

import (
	"context"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/mde-ops/mde-ops/tools"
)

// progressEvery is the shortest time between two notifications of one call.
const progressEvery = time.Second

// meter tells a client how far the request is that its call waits for: as often as every so often, always with a larger
// number than before, and never after the call's answer.
type meter struct {
	tell  func(tools.Progress)
	every time.Duration

	mu     sync.Mutex
	last   int // what was told last
	next   *tools.Progress
	timer  *time.Timer // runs while nothing may be told yet
	closed bool
}

// meter makes one for a call, and nil when its client did not ask for progress.
func (s *Server) meter(ctx context.Context, req mcp.CallToolRequest) *meter {
	if req.Params.Meta == nil || req.Params.Meta.ProgressToken == nil {
		return nil
	}
	token := req.Params.Meta.ProgressToken
	return &meter{every: s.o.ProgressEvery, last: -1, tell: func(p tools.Progress) {
		err := s.mcp.SendNotificationToClient(ctx, string(mcp.MethodNotificationProgress), map[string]any{
			"progressToken": token, "progress": p.Done, "total": p.Total, "message": p.Text,
		})
		if err != nil {
			s.log.DebugContext(ctx, "a client could not be told of progress", "error", err)
		}
	}}
}

// told takes in how far a request is now.
func (m *meter) told(p tools.Progress) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || p.Done <= m.last {
		return // a step that was turned back is waiting again: the number may not fall
	}
	if m.timer == nil {
		m.send(p)
		return
	}
	if m.next == nil || p.Done > m.next.Done {
		m.next = &p
	}
}

// send tells p and keeps quiet for a while after it. The caller holds the lock.
func (m *meter) send(p tools.Progress) {
	m.last, m.next = p.Done, nil
	m.tell(p)
	m.timer = time.AfterFunc(m.every, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.timer = nil
		if m.next != nil && !m.closed {
			m.send(*m.next)
		}
	})
}

// close ends the telling: the answer says the rest.
func (m *meter) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	if m.timer != nil {
		m.timer.Stop()
	}
}
