package approvals_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// intruder writes straight into the database what only the gate may write.
func (w *world) intruder() {
	r := w.main
	if w.draw(4, "rarely") != 0 || r.tampered != "" {
		return
	}
	forgeries := []string{"state", "vote", "step", "needed count", "plan", "request"}
	switch {
	case len(w.stops) > 0:
		forgeries = append(forgeries, "lift", "lift", "lift", "lift")
	case r.paused:
		forgeries = append(forgeries, "resumption", "resumption", "resumption", "resumption")
	case r.plan.TimeBox != nil:
		forgeries = append(forgeries, "extension", "extension", "extension", "due time", "due time", "release", "release")
	}
	switch what := pick(w, "what", forgeries...); what {
	case "lift":
		w.forgeLift()
	case "resumption":
		if r.paused {
			w.forge(approvals.EventResumed, r.id, "FORGED00: goes on")
			w.hit("forged resumption")
			w.work()
		}
	case "extension":
		if r.plan.TimeBox != nil {
			w.forge(approvals.EventExtended, r.id, "FORGED00: 1000h0m0s")
			w.hit("forged extension")
		}
	case "due time":
		if r.plan.TimeBox != nil && len(r.succeeded) > 0 {
			w.write("UPDATE timeboxes SET due_ms = $1, try_ms = $1 WHERE request_id = $2", w.clock().UnixMilli(), r.id)
			w.hit("forged due time")
		}
	case "request":
		w.forgeRequest(lab.Plan("isolate_devices", 1), "")
		w.hit("forged request")
	case "release":
		if r.plan.TimeBox != nil && len(r.succeeded) > 0 {
			got := w.get(r)
			plan, err := w.b.l.Tenant.Inverse(got, []int{0})
			if err != nil {
				w.t.Fatal(err)
			}
			w.forgeRequest(plan, r.id)
			w.hit("forged release")
		}
	default:
		w.tamper(r, what)
	}
}

// tamper alters the main request itself. From then on nothing of it may be sent.
func (w *world) tamper(r *life, what string) {
	got := w.get(r)
	now := w.clock().UnixMilli()
	switch what {
	case "state":
		state := pick(w, "state", "approved", "running")
		if string(got.State) == state {
			return
		}
		w.write("UPDATE requests SET state = $1, decided_ms = $2, finished_ms = 0 WHERE id = $3", state, now, r.id)
	case "vote":
		body := fmt.Sprintf(`{"request_id":%q,"digest":%q,"voter":{"id":"dan@example.com"},"verdict":"approve"}`, r.id, got.Digest)
		if len(got.Votes) > 0 && slices.ContainsFunc(got.Votes, func(v approvals.Vote) bool { return v.Voter.ID == "dan@example.com" }) {
			return
		}
		w.write("INSERT INTO votes (request_id, voter_id, verdict, at_ms, body) VALUES ($1, 'dan@example.com', 'approve', $2, $3)", r.id, now, body)
	case "step":
		if got.Steps[0].State == approvals.StepWaiting {
			return
		}
		w.write("UPDATE steps SET state = 'waiting' WHERE request_id = $1 AND idx = 0", r.id)
	case "needed count":
		if len(got.Quorum) == 0 || got.Quorum[0].Count < 2 {
			return
		}
		w.write(`UPDATE requests SET quorum = replace(quorum, $1, '"count":1') WHERE id = $2`, fmt.Sprintf(`"count":%d`, got.Quorum[0].Count), r.id)
	case "plan":
		w.write(`UPDATE requests SET plan = replace(plan, 'device-0', 'device-9') WHERE id = $1`, r.id)
	}
	r.tampered = what
	w.b.altered = append(w.b.altered, r.id)
	w.hit("tampered: " + what)
}

func (w *world) write(sql string, args ...any) {
	if _, err := w.b.raw.ExecContext(context.Background(), sql, args...); err != nil {
		w.t.Fatal(err)
	}
}

