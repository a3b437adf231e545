package mdesim

import (
	"net/http"
	"strconv"
	"time"
)

// RetryAfterForm is how a 429 says how long to wait.
type RetryAfterForm string

// The forms of the Retry-After header.
const (
	RetryAfterSeconds RetryAfterForm = "seconds" // as documented
	RetryAfterDateOf  RetryAfterForm = "date"    // an HTTP date
	RetryAfterNone    RetryAfterForm = "none"    // no header
)

// Throttle is the rate limit of every documented operation. It counts requests
// per operation and tenant in windows that begin with their first request.
type Throttle struct {
	On        bool
	PerMinute int            // default: as documented for the operation, mostly 100
	PerHour   int            // default: as documented for the operation, mostly 1,500
	Form      RetryAfterForm // default RetryAfterSeconds
}

// window counts the requests of one operation.
type window struct {
	minute, hour   time.Time
	nMinute, nHour int
}

// wait counts a request and returns how long the operation stays closed; zero
// means the request may pass.
func (w *window) wait(now time.Time, perMinute, perHour int) time.Duration {
	if now.Sub(w.minute) >= time.Minute {
		w.minute, w.nMinute = now, 0
	}
	if now.Sub(w.hour) >= time.Hour {
		w.hour, w.nHour = now, 0
	}
	switch {
	case perHour > 0 && w.nHour >= perHour:
		return w.hour.Add(time.Hour).Sub(now)
	case perMinute > 0 && w.nMinute >= perMinute:
		return w.minute.Add(time.Minute).Sub(now)
	}
	w.nMinute++
	w.nHour++
	return 0
}

// throttled answers 429 when the operation's limit is reached.
func (t *Tenant) throttled(rt *route) (response, bool) {
	if !t.Throttle.On {
		return response{}, false
	}
	t.mu.Lock()
	w := t.windows[rt.Op]
	if w == nil {
		w = &window{}
		t.windows[rt.Op] = w
	}
	now := t.now()
	wait := w.wait(now, orDefault(t.Throttle.PerMinute, rt.PerMinute), orDefault(t.Throttle.PerHour, rt.PerHour))
	t.mu.Unlock()
	if wait <= 0 {
		return response{}, false
	}
	resp := t.problem(http.StatusTooManyRequests, "TooManyRequests", "API calls quota exceeded for "+rt.Op)
	switch t.Throttle.Form {
	case RetryAfterDateOf:
		resp.header.Set("Retry-After", RetryAfterDate(now.Add(wait+time.Second-1)))
	case RetryAfterNone:
	default:
		resp.header.Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
	}
	return resp, true
}
