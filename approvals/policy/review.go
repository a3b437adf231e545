package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
)

// Severity says what a finding means.
type Severity string

// The severities of findings.
const (
	// SeverityError is what surely is not meant: a file that can't be read, or a rule that can never match.
	SeverityError Severity = "error"
	// SeverityWarning is what may be meant, and deserves a look.
	SeverityWarning Severity = "warning"
)

// Finding is something about a policy file that its author should know. Line and Column count from 1; both are 0 when it
// is about the whole file.
type Finding struct {
	Line, Column int
	Severity     Severity
	Text         string
}

// String is the finding in one line: line:column: severity: text.
func (f Finding) String() string {
	if f.Line == 0 {
		return string(f.Severity) + ": " + f.Text
	}
	return fmt.Sprintf("%d:%d: %s: %s", f.Line, f.Column, f.Severity, f.Text)
}

// Review reads a policy file as Parse does, and looks for what Parse lets pass and surely or perhaps is not meant: rules
// that can never match, tools that nobody could approve, groups too small for what they are asked. The policy is nil when
// Parse would refuse the file; a program starts with every other one, whatever the findings. They are in the order of the
// file.
func Review(name string, data []byte, k Known) (*Policy, []Finding) {
	f := newFile(k)
	if root := f.root(data); root != nil {
		f.read(root)
	}
	v := &review{file: f}
	for _, x := range f.faults {
		v.found = append(v.found, Finding{x.Line, x.Column, SeverityError, x.Text})
	}
	var p *Policy
	if len(f.faults) == 0 {
		var err error
		if p, err = f.policy(); err != nil {
			v.say(place{}, SeverityError, "%s: %v", name, err)
		} else {
			v.p = p
			v.look()
		}
	}
	slices.SortStableFunc(v.found, func(a, b Finding) int {
		return byPlace(Fault{Line: a.Line, Column: a.Column}, Fault{Line: b.Line, Column: b.Column})
	})
	return p, v.found
}

// review is the looking through a file that can be read.
type review struct {
	*file
	p     *Policy
	found []Finding
	// forms are the conditions of the file's rules, taken apart.
	forms []form
}

func (v *review) say(at place, s Severity, format string, args ...any) {
	v.found = append(v.found, Finding{at.line, at.column, s, fmt.Sprintf(format, args...)})
}

func (v *review) look() {
	rules := v.content.Rules
	for i := range rules {
		v.forms = append(v.forms, v.take(&rules[i]))
	}
	for i := range rules {
		if v.canMatch(i) {
			v.shadows(i)
		}
		v.loose(&rules[i])
		v.times(&rules[i])
		v.verdict(rules[i].at, fmt.Sprintf("rule %q", rules[i].Name), &rules[i].verdict, rules[i].Settings)
	}
	for i := range v.content.Protect {
		v.verdict(v.at["protect"], fmt.Sprintf("protect %q", v.content.Protect[i].Name), &v.content.Protect[i].Then, settings{})
	}
	for i := range v.content.Quiet {
		v.verdict(v.at["quiet_hours"], "quiet_hours", &v.content.Quiet[i].Then, settings{})
	}
	for i := range v.content.Blast {
		v.verdict(v.at["limits"], "blast_radius", &v.content.Blast[i].Then, settings{})
	}
	v.table()
	v.unusedGroups()
}

// toolsOf are the tools that the rule is about, by name.
func (v *review) toolsOf(r *rule) []string {
	return toolNames(v.callsOf(r))
}

// calls are a call of every tool with every risk that plans of it may state, by name.
func (v *review) calls() []approvals.Call {
	var out []approvals.Call
	for _, name := range keys(v.known.Tools) {
		for _, risk := range v.known.Tools[name].Risks() {
			out = append(out, approvals.Call{Tool: name, Risk: risk})
		}
	}
	return out
}

// callsOf are those that the rule is about.
func (v *review) callsOf(r *rule) []approvals.Call {
	return slices.DeleteFunc(v.calls(), func(c approvals.Call) bool { return r.covers(&c) != matched })
}

// toolNames are the tools of calls, each once.
func toolNames(calls []approvals.Call) []string {
	var out []string
	for _, c := range calls {
		out = append(out, c.Tool)
	}
	return slices.Compact(out)
}

