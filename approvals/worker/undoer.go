package worker

import (
	"context"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
)

// Undoer is a Performer that can take back what it did. Without one a time-box is never released, and people are told.
type Undoer interface {
	// Inverse is the plan that takes back some steps of a request, by their places in its plan. It depends on the request
	// alone: the same steps always give the same plan.
	Inverse(r approvals.Request, steps []int) (approvals.Plan, error)
	// InForce looks in the tenant whether what those steps did is in force and theirs, one answer for each.
	InForce(ctx context.Context, r approvals.Request, steps []int) ([]Force, error)
}

// ForceState says what became of what a step did.
type ForceState string

// The answers of InForce; any other value is as good as unclear.
const (
	ForceOurs    ForceState = "ours"    // in force, and by this step
	ForceOver    ForceState = "over"    // taken back, or somebody else's: nothing of the step is left to undo
	ForceUnclear ForceState = "unclear" // something is under way, or the step's action can't be recognised
)

// Force is what is in force where a step acted.
type Force struct {
	State ForceState
	// Why says in one sentence why it is not ours.
	Why string
}

// Timepiece is a Performer that can tell the tenant's time, the second clock beside this machine's.
type Timepiece interface {
	Clock(ctx context.Context) (time.Time, error)
}
