package mdecore_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
)

// startedActions are the methods that start an action of a machine, with the type that the service gives to it.
func startedActions(ctx context.Context, c *mdecore.Client) map[mdecore.ActionType]func() error {
	return map[mdecore.ActionType]func() error{
		mdecore.ActionIsolate: func() error {
			return second(c.IsolateMachine(ctx, machineID, mdecore.IsolateRequest{Comment: "a", IsolationType: mdecore.IsolationFull}))
		},
		mdecore.ActionUnisolate: func() error {
			return second(c.UnisolateMachine(ctx, machineID, mdecore.UnisolateRequest{Comment: "a"}))
		},
		mdecore.ActionRestrictCodeExecution: func() error {
			return second(c.RestrictCodeExecution(ctx, machineID, mdecore.RestrictRequest{Comment: "a"}))
		},
		mdecore.ActionUnrestrictCodeExecution: func() error {
			return second(c.UnrestrictCodeExecution(ctx, machineID, mdecore.UnrestrictRequest{Comment: "a"}))
		},
		mdecore.ActionRunAntiVirusScan: func() error {
			return second(c.RunAntiVirusScan(ctx, machineID, mdecore.ScanRequest{Comment: "a", ScanType: mdecore.ScanFull}))
		},
		mdecore.ActionStopAndQuarantineFile: func() error {
			return second(c.StopAndQuarantineFile(ctx, machineID, mdecore.QuarantineRequest{Comment: "a", SHA1: fileSHA1}))
		},
		mdecore.ActionCollectInvestigationPackage: func() error {
			return second(c.CollectInvestigationPackage(ctx, machineID, mdecore.PackageRequest{Comment: "a"}))
		},
		mdecore.ActionOffboard:     func() error { return second(c.OffboardMachine(ctx, machineID, mdecore.OffboardRequest{Comment: "a"})) },
		mdecore.ActionLiveResponse: func() error { return second(c.RunLiveResponse(ctx, machineID, live(mdecore.GetFile{Path: "/x"}))) },
	}
}

// An answer of another type says that something else is under way than was approved. Whether what was asked for is, too,
// nobody knows.
func TestAnActionOfAnotherTypeIsNoSuccess(t *testing.T) {
	t.Parallel()
	var kind string
	s := newService(t, func(w http.ResponseWriter, r *http.Request) {
		answer(201, `{"id":"`+actionID+`","type":"`+kind+`","status":"Pending","machineId":"`+machineID+`"}`)(w, r)
	})
	started := startedActions(t.Context(), s.clientOf(t))
	require.Len(t, started, 9)
	for want, start := range started {
		for other := range started {
			kind = string(other)
			err := start()
			if other == want {
				require.NoError(t, err)
				continue
			}
			require.True(t, mdecore.Uncertain(err), "%s for %s: %v", other, want, err)
			require.ErrorContains(t, err, string(want))
			require.ErrorContains(t, err, actionID, "so that it can be looked at")
		}
		for _, kind = range []string{"", "SomethingNew"} {
			require.NoError(t, start(), "%s: pages differ in what they call an action", want)
		}
	}
	kind = "UNISOLATE"
	require.True(t, mdecore.Uncertain(started[mdecore.ActionIsolate]()))
	require.NoError(t, started[mdecore.ActionUnisolate]())
}
