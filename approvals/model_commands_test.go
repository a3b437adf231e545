package approvals_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/gate"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
	"github.com/mde-ops/mde-ops/approvals/store"
)

func gateSubmission(p approvals.Plan, by approvals.Requester) gate.Submission {
	return gate.Submission{Plan: p, Requester: by}
}

func decode(raw json.RawMessage, into any) {
	if err := json.Unmarshal(raw, into); err != nil {
		panic(err)
	}
}

// live is one life from its submission to its end. What is often worth trying stands several times among the commands.
func (w *world) live(t *rapid.T) {
	w.t = t
	w.begin()
	if w.main == nil {
		return
	}
	w.ahead()
	commands := map[string]func(*rapid.T){"": w.check}
	for name, c := range map[string]struct {
		times int
		do    func()
	}{
		"approve": {6, w.approve}, "anybody": {2, w.anybody}, "deny": {1, w.deny}, "replay": {1, w.replay}, "work": {6, w.work},
		"others": {3, w.workOthers}, "crash": {2, w.crash}, "time": {4, w.time}, "weather": {1, w.weather}, "people": {2, w.people},
		"policy": {1, w.policy}, "withdraw": {1, w.withdraw}, "stop": {1, w.stop}, "lift": {1, w.lift}, "again": {1, w.again},
		"extend": {2, w.extend}, "boxes": {2, w.boxes}, "intruder": {1, w.intruder},
	} {
		for i := range c.times {
			commands[fmt.Sprint(name, " ", i)] = func(t *rapid.T) { w.t = t; c.do() }
		}
	}
	t.Repeat(commands)
	w.end()
}

// check looks at the main request after every command that has not done so.
func (w *world) check(t *rapid.T) {
	if w.t = t; !w.looked {
		w.get(w.main)
	}
	w.looked = false
}

func (w *world) draw(n int, label string) int { return rapid.IntRange(0, n-1).Draw(w.t, label) }

func pick[T any](w *world, label string, from ...T) T { return from[w.draw(len(from), label)] }

// begin submits what this life is about.
func (w *world) begin() {
	w.now = pick(w, "policy", 0, 0, 0, 1, 1, 2, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8)
	tool := pick(w, "tool", "isolate_devices", "isolate_devices", "isolate_devices", "run_script")
	n := pick(w, "devices", 1, 1, 2, 3)
	if w.now >= 7 {
		tool, n = "isolate_devices", pick(w, "devices of a fleet", 3, 4, 5)
	}
	plan := lab.Plan(tool, n)
	if tool == "isolate_devices" && w.draw(3, "with a time-box") == 0 {
		plan = lab.Boxed(n, time.Hour)
	}
	for i := range plan.Steps { // every life has its own devices
		id := fmt.Sprintf("%s-of-%d", plan.Targets[i].ID, w.b.lives)
		plan.Targets[i].ID, plan.Steps[i].Target = id, id
	}
	by := lab.Ann()
	switch w.draw(6, "asked by") {
	case 0:
		by.Via, by.Agent = approvals.ViaMCP, "assistant"
		w.hit("by an assistant")
	case 1:
		by.Via, by.Agent, by.Verified = approvals.ViaMCP, "assistant", false
		w.hit("by an assistant")
		w.hit("unverified")
	case 2:
		by.Via, by.Verified = approvals.ViaShell, false
		w.hit("unverified")
	}
	if w.submit(plan, by, nil) == nil {
		w.now = 0
		w.submit(plan, by, nil)
	}
}

// ahead brings some lives to where something was done already, because chance alone seldom gets there early enough for
// much to come after it.
func (w *world) ahead() {
	r := w.main
	if w.draw(3, "ahead") != 0 {
		return
	}
	for range 4 {
		switch {
		case r.approved || r.denied:
		case slices.ContainsFunc(r.made.all, func(d demand) bool { return d.own }):
			w.vote(r, "ann", confirm)
		default:
			w.vote(r, w.somebody(r), yes)
		}
	}
	for range 2 {
		w.turn(r, 0, store.Job{Kind: store.Advance, RequestID: r.id})
		if !r.approved || w.draw(5, "so far") == 0 {
			return
		}
		w.b.l.Tenant.End(pick(w, "as", "Succeeded", "Succeeded", "Failed"))
		w.to(w.clock().Add(time.Minute))
	}
	w.turn(r, 0, store.Job{Kind: store.Advance, RequestID: r.id})
	w.noticePause()
}

