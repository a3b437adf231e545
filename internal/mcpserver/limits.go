package mcpserver

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxAccounts bounds how many principals are remembered at a time.
const maxAccounts = 10_000

// limits keep one principal from using up the server: so many requests a minute, and so many at once.
type limits struct {
	perMinute, atOnce int
	clock             func() time.Time

	mu       sync.Mutex
	accounts map[string]*account
}

type account struct {
	bucket  *rate.Limiter
	running int
	used    time.Time
}

func newLimits(perMinute, atOnce int, clock func() time.Time) *limits {
	return &limits{perMinute: perMinute, atOnce: atOnce, clock: clock, accounts: map[string]*account{}}
}

// begin enters a request and returns what ends it. When there are too many it returns how long to wait instead.
func (l *limits) begin(key string) (end func(), wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock()
	a := l.account(key, now)
	if a == nil || (l.atOnce > 0 && a.running >= l.atOnce) {
		return nil, time.Second
	}
	if a.bucket != nil {
		r := a.bucket.ReserveN(now, 1)
		if wait := r.DelayFrom(now); !r.OK() || wait > 0 {
			r.CancelAt(now)
			return nil, max(wait, time.Second)
		}
	}
	a.running, a.used = a.running+1, now
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		a.running--
	}), 0
}

// account is a principal's, and nil when there is room for no more. The caller holds the lock.
func (l *limits) account(key string, now time.Time) *account {
	if a, ok := l.accounts[key]; ok {
		return a
	}
	if len(l.accounts) >= maxAccounts {
		for k, a := range l.accounts {
			if a.running == 0 && now.Sub(a.used) > time.Minute { // its bucket is full again
				delete(l.accounts, k)
			}
		}
	}
	if len(l.accounts) >= maxAccounts {
		return nil
	}
	a := &account{used: now}
	if l.perMinute > 0 {
		a.bucket = rate.NewLimiter(rate.Limit(float64(l.perMinute)/60), l.perMinute)
	}
	l.accounts[key] = a
	return a
}
