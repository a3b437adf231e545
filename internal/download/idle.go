package download

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// errIdle is the cause of a connection that was ended because nothing came.
var errIdle = errors.New("silence")

// idleWatch ends a connection that is silent for too long while something is expected of it.
type idleWatch struct {
	ctx    context.Context // kept to tell the watch's own cancelling from the caller's
	cancel context.CancelCauseFunc
	timer  *time.Timer
	idle   time.Duration
	limit  time.Duration // what the timer was last set to
}

// watchIdle starts a watch that waits for the header first.
func watchIdle(ctx context.Context, c *Client) (context.Context, *idleWatch) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &idleWatch{ctx: ctx, cancel: cancel, idle: c.idle, limit: c.header, timer: time.AfterFunc(c.header, func() { cancel(errIdle) })}
}

// resume starts the time anew for a read; pause stops it, because a slow writer is no silence of the server.
func (w *idleWatch) resume() {
	w.limit = w.idle
	w.timer.Reset(w.idle)
}

func (w *idleWatch) pause() { w.timer.Stop() }

// end stops the watch and the connection.
func (w *idleWatch) end() {
	w.timer.Stop()
	w.cancel(nil)
}

// explain replaces the "context canceled" of a watch that struck.
func (w *idleWatch) explain(err error) error {
	if errors.Is(context.Cause(w.ctx), errIdle) {
		return &SilenceError{After: w.limit}
	}
	return err
}

// SilenceError says that a server sent nothing for too long.
type SilenceError struct{ After time.Duration }

// Error implements error.
func (e *SilenceError) Error() string { return fmt.Sprintf("the server sent nothing for %s", e.After) }

// Timeout marks the error as a timeout, as net.Error does.
func (e *SilenceError) Timeout() bool { return true }

// idleBody is a body that is watched while it is read.
type idleBody struct {
	body  io.ReadCloser
	watch *idleWatch
}

// Read implements io.Reader.
func (b *idleBody) Read(p []byte) (int, error) {
	b.watch.resume()
	n, err := b.body.Read(p)
	b.watch.pause()
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.watch.explain(err)
	}
	return n, err
}

// Close implements io.Closer.
func (b *idleBody) Close() error {
	b.watch.end()
	return b.body.Close()
}
