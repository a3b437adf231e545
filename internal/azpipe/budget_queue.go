package azpipe

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// maxPause caps what one 429 does to other calls: the service counts in hours at most, and a nonsensical header must
	// not keep a responder from isolating a device for a day.
	maxPause = time.Hour
	// patienceSlack keeps the rounding of rates from refusing a call whose wait is just as long as it may be.
	patienceSlack = time.Millisecond
)

// bucket is the budget of one endpoint: the limiters say when the next call is free, the queues who gets it.
type bucket struct {
	key      bucketKey
	mu       sync.Mutex
	limiters []*rate.Limiter
	paused   time.Time // no call before that
	waiting  [priorities]list.List
	timer    *time.Timer // for the first of the queue; nil until somebody waited
}

// waiter is a call in a queue.
type waiter struct {
	priority Priority
	place    *list.Element // nil once it has left the queue
	until    time.Time     // the end of its patience
	free     time.Time     // when it will be served, as far as known
	done     chan struct{} // closed when it was served or refused; made only for those that really wait
	err      error         // why it was refused
}

// newBucket returns the full budget of an endpoint.
func newBucket(key bucketKey) *bucket {
	k := &bucket{key: key}
	for _, l := range []struct {
		calls  int
		period time.Duration
	}{{key.limit.PerMinute, time.Minute}, {key.limit.PerHour, time.Hour}} {
		if l.calls > 0 {
			// Calls are spread over the period, and all of them may come at once after a quiet one.
			k.limiters = append(k.limiters, rate.NewLimiter(rate.Limit(float64(l.calls)/l.period.Seconds()), l.calls))
		}
	}
	return k
}

// take waits for the turn of one call.
func (k *bucket) take(ctx context.Context, patience time.Duration) error {
	w, err := k.join(ctx, patience)
	if w == nil || err != nil {
		return err
	}
	patient := time.NewTimer(patience)
	defer patient.Stop()
	select {
	case <-w.done:
		return w.err
	case <-patient.C:
		return k.leave(w, nil)
	case <-ctx.Done():
		return k.leave(w, ctx.Err())
	}
}

// join puts a call in the queue. It returns nil when the call may be made at once, and an error when its turn would come
// after its patience ends.
func (k *bucket) join(ctx context.Context, patience time.Duration) (*waiter, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	w := &waiter{priority: priorityOf(ctx), until: now.Add(patience)}
	w.place = k.waiting[w.priority].PushBack(w)
	k.dispatch(now)
	if w.place == nil {
		return nil, nil
	}
	wait := k.wait(now, k.ahead(w.priority))
	if wait > patience {
		k.remove(w)
		return nil, k.refusal(now, wait, nil)
	}
	w.done, w.free = make(chan struct{}), now.Add(wait)
	if w.priority == Containment {
		k.review(now)
	}
	k.arm(now)
	return w, nil
}

// ahead is the number of calls that are served up to the last one of a priority.
func (k *bucket) ahead(p Priority) int {
	n := 0
	for rank := p; rank < priorities; rank++ {
		n += k.waiting[rank].Len()
	}
	return n
}

// leave takes a waiter out of the queue, because its patience ended (cause nil) or its caller gave up. A call that it
// was given in the same moment goes to the next one.
func (k *bucket) leave(w *waiter, cause error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	if cause == nil {
		// Its turn may have come just now.
		k.dispatch(now)
	}
	switch {
	case w.place == nil && (w.err != nil || cause == nil):
		return w.err
	case w.place == nil:
		for _, l := range k.limiters {
			l.ReserveN(now, -1)
		}
	default:
		k.remove(w)
	}
	k.dispatch(now)
	k.arm(now)
	return k.refusal(now, max(w.free.Sub(now), 0), cause)
}

// remove takes a waiter out of its queue.
func (k *bucket) remove(w *waiter) {
	k.waiting[w.priority].Remove(w.place)
	w.place = nil
}

// end takes a waiter out of its queue and tells it how its wait ended.
func (k *bucket) end(w *waiter, err error) {
	k.remove(w)
	w.err = err
	if w.done != nil {
		close(w.done)
	}
}

