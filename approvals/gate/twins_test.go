package gate_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/gate"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
)

// by is a verified requester of the lab.
func by(name string) approvals.Requester {
	return approvals.Requester{Person: lab.Person(name), Verified: true, Via: approvals.ViaMCP, Agent: "an assistant"}
}

func ask(l *lab.Lab, p approvals.Plan, who approvals.Requester) (approvals.Request, error) {
	return l.Gate.Submit(ctx(), gate.Submission{Plan: p, Requester: who})
}

// refusals are the details of the audit rows of what was refused.
func refusals(t *testing.T, l *lab.Lab) (all []string) {
	t.Helper()
	events, err := l.DB.Events(ctx(), store.Query{})
	require.NoError(t, err)
	for _, e := range events {
		if e.Type == approvals.EventRefused {
			all = append(all, e.Actor+" "+e.Detail)
		}
	}
	return all
}

func TestWhoAsksForTheSameJoinsTheOpenRequest(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		plan := lab.Plan("isolate_devices", 2)
		r := l.Submit(plan)
		plan.Reason, plan.Preview, plan.Warnings = "other words", "other words", []string{"other words"}
		for range 2 {
			again, err := ask(l, plan, by("ann"))
			require.NoError(t, err)
			require.Equal(t, r, again, "the same person asks nobody twice")
		}
		alias := by("ann")
		alias.ID = "ann.other@example.com" // with ann's Slack name
		again, err := ask(l, plan, alias)
		require.NoError(t, err)
		require.Empty(t, again.Attached)

		for range 2 {
			again, err = ask(l, plan, by("bob"))
			require.NoError(t, err)
			require.Equal(t, r.ID, again.ID)
			require.Equal(t, []approvals.Person{lab.Person("bob")}, again.Attached)
			require.Equal(t, r.Version+1, again.Version)
			require.NoError(t, approvals.Genuine(again), "what was asked for first is what is approved")
		}
		events, err := l.DB.Events(ctx(), store.Query{RequestID: r.ID})
		require.NoError(t, err)
		require.Len(t, events, 2)
		require.Equal(t, approvals.EventAttached, events[1].Type)
		require.Equal(t, "bob@example.com", events[1].Actor)

		unproved := approvals.Requester{Person: approvals.Person{ID: "cat@example.com"}, Via: approvals.ViaMCP}
		_, err = ask(l, plan, unproved)
		lab.Kind(t, approvals.KindConflict, err)
		require.ErrorContains(t, err, r.ID)
		require.Len(t, refusals(t, l), 1)
		unproved.ID = "ann@example.com"
		again, err = ask(l, plan, unproved)
		require.NoError(t, err)
		require.Equal(t, r.ID, again.ID)
		l.Verified()
	})
}

func TestWhoHasVotedDoesNotJoin(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		plan := lab.Plan("isolate_devices", 1)
		r := l.Submit(plan)
		l.Approve(r.ID, "bob")
		_, err := ask(l, plan, by("bob"))
		lab.Kind(t, approvals.KindConflict, err)
		require.ErrorContains(t, err, "you have voted on it")
		require.Contains(t, strings.Join(refusals(t, l), "\n"), r.ID)
		got, err := ask(l, plan, by("cat"))
		require.NoError(t, err)
		require.Equal(t, r.ID, got.ID, "what is approved is open too")
		require.Equal(t, approvals.Succeeded, l.Settle(r.ID).State)
		got, err = ask(l, plan, by("cat"))
		require.NoError(t, err)
		require.NotEqual(t, r.ID, got.ID, "what has ended can be asked for again")
		l.Verified()
	})
}

