package gate

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
)

// Wait returns the request as soon as until says so or it has ended, and at the latest after max or when the gate is
// closed, whatever it has become by then. When ctx ends first, the error says that.
func (g *Gate) Wait(ctx context.Context, id string, until func(approvals.Request) bool, max time.Duration) (approvals.Request, error) {
	deadline := time.NewTimer(max)
	defer deadline.Stop()
	leave := g.feed.join()
	defer leave()
	for {
		moved := g.feed.moved() // before the read, so that a change between the two is not missed
		r, err := g.Get(ctx, id)
		if err != nil || until(r) || r.State.Terminal() {
			return r, err
		}
		overdue := g.overdueTimer(r)
		select {
		case <-moved:
		case <-overdue.C:
		case <-deadline.C:
			overdue.Stop()
			return g.Get(ctx, id)
		case <-g.feed.done:
			overdue.Stop()
			return r, nil
		case <-ctx.Done():
			overdue.Stop()
			return r, ctx.Err()
		}
		overdue.Stop()
	}
}

// overdueTimer fires when r may have to expire: that is a change which no audit row announces.
func (g *Gate) overdueTimer(r approvals.Request) *time.Timer {
	limit := r.ExpiresAt
	if r.State == approvals.Approved {
		limit = r.StartBefore()
	}
	if r.State == approvals.Running {
		return time.NewTimer(time.Hour) // a running request does not expire
	}
	return time.NewTimer(max(limit.Sub(g.clock()), time.Millisecond))
}

// feed wakes waiters when the audit's head moves. One reader serves all waiters of a process, and only while there
// are any.
type feed struct {
	head   func(context.Context) (int64, error)
	every  time.Duration
	logger *slog.Logger
	done   chan struct{}

	mu      sync.Mutex
	waiters int
	stop    context.CancelFunc
	wake    chan struct{}
	closed  bool
}

func newFeed(head func(context.Context) (int64, error), every time.Duration, logger *slog.Logger) *feed {
	return &feed{head: head, every: every, logger: logger, done: make(chan struct{}), wake: make(chan struct{})}
}

// moved is closed at the head's next move.
func (f *feed) moved() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.wake
}

func (f *feed) join() (leave func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiters++
	if f.waiters == 1 && !f.closed {
		ctx, cancel := context.WithCancel(context.Background())
		f.stop = cancel
		go f.run(ctx)
	}
	return f.leave
}

func (f *feed) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiters--
	if f.waiters == 0 && f.stop != nil {
		f.stop()
		f.stop = nil
	}
}

func (f *feed) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	f.closed = true
	close(f.done)
	if f.stop != nil {
		f.stop()
		f.stop = nil
	}
}

// run reads the head until ctx ends. Its first reading only sets the mark: waiters read their request after joining.
func (f *feed) run(ctx context.Context) {
	ticker := time.NewTicker(f.every)
	defer ticker.Stop()
	last, failing := int64(-1), false
	for {
		head, err := f.head(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			f.logger.WarnContext(ctx, "the audit's head can't be read; waiting calls will not notice changes", "error", err)
		case err == nil && head != last:
			last = head
			f.broadcast()
		}
		failing = err != nil
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (f *feed) broadcast() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.wake)
	f.wake = make(chan struct{})
}
