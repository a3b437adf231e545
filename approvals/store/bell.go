package store

import (
	"context"
	"database/sql"
	"sync"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riversqlite"
)

// bell wakes this process's own workers when a transaction that added jobs was committed. SQLite can't notify, so the
// queue polls every 50 ms; most of what is approved here is also worked here and need not wait for that.
type bell struct {
	mu   sync.Mutex
	rung chan struct{}
}

func newBell() *bell { return &bell{rung: make(chan struct{})} }

// next is closed by the next ring.
func (b *bell) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rung
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.rung)
	b.rung = make(chan struct{})
}

// bellDriver is the queue's SQLite driver with listeners that also hear the bell.
type bellDriver struct {
	*riversqlite.Driver
	bell *bell
}

func newBellDriver(db *sql.DB, b *bell) *bellDriver {
	return &bellDriver{Driver: riversqlite.New(db), bell: b}
}

// GetListener implements riverdriver.Driver.
func (d *bellDriver) GetListener(params *riverdriver.GetListenenerParams) riverdriver.Listener {
	return &bellListener{Listener: d.Driver.GetListener(params), bell: d.bell}
}

type bellListener struct {
	riverdriver.Listener
	bell *bell
}

// WaitForNotification implements riverdriver.Listener: a ring ends the pause between two polls.
func (l *bellListener) WaitForNotification(ctx context.Context) (*riverdriver.Notification, error) {
	for {
		n, rung, err := l.wait(ctx)
		if err == nil || !rung || ctx.Err() != nil {
			return n, err
		}
	}
}

// wait polls until there is a notification or the bell rings. It asks for the next ring before it polls, so that none
// is missed in between.
func (l *bellListener) wait(ctx context.Context) (n *riverdriver.Notification, rung bool, err error) {
	next := l.bell.next()
	poll, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-next:
			rung = true
			cancel()
		case <-poll.Done():
		}
	}()
	n, err = l.Listener.WaitForNotification(poll)
	cancel()
	<-done
	return n, rung, err
}
