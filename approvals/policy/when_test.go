package policy_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/policy"
)

const groupsHead = `version: 1
groups:
  oncall: {slack: S1}
  leads: {people: [ana@example.com, ben@example.com]}
  approvers: {role: Approver}
defaults: {from: oncall}
hours: {zone: Europe/Berlin, days: [mon, tue, wed, thu, fri], from: "08:00", to: "18:00"}
`

func parsed(t testing.TB, text string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse("p.yaml", []byte(text), known())
	require.NoError(t, err)
	return p
}

// ruled is a policy with one rule that denies when the condition holds.
func ruled(t testing.TB, when string) *policy.Policy {
	t.Helper()
	return parsed(t, groupsHead+"rules:\n- {name: x, outcome: deny, when: '"+strings.ReplaceAll(when, "'", "''")+"'}\n")
}

// monday is a Monday at ten in the morning in Berlin.
func monday() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) }

func fleet(targets ...approvals.Target) approvals.Call {
	c := call(approvals.RiskContain)
	c.Tool, c.Targets, c.At = "isolate_devices", targets, monday()
	c.Args = json.RawMessage(`{"isolation_type":"Full","n":3}`)
	return c
}

func TestConditionsAreAnswered(t *testing.T) {
	t.Parallel()
	device := approvals.Target{
		ID: "ABC", Kind: "device", Name: "DC01.example.com", OS: "WindowsServer2022", Group: "EU", Value: "High", Health: "Active", Risk: "Medium",
		Exposure: "low", Onboarding: "Onboarded", Tags: []string{"Tier-0", "dc"}, LastSeen: monday().Add(-time.Hour),
	}
	for when, want := range map[string]bool{
		`tool == "isolate_devices" && risk == "contain"`:                                true,
		`tool == "run_script"`:                                                          false,
		`args.isolation_type == "Full" && args.n > 2`:                                   true,
		`has(args.comment)`:                                                             false,
		`target.id == "abc" && target.kind == "device"`:                                 true,
		`target.name.startsWith("dc")`:                                                  true,
		`target.os.startsWith("WindowsServer") && target.group == "EU"`:                 true,
		`target.value == "High" && target.health == "Active"`:                           true,
		`target.risk in ["Medium", "High"]`:                                             true,
		`target.exposure == "Low" && target.onboarding == "onboarded"`:                  true,
		`"tier-0" in target.tags`:                                                       true,
		`"tier-1" in target.tags`:                                                       false,
		`has(target.last_seen) && time.timestamp - target.last_seen > duration("30m")`:  true,
		`size(targets) == 1 && targets.all(t, t.value == "High")`:                       true,
		`targets.exists(t, "tier-1" in t.tags)`:                                         false,
		`requester.id == "ann@example.com" && requester.via == "slack"`:                 true,
		`requester.human && !requester.agent && requester.verified`:                     true,
		`"leads" in requester.groups`:                                                   false,
		`time.hour == 10 && time.weekday == "mon" && time.business`:                     true,
		`recent("1h") == 7`:                                                             true,
		`recent("1h", "isolate_devices", "mine") == 2 && recent("24h", "contain") == 5`: true,
	} {
		c := fleet(device)
		c.Recent = approvals.Recent{
			{Length: time.Hour}: 7, {Tool: "isolate_devices", Mine: true, Length: time.Hour}: 2, {Risk: approvals.RiskContain, Length: 24 * time.Hour}: 5,
		}
		d := ruled(t, when).Decide(c)
		require.Equal(t, want, d.Rule == "x", "%s: %s %s", when, d.Rule, d.Why)
		require.NotContains(t, d.Why, "can't be worked out", when)
	}
}

