package policy_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/policy"
)

func known() policy.Known {
	return policy.Known{Tools: map[string]approvals.ToolInfo{
		"isolate_devices": {Risk: approvals.RiskContain}, "release_devices": {Risk: approvals.RiskExpose},
		"run_script": {Risk: approvals.RiskExecute}, "offboard_devices": {Risk: approvals.RiskOff}, "find_devices": {Risk: approvals.RiskRead},
	}}
}

const whole = `version: 1
groups:
  oncall: {slack: S0123ABCD}
  leads:
    people: [Ana@example.com, ben@example.com]
defaults: {from: oncall, expires: 10m, start_before: 5m, reason: optional, max_targets: 20, unverified_extra: 2}
rules:
  - name: tier-0 needs two leads
    tags: [Tier-0]
    risks: [contain, expose]
    outcome: approve
    count: 2
    from: leads
    expires: 1h
    reason: required
    max_targets: 3
  - name: lab is free
    tools: [isolate_devices, release_devices]
    only_tags: [lab]
    outcome: allow
  - name: no scripts
    tools: [run_script]
    outcome: deny
    why: ask the platform team
  - {name: own collection, risks: [collect], outcome: confirm}
  - {name: offboarding, tools: [offboard_devices], outcome: approve, count: 2}
`

func tagged(tool string, risk approvals.Risk, tags ...string) approvals.Call {
	c := call(risk)
	c.Tool = tool
	for _, tag := range tags {
		c.Targets = append(c.Targets, approvals.Target{ID: tag, Tags: strings.Fields(tag)})
	}
	return c
}

func TestTheFirstRuleThatMatchesAnswers(t *testing.T) {
	p, err := policy.Parse("policy.yaml", []byte(whole), known())
	require.NoError(t, err)
	for _, c := range []struct {
		call    approvals.Call
		rule    string
		outcome approvals.Outcome
		count   int
	}{
		{tagged("isolate_devices", approvals.RiskContain, "tier-0 lab", "lab"), "tier-0 needs two leads", approvals.Approve, 2},
		{tagged("isolate_devices", approvals.RiskContain, "lab", "tier-0"), "tier-0 needs two leads", approvals.Approve, 2},
		{tagged("isolate_devices", approvals.RiskContain, "lab", "LAB x"), "lab is free", approvals.Allow, 0},
		{tagged("isolate_devices", approvals.RiskContain, "lab", "office"), "default-contain", approvals.Approve, 1},
		{tagged("isolate_devices", approvals.RiskContain), "default-contain", approvals.Approve, 1},
		{tagged("run_script", approvals.RiskExecute, "lab"), "no scripts", approvals.Deny, 0},
		{tagged("scan", approvals.RiskCollect, "office"), "own collection", approvals.Confirm, 0},
		{tagged("offboard_devices", approvals.RiskOff, "office"), "offboarding", approvals.Approve, 2},
		{tagged("other", approvals.RiskOff, "office"), "default-off", approvals.Deny, 0},
		{tagged("find_devices", approvals.RiskRead), "default-read", approvals.Allow, 0},
		{tagged("isolate_devices", "odd", "lab"), "unknown-risk", approvals.Deny, 0},
	} {
		d := p.Decide(c.call)
		require.Equal(t, c.rule, d.Rule, c)
		require.Equal(t, c.outcome, d.Outcome, c)
		require.Equal(t, c.count, d.Quorum.Count, c)
	}
	d := p.Decide(tagged("isolate_devices", approvals.RiskContain, "tier-0"))
	require.Equal(t, approvals.Group{Name: "leads", People: []string{"ana@example.com", "ben@example.com"}}, d.Quorum.From)
	require.Equal(t, time.Hour, d.Expires)
	require.Equal(t, 5*time.Minute, d.StartBefore)
	require.Equal(t, 3, d.MaxTargets)
	require.True(t, d.ReasonRequired)
	d = p.Decide(tagged("isolate_devices", approvals.RiskContain, "office"))
	require.Equal(t, 10*time.Minute, d.Expires)
	require.Equal(t, 20, d.MaxTargets)
	require.False(t, d.ReasonRequired)
	unverified := tagged("isolate_devices", approvals.RiskContain, "office")
	unverified.Requester.Verified = false
	require.Equal(t, 3, p.Decide(unverified).Quorum.Count)
}

func TestAConfirmationOutsideSlackProvesNothing(t *testing.T) {
	p, err := policy.Parse("policy.yaml", []byte(whole), known())
	require.NoError(t, err)
	for _, via := range []approvals.Via{approvals.ViaMCP, approvals.ViaShell, ""} {
		c := tagged("scan", approvals.RiskCollect, "office")
		c.Requester.Via = via
		d := p.Decide(c)
		require.Equal(t, approvals.Deny, d.Outcome, via)
		require.Contains(t, d.Why, "ask in Slack")
		c.Risk, c.Tool = approvals.RiskAnnotate, "tag"
		require.Equal(t, approvals.Confirm, p.Decide(c).Outcome, "an annotation may be confirmed by the client's word")
	}
	c := tagged("scan", approvals.RiskCollect, "office")
	c.Requester.Verified = false
	require.Equal(t, approvals.Deny, p.Decide(c).Outcome)
}