func TestWhatIsOverOrAlteredIsNoTwin(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		plan, other := lab.Plan("isolate_devices", 1), lab.Plan("isolate_devices", 1)
		overdue := l.Submit(plan)
		l.Clock.Advance(31 * time.Minute)
		r := l.Submit(plan)
		require.NotEqual(t, overdue.ID, r.ID, "nobody can approve it any more")
		again := l.Submit(plan)
		require.Equal(t, r.ID, again.ID, "an overdue twin does not hide an open one")

		// A key that somebody wrote leads at worst to a second question.
		l.Write("UPDATE requests SET plan_key = $1 WHERE id = $2", other.Key(), r.ID)
		foreign := l.Submit(other)
		require.NotEqual(t, r.ID, foreign.ID, "the plan counts, not the key in the row")
		altered := lab.Plan("isolate_devices", 1)
		spoilt := l.Submit(altered)
		l.Write("UPDATE requests SET requester = REPLACE(requester, 'ann', 'eve') WHERE id = $1", spoilt.ID)
		require.NotEqual(t, spoilt.ID, l.Submit(altered).ID)
		broken := lab.Plan("isolate_devices", 1)
		unread := l.Submit(broken)
		l.Write("UPDATE requests SET quorum = '{' WHERE id = $1", unread.ID)
		require.NotEqual(t, unread.ID, l.Submit(broken).ID)
	})
}

// rivals are gates on handles of their own, as of so many processes.
func rivals(t *testing.T, l *lab.Lab, p approvals.Policy, n int) []*gate.Gate {
	t.Helper()
	all := make([]*gate.Gate, n)
	for i := range all {
		db := storetest.Open(t, l.URL, store.Options{Clock: l.Clock.Now})
		var err error
		all[i], err = gate.New(gate.Options{Store: db, Policy: p, Tools: lab.Tools(), Clock: l.Clock.Now, Logger: lab.Quiet()})
		require.NoError(t, err)
		t.Cleanup(all[i].Close)
	}
	return all
}

func TestProcessesThatAskAtOnceAskOnce(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		gates := rivals(t, l, l.Policy, 3)
		for range 4 {
			plan := lab.Plan("isolate_devices", 1)
			ids := make([]string, 9)
			errs := make([]error, 9)
			var all sync.WaitGroup
			for i := range ids {
				all.Go(func() {
					var r approvals.Request
					r, errs[i] = gates[i%3].Submit(ctx(), gate.Submission{Plan: plan, Requester: by(fmt.Sprintf("asker%d", i%4))})
					ids[i] = r.ID
				})
			}
			all.Wait()
			for i := range ids {
				require.NoError(t, errs[i])
				require.Equal(t, ids[0], ids[i])
			}
			require.Len(t, l.Get(ids[0]).Attached, 3)
		}
		l.Verified()
	})
}

// limited is a policy with limits.
type limited struct {
	approvals.Policy
	limits approvals.Limits
}

func (p limited) Limits() approvals.Limits { return p.limits }

// tagging lets everybody set tags and asks one approver for all else.
func tagging(t *testing.T) approvals.Policy {
	return lab.ParsePolicy(t, "rules:\n- {name: tags, risks: [annotate], outcome: allow}\n- {name: all, outcome: approve, count: 1}\n")
}

func TestAPersonKeepsOnlySoManyWaiting(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		l.Use(limited{tagging(t), approvals.Limits{Pending: 2}})
		one, two := l.Submit(lab.Plan("isolate_devices", 1)), l.Submit(lab.Plan("isolate_devices", 1))
		alias := by("ann")
		alias.ID = "ann.other@example.com"
		for _, who := range []approvals.Requester{lab.Ann(), by("ann"), alias} {
			_, err := ask(l, lab.Plan("isolate_devices", 1), who)
			lab.Kind(t, approvals.KindDenied, err)
			require.ErrorContains(t, err, "2 requests waiting")
			require.ErrorContains(t, err, "2026-03-01 12:30:00 UTC")
		}
		require.Len(t, refusals(t, l), 3)
		_, err := ask(l, lab.Plan("isolate_devices", 1), by("bob"))
		require.NoError(t, err, "others are not limited by it")
		allowed, err := ask(l, lab.Plan("tag_devices", 1), by("ann"))
		require.NoError(t, err, "nor is what waits for nobody")
		require.Equal(t, approvals.Approved, allowed.State)
		l.Approve(one.ID, "bob")
		l.Submit(lab.Plan("isolate_devices", 1))
		_, err = l.Gate.Withdraw(ctx(), two.ID, lab.Ann())
		require.NoError(t, err)
		l.Submit(lab.Plan("isolate_devices", 1))
		l.Clock.Advance(30 * time.Minute)
		l.Submit(lab.Plan("isolate_devices", 1)) // what is overdue waits for nobody
		l.Verified()
	})
}

