package approvals_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/ballot"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
)

// world is one life with everything that belongs to it: a request, and those that lift, resume, extend and release.
type world struct {
	b       *bench
	t       *rapid.T
	now     int // the policy in force
	members groups
	down    bool
	lag     time.Duration
	// stops are the presses in force: the number of the last one for each scope.
	stops   map[string]int
	pressed map[string]time.Time
	presses int
	main    *life
	reqs    map[string]*life
	order   []*life
	last    *ballot.Ballot
	reached map[string]int
	frames  []frame
	// meanwhile happens, once, when so many look-ups more were asked for; in the middle of somebody's vote or work.
	meanwhile func()
	lookups   int
	// sending happens, once, between the mark of a step and its write. dies says where the process is killed.
	sending func()
	dies    string
	// depth counts how deep one command happens in the midst of another.
	depth int
	// looked says that the main request was read since the last check.
	looked bool
	// regrouped and repoliced say that groups or the policy changed since the main request was approved.
	regrouped, repoliced bool
	foreign              map[string]bool
}

// frame is what was so when a worker began.
type frame struct {
	kit     int
	members groups
	down    bool
	at      time.Time
}

// life is one request as the rules want it.
type life struct {
	id, tool  string
	plan      approvals.Plan
	by        approvals.Requester
	human     string
	made      answer
	wave      approvals.Wave
	created   time.Time
	votes     []cast
	attached  []string
	approved  bool
	decided   time.Time
	denied    bool
	withdrawn bool
	stopped   bool
	tampered  string
	final     *approvals.Request
	// sent are the steps whose write may have arrived; succeeded are when steps did.
	sent      map[int]bool
	succeeded map[int]time.Time
	// extra are the extensions of the time-box, resumed the last vote for going on.
	extra   time.Duration
	resumed time.Time
	// parent is set for releases, press for lifts, about for resumptions and extensions.
	parent, about *life
	press         int
	scope         string
	paused, lived bool
	heldAt        bool
}

func (r *life) tools() []string {
	tools := []string{r.tool}
	if r.tool == approvals.ToolResume || r.tool == approvals.ToolExtend {
		tools = append(tools, r.about.tools()...)
	}
	if r.plan.TimeBox != nil {
		tools = append(tools, r.plan.TimeBox.Tool)
	}
	return tools
}

// start is the later of the request and its last vote.
func (r *life) start() time.Time {
	at := r.created
	for _, v := range r.votes {
		if v.at.After(at) {
			at = v.at
		}
	}
	return at
}

func (r *life) ended() bool {
	return r.final != nil || r.denied || r.withdrawn || r.stopped
}

func newWorld(b *bench) *world {
	b.lives++
	w := &world{
		b: b, members: firstGroups(), stops: map[string]int{}, pressed: map[string]time.Time{}, reqs: map[string]*life{}, foreign: map[string]bool{},
		reached: map[string]int{"lives": 1},
	}
	b.life = w
	l := b.l
	l.Clock.Advance(b.high.Sub(l.Clock.Now()) + 3*time.Hour)
	l.Directory.Fail(nil)
	l.Tenant.Lag(0)
	l.Tenant.Clear()
	w.regroup()
	w.clock()
	return w
}

func (w *world) hit(what string) { w.reached[what]++ }

func (w *world) kit() *kit { return &w.b.kits[w.now] }

func (w *world) clock() time.Time {
	now := w.b.l.Clock.Now()
	if now.After(w.b.high) {
		w.b.high = now
	}
	return now
}

func (w *world) regroup() {
	people, all := map[string][]approvals.Person{}, voters()
	for group, names := range w.members {
		for _, name := range names {
			people[group] = append(people[group], all[name].person)
		}
	}
	w.b.l.Directory.Regroup(people)
}

// asked is called at every look-up of the directory.
func (w *world) asked() {
	if w.dies == "asking" {
		w.dies = ""
		panic("killed")
	}
	if w.meanwhile == nil {
		return
	}
	if w.lookups--; w.lookups < 0 {
		w.interrupt(&w.meanwhile)
	}
}

func (w *world) interrupt(what *func()) {
	fn := *what
	*what = nil
	if fn == nil {
		return
	}
	w.depth++
	dies := w.dies
	w.dies = ""
	fn()
	w.dies = dies
	w.depth--
}

