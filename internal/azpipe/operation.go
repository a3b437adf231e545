package azpipe

import (
	"context"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// Operation describes the API call that a request belongs to. Set it on a request with
// policy.Request.SetOperationValue; a request without one has no budget and no time limit per send.
type Operation struct {
	// Endpoint is the method and the path template, e.g. "GET /api/machines/{id}": the unit the service counts by.
	Endpoint string
	// Limit is the documented call rate of the endpoint; the zero Limit means none.
	Limit Limit
	// AttemptTimeout limits one send and the reading of its answer; zero means no limit of its own.
	AttemptTimeout time.Duration
	// Stream leaves the body of a success unread, so that it can be copied to disk with flat memory.
	Stream bool
}

// operationOf returns the Operation set on req, or the zero one.
func operationOf(req *policy.Request) Operation {
	var op Operation
	req.OperationValue(&op)
	return op
}

// noWaitKey is the context key of WithoutWaiting.
type noWaitKey struct{}

// WithoutWaiting returns a context whose calls never sleep: a 429, a used-up budget or a server error comes back at once,
// with the time to wait in the error. Background jobs use it, because a waiting job holds a worker that others need.
func WithoutWaiting(ctx context.Context) context.Context {
	return context.WithValue(ctx, noWaitKey{}, true)
}

// mayWait reports whether calls made with ctx may sleep.
func mayWait(ctx context.Context) bool {
	return ctx.Value(noWaitKey{}) == nil
}

// isRead reports whether a method can be sent again without a second effect.
func isRead(method string) bool {
	return method == http.MethodGet || method == http.MethodHead
}
