package worker

import (
	"context"

	"github.com/mde-ops/mde-ops/approvals"
)

// verifyChild decides whether a request that ends its parent's time-box may run: by the parent's approval and by what the
// parent did, never by what the child's row says.
func (w *Worker) verifyChild(_ context.Context, r approvals.Request) error {
	return approvals.Refuse(approvals.KindDenied, nil, "request %s says that it ends the time-box of %s, which this version does not do", r.ID, r.Parent)
}
