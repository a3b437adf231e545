package mdecore_test

import (
	"archive/zip"
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func TestInvestigationPackageInTheSimulatedTenant(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	tenant := &mdesim.Tenant{ActionRunning: time.Hour, ActionPending: -1, TokenLife: 24 * time.Hour, Clock: func() time.Time { return now }}
	c, opts := simulated(t, tenant, nil), mdecore.DownloadOptions{}
	ctx := t.Context()
	action, err := c.CollectInvestigationPackage(ctx, tenant.Device("host01").ID, mdecore.PackageRequest{Comment: "look"})
	require.NoError(t, err)
	var file bytes.Buffer
	_, err = c.DownloadInvestigationPackage(ctx, action.ID, &file, opts)
	var notReady *mdecore.NotReadyError
	require.ErrorAs(t, err, &notReady)
	require.True(t, mdecore.IsNotFound(err))
	require.ErrorContains(t, err, "wait until the action has succeeded")
	now = now.Add(6 * time.Hour)
	var seen int64
	opts.Progress = func(done, _ int64) { seen = done }
	result, err := c.DownloadInvestigationPackage(ctx, action.ID, &file, opts)
	require.NoError(t, err)
	require.EqualValues(t, file.Len(), result.Bytes)
	require.Equal(t, result.Bytes, seen)
	archive, err := zip.NewReader(bytes.NewReader(file.Bytes()), int64(file.Len()))
	require.NoError(t, err)
	require.NotEmpty(t, archive.File)
}
