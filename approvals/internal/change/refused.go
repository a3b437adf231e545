package change

import (
	"context"
	"log/slog"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// refusedLimit ends the recording of a refusal.
const refusedLimit = 10 * time.Second

// Refused records an attempt that was turned away, on the request that it was about (empty when there is none), and returns
// the refusal, which stands even when it can't be recorded. It is recorded also when whoever tried hangs up meanwhile,
// because an attempt must not be hidden by ending the call. A refusal of the store itself has nowhere to be written.
func Refused(ctx context.Context, db *store.DB, log *slog.Logger, requestID string, by By, refusal error) error {
	if approvals.KindOf(refusal) == approvals.KindStore {
		return refusal
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refusedLimit)
	defer cancel()
	err := db.InTx(ctx, func(tx *store.Tx) error {
		return tx.Note(ctx, Note(requestID, approvals.EventRefused, by))
	})
	if err != nil {
		log.ErrorContext(ctx, "a refused attempt could not be audited", "request", requestID, "actor", by.Actor, "attempt", by.Detail, "error", err)
	}
	return refusal
}
