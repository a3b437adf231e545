package change

import (
	"context"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// Twins returns the open requests that would do what a plan of that key does, oldest first, also those that are overdue. The
// stored key only finds candidates: what can't be understood, was altered or has another plan is none, so that nobody can
// write a row that stands in the way. tx has the lock of submissions.
func Twins(ctx context.Context, tx *store.Tx, key string) (all []approvals.Request, err error) {
	ids, err := tx.Twins(ctx, key)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		t, err := tx.Request(ctx, id)
		if approvals.KindOf(err) == approvals.KindTampering {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !t.State.Terminal() && t.Plan.Key() == key && approvals.Genuine(t) == nil {
			all = append(all, t)
		}
	}
	return all, nil
}
