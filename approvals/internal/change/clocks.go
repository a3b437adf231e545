package change

import (
	"context"
	"fmt"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// Remind is the nonce of the Notify job that comes when the approvers of a pending request are to be reminded.
const Remind = "remind"

// Escalate is the nonce of the Notify job that comes when a further group is asked, that long after the request was made.
func Escalate(after time.Duration) string { return fmt.Sprintf("escalate-%d", after.Milliseconds()) }

// Clocks enqueues everything that is to happen with a new request by itself: that somebody looks at it now, and, while
// it may be pending, its reminder, its escalations and its end. What would come after the end is left out.
func Clocks(ctx context.Context, tx *store.Tx, r approvals.Request) error {
	if err := Notify(ctx, tx, r.ID, "submitted"); err != nil {
		return err
	}
	if err := tx.Enqueue(ctx, store.Job{Kind: store.Advance, RequestID: r.ID}, time.Time{}); err != nil {
		return err
	}
	if r.State != approvals.Pending {
		return nil
	}
	for after, nonce := range calls(r) {
		at := r.CreatedAt.Add(after)
		if !at.Before(r.ExpiresAt) {
			continue
		}
		if err := tx.Enqueue(ctx, store.Job{Kind: store.Notify, RequestID: r.ID, Nonce: nonce}, at); err != nil {
			return err
		}
	}
	return tx.Enqueue(ctx, store.Job{Kind: store.Expire, RequestID: r.ID}, r.ExpiresAt)
}

// calls are the moments, counted from when r was made, at which people are called again. An escalation calls more of them
// than a reminder, so it wins when both come at once.
func calls(r approvals.Request) map[time.Duration]string {
	at := map[time.Duration]string{}
	if r.Terms.RemindAfter > 0 {
		at[r.Terms.RemindAfter] = Remind
	}
	for _, e := range r.Escalations() {
		at[e.After] = Escalate(e.After)
	}
	return at
}
