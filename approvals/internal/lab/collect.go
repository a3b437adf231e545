package lab

import (
	"context"
	"maps"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
	"github.com/mde-ops/mde-ops/approvals/worker"
)

// Archive is a Tenant all of whose actions give something, and the shelf where it is kept: one item per action however often
// it is collected.
type Archive struct {
	*Tenant

	mu    sync.Mutex
	kept  map[string]worker.Task
	tries int
	// OnCollect, when set, is called at the start of a collection; its error is the collection's.
	OnCollect func(worker.Task) error
	// AfterKeeping, when set, is called when the item is on the shelf and nobody was told yet.
	AfterKeeping func(worker.Task)
}

var _ worker.Collector = (*Archive)(nil)

// NewArchive is an empty shelf beside a tenant.
func NewArchive(t *Tenant) *Archive { return &Archive{Tenant: t, kept: map[string]worker.Task{}} }

// Collects implements worker.Collector.
func (a *Archive) Collects(worker.Task) bool { return true }

// Collect implements worker.Collector.
func (a *Archive) Collect(_ context.Context, t worker.Task, actionID string) (worker.Progress, error) {
	a.mu.Lock()
	a.tries++
	a.mu.Unlock()
	if a.OnCollect != nil {
		if err := a.OnCollect(t); err != nil {
			return worker.Progress{}, err
		}
	}
	a.mu.Lock()
	a.kept[actionID] = t
	a.mu.Unlock()
	if a.AfterKeeping != nil {
		a.AfterKeeping(t)
	}
	return worker.Progress{State: approvals.StepSucceeded, Message: "kept as evidence of " + actionID}, nil
}

// Kept are the tasks whose results are on the shelf, by action.
func (a *Archive) Kept() map[string]worker.Task {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.kept)
}

// Tries counts the collections that were begun.
func (a *Archive) Tries() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.tries
}

// Collects implements worker.Collector: acts on the switches give nothing.
func (h hands) Collects(t worker.Task) bool {
	c, ok := h.Performer.(worker.Collector)
	return ok && !onOurs(t.Plan.Tool) && c.Collects(t)
}

// Collect implements worker.Collector.
func (h hands) Collect(ctx context.Context, t worker.Task, actionID string) (worker.Progress, error) {
	c, ok := h.Performer.(worker.Collector)
	if !ok {
		return worker.Progress{}, &worker.Refused{Text: "this performer collects nothing"}
	}
	return c.Collect(ctx, t, actionID)
}

// Jobs counts the jobs of a kind that the queue holds.
func (l *Lab) Jobs(kind store.JobKind) (n int) {
	row := storetest.Raw(l.T, l.URL).QueryRowContext(context.Background(), "SELECT COUNT(*) FROM river_job WHERE kind = $1", string(kind))
	require.NoError(l.T, row.Scan(&n))
	return n
}
