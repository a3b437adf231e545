package mdecore_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
)

func TestBackoff(t *testing.T) {
	t.Parallel()
	next := mdecore.Backoff(2*time.Second, 30*time.Second)
	for asked, want := range map[int]time.Duration{1: 2, 2: 4, 3: 8, 4: 16, 5: 30, 6: 30, 1 << 40: 30} {
		require.Equal(t, want*time.Second, next(nil, asked), asked)
	}
}

func TestWaitAtTheCallersPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := &memTenant{status: statuses("Pending", "Pending", "InProgress", "InProgress", "Succeeded")}
		var seen []string
		start := time.Now()
		action, err := tenant.client(t).WaitMachineAction(t.Context(), actionID, mdecore.WaitOptions{
			Next:     mdecore.Backoff(2*time.Second, 10*time.Second),
			OnChange: func(a *mdecore.MachineAction) { seen = append(seen, string(a.Status)) },
		})
		require.NoError(t, err)
		require.Equal(t, mdecore.ActionSucceeded, action.Status)
		require.Equal(t, 2+4+8+10, int(time.Since(start).Seconds()))
		require.Equal(t, "Pending InProgress Succeeded", strings.Join(seen, " "), "each change once")
	})
}

func TestWaitNeverAsksWithoutAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := &memTenant{status: statuses("Pending")}
		_, err := tenant.client(t).WaitMachineAction(t.Context(), actionID, mdecore.WaitOptions{
			Next: func(*mdecore.MachineAction, int) time.Duration { return -1 }, Max: time.Minute,
		})
		var still *mdecore.StillRunningError
		require.ErrorAs(t, err, &still)
		require.Equal(t, 61, tenant.polls)
	})
}

// The client sends a 429 again by itself when its time is short; what is left for the waiting are the long ones.
func TestWaitOutlivesThrottling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := &memTenant{status: statuses("Pending", "429 90", "InProgress", "429 300", "TimeOut")}
		start := time.Now()
		action, err := tenant.client(t).WaitMachineAction(t.Context(), actionID, mdecore.WaitOptions{})
		require.NoError(t, err)
		require.Equal(t, mdecore.ActionTimeOut, action.Status)
		require.Equal(t, 5+90+5+300, int(time.Since(start).Seconds()))
		require.Equal(t, 5, tenant.polls, "nothing was asked while the service was closed")
	})
}

func TestWaitEndsAtMaxEvenWhenThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := &memTenant{status: statuses("Pending", "429 3600")}
		start := time.Now()
		action, err := tenant.client(t).WaitMachineAction(t.Context(), actionID, mdecore.WaitOptions{Max: time.Minute})
		var still *mdecore.StillRunningError
		require.ErrorAs(t, err, &still)
		require.Equal(t, mdecore.ActionPending, action.Status)
		require.Equal(t, time.Minute, time.Since(start))
	})
}

func TestWaitGivesUpOnOtherFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := &memTenant{status: statuses("Pending", "403")}
		action, err := tenant.client(t).WaitMachineAction(t.Context(), actionID, mdecore.WaitOptions{})
		require.True(t, mdecore.Refused(err))
		require.Equal(t, mdecore.ActionPending, action.Status, "what was seen last is still of use")

		tenant = &memTenant{status: statuses("429 90")}
		action, err = tenant.client(t).WaitMachineAction(t.Context(), actionID, mdecore.WaitOptions{})
		require.Equal(t, 90*time.Second, mdecore.RetryAfter(err))
		require.Nil(t, action, "nothing is known of the action yet, so there is nothing to wait for")
	})
}
