package policy_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/policy"
)

var (
	slackOncall = approvals.Group{Name: "oncall", Slack: "S1"}
	leads       = approvals.Group{Name: "leads", People: []string{"ana@example.com", "ben@example.com"}}
	approvers   = approvals.Group{Name: "approvers", Role: "Approver"}
)

func oneDevice(tags ...string) approvals.Call {
	return fleet(approvals.Target{ID: "d1", Kind: "device", Name: "Host1.example.com", Tags: tags})
}

func TestARuleStatesItsTermsAndQuorum(t *testing.T) {
	t.Parallel()
	p := parsed(t, groupsHead+`rules:
- name: x
  tools: [isolate_devices]
  outcome: approve
  count: 2
  from: [leads, approvers]
  distinct_groups: true
  start_before: 7m
  remind_after: 3m
  escalate: [{after: 5m, to: oncall}, {after: 9m, to: leads}]
  waves: {width: 4, wait: 2m}
- {name: y, tools: [release_devices], outcome: confirm, waves: {width: 1, stop_over: 0}}
`)
	d := p.Decide(oneDevice())
	want := approvals.Quorum{
		Count: 2, From: leads, Or: []approvals.Group{approvers}, Distinct: true,
		Then: []approvals.Escalation{{After: 5 * time.Minute, To: slackOncall}, {After: 9 * time.Minute, To: leads}},
	}
	require.Equal(t, want, d.Quorum)
	require.Equal(t, approvals.Terms{RemindAfter: 3 * time.Minute, Wave: approvals.Wave{Width: 4, StopOver: 20, Wait: 2 * time.Minute}}, d.Terms)
	require.Equal(t, 7*time.Minute, d.StartBefore)
	c := oneDevice()
	c.Requester.Verified = false
	d = p.Decide(c)
	loose := want
	loose.Count, loose.Distinct = 3, false
	require.Equal(t, []approvals.Quorum{want, loose}, d.Quorums(), "three people of two groups can't all be of other groups")
	c = oneDevice()
	c.Tool, c.Risk = "release_devices", approvals.RiskExpose
	require.Equal(t, approvals.Wave{Width: 1, StopOver: 0, Wait: 10 * time.Minute}, p.Decide(c).Terms.Wave)
}

func TestQuietHoursAskForMore(t *testing.T) {
	t.Parallel()
	p := parsed(t, groupsHead+`quiet_hours:
- {zone: Europe/Berlin, days: [mon], from: "22:00", to: "06:00", then: {count: 2, from: leads}}
- {zone: UTC, days: [sun], from: "00:00", to: "24:00", tools: [isolate_devices], then: deny}
`)
	for at, want := range map[string]struct {
		outcome approvals.Outcome
		n       int
	}{
		"2026-03-02T20:59:59Z": {approvals.Approve, 1},
		"2026-03-02T21:00:00Z": {approvals.Approve, 2}, // 22:00 in Berlin, on Monday
		"2026-03-03T04:59:59Z": {approvals.Approve, 2}, // the night of Monday
		"2026-03-03T05:00:00Z": {approvals.Approve, 1},
		"2026-03-02T03:00:00Z": {approvals.Approve, 1}, // the night of Sunday
		"2026-03-03T22:00:00Z": {approvals.Approve, 1}, // Tuesday
		"2026-03-08T00:00:00Z": {approvals.Deny, 0},
		"2026-03-08T23:59:59Z": {approvals.Deny, 0},
		"2026-07-06T20:00:00Z": {approvals.Approve, 2}, // 22:00 in Berlin, in summer
	} {
		c := oneDevice()
		var err error
		c.At, err = time.Parse(time.RFC3339, at)
		require.NoError(t, err)
		d := p.Decide(c)
		require.Equal(t, want.outcome, d.Outcome, at)
		require.Len(t, d.Quorums(), want.n, at)
	}
	c := oneDevice()
	c.At = time.Time{}
	d := p.Decide(c)
	require.Equal(t, approvals.Deny, d.Outcome, "no moment is a no")
	require.Contains(t, d.Why, "brings no time")
	c.Tool, c.Risk = "find_devices", approvals.RiskRead
	require.Equal(t, approvals.Allow, p.Decide(c).Outcome, "looking is never quiet")
}

