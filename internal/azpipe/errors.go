package azpipe

import (
	"errors"
	"fmt"
	"time"
)

// NotSent reports whether err proves that the service never accepted the request: it was stopped by one of our own
// policies, no token could be had, or no connection was made. Anything else has to be taken as possibly done.
func NotSent(err error) bool {
	var marked interface{ NotSent() bool }
	return errors.As(err, &marked) && marked.NotSent()
}

// RetryAfterOf returns how long the error asks the caller to wait, or zero.
func RetryAfterOf(err error) time.Duration {
	var hinted interface{ RetryDelay() time.Duration }
	if errors.As(err, &hinted) {
		return hinted.RetryDelay()
	}
	return 0
}

// HostError says that a request was about to leave for another place than the configured one.
type HostError struct {
	// Got and Want are scheme and host, e.g. "https://api.security.microsoft.com".
	Got, Want string
}

// Error implements error.
func (e *HostError) Error() string {
	return fmt.Sprintf("refused to send to %s: this client is configured for %s only, and its token must not go anywhere else; "+
		"if the tenant lives on another host, configure that host", e.Got, e.Want)
}

// NotSent is always true: the pin comes before everything that touches the network.
func (e *HostError) NotSent() bool { return true }

// NonRetriable tells azcore and our retry policy that trying again changes nothing.
func (e *HostError) NonRetriable() {}

// BudgetError says that an endpoint's own call budget is used up, so the call was not made.
type BudgetError struct {
	// Endpoint is the method and path template whose budget is used up.
	Endpoint string
	// Limit is the budget.
	Limit Limit
	// Wait is how long until the next call is free.
	Wait time.Duration
	// Err is the context's error when waiting was cut short, else nil.
	Err error
}

// Error implements error.
func (e *BudgetError) Error() string {
	text := fmt.Sprintf("the budget of %s for %s is used up: the next call is free in %s; nothing was sent",
		e.Limit, e.Endpoint, roundUp(e.Wait))
	if e.Err != nil {
		text += " (stopped waiting: " + e.Err.Error() + ")"
	}
	return text
}

// Unwrap returns the reason why waiting ended early, if it did.
func (e *BudgetError) Unwrap() error { return e.Err }

// NotSent is always true: the budget comes before the wire.
func (e *BudgetError) NotSent() bool { return true }

// RetryDelay is the time until the next call is free.
func (e *BudgetError) RetryDelay() time.Duration { return e.Wait }

// NonRetriable keeps the retry policy from waiting on top of a wait that was judged too long.
func (e *BudgetError) NonRetriable() {}

// UnsentError wraps a failure that came before the request could reach the service, such as a refused connection.
type UnsentError struct{ Err error }

// Error implements error.
func (e *UnsentError) Error() string { return e.Err.Error() }

// Unwrap returns the failure.
func (e *UnsentError) Unwrap() error { return e.Err }

// NotSent is always true.
func (e *UnsentError) NotSent() bool { return true }

// roundUp makes a wait readable without ever promising less than it takes.
func roundUp(d time.Duration) time.Duration {
	unit := time.Second
	if d < time.Second {
		unit = time.Millisecond
	}
	return (d + unit - 1).Truncate(unit)
}

// nonRetriable reports whether an error says of itself that trying again is useless.
func nonRetriable(err error) bool {
	var marked interface{ NonRetriable() }
	return errors.As(err, &marked)
}
