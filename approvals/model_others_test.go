package approvals_test

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// again asks for the same once more: as the same person, as another one, or as one who proves nothing.
func (w *world) again() {
	r := w.main
	before := w.get(r)
	if before.State.Terminal() || r.tampered != "" || w.heldTool(r.tool) || w.overdueNow(r) {
		return
	}
	by, human := r.by, "ann"
	switch w.draw(4, "who") {
	case 0, 1:
		human = pick(w, "other", "gus", "gus", "cat", "bob")
		by = lab.Ann()
		by.Person = lab.Person(human)
	case 2:
		human = "gus"
		by = approvals.Requester{Person: lab.Person("gus"), Via: approvals.ViaShell}
	}
	k := w.kit()
	probe := *r
	probe.by = by
	if k.asks(&probe).deny {
		return
	}
	voted := slices.ContainsFunc(r.votes, func(c cast) bool { return c.human == human })
	known := human == "ann" || slices.Contains(r.attached, human)
	want := known || by.Verified && !voted
	plan := r.plan
	plan.Reason = "again"
	got, err := k.gate.Submit(context.Background(), gateSubmission(plan, by))
	if (err == nil) != want {
		w.t.Fatalf("%s asks for the same: joined %v, the rules say %v (%v)", by.ID, err == nil, want, err)
	}
	if err != nil {
		return
	}
	if got.ID != r.id {
		w.t.Fatalf("the same is asked for twice: %s and %s", r.id, got.ID)
	}
	w.hit("same asked again")
	if !known {
		r.attached = append(r.attached, human)
		w.hit("attached")
	}
}

// overdueNow says whether a request is over by the clock although nobody has written that yet.
func (w *world) overdueNow(r *life) bool {
	now := w.clock()
	if !r.approved {
		return !now.Before(r.created.Add(30 * time.Minute))
	}
	return !r.lived && !now.Before(r.decided.Add(15*time.Minute))
}

// extend asks for more time for the main request's time-box.
func (w *world) extend() {
	if w.main.plan.TimeBox == nil || len(w.main.succeeded) == 0 || w.main.tampered != "" || w.draw(2, "rarely") != 0 {
		return
	}
	args, _ := json.Marshal(map[string]time.Duration{"for": 2 * time.Hour})
	p := lab.Plan(approvals.ToolExtend, 1)
	p.Resumes = control.Resumes(w.main.plan)
	p.Targets = []approvals.Target{{ID: w.main.id, Kind: "request", Name: w.main.id}}
	p.Steps = []approvals.Step{{Action: "extend", Target: w.main.id, Args: args, Summary: "extend " + w.main.id}}
	w.submit(p, lab.Ann(), w.main)
}

// boxes lets a worker look at the main request's time-boxes, and works their releases.
func (w *world) boxes() {
	if w.main.plan.TimeBox == nil || len(w.main.succeeded) == 0 {
		return
	}
	w.hit("time-box looked at")
	w.turn(w.main, w.draw(2, "process"), store.Job{Kind: store.Boxes, RequestID: w.main.id, Nonce: pick(w, "nonce", "", "look-x")})
	rows, err := w.b.l.DB.Timeboxes(context.Background(), w.main.id)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, b := range rows {
		if b.ReleaseID == "" {
			continue
		}
		r := w.reqs[b.ReleaseID]
		if r == nil {
			got, err := w.b.l.DB.Request(context.Background(), b.ReleaseID)
			if err != nil {
				w.t.Fatal(err)
			}
			r = &life{tool: got.Plan.Tool, plan: got.Plan, by: w.main.by, human: "ann", parent: w.main, sent: map[int]bool{}, succeeded: map[int]time.Time{}}
			w.track(r, got)
		}
		if r.final == nil {
			w.turn(r, w.draw(2, "process"), store.Job{Kind: store.Advance, RequestID: r.id})
		}
		if r.sent[0] {
			w.hit("time-box released")
		}
	}
}