// canMatch reports whether anything could match the rule by itself.
func (v *review) canMatch(i int) bool {
	r, form := &v.content.Rules[i], &v.forms[i]
	if form.never != "" {
		v.say(r.at, SeverityError, "rule %q can never match: %s", r.Name, form.never)
		return false
	}
	if form.always {
		v.say(r.at, SeverityWarning, "the condition of rule %q always holds; leave it out", r.Name)
	}
	if len(v.known.Tools) == 0 {
		return true
	}
	tools := v.toolsOf(r)
	about := len(r.Tags)+len(r.OnlyTags) > 0 || r.cond != nil && r.cond.perTarget
	through := func(t string) bool { return v.known.Tools[t].Through }
	switch {
	case slices.ContainsFunc(r.Tools, through) && !slices.ContainsFunc(tools, func(t string) bool { return !through(t) }):
		v.say(r.at, SeverityError, "rule %q can never match: %s is asked as the tool that it makes a plan of, such as release_devices; name that", r.Name, strings.Join(r.Tools, ", "))
		return false
	case slices.ContainsFunc(r.Tools, through):
		v.say(r.at, SeverityWarning, "rule %q never matches calls of a tool that makes plans of other tools: policy is asked about those", r.Name)
	case about && len(tools) > 0 && !slices.ContainsFunc(tools, func(t string) bool { return v.known.Tools[t].Risk != approvals.RiskRead }):
		v.say(r.at, SeverityError, "rule %q can never match: it is about targets, and reading calls (%s) have none", r.Name, strings.Join(tools, ", "))
		return false
	case len(tools) == 0 && len(r.Tools) > 0:
		v.say(r.at, SeverityError, "rule %q can never match: none of its tools (%s) has one of its risks", r.Name, v.withRisks(r.Tools))
		return false
	case len(tools) == 0:
		v.say(r.at, SeverityWarning, "rule %q matches nothing: no tool of this version has one of its risks", r.Name)
		return false
	case len(tools) < len(r.Tools):
		left := slices.DeleteFunc(slices.Clone(r.Tools), func(t string) bool { return slices.Contains(tools, t) })
		v.say(r.at, SeverityWarning, "rule %q never matches %s: the risk is none of the rule's", r.Name, v.withRisks(left))
	}
	if !slices.ContainsFunc(v.callsOf(r), form.mayBe) {
		v.say(r.at, SeverityError, "rule %q can never match: its condition asks for another tool or risk than the rule is for", r.Name)
		return false
	}
	return true
}

func (v *review) withRisks(tools []string) string {
	var out []string
	for _, t := range tools {
		for _, risk := range v.known.Tools[t].Risks() {
			out = append(out, fmt.Sprintf("%s: %s", t, risk))
		}
	}
	return strings.Join(out, ", ")
}

// shadows looks for earlier rules that answer everything first.
func (v *review) shadows(i int) {
	r := &v.content.Rules[i]
	left, by := v.callsOf(r), []string{}
	left = slices.DeleteFunc(left, func(c approvals.Call) bool { return !v.forms[i].mayBe(c) })
	all := len(left)
	for j := range i {
		e := &v.content.Rules[j]
		if len(left) == 0 || !v.implies(i, j) {
			continue
		}
		before := len(left)
		left = slices.DeleteFunc(left, func(c approvals.Call) bool { return e.covers(&c) == matched })
		if len(left) < before {
			by = append(by, fmt.Sprintf("%q", e.Name))
		}
	}
	switch {
	case all > 0 && len(left) == 0:
		v.say(r.at, SeverityError, "rule %q can never match: %s before it matches at least as much; put the narrower rule first", r.Name, strings.Join(by, " and "))
	case len(left) < all && len(r.Tools) > 0:
		gone := slices.DeleteFunc(v.toolsOf(r), func(t string) bool { return slices.Contains(toolNames(left), t) })
		if len(gone) == 0 {
			return // one of the risks of a tool is left
		}
		v.say(r.at, SeverityWarning, "rule %q never matches %s: %s before it matches at least as much", r.Name, strings.Join(gone, ", "), strings.Join(by, " and "))
	}
}

