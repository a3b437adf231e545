package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/internal/change"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/failpoint"
)

const (
	// boxRetry is how soon a release that failed or was refused is tried again, and boxLook how soon one that is held or
	// under way is looked at again.
	boxRetry = 5 * time.Minute
	boxLook  = time.Minute
	// boxSkew is how far this machine's clock and the tenant's may be apart for anything to be released.
	boxSkew = 5 * time.Minute
	// boxStart is how long a release may take to start before it is made anew.
	boxStart = 15 * time.Minute
	// lookNow begins the nonce of a job that looks at time-boxes before they are due.
	lookNow = "look-"
)

// The words for what keeps a due time-box from being released. People are told when the word changes.
const (
	troubleHeld   = "held"   // stopped or frozen
	troubleDenied = "denied" // policy or the approval says no
	troubleClock  = "clock"  // two clocks disagree
	troubleAsking = "asking" // a needed answer can't be had
	troubleFailed = "failed" // it was tried
	troubleSlow   = "slow"   // it was sent, or is held half way, and has not ended
)

// succeeded arms the time-box of a step that has just succeeded, in the transaction that stores the success, so that a
// crash can't come between. Open time-boxes of other requests on the same target are looked at soon: what was done may be
// what they wait for.
func (w *Worker) succeeded(ctx context.Context, tx *store.Tx, r approvals.Request, m store.StepMove) error {
	if m.To != approvals.StepSucceeded || m.From == m.To {
		return nil
	}
	target := r.Plan.Steps[m.Index].Target
	if box := r.Plan.TimeBox; box != nil {
		b := store.Timebox{RequestID: r.ID, Index: m.Index, Target: target, Tool: box.Tool, ArmedAt: m.At, Due: m.At.Add(box.For)}
		b.Message = "until " + b.Due.UTC().Format(time.RFC3339)
		if err := tx.Arm(ctx, b, change.Worker); err != nil {
			return err
		}
		job := store.Job{Kind: store.Boxes, RequestID: r.ID, Nonce: fmt.Sprintf("armed-%d", m.Index)}
		if err := tx.Enqueue(ctx, job, b.Due); err != nil {
			return err
		}
	}
	if r.Plan.Tool == approvals.ToolExtend {
		return tx.Enqueue(ctx, store.Job{Kind: store.Boxes, RequestID: target, Nonce: lookNow + r.ID}, time.Time{})
	}
	others, err := tx.TimeboxesOn(ctx, target)
	if err != nil {
		return err
	}
	for _, id := range others {
		if id == r.ID {
			continue
		}
		if err := tx.Enqueue(ctx, store.Job{Kind: store.Boxes, RequestID: id, Nonce: lookNow + r.ID}, time.Time{}); err != nil {
			return err
		}
	}
	return nil
}

