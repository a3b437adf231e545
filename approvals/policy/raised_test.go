package policy_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/policy"
)

// withRaised has a tool some of whose plans have a higher risk.
func withRaised() policy.Known {
	k := known()
	k.Tools["set_level"] = approvals.ToolInfo{Risk: approvals.RiskContain, Raised: approvals.RiskExecute}
	return k
}

func TestRulesAreReviewedForBothRisksOfATool(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"- {name: x, tools: [set_level], risks: [expose], outcome: deny}\n":                                                            "none of its tools (set_level: contain, set_level: execute) has one of its risks",
		"- {name: a, risks: [contain, execute], outcome: deny}\n- {name: x, tools: [set_level], outcome: deny}\n":                      `rule "x" can never match: "a" before it`,
		"- {name: x, tools: [set_level], risks: [execute], outcome: allow}\n":                                                          `rule "x" lets set_level run on every device`,
		"- {name: x, tools: [set_level], outcome: allow}\n":                                                                            `rule "x" lets set_level run on every device`,
		"- {name: x, tools: [set_level, isolate_devices], risks: [execute], outcome: deny}\n":                                          `rule "x" never matches isolate_devices: contain`,
		"- {name: x, tools: [set_level], risks: [contain], when: 'risk == \"execute\"', outcome: deny}\n":                              "asks for another tool or risk",
		"- {name: a, risks: [execute], outcome: deny}\n- {name: x, tools: [set_level, run_script], risks: [execute], outcome: deny}\n": `"x" can never match`,
	} {
		_, got := reviewed(groupsHead+"rules:\n"+text, withRaised())
		require.Contains(t, got, want, text)
	}
	for _, text := range []string{
		"- {name: x, tools: [set_level], risks: [execute], outcome: deny}\n",
		"- {name: a, risks: [contain], outcome: deny}\n- {name: x, tools: [set_level], outcome: deny}\n",
		"- {name: x, tools: [set_level], risks: [contain], outcome: allow}\n",
		"- {name: x, tools: [set_level], when: 'risk == \"execute\"', outcome: deny}\n",
	} {
		_, got := reviewed(groupsHead+"rules:\n"+text, withRaised())
		require.NotContains(t, got, "never match", text)
		require.NotContains(t, got, "lets", text)
	}
}

func TestACaseMayStateTheHigherRiskOfATool(t *testing.T) {
	t.Parallel()
	p, err := policy.Parse("p.yaml", []byte(groupsHead+"rules:\n- {name: lower, tools: [set_level], risks: [execute], outcome: approve, count: 2, from: approvers}\n"), withRaised())
	require.NoError(t, err)
	cases, err := policy.ReadCases("p_test.yaml", []byte(`cases:
- {name: lowering, tool: set_level, risk: execute, targets: [{}], want: {outcome: approve, count: 2, rule: lower}}
- {name: raising, tool: set_level, targets: [{}], want: {outcome: approve, count: 1, rule: default-contain}}
- {name: none of its risks, tool: set_level, risk: destroy, targets: [{}], want: {outcome: deny}}
`))
	require.NoError(t, err)
	results := p.Try(cases)
	require.True(t, results[0].OK(), results[0].String())
	require.True(t, results[1].OK(), results[1].String())
	require.Contains(t, results[2].String(), `plans of set_level never have risk "destroy"`)
}
