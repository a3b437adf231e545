package approvals_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
)

func TestAnEscalationIsListedOnceAndOnlyWhenItComes(t *testing.T) {
	t.Parallel()
	one, two := approvals.Group{Name: "one", Slack: "S1"}, approvals.Group{Name: "two", Slack: "S2"}
	at := time.Unix(1_700_000_000, 0)
	then := []approvals.Escalation{{After: 0, To: two}, {After: time.Minute, To: two}, {After: time.Hour, To: one}}
	r := approvals.Request{CreatedAt: at, ExpiresAt: at.Add(time.Hour), Quorum: []approvals.Quorum{
		{Count: 1, From: one, Then: then[1:]}, {Count: 1, From: one, Then: then},
	}}
	require.Equal(t, []approvals.Escalation{{After: time.Minute, To: two}}, r.Escalations(), "what begins at once or at the end is none")
	require.Equal(t, []approvals.Group{one, two}, r.VotersAt(at), "the second quorum asks it from the start")
	r.Quorum = r.Quorum[:1]
	require.Equal(t, []approvals.Group{one}, r.VotersAt(at))
	require.Equal(t, []approvals.Group{one, two}, r.VotersAt(at.Add(time.Minute)))
}
