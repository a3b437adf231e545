package policy

import (
	"slices"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/mde-ops/mde-ops/approvals"
)

// settings are the keys that defaults and rules share.
func (f *file) settings(s *settings) map[string]func(ast.Node) {
	return map[string]func(ast.Node){
		"expires":      func(n ast.Node) { s.Expires = f.duration(n, "expires") },
		"start_before": func(n ast.Node) { s.StartBefore = f.duration(n, "start_before") },
		"max_targets":  func(n ast.Node) { s.MaxTargets = f.number(n, "max_targets", 1) },
		"remind_after": func(n ast.Node) { s.RemindAfter = f.duration(n, "remind_after") },
		"escalate":     func(n ast.Node) { s.Escalate = f.escalations(n) },
		"waves":        func(n ast.Node) { s.Wave = f.wave(n) },
		"reason": func(n ast.Node) {
			v, _ := scalar(n)
			if v != "required" && v != "optional" {
				f.fault(n, "reason must be required or optional, not %s", kind(n))
			}
			s.ReasonRequired = v != "optional"
		},
	}
}

func (f *file) escalations(n ast.Node) []approvals.Escalation {
	var out []approvals.Escalation
	for _, item := range f.list(n, "escalate") {
		var e approvals.Escalation
		at := map[string]ast.Node{}
		f.fields(item, "an escalation", noting(map[string]func(ast.Node){
			"after": func(n ast.Node) { e.After = f.duration(n, "after") },
			"to":    func(n ast.Node) { e.To = f.groupNamed(n, "to") },
		}, at))
		switch {
		case at["after"] == nil || at["to"] == nil:
			f.fault(item, "an escalation needs `after: 10m` and `to: group`")
		case len(out) > 0 && e.After <= out[len(out)-1].After:
			f.fault(at["after"], "the escalations must be in the order of their times")
		}
		out = append(out, e)
	}
	return out
}

// The tolerance and the wait of waves that don't say.
const (
	defaultStopOver = 20
	defaultWait     = 10 * time.Minute
)

func (f *file) wave(n ast.Node) approvals.Wave {
	w := approvals.Wave{StopOver: defaultStopOver, Wait: defaultWait}
	f.fields(n, "waves", map[string]func(ast.Node){
		"width": func(n ast.Node) { w.Width = f.number(n, "width", 1) },
		"stop_over": func(n ast.Node) {
			if w.StopOver = f.number(n, "stop_over", 0); w.StopOver > 100 {
				f.fault(n, "stop_over is a percentage: at most 100, not %s", kind(n))
			}
		},
		"wait": func(n ast.Node) { w.Wait = f.duration(n, "wait") },
	})
	if w.Width == 0 {
		f.fault(n, "waves need a width: how many devices at a time")
	}
	return w
}

// checkSettings finds what could never happen, where one of the keys says so itself.
func (f *file) checkSettings(s settings, at map[string]ast.Node) {
	if n := at["remind_after"]; n != nil && s.RemindAfter >= s.Expires && s.Expires > 0 {
		f.fault(n, "the reminder would come after the request has expired (%s)", short(s.Expires))
	}
	if n := at["escalate"]; n != nil && s.Expires > 0 {
		for _, e := range s.Escalate {
			if e.After >= s.Expires {
				f.fault(n, "the escalation after %s would come when the request has expired (%s)", short(e.After), short(s.Expires))
			}
		}
	}
}

func (f *file) readRule(n ast.Node) {
	r := rule{Settings: f.content.Defaults, at: placeOf(n.GetToken())}
	at := map[string]ast.Node{}
	fields := f.settings(&r.Settings)
	for key, read := range f.demand(&r.verdict) {
		fields[key] = read
	}
	for key, read := range map[string]func(ast.Node){
		"name":      func(n ast.Node) { r.Name = f.text(n, "name") },
		"tools":     func(n ast.Node) { r.Tools = append(r.Tools, f.tools(n)...) },
		"toolsets":  func(n ast.Node) { r.Tools = append(r.Tools, f.toolsets(n)...) },
		"risks":     func(n ast.Node) { r.Risks = f.risks(n) },
		"tags":      func(n ast.Node) { r.Tags = names(f.texts(n, "tags")) },
		"only_tags": func(n ast.Node) { r.OnlyTags = names(f.texts(n, "only_tags")) },
		"when":      func(n ast.Node) { r.When, r.cond = f.when(n) },
		"outcome":   func(n ast.Node) { r.Outcome = f.outcome(n) },
	} {
		fields[key] = read
	}
	before := len(f.faults)
	f.fields(n, "a rule", noting(fields, at))
	if name := at["name"]; name != nil {
		r.at = placeOf(name.GetToken())
	}
	f.checkRule(n, &r, at)
	f.checkSettings(r.Settings, at)
	if len(f.faults) == before {
		f.content.Rules = append(f.content.Rules, r)
	}
}

// demand are the keys that say who must approve, and why not.
func (f *file) demand(v *verdict) map[string]func(ast.Node) {
	return map[string]func(ast.Node){
		"count":           func(n ast.Node) { v.Count = f.number(n, "count", 1) },
		"from":            func(n ast.Node) { v.From, v.Or = f.from(n) },
		"distinct_groups": func(n ast.Node) { v.Distinct = f.yes(n, "distinct_groups") },
		"why":             func(n ast.Node) { v.Why = f.text(n, "why") },
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
		for _, key := range []string{"count", "from", "distinct_groups", "escalate"} {
			if at[key] != nil {
				f.fault(at[key], "%s belongs to outcome approve", key)
			}
		}
		return
	}
	f.checkQuorum(n, "the rule", &r.verdict, at)
}

// checkQuorum fills in what a demand leaves to the defaults, and refuses one that nobody can meet.
func (f *file) checkQuorum(n ast.Node, what string, v *verdict, at map[string]ast.Node) {
	if at["count"] == nil {
		v.Count = 1
	}
	if at["from"] == nil {
		v.From, v.Or = f.content.Approvers, f.content.Or
		if v.From.Empty() {
			f.fault(n, "%s says approve and not by whom; add `from`, or `from` in defaults", what)
		}
	}
	if v.Distinct && v.Count > 1+len(v.Or) {
		f.fault(at["distinct_groups"], "%s asks for %d people of distinct groups, and names %d groups", what, v.Count, 1+len(v.Or))
	}
	if n, ok := headcount(append([]approvals.Group{v.From}, v.Or...)); ok && n > 0 && n < v.Count {
		f.fault(at["count"], "%s asks for %d approvers of %q, which has %d people", what, v.Count, groupNames(v), n)
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

// toolsets reads names of toolsets as the tools that are in them.
func (f *file) toolsets(n ast.Node) []string {
	sets := map[string][]string{}
	for _, tool := range keys(f.known.Tools) {
		if set := f.known.Tools[tool].Toolset; set != "" {
			sets[set] = append(sets[set], tool)
		}
	}
	var out []string
	for _, e := range f.texts(n, "toolsets") {
		if sets[e.name] == nil {
			f.fault(e.value, "there is no toolset %q%s", clip(e.name), suggestion(e.name, keys(sets)))
		}
		out = append(out, sets[e.name]...)
	}
	return out
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
