package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
)

// TimeboxState is how far the time-box of one step has come.
type TimeboxState string

// The states of a time-box. Releasing goes back to armed when the release did not end well.
const (
	TimeboxArmed     TimeboxState = "armed"     // what the step did is in force, and its time runs or it is held
	TimeboxReleasing TimeboxState = "releasing" // a request that undoes the step is under way
	TimeboxClosed    TimeboxState = "closed"    // nothing is left to undo
)

// EventTimebox is the type of the audit rows of time-boxes. They belong to the step that the box is about, and their Detail
// begins with the new state and a colon.
const EventTimebox = "timebox"

func (s TimeboxState) canMove(next TimeboxState) bool {
	switch s {
	case TimeboxArmed:
		return next == TimeboxReleasing || next == TimeboxClosed
	case TimeboxReleasing:
		return next == TimeboxArmed || next == TimeboxClosed
	case TimeboxClosed:
	}
	return false
}

// Timebox is the time-box of one step that succeeded. It says when to look and what became of it. It proves nothing: whether
// a step may be undone is decided by what was approved.
type Timebox struct {
	// RequestID and Index are the step.
	RequestID string
	Index     int
	// Target is the id of what the step acted on, in lower case; Tool the tool that undoes it.
	Target, Tool string
	State        TimeboxState
	Version      int64
	// ArmedAt is when the step succeeded, Due when it is to be undone, and TryAt when it is looked at next.
	ArmedAt, Due, TryAt time.Time
	// ReleaseID is the last request that was made to undo it; empty before.
	ReleaseID string
	// Trouble is a word for what keeps a due time-box from being released, and empty while nothing does.
	Trouble string
	// Message says in one sentence why the state is what it is.
	Message   string
	UpdatedAt time.Time
}

// Open reports whether something may still be left to undo.
func (b Timebox) Open() bool { return b.State != TimeboxClosed }

// TimeboxMove changes one time-box, or touches it when From and To are equal.
type TimeboxMove struct {
	RequestID string
	Index     int
	// From and Version are what the caller saw; anything else in the row is a conflict.
	From, To TimeboxState
	Version  int64
	At       time.Time
	// Due and TryAt are kept when zero, ReleaseID and Message when empty. Trouble is always written.
	Due, TryAt         time.Time
	ReleaseID, Trouble string
	Message            string
	// Actor is who moved it. A touch writes no audit row.
	Actor string
}

const timeboxColumns = "request_id, idx, target, tool, state, version, armed_ms, due_ms, try_ms, release_id, trouble, message, updated_ms"

// openBoxes repeats the condition of the indexes word for word, because otherwise neither database uses them.
const openBoxes = "state IN ('armed', 'releasing')"

func scanTimebox(row scanner) (b Timebox, err error) {
	var armed, due, try, updated int64
	err = row.Scan(&b.RequestID, &b.Index, &b.Target, &b.Tool, &b.State, &b.Version, &armed, &due, &try, &b.ReleaseID, &b.Trouble, &b.Message, &updated)
	if err != nil {
		return b, err
	}
	b.ArmedAt, b.Due, b.TryAt, b.UpdatedAt = fromMS(armed), fromMS(due), fromMS(try), fromMS(updated)
	if !slices.Contains([]TimeboxState{TimeboxArmed, TimeboxReleasing, TimeboxClosed}, b.State) {
		return b, tampered(nil, "the time-box of step %d of request %s has the unknown state %q", b.Index, clip(b.RequestID), clip(string(b.State)))
	}
	return b, nil
}

// Arm stores the time-box of a step that has just succeeded, with its audit row. One that is armed already stays as it is.
func (tx *Tx) Arm(ctx context.Context, b Timebox, actor string) error {
	if b.RequestID == "" || b.Index < 0 || b.Target == "" || b.Tool == "" || b.ArmedAt.IsZero() || !b.Due.After(b.ArmedAt) {
		return approvals.Refuse(approvals.KindInvalid, nil, "a time-box needs a step, its target, the tool that undoes it and a time after its start")
	}
	n, err := tx.exec(ctx, "INSERT INTO timeboxes ("+timeboxColumns+`)
		VALUES ($1, $2, $3, $4, 'armed', 1, $5, $6, $7, '', '', $8, $9) ON CONFLICT (request_id, idx) DO NOTHING`,
		plain(b.RequestID), b.Index, strings.ToLower(plain(b.Target)), plain(b.Tool), ms(b.ArmedAt), ms(b.Due), ms(b.Due), plain(b.Message), ms(b.ArmedAt))
	if err != nil || n == 0 {
		return err
	}
	tx.record(timeboxEvent(b.RequestID, b.Index, actor, TimeboxArmed, b.Message), b.ArmedAt)
	return nil
}

