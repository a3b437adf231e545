package gate

import (
	"context"
	"fmt"
	"slices"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/internal/change"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// twin returns the open request that would do what r does, and false when there is none. One whose time is over is none.
func (g *Gate) twin(ctx context.Context, tx *store.Tx, r approvals.Request) (approvals.Request, bool, error) {
	twins, err := change.Twins(ctx, tx, r.Key)
	if err != nil {
		return approvals.Request{}, false, err
	}
	for _, t := range twins {
		if _, overdue := approvals.Overdue(t, g.now()); !overdue {
			return t, true, nil
		}
	}
	return approvals.Request{}, false, nil
}

// Joined is what to tell a person who asked for what was asked for already; empty when they asked first, or not at all.
func Joined(r approvals.Request, who approvals.Person) string {
	if r.Requester.Same(who) || !slices.ContainsFunc(r.Attached, who.Same) {
		return ""
	}
	return fmt.Sprintf("%s asked for the same before, so this is that request. You can't approve it, because you asked for it too; someone else must decide.",
		r.Requester.ID)
}

// join adds the requester of r to those who asked for t. Whoever has asked for t already changes nothing. Whoever has voted
// on it can't ask for it as well, because their vote would no longer count.
func (g *Gate) join(ctx context.Context, tx *store.Tx, t, r approvals.Request) error {
	who := r.Requester
	if t.Requester.Same(who.Person) || slices.ContainsFunc(t.Attached, who.Same) {
		return nil
	}
	if !who.Verified {
		return approvals.Refuse(approvals.KindConflict, nil,
			"request %s of %s would do the same and is %s (%s); sign in to join it, because who you are was only configured",
			t.ID, t.Requester.ID, t.State, t.Message)
	}
	if slices.ContainsFunc(t.Votes, func(v approvals.Vote) bool { return v.Voter.Same(who.Person) }) {
		return approvals.Refuse(approvals.KindConflict, nil,
			"request %s of %s would do the same and is %s (%s); you have voted on it, so you can't ask for it as well",
			t.ID, t.Requester.ID, t.State, t.Message)
	}
	if err := tx.Attach(ctx, t, who.Person, r.CreatedAt); err != nil {
		return err
	}
	return change.Notify(ctx, tx, t.ID, fmt.Sprintf("attached-%d", len(t.Attached)+1))
}
