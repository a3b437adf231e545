package worker

import (
	"context"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
)

// Performer acts on the tenant; the tools implement it.
type Performer interface {
	// Apply sends one step, once. The error is *NotSent when it is certain that nothing was accepted, *Refused when
	// the tenant definitely refused; any other error means that it may or may not have been accepted.
	Apply(ctx context.Context, t Task) (Receipt, error)
	// Find looks for the trace of a step that was sent at or after since: the action that carries the task's tag.
	// False means that a complete look found none; when the look was not complete, it is an error.
	Find(ctx context.Context, t Task, since time.Time) (Receipt, bool, error)
	// Follow asks how far an accepted step has come.
	Follow(ctx context.Context, t Task, actionID string) (Progress, error)
}

// Observer is a Performer that can look up what a plan acts on, so that nobody has to believe the plan's word for it.
type Observer interface {
	// Observe gives the plan with the facts that the tenant has now of what it acts on. KindDenied when that is not there, or
	// is another than the plan says.
	Observe(ctx context.Context, p approvals.Plan) (approvals.Plan, error)
}

// Collector is a Performer some of whose actions give something that is to be kept, such as a package of files.
type Collector interface {
	// Collects reports whether the task's action gives something. It asks nobody.
	Collects(t Task) bool
	// Collect fetches what the action gave and keeps it, which may take minutes. Collecting again keeps nothing twice. The
	// progress is how the step ends: its State is final, its Message names what was kept. An error of type *Refused means
	// that it can't be had any more; after any other it is tried again.
	Collect(ctx context.Context, t Task, actionID string) (Progress, error)
}

// Task is one step of one request, with everything that performing it needs.
type Task struct {
	RequestID string
	// Index is the step's place in the plan, from 0.
	Index int
	// Tag marks the remote write, so that Find recognises it.
	Tag       string
	Plan      approvals.Plan
	Step      approvals.Step
	Requester approvals.Requester
	// Approvers are the ids of who said yes by a signed vote; only Collect is told, for what is written beside evidence.
	Approvers []string
}

// Receipt is the tenant's acceptance of a step.
type Receipt struct {
	ActionID, RemoteStatus string
}

// Progress is how far an accepted step has come.
type Progress struct {
	// RemoteStatus is the tenant's own word.
	RemoteStatus string
	// State is accepted while the action runs, and succeeded, failed, timed_out or cancelled at its end.
	State approvals.StepState
	// Message is for people.
	Message string
	// Results says of an action that ended other than well that it gave something all the same, which is to be fetched.
	Results bool
}

// NotSent says that a step was certainly not accepted, as after a 429 or when no connection was made. It will be sent
// again, not before RetryAfter when that is set. A Collect is tried again likewise.
type NotSent struct {
	RetryAfter time.Duration
	Err        error
}

// Error says why.
func (e *NotSent) Error() string { return "not sent: " + text(e.Err) }

// Unwrap returns the cause.
func (e *NotSent) Unwrap() error { return e.Err }

// Refused says that the tenant definitely refused a step. It will not be sent again.
type Refused struct {
	// Text tells people why, without secrets.
	Text string
	Err  error
}

// Error returns the text for people.
func (e *Refused) Error() string { return e.Text }

// Unwrap returns the cause.
func (e *Refused) Unwrap() error { return e.Err }

func text(err error) string {
	if err == nil {
		return "no reason given"
	}
	return err.Error()
}

// Notifier brings what people see of a request up to date, as Slack's card. It returns how soon to call it again when
// it could not now, such as after a rate limit; zero when it is done.
type Notifier interface {
	Notify(ctx context.Context, requestID string) (again time.Duration, err error)
}
