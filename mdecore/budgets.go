package mdecore

import (
	"context"
	"time"

	"github.com/mde-ops/mde-ops/internal/azpipe"
)

// Budgets counts calls per endpoint; share one among the clients of an account.
type Budgets = azpipe.Budgets

// Limit is the call rate of an endpoint, as PerMinute and PerHour calls; zero means no limit of that kind.
type Limit = azpipe.Limit

// NewBudgets returns empty budgets for sharing. A call that would have to wait longer than maxWait is refused with a
// BudgetError instead; 60 s when zero.
func NewBudgets(maxWait time.Duration) *Budgets { return azpipe.NewBudgets(maxWait) }

// DefaultLimit is the call rate that most pages of the API state: 100 calls a minute and 1,500 an hour.
func DefaultLimit() Limit { return azpipe.DefaultLimit() }

// Watch is told of every call that a client makes: what, never for whom; how it ended, and the ids to find it by.
type Watch = azpipe.Watch

// Priority is the rank of a call among those that wait for the budget of the same endpoint.
type Priority = azpipe.Priority

const (
	// Enrichment is what reads have by themselves: they wait until no Containment call of the endpoint waits any more.
	Enrichment = azpipe.Enrichment
	// Containment is what writes always have, and reads that ask for it because a containment depends on them.
	Containment = azpipe.Containment
)

// WithPriority returns a context whose reads have priority p when they wait for an endpoint's budget. Within a priority
// the first to come is the first served; a Containment call overtakes every Enrichment call that still waits. Writes are
// Containment whatever the context says.
func WithPriority(ctx context.Context, p Priority) context.Context {
	return azpipe.WithPriority(ctx, p)
}

// PauseError says that a call was not made because the service has answered 429 to another one of the same endpoint and
// the time it asked for is not over.
type PauseError = azpipe.PauseError

// BudgetError says that a call was not made because the budget of its endpoint is used up for longer than it may wait.
type BudgetError = azpipe.BudgetError
