package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
)

// Result is how a case went.
type Result struct {
	Case Case
	// Got is the policy's answer; Explanation says how it came about.
	Got         approvals.Decision
	Explanation Explanation
	// Faults say what is not as wanted, or what the case names that the policy doesn't know; empty when all is well.
	Faults []string
}

// OK reports whether the policy answered as the case wants.
func (r Result) OK() bool { return len(r.Faults) == 0 }

// String is the result in words: one line when all is well; otherwise what was wanted, what came and why.
func (r Result) String() string {
	if r.OK() {
		return fmt.Sprintf("line %d: ok: %s: %s", r.Case.Line, r.Case.Name, Describe(r.Got))
	}
	return fmt.Sprintf("line %d: FAILED: %s\n  %s\n  want: %s\n  got:  %s\n  %s", r.Case.Line, r.Case.Name, strings.Join(r.Faults, "\n  "),
		r.Case.Want.String(), Describe(r.Got), strings.ReplaceAll(strings.TrimSpace(r.Explanation.String()), "\n", "\n  "))
}

// String is the wanted answer in words.
func (w Want) String() string {
	parts := []string{string(w.Outcome)}
	for _, q := range w.Quorums {
		parts = append(parts, fmt.Sprintf("by %d of %s", q.Count, strings.Join(q.From, " or ")))
	}
	if w.Rule != "" {
		parts = append(parts, fmt.Sprintf("(rule %q)", w.Rule))
	}
	if w.Why != "" {
		parts = append(parts, fmt.Sprintf("because of %q", w.Why))
	}
	return strings.Join(parts, " ")
}

// Try answers cases, in order, and compares the answers with what they want.
func (p *Policy) Try(cases []Case) []Result {
	out := make([]Result, len(cases))
	for i, c := range cases {
		out[i] = p.try(c)
	}
	return out
}

func (p *Policy) try(c Case) Result {
	r := Result{Case: c}
	fault := func(format string, args ...any) { r.Faults = append(r.Faults, fmt.Sprintf(format, args...)) }
	info, ok := p.tools[c.Call.Tool]
	if !ok {
		fault("there is no tool %q%s", clip(c.Call.Tool), suggestion(c.Call.Tool, keys(p.tools)))
		return r
	}
	for _, name := range c.Groups {
		if len(p.groups[name].People) == 0 {
			fault("the policy has no list %q%s", clip(name), suggestion(name, listNames(p.groups)))
		}
	}
	switch {
	case c.Call.Risk == "":
		c.Call.Risk = info.Risk
	case !info.States(c.Call.Risk):
		fault("plans of %s never have risk %q: a case may state one of %q, or none", c.Call.Tool, clip(string(c.Call.Risk)), info.Risks())
	}
	c.Call.Recent = p.counts(c, fault)
	s := &session{p: p, call: &c.Call, lists: c.Groups}
	r.Explanation.Decision = s.decide(&r.Explanation)
	r.Got = r.Explanation.Decision
	c.Want.compare(r.Got, fault)
	return r
}

// counts answers every window of the policy: what the case states, and 0 for the others.
func (p *Policy) counts(c Case, fault func(string, ...any)) approvals.Recent {
	recent := make(approvals.Recent, len(p.windows))
	for _, w := range p.windows {
		recent[w] = 0
	}
	for _, stated := range c.Recent {
		if _, ok := recent[stated.Window]; !ok {
			fault("line %d: the policy doesn't ask for this count", stated.Line)
			continue
		}
		recent[stated.Window] = stated.Count
	}
	return recent
}

func (w Want) compare(got approvals.Decision, fault func(string, ...any)) {
	if got.Outcome != w.Outcome {
		fault("the outcome is %s, not %s", got.Outcome, w.Outcome)
	}
	if w.Rule != "" && got.Rule != w.Rule {
		fault("the rule is %q, not %q", got.Rule, w.Rule)
	}
	if !strings.Contains(got.Why, w.Why) {
		fault("the reason does not say %q", w.Why)
	}
	if len(w.Quorums) == 0 || got.Outcome != w.Outcome {
		return
	}
	quorums := got.Quorums()
	if len(quorums) != len(w.Quorums) {
		fault("%d quorums have to be met, not %d", len(quorums), len(w.Quorums))
	}
	for _, want := range w.Quorums {
		if !slices.ContainsFunc(quorums, want.is) {
			fault("no quorum is %d of %s", want.Count, strings.Join(want.From, " or "))
		}
	}
}

// is compares a quorum with what is wanted of it; a count of 0 and no groups are not compared.
func (w WantQuorum) is(q approvals.Quorum) bool {
	names := []string{q.From.Name}
	for _, g := range q.Or {
		names = append(names, g.Name)
	}
	slices.Sort(names)
	return (w.Count == 0 || w.Count == q.Count) && (len(w.From) == 0 || slices.Equal(w.From, names))
}
