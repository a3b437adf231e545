package mdecore_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func TestInvestigationsInTheSimulatedTenant(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{ActionPending: -1, ActionRunning: -1}
	var logged bytes.Buffer
	c := simulated(t, tenant, func(_ *azpipe.CredentialConfig, o *mdecore.Options) {
		o.Logger = slog.New(slog.NewTextHandler(&logged, nil))
	})
	host := tenant.Device("host01").ID
	started, err := c.StartInvestigation(t.Context(), host, mdecore.StartInvestigationRequest{Comment: "look"})
	require.NoError(t, err)
	got, err := c.GetInvestigation(t.Context(), string(started.ID))
	require.NoError(t, err)
	require.Equal(t, mdecore.InvestigationBenign, got.State)
	require.Equal(t, host, got.MachineID)
	require.False(t, got.EndTime.IsZero())
	linked := 0
	for i, err := range c.ListInvestigations(t.Context(), mdecore.Query{Page: mdecore.Page{Top: 4}}) {
		require.NoError(t, err)
		if i.TriggeringAlertID == "" {
			continue
		}
		linked++
		alert, err := c.GetAlert(t.Context(), i.TriggeringAlertID)
		require.NoError(t, err)
		require.Equal(t, i.State, alert.InvestigationState)
		byAlert, err := c.GetInvestigation(t.Context(), alert.ID)
		require.NoError(t, err)
		require.Equal(t, i, byAlert)
	}
	require.Equal(t, 3, linked)
	require.Equal(t, 3, strings.Count(logged.String(), "level=WARN"), "once for each method")
	require.Contains(t, logged.String(), "2026-09-01")
	require.Contains(t, logged.String(), "op=StartInvestigation")
}
