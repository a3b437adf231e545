package policy_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/policy"
)

func reviewed(text string, k policy.Known) (*policy.Policy, string) {
	p, findings := policy.Review("p.yaml", []byte(text), k)
	var lines []string
	for _, f := range findings {
		lines = append(lines, f.String())
	}
	return p, strings.Join(lines, "\n")
}

func TestARuleThatCanNeverMatchIsNamed(t *testing.T) {
	t.Parallel()
	const contain = "- {name: early, risks: [contain], outcome: deny}\n"
	for text, want := range map[string]string{
		"- {name: x, tools: [isolate_devices], risks: [expose], outcome: deny}\n":                                                                        `9:10: error: rule "x" can never match: none of its tools (isolate_devices: contain) has one of its risks`,
		"- {name: x, risks: [destroy], outcome: deny}\n":                                                                                                 `9:10: warning: rule "x" matches nothing: no tool of this version`,
		"- {name: x, tools: [isolate_devices, run_script], risks: [execute], outcome: deny}\n":                                                           `warning: rule "x" never matches isolate_devices: contain`,
		contain + "- {name: x, tools: [isolate_devices], tags: [a], outcome: deny}\n":                                                                    `10:10: error: rule "x" can never match: "early" before it matches at least as much`,
		contain + "- {name: x, tools: [isolate_devices], when: recent(\"1h\") > 3, outcome: deny}\n":                                                     `error: rule "x" can never match: "early"`,
		contain + "- {name: x, tools: [isolate_devices, run_script], outcome: deny}\n":                                                                   `warning: rule "x" never matches isolate_devices: "early"`,
		"- {name: a, tags: [A, b], outcome: deny}\n- {name: x, only_tags: [a], outcome: allow}\n":                                                        `error: rule "x" can never match: "a" before it`,
		"- {name: a, tools: [run_script], outcome: deny}\n" + contain + "- {name: x, tools: [run_script, isolate_devices], outcome: deny}\n":             `error: rule "x" can never match: "a" and "early" before it`,
		"- {name: a, when: 'risk == \"contain\"', outcome: deny}\n- {name: x, when: 'target.value == \"High\" && risk == \"contain\"', outcome: deny}\n": `error: rule "x" can never match: "a"`,
		"- {name: x, outcome: deny, when: '1 > 2'}\n":                                                                                                    `error: rule "x" can never match: its condition never holds`,
		"- {name: x, outcome: deny, when: 'size(targets) > 3 && false'}\n":                                                                               `error: rule "x" can never match: its condition never holds`,
		"- {name: x, outcome: deny, when: '1 / 0 > 2'}\n":                                                                                                `can't be worked out`,
		"- {name: x, outcome: deny, when: 'true || requester.agent'}\n":                                                                                  `warning: the condition of rule "x" always holds`,
		"- {name: x, outcome: deny, when: 'requester.agent && !requester.agent'}\n":                                                                      `it asks for requester.agent and for its opposite`,
		"- {name: x, outcome: deny, when: '!(requester.agent || size(targets) > 3) && size(targets) > 3'}\n":                                             `and for its opposite`,
		"- {name: x, outcome: deny, when: 'target.value == \"High\" && target.value == \"Low\"'}\n":                                                      `target.value can't be all that it asks for`,
		"- {name: x, outcome: deny, when: 'target.value in [\"High\", \"Low\"] && target.value != \"High\" && !(target.value == \"Low\")'}\n":            `target.value can't be all`,
		"- {name: x, tags: [A], outcome: deny, when: '!(\"a\" in target.tags)'}\n":                                                                       `its tags are those that its condition rules out`,
		"- {name: x, risks: [expose], outcome: deny, when: 'tool == \"isolate_devices\"'}\n":                                                             `its condition asks for another tool or risk`,
		"- {name: x, tools: [run_script], outcome: allow}\n":                                                                                             `warning: rule "x" lets run_script run on every device`,
	} {
		p, got := reviewed(groupsHead+"rules:\n"+text, known())
		require.NotNil(t, p, "it can be read")
		require.Contains(t, got, want, text)
	}
}