// subject is the request that a command is about: mostly the main one, or one that waits.
func (w *world) subject() *life {
	var open []*life
	for _, r := range w.order {
		if !r.ended() && !r.approved && r.parent == nil && r.tampered == "" {
			open = append(open, r)
		}
	}
	if len(open) == 0 {
		return w.main
	}
	return open[w.draw(len(open), "request")]
}

// meantime lets something happen in the midst of what comes next, now and then.
func (w *world) meantime(r *life) {
	if w.depth > 0 || w.draw(4, "meanwhile") != 0 {
		return
	}
	w.lookups = w.draw(5, "after look-ups")
	w.meanwhile = w.event(r)
	if w.draw(3, "between mark and write") == 0 {
		w.sending = w.event(r)
	}
}

// event is something that others do.
func (w *world) event(r *life) func() {
	what := pick(w, "what", "vote", "vote", "deny", "work", "withdraw", "stop", "people", "expiry", "policy")
	return func() {
		switch what {
		case "vote":
			w.vote(r, w.somebody(r), yes)
		case "deny":
			w.vote(r, w.somebody(r), no)
		case "work":
			w.hit("two processes")
			w.turn(w.main, 1, store.Job{Kind: store.Advance, RequestID: w.main.id})
		case "withdraw":
			w.takeBack()
		case "stop":
			w.press(approvals.ScopeAll)
		case "people":
			w.regroupOne()
		case "expiry":
			w.to(r.created.Add(30 * time.Minute))
		case "policy":
			w.repolice()
		}
	}
}

// somebody is a person who may well be asked.
func (w *world) somebody(r *life) string {
	var names []string
	for _, d := range append(slices.Clone(r.made.all), w.kit().asks(r).all...) {
		for _, g := range append(slices.Clone(d.groups), d.late) {
			for _, name := range w.members[g] {
				if h := voters()[name].human; h != r.human && !slices.ContainsFunc(r.votes, func(c cast) bool { return c.human == h }) {
					names = append(names, name)
				}
			}
		}
	}
	if len(names) == 0 {
		return "bob"
	}
	return names[w.draw(len(names), "somebody")]
}

func (w *world) approve() {
	r := w.subject()
	demands := append(slices.Clone(r.made.all), w.kit().asks(r).all...)
	w.meantime(r)
	if slices.ContainsFunc(demands, func(d demand) bool { return d.own }) && w.draw(2, "own") == 0 {
		w.vote(r, "ann", confirm)
	} else {
		w.vote(r, w.somebody(r), yes)
	}
	w.meanwhile, w.sending = nil, nil
}

func (w *world) anybody() {
	r := w.subject()
	name := pick(w, "who", "ann", "ANN", "ann2", "mallory", "bob", "bob2", "gus", "gus", "eve")
	w.vote(r, name, pick(w, "verdict", yes, yes, no, confirm))
}

func (w *world) deny() {
	if w.draw(3, "rarely") == 0 {
		r := w.subject()
		w.vote(r, w.somebody(r), no)
	}
}

func (w *world) replay() {
	if w.last == nil {
		return
	}
	r := w.reqs[w.last.RequestID]
	before := w.get(r)
	if err := w.cast(*w.last); err != nil {
		w.t.Fatalf("a redelivery is no fault: %v", err)
	}
	w.hit("replayed click")
	if after := w.get(r); len(after.Votes) != len(before.Votes) || after.State != before.State && after.State != approvals.Expired {
		w.t.Fatalf("a redelivery changed %v to %v", before, after)
	}
}

func (w *world) work() {
	w.meantime(w.main)
	w.claimed()
	w.turn(w.main, w.draw(2, "process"), store.Job{Kind: store.Advance, RequestID: w.main.id})
	w.meanwhile, w.sending = nil, nil
	w.noticePause()
}

// claimed counts what changed between the last vote and the first look of a worker.
func (w *world) claimed() {
	if !w.main.approved || w.main.ended() || w.main.lived {
		return
	}
	if w.regrouped {
		w.hit("group changed between vote and claim")
	}
	if w.repoliced {
		w.hit("policy changed between vote and claim")
	}
	w.regrouped, w.repoliced = false, false
}