func TestLayoutIsNotContent(t *testing.T) {
	a, err := policy.Parse("a.yaml", []byte(whole), known())
	require.NoError(t, err)
	b, err := policy.Parse("b.yaml", []byte("# a comment\n"+strings.ReplaceAll(whole, "tags: [Tier-0]", "tags:\n      - Tier-0")), known())
	require.NoError(t, err)
	require.Equal(t, a.Digest(), b.Digest())
	c, err := policy.Parse("c.yaml", []byte(strings.Replace(whole, "count: 2", "count: 1", 1)), known())
	require.NoError(t, err)
	require.NotEqual(t, a.Digest(), c.Digest())
}

func TestTheConfiguredGroupServesWhereTheFileNamesNone(t *testing.T) {
	k := known()
	k.Approvers = oncall
	p, err := policy.Parse("p.yaml", []byte("version: 1\nrules:\n- {name: x, tools: [run_script], outcome: approve}\n"), k)
	require.NoError(t, err)
	require.Equal(t, approvals.Quorum{Count: 1, From: oncall}, p.Decide(tagged("run_script", approvals.RiskExecute)).Quorum)
	require.Equal(t, approvals.Quorum{Count: 1, From: oncall}, p.Decide(tagged("isolate_devices", approvals.RiskContain)).Quorum)
}

func TestEveryFaultIsReportedWithItsPlace(t *testing.T) {
	const head = "version: 1\ngroups: {oncall: {slack: S1}, leads: {people: [a@b.c, d@b.c]}}\n"
	rules := func(s string) string { return head + "rules:\n" + s }
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"syntax":           {"version: 1\nrules: [\n", []string{"p.yaml:2:8: not valid YAML"}},
		"empty":            {"", []string{"p.yaml: the file is empty; begin it with `version: 1`"}},
		"only a comment":   {"# nothing\n", []string{"p.yaml"}},
		"a list":           {"- a\n", []string{"p.yaml:1:1: the policy must be a mapping (key: value), not a list"}},
		"two documents":    {"version: 1\n---\nversion: 1\n", []string{"second document"}},
		"no version":       {"rules: []\n", []string{"states no version"}},
		"another version":  {"version: 2\n", []string{`p.yaml:1:10: version "2" is not known here`}},
		"unknown key":      {"version: 1\nrule: []\n", []string{`p.yaml:2:1: the policy has no key "rule"; did you mean "rules"?`}},
		"a key twice":      {"version: 1\nversion: 1\n", []string{`p.yaml:2:1: the policy has "version" twice`}},
		"an anchor":        {"version: 1\ngroups: &g {oncall: {slack: S1}}\n", []string{"must be a mapping"}},
		"a merge":          {head + "defaults:\n  <<: {expires: 1h}\n", []string{"merges are not used here"}},
		"empty group":      {"version: 1\ngroups:\n  none: {}\n", []string{`p.yaml:3:3: group "none" is empty`}},
		"no people":        {"version: 1\ngroups:\n  none: {people: []}\n", []string{"p.yaml:3:18: people is empty"}},
		"both":             {"version: 1\ngroups: {x: {slack: S1, people: [a@b]}}\n", []string{"has both slack and people"}},
		"no Slack id":      {"version: 1\ngroups: {x: {slack: oncall}}\n", []string{`"oncall" is not the id of a Slack user group`}},
		"no address":       {"version: 1\ngroups: {x: {people: [ana]}}\n", []string{`"ana" is not an e-mail address`}},
		"a person twice":   {"version: 1\ngroups: {x: {people: [a@b, A@B]}}\n", []string{"listed twice"}},
		"unknown default":  {head + "defaults: {from: oncal}\n", []string{`p.yaml:3:18: group "oncal" is not defined; did you mean "oncall"?`}},
		"wrong duration":   {head + "defaults: {expires: 30}\n", []string{`p.yaml:3:21: expires must be a time between 1s and 168h0m0s such as 30m, not "30"`}},
		"no duration":      {head + "defaults: {start_before: 0s}\n", []string{"start_before must be a time"}},
		"endless duration": {head + "defaults: {expires: 9000h}\n", []string{"expires must be a time"}},
		"wrong reason":     {head + "defaults: {reason: maybe}\n", []string{"reason must be required or optional"}},
		"no targets":       {head + "defaults: {max_targets: 0}\n", []string{"max_targets must be a whole number of at least 1"}},
		"negative extra":   {head + "defaults: {unverified_extra: -1}\n", []string{"unverified_extra must be a whole number of at least 1"}},
		"no extra":         {head + "defaults: {unverified_extra: 0}\n", []string{`p.yaml:3:30: unverified_extra must be a whole number of at least 1, not "0"`}},
		"unknown tool": {
			rules("- {name: x, tools: [isolate_device], outcome: deny}\n"),
			[]string{`p.yaml:4:21: there is no tool "isolate_device"; did you mean "isolate_devices"?`},
		},
		"unknown risk":    {rules("- {name: x, risks: [containn], outcome: deny}\n"), []string{`there is no risk "containn"; did you mean "contain"?`}},
		"unknown outcome": {rules("- {name: x, outcome: aprove}\n"), []string{`there is no outcome "aprove"; did you mean "approve"?`}},
		"unknown group":   {rules("- {name: x, outcome: approve, from: lead}\n"), []string{`group "lead" is not defined; did you mean "leads"?`}},
		"count 0":         {rules("- {name: x, outcome: approve, from: leads, count: 0}\n"), []string{"count must be a whole number of at least 1"}},
		"too many":        {rules("- {name: x, outcome: approve, from: leads, count: 3}\n"), []string{`asks for 3 approvers of "leads", which has 2 people`}},
		"by nobody":       {rules("- {name: x, outcome: approve}\n"), []string{"approve and not by whom"}},
		"no name":         {rules("- {outcome: deny}\n"), []string{"a rule has no name"}},
		"no outcome":      {rules("- {name: x}\n"), []string{"a rule has no outcome"}},
		"one name twice":  {rules("- {name: x, outcome: deny}\n- {name: x, outcome: deny}\n"), []string{`two rules are called "x"`}},
		"count of a deny": {rules("- {name: x, outcome: deny, count: 2}\n"), []string{"count belongs to outcome approve"}},
		"why of an allow": {rules("- {name: x, outcome: allow, why: so}\n"), []string{"why belongs to outcome deny"}},
		"any tag allows":  {rules("- {name: x, tags: [lab], outcome: allow}\n"), []string{"use only_tags"}},
		"no rule":         {rules("- x\n"), []string{`a rule must be a mapping (key: value), not "x"`}},
		"a null":          {rules("- {name: , outcome: deny}\n"), []string{"name must be text, not nothing"}},
		"a hidden letter": {rules("- {name: \"a\\u0007b\", outcome: deny}\n"), []string{"characters that can't be shown"}},
		"too long":        {"#" + strings.Repeat("x", 200_000), []string{"more than"}},
		"everything at once": {
			head + "defaults: {expires: x}\nrules:\n- {name: a, tools: [nope], outcome: deny}\n- {name: b, outcome: approve, from: nobody}\n",
			[]string{"p.yaml:3:21: expires", "p.yaml:5:21: there is no tool", "p.yaml:6:37: group"},
		},
	} {
		_, err := policy.Parse("p.yaml", []byte(c.text), known())
		var faults *policy.Faults
		require.True(t, errors.As(err, &faults), name)
		for _, want := range c.want {
			require.Contains(t, err.Error(), want, name)
		}
		require.GreaterOrEqual(t, len(faults.List), len(c.want), name)
	}
}