func TestARuleThatCanMatchIsNotBlamed(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"- {name: a, tags: [a], outcome: deny}\n- {name: x, tags: [a, b], outcome: deny}\n",
		"- {name: a, tags: [a], outcome: deny}\n- {name: x, outcome: deny}\n",
		"- {name: a, when: 'requester.agent', outcome: deny}\n- {name: x, outcome: deny}\n",
		"- {name: a, when: 'requester.agent && size(targets) > 2', outcome: deny}\n- {name: x, when: 'requester.agent', outcome: deny}\n",
		"- {name: a, tools: [run_script], outcome: deny}\n- {name: x, risks: [contain, execute], outcome: deny}\n",
		"- {name: a, when: 'target.value == \"High\"', outcome: deny}\n- {name: x, when: 'target.value != \"High\"', outcome: deny}\n",
		"- {name: x, outcome: deny, when: 'targets.exists(t, t.value == \"High\") && targets.exists(t, t.value == \"Low\")'}\n",
		"- {name: x, outcome: deny, when: 'target.value == \"High\" || target.value == \"Low\"'}\n",
		"- {name: x, tags: [a, b], outcome: deny, when: '!(\"a\" in target.tags)'}\n",
	} {
		_, got := reviewed(groupsHead+"rules:\n"+text, known())
		require.NotContains(t, got, "never match", text)
		require.NotContains(t, got, "always", text)
	}
}

func TestAQuorumThatNobodyCanMeetIsNamed(t *testing.T) {
	t.Parallel()
	const head = `version: 1
groups:
  one: {people: [ana@example.com]}
  two: {people: [ana@example.com, ben@example.com]}
  same: {people: [Ana@example.com]}
  oncall: {slack: S1}
defaults: {from: oncall}
`
	rule := func(keys string) string { return head + "rules:\n- {name: x, outcome: approve, " + keys + "}\n" }
	for text, want := range map[string]string{
		rule("from: one"):                                                          `9:10: warning: rule "x": nobody can approve what ana@example.com asks for`,
		rule("from: two, count: 2"):                                                `nobody can approve what ana@example.com asks for, because a requester never counts and then 1 of two are left for 2`,
		rule("from: [one, same], count: 2"):                                        `asks for 2 approvers of "one, same", which has 1 people`,
		rule("from: [one, oncall], count: 2, distinct_groups: true"):               ``,
		rule("from: [two, one], count: 2, distinct_groups: true"):                  `nobody can approve what ana@example.com asks for`,
		head + "protect: [{name: t, tags: [a], then: {from: one}}]\n":              `8:10: warning: protect "t": nobody can approve what ana@example.com asks for`,
		rule("from: oncall, escalate: [{after: 5m, to: oncall}]"):                  `rule "x" escalates to "oncall", which it asks from the start`,
		rule("from: two"):                                                          `3:3: warning: group "one" is asked nowhere`,
		"version: 1\n":                                                             `1:1: warning: nobody can approve isolate_devices, release_devices, run_script where no rule says otherwise`,
		head + "defaults: {from: two}\n":                                           `has "defaults" twice`,
		"version: 1\ngroups: {two: {people: [a@b, c@d]}}\ndefaults: {from: two}\n": `the default table for risk execute: nobody can approve what a@b asks for`,
		"version: 1\ngroups: {two: {people: [a@b, c@d]}}\ndefaults: {from: two, unverified_extra: 2}\n":                                `the default table for risk contain: nobody can approve what an unverified requester asks for: that takes 3 of two`,
		head + "rules:\n- {name: x, outcome: approve, expires: 5m, remind_after: 4m}\n":                                                ``,
		strings.Replace(head, "oncall}\n", "oncall, remind_after: 10m}\n", 1) + "rules:\n- {name: x, outcome: approve, expires: 5m}\n": `rule "x" expires (5m) before its approvers are reminded (10m)`,
	} {
		_, got := reviewed(text, known())
		if want == "" {
			require.NotContains(t, got, `rule "x"`, text)
			continue
		}
		require.Contains(t, got, want, text)
	}
	k := known()
	k.Approvers = oncall
	_, got := reviewed("version: 1\n", k)
	require.Empty(t, got, "the configured group serves")
	distinct := rule("from: [one, same, oncall], count: 3, distinct_groups: true")
	_, got = reviewed(distinct, known())
	require.Contains(t, got, `error: rule "x" asks for 3 people of distinct groups, and the lists of one, same, oncall have too few people who differ`)
}

