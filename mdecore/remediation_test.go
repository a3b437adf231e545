package mdecore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func TestRemediationTasksCountTheirMachines(t *testing.T) {
	t.Parallel()
	c := simulated(t, &mdesim.Tenant{Devices: 120}, nil)
	tasks := itemsOf(t, c.ListRemediationTasks(t.Context(), mdecore.Query{Filter: "status eq 'Active'"}))
	require.NotEmpty(t, tasks)
	for _, task := range tasks {
		require.Equal(t, mdecore.RemediationActive, task.Status)
		require.Empty(t, task.CompletionMethod)
		require.Equal(t, mdecore.Strings{"The-A-Team"}, task.RbacGroupNames)
		require.Len(t, itemsOf(t, c.ListRemediationTaskMachines(t.Context(), task.ID)), int(task.TargetDevices-task.FixedDevices))
	}
	one, err := c.GetRemediationTask(t.Context(), tasks[0].ID)
	require.NoError(t, err)
	require.Equal(t, tasks[0], one)
}

func TestScores(t *testing.T) {
	t.Parallel()
	c := simulated(t, &mdesim.Tenant{Devices: 120}, nil)
	whole, err := c.GetExposureScore(t.Context())
	require.NoError(t, err)
	groups := itemsOf(t, c.ListExposureScoreByMachineGroup(t.Context()))
	require.Len(t, groups, 1)
	require.Equal(t, "The-A-Team", groups[0].RbacGroupName)
	require.InDelta(t, float64(whole.Score), float64(groups[0].Score), 1e-9, "there is one group")
	require.Greater(t, float64(whole.Score), 0.0)
	require.Less(t, float64(whole.Score), 100.0)
	secure, err := c.GetDeviceSecureScore(t.Context())
	require.NoError(t, err)
	require.Greater(t, float64(secure.Score), 0.0)
	require.False(t, secure.Time.IsZero())
}
