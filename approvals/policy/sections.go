package policy

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/mde-ops/mde-ops/approvals"
)

// hours reads a span that has no verdict of its own.
func (f *file) hours(n ast.Node) *calendar {
	c := &calendar{}
	at := map[string]ast.Node{}
	f.fields(n, "hours", noting(f.span(c), at))
	f.checkSpan(n, c, "hours", at)
	return c
}

// span are the keys of a span of the day.
func (f *file) span(c *calendar) map[string]func(ast.Node) {
	return map[string]func(ast.Node){
		"zone": func(n ast.Node) { c.Zone, c.loc = f.zone(n) },
		"days": func(n ast.Node) { c.Days = f.days(n) },
		"from": func(n ast.Node) { c.From = f.clock(n, "from") },
		"to":   func(n ast.Node) { c.To = f.clock(n, "to") },
	}
}

func (f *file) checkSpan(n ast.Node, c *calendar, what string, at map[string]ast.Node) {
	for _, key := range []string{"zone", "from", "to"} {
		if at[key] == nil {
			f.fault(n, "%s needs %s: zone is as in Europe/Berlin, from and to are as in \"08:00\"", what, key)
			return
		}
	}
	if at["days"] == nil {
		for d := range time.Weekday(7) {
			c.Days = append(c.Days, d)
		}
	}
	if c.From == c.To {
		f.fault(at["to"], "%s begin and end at the same time; for the whole day write from \"00:00\" to \"24:00\"", what)
	}
}

func (f *file) zone(n ast.Node) (string, *time.Location) {
	name := f.text(n, "zone")
	if name == "" {
		return "", time.UTC
	}
	loc, err := time.LoadLocation(name)
	if err != nil || strings.EqualFold(name, "local") {
		// Local is whatever the machine says, and processes of one gate have to answer alike.
		f.fault(n, "zone %q is not known; write it as in Europe/Berlin, or UTC", clip(name))
		return name, time.UTC
	}
	return name, loc
}

func (f *file) days(n ast.Node) []time.Weekday {
	var out []time.Weekday
	for _, e := range f.texts(n, "days") {
		i := slices.Index(days(), e.name)
		switch {
		case i < 0:
			f.fault(e.value, "there is no day %q%s", clip(e.name), suggestion(e.name, days()))
		case slices.Contains(out, time.Weekday(i)):
			f.fault(e.value, "%q is listed twice; keep one", e.name)
		default:
			out = append(out, time.Weekday(i))
		}
	}
	slices.Sort(out)
	return out
}

// clock reads a time of the day as minutes after midnight.
func (f *file) clock(n ast.Node, what string) int {
	s, _ := scalar(n)
	if s == "24:00" && what == "to" {
		return 24 * 60
	}
	t, err := time.Parse("15:04", s)
	if err != nil || len(s) != len("15:04") {
		f.fault(n, "%s must be a time of the day in quotation marks such as \"08:00\", not %s", what, kind(n))
	}
	return t.Hour()*60 + t.Minute()
}

// scope are the keys that limit a section to some tools and risks.
func (f *file) scope(s *scope) map[string]func(ast.Node) {
	return map[string]func(ast.Node){
		"tools":    func(n ast.Node) { s.Tools = append(s.Tools, f.tools(n)...) },
		"risks":    func(n ast.Node) { s.Risks = f.risks(n) },
		"toolsets": func(n ast.Node) { s.Tools = append(s.Tools, f.toolsets(n)...) },
	}
}

// then reads what a section asks: `deny`, or who must approve, or a reason for a no.
func (f *file) then(n ast.Node, what string, v *verdict) {
	if s, ok := scalar(n); ok {
		if s != string(approvals.Deny) {
			f.fault(n, "then of %s must be deny, or {count: 2, from: group}, not %s", what, kind(n))
		}
		v.Outcome = approvals.Deny
		return
	}
	at := map[string]ast.Node{}
	fields := f.demand(v)
	fields["outcome"] = func(n ast.Node) {
		if v.Outcome = f.outcome(n); v.Outcome != approvals.Deny && v.Outcome != approvals.Approve {
			f.fault(n, "what %s asks for is approve or deny", what)
		}
	}
	f.fields(n, "then of "+what, noting(fields, at))
	if v.Outcome == "" && at["why"] == nil {
		v.Outcome = approvals.Approve
	}
	if v.Outcome == approvals.Approve {
		f.checkQuorum(n, what, v, at)
		if at["why"] != nil {
			f.fault(at["why"], "why belongs to outcome deny")
		}
		return
	}
	v.Outcome = approvals.Deny
	for _, key := range []string{"count", "from", "distinct_groups"} {
		if at[key] != nil {
			f.fault(at[key], "%s belongs to outcome approve", key)
		}
	}
}

// oneOrMore returns the items of a list, or the value itself.
func oneOrMore(n ast.Node) []ast.Node {
	if list, ok := n.(*ast.SequenceNode); ok {
		return list.Values
	}
	return []ast.Node{n}
}

func (f *file) readQuiet(n ast.Node) {
	for _, item := range oneOrMore(n) {
		var q quiet
		at := map[string]ast.Node{}
		fields := f.span(&q.calendar)
		for key, read := range f.scope(&q.scope) {
			fields[key] = read
		}
		fields["then"] = func(n ast.Node) { f.then(n, "quiet_hours", &q.Then) }
		f.fields(item, "quiet_hours", noting(fields, at))
		f.checkSpan(item, &q.calendar, "quiet_hours", at)
		if at["then"] == nil {
			f.fault(item, "quiet_hours need `then`: deny, or {count: 2, from: group}")
		}
		f.content.Quiet = append(f.content.Quiet, q)
	}
}

