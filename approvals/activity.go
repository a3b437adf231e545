package approvals

import (
	"context"
	"time"
)

// Window is one question about recent activity: on how many targets was something done in the time before a moment.
type Window struct {
	// Tool limits it to one tool, Risk to the tools of one risk; empty means any acting tool.
	Tool string
	Risk Risk
	// Mine limits it to the same requester.
	Mine bool
	// Length is how far back it looks.
	Length time.Duration
}

// Recent answers windows: the number of steps that were sent within each, and of those that are approved and not yet sent.
type Recent map[Window]int

// RecentQuery asks for the counts of several windows.
type RecentQuery struct {
	Windows []Window
	// At ends every window; what was sent at or after it does not count.
	At time.Time
	// Requester is whose activity the windows with Mine count.
	Requester Person
	// Except is a request to leave out; empty when there is none.
	Except string
}

// Activity knows what was done lately; the store does. An error means that nobody knows, which is never a yes.
type Activity interface {
	Recent(ctx context.Context, q RecentQuery) (Recent, error)
}
