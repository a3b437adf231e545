package mdecore

import (
	"context"
	"fmt"
	"time"
)

// WaitOptions say how patiently to follow an action.
type WaitOptions struct {
	// Interval is the time between two questions; 5 s when zero.
	Interval time.Duration
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

// WaitMachineAction asks for an action until it is final and returns it, whatever its end: the caller looks at Status.
// An unknown status counts as not final. When Max is over, the action comes back together with a *StillRunningError.
// Documentation page: get-machineaction-object.md.
//
//mde:op GET /api/machineactions/{id} roles=Machine.ReadWrite.All,Machine.Read.All
func (c *Client) WaitMachineAction(ctx context.Context, id string, opts WaitOptions) (*MachineAction, error) {
	if opts.Interval <= 0 {
		opts.Interval = 5 * time.Second
	}
	if opts.Max <= 0 {
		opts.Max = 10 * time.Minute
	}
	start := time.Now()
	timer := time.NewTimer(opts.Interval)
	defer timer.Stop()
	for {
		action, err := c.GetMachineAction(ctx, id)
		if err != nil || action.Status.Terminal() {
			return action, err
		}
		left := opts.Max - time.Since(start)
		if left <= 0 {
			return action, &StillRunningError{Action: action, After: opts.Max}
		}
		timer.Reset(min(opts.Interval, left))
		select {
		case <-timer.C:
		case <-ctx.Done():
			return action, &Error{Op: "WaitMachineAction", Message: "stopped waiting for action " + id, Err: ctx.Err()}
		}
	}
}