func TestProcessesTogetherKeepTheLimit(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		gates := rivals(t, l, limited{l.Policy, approvals.Limits{Pending: 3}}, 3)
		errs := make([]error, 9)
		var all sync.WaitGroup
		for i := range errs {
			plan := lab.Plan("isolate_devices", 1)
			all.Go(func() { _, errs[i] = gates[i%3].Submit(ctx(), gate.Submission{Plan: plan, Requester: lab.Ann()}) })
		}
		all.Wait()
		let := 0
		for _, err := range errs {
			if err == nil {
				let++
				continue
			}
			lab.Kind(t, approvals.KindDenied, err)
		}
		require.Equal(t, 3, let)
	})
}

func TestANoIsNotAskedAgainAtOnce(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		l.Use(limited{l.Policy, approvals.Limits{CoolDown: 10 * time.Minute}})
		plan := lab.Plan("isolate_devices", 1)
		r := l.Submit(plan)
		require.NoError(t, l.Cast(r.ID, lab.Person("bob"), approvals.VerdictDeny))
		for _, who := range []string{"ann", "dan"} {
			_, err := ask(l, plan, by(who))
			lab.Kind(t, approvals.KindDenied, err)
			require.ErrorContains(t, err, "ask again after 2026-03-01 12:10:00 UTC")
			require.ErrorContains(t, err, "denied by bob@example.com")
		}
		l.Submit(lab.Plan("isolate_devices", 1)) // another plan
		l.Clock.Advance(10*time.Minute - time.Millisecond)
		_, err := ask(l, plan, by("ann"))
		lab.Kind(t, approvals.KindDenied, err)
		l.Clock.Advance(time.Millisecond)
		require.NotEqual(t, r.ID, l.Submit(plan).ID)

		other := lab.Plan("isolate_devices", 1)
		l.Write("UPDATE requests SET plan_key = $1 WHERE id = $2", other.Key(), r.ID)
		l.Write("UPDATE requests SET finished_ms = $1 WHERE id = $2", l.Clock.Now().UnixMilli(), r.ID)
		l.Submit(other) // a key that somebody wrote stands in nobody's way
	})
}

func TestWhoWasDeniedThriceWaits(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		l.Use(limited{tagging(t), approvals.Limits{CoolDown: 20 * time.Minute}})
		deny := func() {
			r := l.Submit(lab.Plan("isolate_devices", 1))
			require.NoError(t, l.Cast(r.ID, lab.Person("bob"), approvals.VerdictDeny))
		}
		deny()
		l.Clock.Advance(time.Hour + time.Millisecond)
		deny()
		deny()
		l.Submit(lab.Plan("isolate_devices", 1)) // the first no is more than an hour ago
		l.Clock.Advance(30 * time.Minute)
		deny()
		_, err := ask(l, lab.Plan("run_script", 1), by("ann"))
		lab.Kind(t, approvals.KindDenied, err)
		require.ErrorContains(t, err, "ask again after 2026-03-01 13:50:00 UTC")
		_, err = ask(l, lab.Plan("tag_devices", 1), by("ann"))
		require.NoError(t, err)
		_, err = ask(l, lab.Plan("run_script", 1), by("dan"))
		require.NoError(t, err)
		l.Clock.Advance(20 * time.Minute)
		l.Submit(lab.Plan("run_script", 1))
		l.Verified()
	})
}