// forge writes a row into the audit that continues it well.
func (w *world) forge(kind, id, detail string) {
	err := w.b.l.DB.InTx(context.Background(), func(tx *store.Tx) error {
		return tx.Note(context.Background(), approvals.Event{At: w.clock(), RequestID: id, Type: kind, Actor: "worker", Step: -1, Detail: detail})
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// forgeLift writes that a stop was lifted, by no request, or by one that nobody has voted on.
func (w *world) forgeLift() {
	for scope := range w.stops {
		if len(w.stops) > 1 {
			return // which one comes first is chance
		}
		id := "FORGED00"
		if w.draw(2, "by a request") == 0 {
			if r := w.askToLift(scope); r != nil {
				id = r.id
			}
		}
		w.forge(approvals.EventLifted, id, scope+": lifted")
		w.hit("forged lift")
		w.work()
	}
}

// forgeRequest inserts a request that says it was allowed, and has it worked.
func (w *world) forgeRequest(plan approvals.Plan, parent string) {
	now := w.clock()
	r := approvals.Request{
		ID: fmt.Sprintf("F%07d", w.b.deliveries+w.b.lives*1000), Plan: plan, Requester: w.main.by, Outcome: approvals.Allow, Rule: "forged",
		CreatedAt: now, ExpiresAt: now.Add(time.Hour), StartWithin: 15 * time.Minute, Parent: parent, Key: plan.Key(),
		State: approvals.Approved, DecidedAt: now,
	}
	for i := range plan.Steps {
		r.Steps = append(r.Steps, approvals.StepStatus{Index: i, State: approvals.StepWaiting, UpdatedAt: now})
	}
	w.b.deliveries++
	var err error
	if r.Digest, err = approvals.Digest(r); err != nil {
		w.t.Fatal(err)
	}
	err = w.b.l.DB.InTx(context.Background(), func(tx *store.Tx) error {
		return tx.Insert(context.Background(), r, approvals.Event{At: now, Type: approvals.EventSubmitted, Actor: "ann@example.com"})
	})
	if err != nil {
		w.t.Fatal(err)
	}
	forged := &life{tool: plan.Tool, plan: plan, by: w.main.by, human: "ann", tampered: "forged", sent: map[int]bool{}, succeeded: map[int]time.Time{}}
	w.reqs[r.ID] = forged
	forged.id, forged.created = r.ID, now
	w.turn(forged, 0, store.Job{Kind: store.Advance, RequestID: r.ID})
}

// end lets everything that is left come to its end, which it must: what is stopped is lifted by those who may, and what
// is asked is decided or times out.
func (w *world) end() {
	w.calm()
	for scope := range w.stops {
		w.liftNow(scope)
	}
	for i := range 40 {
		w.turn(w.main, 0, store.Job{Kind: store.Advance, RequestID: w.main.id})
		w.noticePause()
		w.boxes()
		w.workOthers()
		open := w.expire()
		if !open && w.released() {
			return
		}
		w.b.l.Tenant.End("Succeeded")
		w.to(w.clock().Add(time.Duration(min(2+i*i, 20)) * time.Minute))
	}
	w.t.Fatalf("stuck with %v: %s", w.stops, w.b.stateOf(w.order))
}

// calm makes everything answer again, under the policy that the main request was made under.
func (w *world) calm() {
	w.meanwhile, w.sending, w.dies = nil, nil, ""
	w.down, w.lag = false, 0
	w.b.l.Directory.Fail(nil)
	w.b.l.Tenant.Lag(0)
	w.b.l.Tenant.Clear()
	w.clock()
	w.to(w.b.high)
}

func (w *world) liftNow(scope string) {
	w.now = 0
	w.members = firstGroups()
	w.regroup()
	w.to(w.b.high.Add(time.Second))
	for range 3 {
		if w.stops[scope] == 0 {
			return
		}
		r := w.askToLift(scope)
		for _, name := range []string{"cat", "dan", "bob"} {
			if !r.approved {
				w.vote(r, name, yes)
			}
		}
		w.turn(r, 0, store.Job{Kind: store.Advance, RequestID: r.id})
		w.turn(r, 0, store.Job{Kind: store.Advance, RequestID: r.id})
		if w.stops[scope] == 0 {
			return
		}
		w.to(w.clock().Add(31 * time.Minute))
		w.expire()
	}
	w.t.Fatalf("the stop of %s can't be lifted", scope)
}

// expire does the jobs that end what nobody decides, and says whether anything is left open.
func (w *world) expire() (open bool) {
	for _, r := range w.order {
		if r.final != nil || r.tampered != "" {
			continue
		}
		if w.overdueNow(r) {
			w.turn(r, 0, store.Job{Kind: store.Expire, RequestID: r.id})
		}
		open = open || r.final == nil
	}
	return open
}

// released says whether every time-box that must be ended was.
func (w *world) released() bool {
	r := w.main
	if r.plan.TimeBox == nil || r.tampered != "" || !r.holds(w.kit().asks(r), wasSigned) {
		return true // what was altered, or what policy would not approve now, is left to people
	}
	rows, err := w.b.l.DB.Timeboxes(context.Background(), r.id)
	if err != nil {
		w.t.Fatal(err)
	}
	return !slices.ContainsFunc(rows, store.Timebox.Open)
}

// stateOf is what is stored of requests, in short.
func (b *bench) stateOf(order []*life) (text string) {
	for _, r := range order {
		got, err := b.l.DB.Request(context.Background(), r.id)
		text += fmt.Sprintf("\n%s %s is %s (%s) %v; the model: %s", r.tool, r.id, got.State, got.Message, err, r)
		for _, s := range got.Steps {
			text += fmt.Sprintf("; step %d %s (%s)", s.Index+1, s.State, s.Message)
		}
		boxes, _ := b.l.DB.Timeboxes(context.Background(), r.id)
		for _, x := range boxes {
			text += fmt.Sprintf("; box %d %s (%s) due %v", x.Index+1, x.State, x.Message, x.Due)
		}
	}
	return text
}

// String says what the model knows of a request.
func (r *life) String() string {
	return fmt.Sprintf("made %+v at %v, votes %+v, attached %v, approved %v at %v, denied %v, withdrawn %v, stopped %v, altered %q, sent %v, ended %v",
		r.made, r.created.Format("15:04:05.000"), r.votes, r.attached, r.approved, r.decided.Format("15:04:05.000"), r.denied, r.withdrawn, r.stopped,
		r.tampered, r.sent, r.final != nil)
}
