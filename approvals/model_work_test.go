package approvals_test

import (
	"context"
	"slices"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/worker"
)

// unreachable says whether too few people exist who could approve.
func (w *world) unreachable(r *life, kits ...int) bool {
	all := voters()
	for _, k := range kits {
		today := w.b.kits[k].asks(r)
		for _, d := range append(slices.Clone(r.made.all), today.all...) {
			humans := map[string]bool{}
			for _, g := range append(slices.Clone(d.groups), d.late) {
				for _, name := range w.members[g] {
					if h := all[name].human; h != r.human && !slices.Contains(r.attached, h) {
						humans[h] = true
					}
				}
			}
			if len(humans) < d.count || d.distinct {
				return true
			}
		}
	}
	return false
}

// turn gives a job to a worker and looks at what it has done.
func (w *world) turn(r *life, which int, job store.Job) {
	k := w.kit()
	before := w.get(r)
	w.frames = append(w.frames, frame{kit: w.now, members: w.members.clone(), down: w.down, at: w.clock()})
	for range 60 {
		again, err := w.handleJob(k.workers[which], job)
		if err != nil {
			w.t.Fatal(err)
		}
		if again >= 0 {
			break
		}
	}
	f := w.frames[len(w.frames)-1]
	w.frames = w.frames[:len(w.frames)-1]
	w.observe(r, before, f)
}

// jobLimit ends a job that goes round in circles: the clock of a life stands still while a job runs, so it would never end.
const jobLimit = 10 * time.Second

func (w *world) handleJob(k *worker.Worker, job store.Job) (again time.Duration, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), jobLimit)
	defer cancel()
	defer func() {
		if ctx.Err() != nil {
			w.t.Fatalf("a job did not end: %+v", job)
		}
	}()
	defer func() {
		if p := recover(); p != nil && p != any("killed") {
			panic(p)
		}
	}()
	return k.Handle(ctx, job)
}

// observe compares what a worker made of a request with the rules, and learns what happened.
func (w *world) observe(r *life, before approvals.Request, f frame) {
	after := w.get(r)
	if r.tampered != "" {
		return
	}
	calm := w.depth == 0
	if before.State == approvals.Pending && after.State == approvals.Cancelled && !r.stopped && !r.withdrawn && calm &&
		!w.unreachable(r, f.kit, w.now) {
		w.t.Fatalf("cancelled, and people could approve it: %s", after.Message)
	}
	if after.State == approvals.Expired && !w.overdue(r) {
		w.t.Fatalf("expired before its time: %+v", after)
	}
	for i, s := range after.Steps {
		if _, known := r.succeeded[i]; !known && s.State == approvals.StepSucceeded {
			r.succeeded[i] = f.at
		}
	}
	done := after.Steps[0].State == approvals.StepAccepted || after.Steps[0].State == approvals.StepSucceeded
	if done && !r.lived && r.about == nil && r.press == 0 {
		return
	}
	if done && !r.lived {
		r.lived = true
		w.switched(r, f)
	}
}

func (w *world) overdue(r *life) bool {
	high := w.b.high // the clock may have been set back since
	if r.approved {
		return !high.Before(r.decided.Add(15 * time.Minute))
	}
	return !high.Before(r.created.Add(30 * time.Minute))
}

// switched takes note of a lift, a resumption or an extension, which must have been approved.
func (w *world) switched(r *life, f frame) {
	today := w.b.kits[f.kit].asks(r)
	if !r.approved || r.denied || r.withdrawn || !r.holds(today, w.members.isIn) && !r.holds(today, f.members.isIn) {
		w.t.Fatalf("%s took effect without its approval: %s", r.tool, r)
	}
	switch r.tool {
	case approvals.ToolLift:
		early := slices.ContainsFunc(r.votes, func(v cast) bool { return v.at.Before(w.pressed[r.scope]) })
		if w.stops[r.scope] == r.press && !early { // a clock set back makes the votes look older than what they are about
			delete(w.stops, r.scope)
			w.hit("lifted")
		}
	case approvals.ToolResume:
		r.about.resumed = r.start()
		w.hit("resumed")
	case approvals.ToolExtend:
		var by struct{ For time.Duration }
		decode(r.plan.Steps[0].Args, &by)
		r.about.extra += by.For
		w.hit("time-box extended")
	}
}