// MoveTimebox changes a time-box if it is still in From at Version, else KindConflict and nothing changes.
func (tx *Tx) MoveTimebox(ctx context.Context, m TimeboxMove) error {
	touch := m.From == m.To
	if touch && m.From == TimeboxClosed || !touch && !m.From.canMove(m.To) {
		return conflict("the time-box of step %d of request %s can't go from %q to %q", m.Index, clip(m.RequestID), m.From, m.To)
	}
	n, err := tx.exec(ctx, `UPDATE timeboxes SET state = $1, version = version + 1, updated_ms = $2,
		due_ms = CASE WHEN $3 = 0 THEN due_ms ELSE CAST($4 AS BIGINT) END, try_ms = CASE WHEN $5 = 0 THEN try_ms ELSE CAST($6 AS BIGINT) END,
		release_id = COALESCE(NULLIF($7, ''), release_id), trouble = $8, message = COALESCE(NULLIF($9, ''), message)
		WHERE request_id = $10 AND idx = $11 AND state = $12 AND version = $13`,
		string(m.To), ms(m.At), flag(!m.Due.IsZero()), ms(m.Due), flag(!m.TryAt.IsZero()), ms(m.TryAt), plain(m.ReleaseID), plain(m.Trouble),
		plain(m.Message), plain(m.RequestID), m.Index, string(m.From), m.Version)
	if err != nil {
		return err
	}
	if n != 1 {
		return conflict("the time-box of step %d of request %s was changed by another worker meanwhile; nothing was done", m.Index, clip(m.RequestID))
	}
	if !touch {
		tx.record(timeboxEvent(m.RequestID, m.Index, m.Actor, m.To, m.Message), m.At)
	}
	return nil
}

func timeboxEvent(request string, index int, actor string, state TimeboxState, detail string) approvals.Event {
	return approvals.Event{RequestID: request, Type: EventTimebox, Actor: actor, Step: index, Detail: string(state) + ": " + detail}
}

// Timeboxes returns the time-boxes of a request by step, open and closed; none when it has no time-box or nothing of it
// has succeeded yet.
func (db *DB) Timeboxes(ctx context.Context, requestID string) (list []Timebox, err error) {
	err = db.read(ctx, func(q querier) error {
		list, err = timeboxes(ctx, q, requestID)
		return err
	})
	return list, err
}

// Timeboxes is DB.Timeboxes as this transaction sees it.
func (tx *Tx) Timeboxes(ctx context.Context, requestID string) ([]Timebox, error) {
	list, err := timeboxes(ctx, tx.s, requestID)
	return list, tx.fault(err)
}

func timeboxes(ctx context.Context, q querier, requestID string) ([]Timebox, error) {
	return collect(ctx, q, scanTimebox, "SELECT "+timeboxColumns+" FROM timeboxes WHERE request_id = $1 ORDER BY idx", plain(requestID))
}

// TimeboxesOn returns the ids of the requests with an open time-box on a target, without repeats.
func (tx *Tx) TimeboxesOn(ctx context.Context, target string) ([]string, error) {
	ids, err := collect(ctx, tx.s, scanText,
		"SELECT DISTINCT request_id FROM timeboxes WHERE target = $1 AND "+openBoxes+" ORDER BY request_id", strings.ToLower(plain(target)))
	return ids, tx.fault(err)
}

// DueTimeboxes returns the ids of requests with an open time-box to be looked at by now, without repeats; 500 at most.
func (db *DB) DueTimeboxes(ctx context.Context, now time.Time) ([]string, error) {
	return db.ids(ctx, "SELECT request_id FROM timeboxes WHERE "+openBoxes+" AND try_ms <= $1 GROUP BY request_id ORDER BY MIN(try_ms), request_id LIMIT $2",
		ms(now), maxListed)
}
