package gate

import (
	"context"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/internal/change"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// NotePolicy records, when a face starts, that it works with this policy, unless the last record says so already.
// Processes that start at once record it once.
func (g *Gate) NotePolicy(ctx context.Context, face string) error {
	digest := g.policy.Digest()
	return g.store.InTx(ctx, func(tx *store.Tx) error {
		if err := tx.LockSubmissions(ctx); err != nil {
			return err
		}
		last, ok, err := tx.LastMark(ctx, approvals.EventPolicy)
		if err != nil {
			return err
		}
		before, _, _ := strings.Cut(last.Detail, ": ")
		if ok && before == digest {
			return nil
		}
		detail := digest + ": " + face + " works with it"
		if ok {
			detail += ", in place of " + before
		}
		return tx.Note(ctx, change.Note("", approvals.EventPolicy, change.By{At: g.now(), Actor: change.Gate, Detail: detail}))
	})
}
