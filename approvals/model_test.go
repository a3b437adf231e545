package approvals_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/ballot"
	"github.com/mde-ops/mde-ops/approvals/gate"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
	"github.com/mde-ops/mde-ops/approvals/worker"
)

// TestRandomLives feeds random commands to the real gate, ballot box and worker on a real database and compares what
// happens with a model that knows the rules only. A plain run takes 40 lives; -rapid.checks=N takes N.
func TestRandomLives(t *testing.T) {
	t.Parallel()
	l := lab.New(t, storetest.SQLite(t))
	kits := newKits(t, l)
	reached := map[string]int{}
	many := lives(t)
	rapid.Check(t, func(t *rapid.T) {
		l.Directory.Fail(nil)
		m := &model{l: l, kits: kits, members: map[string][]string{"oncall": nil, "leads": nil}, reached: reached}
		for group, people := range map[string][]string{"oncall": {"bob", "cat", "dan"}, "leads": {"eve", "fay"}} {
			for _, name := range []string{"ann", "bob", "cat", "eve"} {
				m.leave(group, name) // whoever joined in an earlier life
			}
			for _, name := range people {
				m.leave(group, name)
				m.join(group, name)
			}
		}
		m.submit(t)
		t.Repeat(map[string]func(*rapid.T){
			"":          m.check,
			"approve":   m.approve,
			"approve 2": m.approve,
			"approve 3": m.approve,
			"anybody":   m.anybody,
			"deny":      m.deny,
			"replay":    m.replay,
			"work":      m.work,
			"work 2":    m.work,
			"work 3":    m.work,
			"crash":     m.crash,
			"time":      m.time,
			"weather":   m.weather,
			"people":    m.people,
			"policy":    m.policy,
			"withdraw":  m.withdraw,
			"intruder":  m.intruder,
		})
		m.end(t)
	})
	require.NoError(t, storeIsSound(l))
	if !many {
		return // too few lives to have seen everything
	}
	for _, what := range []string{"quorum of two executed", "denied", "expired", "withdrawn", "tampered", "executed", "crashed"} {
		require.Positive(t, reached[what], "the generator never gets to %q: %v", what, reached)
	}
}

// lives makes a plain run short, because the database is real, and reports whether a long one was asked for.
func lives(t *testing.T) (many bool) {
	checks := flag.Lookup("rapid.checks")
	if checks.Value.String() == checks.DefValue {
		require.NoError(t, checks.Value.Set("40"))
		return false
	}
	return true
}

func storeIsSound(l *lab.Lab) error {
	report, err := l.Gate.VerifyAudit(ctx())
	if err != nil || report.Rows == 0 {
		return fmt.Errorf("the audit can't be verified: %w", err)
	}
	return nil
}

// kit is one process with one policy.
type kit struct {
	gate   *gate.Gate
	box    *ballot.Box
	worker *worker.Worker
	policy approvals.Policy
	// demand is what the policy asks for, said independently of it: a count and a group for each tool; none is a no.
	demand map[string]demand
}

type demand struct {
	count int
	group string
}

func newKits(t *testing.T, l *lab.Lab) []kit {
	var kits []kit
	for _, k := range []struct {
		p      approvals.Policy
		demand map[string]demand
	}{
		{lab.DefaultPolicy(t), map[string]demand{"isolate_devices": {1, "oncall"}, "run_script": {2, "oncall"}}},
		{
			lab.ParsePolicy(t, "rules:\n- {name: two, tools: [isolate_devices], outcome: approve, count: 2}\n"),
			map[string]demand{"isolate_devices": {2, "oncall"}, "run_script": {2, "oncall"}},
		},
		{
			lab.ParsePolicy(t, "rules:\n- {name: leads, tools: [isolate_devices], outcome: approve, count: 1, from: leads}\n"),
			map[string]demand{"isolate_devices": {1, "leads"}, "run_script": {2, "oncall"}},
		},
		{lab.ParsePolicy(t, "rules:\n- {name: stop, tools: [isolate_devices, run_script], outcome: deny}\n"), map[string]demand{}},
	} {
		l.Use(k.p)
		kits = append(kits, kit{l.Gate, l.Box, l.Worker, k.p, k.demand})
	}
	return kits
}