func TestTheBlastRadiusCountsOthersAndThisCall(t *testing.T) {
	t.Parallel()
	p := parsed(t, groupsHead+`limits:
  pending: 4
  cool_down: 20m
  blast_radius:
  - {risks: [contain, contain], window: 1h, targets: 5, then: {count: 2, from: leads}}
  - {tools: [isolate_devices, release_devices], window: 24h, targets: 10, then: deny}
`)
	require.Equal(t, approvals.Limits{Pending: 4, CoolDown: 20 * time.Minute}, p.Limits())
	hour := approvals.Window{Risk: approvals.RiskContain, Length: time.Hour}
	isolated := approvals.Window{Tool: "isolate_devices", Length: 24 * time.Hour}
	released := approvals.Window{Tool: "release_devices", Length: 24 * time.Hour}
	require.ElementsMatch(t, []approvals.Window{hour, isolated, released}, p.Windows())
	for _, c := range []struct {
		recent  approvals.Recent
		quorums int
	}{
		{approvals.Recent{hour: 4, isolated: 4, released: 0}, 1},
		{approvals.Recent{hour: 5, isolated: 4, released: 0}, 2},
		{approvals.Recent{hour: 0, isolated: 4, released: 5}, 1},
		{approvals.Recent{hour: 0, isolated: 4, released: 6}, 0},
		{approvals.Recent{hour: 0, isolated: 0}, 0},
		{approvals.Recent{isolated: 0, released: 0}, 0},
		{nil, 0},
		{approvals.Recent{hour: -100, isolated: 0, released: 0}, 0},
	} {
		call := oneDevice()
		call.Recent = c.recent
		d := p.Decide(call)
		require.Len(t, d.Quorums(), c.quorums, "%v", c.recent)
		require.Equal(t, c.quorums == 0, d.Outcome == approvals.Deny, "%v", c.recent)
	}
	call := fleet(make([]approvals.Target, 6)...)
	call.Recent = approvals.Recent{hour: 0, isolated: 0, released: 0}
	d := p.Decide(call)
	require.Equal(t, "default-contain, blast_radius", d.Rule)
	require.ElementsMatch(t, []approvals.Quorum{{Count: 1, From: slackOncall}, {Count: 2, From: leads}}, d.Quorums())
	require.Equal(t, 30*time.Minute, d.Expires)
}

func TestWhatIsProtectedAsksForMoreWhateverTheRulesSay(t *testing.T) {
	t.Parallel()
	p := parsed(t, groupsHead+`rules:
- {name: free, only_tags: [lab], outcome: allow}
protect:
- {name: tier-0, tags: [Tier-0], then: {count: 2, from: leads}}
- {name: hosts, devices: [D9, host8.example.com], risks: [contain], then: {outcome: deny, why: it heats the house}}
`)
	require.Equal(t, approvals.Allow, p.Decide(oneDevice("lab")).Outcome)
	require.Equal(t, []approvals.Quorum{{Count: 2, From: leads}}, p.Decide(oneDevice("lab", "TIER-0")).Quorums())
	require.Len(t, p.Decide(oneDevice("tier-0")).Quorums(), 2)
	for _, target := range []approvals.Target{{ID: "d9", Tags: []string{"lab"}}, {ID: "x", Name: "HOST8.example.com"}} {
		d := p.Decide(fleet(approvals.Target{ID: "other", Tags: []string{"lab"}}, target))
		require.Equal(t, approvals.Deny, d.Outcome)
		require.Equal(t, "hosts", d.Rule)
		require.Contains(t, d.Why, "it heats the house")
		require.Contains(t, d.Why, target.ID)
	}
	c := fleet(approvals.Target{ID: "d9"})
	c.Tool, c.Risk = "release_devices", approvals.RiskExpose
	require.Equal(t, approvals.Approve, p.Decide(c).Outcome, "only containment")
}

