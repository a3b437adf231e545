package change

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// refusedLimit ends the recording of a refusal.
const refusedLimit = 10 * time.Second

// Refused records an attempt that was turned away, on the request that it was about (empty when there is none), and returns
// the refusal, which stands even when it can't be recorded. It is recorded also when whoever tried hangs up meanwhile,
// because an attempt must not be hidden by ending the call. A refusal of the store itself has nowhere to be written. The
// same refusal of the same person on a request is written a few times a minute at most: whoever presses a thousand times must
// not make its audit so long that nobody can vote on it any more.
func Refused(ctx context.Context, db *store.DB, log *slog.Logger, requestID string, by By, refusal error) error {
	if approvals.KindOf(refusal) == approvals.KindStore {
		return refusal
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refusedLimit)
	defer cancel()
	err := db.InTx(ctx, func(tx *store.Tx) error {
		enough, err := oftenEnough(ctx, tx, requestID, by)
		if err != nil || enough {
			return err
		}
		return tx.Note(ctx, Note(requestID, approvals.EventRefused, by))
	})
	if err != nil {
		log.ErrorContext(ctx, "a refused attempt could not be audited", "request", requestID, "actor", by.Actor, "attempt", by.Detail, "error", err)
	}
	return refusal
}

// sameRefusals is how often the same refusal is written in one minute.
const sameRefusals = 5

// oftenEnough reports whether the same was written so often in this minute that it tells nobody more.
func oftenEnough(ctx context.Context, tx *store.Tx, requestID string, by By) (bool, error) {
	if requestID == "" {
		return false, nil
	}
	for i := range sameRefusals {
		sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %d %d", requestID, by.Actor, by.Detail, by.At.Unix()/60, i))
		first, err := tx.FirstTime(ctx, "refused", hex.EncodeToString(sum[:]), by.At)
		if err != nil || first {
			return false, err
		}
	}
	return true, nil
}