func (f *file) readLimits(n ast.Node) {
	l := &f.content.Limits
	f.fields(n, "limits", map[string]func(ast.Node){
		"pending":   func(n ast.Node) { l.Pending = f.number(n, "pending", 1) },
		"cool_down": func(n ast.Node) { l.CoolDown = f.duration(n, "cool_down") },
		"blast_radius": func(n ast.Node) {
			for _, item := range f.list(n, "blast_radius") {
				f.readBlast(item)
			}
		},
	})
}

func (f *file) readBlast(n ast.Node) {
	var b blast
	at := map[string]ast.Node{}
	fields := f.scope(&b.scope)
	fields["window"] = func(n ast.Node) { b.Window = f.duration(n, "window") }
	fields["targets"] = func(n ast.Node) { b.Targets = f.number(n, "targets", 0) }
	fields["then"] = func(n ast.Node) { f.then(n, "blast_radius", &b.Then) }
	f.fields(n, "blast_radius", noting(fields, at))
	if len(b.Tools) > 0 && len(b.Risks) > 0 {
		f.fault(at["risks"], "a blast_radius is by tools or by risks; use one, and a second entry for the other")
	}
	for _, key := range []string{"window", "targets", "then"} {
		if at[key] == nil {
			f.fault(n, "blast_radius needs %s, as in {risks: [contain], window: 1h, targets: 5, then: {count: 2}}", key)
		}
	}
	f.content.Blast = append(f.content.Blast, b)
}

func (f *file) readProtect(n ast.Node) {
	for _, item := range f.list(n, "protect") {
		var p protect
		at := map[string]ast.Node{}
		fields := f.scope(&p.scope)
		fields["name"] = func(n ast.Node) { p.Name = f.text(n, "name") }
		fields["tags"] = func(n ast.Node) { p.Tags = names(f.texts(n, "tags")) }
		fields["devices"] = func(n ast.Node) { p.Devices = names(f.texts(n, "devices")) }
		fields["then"] = func(n ast.Node) { f.then(n, "protect", &p.Then) }
		f.fields(item, "an entry of protect", noting(fields, at))
		switch {
		case at["name"] == nil:
			f.fault(item, "an entry of protect has no name; name it, because refusals and cards show the name")
		case at["tags"] == nil && at["devices"] == nil:
			f.fault(item, "protect %q names nothing; give it tags or devices (ids or names)", clip(p.Name))
		case at["then"] == nil:
			f.fault(item, "protect %q asks for nothing; give it `then`: deny, or {count: 2, from: group}", clip(p.Name))
		}
		f.content.Protect = append(f.content.Protect, p)
	}
}

func (f *file) readNever(n ast.Node) {
	f.content.Never = &never{}
	v := f.content.Never
	f.fields(n, "never_block", map[string]func(ast.Node){
		"domains": func(n ast.Node) { v.Domains = f.domains(n) },
		"ips": func(n ast.Node) {
			for _, e := range f.texts(n, "ips") {
				p, ok := network(e.name)
				if !ok {
					f.fault(e.value, "%q is not an IP address or a network such as 192.0.2.0/24", clip(e.name))
					p = netip.Prefix{}
				}
				v.Networks = append(v.Networks, p)
			}
		},
		"hashes": func(n ast.Node) {
			for _, e := range f.texts(n, "hashes") {
				h := strings.ToLower(e.name)
				if !slices.Contains([]int{32, 40, 64}, len(h)) || strings.Trim(h, "0123456789abcdef") != "" {
					f.fault(e.value, "%q is not an MD5, SHA-1 or SHA-256 in hexadecimal digits", clip(e.name))
				}
				v.Hashes = append(v.Hashes, h)
			}
		},
	})
}

func (f *file) domains(n ast.Node) []string {
	var out []string
	for _, e := range f.texts(n, "domains") {
		d := strings.Trim(strings.TrimPrefix(strings.ToLower(e.name), "*."), ".")
		bad := strings.ContainsFunc(d, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
		})
		if bad || d == "" || strings.Contains(d, "..") {
			f.fault(e.value, "%q is not a domain such as example.com; other scripts are written as xn--…", clip(e.name))
		}
		out = append(out, d)
	}
	return out
}

func (f *file) readBreakGlass(n ast.Node) {
	b := &breakGlass{}
	at := map[string]ast.Node{}
	f.fields(n, "break_glass", noting(map[string]func(ast.Node){
		"people": func(n ast.Node) {
			for _, e := range f.texts(n, "people") {
				team, user, both := strings.Cut(e.name, "/")
				if !both {
					team, user = "T0", e.name
				}
				if !slackID(team, "TE") || !slackID(user, "UW") {
					f.fault(e.value, "%q is not the id of a person in Slack; it begins with U, as in U0123ABCD", clip(e.name))
				}
				b.People = append(b.People, e.name)
			}
		},
		"tools": func(n ast.Node) {
			b.Tools = f.tools(n)
			for _, e := range f.listed(n) {
				if info, ok := f.known.Tools[e.name]; ok && info.Risk != approvals.RiskContain {
					f.fault(e.value, "tool %s has risk %s; break_glass is only for tools of risk contain", e.name, info.Risk)
				}
			}
		},
		"tell": func(n ast.Node) {
			for _, n := range oneOrMore(n) {
				b.Tell = append(b.Tell, f.groupNamed(n, "tell"))
			}
		},
	}, at))
	if at["people"] == nil || at["tools"] == nil {
		f.fault(n, "break_glass needs people (ids in Slack) and tools")
	}
	f.content.BreakGlass = b
}
