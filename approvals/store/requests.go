package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
)

// Filter chooses requests; its zero value chooses the newest.
type Filter struct {
	// States are the wanted states; empty means any.
	States []approvals.State
	// RequesterID is the canonical id of the requester; empty means anybody.
	RequesterID string
	// Limit is the most to return; 0 means 50, and 500 is the most.
	Limit int
	// Before leaves out what was created at or after it, so that a caller can page; zero means no bound.
	Before time.Time
}

// Request returns a request with its steps and votes. A missing one is KindNotFound; one that can't be understood is
// KindTampering.
func (db *DB) Request(ctx context.Context, id string) (r approvals.Request, err error) {
	err = db.read(ctx, func(q querier) error {
		r, err = loadRequest(ctx, q, id, "")
		return err
	})
	return r, err
}

// Request returns a request with its steps and votes as this transaction sees it, and keeps others from changing it
// until the transaction ends.
func (tx *Tx) Request(ctx context.Context, id string) (approvals.Request, error) {
	r, err := loadRequest(ctx, tx.s, id, tx.db.engine.lockRow())
	return r, tx.fault(err)
}

func loadRequest(ctx context.Context, q querier, id, lock string) (approvals.Request, error) {
	r, err := scanRequest(q.QueryRowContext(ctx, "SELECT "+requestColumns+" FROM requests WHERE id = $1"+lock, plain(id)))
	if errors.Is(err, sql.ErrNoRows) {
		return r, notFound(id)
	}
	if err != nil {
		return approvals.Request{}, err
	}
	all := []approvals.Request{r}
	if err := loadParts(ctx, q, all); err != nil {
		return approvals.Request{}, err
	}
	return all[0], nil
}

func notFound(id string) error {
	return approvals.Refuse(approvals.KindNotFound, nil, "there is no request %q: check the id", clip(id))
}

// Requests returns the requests that f chooses, newest first, with steps and votes. One that can't be understood is left
// out and logged, so that a single damaged row doesn't hide all the others.
func (db *DB) Requests(ctx context.Context, f Filter) (list []approvals.Request, err error) {
	query, args := f.query(requestColumns)
	err = db.read(ctx, func(q querier) error {
		if list, err = collect(ctx, q, scanRequest, query, args...); err != nil {
			return err
		}
		return loadParts(ctx, q, list)
	})
	if approvals.KindOf(err) == approvals.KindTampering {
		return db.sound(ctx, f)
	}
	if err != nil {
		return nil, err
	}
	return list, nil
}

// sound reads the chosen requests one by one and leaves out those that can't be understood.
func (db *DB) sound(ctx context.Context, f Filter) (list []approvals.Request, err error) {
	query, args := f.query("id")
	ids, err := db.ids(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		r, err := db.Request(ctx, id)
		switch {
		case approvals.KindOf(err) == approvals.KindTampering:
			db.opts.Logger.ErrorContext(ctx, "a stored request can't be understood and is left out of a list", "request", id, "error", err)
		case err != nil:
			return nil, err
		default:
			list = append(list, r)
		}
	}
	return list, nil
}

// query chooses the ids first, so that each of the wanted states, or the requester's own, is read newest first by an
// index and no further than the limit.
func (f Filter) query(columns string) (string, []any) {
	args := []any{limit(f.Limit, 50, maxListed)}
	arg := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	common := ""
	if !f.Before.IsZero() {
		common += " AND created_ms < " + arg(ms(f.Before))
	}
	if f.RequesterID != "" {
		common += " AND requester_id = " + arg(personKey(f.RequesterID))
	}
	const newest = " ORDER BY created_ms DESC, id DESC LIMIT $1"
	some := func(where string) string {
		if where += common; where != "" {
			where = " WHERE " + strings.TrimPrefix(where, " AND ")
		}
		return "SELECT id FROM (SELECT id FROM requests" + where + newest + ") AS chosen"
	}
	var parts, states []string
	for _, s := range slices.Compact(slices.Sorted(slices.Values(f.States))) {
		states = append(states, arg(string(s)))
		parts = append(parts, some(" AND state = "+states[len(states)-1]))
	}
	switch {
	case len(states) == 0:
		parts = []string{some("")}
	case f.RequesterID != "": // one person's requests are fewer than those in a state, so that index must not be chosen
		parts = []string{some(" AND state || '' IN (" + strings.Join(states, ", ") + ")")}
	}
	return "SELECT " + columns + " FROM requests WHERE id IN (" + strings.Join(parts, " UNION ALL ") + ")" + newest, args
}

func limit(n, usual, most int) int {
	if n <= 0 {
		return usual
	}
	return min(n, most)
}

// loadParts fills in the steps and votes of all the requests with two statements.
func loadParts(ctx context.Context, q querier, list []approvals.Request) error {
	if len(list) == 0 {
		return nil
	}
	at := make(map[string]*approvals.Request, len(list))
	ids := make([]any, len(list))
	for i := range list {
		at[list[i].ID], ids[i] = &list[i], list[i].ID
	}
	in := " WHERE request_id IN (" + placeholders(1, len(ids)) + ")"
	steps, err := collect(ctx, q, scanStep, `SELECT request_id, idx, state, version, attempt, sent_ms, not_before_ms, action_id, remote_status,
		message, updated_ms FROM steps`+in+` ORDER BY request_id, idx`, ids...)
	if err != nil {
		return err
	}
	for _, s := range steps {
		at[s.request].Steps = append(at[s.request].Steps, s.step)
	}
	votes, err := collect(ctx, q, scanVote,
		"SELECT request_id, voter_id, verdict, body FROM votes"+in+" ORDER BY request_id, at_ms, voter_id", ids...)
	if err != nil {
		return err
	}
	for _, v := range votes {
		at[v.request].Votes = append(at[v.request].Votes, v.vote)
	}
	for i := range list {
		if err := checkSteps(list[i]); err != nil {
			return err
		}
	}
	return nil
}

// Stale returns the ids of requests in one of states that have not moved, nor any of their steps, since
// notMovedSince; longest unmoved first.
func (db *DB) Stale(ctx context.Context, states []approvals.State, notMovedSince time.Time, most int) ([]string, error) {
	if len(states) == 0 {
		return nil, nil
	}
	args := make([]any, 0, len(states)+2)
	for _, s := range states {
		args = append(args, string(s))
	}
	n := len(args)
	args = append(args, ms(notMovedSince), limit(most, maxListed, maxListed))
	where := "state IN (%s)"
	if !slices.ContainsFunc(states, approvals.State.Terminal) {
		where = live + " AND " + where
	}
	return db.ids(ctx, fmt.Sprintf("SELECT id FROM requests WHERE "+where+" AND moved_ms <= $%d ORDER BY moved_ms, id LIMIT $%d",
		placeholders(1, n), n+1, n+2), args...)
}

// DueToExpire returns the ids of requests whose time has come: pending ones past ExpiresAt, approved ones past
// StartBefore. At the very instant they are due.
func (db *DB) DueToExpire(ctx context.Context, now time.Time) ([]string, error) {
	return db.ids(ctx, `SELECT id FROM requests WHERE `+live+` AND ((state = 'pending' AND expires_ms <= $1)
		OR (state = 'approved' AND decided_ms + start_within_ms <= $2)) ORDER BY created_ms, id LIMIT $3`, ms(now), ms(now), maxListed)
}

func (db *DB) ids(ctx context.Context, query string, args ...any) (ids []string, err error) {
	err = db.read(ctx, func(q querier) error {
		ids, err = collect(ctx, q, scanText, query, args...)
		return err
	})
	return ids, err
}
