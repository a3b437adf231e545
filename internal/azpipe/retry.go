package azpipe

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

const (
	defaultMaxRetries = 3
	defaultRetryDelay = 500 * time.Millisecond
	defaultMaxWait    = 60 * time.Second
)

// retryPolicy sends a request again only when that cannot act twice: any method after a 429, which is a refusal, and
// reads after a server error or a lost connection. A write that got a 5xx or no answer is never repeated here, because
// the service may have acted on it.
type retryPolicy struct {
	maxRetries int
	delay      time.Duration
	maxWait    time.Duration
}

// Do implements policy.Policy. The body is rewound by azcore's own retry policy further in, before every send.
func (p *retryPolicy) Do(req *policy.Request) (*http.Response, error) {
	ctx := req.Raw().Context()
	for try := 0; ; try++ {
		resp, err := req.Next()
		wait, again := p.next(req, resp, err, try)
		if !again {
			return resp, err
		}
		drain(resp)
		began := time.Now()
		err = sleep(ctx, wait)
		if resp != nil && resp.StatusCode == http.StatusTooManyRequests {
			tallyOf(ctx).stood(time.Since(began))
		}
		if err != nil {
			// Only refused requests and reads come here, so for a write this is a certain "not sent".
			return nil, &UnsentError{Err: err}
		}
	}
}

// next decides whether to send once more and after which wait.
func (p *retryPolicy) next(req *policy.Request, resp *http.Response, err error, try int) (time.Duration, bool) {
	ctx := req.Raw().Context()
	if ctx.Err() != nil || try >= p.maxRetries || !MayWait(ctx) || !resendable(req.Raw().Method, resp, err) {
		return 0, false
	}
	wait, asked := time.Duration(0), false
	if resp != nil {
		wait, asked = RetryAfter(resp.Header, time.Now())
	}
	if !asked {
		wait = p.backoff(try)
	}
	if wait > p.maxWait {
		return 0, false
	}
	// Sleeping into a deadline would turn a clear "try again in 30 s" into a bare "deadline exceeded".
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
		return 0, false
	}
	return wait, true
}

// resendable reports whether sending the request once more cannot have a second effect.
func resendable(method string, resp *http.Response, err error) bool {
	if err != nil {
		return isRead(method) && !nonRetriable(err)
	}
	if resp.StatusCode == http.StatusTooManyRequests {
		return true
	}
	return isRead(method) && transient(resp.StatusCode)
}

// transient reports whether a status is worth another try of a read.
func transient(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// backoff grows by powers of two with jitter, so that many clients do not come back in step.
func (p *retryPolicy) backoff(try int) time.Duration {
	base := min(p.delay<<try, p.maxWait)
	return min(time.Duration(float64(base)*(0.8+rand.Float64()*0.4)), p.maxWait)
}

// sleep waits, or returns the context's error when that ends first.
func sleep(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// drain empties and closes a body that nobody will read, so that its connection can be used again.
func drain(resp *http.Response) {
	if resp == nil || resp.Body == nil {
		return
	}
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	_ = resp.Body.Close()
}