// model is one request's life as the rules want it.
type model struct {
	l       *lab.Lab
	kits    []kit
	now     int // the policy in force
	reached map[string]int

	id, tool         string
	made             demand
	created, decided time.Time
	votes            []string
	members          map[string][]string
	down             bool

	denied, withdrawn, approved, tampered bool
	final                                 *approvals.Request
	cast                                  *ballot.Ballot
	sent                                  int
}

func (m *model) join(group, name string) {
	m.l.Directory.Join(group, lab.Person(name))
	m.members[group] = append(m.members[group], name)
}

func (m *model) leave(group, name string) {
	m.l.Directory.Leave(group, lab.Person(name))
	m.members[group] = slices.DeleteFunc(m.members[group], func(x string) bool { return x == name })
}

func (m *model) submit(t *rapid.T) {
	m.now = rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, "policy")
	m.tool = rapid.SampledFrom([]string{"isolate_devices", "run_script"}).Draw(t, "tool")
	plan := lab.Plan(m.tool, rapid.IntRange(1, 3).Draw(t, "devices"))
	r, err := m.kits[m.now].gate.Submit(ctx(), gate.Submission{Plan: plan, Requester: lab.Ann()})
	if err != nil {
		t.Fatal(err)
	}
	m.id, m.made, m.created = r.ID, m.kits[m.now].demand[m.tool], r.CreatedAt
}

