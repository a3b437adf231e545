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
//	  approvers: {role: Approver}
//	defaults: {from: oncall, expires: 30m, start_before: 15m, reason: required, max_targets: 100, unverified_extra: 1}
//	hours: {zone: Europe/Berlin, days: [mon, tue, wed, thu, fri], from: "08:00", to: "18:00"}
//	rules:
//	  - name: tier-0 needs two leads
//	    when: '"tier-0" in target.tags || target.value == "High"'
//	    outcome: approve
//	    count: 2
//	    from: leads
//	quiet_hours: {zone: Europe/Berlin, from: "22:00", to: "06:00", then: {count: 2, from: leads}}
//	limits: {pending: 5, cool_down: 15m, blast_radius: [{risks: [contain], window: 1h, targets: 5, then: {count: 2}}]}
//	protect: [{name: domain controllers, tags: [dc], then: {count: 2, from: leads}}]
//	never_block: {domains: [example.com], ips: [192.0.2.0/24], hashes: []}
//	break_glass: {people: [U0123ABCD], tools: [isolate_devices], tell: [leads]}
//
// Each target of a call is answered by the first rule that matches it, the default table coming last, and the strictest
// answer counts for the call: with every quorum that is asked for, the shortest times and the smallest cap. A rule
// matches by tools, risks, tags, only_tags and when; both tags match a target that has one of them, and what allow and
// confirm let through by tags has to be named by only_tags. The other sections only ever ask for more.
//
// `when` is an expression in CEL over tool, risk, args, target, targets, requester, time and recent("1h"). It is checked
// against these here. The error is a *Faults with every fault of the file.
func Parse(name string, data []byte, known Known) (*Policy, error) {
	f := newFile(known)
	if root := f.root(data); root != nil {
		f.read(root)
	}
	if len(f.faults) > 0 {
		slices.SortStableFunc(f.faults, byPlace)
		return nil, &Faults{Name: name, List: f.faults}
	}
	return f.policy()
}

func byPlace(a, b Fault) int {
	if a.Line != b.Line {
		return a.Line - b.Line
	}
	return a.Column - b.Column
}

// file is a policy file while it is read.
type file struct {
	reader
	known   Known
	groups  map[string]approvals.Group
	content content
	// cel is nil until a rule has a condition.
	cel *compiler
	// at and groupAt are the places of sections and groups.
	at, groupAt map[string]place
}

func newFile(known Known) *file {
	return &file{known: known, groups: map[string]approvals.Group{}, at: map[string]place{}, groupAt: map[string]place{}, content: content{
		Format: 1, Approvers: known.Approvers, Extra: defaultExtra,
		Defaults: settings{
			Expires: DefaultExpires, StartBefore: DefaultStartBefore, ReasonRequired: true, MaxTargets: DefaultMaxTargets,
		},
	}}
}

// policy makes a policy of a file without faults.
func (f *file) policy() (*Policy, error) {
	p := &Policy{content: f.content, tools: f.known.Tools, groups: f.groups}
	p.content.Rules = append(p.content.Rules, table(p.content)...)
	for _, name := range listNames(f.groups) {
		p.content.Lists = append(p.content.Lists, f.groups[name])
	}
	if f.cel != nil {
		p.windows = slices.Clone(f.cel.windows) // first, because their indexes stand in the conditions
	}
	for i := range p.content.Blast {
		for _, w := range p.content.Blast[i].windows() {
			if !slices.Contains(p.windows, w) {
				p.windows = append(p.windows, w)
			}
		}
	}
	return seal(p)
}

// read takes the sections in the order in which they depend on each other, whatever their order in the file.
func (f *file) read(root ast.Node) {
	sections, known := map[string]ast.Node{}, map[string]func(ast.Node){}
	readers := []struct {
		name string
		read func(ast.Node)
	}{
		{"version", f.version},
		{"groups", func(n ast.Node) {
			for _, e := range f.entries(n, "groups") {
				f.groups[e.name] = f.group(e)
				f.groupAt[e.name] = placeOf(e.key.GetToken())
			}
		}},
		{"hours", func(n ast.Node) { f.content.Hours = f.hours(n) }},
		{"defaults", f.readDefaults},
		{"rules", func(n ast.Node) {
			for _, item := range f.list(n, "rules") {
				f.readRule(item)
			}
		}},
		{"quiet_hours", f.readQuiet},
		{"limits", f.readLimits},
		{"protect", f.readProtect},
		{"never_block", f.readNever},
		{"break_glass", f.readBreakGlass},
	}
	for _, r := range readers {
		known[r.name] = func(n ast.Node) { sections[r.name] = n }
	}
	f.fields(root, "the policy", known)
	if sections["version"] == nil {
		f.fault(root, "the policy states no version; begin it with `version: 1`")
	}
	for _, r := range readers {
		if n, ok := sections[r.name]; ok {
			f.at[r.name] = placeOf(n.GetToken())
			r.read(n)
		}
	}
}