func TestWhatMayNeverBeBlocked(t *testing.T) {
	t.Parallel()
	p := parsed(t, groupsHead+`rules: [{name: all, outcome: allow}]
never_block:
  domains: [Example.com, "*.login.example.net."]
  ips: [192.0.2.0/24, "2001:db8::1"]
  hashes: [D41D8CD98F00B204E9800998ECF8427E]
`)
	for value, never := range map[string]bool{
		"example.com": true, "www.EXAMPLE.com": true, "com": true, "example.org": false, "notexample.com": false, "https://example.com/x": true,
		"http://user@www.example.com:8080/": true, "*.example.com": true, "example.com.": true, "example.net": true, "evil.example.net": false,
		"192.0.2.7": true, "192.0.3.7": false, "192.0.0.0/16": true, "::ffff:192.0.2.7": true, "https://192.0.2.9/a": true,
		"2001:db8::1": true, "2001:db8::2": false, "2001:db8::/32": true, "[2001:db8::1]": true,
		"d41d8cd98f00b204e9800998ecf8427e": true, "d41d8cd98f00b204e9800998ecf8427f": false, "exämple.com": true, "High": false,
	} {
		quoted, err := json.Marshal(value)
		require.NoError(t, err)
		for _, args := range []string{`{"value":%}`, `{"Indicators":[{"a":%}]}`, `{"indicator_value":%}`, `{"x":{"sha-256":[%]}}`} {
			c := oneDevice()
			c.Args = json.RawMessage(args[:len(args)-len(args[indexOf(args, '%'):])] + string(quoted) + args[indexOf(args, '%')+1:])
			d := p.Decide(c)
			require.Equal(t, never, d.Outcome == approvals.Deny, "%s: %s", c.Args, d.Why)
			require.Equal(t, never, d.Rule == "never_block", "%s", c.Args)
		}
		c := fleet(approvals.Target{ID: "x", Kind: "indicator", Name: value})
		require.Equal(t, never, p.Decide(c).Outcome == approvals.Deny, "target %s", value)
	}
	c := oneDevice()
	c.Args = json.RawMessage(`{"devices":["host1.example.com"],"comment":"example.com"}`)
	require.Equal(t, approvals.Allow, p.Decide(c).Outcome, "a device is no indicator")
	c.Args = json.RawMessage(`{"value":`)
	require.Equal(t, approvals.Deny, p.Decide(c).Outcome, "what can't be read may hold anything")
	c.Args, c.Tool, c.Risk = json.RawMessage(`{"value":"example.com"}`), "release_devices", approvals.RiskExpose
	require.Equal(t, approvals.Allow, p.Decide(c).Outcome, "giving back is no blocking")
}

func indexOf(s string, c byte) int {
	for i := range len(s) {
		if s[i] == c {
			return i
		}
	}
	return len(s)
}

const emergency = groupsHead + `rules:
- {name: never, tags: [life-support], outcome: deny, why: patients depend on it}
quiet_hours: {zone: UTC, from: "00:00", to: "24:00", then: deny}
protect: [{name: tier-0, tags: [tier-0], then: {count: 2, from: leads}}, {name: core, tags: [core], then: deny}]
never_block: {domains: [example.com]}
break_glass: {people: [U0ANN, T2/U0BEN], tools: [isolate_devices], tell: [leads]}
`