func (m *model) get(t *rapid.T) approvals.Request {
	r, err := m.l.DB.Request(ctx(), m.id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// meets says whether the votes satisfy a demand with today's members.
func (m *model) meets(d demand, votes []string) bool {
	n := 0
	for _, v := range votes {
		if slices.Contains(m.members[d.group], v) {
			n++
		}
	}
	return d.count > 0 && n >= d.count
}

// mayRun says whether a step may be sent now.
func (m *model) mayRun() bool {
	return !m.down && !m.denied && !m.withdrawn && !m.tampered && m.approved && m.final == nil &&
		m.meets(m.made, m.votes) && m.meets(m.kits[m.now].demand[m.tool], m.votes) &&
		m.l.Clock.Now().Before(m.decided.Add(m.limit()))
}

// limit is how long after the last vote something may be sent: longer once something was.
func (m *model) limit() time.Duration {
	if m.sent > 0 {
		return time.Hour
	}
	return 15 * time.Minute
}

// open says whether a vote can still be cast.
func (m *model) open() bool {
	return !m.denied && !m.withdrawn && !m.approved && !m.tampered && m.l.Clock.Now().Before(m.created.Add(30*time.Minute))
}

// hears says whether a person's vote counts now.
func (m *model) hears(name string) bool {
	asked := slices.Contains(m.members[m.made.group], name)
	if d, ok := m.kits[m.now].demand[m.tool]; ok {
		asked = asked || slices.Contains(m.members[d.group], name)
	}
	return m.open() && !m.down && name != "ann" && asked && !slices.Contains(m.votes, name)
}

func (m *model) vote(t *rapid.T, name string, v approvals.Verdict) {
	want := m.hears(name) && (v == no || m.kits[m.now].demand[m.tool].count > 0)
	m.reached["ballots"]++ // numbers the deliveries
	b := ballot.Ballot{RequestID: m.id, Digest: m.get(t).Digest, Voter: lab.Person(name), Verdict: v, Delivery: fmt.Sprint(m.reached["ballots"])}
	_, err := m.kits[m.now].box.Cast(ctx(), b)
	if (err == nil) != want {
		t.Fatalf("%s by %s: counted %v, the rules say %v (%v)", v, name, err == nil, want, err)
	}
	if err != nil {
		return
	}
	m.cast = &b
	if v == no {
		m.denied = true
		m.reached["denied"]++
		return
	}
	m.votes = append(m.votes, name)
	if m.meets(m.made, m.votes) && m.meets(m.kits[m.now].demand[m.tool], m.votes) {
		m.approved, m.decided = true, m.l.Clock.Now()
	}
	if got := m.get(t).State; (got == approvals.Approved) != m.approved {
		t.Fatalf("with votes of %v the request is %s", m.votes, got)
	}
}

func (m *model) approve(t *rapid.T) {
	m.vote(t, rapid.SampledFrom([]string{"bob", "cat", "dan", "eve", "fay"}).Draw(t, "who"), yes)
}

func (m *model) anybody(t *rapid.T) {
	who := rapid.SampledFrom([]string{"ann", "mallory", "bob"}).Draw(t, "who")
	m.vote(t, who, rapid.SampledFrom([]approvals.Verdict{yes, no}).Draw(t, "verdict"))
}

func (m *model) deny(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "rarely") == 0 {
		m.vote(t, rapid.SampledFrom([]string{"bob", "eve", "ann"}).Draw(t, "who"), no)
	}
}

func (m *model) replay(t *rapid.T) {
	if m.cast == nil {
		t.Skip("nothing was cast")
	}
	before := m.get(t)
	if _, err := m.kits[m.now].box.Cast(ctx(), *m.cast); err != nil {
		t.Fatalf("a redelivery is no fault: %v", err)
	}
	if after := m.get(t); after.Version != before.Version && after.State != approvals.Expired {
		t.Fatalf("a redelivery changed %v to %v", before, after)
	}
}

// run lets a worker take its turn and checks that it sent only what it may.
func (m *model) run(t *rapid.T, w *worker.Worker) {
	allowed, before := m.mayRun(), len(m.l.Tenant.Sends())
	for range 50 {
		again, err := handle(w, m.id)
		if err != nil {
			t.Fatal(err)
		}
		if again >= 0 {
			break
		}
	}
	sent := len(m.l.Tenant.Sends()) - before
	if sent > 0 && !allowed {
		t.Fatalf("%d writes were sent that may not be: %+v", sent, m)
	}
	m.sent += sent
	if sent > 0 {
		m.reached["executed"]++
		if m.made.count == 2 {
			m.reached["quorum of two executed"]++
		}
	}
}

func handle(w *worker.Worker, id string) (again time.Duration, err error) {
	defer func() {
		if p := recover(); p != nil && p != any("killed") {
			panic(p)
		}
	}()
	return w.Handle(ctx(), store.Job{Kind: store.Advance, RequestID: id})
}

func (m *model) work(t *rapid.T) { m.run(t, m.kits[m.now].worker) }

// dying is a performer whose process is killed in its first send, before or after the write arrived.
type dying struct {
	*lab.Tenant
	arrives bool
}

func (d dying) Apply(_ context.Context, t worker.Task) (worker.Receipt, error) {
	if d.arrives {
		_, _ = d.Tenant.Apply(ctx(), t)
	}
	panic("killed")
}

func (m *model) crash(t *rapid.T) {
	arrives := rapid.Bool().Draw(t, "the write arrives")
	before := m.get(t)
	m.run(t, m.l.NewWorker(m.kits[m.now].policy, dying{m.l.Tenant, arrives}))
	if marked(m.get(t)) > marked(before) {
		m.reached["crashed"]++
		m.sent = max(m.sent, 1)
	}
}

func marked(r approvals.Request) (n int) {
	for _, s := range r.Steps {
		n += s.Attempt
	}
	return n
}

func (m *model) time(t *rapid.T) {
	m.l.Clock.Advance(rapid.SampledFrom([]time.Duration{
		time.Second, 5 * time.Second, time.Minute, time.Minute, 6 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	}).Draw(t, "later"))
	if rapid.Bool().Draw(t, "actions end") {
		m.l.Tenant.End(rapid.SampledFrom([]string{"Succeeded", "Succeeded", "Failed"}).Draw(t, "as"))
	}
}

func (m *model) weather(t *rapid.T) {
	m.l.Tenant.Forecast(rapid.SampledFrom([]lab.Weather{lab.Fair, lab.AnswerLost, lab.Dropped, lab.Throttled, lab.Refusing}).Draw(t, "weather"))
}

func (m *model) people(t *rapid.T) {
	group := rapid.SampledFrom([]string{"oncall", "oncall", "leads"}).Draw(t, "group")
	name := rapid.SampledFrom([]string{"bob", "cat", "eve", "ann"}).Draw(t, "who")
	switch rapid.IntRange(0, 3).Draw(t, "what") {
	case 0:
		m.leave(group, name)
	case 1, 2:
		m.leave(group, name)
		m.join(group, name)
	case 3:
		m.down = !m.down
		var err error
		if m.down {
			err = errors.New("down")
		}
		m.l.Directory.Fail(err)
	}
}

func (m *model) policy(t *rapid.T) {
	m.now = rapid.SampledFrom([]int{0, 0, 0, 1, 2, 3}).Draw(t, "policy")
}

func (m *model) withdraw(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "rarely") != 0 {
		t.Skip("not now")
	}
	if _, err := m.kits[m.now].gate.Withdraw(ctx(), m.id, lab.Ann()); err == nil {
		m.withdrawn = true
		m.reached["withdrawn"]++
	}
}

