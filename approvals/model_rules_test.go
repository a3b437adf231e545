package approvals_test

import (
	"slices"
	"testing"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
)

// The rules of the gate as the model knows them. Nothing here asks the gate's own code what is right: policies are said a
// second time as demands, and people are counted in the plainest way.

// demand is one thing that must be there before a request may run.
type demand struct {
	count    int
	groups   []string
	distinct bool
	// late is a group that counts as well from some time on; own asks for the requester's own yes and for nothing else.
	late  string
	after time.Duration
	own   bool
}

// answer is what a policy says of a request: no, or everything that it demands.
type answer struct {
	deny bool
	all  []demand
}

// rules are a policy: its file and what it means for tools; what it doesn't name is as in the default table.
type rules struct {
	name, file string
	tools      map[string]answer
	wave       approvals.Wave
}

func one(d demand) answer { return answer{all: []demand{d}} }

func of(count int, groups ...string) answer { return one(demand{count: count, groups: groups}) }

// defaultTable is the default policy with oncall as approvers.
func defaultTable() map[string]answer {
	return map[string]answer{
		"isolate_devices": of(1, "oncall"), "release_devices": of(1, "oncall"), "run_script": of(2, "oncall"),
		approvals.ToolLift: of(2, "oncall"), approvals.ToolResume: of(1, "oncall"), approvals.ToolExtend: of(1, "oncall"),
	}
}

func modelPolicies() []rules {
	const isolate = "rules:\n- {name: x, tools: [isolate_devices], "
	late := one(demand{count: 1, groups: []string{"leads"}, late: "oncall", after: 10 * time.Minute})
	return []rules{
		{name: "default"},
		{name: "two", file: isolate + "outcome: approve, count: 2}\n", tools: map[string]answer{"isolate_devices": of(2, "oncall")}},
		{name: "leads", file: isolate + "outcome: approve, count: 1, from: leads}\n", tools: map[string]answer{"isolate_devices": of(1, "leads")}},
		{
			name: "deny", file: "rules:\n- {name: x, tools: [isolate_devices, run_script], outcome: deny}\n",
			tools: map[string]answer{"isolate_devices": {deny: true}, "run_script": {deny: true}},
		},
		{name: "confirm", file: isolate + "outcome: confirm}\n", tools: map[string]answer{"isolate_devices": one(demand{own: true})}},
		{
			name: "distinct", file: isolate + "outcome: approve, count: 2, from: [oncall, leads], distinct_groups: true}\n",
			tools: map[string]answer{"isolate_devices": one(demand{count: 2, groups: []string{"oncall", "leads"}, distinct: true})},
		},
		{
			name: "escalation", file: isolate + "outcome: approve, count: 1, from: leads, escalate: [{after: 10m, to: oncall}]}\n",
			tools: map[string]answer{"isolate_devices": late},
		},
		{
			name: "waves", file: isolate + "outcome: approve, count: 1, waves: {width: 2, stop_over: 40, wait: 5m}}\n",
			wave: approvals.Wave{Width: 2, StopOver: 40, Wait: 5 * time.Minute},
		},
		{
			name: "strict waves", file: isolate + "outcome: approve, count: 1, waves: {width: 1, stop_over: 0, wait: 1s}}\n",
			wave: approvals.Wave{Width: 1, Wait: time.Second},
		},
	}
}

func (p rules) parse(t testing.TB) approvals.Policy {
	if p.file == "" {
		return lab.DefaultPolicy(t)
	}
	return lab.ParsePolicy(t, p.file)
}

// asks is what the policy demands of a request.
func (p rules) asks(r *life) answer {
	var joined answer
	var own []demand
	for _, tool := range r.tools() {
		a, ok := p.tools[tool]
		if !ok {
			a = defaultTable()[tool]
		}
		joined.deny = joined.deny || a.deny
		for _, d := range a.all {
			if d.own {
				joined.deny = joined.deny || !r.by.Verified || r.by.Via != approvals.ViaSlack
				own = append(own, d)
				continue
			}
			joined.all = append(joined.all, stricterFor(d, r.by.Verified)...)
		}
	}
	if len(joined.all) == 0 {
		joined.all = own // of a mixed call the stricter outcome counts
	}
	return joined
}

// stricterFor adds the further approver of a requester who was not proved.
func stricterFor(d demand, verified bool) []demand {
	if verified {
		return []demand{d}
	}
	more := d
	more.count++
	if !d.distinct {
		return []demand{more}
	}
	more.distinct = false
	return []demand{d, more}
}

