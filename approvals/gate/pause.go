package gate

import (
	"context"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// pausePage is how many audit rows are read at a time.
const pausePage = 1000

// Pause is what the audit says of the pause that holds a running request now, and false when none does. It believes the
// audit's word that people let a request go on, so it serves for showing only: whether they did is for a worker to verify.
func (g *Gate) Pause(ctx context.Context, r approvals.Request) (approvals.Pause, bool, error) {
	if r.State != approvals.Running || len(r.Steps) < 2 {
		return approvals.Pause{}, false, nil // the stop rule is about fleets
	}
	var about []approvals.Event
	for q := (store.Query{RequestID: r.ID, Limit: pausePage}); ; {
		rows, err := g.store.Events(ctx, q)
		if err != nil {
			return approvals.Pause{}, false, err
		}
		for _, e := range rows {
			q.After = e.Seq
			if e.Type == approvals.EventPaused || e.Type == approvals.EventResumed || e.Type == approvals.EventEscalated {
				about = append(about, e)
			}
		}
		if len(rows) < pausePage {
			break
		}
	}
	p, paused := approvals.LastPause(about)
	if !paused || len(p.Resumed) > 0 {
		return approvals.Pause{}, false, nil
	}
	return p, true, nil
}