// noticePause finds the question that a worker asked when the stop rule held the main request.
func (w *world) noticePause() {
	if w.main.wave.Width == 0 && w.kit().wave.Width == 0 || w.main.tampered != "" {
		return
	}
	events, err := w.b.l.DB.Trail(context.Background(), w.main.id)
	if err != nil {
		w.t.Fatal(err)
	}
	pause, yes := approvals.LastPause(events)
	if !yes {
		return
	}
	if !w.main.paused {
		w.main.paused = true
		w.hit("paused")
	}
	if pause.Asked == "" || w.reqs[pause.Asked] != nil {
		return
	}
	got, err := w.b.l.DB.Request(context.Background(), pause.Asked)
	if err != nil {
		w.t.Fatal(err)
	}
	r := &life{tool: got.Plan.Tool, plan: got.Plan, by: w.main.by, human: "ann", about: w.main, sent: map[int]bool{}, succeeded: map[int]time.Time{}}
	// A policy that was swapped while the worker asked is not the one that it asked under.
	under := slices.IndexFunc(w.b.kits, func(k kit) bool { return k.policy.Digest() == got.PolicyDigest })
	if under < 0 {
		w.t.Fatalf("request %s was made under a policy that nobody has", got.ID)
	}
	r.made = w.b.kits[under].asks(r)
	w.track(r, got)
}

// workOthers works the requests about switches, and releases.
func (w *world) workOthers() {
	for _, r := range slices.Clone(w.order) {
		if r != w.main && r.final == nil {
			w.turn(r, w.draw(2, "process"), store.Job{Kind: store.Advance, RequestID: r.id})
		}
	}
}

func (w *world) crash() {
	w.dies = pick(w, "dies", "asking", "before the write", "after the write", "looking", "following")
	asking := w.dies == "asking"
	r := w.subject()
	if asking && !r.approved && w.draw(2, "in a vote") == 0 {
		w.vote(r, w.somebody(r), yes)
	} else {
		w.turn(w.main, 0, store.Job{Kind: store.Advance, RequestID: w.main.id})
		if asking && w.dies == "" {
			w.hit("crashed before the mark")
		}
	}
	w.dies = ""
}

// to sets the clock; an earlier time is only reached by setting it back.
func (w *world) to(at time.Time) {
	w.clock()
	w.b.l.Clock.Advance(at.Sub(w.b.l.Clock.Now()))
	w.clock()
}

func (w *world) time() {
	now := w.clock()
	instants := []time.Time{w.subject().created.Add(30 * time.Minute), w.main.created.Add(10 * time.Minute)}
	if w.main.approved {
		instants = append(instants, w.main.decided.Add(15*time.Minute), w.main.start().Add(time.Hour))
	}
	for _, at := range w.main.succeeded {
		if w.main.plan.TimeBox != nil {
			instants = append(instants, at.Add(w.main.plan.TimeBox.For+w.main.extra))
			break
		}
	}
	switch w.draw(8, "how") {
	case 0:
		r := w.subject()
		off := pick(w, "instant", -time.Millisecond, 0, time.Millisecond)
		at := r.created.Add(30 * time.Minute).Add(off)
		if at.After(now) && !r.ended() && !r.approved {
			w.to(at)
			w.hit(map[time.Duration]string{-time.Millisecond: "vote 1ms before", 0: "vote at the instant", time.Millisecond: "vote 1ms after"}[off])
			w.vote(r, w.somebody(r), yes)
		}
	case 1, 2:
		slices.SortFunc(instants, time.Time.Compare)
		at := instants[w.draw(len(instants), "of")].Add(pick(w, "off", -time.Millisecond, 0, time.Millisecond))
		if at.After(now) {
			w.to(at)
		}
	case 3:
		w.to(now.Add(-pick(w, "back", time.Second, 5*time.Minute, time.Hour)))
		w.hit("clock back")
	default:
		w.to(now.Add(pick(w, "later", time.Second, 5*time.Second, 30*time.Second, time.Minute, time.Minute, 6*time.Minute, 11*time.Minute)))
	}
	if w.draw(2, "actions end") == 0 {
		w.b.l.Tenant.End(pick(w, "as", "Succeeded", "Succeeded", "Succeeded", "Failed"))
	}
	if w.draw(12, "clocks differ") == 0 {
		w.lag = pick(w, "by", 0, 10*time.Minute, -10*time.Minute)
		w.b.l.Tenant.Lag(w.lag)
	}
}

func (w *world) weather() {
	w.b.l.Tenant.Forecast(pick(w, "weather", lab.Fair, lab.AnswerLost, lab.Dropped, lab.Throttled, lab.Refusing, lab.Refusing))
	if w.draw(6, "somebody else acts") == 0 {
		device := w.main.plan.Steps[0].Target
		if _, isolated := w.main.succeeded[0]; isolated && !w.foreign[device] && w.main.tool == "isolate_devices" && w.draw(2, "foreign") == 0 {
			w.foreign[device] = true
			w.b.l.Tenant.Foreign("release_devices", device)
		}
	}
}

