package approvals_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
	"github.com/mde-ops/mde-ops/approvals/worker"
)

// mortal is the tenant as a process meets it that may be killed at every call.
type mortal struct {
	*lab.Tenant
	b *bench
}

// Apply implements worker.Performer.
func (m mortal) Apply(ctx context.Context, t worker.Task) (worker.Receipt, error) {
	w := m.b.life
	w.onSend(t)
	w.interrupt(&w.sending)
	w.kill("before the write")
	receipt, err := m.Tenant.Apply(ctx, t)
	if r := w.reqs[t.RequestID]; r != nil {
		var not *worker.NotSent
		r.sent[t.Index] = !errors.As(err, &not)
	}
	if n := m.Accepted(t.Tag); n > 1 {
		w.t.Fatalf("%s took effect %d times", t.Tag, n)
	}
	w.kill("after the write")
	return receipt, err
}

// Find implements worker.Performer.
func (m mortal) Find(ctx context.Context, t worker.Task, since time.Time) (worker.Receipt, bool, error) {
	m.b.life.kill("looking")
	return m.Tenant.Find(ctx, t, since)
}

// Follow implements worker.Performer.
func (m mortal) Follow(ctx context.Context, t worker.Task, id string) (worker.Progress, error) {
	m.b.life.kill("following")
	return m.Tenant.Follow(ctx, t, id)
}

func (w *world) kill(where string) {
	if w.dies == where {
		w.dies = ""
		w.hit("crashed " + where)
		panic("killed")
	}
}

// onSend holds a write that is about to be sent to the rules.
func (w *world) onSend(t worker.Task) {
	r := w.reqs[t.RequestID]
	if r == nil {
		w.t.Fatalf("nobody asked for what is sent: %+v", t)
	}
	if !reflect.DeepEqual(t.Plan, r.plan) || !reflect.DeepEqual(t.Step, r.plan.Steps[t.Index]) || t.Tag != approvals.Tag(r.id, t.Index) {
		w.t.Fatalf("what is sent is not what was shown: %+v", t)
	}
	if why := w.forbids(r, t.Index); why != "" {
		w.t.Fatalf("step %d of %s %s was sent, and %s: %s", t.Index, r.tool, r.id, why, r)
	}
	if r == w.main {
		w.executed(r)
	}
}

func (w *world) executed(r *life) {
	if r.lived {
		return
	}
	r.lived = true
	w.hit("executed")
	d := r.made.all[0]
	switch {
	case d.distinct:
		w.hit("distinct groups executed")
	case d.own:
		w.hit("confirmed and executed")
	case d.count >= 2:
		w.hit("quorum of two executed")
	}
	if r.heldAt {
		w.hit("ran after a lift")
	}
}

// forbids says why a step may not be sent at this moment; empty when it may.
func (w *world) forbids(r *life, step int) string {
	switch {
	case r.tampered != "":
		return "somebody altered it: " + r.tampered
	case r.ended():
		return fmt.Sprintf("it has ended (denied %v, withdrawn %v, stopped %v)", r.denied, r.withdrawn, r.stopped)
	case r.sent[step]:
		return "it was sent before"
	case w.heldTool(r.tool):
		return fmt.Sprintf("it is stopped: %v", w.stops)
	case r.parent != nil:
		return w.forbidsRelease(r, step)
	case !r.approved:
		return "it is not approved"
	}
	f := w.frames[len(w.frames)-1]
	k := &w.b.kits[f.kit]
	today := k.asks(r)
	asked := slices.ContainsFunc(append(slices.Clone(r.made.all), today.all...), func(d demand) bool { return !d.own })
	now, then := r.holds(today, w.members.isIn), r.holds(today, f.members.isIn)
	blind := func(down bool) bool { return asked && down }
	if (!now || blind(w.down)) && (!then || blind(f.down)) {
		return fmt.Sprintf("its approval does not hold under %q with %v", k.name, w.members)
	}
	return w.untimely(r, step, k)
}

// untimely says why it is too late, or too early in its waves, to send a step.
func (w *world) untimely(r *life, step int, k *kit) string {
	steps := w.get(r).Steps
	begun := false
	for _, s := range steps {
		begun = begun || s.Index != step && s.State != approvals.StepWaiting && s.State != approvals.StepSkipped
	}
	wave := k.wave
	if r.tool != "isolate_devices" {
		wave = approvals.Wave{}
	}
	now := w.clock()
	span := time.Duration(len(steps)) * max(r.wave.Wait, wave.Wait)
	since := r.start()
	switch {
	case !begun && (!now.Before(since.Add(15*time.Minute)) || !now.Before(r.decided.Add(15*time.Minute))):
		return "it is too late to start"
	case begun && !now.Before(latest(since, r.resumed).Add(time.Hour+span)):
		return "it is too late to go on"
	case blocked(r.wave, steps, step, now, r.resumed), blocked(wave, steps, step, now, r.resumed):
		return "its wave is not due, or paused"
	}
	return ""
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// forbidsRelease says why the end of a time-box may not be sent.
func (w *world) forbidsRelease(r *life, step int) string {
	p, device := r.parent, r.plan.Steps[step].Target
	at := slices.IndexFunc(p.plan.Steps, func(s approvals.Step) bool { return s.Target == device })
	if at < 0 {
		return "it is about another device"
	}
	from, ok := p.succeeded[at]
	now := w.clock()
	k := &w.b.kits[w.frames[len(w.frames)-1].kit]
	switch {
	case p.tampered != "" || !p.approved || p.denied:
		return "its parent was altered or not approved"
	case !ok:
		return "the device was not isolated by it"
	case now.Before(latest(from, p.start()).Add(p.plan.TimeBox.For + p.extra)):
		return fmt.Sprintf("its time is not over: %v after %v", now.Sub(from), p.plan.TimeBox.For+p.extra)
	case !p.holds(k.asks(p), wasSigned):
		return "its parent was not rightly approved under " + k.name
	case w.foreign[device]:
		return "somebody else has changed the device"
	case w.lag.Abs() > 5*time.Minute && len(r.sent) == 0:
		return "two clocks disagree"
	}
	return ""
}
