package policy_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/policy"
)

const mixed = `version: 1
groups: {oncall: {slack: S1}, leads: {slack: S2}}
defaults: {from: oncall, reason: optional, max_targets: 50}
rules:
  - {name: never, tags: [life-support], outcome: deny, why: patients depend on it}
  - {name: printers, tags: [printer], outcome: approve, count: 1}
  - {name: kiosks, tags: [kiosk], outcome: approve, count: 3, expires: 5m}
  - {name: tier-0, tags: [tier-0], outcome: approve, count: 2, from: leads, expires: 2h, reason: required, max_targets: 3}
  - {name: lab, only_tags: [lab], outcome: allow}
  - {name: own, only_tags: [own], outcome: confirm}
`

// TestEachTargetIsAnsweredByItself decides fleets, in every order of their targets.
func TestEachTargetIsAnsweredByItself(t *testing.T) {
	p, err := policy.Parse("policy.yaml", []byte(mixed), known())
	require.NoError(t, err)
	oncall, leads := approvals.Group{Name: "oncall", Slack: "S1"}, approvals.Group{Name: "leads", Slack: "S2"}
	for name, c := range map[string]struct {
		tags    []string
		outcome approvals.Outcome
		quorums []approvals.Quorum
	}{
		"two groups":              {[]string{"printer", "tier-0"}, approvals.Approve, []approvals.Quorum{{Count: 1, From: oncall}, {Count: 2, From: leads}}},
		"the larger of one group": {[]string{"printer", "kiosk", "office"}, approvals.Approve, []approvals.Quorum{{Count: 3, From: oncall}}},
		"a no":                    {[]string{"printer", "lab", "life-support"}, approvals.Deny, nil},
		"free and not":            {[]string{"lab", "office"}, approvals.Approve, []approvals.Quorum{{Count: 1, From: oncall}}},
		"own and free":            {[]string{"lab", "own"}, approvals.Confirm, nil},
		"own and not":             {[]string{"own", "tier-0", "lab"}, approvals.Approve, []approvals.Quorum{{Count: 2, From: leads}}},
		"all free":                {[]string{"lab", "lab"}, approvals.Allow, nil},
	} {
		for range c.tags {
			c.tags = append(c.tags[1:], c.tags[0])
			d := p.Decide(tagged("isolate_devices", approvals.RiskContain, c.tags...))
			require.Equal(t, c.outcome, d.Outcome, "%s: %v", name, c.tags)
			require.ElementsMatch(t, c.quorums, d.Quorums(), "%s: %v", name, c.tags)
		}
	}
	d := p.Decide(tagged("isolate_devices", approvals.RiskContain, "kiosk", "tier-0", "lab"))
	require.Equal(t, "kiosks, tier-0", d.Rule)
	require.Equal(t, 5*time.Minute, d.Expires)
	require.Equal(t, 15*time.Minute, d.StartBefore)
	require.Equal(t, 3, d.MaxTargets)
	require.True(t, d.ReasonRequired)
	d = p.Decide(tagged("isolate_devices", approvals.RiskContain, "printer", "life-support"))
	require.Equal(t, "never", d.Rule)
	require.Equal(t, "target life-support: patients depend on it; leave it out", d.Why)
	d = p.Decide(tagged("isolate_devices", approvals.RiskContain, "life-support", "life-support"))
	require.Equal(t, "patients depend on it", d.Why, "nothing to leave out")
	unverified := tagged("isolate_devices", approvals.RiskContain, "printer", "tier-0")
	unverified.Requester.Verified = false
	require.ElementsMatch(t, []approvals.Quorum{{Count: 2, From: oncall}, {Count: 3, From: leads}}, p.Decide(unverified).Quorums())
}