func TestBreakGlassIsForNamedPeopleInSlackOnly(t *testing.T) {
	t.Parallel()
	p := parsed(t, emergency)
	tools, tell, ok := p.BreakGlass()
	require.True(t, ok)
	require.Equal(t, []string{"isolate_devices"}, tools)
	require.Equal(t, []approvals.Group{leads}, tell)
	ask := func(change func(*approvals.Call)) approvals.Decision {
		c := oneDevice("tier-0")
		c.BreakGlass = true
		c.Requester.Aliases = []string{approvals.SlackAlias("T1", "U0ANN")}
		change(&c)
		return p.Decide(c)
	}
	d := ask(func(*approvals.Call) {})
	require.Equal(t, approvals.Confirm, d.Outcome, d.Why)
	require.Equal(t, "break-glass", d.Rule)
	require.True(t, d.Terms.BreakGlass)
	require.True(t, d.ReasonRequired)
	require.Empty(t, d.Quorum)
	require.Empty(t, d.Also)
	require.Positive(t, d.Expires)
	d = ask(func(c *approvals.Call) { c.Requester.Aliases = []string{approvals.SlackAlias("T2", "U0BEN")} })
	require.Equal(t, approvals.Confirm, d.Outcome)
	for name, change := range map[string]func(*approvals.Call){
		"another person":      func(c *approvals.Call) { c.Requester.Aliases = []string{approvals.SlackAlias("T1", "U0EVE")} },
		"another team":        func(c *approvals.Call) { c.Requester.Aliases = []string{approvals.SlackAlias("T1", "U0BEN")} },
		"no Slack id":         func(c *approvals.Call) { c.Requester.Aliases = nil },
		"by an assistant":     func(c *approvals.Call) { c.Requester.Via = approvals.ViaMCP },
		"by the shell":        func(c *approvals.Call) { c.Requester.Via = approvals.ViaShell },
		"not verified":        func(c *approvals.Call) { c.Requester.Verified = false },
		"another tool":        func(c *approvals.Call) { c.Tool = "restrict" },
		"another risk":        func(c *approvals.Call) { c.Risk = approvals.RiskExpose },
		"an explicit no":      func(c *approvals.Call) { c.Targets[0].Tags = []string{"life-support"} },
		"a protected device":  func(c *approvals.Call) { c.Targets[0].Tags = []string{"core"} },
		"what is never block": func(c *approvals.Call) { c.Args = json.RawMessage(`{"value":"example.com"}`) },
		"no targets":          func(c *approvals.Call) { c.Targets = nil },
	} {
		d := ask(change)
		require.Equal(t, approvals.Deny, d.Outcome, name)
		require.False(t, d.Terms.BreakGlass, name)
	}
	without := parsed(t, groupsHead)
	c := oneDevice()
	c.BreakGlass = true
	require.Contains(t, without.Decide(c).Why, "has no break_glass")
	_, _, ok = without.BreakGlass()
	require.False(t, ok)
}

