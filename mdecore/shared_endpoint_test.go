package mdecore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
)

// Two documented exports have one path, spelled in two ways, and each page states a limit of its own. The service counts
// for both.
func TestExportsOfOnePathShareItsStricterBudget(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, `{"exportFiles":[]}`))
	c, err := mdecore.New(&fakeCred{}, mdecore.Options{Cloud: mdecore.Custom(s.URL, "", "")})
	require.NoError(t, err)
	ctx := mdecore.WithoutWaiting(t.Context())
	health := func() error { return errorOf(c.ExportDeviceAVHealthFiles(ctx, mdecore.ExportFilesOptions{})) }
	gathering := func() error { return errorOf(c.ExportInformationGatheringFiles(ctx, mdecore.ExportFilesOptions{})) }
	for i, call := range []func() error{health, gathering, health, gathering, health} {
		require.NoError(t, call(), "call %d of 5 a minute", i+1)
	}
	for _, call := range []func() error{health, gathering} {
		var over *mdecore.BudgetError
		require.ErrorAs(t, call(), &over)
		require.ErrorContains(t, over, "5 calls a minute and 20 an hour")
	}
	require.Len(t, s.received(), 5)
}
