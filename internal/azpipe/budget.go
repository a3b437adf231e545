package azpipe

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// Limit is the documented call rate of one endpoint for one application in one tenant. Zero means no limit of that kind.
type Limit struct {
	PerMinute int
	PerHour   int
}

// DefaultLimit is what most pages of the MDE API state.
func DefaultLimit() Limit { return Limit{PerMinute: 100, PerHour: 1500} }

// String writes the limit as the documentation does.
func (l Limit) String() string {
	switch {
	case l.PerMinute > 0 && l.PerHour > 0:
		return fmt.Sprintf("%d calls a minute and %d an hour", l.PerMinute, l.PerHour)
	case l.PerMinute > 0:
		return fmt.Sprintf("%d calls a minute", l.PerMinute)
	case l.PerHour > 0:
		return fmt.Sprintf("%d calls an hour", l.PerHour)
	}
	return "no limit"
}

// Budgets counts calls by account and endpoint. One Budgets may be shared by every client of a process, because the
// service counts by application and tenant, whichever client the call comes from. It is safe for concurrent use.
//
// Calls that wait for one endpoint are served Containment first, and in the order of their arrival within a priority.
type Budgets struct {
	maxWait time.Duration
	mu      sync.Mutex
	buckets map[bucketKey]*bucket
}

// bucketKey names one budget: the account (application and tenant), the endpoint and its limit.
type bucketKey struct {
	account, endpoint string
	limit             Limit
}

// NewBudgets returns empty budgets. A call that would have to wait longer than maxWait (60 s when zero) is refused with
// a BudgetError or a PauseError instead.
func NewBudgets(maxWait time.Duration) *Budgets {
	if maxWait <= 0 {
		maxWait = defaultMaxWait
	}
	return &Budgets{maxWait: maxWait, buckets: map[bucketKey]*bucket{}}
}

// Take uses one call of an endpoint's budget, with the priority of ctx (see WithPriority). It waits for a free one as
// long as ctx lives and lets it wait; a refusal uses up nothing. Its errors are certain not to have sent anything.
func (b *Budgets) Take(ctx context.Context, account, endpoint string, limit Limit) error {
	if limit == (Limit{}) && endpoint == "" {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return &UnsentError{Err: err}
	}
	return b.bucket(bucketKey{account, endpoint, limit}).take(ctx, b.patience(ctx))
}

// patience is how long a call may wait.
func (b *Budgets) patience(ctx context.Context) time.Duration {
	if !MayWait(ctx) {
		return 0
	}
	if deadline, ok := ctx.Deadline(); ok {
		return min(b.maxWait, max(time.Until(deadline), 0))
	}
	return b.maxWait
}

// pause holds all calls of an endpoint back, because the service has refused one of them for that long.
func (b *Budgets) pause(account, endpoint string, limit Limit, wait time.Duration) {
	if endpoint != "" {
		b.bucket(bucketKey{account, endpoint, limit}).pause(wait)
	}
}

// bucket returns the budget of a key, made at its first use. The service does not tell upper from lower case in a path.
func (b *Budgets) bucket(key bucketKey) *bucket {
	folded := key
	folded.endpoint = strings.ToLower(key.endpoint)
	b.mu.Lock()
	defer b.mu.Unlock()
	found, ok := b.buckets[folded]
	if !ok {
		found = newBucket(key)
		b.buckets[folded] = found
	}
	return found
}

// budgetPolicy takes one call of the operation's budget for every send, re-sends included: the service counts those too.
// A 429 holds the endpoint's other calls back as well, so that not every caller has to be refused once.
type budgetPolicy struct {
	budgets *Budgets
	account string
}

// Do implements policy.Policy.
func (p budgetPolicy) Do(req *policy.Request) (*http.Response, error) {
	op, ctx := operationOf(req), req.Raw().Context()
	if !op.Reads && !isRead(req.Raw().Method) {
		ctx = WithPriority(ctx, Containment)
	}
	watched, began := tallyOf(ctx), time.Now()
	err := p.budgets.Take(ctx, p.account, op.Endpoint, op.Limit)
	watched.stood(time.Since(began))
	if err != nil {
		return nil, err
	}
	resp, err := req.Next()
	watched.sent(resp)
	if err == nil && resp.StatusCode == http.StatusTooManyRequests {
		if wait, ok := RetryAfter(resp.Header, time.Now()); ok {
			p.budgets.pause(p.account, op.Endpoint, op.Limit, wait)
		}
	}
	return resp, err
}