func (w *world) people() {
	if w.draw(6, "directory") == 0 {
		w.down = !w.down
		w.b.l.Directory.Fail(nil)
		if w.down {
			w.b.l.Directory.Fail(errors.New("down"))
		}
		return
	}
	w.regroupOne()
}

// regroupOne moves one person into or out of a group; more often one who has voted.
func (w *world) regroupOne() {
	names := []string{"bob", "cat", "dan", "eve", "fay", "gus", "bob2"}
	for _, v := range w.main.votes {
		names = append(names, v.name, v.name, v.name)
	}
	group, name := pick(w, "group", "oncall", "oncall", "leads"), names[w.draw(len(names), "member")]
	if i := slices.Index(w.members[group], name); i >= 0 {
		w.members[group] = slices.Delete(slices.Clone(w.members[group]), i, i+1)
	} else {
		w.members[group] = append(slices.Clone(w.members[group]), name)
	}
	w.regrouped = true
	w.regroup()
}

func (w *world) policy() { w.repolice() }

func (w *world) repolice() {
	now := pick(w, "policy", 0, 0, 0, 1, 2, 3, 4, 5, 6, 7)
	w.repoliced = w.repoliced || now != w.now
	w.now = now
}

func (w *world) withdraw() {
	if w.draw(3, "rarely") == 0 {
		w.takeBack()
	}
}

// takeBack withdraws the main request, which its requester may as they asked for it, and nobody else.
func (w *world) takeBack() {
	r := w.main
	before := w.get(r)
	if other := lab.Ann(); w.draw(4, "by another") == 0 {
		other.Person = lab.Person("gus")
		if _, err := w.kit().gate.Withdraw(context.Background(), r.id, other); err == nil {
			w.t.Fatalf("gus withdrew what ann asked for: %+v", r)
		}
		return
	}
	_, err := w.kit().gate.Withdraw(context.Background(), r.id, r.by)
	if err != nil {
		if !before.State.Terminal() && before.State != approvals.Running && r.tampered == "" {
			w.t.Fatalf("what is %s could not be withdrawn: %v", before.State, err)
		}
		return
	}
	r.withdrawn = true
	w.hit("withdrawn")
	if before.State == approvals.Running {
		w.hit("withdrawn midway")
	}
}

func (w *world) stop() {
	if w.draw(4, "rarely") != 0 {
		return
	}
	w.press(pick(w, "scope", approvals.ScopeAll, "response", "live_response", "devices"))
}

// press stops something: what is covered and has not begun is cancelled there and then.
func (w *world) press(scope string) {
	states := map[*life]approvals.State{}
	for _, r := range w.order {
		states[r] = w.get(r).State
	}
	by := lab.Ann()
	by.Person = lab.Person(pick(w, "presser", "bob", "mallory"))
	at := w.clock()
	if err := w.kit().face.Stop(context.Background(), control.Order{Scope: scope, By: by, Why: "drill"}); err != nil {
		w.t.Fatal(err)
	}
	w.presses++
	w.stops[scope], w.pressed[scope] = w.presses, at
	if covers(scope, w.main.tool) {
		w.hit("stopped")
	} else {
		w.hit("frozen elsewhere")
	}
	for r, state := range states {
		switch {
		case !covers(scope, r.tool) || r.ended() || r.tampered != "":
		case state == approvals.Pending || state == approvals.Approved:
			r.stopped = true
			w.get(r)
		case state == approvals.Running:
			w.hit("stop held what ran")
			r.heldAt = true
		}
	}
}

// lift asks for a stop to be lifted; the votes come like all others.
func (w *world) lift() {
	for _, scope := range []string{approvals.ScopeAll, "response", "live_response", "devices"} {
		if w.stops[scope] != 0 {
			w.askToLift(scope)
			return
		}
	}
}

func (w *world) askToLift(scope string) *life {
	plan, err := w.kit().face.PlanLift(context.Background(), w.main.plan.Tenant, scope, "all clear")
	if err != nil {
		w.t.Fatalf("a stop that is in force can't be lifted: %v", err)
	}
	r := w.submit(plan, lab.Ann(), nil)
	if r != nil && r.press == 0 {
		r.press, r.scope = w.stops[scope], scope
	}
	return r
}
