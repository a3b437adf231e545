package azpipe

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// attemptPolicy surrounds one send: it limits its time and, for writes, notes whether the request ever got a connection.
// Without a connection nothing can have been done, which is the only kind of lost write that may be tried again.
type attemptPolicy struct{}

// Do implements policy.Policy.
func (attemptPolicy) Do(req *policy.Request) (*http.Response, error) {
	op, write := operationOf(req), !isRead(req.Raw().Method)
	if op.AttemptTimeout <= 0 && !write {
		return req.Next()
	}
	ctx, cancel := attemptContext(req.Raw().Context(), op)
	defer cancel()
	var connected atomic.Bool
	if write {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	}
	resp, err := req.WithContext(ctx).Next()
	if err == nil {
		return resp, nil
	}
	if errors.Is(context.Cause(ctx), errAttemptTimeout) {
		err = &TimeoutError{After: op.AttemptTimeout, Err: err}
	}
	if write && !connected.Load() {
		err = &UnsentError{Err: err}
	}
	return resp, err
}

// errAttemptTimeout tells our own time limit from the caller's.
var errAttemptTimeout = errors.New("time limit of one send")

// attemptContext limits ctx to one send. A streamed answer outlives the send, so it gets no limit here.
func attemptContext(ctx context.Context, op Operation) (context.Context, context.CancelFunc) {
	if op.AttemptTimeout <= 0 || op.Stream {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, op.AttemptTimeout, errAttemptTimeout)
}

// TimeoutError says that one send took longer than its limit. For a write this leaves open whether it was done.
type TimeoutError struct {
	// After is the limit that was reached.
	After time.Duration
	// Err is the transport's error.
	Err error
}

// Error implements error.
func (e *TimeoutError) Error() string {
	return fmt.Sprintf("no complete answer within %s", e.After)
}

// Unwrap returns the transport's error.
func (e *TimeoutError) Unwrap() error { return e.Err }

// Timeout marks the error as a timeout, as net.Error does.
func (e *TimeoutError) Timeout() bool { return true }