func TestFaultsOfSectionsAreNamedInTheirPlace(t *testing.T) {
	t.Parallel()
	rule := func(keys string) string { return "rules:\n- {name: x, outcome: approve, " + keys + "}\n" }
	for text, want := range map[string]string{
		"hour: {}\n": `the policy has no key "hour"; did you mean "hours"?`,
		"quiet_hours: {zone: Mars/Base, from: \"01:00\", to: \"02:00\", then: deny}\n":       `p.yaml:8:21: zone "Mars/Base" is not known`,
		"quiet_hours: {zone: Local, from: \"01:00\", to: \"02:00\", then: deny}\n":           `zone "Local" is not known`,
		"quiet_hours: {zone: UTC, from: \"1:00\", to: \"02:00\", then: deny}\n":              `from must be a time of the day`,
		"quiet_hours: {zone: UTC, from: \"24:00\", to: \"02:00\", then: deny}\n":             `from must be a time of the day`,
		"quiet_hours: {zone: UTC, from: \"02:00\", to: \"02:00\", then: deny}\n":             `begin and end at the same time`,
		"quiet_hours: {zone: UTC, days: [mo], from: \"01:00\", to: \"02:00\", then: deny}\n": `there is no day "mo"; did you mean "mon"?`,
		"quiet_hours: {zone: UTC, from: \"01:00\", to: \"02:00\"}\n":                         "quiet_hours need `then`",
		"quiet_hours: {zone: UTC, from: \"01:00\", then: deny}\n":                            `quiet_hours needs to`,
		"quiet_hours: {zone: UTC, from: \"01:00\", to: \"02:00\", then: allow}\n":            `then of quiet_hours must be deny`,
		"quiet_hours: {zone: UTC, from: \"01:00\", to: \"02:00\", then: {outcome: allow}}\n": `what quiet_hours asks for is approve or deny`,
		"limits: {pending: 0}\n":                               "pending must be a whole number of at least 1",
		"limits: {cooldown: 1m}\n":                             `did you mean "cool_down"?`,
		"limits: {blast_radius: [{window: 1h, targets: 1}]}\n": "blast_radius needs then",
		"limits: {blast_radius: [{tools: [run_script], risks: [contain], window: 1h, targets: 1, then: deny}]}\n": "use one, and a second entry",
		"limits: {blast_radius: [{window: 1h, targets: 1, then: {count: 3, from: leads}}]}\n":                     `blast_radius asks for 3 approvers of "leads", which has 2 people`,
		"protect: [{name: x, then: deny}]\n":                                    `protect "x" names nothing`,
		"protect: [{tags: [a], then: deny}]\n":                                  "has no name",
		"protect: [{name: x, tags: [a]}]\n":                                     `protect "x" asks for nothing`,
		"never_block: {domains: [\"exa mple\"]}\n":                              "is not a domain",
		"never_block: {domains: [exämple.com]}\n":                               "written as xn--",
		"never_block: {ips: [192.0.2.300]}\n":                                   "is not an IP address",
		"never_block: {hashes: [abc]}\n":                                        "is not an MD5, SHA-1 or SHA-256",
		"break_glass: {people: [ana@example.com], tools: [isolate_devices]}\n":  "is not the id of a person in Slack",
		"break_glass: {people: [U1], tools: [run_script]}\n":                    "break_glass is only for tools of risk contain",
		"break_glass: {people: [U1]}\n":                                         "break_glass needs people",
		"break_glass: {people: [U1], tools: [isolate_devices], tell: nobody}\n": `group "nobody" is not defined`,
		rule("from: [leads, leads]"):                                            `group "leads" is named twice`,
		rule("from: []"):                                                        "from is empty",
		rule("from: [leads, approvers], distinct_groups: true, count: 3"):       "asks for 3 people of distinct groups, and names 2 groups",
		rule("distinct_groups: maybe"):                                          "distinct_groups must be true or false",
		rule("escalate: [{after: 10m}]"):                                        "an escalation needs",
		rule("escalate: [{after: 10m, to: leads}, {after: 5m, to: oncall}]"):    "in the order of their times",
		rule("escalate: [{after: 31m, to: leads}]"):                             "would come when the request has expired (30m)",
		rule("remind_after: 2h"):                                                "would come after the request has expired (30m)",
		rule("waves: {stop_over: 20}"):                                          "waves need a width",
		rule("waves: {width: 1, stop_over: 101}"):                               "at most 100",
		rule("toolsets: [respons]"):                                             `there is no toolset "respons"`,
		"rules: [{name: x, outcome: deny, when: time.business}]\n":              "",
	} {
		_, err := policy.Parse("p.yaml", []byte(groupsHead+text), known())
		if want == "" {
			require.NoError(t, err, text)
			continue
		}
		var faults *policy.Faults
		require.True(t, errors.As(err, &faults), text)
		require.Contains(t, err.Error(), want, text)
	}
	_, err := policy.Parse("p.yaml", []byte("version: 1\nrules: [{name: x, outcome: deny, when: time.business}]\n"), known())
	require.ErrorContains(t, err, "time.business needs `hours`")
	_, err = policy.Parse("p.yaml", []byte("version: 1\ngroups: {x: {role: An approver}}\n"), known())
	require.ErrorContains(t, err, "is not the value of an app role")
}
