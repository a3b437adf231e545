package gate

import (
	"context"
	"slices"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
)

const (
	// denialsInARow of one person's requests within denialWindow make everything that they ask for wait.
	denialsInARow = 3
	denialWindow  = time.Hour
)

// limited refuses a request that would wear approvers down: one too many of a person, or one again after a no. What needs
// nobody's yes is not limited, nor is the question whether a paused request goes on, which its requester did not ask.
func (g *Gate) limited(ctx context.Context, tx *store.Tx, r approvals.Request) error {
	if r.State != approvals.Pending && !r.Terms.ClientConsent || r.Plan.Tool == approvals.ToolResume {
		return nil
	}
	limits := g.policy.Limits()
	if limits.Pending > 0 && r.State == approvals.Pending {
		waiting, err := tx.Waiting(ctx, r.Requester.Person, r.CreatedAt)
		if err != nil {
			return err
		}
		if len(waiting) >= limits.Pending {
			return denied("%s has %d requests waiting for a yes, and policy allows %d; withdraw one, or try again when one is decided, at the latest at %s (request %s)",
				r.Requester.ID, len(waiting), limits.Pending, clock(waiting[0].Until), waiting[0].ID)
		}
	}
	if limits.CoolDown <= 0 {
		return nil
	}
	denials, err := tx.Denials(ctx, r.CreatedAt.Add(-limits.CoolDown-denialWindow))
	if err != nil {
		return err
	}
	if err := g.deniedBefore(ctx, tx, r, denials, limits.CoolDown); err != nil {
		return err
	}
	return deniedOften(r, denials, limits.CoolDown)
}

// deniedBefore refuses what was denied a moment ago, whoever had asked for it.
func (g *Gate) deniedBefore(ctx context.Context, tx *store.Tx, r approvals.Request, denials []store.Denial, rest time.Duration) error {
	for _, d := range slices.Backward(denials) {
		if d.Key != r.Key || !r.CreatedAt.Before(d.At.Add(rest)) {
			continue
		}
		was, err := tx.Request(ctx, d.ID)
		if approvals.KindOf(err) == approvals.KindTampering {
			continue
		}
		if err != nil {
			return err
		}
		if was.Plan.Key() != r.Key || approvals.Genuine(was) != nil {
			continue // its row was altered to stand in the way
		}
		return denied("the same was asked in request %s, which was %s at %s (%s); ask again after %s",
			d.ID, was.State, clock(d.At), d.Message, clock(d.At.Add(rest)))
	}
	return nil
}

// deniedOften refuses everything of a person whose requests were denied again and again.
func deniedOften(r approvals.Request, denials []store.Denial, rest time.Duration) error {
	var own []time.Time
	for _, d := range denials {
		if d.Requester.Same(r.Requester.Person) {
			own = append(own, d.At)
		}
	}
	for i := len(own) - 1; i >= denialsInARow-1; i-- {
		until := own[i].Add(rest)
		if r.CreatedAt.Before(until) && own[i].Sub(own[i-denialsInARow+1]) <= denialWindow {
			return denied("%d requests of %s were denied within %v; ask again after %s", denialsInARow, r.Requester.ID, denialWindow, clock(until))
		}
	}
	return nil
}

func denied(format string, args ...any) error {
	return approvals.Refuse(approvals.KindDenied, nil, format, args...)
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }
