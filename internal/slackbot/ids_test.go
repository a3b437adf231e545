package slackbot_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

func TestARequestMayBeNamedByItsBeginning(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	_, id := h.isolate(t)
	require.Contains(t, h.typed(t, slacksim.Alice, "request "+id[:4]).Reply, id)
	require.Contains(t, h.typed(t, slacksim.Alice, "request "+id[:3]).Reply, "not a request id")
	h.typed(t, slacksim.Alice, "cancel-request "+id[:5])
	require.Equal(t, approvals.Cancelled, h.state(t, id).State)
	require.Contains(t, h.typed(t, slacksim.Alice, "undo ZZZZ because x").Reply, "No recent request begins with")
}