// FuzzParse fails when a file makes the parser panic, or when a policy that was read lets something through that its
// risk's default would not, without a rule that says so.
func FuzzParse(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte("version: 1\nrules: [{name: x, outcome: allow, only_tags: [a]}]\n"))
	f.Add([]byte("version: 1\ngroups: {a: {people: [a@b]}}\ndefaults: {from: a}\n"))
	f.Add([]byte("? - a\n: - b\n"))
	f.Add([]byte(emergency))
	f.Add([]byte(manyRules()[:2000]))
	f.Add([]byte(groupsHead + "rules:\n- name: x\n  outcome: approve\n  from: [leads, approvers]\n  distinct_groups: true\n  escalate: [{after: 5m, to: oncall}]\n  waves: {width: 2}\n  when: |\n    targets.exists(t, t.value == \"High\") &&\n    recent(\"1h\", \"contain\", \"mine\") > 3\n"))
	f.Add([]byte(groupsHead + "rules:\n- {name: x, outcome: deny, when: '((((((((((((1))))))))))) + target.\u00e9'}\n"))
	f.Add([]byte("version: 1\nlimits: {blast_radius: [{window: 1h, targets: 0, then: {outcome: deny, why: x}}]}\nquiet_hours: {zone: UTC, from: \"22:00\", to: \"06:00\", then: deny}\n"))
	f.Add([]byte("&a [*a]"))
	f.Add([]byte("version: !!int 1\n<<: {}\n"))
	f.Add([]byte("version: |\n  1\nrules:\n- - -"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := policy.Parse("p.yaml", data, known())
		if err != nil {
			var faults *policy.Faults
			require.True(t, errors.As(err, &faults))
			require.NotEmpty(t, faults.List)
			require.Nil(t, p)
			return
		}
		reviewed, findings := policy.Review("p.yaml", data, known())
		require.NotNil(t, reviewed, "%v", findings)
		require.Equal(t, p.Digest(), reviewed.Digest())
		for _, risk := range approvals.Risks() {
			d := p.Decide(tagged("isolate_devices", risk, "lab"))
			require.Contains(t, []approvals.Outcome{approvals.Allow, approvals.Confirm, approvals.Approve, approvals.Deny}, d.Outcome)
			if d.Outcome == approvals.Approve {
				require.Positive(t, d.Quorum.Count)
				require.False(t, d.Quorum.From.Empty())
				require.Positive(t, d.Expires)
			}
		}
	})
}
