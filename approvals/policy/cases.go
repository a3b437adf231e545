package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/mde-ops/mde-ops/approvals"
)

// Case is a call with the answer that its author expects of a policy.
type Case struct {
	// Line is where it begins in its file.
	Line int
	Name string
	// Call has no counts, and a risk only where the case states one: Try fills them in.
	Call approvals.Call
	// Groups are lists of the policy that the requester is taken to be in.
	Groups []string
	// Recent are the counts that the case states; all others are 0.
	Recent []RecentCase
	Want   Want
}

// RecentCase states how many targets were acted on lately.
type RecentCase struct {
	Line   int
	Window approvals.Window
	Count  int
}

// Want is the expected answer. Nil and empty fields are not compared.
type Want struct {
	Outcome approvals.Outcome
	Rule    string
	// Why is part of the reason of a no.
	Why string
	// Quorums are all that must be met, in any order.
	Quorums []WantQuorum
}

// WantQuorum is one expected quorum: how many, of which groups.
type WantQuorum struct {
	Count int
	From  []string
}

// maxCases bounds a file of cases.
const maxCases = 1000

// ReadCases reads a file of cases for Try:
//
//	cases:
//	  - name: a domain controller needs two leads
//	    tool: isolate_devices
//	    args: {isolation_type: Full}
//	    targets: [{id: d1, tags: [tier-0], value: High}]
//	    requester: {id: ana@example.com, groups: [leads], via: slack, verified: true}
//	    at: 2026-03-02T10:00:00Z
//	    recent: [{window: 1h, risk: contain, count: 5}]
//	    want: {outcome: approve, rule: tier-0, count: 2, from: leads}
//
// Everything but tool and want may be left out: the requester is then a verified person in Slack. The expected answer
// may have further quorums in `also: [{count: 1, from: leads}]`. The error is a *Faults with every fault of the file.
func ReadCases(name string, data []byte) ([]Case, error) {
	r := &caseReader{}
	var cases []Case
	if root := r.root(data); root != nil {
		r.fields(root, "a file of cases", map[string]func(ast.Node){"cases": func(n ast.Node) {
			for _, item := range r.list(n, "cases") {
				cases = append(cases, r.read(item, cases))
			}
		}})
		if len(cases) == 0 && len(r.faults) == 0 {
			r.fault(root, "the file has no cases; begin it with `cases:`")
		}
		if len(cases) > maxCases {
			r.fault(root, "the file has %d cases, more than %d; split it", len(cases), maxCases)
		}
	}
	if len(r.faults) > 0 {
		slices.SortStableFunc(r.faults, byPlace)
		return nil, &Faults{Name: name, List: r.faults}
	}
	return cases, nil
}

type caseReader struct{ reader }

func (r *caseReader) read(n ast.Node, before []Case) Case {
	c := Case{Line: placeOf(n.GetToken()).line, Call: approvals.Call{Requester: approvals.Requester{
		Person: approvals.Person{ID: "somebody@example.com"}, Verified: true, Via: approvals.ViaSlack,
	}}}
	at := map[string]ast.Node{}
	r.fields(n, "a case", noting(map[string]func(ast.Node){
		"name":        func(n ast.Node) { c.Name = r.text(n, "name") },
		"tool":        func(n ast.Node) { c.Call.Tool = r.text(n, "tool") },
		"risk":        func(n ast.Node) { c.Call.Risk = approvals.Risk(r.text(n, "risk")) },
		"args":        func(n ast.Node) { c.Call.Args = r.args(n) },
		"targets":     func(n ast.Node) { c.Call.Targets = r.targets(n) },
		"requester":   func(n ast.Node) { r.requester(n, &c) },
		"at":          func(n ast.Node) { c.Call.At = r.moment(n, "at") },
		"recent":      func(n ast.Node) { c.Recent = r.recent(n) },
		"break_glass": func(n ast.Node) { c.Call.BreakGlass = r.yes(n, "break_glass") },
		"want":        func(n ast.Node) { c.Want = r.want(n) },
	}, at))
	for _, key := range []string{"name", "tool", "want"} {
		if at[key] == nil {
			r.fault(n, "a case needs a name, a tool and what you want; this one has no %s", key)
		}
	}
	if name := at["name"]; name != nil {
		c.Line = placeOf(name.GetToken()).line
		if slices.ContainsFunc(before, func(o Case) bool { return o.Name == c.Name }) {
			r.fault(name, "two cases are called %q; rename one", clip(c.Name))
		}
	}
	return c
}

// args turns a mapping into JSON.
func (r *caseReader) args(n ast.Node) json.RawMessage {
	v := r.value(n)
	if _, ok := v.(map[string]any); !ok {
		r.fault(n, "args must be a mapping (key: value), not %s", kind(n))
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		r.fault(n, "args can't be written as JSON: %v", err)
	}
	return b
}

func (r *caseReader) value(n ast.Node) any {
	switch v := n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		out := map[string]any{}
		for _, e := range r.entries(n, "args") {
			out[e.name] = r.value(e.value)
		}
		return out
	case *ast.SequenceNode:
		out := []any{}
		for _, e := range v.Values {
			out = append(out, r.value(e))
		}
		return out
	case *ast.NullNode:
		return nil
	case *ast.BoolNode:
		return v.Value
	case *ast.IntegerNode, *ast.FloatNode:
		if num := json.Number(n.GetToken().Value); json.Valid([]byte(num)) {
			return num
		}
	}
	s, ok := scalar(n)
	if !ok {
		r.fault(n, "args holds %s; write plain values", kind(n))
	}
	return s
}

