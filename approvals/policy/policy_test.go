package policy_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/policy"
)

var oncall = approvals.Group{Name: "oncall", Slack: "S0001"}

func byDefault(t *testing.T, o policy.DefaultOptions) *policy.Policy {
	t.Helper()
	p, err := policy.Default(o)
	require.NoError(t, err)
	return p
}

func call(risk approvals.Risk) approvals.Call {
	return approvals.Call{Tool: "tool", Risk: risk, Requester: approvals.Requester{
		Person: approvals.Person{ID: "ann@example.com"}, Verified: true, Via: approvals.ViaSlack,
	}}
}

func TestTheDefaultTable(t *testing.T) {
	p := byDefault(t, policy.DefaultOptions{ApproverGroup: oncall})
	for risk, want := range map[approvals.Risk]struct {
		outcome approvals.Outcome
		count   int
	}{
		approvals.RiskRead:     {approvals.Allow, 0},
		approvals.RiskAnnotate: {approvals.Confirm, 0},
		approvals.RiskCollect:  {approvals.Approve, 1},
		approvals.RiskContain:  {approvals.Approve, 1},
		approvals.RiskExpose:   {approvals.Approve, 1},
		approvals.RiskExecute:  {approvals.Approve, 2},
		approvals.RiskDestroy:  {approvals.Approve, 2},
		approvals.RiskOff:      {approvals.Deny, 0},
		"":                     {approvals.Deny, 0},
		"Read":                 {approvals.Deny, 0},
	} {
		d := p.Decide(call(risk))
		require.Equal(t, want.outcome, d.Outcome, risk)
		require.Equal(t, want.count, d.Quorum.Count, risk)
		switch d.Outcome {
		case approvals.Approve:
			require.Equal(t, oncall, d.Quorum.From)
			require.Equal(t, 30*time.Minute, d.Expires)
			require.Equal(t, 15*time.Minute, d.StartBefore)
			require.Equal(t, 100, d.MaxTargets)
			require.True(t, d.ReasonRequired)
		case approvals.Deny:
			require.NotEmpty(t, d.Why)
		case approvals.Allow, approvals.Confirm:
			require.Equal(t, risk != approvals.RiskRead, d.ReasonRequired)
		}
	}
}

func TestNobodyToAskIsANo(t *testing.T) {
	p := byDefault(t, policy.DefaultOptions{ApproverGroup: approvals.Group{Name: "empty"}})
	for _, risk := range approvals.Risks() {
		d := p.Decide(call(risk))
		switch risk {
		case approvals.RiskRead:
			require.Equal(t, approvals.Allow, d.Outcome)
		case approvals.RiskAnnotate:
			require.Equal(t, approvals.Confirm, d.Outcome)
		case approvals.RiskOff:
			require.Equal(t, approvals.Deny, d.Outcome)
		default:
			require.Equal(t, approvals.Deny, d.Outcome, risk)
			require.Contains(t, d.Why, "MDE_APPROVER_GROUP")
		}
	}
}

func TestAnUnverifiedRequesterNeedsOneMore(t *testing.T) {
	p := byDefault(t, policy.DefaultOptions{ApproverGroup: oncall})
	c := call(approvals.RiskContain)
	c.Requester.Verified = false
	require.Equal(t, 2, p.Decide(c).Quorum.Count)
	c.Risk = approvals.RiskDestroy
	require.Equal(t, 3, p.Decide(c).Quorum.Count)
}

func TestTheDigestFollowsTheContent(t *testing.T) {
	a, b := byDefault(t, policy.DefaultOptions{ApproverGroup: oncall}), byDefault(t, policy.DefaultOptions{ApproverGroup: oncall})
	require.Equal(t, a.Digest(), b.Digest())
	require.Len(t, a.Digest(), 64)
	for _, o := range []policy.DefaultOptions{
		{},
		{ApproverGroup: approvals.Group{Name: "oncall", Slack: "S0002"}},
		{ApproverGroup: oncall, MaxTargets: 7},
		{ApproverGroup: oncall, Expires: time.Minute},
		{ApproverGroup: oncall, StartBefore: time.Minute},
	} {
		require.NotEqual(t, a.Digest(), byDefault(t, o).Digest(), o)
	}
	_, err := policy.Default(policy.DefaultOptions{MaxTargets: -1})
	require.ErrorContains(t, err, "can't be negative")
}