// press writes a stop as the switches do.
func press(t *testing.T, db *store.DB, kind, detail string) {
	t.Helper()
	require.NoError(t, db.InTx(ctx(), func(tx *store.Tx) error {
		if err := tx.LockSubmissions(ctx()); err != nil {
			return err
		}
		return tx.Note(ctx(), approvals.Event{Type: kind, Actor: "eve@example.com", Step: -1, Detail: detail})
	}))
}

func TestWhileStoppedNothingIsLetInButTheLift(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		press(t, l.DB, approvals.EventStopped, "response: the wrong hosts")
		_, err := ask(l, lab.Plan("isolate_devices", 1), by("ann"))
		lab.Kind(t, approvals.KindHeld, err)
		require.ErrorContains(t, err, "the wrong hosts")
		require.Len(t, refusals(t, l), 1)
		l.Submit(lab.Plan("run_script", 1)) // of another toolset
		press(t, l.DB, approvals.EventStopped, "all: ransomware drill")
		for _, tool := range []string{"run_script", "tag_devices", "resume_request"} {
			_, err = ask(l, lab.Plan(tool, 1), by("ann"))
			lab.Kind(t, approvals.KindHeld, err)
		}
		unproved := lab.Ann()
		unproved.Verified = false
		for _, who := range []approvals.Requester{by("ann"), unproved} {
			_, err = ask(l, lab.Plan("lift_stop", 1), who)
			lab.Kind(t, approvals.KindDenied, err)
			require.ErrorContains(t, err, "Slack only")
		}
		require.Equal(t, approvals.Pending, l.Submit(lab.Plan("lift_stop", 1)).State)
		l.Verified()
	})
}

// pressing is a policy during whose answer somebody presses the switch.
type pressing struct {
	approvals.Policy
	press func()
}

func (p pressing) Decide(c approvals.Call) approvals.Decision {
	p.press()
	return p.Policy.Decide(c)
}

func TestAStopThatComesMeanwhileHolds(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		var once sync.Once
		l.Use(pressing{l.Policy, func() {
			once.Do(func() { press(t, l.DB, approvals.EventStopped, "all: just now") })
		}})
		_, err := ask(l, lab.Plan("isolate_devices", 1), by("ann"))
		lab.Kind(t, approvals.KindHeld, err)
		list, err := l.Gate.List(ctx(), store.Filter{})
		require.NoError(t, err)
		require.Empty(t, list)
	})
}

func TestAPlanSaysOfItsToolsWhatTheyAre(t *testing.T) {
	l := lab.New(t, storetest.SQLite(t))
	for want, spoil := range map[string]func(*approvals.Plan){
		"there is no tool \"wipe_devices\"": func(p *approvals.Plan) { p.Tool = "wipe_devices" },
		"and the tool says \"contain\"":     func(p *approvals.Plan) { p.Risk = approvals.RiskAnnotate },
		"and the tool says \"expose\"": func(p *approvals.Plan) {
			p.TimeBox = &approvals.TimeBox{For: time.Hour, Tool: "release_devices", Risk: approvals.RiskContain}
		},
	} {
		p := lab.Plan("isolate_devices", 1)
		spoil(&p)
		_, err := ask(l, p, by("ann"))
		lab.Kind(t, approvals.KindInvalid, err)
		require.ErrorContains(t, err, want)
	}
	require.Len(t, refusals(t, l), 3)
}

// emergency is a policy that answers as if the call had been made by break-glass.
type emergency struct{ approvals.Policy }

func (p emergency) Decide(c approvals.Call) approvals.Decision {
	d := p.Policy.Decide(c)
	d.Outcome, d.Terms.BreakGlass = approvals.Confirm, true
	return d
}

func TestAnEmergencyIsNotSubmitted(t *testing.T) {
	l := lab.New(t, storetest.SQLite(t))
	l.Use(emergency{l.Policy})
	_, err := ask(l, lab.Plan("isolate_devices", 1), lab.Ann())
	lab.Kind(t, approvals.KindDenied, err)
	require.ErrorContains(t, err, "Slack dialog")
}

