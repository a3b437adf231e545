package azpipe

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"golang.org/x/time/rate"
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

// bucket is the pair of limiters of one endpoint; a nil limiter does not limit.
type bucket struct {
	mu           sync.Mutex
	minute, hour *rate.Limiter
}

// NewBudgets returns empty budgets. A call that would have to wait longer than maxWait (60 s when zero) is refused with
// a BudgetError instead.
func NewBudgets(maxWait time.Duration) *Budgets {
	if maxWait <= 0 {
		maxWait = defaultMaxWait
	}
	return &Budgets{maxWait: maxWait, buckets: map[bucketKey]*bucket{}}
}

// Take uses one call of an endpoint's budget. It waits for a free one as long as ctx lives and lets it wait; a refusal
// uses up nothing.
func (b *Budgets) Take(ctx context.Context, account, endpoint string, limit Limit) error {
	if limit == (Limit{}) {
		return nil
	}
	maxWait := b.maxWait
	if !mayWait(ctx) {
		maxWait = 0
	}
	if deadline, ok := ctx.Deadline(); ok {
		maxWait = min(maxWait, max(time.Until(deadline), 0))
	}
	wait, cancel := b.bucket(bucketKey{account, endpoint, limit}).reserve(time.Now(), maxWait)
	if wait > maxWait {
		return &BudgetError{Endpoint: endpoint, Limit: limit, Wait: wait, Err: ctx.Err()}
	}
	if wait == 0 {
		return nil
	}
	if err := sleep(ctx, wait); err != nil {
		cancel()
		return &BudgetError{Endpoint: endpoint, Limit: limit, Wait: wait, Err: err}
	}
	return nil
}

// bucket returns the budget of a key, made at its first use.
func (b *Budgets) bucket(key bucketKey) *bucket {
	b.mu.Lock()
	defer b.mu.Unlock()
	found, ok := b.buckets[key]
	if !ok {
		found = &bucket{
			minute: limiter(key.limit.PerMinute, time.Minute),
			hour:   limiter(key.limit.PerHour, time.Hour),
		}
		b.buckets[key] = found
	}
	return found
}

// limiter spreads n calls over a period and lets all of them come at once after a quiet one.
func limiter(n int, period time.Duration) *rate.Limiter {
	if n <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Every(period/time.Duration(n)), n)
}

// reserve takes one call from both limiters and returns the wait until it may be made. A wait above maxWait takes
// nothing; cancel gives a taken call back.
func (k *bucket) reserve(now time.Time, maxWait time.Duration) (wait time.Duration, cancel func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var taken [2]*rate.Reservation
	for i, l := range [...]*rate.Limiter{k.minute, k.hour} {
		if l != nil {
			taken[i] = l.ReserveN(now, 1)
			wait = max(wait, taken[i].DelayFrom(now))
		}
	}
	cancel = func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		giveBack(taken, time.Now())
	}
	if wait > maxWait {
		giveBack(taken, now)
	}
	return wait, cancel
}

// giveBack returns reservations that were not used.
func giveBack(taken [2]*rate.Reservation, at time.Time) {
	for _, r := range taken {
		if r != nil {
			r.CancelAt(at)
		}
	}
}

// budgetPolicy takes one call of the operation's budget for every send, re-sends included: the service counts those too.
type budgetPolicy struct {
	budgets *Budgets
	account string
}

// Do implements policy.Policy.
func (p budgetPolicy) Do(req *policy.Request) (*http.Response, error) {
	op := operationOf(req)
	if err := p.budgets.Take(req.Raw().Context(), p.account, op.Endpoint, op.Limit); err != nil {
		return nil, err
	}
	return req.Next()
}