func TestAMisspeltConditionIsAFaultInItsPlace(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"- name: x\n  outcome: deny\n  when: target.tagz == []\n":                                           `p.yaml:11:16: there is no field "tagz"; did you mean "tags"?`,
		"- {name: x, outcome: deny, when: '\"é\" == \"é\" && target.nam == \"\"'}\n":                        `p.yaml:9:56: there is no field "nam"; did you mean "name"?`,
		"- name: x\n  outcome: deny\n  when: |\n    risk == \"contain\" &&\n      requester.idd == \"a\"\n": `p.yaml:13:17: there is no field "idd"; did you mean "id"?`,
		"- name: x\n  outcome: deny\n  when: >-\n    risk == \"contain\"\n    && time.hours > 3\n":          `p.yaml:13:13: there is no field "hours"; did you mean "hour"?`,
		"- name: x\n  outcome: deny\n  when: \"risk == \\\"contain\\\" && tim.hour > 3\"\n":                 `p.yaml:11:33: there is no name or function "tim"; did you mean "time"?`,
		"- name: x\n  outcome: deny\n  when: 'risk == ''contain'' && (true'\n":                              `p.yaml:11:`,
		"- name: x\n  outcome: deny\n  when: targets.exists(t, t.valu == \"High\")\n":                       `p.yaml:11:29: there is no field "valu"; did you mean "value"?`,
		"- name: x\n  outcome: deny\n  when: tool == \"isolate_device\"\n":                                  `p.yaml:11:17: there is no tool "isolate_device"; did you mean "isolate_devices"?`,
		"- name: x\n  outcome: deny\n  when: risk in [\"contain\", \"exposee\"]\n":                          `p.yaml:11:29: there is no risk "exposee"; did you mean "expose"?`,
		"- name: x\n  outcome: deny\n  when: target.value == \"high\"\n":                                    `p.yaml:11:25: value is never "high"; did you mean "High"?`,
		"- name: x\n  outcome: deny\n  when: '\"Tier-0\" in target.tags'\n":                                 `p.yaml:11:10: tags is in lower case here, whatever the tenant's spelling; write "tier-0"`,
		"- name: x\n  outcome: deny\n  when: target.name.endsWith(\".Example.com\")\n":                      `name is in lower case here`,
		"- name: x\n  outcome: deny\n  when: '\"lead\" in requester.groups'\n":                              `group "lead" is not defined; did you mean "leads"?`,
		"- name: x\n  outcome: deny\n  when: '\"oncall\" in requester.groups'\n":                            `who is in group "oncall" is not known when a rule is asked`,
		"- name: x\n  outcome: deny\n  when: target.name\n":                                                 `p.yaml:11:9: the condition is a string; it must be true or false`,
		"- name: x\n  outcome: deny\n  when: args.x\n":                                                      `the condition is a dyn; it must be true or false`,
		"- name: x\n  outcome: deny\n  when: recent(\"1h\", \"isolate\") > 3\n":                             `p.yaml:11:22: there is no tool or risk "isolate"; did you mean "isolate_devices"?`,
		"- name: x\n  outcome: deny\n  when: recent(\"1y\") > 3\n":                                          `p.yaml:11:16: "1y" must be a time between 1s and 168h such as 1h`,
		"- name: x\n  outcome: deny\n  when: recent(tool) > 3\n":                                            `recent takes texts in quotation marks only`,
		"- name: x\n  outcome: deny\n  when: recent() > 3\n":                                                `recent takes a time`,
		"- name: x\n  outcome: deny\n  when: recent(\"1h\", \"any\", \"me\") > 3\n":                         `must be "mine" or "all", not "me"`,
		"- name: x\n  outcome: deny\n  when: targets.all(a, targets.all(b, targets.all(c, a == c)))\n":      `the condition may cost`,
		"- name: x\n  outcome: deny\n  when: [a]\n":                                                         `when must be a condition`,
		"- name: x\n  outcome: deny\n  when: requester.name == \"Ann\"\n":                                   `there is no field "name"`,
	} {
		_, err := policy.Parse("p.yaml", []byte(groupsHead+"rules:\n"+text), known())
		require.Error(t, err, text)
		require.Contains(t, err.Error(), want, text)
	}
}

func TestWhatCantBeWorkedOutIsANo(t *testing.T) {
	t.Parallel()
	device := approvals.Target{ID: "d", Kind: "device", Value: "High"}
	for name, c := range map[string]struct {
		when   string
		change func(*approvals.Call)
		want   string
	}{
		"a missing argument":  {`args.absent == 1`, nil, "no such key"},
		"no time":             {`time.hour > 25`, func(c *approvals.Call) { c.At = time.Time{} }, "asks about the time"},
		"no time, not needed": {`time.hour > 25 && false`, func(c *approvals.Call) { c.At = time.Time{} }, "asks about the time"},
		"no count":            {`recent("1h") > 10000`, nil, "no count of it"},
		"half a count":        {`recent("1h") > 10000`, func(c *approvals.Call) { c.Recent = approvals.Recent{{Length: time.Hour}: -1} }, "no count of it"},
		"an unknown word":     {`target.value == "Low"`, func(c *approvals.Call) { c.Targets[0].Value = "Critical" }, `"Critical", which is none of the known words`},
		"an unknown way":      {`requester.via == "mcp"`, func(c *approvals.Call) { c.Requester.Via = "mail" }, `via "mail"`},
		"no last report":      {`target.last_seen < timestamp("2020-01-01T00:00:00Z")`, nil, "last seen is not known"},
		"arguments no object": {`has(args.x)`, func(c *approvals.Call) { c.Args = json.RawMessage(`[1]`) }, "not a JSON object"},
		"too costly": {`target.tags.all(a, a != "x")`, func(c *approvals.Call) {
			c.Targets[0].Tags = make([]string, 500_000)
		}, "cost limit"},
		"too costly together": {`target.name.contains("zzzzzzzzzzzzzzzzzzzz")`, func(c *approvals.Call) {
			// Long texts cost much and take little time.
			c.Targets = make([]approvals.Target, 200)
			for i := range c.Targets {
				c.Targets[i].Name = strings.Repeat("y", 400_000)
			}
		}, "cost too much for this call"},
	} {
		call := fleet(device)
		if c.change != nil {
			c.change(&call)
		}
		d := ruled(t, c.when).Decide(call)
		require.Equal(t, approvals.Deny, d.Outcome, name)
		require.Equal(t, "x", d.Rule, name)
		require.Contains(t, d.Why, "can't be worked out", name)
		require.Contains(t, d.Why, c.want, name)
	}
}
