package gate

import (
	"context"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/internal/change"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// EventEvidenceRead is the type of the audit row of each reading of evidence content.
const EventEvidenceRead = "evidence_read"

// FetchFor is how long after its end an approved request lets its requester read what it asked for.
const FetchFor = 24 * time.Hour

// NoteFetch lets the requester of a request that succeeded read content, and writes the audit row of that; detail says what
// is read. A caller returns content only after a nil answer. KindDenied for everybody else, for a caller who did not prove
// who they are, before the request's end and from a day after it; KindTampering when the request is not what its audit says.
func (g *Gate) NoteFetch(ctx context.Context, requestID string, by approvals.Requester, detail string) error {
	r, err := g.store.Request(ctx, requestID)
	if err != nil {
		return err
	}
	who := change.By{At: g.now(), Actor: strings.ToLower(strings.TrimSpace(by.ID)), Detail: detail}
	refusal := mayFetch(r, by, who.At)
	if refusal == nil {
		refusal = change.Verify(ctx, g.store, r)
	}
	if refusal != nil {
		who.Detail = "reading evidence: " + refusal.Error()
		return change.Refused(ctx, g.store, g.logger, r.ID, who, refusal)
	}
	return g.store.InTx(ctx, func(tx *store.Tx) error { return tx.Note(ctx, change.Note(r.ID, EventEvidenceRead, who)) })
}

func mayFetch(r approvals.Request, by approvals.Requester, now time.Time) error {
	if err := by.CheckID(); err != nil {
		return err
	}
	switch {
	case !by.Verified:
		return approvals.Refuse(approvals.KindDenied, nil, "who you are was only configured; sign in, or ask in Slack, to read evidence")
	case !r.Requester.Verified || !r.Requester.Same(by.Person):
		return approvals.Refuse(approvals.KindDenied, nil, "only %s, if signed in when asking for request %s, can read what it asked for", r.Requester.ID, r.ID)
	case r.State != approvals.Succeeded:
		return approvals.Refuse(approvals.KindDenied, nil, "request %s is %s; its evidence can be read when it has succeeded", r.ID, r.State)
	case r.FinishedAt.IsZero() || now.Before(r.FinishedAt) || !now.Before(r.FinishedAt.Add(FetchFor)):
		return approvals.Refuse(approvals.KindDenied, nil, "the time to read what request %s asked for is over (%s after its end); ask again", r.ID, FetchFor)
	}
	return nil
}

// Started returns the id of the request whose step became the remote action, and false when none of ours did. A request
// that is not what its audit says started nothing: KindTampering.
func (g *Gate) Started(ctx context.Context, actionID string) (request string, ok bool, err error) {
	id, step, ok, err := g.store.StartedBy(ctx, actionID)
	if err != nil || !ok {
		return "", false, err
	}
	r, err := g.store.Request(ctx, id)
	if err != nil {
		return "", false, err
	}
	if err := change.Verify(ctx, g.store, r); approvals.KindOf(err) == approvals.KindTampering || approvals.KindOf(err) == approvals.KindStore {
		return "", false, err
	}
	sent := step >= 0 && step < len(r.Steps) && r.Steps[step].Attempt > 0
	return id, sent, nil
}