// sweepBoxes pushes requests with time-boxes that should have been looked at by now.
func (w *Worker) sweepBoxes(ctx context.Context) error {
	now := w.now()
	ids, err := w.o.Store.DueTimeboxes(ctx, now.Add(-w.timing.Recovery))
	if err != nil {
		return err
	}
	for _, id := range ids {
		err := w.o.Store.InTx(ctx, func(tx *store.Tx) error {
			return tx.Enqueue(ctx, store.Job{Kind: store.Boxes, RequestID: id, Nonce: w.bucket(now)}, time.Time{})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// boxes does what is to be done now about the time-boxes of a request, and comes back for those that are still open.
func (w *Worker) boxes(ctx context.Context, job store.Job) (time.Duration, error) {
	rows, err := w.o.Store.Timeboxes(ctx, job.RequestID)
	if err != nil {
		return 0, err
	}
	t := &tending{w: w, now: w.now(), open: slices.DeleteFunc(rows, func(b store.Timebox) bool { return !b.Open() })}
	if len(t.open) == 0 {
		return 0, nil
	}
	if t.r, err = w.o.Store.Request(ctx, job.RequestID); err != nil {
		w.o.Logger.ErrorContext(ctx, "a time-box belongs to a request that can't be read; it stays as it is", "request", job.RequestID, "error", err)
		return boxRetry, nil
	}
	err = t.tend(ctx, strings.HasPrefix(job.Nonce, lookNow))
	switch {
	case approvals.KindOf(err) == approvals.KindConflict:
		return store.Soon, nil // another worker was faster
	case err != nil:
		return 0, err
	}
	return t.again(ctx)
}

// again is how soon the first of the time-boxes is to be looked at, as they are now.
func (t *tending) again(ctx context.Context) (time.Duration, error) {
	rows, err := t.w.o.Store.Timeboxes(ctx, t.r.ID)
	if err != nil {
		return 0, err
	}
	var wait time.Duration
	for _, b := range rows {
		next := boxLook
		if b.State == store.TimeboxArmed {
			next = max(b.TryAt.Sub(t.now), time.Second)
		}
		if b.Open() && (wait == 0 || next < wait) {
			wait = next
		}
	}
	return wait, nil
}

// tending is one look at the time-boxes of one request.
type tending struct {
	w    *Worker
	r    approvals.Request
	now  time.Time
	open []store.Timebox
	// moves are what becomes of the time-boxes, and told what people must know.
	moves []store.TimeboxMove
	told  []string
}

// tend looks at what is due, at what a release has left, and with early at everything, and writes down what becomes of it.
func (t *tending) tend(ctx context.Context, early bool) error {
	due, why, err := t.due(ctx)
	if err != nil {
		return err
	}
	if why != nil {
		t.troubles(due, why)
		due = nil
	}
	var look []store.Timebox
	for _, b := range t.open {
		ended, err := t.ended(ctx, b)
		if err != nil {
			return err
		}
		if !ended {
			t.slow(b)
		}
		if ended || early && b.State == store.TimeboxArmed || slices.Contains(due, b) {
			look = append(look, b)
		}
	}
	if release := t.look(ctx, look, due); len(release) > 0 {
		return t.release(ctx, release)
	}
	return t.write(ctx, nil)
}

// due lists the armed time-boxes whose time is over, by what was approved; why says what holds them. A row that says
// another time is put right, because it only says when to look.
func (t *tending) due(ctx context.Context) (due []store.Timebox, why, err error) {
	var asked []store.Timebox
	for _, b := range t.open {
		if b.State == store.TimeboxArmed {
			asked = append(asked, b)
		}
	}
	if len(asked) == 0 {
		return nil, nil, nil
	}
	_, ends, fault := t.w.boxed(ctx, t.r)
	for _, b := range asked {
		end, ok := ends[b.Index]
		switch {
		case fault == nil && ok && t.now.Before(end):
			if !b.Due.Equal(end) || !b.TryAt.Equal(end) {
				t.move(b, store.TimeboxMove{To: b.State, Due: end, TryAt: end, Message: "until " + end.UTC().Format(time.RFC3339)})
			}
		case t.now.Before(b.TryAt) && !b.TryAt.After(t.now.Add(boxRetry)): // a later one was not written here
		case fault == nil && !ok:
			t.trouble(b, troubleDenied, "its audit does not say that the step succeeded", boxRetry)
		default:
			due = append(due, b)
		}
	}
	if kind := approvals.KindOf(fault); kind == approvals.KindStore || kind == approvals.KindConflict {
		return nil, nil, fault
	}
	if fault == nil && len(due) > 0 {
		fault = t.w.mayRelease(ctx, t.r)
	}
	return due, fault, nil
}

// ended reports whether the release of a time-box has come to its end, whatever that was.
func (t *tending) ended(ctx context.Context, b store.Timebox) (bool, error) {
	if b.State != store.TimeboxReleasing {
		return false, nil
	}
	child, err := t.w.o.Store.Request(ctx, b.ReleaseID)
	if kind := approvals.KindOf(err); kind == approvals.KindNotFound || kind == approvals.KindTampering {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	s, ok := stepOn(child, b.Target)
	return child.State.Terminal() || !ok || s.State.Terminal(), nil
}

func stepOn(r approvals.Request, target string) (approvals.StepStatus, bool) {
	for i, s := range r.Plan.Steps {
		if strings.EqualFold(s.Target, target) && i < len(r.Steps) {
			return r.Steps[i], true
		}
	}
	return approvals.StepStatus{}, false
}

// look asks the tenant what is in force, closes what is over, and returns what is ours and due.
func (t *tending) look(ctx context.Context, boxes, due []store.Timebox) (release []store.Timebox) {
	if len(boxes) == 0 {
		return nil
	}
	forces, err := t.w.inForce(ctx, t.r, boxes)
	if err != nil {
		t.w.o.Logger.WarnContext(ctx, "whether isolations are in force could not be asked", "request", t.r.ID, "error", err, "cause", errors.Unwrap(err))
		for _, b := range due {
			t.trouble(b, troubleAsking, text(err), boxLook)
		}
		return nil
	}
	for i, b := range boxes {
		switch f := forces[i]; {
		case f.State == ForceOver:
			t.close(ctx, b, f.Why)
		case b.State == store.TimeboxReleasing:
			t.trouble(b, troubleFailed, t.failed(ctx, b, f), boxRetry)
		case !slices.Contains(due, b): // nothing to do before its time
		case f.State == ForceOurs:
			release = append(release, b)
		default:
			t.trouble(b, troubleFailed, "what is in force is not clear: "+f.Why, boxRetry)
		}
	}
	return release
}

func (t *tending) close(ctx context.Context, b store.Timebox, why string) {
	message := "nothing is left to release: " + why
	if child, err := t.w.o.Store.Request(ctx, b.ReleaseID); b.ReleaseID != "" && err == nil {
		if s, ok := stepOn(child, b.Target); ok && s.State == approvals.StepSucceeded {
			message = "released by request " + child.ID
		}
	}
	t.move(b, store.TimeboxMove{To: store.TimeboxClosed, Message: message})
}

// failed says why the isolation is still in force after a release has ended.
func (t *tending) failed(ctx context.Context, b store.Timebox, f Force) string {
	child, err := t.w.o.Store.Request(ctx, b.ReleaseID)
	if err != nil {
		return "its release " + b.ReleaseID + " can't be read"
	}
	s, _ := stepOn(child, b.Target)
	return strings.TrimSuffix(fmt.Sprintf("its release %s is %s (%s) and the device is not released: %s", child.ID, s.State, s.Message, f.Why), ": ")
}

// slow has people told once of a release that does not end, such as one of a device that is offline.
func (t *tending) slow(b store.Timebox) {
	if b.State != store.TimeboxReleasing || b.Trouble != "" || t.now.Sub(b.UpdatedAt) < boxStart {
		return
	}
	t.told = append(t.told, fmt.Sprintf("step %d is not undone yet: its release %s is still under way; get_request shows how far it is", b.Index+1, b.ReleaseID))
	t.move(b, store.TimeboxMove{To: b.State, Trouble: troubleSlow})
}

// troubles keeps due time-boxes armed because of a refusal.
func (t *tending) troubles(due []store.Timebox, why error) {
	word, again := troubleDenied, boxRetry
	switch {
	case errors.Is(why, errClocks):
		word = troubleClock
	case approvals.KindOf(why) == approvals.KindHeld:
		word, again = troubleHeld, boxLook
	case approvals.KindOf(why) == approvals.KindNoAnswer:
		word, again = troubleAsking, boxLook
	}
	for _, b := range due {
		t.trouble(b, word, why.Error(), again)
	}
}

// trouble keeps a time-box armed, to be tried again, and has people told when that is news.
func (t *tending) trouble(b store.Timebox, word, why string, again time.Duration) {
	m := store.TimeboxMove{To: store.TimeboxArmed, TryAt: t.now.Add(again), Trouble: word}
	if word == troubleAsking && b.Trouble != word && t.now.Sub(b.Due) < boxRetry {
		word, m.Trouble = b.Trouble, b.Trouble // a short outage is no news
	}
	if b.Trouble != word {
		m.Message = why
		t.told = append(t.told, fmt.Sprintf("step %d is not undone: %s", b.Index+1, why))
	}
	t.move(b, m)
}

func (t *tending) move(b store.Timebox, m store.TimeboxMove) {
	m.RequestID, m.Index, m.From, m.Version, m.At, m.Actor = b.RequestID, b.Index, b.State, b.Version, t.now, change.Worker
	if m.From == store.TimeboxReleasing && m.To == store.TimeboxArmed && m.Message == "" {
		m.Message = b.Message
	}
	t.moves = append(t.moves, m)
}

// release makes the request that undoes the steps of due time-boxes, in one transaction with their moves. It is approved
// with its parent, and verified like any other when it is claimed and sent.
func (t *tending) release(ctx context.Context, boxes []store.Timebox) error {
	child, err := t.w.child(t.r, boxes, t.now)
	if err == nil {
		err = t.w.tally.Permits(ctx, child)
	}
	switch {
	case approvals.KindOf(err) == approvals.KindStore:
		return err
	case err != nil:
		t.troubles(boxes, err)
		return t.write(ctx, nil)
	}
	for _, b := range boxes {
		t.move(b, store.TimeboxMove{To: store.TimeboxReleasing, ReleaseID: child.ID, TryAt: t.now.Add(boxLook), Message: "by request " + child.ID})
	}
	err = t.write(ctx, func(tx *store.Tx) error {
		by := change.By{At: t.now, Actor: change.Worker, Detail: child.Message}
		if err := tx.Insert(ctx, child, change.Note(child.ID, approvals.EventSubmitted, by)); err != nil {
			return err
		}
		if err := change.Notify(ctx, tx, child.ID, "submitted"); err != nil {
			return err
		}
		return tx.Enqueue(ctx, store.Job{Kind: store.Advance, RequestID: child.ID}, time.Time{})
	})
	if err == nil {
		failpoint.Hit(failpoint.BoxReleasing)
	}
	return err
}

// write stores what became of the time-boxes, or nothing.
func (t *tending) write(ctx context.Context, also func(*store.Tx) error) error {
	if len(t.moves) == 0 {
		return nil
	}
	return t.w.inTx(ctx, func(tx *store.Tx) error {
		for _, m := range t.moves {
			if err := tx.MoveTimebox(ctx, m); err != nil {
				return err
			}
		}
		if also != nil {
			if err := also(tx); err != nil {
				return err
			}
		}
		nonce := fmt.Sprintf("timebox-%d", t.now.UnixMilli())
		if len(t.told) > 0 {
			by := change.By{At: t.now, Actor: change.Worker, Detail: summed(t.told)}
			if err := tx.Note(ctx, change.Note(t.r.ID, approvals.EventEscalated, by)); err != nil {
				return err
			}
			nonce = fmt.Sprintf("escalated-%d", t.now.UnixMilli())
		}
		return change.Notify(ctx, tx, t.r.ID, nonce)
	})
}

// summed is what people are told of a fleet: the first, and how many more.
func summed(told []string) string {
	text := "time-box: " + told[0]
	if n := len(told) - 1; n > 0 {
		text += fmt.Sprintf("; and %d more", n)
	}
	return text
}
