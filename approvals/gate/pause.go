package gate

import (
	"context"

	"github.com/mde-ops/mde-ops/approvals"
)

// Pause is what the audit says of the pause that holds a running request now, and false when none does. It believes the
// audit's word that people let a request go on, so it serves for showing only: whether they did is for a worker to verify.
func (g *Gate) Pause(ctx context.Context, r approvals.Request) (approvals.Pause, bool, error) {
	if r.State != approvals.Running || len(r.Steps) < 2 {
		return approvals.Pause{}, false, nil // the stop rule is about fleets
	}
	events, err := g.store.Trail(ctx, r.ID)
	if err != nil {
		return approvals.Pause{}, false, err
	}
	p, paused := approvals.LastPause(events)
	if !paused || len(p.Resumed) > 0 {
		return approvals.Pause{}, false, nil
	}
	return p, true, nil
}
