package policy

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/mde-ops/mde-ops/approvals"
)

// Known is what a policy file may name.
type Known struct {
	// Tools are the tools that exist, with what they state of themselves.
	Tools map[string]approvals.ToolInfo
	// Approvers is the group used where the file names none; it may be empty.
	Approvers approvals.Group
}

// Parse reads a policy file:
//
//	version: 1
//	groups:
//	  oncall: {slack: S0123ABCD}
//	  leads: {people: [ana@example.com, ben@example.com]}
//	defaults: {from: oncall, expires: 30m, start_before: 15m, reason: required, max_targets: 100, unverified_extra: 1}
//	rules:
//	  - name: tier-0 needs two leads
//	    tags: [tier-0]
//	    outcome: approve
//	    count: 2
//	    from: leads
//
// Each target of a call is answered by the first rule that matches it, the default table coming last, and the strictest
// answer counts for the call: with every quorum that is asked for, the shortest times and the smallest cap. A rule
// matches by tools, risks, tags and only_tags; both of the last match a target that has one of them, and what allow and
// confirm let through has to be named by only_tags. The error is a *Faults with every fault of the file.
func Parse(name string, data []byte, known Known) (*Policy, error) {
	f := &file{known: known, groups: map[string]approvals.Group{}, content: content{
		Format: 1, Approvers: known.Approvers, Extra: defaultExtra, StartBefore: DefaultStartBefore,
		Defaults: settings{Expires: DefaultExpires, ReasonRequired: true, MaxTargets: DefaultMaxTargets},
	}}
	if root := f.root(data); root != nil {
		f.read(root)
	}
	if len(f.faults) > 0 {
		slices.SortStableFunc(f.faults, func(a, b Fault) int {
			if a.Line != b.Line {
				return a.Line - b.Line
			}
			return a.Column - b.Column
		})
		return nil, &Faults{Name: name, List: f.faults}
	}
	f.content.Rules = append(f.content.Rules, table(f.content.Approvers, f.content.Defaults)...)
	return seal(f.content)
}

// file is a policy file while it is read.
type file struct {
	reader
	known   Known
	groups  map[string]approvals.Group
	content content
}

// read takes the sections in the order in which they depend on each other, whatever their order in the file.
func (f *file) read(root ast.Node) {
	sections := map[string]ast.Node{}
	keep := func(name string) func(ast.Node) { return func(n ast.Node) { sections[name] = n } }
	f.fields(root, "the policy", map[string]func(ast.Node){
		"version": keep("version"), "groups": keep("groups"), "defaults": keep("defaults"), "rules": keep("rules"),
	})
	if n, ok := sections["version"]; !ok {
		f.fault(root, "the policy states no version; begin it with `version: 1`")
	} else if v, _ := scalar(n); v != "1" {
		f.fault(n, "version %s is not known here; this program reads version 1", kind(n))
	}
	if n, ok := sections["groups"]; ok {
		for _, e := range f.entries(n, "groups") {
			f.groups[e.name] = f.group(e)
		}
	}
	if n, ok := sections["defaults"]; ok {
		f.readDefaults(n)
	}
	if n, ok := sections["rules"]; ok {
		for _, item := range f.list(n, "rules") {
			f.readRule(item)
		}
	}
}

func (f *file) group(e entry) approvals.Group {
	g := approvals.Group{Name: f.text(e.key, "a group's name")}
	var empty bool
	f.fields(e.value, "group "+e.name, map[string]func(ast.Node){
		"slack": func(n ast.Node) {
			if g.Slack = f.text(n, "slack"); g.Slack != "" && !slackGroup(g.Slack) {
				f.fault(n, "%q is not the id of a Slack user group; it begins with S, as in S0123ABCD", g.Slack)
			}
			empty = g.Slack == ""
		},
		"people": func(n ast.Node) {
			g.People = f.people(n)
			empty = len(g.People) == 0
		},
	})
	switch {
	case empty: // already said
	case g.Empty():
		f.fault(e.key, "group %q is empty; give it `slack: S…` or `people: [a@example.com]`", e.name)
	case g.Slack != "" && len(g.People) > 0:
		f.fault(e.key, "group %q has both slack and people; use one", e.name)
	}
	return g
}

func (f *file) people(n ast.Node) []string {
	var out []string
	for _, e := range f.texts(n, "people") {
		id := strings.ToLower(e.name)
		switch {
		case !strings.Contains(id, "@") || strings.ContainsAny(id, " \t,;"):
			f.fault(e.value, "%q is not an e-mail address", clip(e.name))
		case slices.Contains(out, id):
			f.fault(e.value, "%q is listed twice; keep one", clip(e.name))
		default:
			out = append(out, id)
		}
	}
	return out
}

func slackGroup(id string) bool {
	return len(id) > 1 && id[0] == 'S' && strings.IndexFunc(id, func(c rune) bool {
		return (c < 'A' || c > 'Z') && (c < '0' || c > '9')
	}) < 0
}

func (f *file) readDefaults(n ast.Node) {
	fields := f.settings(&f.content.Defaults)
	fields["from"] = func(n ast.Node) { f.content.Approvers = f.from(n) }
	fields["start_before"] = func(n ast.Node) { f.content.StartBefore = f.duration(n, "start_before") }
	fields["unverified_extra"] = func(n ast.Node) { f.content.Extra = f.number(n, "unverified_extra", 1) }
	f.fields(n, "defaults", fields)
}

