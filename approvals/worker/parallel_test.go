package worker_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
)

func TestNoMoreStepsAreUnderWayThanThePlanAllows(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		plan := lab.Plan("isolate_devices", 7)
		plan.Parallel = 3
		r := l.Submit(plan)
		l.Approve(r.ID, "bob")
		l.Tenant.Forecast(lab.Fair, lab.AnswerLost)
		l.Work(r.ID)
		require.Len(t, l.Tenant.Sends(), 3, "one of them without an answer, which is under way as well")
		l.Work(r.ID)
		require.Len(t, l.Tenant.Sends(), 3)
		for range 20 {
			next(l, r.ID, "Failed") // that one failed holds up no other
			under := 0
			for _, s := range l.Get(r.ID).Steps {
				if s.State == approvals.StepSending || s.State == approvals.StepAccepted {
					under++
				}
			}
			require.LessOrEqual(t, under, 3)
		}
		require.Equal(t, approvals.Failed, l.Get(r.ID).State)
		require.Len(t, l.Tenant.Effects(), 7)
		l.Verified()
	})
}

func TestAPlanForLessThanNoStepsAtATimeIsRefused(t *testing.T) {
	plan := lab.Plan("isolate_devices", 2)
	plan.Parallel = -1
	require.ErrorContains(t, plan.Check(), "under way")
}
