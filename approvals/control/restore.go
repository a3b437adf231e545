package control

import (
	"context"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/internal/change"
)

// How the words of a press under ScopeRestore begin.
const (
	notReconciled = "not reconciled: "
	reconciled    = "reconciled: "
)

// unsettled reports whether s is about a restored database that was not yet compared with the tenant.
func unsettled(s approvals.Stop) bool {
	return s.Scope == approvals.ScopeRestore && strings.HasPrefix(s.Why, notReconciled)
}

// Restored stops everything because the database is older than it should be, unless that very finding was pressed before.
func (b *Board) Restored(ctx context.Context, finding string) error {
	finding = clip(finding, 250)
	s, ok, err := b.restore(ctx)
	if err != nil || ok && strings.HasSuffix(s.Why, finding) {
		return err
	}
	return b.press(ctx, approvals.ScopeRestore, change.Gate, notReconciled+finding)
}

// Unsettled reports whether a restored database still has to be compared with the tenant.
func (b *Board) Unsettled(ctx context.Context) (bool, error) {
	s, ok, err := b.restore(ctx)
	return ok && unsettled(s), err
}

// Reconciled says that a restored database was compared with the tenant. From then on people can lift the stop.
func (b *Board) Reconciled(ctx context.Context, result string) error {
	s, ok, err := b.restore(ctx)
	if err != nil || !ok || !unsettled(s) {
		return err
	}
	return b.press(ctx, approvals.ScopeRestore, change.Gate, reconciled+result+": "+strings.TrimPrefix(s.Why, notReconciled))
}

// restore is the last press because of a restored database, lifted or not.
func (b *Board) restore(ctx context.Context) (approvals.Stop, bool, error) {
	marks, _, err := b.marks(ctx)
	if err != nil {
		return approvals.Stop{}, false, err
	}
	s, ok := stopOf(marks, approvals.ScopeRestore)
	return s, ok, nil
}