// get reads a request and holds what is stored of it to the rules.
func (w *world) get(r *life) approvals.Request {
	w.looked = w.looked || r == w.main
	got, err := w.b.l.DB.Request(context.Background(), r.id)
	if err != nil {
		w.t.Fatal(err)
	}
	if r.final != nil && (got.State != r.final.State || got.Version != r.final.Version) && r.tampered == "" {
		w.t.Fatalf("terminal is not final: %s became %s", r.final.State, got.State)
	}
	if r.tampered != "" {
		return got
	}
	switch {
	case r.denied && got.State != approvals.Denied:
		w.t.Fatalf("denied, and yet %s", got.State)
	case r.stopped && got.State != approvals.Cancelled:
		w.t.Fatalf("stopped, and yet %s", got.State)
	case got.State == approvals.Denied && !r.denied:
		w.t.Fatalf("nobody denied it: %s", got.Message)
	case !r.approved && r.parent == nil && !slices.Contains([]approvals.State{approvals.Pending, approvals.Denied, approvals.Expired, approvals.Cancelled}, got.State):
		w.t.Fatalf("not approved, and yet %s: %s", got.State, r)
	case r.approved && got.State == approvals.Pending:
		w.t.Fatalf("approved with %+v, and yet pending", r.votes)
	}
	if got.State.Terminal() && r.final == nil {
		r.final = &got
		if r == w.main {
			w.hit(string(got.State))
		}
	}
	return got
}

// submit asks for a plan, which must be let in exactly when the rules say so, and returns nil when it was not.
func (w *world) submit(plan approvals.Plan, by approvals.Requester, about *life) *life {
	k := w.kit()
	r := &life{tool: plan.Tool, plan: plan, by: by, human: "ann", about: about, sent: map[int]bool{}, succeeded: map[int]time.Time{}}
	r.made = k.asks(r)
	if r.tool == "isolate_devices" {
		r.wave = k.wave
	}
	got, err := k.gate.Submit(context.Background(), gateSubmission(plan, by))
	want := !r.made.deny && !w.heldTool(r.tool)
	if (err == nil) != want {
		w.t.Fatalf("%s of %s: let in %v, the rules say %v (%v)", r.tool, by.ID, err == nil, want, err)
	}
	if err != nil {
		w.hit("refused at once")
		return nil
	}
	if known := w.reqs[got.ID]; known != nil {
		return known
	}
	r.plan = got.Plan
	w.track(r, got)
	return r
}

func (w *world) track(r *life, got approvals.Request) {
	r.id, r.created = got.ID, got.CreatedAt
	if w.main == nil {
		w.main = r
	}
	w.reqs[r.id] = r
	w.order = append(w.order, r)
}

// covers reports whether a stop of that name holds a tool.
func covers(scope, tool string) bool {
	return tool != approvals.ToolLift && (scope == approvals.ScopeAll || scope == lab.Tools()[tool].Toolset)
}

func (w *world) heldTool(tool string) bool {
	for scope := range w.stops {
		if covers(scope, tool) {
			return true
		}
	}
	return false
}

// maybe is a third answer.
const (
	never = iota
	must
	maybe
)

// hears says whether a vote counts now.
func (w *world) hears(r *life, name string, v approvals.Verdict) int {
	if r.approved || r.ended() || r.tampered != "" || r.parent != nil {
		return never
	}
	now := w.clock()
	if now.Before(r.created) || !now.Before(r.created.Add(30*time.Minute)) {
		return never
	}
	return w.entitled(r, name, v, w.kit().asks(r))
}

