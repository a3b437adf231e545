package azpipe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// attemptPolicy surrounds one send: it limits its time, opens its body from the source and, for writes, notes whether
// the request ever got a connection. Without a connection nothing can have been done, which is the only kind of lost
// write that may be tried again.
type attemptPolicy struct{}

// Do implements policy.Policy.
func (attemptPolicy) Do(req *policy.Request) (*http.Response, error) {
	op, write := operationOf(req), !isRead(req.Raw().Method)
	if op.AttemptTimeout <= 0 && !write && op.Body == nil {
		return req.Next()
	}
	ctx, cancel := context.WithCancelCause(req.Raw().Context())
	clock := startClock(op.AttemptTimeout, func() { cancel(errAttemptTimeout) })
	var asked, connected atomic.Bool
	if write {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			GetConn: func(string) { asked.Store(true) },
			GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
		})
	}
	req = req.WithContext(ctx)
	err := openBody(req.Raw(), op, clock)
	if err == nil {
		err = ctx.Err()
	}
	var resp *http.Response
	begun := err == nil
	if begun {
		resp, err = req.Next()
	}
	clock.stop()
	if err == nil && op.Stream && resp.StatusCode < http.StatusBadRequest {
		// The answer outlives the send, and so does its context.
		resp.Body = &streamedBody{ReadCloser: resp.Body, release: func() { cancel(nil) }}
		return resp, nil
	}
	defer cancel(nil)
	if err == nil {
		return resp, nil
	}
	if errors.Is(context.Cause(ctx), errAttemptTimeout) {
		// Not the transport's error: it says "canceled", which must not pass for the caller's doing.
		err = &TimeoutError{After: op.AttemptTimeout, Idle: op.Body != nil, Err: context.DeadlineExceeded}
	}
	// A transport that tells nothing of its connections proves nothing.
	if write && (!begun || asked.Load() && !connected.Load()) {
		err = &UnsentError{Err: err}
	}
	return resp, err
}

// errAttemptTimeout tells our own time limit from the caller's.
var errAttemptTimeout = errors.New("time limit of one send")

// openBody gives a request a body fresh from its source, if the operation has one.
func openBody(req *http.Request, op Operation, clock *attemptClock) error {
	if op.Body == nil {
		return nil
	}
	body, err := op.Body()
	if err != nil {
		return fmt.Errorf("the request's body cannot be opened: %w", err)
	}
	if body == nil {
		return errors.New("the request's body cannot be opened: its source gave nothing")
	}
	req.Body, req.GetBody, req.ContentLength = &sourceBody{ReadCloser: body, clock: clock}, nil, -1
	if op.BodySize > 0 {
		req.ContentLength = op.BodySize
	}
	return nil
}

// sourceBody is a request's body of one send, read from its source. Every piece of it that is taken starts the send's
// time anew.
type sourceBody struct {
	io.ReadCloser
	clock *attemptClock
}

// Read implements io.Reader.
func (b *sourceBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.clock.restart()
	return n, err
}

// streamedBody is an answer's body that is left to the caller; closing it releases the send's context.
type streamedBody struct {
	io.ReadCloser
	release func()
}

// Close implements io.Closer.
func (b *streamedBody) Close() error {
	defer b.release()
	return b.ReadCloser.Close()
}

// attemptClock runs out once, unless it is stopped. net/http may go on reading a body after the answer came, so
// restarting a stopped clock does nothing.
type attemptClock struct {
	limit   time.Duration
	mu      sync.Mutex
	timer   *time.Timer
	stopped bool
}

// startClock starts a clock; without a limit it never runs out.
func startClock(limit time.Duration, out func()) *attemptClock {
	c := &attemptClock{limit: limit}
	if limit > 0 {
		c.timer = time.AfterFunc(limit, out)
	}
	return c
}

// restart gives the clock its whole time again.
func (c *attemptClock) restart() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil && !c.stopped {
		c.timer.Reset(c.limit)
	}
}

// stop ends the clock for good.
func (c *attemptClock) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	if c.timer != nil {
		c.timer.Stop()
	}
}

// TimeoutError says that one send took longer than its limit. For a write this leaves open whether it was done.
type TimeoutError struct {
	// After is the limit that was reached.
	After time.Duration
	// Idle says that the limit was one of silence, not of the whole send.
	Idle bool
	// Err is context.DeadlineExceeded.
	Err error
}

// Error implements error.
func (e *TimeoutError) Error() string {
	if e.Idle {
		return fmt.Sprintf("nothing moved for %s", e.After)
	}
	return fmt.Sprintf("no complete answer within %s", e.After)
}

// Unwrap returns context.DeadlineExceeded.
func (e *TimeoutError) Unwrap() error { return e.Err }

// Timeout marks the error as a timeout, as net.Error does.
func (e *TimeoutError) Timeout() bool { return true }
