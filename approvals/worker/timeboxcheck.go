package worker

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/internal/change"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// Extension is what the one step of an approved extension of a time-box holds as its arguments.
type Extension struct {
	// For is how much later everything is undone that the request did.
	For time.Duration `json:"for"`
}

// errClocks is the cause of a refusal because two clocks disagree.
var errClocks = errors.New("clocks disagree")

// verifyChild decides whether a request that ends its parent's time-box may run: by the parent's approval, by what the
// parent did and when, and by what is in force in the tenant; never by what the child's row says.
func (w *Worker) verifyChild(ctx context.Context, r approvals.Request) error {
	parent, err := w.o.Store.Request(ctx, r.Parent)
	if approvals.KindOf(err) == approvals.KindNotFound {
		return foreign(r, "there is no request %s", r.Parent)
	}
	if err != nil {
		return err
	}
	parent, ends, err := w.boxed(ctx, parent)
	if err != nil {
		return err
	}
	steps, err := w.undone(parent, r)
	if err != nil {
		return err
	}
	if err := w.sameRelease(parent, steps, r); err != nil {
		return err
	}
	for _, i := range steps {
		if end, ok := ends[i]; !ok || w.now().Before(end) {
			return approvals.Refuse(approvals.KindDenied, nil, "the time-box of step %d of request %s is not over before %s",
				i+1, parent.ID, end.UTC().Format(time.RFC3339))
		}
	}
	if err := w.tally.Permits(ctx, r); err != nil {
		return err
	}
	if err := w.released(ctx, parent, steps, r); err != nil {
		return err
	}
	if r.Begun() {
		return w.held(ctx, parent)
	}
	return w.mayRelease(ctx, parent)
}

// boxed verifies a request with a time-box: its audit, its approval and its tools. It returns when the time of each step
// that succeeded is over, by the audit's word for the success and the extensions that people approved, and never before
// the last signed vote allows. That it was withdrawn meanwhile changes nothing: what succeeded is to be undone.
func (w *Worker) boxed(ctx context.Context, r approvals.Request) (approvals.Request, map[int]time.Time, error) {
	box := r.Plan.TimeBox
	if box == nil || r.Parent != "" || box.For <= 0 {
		return r, nil, approvals.Refuse(approvals.KindTampering, nil, "request %s has no time-box", r.ID)
	}
	tool, ok := w.o.Tools[box.Tool]
	if act, known := w.o.Tools[r.Plan.Tool]; !ok || !known || !tool.States(box.Risk) || !act.States(r.Plan.Risk) {
		return r, nil, approvals.Refuse(approvals.KindTampering, nil, "the plan of request %s states risks that its tools %q and %q don't state",
			r.ID, r.Plan.Tool, box.Tool)
	}
	events, err := change.Verified(ctx, w.o.Store, r)
	if err != nil && (events == nil || approvals.KindOf(err) != approvals.KindDenied) {
		return r, nil, err
	}
	if err := w.tally.Stood(ctx, r); err != nil {
		return r, nil, err
	}
	extra, err := w.extended(ctx, r, events)
	if err != nil {
		return r, nil, err
	}
	ends := make(map[int]time.Time)
	for _, e := range events {
		if e.Step < 0 || e.To != string(approvals.StepSucceeded) {
			continue
		}
		from := e.At
		for _, v := range r.Votes {
			if v.At.After(from) {
				from = v.At
			}
		}
		ends[e.Step] = from.Add(box.For + extra)
	}
	return r, ends, nil
}

// extended adds up the extensions that people approved. A row that names something else counts for nothing.
func (w *Worker) extended(ctx context.Context, r approvals.Request, events []approvals.Event) (sum time.Duration, err error) {
	seen := map[string]bool{}
	for _, e := range events {
		id, _, _ := strings.Cut(e.Detail, ":")
		if e.Type != approvals.EventExtended || seen[id] {
			continue
		}
		seen[id] = true
		more, err := w.extension(ctx, r, id)
		if kind := approvals.KindOf(err); kind == approvals.KindNotFound || kind == approvals.KindDenied || kind == approvals.KindTampering {
			w.o.Logger.ErrorContext(ctx, "an extension of a time-box does not verify and counts for nothing", "request", r.ID, "by", id, "error", err)
			continue
		}
		if err != nil {
			return 0, err
		}
		sum += more
	}
	return sum, nil
}

