package policy_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/policy"
)

const casesOf = groupsHead + `rules:
- {name: busy, when: 'recent("1h", "contain") > 3', outcome: approve, count: 2, from: [leads, approvers]}
- {name: mine, when: '"leads" in requester.groups && args.n == 3 && args.list[1].a == "x" && time.hour == 10', outcome: confirm}
`

func TestCasesThatComeOutWrongSayWhatWasWantedAndWhatCame(t *testing.T) {
	t.Parallel()
	p := parsed(t, casesOf)
	cases, err := policy.ReadCases("p_test.yaml", []byte(`cases:
- name: fine
  tool: isolate_devices
  args: {n: 3, list: [~, {a: x}], f: 1.5, b: true}
  targets: [{id: d, last_seen: 2026-03-01T00:00:00Z}]
  requester: {id: Eve@example.com, groups: [leads]}
  at: 2026-03-02T09:00:00Z
  want: {outcome: confirm, rule: mine}
- name: counted
  tool: isolate_devices
  targets: [{}]
  recent: [{window: 1h, risk: contain, count: 4}]
  want: {outcome: approve, count: 2, from: [leads, approvers]}
- name: wrong outcome
  tool: isolate_devices
  targets: [{}]
  recent: [{window: 1h, risk: contain, count: 4}]
  want: {outcome: deny, rule: nothing, why: because}
- {name: wrong count, tool: isolate_devices, targets: [{}], recent: [{window: 1h, risk: contain, count: 4}], want: {outcome: approve, count: 1, from: leads}}
- {name: no tool, tool: isolate_device, want: {outcome: deny}}
- {name: no list, tool: find_devices, requester: {groups: [oncall]}, want: {outcome: allow}}
- {name: no window, tool: find_devices, recent: [{window: 2h, count: 1}], want: {outcome: allow}}
- {name: missing quorum, tool: isolate_devices, targets: [{}], recent: [{window: 1h, risk: contain, count: 4}], want: {outcome: approve, count: 2, also: [{count: 1}]}}
`))
	require.NoError(t, err)
	results := p.Try(cases)
	require.Len(t, results, 8)
	for i, want := range []string{
		"line 2: ok: fine: confirm",
		"line 9: ok: counted: approve by 2 of leads or approvers",
		"line 14: FAILED: wrong outcome\n  the outcome is approve, not deny\n  the rule is \"busy\", not \"nothing\"\n  the reason does not say \"because\"\n  want: deny (rule \"nothing\") because of \"because\"\n  got:  approve by 2 of leads or approvers (rule \"busy\")\n",
		"no quorum is 1 of leads",
		`there is no tool "isolate_device"; did you mean "isolate_devices"?`,
		`the policy has no list "oncall"`,
		"the policy doesn't ask for this count",
		"1 quorums have to be met, not 2",
	} {
		require.Contains(t, results[i].String(), want)
		require.Equal(t, i < 2, results[i].OK(), want)
	}
}

func TestFaultsOfCasesAreNamedInTheirPlace(t *testing.T) {
	t.Parallel()
	one := func(keys string) string { return "cases:\n- {name: x, tool: t, " + keys + "}\n" }
	for text, want := range map[string]string{
		"":                                      "the file is empty",
		"case: []\n":                            `p.yaml:1:1: a file of cases has no key "case"; did you mean "cases"?`,
		"cases: []\n":                           "the file has no cases",
		"cases:\n- {}\n":                        "this one has no name",
		one("args: {}"):                         "this one has no want",
		one("want: {}"):                         "want needs an outcome",
		one("want: {outcome: yes}"):             "want needs an outcome",
		one("want: {outcome: deny, count: 1}"):  "belong to outcome approve",
		one("want: {outcome: deny, cuont: 1}"):  `did you mean "count"?`,
		one("want: {outcome: deny}, at: noon"):  "at must be a time such as",
		one("want: {outcome: deny}, args: [a]"): "args must be a mapping",
		one("want: {outcome: deny}, args: {a: !!str x}"):                               "args holds an anchor",
		one("want: {outcome: deny}, targets: [{tagz: [a]}]"):                           `p.yaml:2:56: a target has no key "tagz"; did you mean "tags"?`,
		one("want: {outcome: deny}, requester: {via: mail}"):                           "via must be mcp, slack or shell",
		one("want: {outcome: deny}, recent: [{count: 1}]"):                             "needs window and count",
		one("want: {outcome: deny}") + "- {name: x, tool: t, want: {outcome: deny}}\n": `two cases are called "x"`,
	} {
		_, err := policy.ReadCases("p.yaml", []byte(text))
		var faults *policy.Faults
		require.True(t, errors.As(err, &faults), text)
		require.Contains(t, err.Error(), want, text)
	}
}

// FuzzReadCases fails when a file of cases makes the reader or the policy panic, or when a case is answered otherwise than
// Decide would.
func FuzzReadCases(f *testing.F) {
	f.Add([]byte("cases:\n- {name: x, tool: isolate_devices, targets: [{id: d, tags: [a]}], want: {outcome: approve, count: 1, from: oncall}}\n"))
	f.Add([]byte("cases:\n- name: y\n  tool: run_script\n  args: {n: 3, list: [~, {a: x}]}\n  recent: [{window: 1h, risk: contain, count: 9}]\n  want: {outcome: deny, why: x}\n"))
	f.Add([]byte("cases:\n- {name: z, tool: find_devices, requester: {id: a, slack: T/U, via: mcp, agent: b, verified: false, groups: [leads]}, at: 2026-03-02T09:00:00Z, break_glass: true, want: {outcome: allow}}\n"))
	f.Add([]byte("cases: [{args: {<<: {}}}]"))
	f.Add([]byte("- - ? :"))
	p := parsed(f, casesOf)
	f.Fuzz(func(t *testing.T, data []byte) {
		cases, err := policy.ReadCases("p.yaml", data)
		if err != nil {
			var faults *policy.Faults
			require.True(t, errors.As(err, &faults))
			require.NotEmpty(t, faults.List)
			return
		}
		require.NotEmpty(t, cases)
		for _, r := range p.Try(cases) {
			require.NotEmpty(t, r.String())
			if r.OK() {
				require.Equal(t, r.Case.Want.Outcome, r.Got.Outcome)
				require.Contains(t, []approvals.Outcome{approvals.Allow, approvals.Confirm, approvals.Approve, approvals.Deny}, r.Got.Outcome)
			}
		}
	})
}