func TestAReviewListsEveryFaultInTheOrderOfTheFile(t *testing.T) {
	t.Parallel()
	p, got := reviewed("version: 2\nrules:\n- {name: x, tools: [isolate_device], outcome: deny, when: foo}\n- {name: y, outcome: maybe}\n", known())
	require.Nil(t, p)
	require.Equal(t, []string{"1:10: error", "3:21: error", "3:59: error", "4:22: error"}, firsts(strings.Split(got, "\n")))
}

func firsts(lines []string) []string {
	var out []string
	for _, l := range lines {
		parts := strings.SplitN(l, ": ", 3)
		out = append(out, parts[0]+": "+parts[1])
	}
	return out
}

func TestAnExplanationNamesEveryRuleAndWhy(t *testing.T) {
	t.Parallel()
	p := parsed(t, groupsHead+`rules:
- {name: scripts, tools: [run_script], outcome: deny}
- {name: exposing, risks: [expose], outcome: deny}
- {name: tagged, tags: [dc, x], outcome: deny}
- {name: valued, when: 'target.value == "High"', outcome: approve, from: leads}
protect: [{name: floor, tags: [p], then: {count: 2, from: approvers}}]
`)
	c := fleet(approvals.Target{ID: "a", Name: "a\u202eb"}, approvals.Target{ID: "b"}, approvals.Target{ID: "c", Value: "High", Tags: []string{"p"}})
	e := p.Explain(c)
	require.Equal(t, p.Decide(c), e.Decision)
	require.Len(t, e.Targets, 3)
	require.Equal(t, []policy.Passed{
		{Rule: "scripts", Why: "it is for run_script"},
		{Rule: "exposing", Why: "it is for tools of risk expose"},
		{Rule: "tagged", Why: "the target has no tag dc, x"},
		{Rule: "valued", Why: `it is not so that target.value == "High"`},
	}, e.Targets[0].Passed[:4])
	require.Equal(t, "valued", e.Targets[2].Decision.Rule)
	require.Len(t, e.Extras, 1)
	text := e.String()
	require.Contains(t, text, `approve by 1 of oncall and 1 of leads and 2 of approvers (rule "default-contain, valued, floor")`)
	require.Contains(t, text, `target "a" ("a\u202eb") and 1 more: rule "default-contain" says approve`)
	require.Contains(t, text, "floor: target c is protected")
	c = call(approvals.RiskRead)
	c.Tool = "find_devices"
	e = p.Explain(c)
	require.Nil(t, e.Targets[0].Target)
	require.Contains(t, e.String(), `passed "tagged": it is about devices, and the call has none`)
	require.Contains(t, e.String(), `passed "valued": it is about devices, and the call has none`)
}

func TestGroupsOfTheRequesterAreTheListsThatHoldThem(t *testing.T) {
	t.Parallel()
	p := ruled(t, `"leads" in requester.groups`)
	c := oneDevice()
	require.NotEqual(t, "x", p.Decide(c).Rule)
	c.Requester.Aliases = []string{"ANA@example.com"}
	require.Equal(t, "x", p.Decide(c).Rule, "by any of their names")
	c.Requester.Verified = false
	require.NotEqual(t, "x", p.Decide(c).Rule, "whoever is not verified could be anybody")
}
