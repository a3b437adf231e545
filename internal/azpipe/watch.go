package azpipe

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// Watch is told of every call, before anything of it is done. It returns the context to do it with, and what is told how
// the call ended. It must not block.
type Watch func(ctx context.Context, c Begun) (context.Context, func(Ended))

// Begun is what is known of a call before it is made. There is no address in it: those hold ids and filters.
type Begun struct {
	// Endpoint is the method and the path template, e.g. "GET /api/machines/{id}"; the method alone where a call belongs to
	// no documented operation.
	Endpoint string
	// Host is where the call goes.
	Host string
}

// Ended is how a call ended.
type Ended struct {
	// Status is that of the answer, 0 when there was none. Err is the pipeline's, without secrets.
	Status int
	Err    error
	// Sends is how often the call was sent, and Throttled how often that was answered 429.
	Sends, Throttled int
	// Waited is how long the call stood still because of a limit: the service's after a 429, or our own budget.
	Waited time.Duration
	// ClientRequestID and ServiceRequestID are the ids that both sides gave the call, as the service's support asks for them.
	ClientRequestID, ServiceRequestID string
}

// tally counts what happens to one call on its way. The policies that wait and send add to it.
type tally struct {
	mu               sync.Mutex
	sends, throttled int
	waited           time.Duration
}

type tallyKey struct{}

// tallyOf is the tally of a call, and nil when nobody watches.
func tallyOf(ctx context.Context) *tally {
	t, _ := ctx.Value(tallyKey{}).(*tally)
	return t
}

// sent counts a send and its answer.
func (t *tally) sent(resp *http.Response) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sends++
	if resp != nil && resp.StatusCode == http.StatusTooManyRequests {
		t.throttled++
	}
}

// stood counts a wait for a limit. What takes less than a moment was none.
func (t *tally) stood(d time.Duration) {
	if t == nil || d < time.Millisecond {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waited += d
}

// watchPolicy stands before all others, so that what it tells of a call is what its caller sees.
type watchPolicy struct{ watch Watch }

// Do implements policy.Policy.
func (p watchPolicy) Do(req *policy.Request) (*http.Response, error) {
	raw := req.Raw()
	begun := Begun{Endpoint: operationOf(req).Endpoint, Host: raw.URL.Host}
	if begun.Endpoint == "" {
		begun.Endpoint = raw.Method
	}
	t := &tally{}
	ctx, end := p.watch(context.WithValue(raw.Context(), tallyKey{}, t), begun)
	resp, err := req.WithContext(ctx).Next()
	ended := Ended{Err: err, ClientRequestID: raw.Header.Get("x-ms-client-request-id")}
	if resp != nil {
		ended.Status, ended.ServiceRequestID = resp.StatusCode, ServiceRequestID(resp)
	}
	t.mu.Lock()
	ended.Sends, ended.Throttled, ended.Waited = t.sends, t.throttled, t.waited
	t.mu.Unlock()
	end(ended)
	return resp, err
}

// ServiceRequestID is the id that the service gave to a call, by which its support finds it; empty when it gave none.
func ServiceRequestID(resp *http.Response) string {
	for _, name := range []string{"x-ms-request-id", "request-id"} {
		if id := resp.Header.Get(name); id != "" {
			return id
		}
	}
	return ""
}
