package slacksim

import (
	"strconv"
	"time"
)

// FaultKind says how a Web API call goes wrong.
type FaultKind string

// The ways a Web API call can go wrong.
const (
	FaultError          FaultKind = "error"            // FaultError answers {"ok":false,"error":Error}, without effect.
	FaultStatus         FaultKind = "status"           // FaultStatus answers Status with a short HTML page, without effect.
	FaultRateLimited    FaultKind = "ratelimited"      // FaultRateLimited answers 429, with Retry-After unless RetryAfter is negative.
	FaultEmpty          FaultKind = "empty"            // FaultEmpty answers 200 and {}, without effect.
	FaultHTML           FaultKind = "html"             // FaultHTML answers 200 and an HTML page, without effect.
	FaultEOFAfterEffect FaultKind = "eof_after_effect" // FaultEOFAfterEffect does what was asked, then cuts the connection instead of answering.
	FaultSlow           FaultKind = "slow"             // FaultSlow does what was asked, then answers after Delay.
)

// Fault makes the next calls of a method go wrong.
type Fault struct {
	Method     string        // Method is a Web API method, "response_url", or "*" for all.
	Kind       FaultKind     // Kind is how it goes wrong.
	Error      string        // Error is the code, for FaultError. Empty means internal_error.
	Status     int           // Status is the HTTP status, for FaultStatus. 0 means 503.
	RetryAfter time.Duration // RetryAfter is in whole seconds, for FaultRateLimited. 0 means 1 s; negative leaves the header out.
	Delay      time.Duration // Delay is for FaultSlow.
	Times      int           // Times is how many calls go wrong. 0 means one; negative means all until ClearFaults.
}

// Fail asks for a fault. Faults of one method are used up in the order they were asked for.
func (w *Workspace) Fail(f Fault) {
	f.Times = orDefault(f.Times, 1)
	st := w.lock()
	defer w.unlock()
	st.faults = append(st.faults, &f)
}

// ClearFaults ends all faults.
func (w *Workspace) ClearFaults() {
	st := w.lock()
	defer w.unlock()
	st.faults = nil
}

// takeFault returns the fault that the next call of method meets, if any, and uses it up.
func (s *state) takeFault(method string) *Fault {
	for _, f := range s.faults {
		if f.Times == 0 || f.Method != method && f.Method != "*" {
			continue
		}
		if f.Times > 0 {
			f.Times--
		}
		return f
	}
	return nil
}

// rates remembers the times of calls within the last minute, by method and by channel.
type rates map[string][]time.Time

// allow records a call under key and reports how long the caller must wait if limit calls were made within window already.
func (r rates) allow(key string, now time.Time, limit int, window time.Duration) (wait time.Duration) {
	recent := r[key]
	for len(recent) > 0 && now.Sub(recent[0]) >= window {
		recent = recent[1:]
	}
	r[key] = recent
	if len(recent) >= limit {
		return window - now.Sub(recent[0])
	}
	r[key] = append(recent, now)
	return 0
}

// retryAfter writes a wait the way Slack does: whole seconds, never zero.
func retryAfter(wait time.Duration) string {
	return strconv.Itoa(max(1, int((wait+time.Second-1)/time.Second)))
}