func (r *caseReader) targets(n ast.Node) []approvals.Target {
	var out []approvals.Target
	for _, item := range r.list(n, "targets") {
		t := approvals.Target{Kind: "device"}
		text := func(to *string, what string) func(ast.Node) { return func(n ast.Node) { *to = r.text(n, what) } }
		r.fields(item, "a target", map[string]func(ast.Node){
			"id": text(&t.ID, "id"), "kind": text(&t.Kind, "kind"), "name": text(&t.Name, "name"), "os": text(&t.OS, "os"),
			"group": text(&t.Group, "group"), "value": text(&t.Value, "value"), "health": text(&t.Health, "health"),
			"risk": text(&t.Risk, "risk"), "exposure": text(&t.Exposure, "exposure"), "onboarding": text(&t.Onboarding, "onboarding"),
			"tags":      func(n ast.Node) { t.Tags = names(r.texts(n, "tags")) },
			"last_seen": func(n ast.Node) { t.LastSeen = r.moment(n, "last_seen") },
		})
		if t.ID == "" {
			t.ID = fmt.Sprintf("target-%d", len(out)+1)
		}
		out = append(out, t)
	}
	return out
}

func (r *caseReader) requester(n ast.Node, c *Case) {
	q := &c.Call.Requester
	r.fields(n, "requester", map[string]func(ast.Node){
		"id":       func(n ast.Node) { q.ID = strings.ToLower(r.text(n, "id")) },
		"groups":   func(n ast.Node) { c.Groups = names(r.texts(n, "groups")) },
		"agent":    func(n ast.Node) { q.Agent = r.text(n, "agent") },
		"verified": func(n ast.Node) { q.Verified = r.yes(n, "verified") },
		"slack": func(n ast.Node) {
			team, user, ok := strings.Cut(r.text(n, "slack"), "/")
			if !ok {
				team, user = "T0", team
			}
			q.Aliases = append(q.Aliases, approvals.SlackAlias(team, user))
		},
		"via": func(n ast.Node) {
			q.Via = approvals.Via(r.text(n, "via"))
			if known := []string{"mcp", "slack", "shell"}; !slices.Contains(known, string(q.Via)) {
				r.fault(n, "via must be mcp, slack or shell, not %s%s", kind(n), suggestion(string(q.Via), known))
			}
		},
	})
}

func (r *caseReader) moment(n ast.Node, what string) time.Time {
	s, _ := scalar(n)
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		r.fault(n, "%s must be a time such as 2026-03-02T10:00:00Z, not %s", what, kind(n))
	}
	return t
}

func (r *caseReader) recent(n ast.Node) []RecentCase {
	var out []RecentCase
	for _, item := range r.list(n, "recent") {
		c := RecentCase{Line: placeOf(item.GetToken()).line}
		at := map[string]ast.Node{}
		r.fields(item, "an entry of recent", noting(map[string]func(ast.Node){
			"window": func(n ast.Node) { c.Window.Length = r.duration(n, "window") },
			"tool":   func(n ast.Node) { c.Window.Tool = r.text(n, "tool") },
			"risk":   func(n ast.Node) { c.Window.Risk = approvals.Risk(r.text(n, "risk")) },
			"mine":   func(n ast.Node) { c.Window.Mine = r.yes(n, "mine") },
			"count":  func(n ast.Node) { c.Count = r.number(n, "count", 0) },
		}, at))
		if at["window"] == nil || at["count"] == nil {
			r.fault(item, "an entry of recent needs window and count, as in {window: 1h, risk: contain, count: 5}")
		}
		out = append(out, c)
	}
	return out
}

func (r *caseReader) want(n ast.Node) Want {
	var w Want
	at := map[string]ast.Node{}
	var first WantQuorum
	fields := r.quorum(&first)
	fields["outcome"] = func(n ast.Node) { w.Outcome = approvals.Outcome(r.text(n, "outcome")) }
	fields["rule"] = func(n ast.Node) { w.Rule = r.text(n, "rule") }
	fields["why"] = func(n ast.Node) { w.Why = r.text(n, "why") }
	fields["also"] = func(n ast.Node) {
		for _, item := range r.list(n, "also") {
			var q WantQuorum
			r.fields(item, "also", r.quorum(&q))
			w.Quorums = append(w.Quorums, q)
		}
	}
	r.fields(n, "want", noting(fields, at))
	if w.Outcome.Strictness() == approvals.Deny.Strictness() && w.Outcome != approvals.Deny {
		r.fault(n, "want needs an outcome: allow, confirm, approve or deny")
	}
	if at["count"] != nil || at["from"] != nil {
		w.Quorums = append([]WantQuorum{first}, w.Quorums...)
	}
	if len(w.Quorums) > 0 && w.Outcome != approvals.Approve {
		r.fault(n, "count, from and also belong to outcome approve")
	}
	return w
}

func (r *caseReader) quorum(q *WantQuorum) map[string]func(ast.Node) {
	return map[string]func(ast.Node){
		"count": func(n ast.Node) { q.Count = r.number(n, "count", 1) },
		"from": func(n ast.Node) {
			for _, n := range oneOrMore(n) {
				q.From = append(q.From, r.text(n, "from"))
			}
			slices.Sort(q.From)
		},
	}
}
