package worker_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
)

// five is the limit that the issue gives as its example, on what the store counted and not on what a test says.
const five = "limits:\n  blast_radius:\n  - {risks: [contain], window: 1h, targets: 5, then: {count: 2}}\n"

// isolates has so many devices isolated, one call each, by one vote each.
func isolates(t *testing.T, l *lab.Lab, n int) {
	t.Helper()
	for range n {
		r := approved(l, 1)
		require.Equal(t, 1, r.Quorum[0].Count)
		require.Equal(t, approvals.Succeeded, l.Settle(r.ID).State)
	}
}

func TestTheSixthIsolationOfAnHourNeedsTwo(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		l.Use(lab.ParsePolicy(t, five))
		isolates(t, l, 5)
		sixth := approved(l, 1)
		require.Equal(t, 2, sixth.Quorum[0].Count)
		require.Equal(t, approvals.Pending, sixth.State)
		l.Work(sixth.ID)
		require.Len(t, l.Tenant.Sends(), 5)
		l.Approve(sixth.ID, "cat")
		require.Equal(t, approvals.Succeeded, l.Settle(sixth.ID).State)
		l.Clock.Advance(time.Hour)
		isolates(t, l, 1)
		l.Verified()
	})
}

// What is asked for at the same time is counted when it is voted on, so that asking first is no way round the limit.
func TestSixIsolationsAskedForAtOnceAreCountedAtTheVote(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		l.Use(lab.ParsePolicy(t, five))
		var all []approvals.Request
		for range 6 {
			all = append(all, l.Submit(lab.Plan("isolate_devices", 1)))
		}
		for _, r := range all {
			require.Equal(t, 1, r.Quorum[0].Count)
			l.Clock.Advance(time.Second)
			l.Approve(r.ID, "bob")
		}
		require.Equal(t, approvals.Approved, l.Get(all[4].ID).State)
		require.Equal(t, approvals.Pending, l.Get(all[5].ID).State)
		for _, r := range all {
			l.Work(r.ID)
		}
		require.Len(t, l.Tenant.Sends(), 5)
		l.Verified()
	})
}

// "Then everything needs two" is a rule, because a limit asks for more of what it counts.
func TestAfterFiveIsolationsEverythingNeedsTwo(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		l.Use(lab.ParsePolicy(t, "rules:\n- {name: busy hour, risks: [contain, expose, execute], when: 'recent(\"1h\", \"contain\") >= 5', outcome: approve, count: 2}\n"))
		isolates(t, l, 4)
		require.Equal(t, 1, l.Submit(lab.Plan("release_devices", 1)).Quorum[0].Count)
		isolates(t, l, 1)
		for _, tool := range []string{"isolate_devices", "release_devices", "run_script"} {
			r := l.Submit(lab.Plan(tool, 1))
			require.Equal(t, 2, r.Quorum[0].Count, tool)
			require.Equal(t, "busy hour", r.Rule, tool)
		}
		l.Verified()
	})
}