// intruder writes a state straight into the database.
func (m *model) intruder(t *rapid.T) {
	if rapid.IntRange(0, 5).Draw(t, "rarely") != 0 || m.tampered {
		t.Skip("not now")
	}
	state := rapid.SampledFrom([]string{"approved", "running"}).Draw(t, "state")
	if r := m.get(t); string(r.State) == state {
		t.Skip("nothing to forge")
	}
	m.l.Write("UPDATE requests SET state = $1, decided_ms = $2, finished_ms = 0 WHERE id = $3", state, m.l.Clock.Now().UnixMilli(), m.id)
	m.tampered, m.final = true, nil
	m.reached["tampered"]++
}

// check holds after every command.
func (m *model) check(t *rapid.T) {
	r := m.get(t)
	effects := map[string]int{}
	for _, e := range m.l.Tenant.Of(m.id) {
		effects[e.Tag]++
		if effects[e.Tag] > 1 {
			t.Fatalf("%s took effect twice", e.Tag)
		}
		if e.Plan.Tool != m.tool || e.Step.Target != r.Plan.Steps[0].Target && len(r.Plan.Steps) == 1 {
			t.Fatalf("what ran is not what was shown: %+v", e)
		}
	}
	if m.final != nil && (r.State != m.final.State || r.Version != m.final.Version) {
		t.Fatalf("terminal is not final: %s became %s", m.final.State, r.State)
	}
	if r.State.Terminal() && m.final == nil {
		m.final = &r
		m.reached[string(r.State)]++
	}
	if m.denied && r.State != approvals.Denied && !m.tampered {
		t.Fatalf("denied, and yet %s", r.State)
	}
}

// end lets everything that is left come to its end, which it must.
func (m *model) end(t *rapid.T) {
	m.down = false
	m.l.Directory.Fail(nil)
	for range 40 {
		m.work(t)
		m.check(t)
		if _, err := m.kits[m.now].worker.Handle(ctx(), store.Job{Kind: store.Expire, RequestID: m.id}); err != nil {
			t.Fatal(err)
		}
		if m.get(t).State.Terminal() {
			return
		}
		m.l.Tenant.End("Succeeded")
		m.l.Clock.Advance(time.Minute)
	}
	t.Fatalf("stuck: %+v", m.get(t))
}