// extension is by how much an approved request extends r.
func (w *Worker) extension(ctx context.Context, r approvals.Request, id string) (time.Duration, error) {
	x, err := w.o.Store.Request(ctx, id)
	if err != nil {
		return 0, err
	}
	not := approvals.Refuse(approvals.KindTampering, nil, "request %s does not extend request %s", x.ID, r.ID)
	if x.Plan.Tool != approvals.ToolExtend || x.Plan.Risk != w.o.Tools[approvals.ToolExtend].Risk || len(x.Plan.Steps) != 1 || x.Plan.Steps[0].Target != r.ID {
		return 0, not
	}
	if x.State != approvals.Running && x.State != approvals.Succeeded {
		return 0, not
	}
	want, err := json.Marshal(control.Resumes(r.Plan))
	if have, bad := json.Marshal(x.Plan.Resumes); err != nil || bad != nil || string(want) != string(have) {
		return 0, not // policy was asked about it as if it were about other devices
	}
	if err := change.Verify(ctx, w.o.Store, x); err != nil {
		return 0, err
	}
	if err := w.stillExtends(ctx, x); err != nil {
		return 0, err
	}
	var by Extension
	if err := json.Unmarshal(x.Plan.Steps[0].Args, &by); err != nil || by.For <= 0 {
		return 0, not
	}
	return by.For, nil
}

// stillExtends verifies the approval of an extension. More time that people agreed to stays theirs when policy asks for more
// since: to count it out would release a device before the time that they were told.
func (w *Worker) stillExtends(ctx context.Context, x approvals.Request) error {
	err := w.tally.Stood(ctx, x)
	if approvals.KindOf(err) != approvals.KindDenied {
		return err
	}
	return w.tally.Agreed(ctx, x)
}

// undone lists the steps of the parent that the child's steps are about.
func (w *Worker) undone(parent, r approvals.Request) ([]int, error) {
	var steps []int
	for _, s := range r.Plan.Steps {
		at := -1
		for i, done := range parent.Plan.Steps {
			if strings.EqualFold(done.Target, s.Target) && parent.Steps[i].State == approvals.StepSucceeded {
				at = i
			}
		}
		if at < 0 {
			return nil, foreign(r, "nothing that request %s did succeeded on %q", parent.ID, s.Target)
		}
		steps = append(steps, at)
	}
	return steps, nil
}

// sameRelease refuses a child whose plan, requester or rows are not exactly those of the release of these steps.
func (w *Worker) sameRelease(parent approvals.Request, steps []int, r approvals.Request) error {
	u, ok := w.o.Performer.(Undoer)
	if !ok {
		return approvals.Refuse(approvals.KindDenied, nil, "this worker can't undo anything")
	}
	plan, err := u.Inverse(parent, steps)
	if err != nil {
		return err
	}
	want, err := json.Marshal([]any{plan, parent.Requester})
	if err != nil {
		return err
	}
	have, err := json.Marshal([]any{r.Plan, r.Requester})
	if err != nil || string(want) != string(have) {
		return foreign(r, "its plan is not the release of what request %s did", parent.ID)
	}
	return nil
}

// released refuses a child that its parent's time-boxes don't name, and one whose next step would undo what is not ours.
func (w *Worker) released(ctx context.Context, parent approvals.Request, steps []int, r approvals.Request) error {
	rows, err := w.o.Store.Timeboxes(ctx, parent.ID)
	if err != nil {
		return err
	}
	for n, i := range steps {
		at := -1
		for k, b := range rows {
			if b.Index == i {
				at = k
			}
		}
		if s := r.Steps[n].State; s != approvals.StepWaiting {
			continue
		}
		if at < 0 || rows[at].State != store.TimeboxReleasing || rows[at].ReleaseID != r.ID {
			return foreign(r, "the time-box of step %d of request %s is not being ended by it", i+1, parent.ID)
		}
		forces, err := w.inForce(ctx, parent, rows[at:at+1])
		if err != nil {
			return err
		}
		if forces[0].State != ForceOurs {
			return approvals.Refuse(approvals.KindDenied, nil, "what is in force on %s is not what request %s did: %s", rows[at].Target, parent.ID, forces[0].Why)
		}
		return nil // one look for each send: the next step is looked at when its turn comes
	}
	return nil
}