// who is a name under which somebody votes, and the human behind it.
type who struct {
	person approvals.Person
	human  string
}

// voters are all names: two of bob, three of ann who asks, gus who may ask for the same, and mallory of no group.
func voters() map[string]who {
	all := map[string]who{}
	for _, name := range []string{"ann", "bob", "cat", "dan", "eve", "fay", "gus", "mallory"} {
		all[name] = who{lab.Person(name), name}
	}
	all["ANN"] = who{approvals.Person{ID: "ANN@Example.COM"}, "ann"}
	all["ann2"] = who{approvals.Person{ID: "ann2@example.com", Aliases: []string{"slack:t0001/uann"}}, "ann"}
	all["bob2"] = who{approvals.Person{ID: "bob2@example.com", Aliases: []string{approvals.SlackAlias("T0001", "UBOB")}}, "bob"}
	return all
}

// groups are who is in which group.
type groups map[string][]string

func firstGroups() groups {
	return groups{"oncall": {"bob", "bob2", "cat", "dan", "ann", "ANN", "ann2", "gus"}, "leads": {"eve", "fay", "ann"}}
}

func (g groups) clone() groups {
	c := groups{}
	for name, people := range g {
		c[name] = slices.Clone(people)
	}
	return c
}

// cast is a vote that was counted.
type cast struct {
	name, human string
	verdict     approvals.Verdict
	at          time.Time
	// was are the groups that the voter was in at that time.
	was []string
	// signed are the marks of groups that the vote itself names.
	signed []string
}

// met says whether the votes satisfy a demand when in says who is a member of what.
func (d demand) met(r *life, in func(v cast, group string) bool) bool {
	if d.own {
		return slices.ContainsFunc(r.votes, func(v cast) bool { return v.verdict == confirm && v.human == r.human })
	}
	var may [][]bool // a row for each person: the seats that they may take
	for _, v := range r.votes {
		if v.verdict != yes || v.human == r.human || slices.Contains(r.attached, v.human) {
			continue
		}
		var row []bool
		any := false
		for _, s := range d.seats(r, v.at) {
			ok := s != "" && in(v, s)
			row, any = append(row, ok), any || ok
		}
		if any {
			may = append(may, row)
		}
	}
	if d.distinct {
		return seated(may, 0, 0) >= d.count
	}
	return d.count > 0 && len(may) >= d.count
}

// seats are the groups that count for a vote of that time.
func (d demand) seats(r *life, at time.Time) []string {
	seats := slices.Clone(d.groups)
	if d.late != "" && !at.Before(r.created.Add(d.after)) {
		return append(seats, d.late)
	}
	return append(seats, "")
}

// seated is how many people can sit at once, tried out in full; taken is a set of seats.
func seated(may [][]bool, person int, taken uint) int {
	if person == len(may) {
		return 0
	}
	best := seated(may, person+1, taken)
	for s, ok := range may[person] {
		if ok && taken&(1<<s) == 0 {
			best = max(best, 1+seated(may, person+1, taken|1<<s))
		}
	}
	return best
}

// holds says whether everything that was asked when r was made and everything that is asked now is there.
func (r *life) holds(now answer, in func(v cast, group string) bool) bool {
	if now.deny {
		return false
	}
	for _, d := range append(slices.Clone(r.made.all), now.all...) {
		if !d.met(r, in) {
			return false
		}
	}
	return true
}

// wasSigned goes by what the vote says of itself.
func wasSigned(v cast, group string) bool { return slices.Contains(v.signed, "name:"+group) }

// isIn goes by the groups of a moment.
func (g groups) isIn(v cast, group string) bool { return slices.Contains(g[group], v.name) }

// blocked says whether waves keep a step from being sent: one of an earlier portion that has not ended, or too many of
// those that ended since people last said yes.
func blocked(w approvals.Wave, steps []approvals.StepStatus, step int, now, since time.Time) bool {
	if w.Width == 0 || len(steps) == 1 {
		return false
	}
	running, ended, bad := false, 0, 0
	var last time.Time
	for i, s := range steps {
		if i < step-step%w.Width {
			running = running || !s.State.Terminal()
			if s.SentAt.After(last) {
				last = s.SentAt
			}
		}
		if !s.State.Terminal() || s.State == approvals.StepSkipped || !since.IsZero() && !s.UpdatedAt.After(since) {
			continue
		}
		ended++
		if s.State != approvals.StepSucceeded {
			bad++
		}
	}
	if running && (w.Wait == 0 || now.Before(last.Add(w.Wait))) {
		return true
	}
	return bad*100 > w.StopOver*ended
}