// entitled says whether a person's vote counts, whenever it is cast.
func (w *world) entitled(r *life, name string, v approvals.Verdict, today answer) int {
	human := voters()[name].human
	if slices.ContainsFunc(r.votes, func(c cast) bool { return c.human == human }) {
		return never
	}
	demands := append(slices.Clone(r.made.all), today.all...)
	if today.deny {
		if v != no {
			return never
		}
		demands = r.made.all
	}
	owns := slices.ContainsFunc(demands, func(d demand) bool { return d.own })
	if today.deny {
		owns = slices.ContainsFunc(r.made.all, func(d demand) bool { return d.own })
	}
	switch {
	case human == r.human:
		if v == yes || !owns {
			return never
		}
		if w.down {
			return maybe // whether anybody else has to be looked up depends on who has voted
		}
		return must
	case v == confirm, slices.Contains(r.attached, human), w.down:
		return never
	}
	for _, d := range demands {
		for _, s := range d.seats(r, w.clock()) {
			if slices.Contains(w.members[s], name) {
				return must
			}
		}
		if v == no && d.late != "" && slices.Contains(w.members[d.late], name) {
			return must
		}
	}
	return never
}

// vote casts a ballot, which must count exactly when the rules say so. When something happens in its midst the rules may
// be those before or those after, but whether the request is still open is decided at its end.
func (w *world) vote(r *life, name string, v approvals.Verdict) {
	interrupted := w.meanwhile != nil
	digest := w.get(r).Digest
	before, policy, members := w.hears(r, name, v), w.now, w.members.clone()
	w.b.deliveries++
	in := ballot.Ballot{RequestID: r.id, Digest: digest, Voter: voters()[name].person, Verdict: v, Delivery: fmt.Sprint(w.b.deliveries)}
	err := w.cast(in)
	w.meanwhile = nil
	if errors.Is(err, errKilled) {
		w.hit("crashed in a vote")
		w.get(r)
		return
	}
	today := w.now
	w.now = policy // the box's own, whatever others use by now
	want := w.hears(r, name, v)
	if interrupted && want == never && before != never && !w.late(r) {
		want = maybe
	} else if interrupted && want == must && before == never {
		want = maybe
	}
	if interrupted && err != nil && want == must {
		want = maybe
	}
	if want != maybe && (err == nil) != (want == must) {
		w.t.Fatalf("%s by %s on %s (%s): counted %v, the rules say %v (%v) %s", v, name, r.id, w.kit().name, err == nil, want == must, err, r)
	}
	if err == nil {
		w.counted(r, name, v, in, interrupted, members)
	} else if slices.Contains(r.attached, voters()[name].human) {
		w.hit("attached person voted")
	}
	w.now = today
}

// late says that a request can't be voted on any more, whoever wants to.
func (w *world) late(r *life) bool {
	return r.approved || r.ended() || r.tampered != "" || !w.clock().Before(r.created.Add(30*time.Minute))
}

var errKilled = errors.New("killed")

func (w *world) cast(in ballot.Ballot) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if p != any("killed") {
				panic(p)
			}
			err = errKilled
		}
	}()
	_, err = w.kit().box.Cast(context.Background(), in)
	return err
}

func (w *world) counted(r *life, name string, v approvals.Verdict, in ballot.Ballot, interrupted bool, before groups) {
	w.last = &in
	if v == no {
		r.denied = true
		w.hit("denied")
		w.get(r)
		return
	}
	got, err := w.b.l.DB.Request(context.Background(), r.id)
	if err != nil {
		w.t.Fatal(err)
	}
	c := cast{name: name, human: voters()[name].human, verdict: v}
	for _, stored := range got.Votes {
		if stored.Voter.ID == in.Voter.ID {
			c.at = stored.At // what happened meanwhile may have moved the clock
			c.signed = stored.Groups
		}
	}
	for group, names := range w.members {
		if slices.Contains(names, name) {
			c.was = append(c.was, group)
		}
	}
	for _, d := range r.made.all {
		if d.late != "" && slices.Contains(c.was, d.late) && !slices.Contains(c.was, d.groups[0]) {
			w.hit("escalated vote counted")
		}
	}
	r.votes = append(r.votes, c)
	if w.depth > 0 {
		w.hit("two approvers at once")
	}
	today := w.kit().asks(r)
	holds := r.holds(today, w.members.isIn)
	if interrupted && holds != r.holds(today, before.isIn) {
		holds = got.State != approvals.Pending // both would be right
	}
	if holds && r.holds(today, wasSigned) { // who joined a group after their vote doesn't count for it
		r.approved, r.decided = true, c.at
		if r == w.main {
			w.regrouped, w.repoliced = false, false
		}
	}
	w.get(r)
}
