package mdecore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// WaitOptions say how patiently to follow an action.
type WaitOptions struct {
	// Interval is the time between two questions; 5 s when zero.
	Interval time.Duration
	// Next, when it is set, gives the time until the next question instead of Interval, from the action as it was seen last
	// and how often it was asked for. Less than a second counts as a second, because the service allows 100 questions a
	// minute to all callers together.
	Next func(last *MachineAction, asked int) time.Duration
	// OnChange, when it is set, is called with the first answer and with every one whose status, or number of finished
	// commands, differs from the one before. It runs between two questions and should be quick.
	OnChange func(*MachineAction)
	// Max is how long to go on; 10 min when zero. The action goes on without us and can be asked for again.
	Max time.Duration
}

// StillRunningError says that an action was not final when waiting ended.
type StillRunningError struct {
	// Action is the action as it was seen last.
	Action *MachineAction
	// After is how long was waited.
	After time.Duration
}

// Error implements error.
func (e *StillRunningError) Error() string {
	return fmt.Sprintf("action %s is still %s after %s: it goes on in the service; ask for it again later", e.Action.ID, e.Action.Status, e.After)
}

// Backoff returns a WaitOptions.Next that begins with first and doubles up to most.
func Backoff(first, most time.Duration) func(*MachineAction, int) time.Duration {
	return func(_ *MachineAction, asked int) time.Duration {
		wait := first
		for range asked - 1 {
			if wait >= most {
				break
			}
			wait *= 2
		}
		return min(wait, most)
	}
}

// WaitMachineAction asks for an action until it is final and returns it, whatever its end: the caller looks at Status.
// TimeOut is an end as well; an unknown status counts as not final. When Max is over, the action comes back together with
// a *StillRunningError. Once the action was seen, questions that are answered with 429, or held back by our own budget,
// are asked again later; any other failure ends the waiting, and the action as it was seen last comes back with it.
// Documentation page: get-machineaction-object.md.
//
//mde:op GET /api/machineactions/{action_id} roles=Machine.ReadWrite.All,Machine.Read.All
func (c *Client) WaitMachineAction(ctx context.Context, id string, opts WaitOptions) (*MachineAction, error) {
	if opts.Max <= 0 {
		opts.Max = 10 * time.Minute
	}
	start := time.Now()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var last *MachineAction
	for asked := 1; ; asked++ {
		action, err := c.GetMachineAction(ctx, id)
		if err == nil {
			opts.report(last, action)
			last = action
		}
		pause, goOn := opts.pause(last, asked, err)
		left := opts.Max - time.Since(start)
		switch {
		case !goOn:
			return last, err
		case left <= 0:
			return last, &StillRunningError{Action: last, After: opts.Max}
		}
		timer.Reset(min(pause, left))
		select {
		case <-timer.C:
		case <-ctx.Done():
			return last, &Error{Op: "WaitMachineAction", Message: "stopped waiting for action " + id, Err: ctx.Err()}
		}
	}
}

// pause is the time until the next question, and whether there is to be one.
func (o WaitOptions) pause(last *MachineAction, asked int, err error) (time.Duration, bool) {
	if last == nil || last.Status.Terminal() || (err != nil && !throttled(err)) {
		return 0, false
	}
	wait := o.Interval
	switch {
	case o.Next != nil:
		wait = max(o.Next(last, asked), time.Second)
	case wait <= 0:
		wait = 5 * time.Second
	}
	return max(wait, RetryAfter(err)), true
}

// throttled reports whether a call was not made, or refused, only because there were too many.
func throttled(err error) bool {
	var failed *Error
	return NotSent(err) && (RetryAfter(err) > 0 || errors.As(err, &failed) && failed.Status == http.StatusTooManyRequests)
}

// report calls OnChange when there is something new.
func (o WaitOptions) report(last, now *MachineAction) {
	if o.OnChange != nil && (last == nil || last.Status != now.Status || last.finished() != now.finished()) {
		o.OnChange(now)
	}
}

// finished counts the commands of a live response that have come to an end.
func (a *MachineAction) finished() (n int) {
	for _, c := range a.Commands {
		if !c.EndTime.IsZero() {
			n++
		}
	}
	return n
}