// first returns who is next, or nil.
func (k *bucket) first() *waiter {
	for rank := priorities - 1; rank >= 0; rank-- {
		if front := k.waiting[rank].Front(); front != nil {
			return front.Value.(*waiter)
		}
	}
	return nil
}

// dispatch serves whoever can be served now.
func (k *bucket) dispatch(now time.Time) {
	for w := k.first(); w != nil && k.wait(now, 1) == 0; w = k.first() {
		for _, l := range k.limiters {
			l.ReserveN(now, 1)
		}
		k.end(w, nil)
	}
}

// wait returns how long it takes until the nth call from now may be made.
func (k *bucket) wait(now time.Time, n int) time.Duration {
	start := now
	if k.paused.After(now) {
		start = k.paused
	}
	longest := time.Duration(0)
	for _, l := range k.limiters {
		if missing := float64(n) - l.TokensAt(start); missing > 0 {
			// An hour per call and a million callers would overflow a duration.
			seconds := min(missing/float64(l.Limit()), 1e9)
			longest = max(longest, time.Duration(seconds*float64(time.Second)))
		}
	}
	return start.Sub(now) + longest
}

// review works out everybody's turn anew after a pause began or a Containment call came in, and refuses at once whoever
// would wait too long now.
func (k *bucket) review(now time.Time) {
	n := 0
	for rank := priorities - 1; rank >= 0; rank-- {
		var next *list.Element
		for e := k.waiting[rank].Front(); e != nil; e = next {
			next = e.Next()
			w := e.Value.(*waiter)
			wait := k.wait(now, n+1)
			w.free = now.Add(wait)
			if w.free.After(w.until.Add(patienceSlack)) {
				k.end(w, k.refusal(now, wait, nil))
				continue
			}
			n++
		}
	}
}

// arm sets the timer for the first in the queue.
func (k *bucket) arm(now time.Time) {
	switch {
	case k.first() == nil && k.timer != nil:
		k.timer.Stop()
	case k.first() == nil:
	case k.timer == nil:
		k.timer = time.AfterFunc(k.wait(now, 1), k.wake)
	default:
		k.timer.Reset(k.wait(now, 1))
	}
}

// wake serves whose turn has come.
func (k *bucket) wake() {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	k.dispatch(now)
	k.arm(now)
}

// pause lets no call through for a while. A shorter pause does not end a longer one.
func (k *bucket) pause(wait time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	if end := now.Add(min(wait, maxPause)); end.After(k.paused) {
		k.paused = end
		k.review(now)
		k.arm(now)
	}
}

// refusal is the error of a call that was not let through.
func (k *bucket) refusal(now time.Time, wait time.Duration, cause error) error {
	if k.paused.After(now) {
		return &PauseError{Endpoint: k.key.endpoint, Wait: wait, Err: cause}
	}
	return &BudgetError{Endpoint: k.key.endpoint, Limit: k.key.limit, Wait: wait, Err: cause}
}

// PauseError says that the service has refused a call of this endpoint with 429, and that the time it asked for is not
// over, so the call was not made.
type PauseError struct {
	// Endpoint is the method and path template that the service refused.
	Endpoint string
	// Wait is how long until the call may be made, with those that wait before it.
	Wait time.Duration
	// Err is the context's error when waiting was cut short, else nil.
	Err error
}

// Error implements error.
func (e *PauseError) Error() string {
	text := fmt.Sprintf("the service has refused calls of %s for now (429): the next one may be made in %s; nothing was sent",
		e.Endpoint, roundUp(e.Wait))
	if e.Err != nil {
		text += " (stopped waiting: " + e.Err.Error() + ")"
	}
	return text
}

// Unwrap returns the reason why waiting ended early, if it did.
func (e *PauseError) Unwrap() error { return e.Err }

// NotSent is always true: the pause comes before the wire.
func (e *PauseError) NotSent() bool { return true }

// RetryDelay is the time until the call may be made.
func (e *PauseError) RetryDelay() time.Duration { return e.Wait }

// NonRetriable keeps the retry policy from waiting on top of a wait that was judged too long.
func (e *PauseError) NonRetriable() {}
