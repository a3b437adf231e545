package mdecore_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
)

func TestWritesSendTheDocumentedBodies(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(201, `{"id":"`+actionID+`","status":"Pending","machineId":"`+machineID+`"}`))
	c := s.clientOf(t)
	_, err := c.IsolateMachine(t.Context(), machineID, mdecore.IsolateRequest{Comment: `say "why" <b>`, IsolationType: mdecore.IsolationSelective})
	require.NoError(t, err)
	_, err = c.UnisolateMachine(t.Context(), machineID, mdecore.UnisolateRequest{Comment: "clean"})
	require.NoError(t, err)
	action, err := c.CancelMachineAction(t.Context(), actionID, mdecore.CancelRequest{Comment: "stop"})
	require.NoError(t, err)
	require.Equal(t, mdecore.ActionPending, action.Status)
	calls := s.received()
	require.Equal(t, "/api/machines/"+machineID+"/isolate", calls[0].path)
	require.JSONEq(t, `{"Comment":"say \"why\" <b>","IsolationType":"Selective"}`, calls[0].body)
	require.Equal(t, "/api/machines/"+machineID+"/unisolate", calls[1].path)
	require.JSONEq(t, `{"Comment":"clean"}`, calls[1].body)
	require.Equal(t, "/api/machineactions/"+actionID+"/cancel", calls[2].path)
	require.JSONEq(t, `{"Comment":"stop"}`, calls[2].body)
}

func TestWritesRefuseBadRequestsUnsent(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(201, anything(actionID)))
	c := s.clientOf(t)
	for _, req := range []mdecore.IsolateRequest{
		{Comment: "why"},
		{Comment: "why", IsolationType: "full"},
		{IsolationType: mdecore.IsolationFull},
		{Comment: " \n", IsolationType: mdecore.IsolationFull},
		{Comment: "\xff", IsolationType: mdecore.IsolationFull},
		{Comment: strings.Repeat("x", 4001), IsolationType: mdecore.IsolationFull},
	} {
		_, err := c.IsolateMachine(t.Context(), machineID, req)
		var invalid *mdecore.InvalidError
		require.ErrorAs(t, err, &invalid, "%.40v", req)
		require.Less(t, len(err.Error()), 300, "a huge argument must not fill the log")
	}
	_, err := c.UnisolateMachine(t.Context(), machineID, mdecore.UnisolateRequest{})
	require.ErrorContains(t, err, "comment")
	for _, id := range badIDs() {
		_, err := c.IsolateMachine(t.Context(), id, mdecore.IsolateRequest{Comment: "why", IsolationType: mdecore.IsolationFull})
		require.True(t, mdecore.NotSent(err), "%q", id)
		_, err = c.UnisolateMachine(t.Context(), id, mdecore.UnisolateRequest{Comment: "why"})
		require.True(t, mdecore.NotSent(err), "%q", id)
		_, err = c.CancelMachineAction(t.Context(), id, mdecore.CancelRequest{})
		require.True(t, mdecore.NotSent(err), "%q", id)
	}
	require.Empty(t, s.received())
}

// badIDs could reach another address, or are no ids.
func badIDs() []string {
	return []string{
		"", ".", "..", "a/b", "a\\b", "../x", "a..b", "a%2fb", "a'b", `a"b`, "a b", "a\nb", "a\x00b", "a?b", "a#b", "é", "a;b", "(a)",
		strings.Repeat("a", 201),
	}
}

func TestAcceptedWithoutAnIDIsUncertain(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(201, `{"status":"Pending"}`))
	err := operations(t)["IsolateMachine"].good(t.Context(), s.clientOf(t))
	require.True(t, mdecore.Uncertain(err))
	require.ErrorContains(t, err, "no action id")
}

func TestStatusTerminal(t *testing.T) {
	t.Parallel()
	for status, want := range map[mdecore.ActionStatus]bool{
		"Pending": false, "InProgress": false, "Succeeded": true, "Failed": true, "TimeOut": true, "Cancelled": true, "Canceled": true,
		"": false, "Surprise": false, "succeeded": false,
	} {
		require.Equal(t, want, status.Terminal(), status)
	}
}

// statuses answers with one status after the other and stays at the last.
func statuses(all ...string) func(n int) string {
	return func(n int) string { return all[min(n, len(all)-1)] }
}

func TestWaitMachineAction(t *testing.T) {
	for name, tc := range map[string]struct {
		status func(int) string
		want   mdecore.ActionStatus
		polls  int
		took   time.Duration
		still  bool
	}{
		"done at once": {statuses("Succeeded"), "Succeeded", 1, 0, false},
		"some time":    {statuses("Pending", "InProgress", "InProgress", "Failed"), "Failed", 4, 15 * time.Second, false},
		"unknown":      {statuses("Pending", "Surprise", "TimeOut"), "TimeOut", 3, 10 * time.Second, false},
		"for ever":     {statuses("Pending"), "Pending", 121, 10 * time.Minute, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tenant := &memTenant{status: tc.status}
				c := tenant.client(t)
				start := time.Now()
				action, err := c.WaitMachineAction(t.Context(), actionID, mdecore.WaitOptions{})
				require.Equal(t, tc.want, action.Status)
				require.Equal(t, tc.took, time.Since(start))
				require.Equal(t, tc.polls, tenant.polls)
				var still *mdecore.StillRunningError
				require.Equal(t, tc.still, err != nil)
				if tc.still {
					require.ErrorAs(t, err, &still)
					require.ErrorContains(t, err, "it goes on")
				}
			})
		})
	}
}

func TestWaitMachineActionStopsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := &memTenant{status: statuses("Pending")}
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		action, err := tenant.client(t).WaitMachineAction(ctx, actionID, mdecore.WaitOptions{})
		require.Error(t, err)
		require.Equal(t, mdecore.ActionPending, action.Status, "what was seen last is still of use")
		require.Equal(t, 2, tenant.polls)
	})
}
