package tools

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/tools/toolstest"
)

func TestWhoAsksForTheSameIsToldThatTheyCantApproveIt(t *testing.T) {
	t.Parallel()
	o := switchboard(t)
	ask := func(who approvals.Requester) Result {
		res, err := o.d.Call(t.Context(), Call{
			Tool: "isolate_devices", Args: json.RawMessage(`{"devices":["host01"],"reason":"beaconing"}`), Requester: who,
		})
		require.NoError(t, err)
		return res
	}
	bob := approvals.Requester{Person: approvals.Person{ID: "bob@contoso.com"}, Verified: true, Via: approvals.ViaSlack}
	first, again := ask(toolstest.Alice()), ask(toolstest.Alice())
	joined := ask(bob)
	require.Equal(t, first.Request.ID, joined.Request.ID)
	for _, own := range []Result{first, again} {
		require.Empty(t, own.Joined, "it is their own")
		require.NotContains(t, own.Text, "asked for it too")
	}
	const told = "alice@contoso.com asked for the same before, so this is that request. You can't approve it, because you asked for it too; someone else must decide."
	require.Equal(t, told, joined.Joined)
	require.Contains(t, joined.Text, told)
	view, ok := joined.Output.(requestView)
	require.True(t, ok)
	require.Equal(t, told+" "+joined.Request.Message, view.Message)
}