// implies reports whether a target that meets rule i's tags and condition meets those of rule j too.
func (v *review) implies(i, j int) bool {
	r, e := &v.content.Rules[i], &v.content.Rules[j]
	for _, wanted := range [][]string{e.Tags, e.OnlyTags} {
		if len(wanted) == 0 {
			continue
		}
		within := func(tags []string) bool {
			return len(tags) > 0 && !slices.ContainsFunc(tags, func(t string) bool { return !hasAny([]string{t}, wanted) })
		}
		if !within(r.Tags) && !within(r.OnlyTags) {
			return false
		}
	}
	return v.forms[j].impliedBy(&v.forms[i])
}

// loose names what would run without anybody's yes and can't be taken back.
func (v *review) loose(r *rule) {
	if r.Outcome != approvals.Allow || len(r.OnlyTags) > 0 || r.When != "" {
		return
	}
	var out []approvals.Call
	for _, c := range v.callsOf(r) {
		switch c.Risk {
		case approvals.RiskExecute, approvals.RiskDestroy, approvals.RiskOff:
			out = append(out, c)
		default: // milder
		}
	}
	if len(out) > 0 {
		v.say(r.at, SeverityWarning, "rule %q lets %s run on every device without anybody's yes", r.Name, strings.Join(toolNames(out), ", "))
	}
}

// times names what a rule takes from the defaults and would come too late for it.
func (v *review) times(r *rule) {
	if r.Outcome != approvals.Approve {
		return
	}
	if s := r.Settings; s.RemindAfter >= s.Expires {
		v.say(r.at, SeverityWarning, "rule %q expires (%s) before its approvers are reminded (%s)", r.Name, short(s.Expires), short(s.RemindAfter))
	}
	for _, e := range r.Settings.Escalate {
		if e.After >= r.Settings.Expires {
			v.say(r.at, SeverityWarning, "rule %q expires (%s) before it is escalated to %s (%s)", r.Name, short(r.Settings.Expires), e.To.Name, short(e.After))
		}
	}
}

// table looks at what the default table answers where no rule of the file does so for certain.
func (v *review) table() {
	var nobody, seen []string
	for _, c := range v.calls() {
		r := v.lastly(&c)
		switch {
		case v.known.Tools[c.Tool].Through:
		case r == nil || slices.Contains(seen, r.Name):
		case r.Outcome == approvals.Deny && r.Why == noGroup:
			nobody = append(nobody, c.Tool)
		default:
			seen = append(seen, r.Name)
			v.verdict(v.at["defaults"], fmt.Sprintf("the default table for risk %s", r.Risks[0]), &r.verdict, r.Settings)
		}
	}
	if len(nobody) > 0 {
		v.say(place{1, 1}, SeverityWarning, "nobody can approve %s where no rule says otherwise, so that is denied: name a group in defaults.from, or set MDE_APPROVER_GROUP",
			strings.Join(slices.Compact(nobody), ", "))
	}
}

// lastly is the rule of the default table that a call may reach, and nil when a rule of the file answers it whatever its
// targets are.
func (v *review) lastly(c *approvals.Call) *rule {
	for i := range v.p.content.Rules {
		r := &v.p.content.Rules[i]
		if r.covers(c) != matched {
			continue
		}
		if i >= len(v.content.Rules) {
			return r
		}
		if len(r.Tags)+len(r.OnlyTags) == 0 && r.cond == nil {
			return nil
		}
	}
	return nil
}

func (v *review) unusedGroups() {
	used := map[string]bool{}
	note := func(v *verdict, s settings) {
		for _, g := range (approvals.Quorum{From: v.From, Or: v.Or, Then: s.Escalate}).Groups() {
			used[g.Name] = true
		}
	}
	for i := range v.p.content.Rules {
		note(&v.p.content.Rules[i].verdict, v.p.content.Rules[i].Settings)
		for _, name := range v.listsIn(v.p.content.Rules[i].cond) {
			used[name] = true
		}
	}
	for i := range v.content.Protect {
		note(&v.content.Protect[i].Then, settings{})
	}
	for i := range v.content.Quiet {
		note(&v.content.Quiet[i].Then, settings{})
	}
	for i := range v.content.Blast {
		note(&v.content.Blast[i].Then, settings{})
	}
	if b := v.content.BreakGlass; b != nil {
		for _, g := range b.Tell {
			used[g.Name] = true
		}
	}
	for _, name := range keys(v.groups) {
		if !used[name] && name != v.content.Approvers.Name {
			v.say(v.groupAt[name], SeverityWarning, "group %q is asked nowhere", name)
		}
	}
}
