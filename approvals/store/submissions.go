package store

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
)

const (
	// maxTwins is how many open requests with one key are looked at. There is one, unless some are overdue or altered.
	maxTwins = 20
	// maxWaiting and maxDenials bound what one submission reads.
	maxWaiting = 5000
	maxDenials = 5000
)

// LockSubmissions lets one transaction at a time of all processes past it, until that transaction ends. Whoever decides
// by what is open, waiting or stopped, and then adds or ends a request, calls it first: what it reads afterwards is still
// so when it commits.
func (tx *Tx) LockSubmissions(ctx context.Context) error {
	if lock := tx.db.engine.lockSubmissions(); lock != "" {
		_, err := tx.exec(ctx, lock)
		return err
	}
	return nil
}

// Twins returns the ids of the open requests whose row has that key, oldest first. The column is only a way to find them:
// what counts is the key of the stored plan.
func (tx *Tx) Twins(ctx context.Context, key string) ([]string, error) {
	ids, err := collect(ctx, tx.s, scanText, "SELECT id FROM requests WHERE plan_key = $1 AND "+live+" ORDER BY created_ms, id LIMIT $2", plain(key), maxTwins)
	return ids, tx.fault(err)
}

// Attach adds a person to those who asked for r while it was open, with its audit row. It takes the request's next version,
// so that a vote of the same person that was counted on the one before loses. KindConflict when r has moved meanwhile.
func (tx *Tx) Attach(ctx context.Context, r approvals.Request, p approvals.Person, at time.Time) error {
	if r.State.Terminal() {
		return conflict("request %s is already %s; nobody can join it", clip(r.ID), r.State)
	}
	if personKey(p.ID) == "" {
		return approvals.Refuse(approvals.KindInvalid, nil, "nobody was named who asks for request %s too", clip(r.ID))
	}
	attached, err := encode("list of attached people", append(slices.Clone(r.Attached), p))
	if err != nil {
		return err
	}
	n, err := tx.exec(ctx, "UPDATE requests SET attached = $1, version = version + 1 WHERE id = $2 AND state = $3 AND version = $4",
		attached, plain(r.ID), string(r.State), r.Version)
	if err != nil {
		return err
	}
	if n != 1 {
		return conflict("request %s was changed by someone else meanwhile; nothing was done: look again", clip(r.ID))
	}
	tx.record(approvals.Event{
		RequestID: r.ID, Type: approvals.EventAttached, Actor: p.ID, Step: -1, Detail: "asked for the same; can't approve it",
	}, at)
	return nil
}

// Waiting is a request that still waits for a yes.
type Waiting struct {
	ID string
	// Until is when it expires.
	Until time.Time
}

// Waiting returns what a person has waiting at now, by any of the names they gave, the first to expire first.
func (tx *Tx) Waiting(ctx context.Context, who approvals.Person, now time.Time) (list []Waiting, err error) {
	type row struct {
		Waiting
		requester approvals.Person
	}
	rows, err := collect(ctx, tx.s, func(s scanner) (o row, err error) {
		var until int64
		var text string
		err = s.Scan(&o.ID, &until, &text)
		o.Until, o.requester = fromMS(until), person(text)
		return o, err
	}, "SELECT id, expires_ms, requester FROM requests WHERE "+live+" AND state = 'pending' AND expires_ms > $1 ORDER BY expires_ms, id LIMIT $2",
		ms(now), maxWaiting)
	for _, r := range rows {
		if r.requester.Same(who) {
			list = append(list, r.Waiting)
		}
	}
	return list, tx.fault(err)
}

// Denial is a request that was denied.
type Denial struct {
	ID  string
	Key string
	// Requester is who had asked.
	Requester approvals.Person
	At        time.Time
	// Message says who denied it.
	Message string
}

// Denials returns what was denied after a moment, oldest first. Key is what the row says, and no more.
func (tx *Tx) Denials(ctx context.Context, after time.Time) ([]Denial, error) {
	list, err := collect(ctx, tx.s, func(s scanner) (d Denial, err error) {
		var at int64
		var text string
		err = s.Scan(&d.ID, &d.Key, &text, &at, &d.Message)
		d.At, d.Requester = fromMS(at), person(text)
		return d, err
	}, `SELECT id, plan_key, requester, finished_ms, message FROM requests WHERE state = 'denied' AND finished_ms > $1
		ORDER BY finished_ms DESC, id LIMIT $2`, ms(after), maxDenials)
	slices.Reverse(list)
	return list, tx.fault(err)
}

// person reads a requester column. One that can't be read is nobody: the request that it belongs to can't be used either.
func person(text string) approvals.Person {
	var r approvals.Requester
	if json.Unmarshal([]byte(text), &r) != nil {
		return approvals.Person{}
	}
	return r.Person
}

// LastMark returns the newest audit row of a type that Marks knows, and false when there is none.
func (tx *Tx) LastMark(ctx context.Context, kind string) (e approvals.Event, ok bool, err error) {
	found, err := collect(ctx, tx.s, scanEvent,
		"SELECT "+eventColumns+" FROM audit_event WHERE "+marked+" AND type = $1 ORDER BY seq DESC LIMIT 1", plain(kind))
	if err != nil || len(found) == 0 {
		return e, false, tx.fault(err)
	}
	return found[0], true, nil
}