// settings are the keys that defaults and rules share.
func (f *file) settings(s *settings) map[string]func(ast.Node) {
	return map[string]func(ast.Node){
		"expires":     func(n ast.Node) { s.Expires = f.duration(n, "expires") },
		"max_targets": func(n ast.Node) { s.MaxTargets = f.number(n, "max_targets", 1) },
		"reason": func(n ast.Node) {
			v, _ := scalar(n)
			if v != "required" && v != "optional" {
				f.fault(n, "reason must be required or optional, not %s", kind(n))
			}
			s.ReasonRequired = v != "optional"
		},
	}
}

func (f *file) from(n ast.Node) approvals.Group {
	name := f.text(n, "from")
	if name == "" {
		return approvals.Group{}
	}
	g, ok := f.groups[name]
	if !ok {
		f.fault(n, "group %q is not defined%s", clip(name), suggestion(name, keys(f.groups)))
	}
	return g
}

func (f *file) readRule(n ast.Node) {
	r := rule{Settings: f.content.Defaults}
	at := map[string]ast.Node{}
	fields := f.settings(&r.Settings)
	for key, read := range map[string]func(ast.Node){
		"name":      func(n ast.Node) { r.Name = f.text(n, "name") },
		"tools":     func(n ast.Node) { r.Tools = f.tools(n) },
		"risks":     func(n ast.Node) { r.Risks = f.risks(n) },
		"tags":      func(n ast.Node) { r.Tags = names(f.texts(n, "tags")) },
		"only_tags": func(n ast.Node) { r.OnlyTags = names(f.texts(n, "only_tags")) },
		"outcome":   func(n ast.Node) { r.Outcome = f.outcome(n) },
		"count":     func(n ast.Node) { r.Count = f.number(n, "count", 1) },
		"from":      func(n ast.Node) { r.From = f.from(n) },
		"why":       func(n ast.Node) { r.Why = f.text(n, "why") },
	} {
		fields[key] = read
	}
	for key, read := range fields {
		fields[key] = func(n ast.Node) { at[key] = n; read(n) }
	}
	before := len(f.faults)
	f.fields(n, "a rule", fields)
	f.checkRule(n, &r, at)
	if len(f.faults) == before {
		f.content.Rules = append(f.content.Rules, r)
	}
}

// checkRule finds what is wrong between the keys of a rule.
func (f *file) checkRule(n ast.Node, r *rule, at map[string]ast.Node) {
	if at["name"] == nil {
		f.fault(n, "a rule has no name; name it, because refusals and cards show the name")
	} else if slices.ContainsFunc(f.content.Rules, func(o rule) bool { return o.Name == r.Name }) {
		f.fault(at["name"], "two rules are called %q; rename one", r.Name)
	}
	if at["outcome"] == nil {
		f.fault(n, "a rule has no outcome; it is allow, confirm, approve or deny")
		return
	}
	if at["tags"] != nil && (r.Outcome == approvals.Allow || r.Outcome == approvals.Confirm) {
		f.fault(at["tags"], "with outcome %s use only_tags: the targets without such a tag are answered by the rules that follow", r.Outcome)
	}
	if r.Outcome != approvals.Deny && at["why"] != nil {
		f.fault(at["why"], "why belongs to outcome deny")
	}
	if r.Outcome != approvals.Approve {
		for _, key := range []string{"count", "from"} {
			if at[key] != nil {
				f.fault(at[key], "%s belongs to outcome approve", key)
			}
		}
		return
	}
	f.checkQuorum(n, r, at)
}

func (f *file) checkQuorum(n ast.Node, r *rule, at map[string]ast.Node) {
	if at["count"] == nil {
		r.Count = 1
	}
	if at["from"] == nil {
		r.From = f.content.Approvers
		if r.From.Empty() {
			f.fault(n, "the rule says approve and not by whom; add `from`, or `from` in defaults")
		}
	}
	if people := len(r.From.People); people > 0 && people < r.Count {
		f.fault(n, "the rule asks for %d approvers of %q, which has %d people", r.Count, r.From.Name, people)
	}
}

func (f *file) tools(n ast.Node) []string {
	texts := f.texts(n, "tools")
	for _, e := range texts {
		if _, ok := f.known.Tools[e.name]; !ok {
			f.fault(e.value, "there is no tool %q%s", clip(e.name), suggestion(e.name, keys(f.known.Tools)))
		}
	}
	return names(texts)
}

func (f *file) risks(n ast.Node) []approvals.Risk {
	var out []approvals.Risk
	for _, e := range f.texts(n, "risks") {
		risk := approvals.Risk(e.name)
		if !risk.Valid() {
			f.fault(e.value, "there is no risk %q%s", clip(e.name), suggestion(e.name, riskNames()))
		}
		out = append(out, risk)
	}
	return out
}

func riskNames() []string {
	var out []string
	for _, r := range approvals.Risks() {
		out = append(out, string(r))
	}
	return out
}

func (f *file) outcome(n ast.Node) approvals.Outcome {
	v := f.text(n, "outcome")
	switch o := approvals.Outcome(v); o {
	case approvals.Allow, approvals.Confirm, approvals.Approve, approvals.Deny:
		return o
	}
	if v != "" {
		f.fault(n, "there is no outcome %q%s", clip(v), suggestion(v, []string{"allow", "approve", "confirm", "deny"}))
	}
	return approvals.Deny
}

func names(entries []entry) []string {
	out := make([]string, 0, len(entries))
	for _, e := range entries {
		out = append(out, e.name)
	}
	return out
}
