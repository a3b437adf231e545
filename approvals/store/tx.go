package store

import (
	"context"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
)

// Move is one arrow of a request's state machine, or a touch when From and To are equal.
type Move struct {
	// ID is the request.
	ID string
	// From and Version are what the caller saw; anything else in the row is a conflict.
	From, To approvals.State
	Version  int64
	At       time.Time
	// Message says why the state is what it is. A touch without one keeps the old message.
	Message string
	// Decided and Finished stamp DecidedAt and FinishedAt; leaving pending and becoming terminal stamp them anyway.
	Decided, Finished bool
	// Event is the audit row. The store fills in request, step, states and time; a transition without a Type gets the
	// new state's name, a touch without a Type writes no row.
	Event approvals.Event
}

// StepMove is one arrow of a step's state machine, or a touch when From and To are equal.
type StepMove struct {
	// ID is the request, Index the step.
	ID    string
	Index int
	// From and Version are what the caller saw; anything else in the row is a conflict.
	From, To approvals.StepState
	Version  int64
	At       time.Time
	// Sent sets SentAt and counts the attempt; a move to sending does so anyway.
	Sent bool
	// NotBefore is the earliest time to send the step again; zero when there is none.
	NotBefore time.Time
	// ActionID and RemoteStatus are kept when empty.
	ActionID, RemoteStatus string
	// Message is kept by a touch when empty.
	Message string
	// Event is the audit row, as in Move.
	Event approvals.Event
}