func foreign(r approvals.Request, format string, args ...any) error {
	return approvals.Refuse(approvals.KindTampering, nil, "request %s says that it ends the time-box of %s: %s", r.ID, r.Parent, fmt.Sprintf(format, args...))
}

// held is KindHeld when the tool that undoes r is stopped.
func (w *Worker) held(ctx context.Context, r approvals.Request) error {
	return w.board.Held(ctx, r.Plan.TimeBox.Tool)
}

// mayRelease says whether anything of r may be released now: nothing is stopped, and the tenant's clock agrees with ours.
func (w *Worker) mayRelease(ctx context.Context, r approvals.Request) error {
	if err := w.held(ctx, r); err != nil {
		return err
	}
	second, ok := w.o.Performer.(Timepiece)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, w.timing.WriteTimeout)
	defer cancel()
	theirs, err := second.Clock(ctx)
	if err != nil {
		return approvals.Refuse(approvals.KindNoAnswer, err, "the tenant's clock could not be read; nothing was released")
	}
	if apart := w.now().Sub(theirs).Abs(); apart > boxSkew {
		return approvals.Refuse(approvals.KindHeld, errClocks, "this machine's clock and Defender's are %v apart; nothing is released before they agree: set the clock",
			apart.Round(time.Second))
	}
	return nil
}

// inForce asks the tenant about the steps of time-boxes. KindNoAnswer when it can't.
func (w *Worker) inForce(ctx context.Context, r approvals.Request, boxes []store.Timebox) ([]Force, error) {
	u, ok := w.o.Performer.(Undoer)
	if !ok {
		return nil, approvals.Refuse(approvals.KindNoAnswer, nil, "this worker can't undo anything")
	}
	steps := make([]int, len(boxes))
	for i, b := range boxes {
		steps[i] = b.Index
		if b.Index >= len(r.Plan.Steps) {
			return nil, approvals.Refuse(approvals.KindTampering, nil, "request %s has no step %d", r.ID, b.Index+1)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, w.timing.WriteTimeout)
	defer cancel()
	forces, err := u.InForce(ctx, r, steps)
	if err == nil && len(forces) != len(steps) {
		err = errors.New("not every step was answered")
	}
	if err != nil {
		return nil, approvals.Refuse(approvals.KindNoAnswer, err, "what is in force could not be asked; nothing was done")
	}
	return forces, nil
}

// child is the request that undoes the steps of time-boxes. Its id is made of what it is about and when, so that it needs
// no chance.
func (w *Worker) child(parent approvals.Request, boxes []store.Timebox, now time.Time) (approvals.Request, error) {
	u, ok := w.o.Performer.(Undoer)
	if !ok {
		return approvals.Request{}, approvals.Refuse(approvals.KindDenied, nil, "this worker can't undo anything")
	}
	steps := make([]int, len(boxes))
	for i, b := range boxes {
		steps[i] = b.Index
	}
	plan, err := u.Inverse(parent, steps)
	if err != nil {
		return approvals.Request{}, err
	}
	r := approvals.Request{
		ID: childID(parent.ID, boxes, now), Plan: plan, Requester: parent.Requester, Origin: parent.Origin, Outcome: approvals.Allow,
		Rule: "time-box of " + parent.ID, PolicyDigest: w.o.Policy.Digest(), CreatedAt: now, ExpiresAt: now.Add(boxStart), StartWithin: boxStart,
		Parent: parent.ID, State: approvals.Approved, DecidedAt: now, Message: "approved with request " + parent.ID + ", whose time-box is over",
	}
	return change.Made(r)
}

func childID(parent string, boxes []store.Timebox, now time.Time) string {
	h := sha256.New()
	_, _ = fmt.Fprintln(h, parent, now.UnixMilli()) // a hash takes everything
	for _, b := range boxes {
		_, _ = fmt.Fprintln(h, b.Index, b.Version)
	}
	return change.ID([5]byte(h.Sum(nil)))
}
