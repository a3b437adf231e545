package control

import (
	"context"
	"fmt"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/internal/change"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/failpoint"
)

// Order is somebody's wish to stop things.
type Order struct {
	// Scope is approvals.ScopeAll or a toolset; empty means everything.
	Scope string
	// By is who presses. Any responder may: what only stops things needs no proof.
	By approvals.Requester
	// Why is their words. Untrusted text.
	Why string
}

// Stopped is how the message begins of what a stop cancelled.
const Stopped = "stopped "

// pressTimeout ends the press and its consequences, which go on when the presser's own call ends.
const pressTimeout = 30 * time.Second

// Stop presses a switch. When it returns without an error the stop is in force for every process: nothing that it covers
// is sent any more. What it covers and has not begun is cancelled, what runs is held between two steps. KindInvalid when
// there is nothing of that name.
func (b *Board) Stop(ctx context.Context, o Order) error {
	scope, err := b.scope(o.Scope)
	if err != nil {
		return err
	}
	if err := o.By.CheckID(); err != nil {
		return err
	}
	return b.press(ctx, scope, o.By.ID, o.Why)
}

// Halt is the program's own press, for what people must look at first.
func (b *Board) Halt(ctx context.Context, why string) error {
	return b.press(ctx, approvals.ScopeAll, change.Gate, why)
}

func (b *Board) press(ctx context.Context, scope, actor, why string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pressTimeout)
	defer cancel()
	if why = clip(why, maxWords); why == "" {
		why = "no reason given"
	}
	at := b.by(actor, scope+": "+why)
	err := b.o.Store.InTx(ctx, func(tx *store.Tx) error {
		// A submission that looked before this press enters before it, and is found below, or looks again.
		if err := tx.LockSubmissions(ctx); err != nil {
			return err
		}
		return tx.Note(ctx, change.Note("", approvals.EventStopped, at))
	})
	if err != nil {
		return err
	}
	failpoint.Hit(failpoint.AfterStop)
	s := approvals.Stop{Scope: scope, Event: approvals.Event{At: at.At, Actor: actor}, Why: why}
	if err := b.enforce(ctx, s, true); err != nil { // the stop is in force; a worker's sweep goes on with this
		b.o.Logger.WarnContext(ctx, "not everything that a stop covers could be cancelled yet", "scope", scope, "error", err)
	}
	return nil
}

// Enforce cancels what the stops in force cover and nobody has cancelled yet, as after a crash in the middle of a press.
func (b *Board) Enforce(ctx context.Context) error {
	stops, err := b.InForce(ctx)
	if err != nil {
		return err
	}
	for _, s := range stops {
		if err := b.enforce(ctx, s, false); err != nil {
			return err
		}
	}
	return nil
}

// enforce cancels what s covers and has not begun; with tell, what runs says that it is held. After a restore nothing is
// cancelled: what happened in the tenant decides about that.
func (b *Board) enforce(ctx context.Context, s approvals.Stop, tell bool) error {
	var states []approvals.State
	if s.Scope != approvals.ScopeRestore {
		states = append(states, approvals.Pending, approvals.Approved)
	}
	if tell {
		states = append(states, approvals.Running)
	}
	if len(states) == 0 {
		return nil
	}
	rows, err := b.Live(ctx, states...)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if !b.covers(s, r.Plan.Tool) {
			continue
		}
		if err := b.stopOne(ctx, r.ID, s); err != nil {
			return err
		}
	}
	return nil
}

// casAttempts is how often a change is tried again when the request moved meanwhile.
const casAttempts = 8

// stopOne cancels a request that has not begun. One that runs takes its next version, so that a worker which was about to
// send looks again.
func (b *Board) stopOne(ctx context.Context, id string, s approvals.Stop) error {
	by := b.by(s.Event.Actor, fmt.Sprintf("%sby %s (%s): %s", Stopped, s.Event.Actor, s.Scope, s.Why))
	var err error
	for range casAttempts {
		r, found := b.o.Store.Request(ctx, id)
		if found != nil {
			return found
		}
		var move store.Move
		switch r.State {
		case approvals.Pending, approvals.Approved:
			move = change.Request(r, approvals.Cancelled, by)
		case approvals.Running:
			move = change.Touch(r, by.At)
			move.Message = "held between two steps: " + by.Detail
		case approvals.Succeeded, approvals.Partial, approvals.Failed, approvals.Unknown,
			approvals.Denied, approvals.Expired, approvals.Cancelled:
			return nil
		}
		err = b.o.Store.InTx(ctx, func(tx *store.Tx) error {
			if err := tx.Move(ctx, move); err != nil {
				return err
			}
			return change.Notify(ctx, tx, r.ID, fmt.Sprintf("stopped-%d", r.Version))
		})
		if approvals.KindOf(err) != approvals.KindConflict {
			return err
		}
	}
	return err
}

// page is how many requests are listed at a time.
const page = 500

// Live lists every request in one of the states, newest first.
func (b *Board) Live(ctx context.Context, states ...approvals.State) (all []approvals.Request, err error) {
	seen := map[string]bool{}
	var before time.Time
	for {
		rows, err := b.o.Store.Requests(ctx, store.Filter{States: states, Limit: page, Before: before})
		if err != nil {
			return nil, err
		}
		fresh := 0
		for _, r := range rows {
			if !seen[r.ID] {
				seen[r.ID] = true
				all = append(all, r)
				fresh++
			}
		}
		if len(rows) < page || fresh == 0 {
			return all, nil
		}
		before = rows[len(rows)-1].CreatedAt.Add(time.Millisecond) // several may be of the same instant
	}
}
