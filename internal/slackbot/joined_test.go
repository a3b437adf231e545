package slackbot_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func TestWhoTypesTheSameIsToldThatTheyCantApproveIt(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	card, id := h.isolate(t)
	h.typed(t, slacksim.Bob, "isolate "+mdesim.NameHost+" because me too")
	said := h.told(t, slacksim.Bob, id)
	require.Contains(t, said, "You can't approve it, because you asked for it too; someone else must decide.")
	h.press(t, slacksim.Bob, card, "Approve")
	h.told(t, slacksim.Bob, "you asked for the same")
	require.Equal(t, approvals.Pending, h.state(t, id).State)
	require.Zero(t, h.tenant.Writes())
}