func (f *file) version(n ast.Node) {
	if v, _ := scalar(n); v != "1" {
		f.fault(n, "version %s is not known here; this program reads version 1", kind(n))
	}
}

func (f *file) group(e entry) approvals.Group {
	g := approvals.Group{Name: f.text(e.key, "a group's name")}
	empty, given := false, 0
	is := func(read func(ast.Node) bool) func(ast.Node) {
		return func(n ast.Node) {
			given++
			empty = !read(n) || empty
		}
	}
	f.fields(e.value, "group "+e.name, map[string]func(ast.Node){
		"slack": is(func(n ast.Node) bool {
			if g.Slack = f.text(n, "slack"); g.Slack != "" && !slackID(g.Slack, "S") {
				f.fault(n, "%q is not the id of a Slack user group; it begins with S, as in S0123ABCD", g.Slack)
			}
			return g.Slack != ""
		}),
		"people": is(func(n ast.Node) bool {
			g.People = f.people(n)
			return len(g.People) > 0
		}),
		"role": is(func(n ast.Node) bool {
			if g.Role = f.text(n, "role"); strings.ContainsAny(g.Role, " \t") {
				f.fault(n, "%q is not the value of an app role, which has no spaces; it is not its display name", clip(g.Role))
			}
			return g.Role != ""
		}),
	})
	switch {
	case empty: // already said
	case given == 0:
		f.fault(e.key, "group %q is empty; give it `slack: S…`, `people: [a@example.com]` or `role: …`", e.name)
	case g.Slack != "" && len(g.People) > 0 && g.Role == "":
		f.fault(e.key, "group %q has both slack and people; use one", e.name)
	case given > 1:
		f.fault(e.key, "group %q has several of slack, people and role; use one", e.name)
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

// slackID reports whether id looks like an id of Slack that begins with one of the letters.
func slackID(id, letters string) bool {
	return len(id) > 1 && strings.IndexByte(letters, id[0]) >= 0 && strings.IndexFunc(id, func(c rune) bool {
		return (c < 'A' || c > 'Z') && (c < '0' || c > '9')
	}) < 0
}

func (f *file) readDefaults(n ast.Node) {
	at := map[string]ast.Node{}
	fields := f.settings(&f.content.Defaults)
	fields["from"] = func(n ast.Node) { f.content.Approvers, f.content.Or = f.from(n) }
	fields["unverified_extra"] = func(n ast.Node) { f.content.Extra = f.number(n, "unverified_extra", 1) }
	f.fields(n, "defaults", noting(fields, at))
	f.checkSettings(f.content.Defaults, at)
}

// noting also keeps the nodes, for checks between keys.
func noting(fields map[string]func(ast.Node), at map[string]ast.Node) map[string]func(ast.Node) {
	for key, read := range fields {
		fields[key] = func(n ast.Node) { at[key] = n; read(n) }
	}
	return fields
}

// from reads one group, or a list of groups whose people all count.
func (f *file) from(n ast.Node) (first approvals.Group, or []approvals.Group) {
	nodes := []ast.Node{n}
	if list, ok := n.(*ast.SequenceNode); ok {
		if nodes = list.Values; len(nodes) == 0 {
			f.fault(n, "from is empty; name a group")
		}
	}
	var all []approvals.Group
	for _, n := range nodes {
		g := f.groupNamed(n, "from")
		if g.Name != "" && slices.ContainsFunc(all, func(o approvals.Group) bool { return o.Name == g.Name }) {
			f.fault(n, "group %q is named twice; keep one", g.Name)
		}
		all = append(all, g)
	}
	if len(all) == 0 {
		return approvals.Group{}, nil
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return all[0], all[1:]
}

func (f *file) groupNamed(n ast.Node, what string) approvals.Group {
	name := f.text(n, what)
	if name == "" {
		return approvals.Group{}
	}
	g, ok := f.groups[name]
	if !ok {
		f.fault(n, "group %q is not defined%s", clip(name), suggestion(name, keys(f.groups)))
	}
	return g
}

func names(entries []entry) []string {
	out := make([]string, 0, len(entries))
	for _, e := range entries {
		out = append(out, e.name)
	}
	return out
}
