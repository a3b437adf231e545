package gate

import (
	"context"

	"github.com/mde-ops/mde-ops/approvals/store"
)

// Timeboxes returns the time-boxes of a request by step: when each is due, and what became of it. They are for people to
// read; what may be released is decided by what was approved.
func (g *Gate) Timeboxes(ctx context.Context, requestID string) ([]store.Timebox, error) {
	return g.store.Timeboxes(ctx, requestID)
}