func TestAPolicyIsNotedOnceUntilItChanges(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		gates := rivals(t, l, l.Policy, 3)
		errs := make([]error, 9)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() { errs[i] = gates[i%3].NotePolicy(ctx(), fmt.Sprintf("face%d", i)) })
		}
		all.Wait()
		for _, err := range errs {
			require.NoError(t, err)
		}
		first := l.Policy.Digest()
		other := lab.ParsePolicy(t, "rules: [{name: all, outcome: approve, count: 2}]")
		l.Use(other)
		require.NoError(t, l.Gate.NotePolicy(ctx(), "worker"))
		require.NoError(t, l.Gate.NotePolicy(ctx(), "worker"))
		require.NoError(t, gates[0].NotePolicy(ctx(), "mcp"))
		marks, err := l.DB.Marks(ctx(), []string{approvals.EventPolicy}, 0)
		require.NoError(t, err)
		var said []string
		for _, e := range marks {
			digest, _, _ := strings.Cut(e.Detail, ": ")
			said = append(said, digest)
		}
		require.Equal(t, []string{first, other.Digest(), first}, said)
		require.Equal(t, other.Digest()+": worker works with it, in place of "+first, marks[1].Detail)
		l.Verified()
	})
}

// jobs are the kinds and nonces of a request's jobs, with the seconds from now at which they are due, in order.
func jobs(t *testing.T, l *lab.Lab, id string) (all []string) {
	t.Helper()
	raw := storetest.Raw(t, l.URL)
	column := "CAST(args AS TEXT)"
	if strings.HasPrefix(l.URL, "sqlite:") {
		column = "json(args)"
	}
	rows, err := raw.QueryContext(ctx(), "SELECT kind, "+column+" FROM river_job ORDER BY id")
	require.NoError(t, err)
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var kind, args string
		require.NoError(t, rows.Scan(&kind, &args))
		job := jobArgs(t, args)
		if job.RequestID != id {
			continue
		}
		in := time.Duration(0)
		if job.NotBefore > 0 {
			in = time.Until(time.UnixMilli(job.NotBefore)).Round(time.Minute)
		}
		all = append(all, fmt.Sprintf("%s %s %s", kind, job.Nonce, in))
	}
	require.NoError(t, rows.Err())
	slices.Sort(all)
	return all
}

func TestARequestBringsItsClocks(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		late := approvals.Escalation{After: 40 * time.Minute, To: lab.Leads()}
		policy := escalating{Policy: tagging(t), then: []approvals.Escalation{{After: 15 * time.Minute, To: lab.Leads()}, late}, remind: 5 * time.Minute}
		l.Use(policy)
		r := l.Submit(lab.Plan("isolate_devices", 1))
		require.Equal(t, []string{
			"advance  0s", "expire  30m0s", "notify escalate-900000 15m0s", "notify remind 5m0s", "notify submitted 0s",
		}, jobs(t, l, r.ID), "and nothing for what comes after its end")
		allowed := l.Submit(lab.Plan("tag_devices", 1))
		require.Equal(t, []string{"advance  0s", "notify submitted 0s"}, jobs(t, l, allowed.ID))
		policy.then, policy.remind = nil, 40*time.Minute
		l.Use(policy)
		r = l.Submit(lab.Plan("isolate_devices", 2))
		require.Equal(t, []string{"advance  0s", "expire  30m0s", "notify submitted 0s"}, jobs(t, l, r.ID))
	})
}

// escalating is a policy that reminds after some time and asks further groups.
type escalating struct {
	approvals.Policy
	then   []approvals.Escalation
	remind time.Duration
}

func (p escalating) Decide(c approvals.Call) approvals.Decision {
	d := p.Policy.Decide(c)
	d.Quorum.Then, d.Terms.RemindAfter = p.then, p.remind
	return d
}

// stored is what a job's row says.
type stored struct {
	RequestID string `json:"request_id"`
	Nonce     string `json:"nonce"`
	NotBefore int64  `json:"not_before_ms"`
}

func jobArgs(t *testing.T, text string) (s stored) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text), &s))
	return s
}
