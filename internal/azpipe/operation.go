package azpipe

import (
	"context"
	"io"
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
	// Reads marks a POST that changes nothing, such as a hunting query: it is Enrichment unless its context says more. It is
	// still never sent again after a server error.
	Reads bool
	// AttemptTimeout limits one send and the reading of its answer; zero means no limit of its own. With Stream it limits
	// the wait for the answer's header. With Body it limits silence: it starts anew whenever a piece of the body was
	// taken, so that a slow upload is not cut while it moves.
	AttemptTimeout time.Duration
	// Body opens the request's body from its source, for bodies too large to keep in memory. It is called anew for every
	// send, because an answer can come while the body of an earlier send is still being read. The request's own body must
	// be empty; its Content-Type is the caller's to set.
	Body func() (io.ReadCloser, error)
	// BodySize is the length of what Body gives, in bytes; zero when it is not known.
	BodySize int64
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

// MayWait reports whether calls made with ctx may sleep.
func MayWait(ctx context.Context) bool {
	return ctx.Value(noWaitKey{}) == nil
}

// isRead reports whether a method can be sent again without a second effect.
func isRead(method string) bool {
	return method == http.MethodGet || method == http.MethodHead
}