func conflict(format string, args ...any) error {
	return approvals.Refuse(approvals.KindConflict, nil, format, args...)
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// Insert stores a new request, pending or approved, with one waiting step for each step of its plan, and its audit row.
// Version 0 means 1. An id that exists is KindConflict.
func (tx *Tx) Insert(ctx context.Context, r approvals.Request, e approvals.Event) error {
	r, texts, err := prepare(r)
	if err != nil {
		return err
	}
	n, err := tx.exec(ctx, `INSERT INTO requests (id, plan, requester, requester_id, origin, outcome, rule, quorum, policy_digest,
		digest, created_ms, expires_ms, start_within_ms, state, version, decided_ms, moved_ms, message, terms, parent, plan_key, tool, risk)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)
		ON CONFLICT (id) DO NOTHING`,
		r.ID, texts[0], texts[1], personKey(r.Requester.ID), texts[2], string(r.Outcome), plain(r.Rule), texts[3], r.PolicyDigest,
		r.Digest, ms(r.CreatedAt), ms(r.ExpiresAt), r.StartWithin.Milliseconds(), string(r.State), r.Version, ms(r.DecidedAt),
		ms(r.CreatedAt), plain(r.Message), texts[4], r.Parent, r.Key, plain(r.Plan.Tool), string(r.Plan.Risk))
	if err != nil {
		return err
	}
	if n == 0 {
		return conflict("a request with the id %s exists already", r.ID)
	}
	for i := range r.Plan.Steps {
		if _, err := tx.exec(ctx, `INSERT INTO steps (request_id, idx, state, version, updated_ms) VALUES ($1, $2, $3, 1, $4)`,
			r.ID, i, string(approvals.StepWaiting), ms(r.CreatedAt)); err != nil {
			return err
		}
	}
	e.RequestID, e.Step, e.From, e.To = r.ID, -1, "", string(r.State)
	if e.Type == "" {
		e.Type = "submitted"
	}
	tx.record(e, r.CreatedAt)
	return nil
}

// prepare checks that a new request is one and returns its JSON columns: plan, requester, origin, quorum, terms.
func prepare(r approvals.Request) (approvals.Request, [5]string, error) {
	var texts [5]string
	r.Version = max(r.Version, 1)
	if r.State == approvals.Approved && r.DecidedAt.IsZero() {
		r.DecidedAt = r.CreatedAt
	}
	if r.ID == "" || r.ID != plain(r.ID) || r.CreatedAt.IsZero() || len(r.Plan.Steps) == 0 {
		return r, texts, approvals.Refuse(approvals.KindInvalid, nil, "a request needs an id, a time and at least one step")
	}
	if r.State != approvals.Pending && r.State != approvals.Approved {
		return r, texts, approvals.Refuse(approvals.KindInvalid, nil, "a request begins pending or approved, not %q", clip(string(r.State)))
	}
	for _, s := range r.Steps {
		if s.State != approvals.StepWaiting {
			return r, texts, approvals.Refuse(approvals.KindInvalid, nil, "a step begins waiting, not %q", clip(string(s.State)))
		}
	}
	if err := checkNew(r); err != nil {
		return r, texts, err
	}
	for i, part := range []struct {
		name string
		v    any
	}{{"plan", r.Plan}, {"requester", r.Requester}, {"origin", r.Origin}, {"quorum", r.Quorum}, {"terms", r.Terms}} {
		var err error
		if texts[i], err = encode(part.name, part.v); err != nil {
			return r, texts, err
		}
	}
	return r, texts, checkRequest(r)
}

// checkNew refuses what a new request can't be, beyond its state.
func checkNew(r approvals.Request) error {
	wave := r.Terms.Wave
	switch {
	case r.Key != "" && r.Key != r.Plan.Key():
		return unfit(r, "has a key that is not its plan's")
	case len(r.Attached) > 0:
		return unfit(r, "was asked for by nobody else yet")
	case r.State == approvals.Approved && r.Outcome != approvals.Allow && !r.Terms.BreakGlass && !r.Terms.ClientConsent:
		return unfit(r, "has the outcome "+string(r.Outcome)+", so that it begins pending")
	case r.Parent == r.ID:
		return unfit(r, "ends its own time-box")
	case r.Parent != "" && (r.State != approvals.Approved || r.Outcome != approvals.Allow || len(r.Quorum) > 0):
		return unfit(r, "ends a time-box, so that it begins approved with the outcome allow")
	case r.Terms.RemindAfter < 0, wave.Width < 0, wave.Wait < 0, wave.StopOver < 0, wave.StopOver > 100:
		return unfit(r, "has terms that are below zero or above the hundred")
	case r.Terms.BreakGlass && r.Outcome != approvals.Confirm:
		return unfit(r, "was made by break-glass, so that its outcome is confirm")
	case r.Terms.ClientConsent && (r.Outcome != approvals.Confirm || !approvals.Consentable(r.Plan, r.Requester)):
		return unfit(r, "was confirmed by a client, so that it is an annotation over MCP with the outcome confirm")
	}
	for _, q := range r.Quorum {
		for _, e := range q.Then {
			if e.After < 0 {
				return unfit(r, "asks a further group before it is made")
			}
		}
	}
	return nil
}

func unfit(r approvals.Request, why string) error {
	return approvals.Refuse(approvals.KindInvalid, nil, "request %s can't be stored: it %s", clip(r.ID), why)
}

// Move takes one arrow if the request is still in From at Version, else KindConflict and nothing changes. A touch (From
// equal to To) only counts the version up; a terminal request can't be touched.
func (tx *Tx) Move(ctx context.Context, m Move) error {
	touch := m.From == m.To
	if touch && m.From.Terminal() || !touch && !m.From.CanMove(m.To) {
		return conflict("request %s can't go from %q to %q", m.ID, m.From, m.To)
	}
	decided := m.Decided || m.From == approvals.Pending && !touch
	finished := !touch && m.To.Terminal()
	n, err := tx.exec(ctx, `UPDATE requests SET state = $1, version = version + 1, moved_ms = $2,
		message = CASE WHEN $3 = 1 THEN message ELSE $4 END,
		decided_ms = CASE WHEN $5 = 1 THEN CAST($6 AS BIGINT) ELSE decided_ms END,
		finished_ms = CASE WHEN $7 = 1 THEN CAST($8 AS BIGINT) ELSE finished_ms END
		WHERE id = $9 AND state = $10 AND version = $11`,
		string(m.To), ms(m.At), flag(touch && m.Message == ""), plain(m.Message), flag(decided), ms(m.At), flag(finished), ms(m.At),
		plain(m.ID), string(m.From), m.Version)
	if err != nil {
		return err
	}
	if n != 1 {
		return conflict("request %s was changed by someone else meanwhile; nothing was done: look again", clip(m.ID))
	}
	e := m.Event
	e.RequestID, e.Step = m.ID, -1
	tx.recordMove(e, m.At, string(m.From), string(m.To))
	return nil
}

// MoveStep takes one arrow of a step if it is still in From at Version, else KindConflict and nothing changes. A step can
// only become sending while its request is running, in the same transaction. Steps count as movement of their request.
func (tx *Tx) MoveStep(ctx context.Context, m StepMove) error {
	touch := m.From == m.To
	if touch && m.From.Terminal() || !touch && !m.From.CanMove(m.To) {
		return conflict("step %d of request %s can't go from %q to %q", m.Index, m.ID, m.From, m.To)
	}
	sending := !touch && m.To == approvals.StepSending
	// The request's row first, as in every transaction, so that two of them wait instead of deadlocking.
	n, err := tx.exec(ctx, `UPDATE requests SET moved_ms = $1 WHERE id = $2 AND ($3 = 0 OR state = 'running')`,
		ms(m.At), plain(m.ID), flag(sending))
	if err != nil {
		return err
	}
	if n != 1 {
		return conflict("step %d of request %s was not sent: the request is not running", m.Index, clip(m.ID))
	}
	n, err = tx.exec(ctx, `UPDATE steps SET state = $1, version = version + 1, updated_ms = $2,
		message = CASE WHEN $3 = 1 THEN message ELSE $4 END,
		sent_ms = CASE WHEN $5 = 1 THEN CAST($6 AS BIGINT) ELSE sent_ms END, attempt = attempt + $7,
		action_id = COALESCE(NULLIF($8, ''), action_id), remote_status = COALESCE(NULLIF($9, ''), remote_status),
		not_before_ms = $10 WHERE request_id = $11 AND idx = $12 AND state = $13 AND version = $14`,
		string(m.To), ms(m.At), flag(touch && m.Message == ""), plain(m.Message), flag(sending || m.Sent), ms(m.At), flag(sending || m.Sent),
		plain(m.ActionID), plain(m.RemoteStatus), ms(m.NotBefore), plain(m.ID), m.Index, string(m.From), m.Version)
	if err != nil {
		return err
	}
	if n != 1 {
		return conflict("step %d of request %s was changed by another worker meanwhile; nothing was done", m.Index, clip(m.ID))
	}
	e := m.Event
	e.RequestID, e.Step = m.ID, m.Index
	tx.recordMove(e, m.At, string(m.From), string(m.To))
	return nil
}

// AddVote stores a vote and its audit row, whose type is always "vote". A second vote by the same person on the same
// request is KindConflict. Others can't change the request until the transaction ends, so that two votes are counted
// one after the other.
func (tx *Tx) AddVote(ctx context.Context, v approvals.Vote, e approvals.Event) error {
	body, err := encode("vote", v)
	if err != nil {
		return err
	}
	voter := personKey(v.Voter.ID)
	if voter == "" || !v.Verdict.Valid() {
		return approvals.Refuse(approvals.KindInvalid, nil, "a vote needs a person and one of the verdicts approve, confirm and deny")
	}
	found, err := collect(ctx, tx.s, scanText, "SELECT id FROM requests WHERE id = $1"+tx.db.engine.lockRow(), plain(v.RequestID))
	if err != nil {
		return tx.fault(err)
	}
	if len(found) == 0 {
		return notFound(v.RequestID)
	}
	n, err := tx.exec(ctx, `INSERT INTO votes (request_id, voter_id, verdict, at_ms, body) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (request_id, voter_id) DO NOTHING`, v.RequestID, voter, string(v.Verdict), ms(v.At), body)
	if err != nil {
		return err
	}
	if n == 0 {
		return conflict("%s has voted on request %s already; the first vote stands", clip(v.Voter.ID), v.RequestID)
	}
	e.RequestID, e.Type, e.Actor, e.Step, e.From, e.To = v.RequestID, voteEvent, voter, -1, "", ""
	tx.record(e, v.At)
	return nil
}

// Note writes an audit row alone, for an attempt that changed nothing. It can't look like a transition or a vote.
func (tx *Tx) Note(_ context.Context, e approvals.Event) error {
	if e.Type == "" || e.Type == voteEvent || e.From != "" || e.To != "" {
		return approvals.Refuse(approvals.KindInvalid, nil, "an audit note needs a type other than %q and has no states", voteEvent)
	}
	tx.record(e, tx.db.now())
	return nil
}

// FirstTime records that a delivery was seen and reports true the first time. A transaction that rolls back forgets it
// again. Deliveries are kept until Prune.
func (tx *Tx) FirstTime(ctx context.Context, scope, key string, now time.Time) (bool, error) {
	n, err := tx.exec(ctx, `INSERT INTO seen (scope, item, at_ms) VALUES ($1, $2, $3) ON CONFLICT (scope, item) DO NOTHING`,
		plain(scope), plain(key), ms(now))
	return n == 1, err
}
