package mdecore_test

import (
	"bytes"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// simulated starts a tenant and a client that signs in for real: azidentity, TLS, signed tokens.
func simulated(t *testing.T, tenant *mdesim.Tenant, change func(*azpipe.CredentialConfig, *mdecore.Options)) *mdecore.Client {
	t.Helper()
	server, err := tenant.Start()
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	ca, err := server.CAFile(t.TempDir())
	require.NoError(t, err)
	cfg := azpipe.CredentialConfig{
		Kind: azpipe.KindSecret, TenantID: mdesim.DefaultTenantID, ClientID: mdesim.DefaultAppID, ClientSecret: mdesim.DefaultAppSecret,
		Authority: server.URL, CAFile: ca,
	}
	opts := mdecore.Options{
		Cloud: mdecore.Custom(server.URL, server.URL, ""), CAFile: ca, RetryDelay: time.Millisecond, WriteTimeout: 5 * time.Second,
	}
	if change != nil {
		change(&cfg, &opts)
	}
	cred, err := azpipe.NewCredential(cfg)
	require.NoError(t, err)
	c, err := mdecore.New(cred, opts)
	require.NoError(t, err)
	return c
}

func TestIsolateAndReleaseInTheSimulatedTenant(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{ActionPending: -1, ActionRunning: 30 * time.Millisecond}
	var logged bytes.Buffer
	c := simulated(t, tenant, func(_ *azpipe.CredentialConfig, o *mdecore.Options) {
		o.Logger = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	ctx, wait := t.Context(), mdecore.WaitOptions{Interval: 10 * time.Millisecond}
	found, err := c.FindMachinesByName(ctx, "host01")
	require.NoError(t, err)
	require.Len(t, found, 1)
	id := found[0].ID
	action, err := c.IsolateMachine(ctx, id, mdecore.IsolateRequest{Comment: "tag-1 why", IsolationType: mdecore.IsolationFull})
	require.NoError(t, err)
	require.Equal(t, mdecore.ActionIsolate, action.Type)
	action, err = c.WaitMachineAction(ctx, action.ID, wait)
	require.NoError(t, err)
	require.Equal(t, mdecore.ActionSucceeded, action.Status)
	require.True(t, tenant.Isolated(id))
	action, err = c.UnisolateMachine(ctx, id, mdecore.UnisolateRequest{Comment: "tag-2 done"})
	require.NoError(t, err)
	_, err = c.IsolateMachine(ctx, id, mdecore.IsolateRequest{Comment: "too early", IsolationType: mdecore.IsolationFull})
	require.True(t, mdecore.Refused(err), "an action is open: %v", err)
	_, err = c.WaitMachineAction(ctx, action.ID, wait)
	require.NoError(t, err)
	require.False(t, tenant.Isolated(id))
	require.Len(t, tenant.Effects(), 2)

	comments := map[string]bool{}
	for a, err := range c.ListMachineActions(ctx, mdecore.Query{Filter: mdecore.Filter("machineId eq '" + id + "'")}) {
		require.NoError(t, err)
		comments[a.RequestorComment] = true
	}
	require.True(t, comments["tag-1 why"] && comments["tag-2 done"])
	require.Contains(t, logged.String(), "IsolateMachine")
	require.NotContains(t, logged.String(), "eyJ")
}

func TestReadingTheSimulatedTenant(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{PageSize: 20}
	c := simulated(t, tenant, nil)
	count := func(seq func(func(*mdecore.Machine, error) bool)) (n int) {
		for _, err := range seq {
			require.NoError(t, err)
			n++
		}
		return n
	}
	require.Equal(t, mdesim.DefaultDevices, count(c.ListMachines(t.Context(), mdecore.Query{})))
	require.Equal(t, 30, count(c.ListMachines(t.Context(), mdecore.Query{Page: mdecore.Page{Top: 30}})))
	ambiguous, err := c.FindMachinesByName(t.Context(), tenant.AmbiguousName())
	require.NoError(t, err)
	require.Greater(t, len(ambiguous), 1)
	byIP, err := c.FindMachinesByIP(t.Context(), netip.MustParseAddr(tenant.AmbiguousIP()), time.Time{})
	require.NoError(t, err)
	require.Greater(t, len(byIP), 1)
	host := tenant.Device("host01")
	m, err := c.GetMachine(t.Context(), host.ID)
	require.NoError(t, err)
	require.Equal(t, "host01.contoso.com", m.ComputerDNSName)
	require.True(t, m.Onboarded())
	if m.AadDeviceID != "" {
		byAad, err := c.FindMachinesByAadDeviceID(t.Context(), m.AadDeviceID)
		require.NoError(t, err)
		require.Len(t, byAad, 1)
		require.Equal(t, m.ID, byAad[0].ID)
	}
	seen := 0
	for a, err := range c.ListAlerts(t.Context(), mdecore.AlertsQuery{ExpandEvidence: true}) {
		require.NoError(t, err)
		if seen++; seen == 1 {
			one, err := c.GetAlert(t.Context(), a.ID)
			require.NoError(t, err)
			require.Equal(t, a.Title, one.Title)
		}
	}
	require.Greater(t, seen, 50)
	_, err = c.GetMachine(t.Context(), "ffffffffffffffffffffffffffffffffffffffff")
	require.True(t, mdecore.IsNotFound(err))
	require.Error(t, drain(c.ListMachines(t.Context(), mdecore.Query{Filter: "nonsense eq"})))
}

func TestRevokedTokensInTheSimulatedTenant(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{}
	c := simulated(t, tenant, nil)
	id := tenant.Device("host01").ID
	_, err := c.GetMachine(t.Context(), id)
	require.NoError(t, err)
	tenant.RevokeTokens()
	_, err = c.IsolateMachine(t.Context(), id, mdecore.IsolateRequest{Comment: "why", IsolationType: mdecore.IsolationFull})
	require.NoError(t, err, "a 401 must be answered with a really new token")
	require.Len(t, tenant.Effects(), 1)
	require.Equal(t, 2, tenant.Writes())
}

func TestFaultsOfTheSimulatedTenant(t *testing.T) {
	t.Parallel()
	for _, kind := range []mdesim.FaultKind{mdesim.FaultCutAfter, mdesim.FaultTruncated, mdesim.FaultStatusAfter, mdesim.FaultContentType} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			tenant := &mdesim.Tenant{}
			c := simulated(t, tenant, nil)
			tenant.Fail(mdesim.Fault{Method: "POST", Path: "/api/**", Kind: kind})
			_, err := c.IsolateMachine(t.Context(), tenant.Device("host01").ID, mdecore.IsolateRequest{Comment: "w", IsolationType: mdecore.IsolationFull})
			require.True(t, mdecore.Uncertain(err), "%v", err)
			require.Len(t, tenant.Effects(), 1, "it was done, and done once")
			require.Equal(t, 1, tenant.Writes())
		})
	}
	t.Run("foreign next link", func(t *testing.T) {
		tenant := &mdesim.Tenant{}
		c := simulated(t, tenant, nil)
		tenant.Fail(mdesim.Fault{Method: "GET", Path: "/api/machines", Kind: mdesim.FaultForeignLink})
		require.ErrorContains(t, drain(c.ListMachines(t.Context(), mdecore.Query{})), mdesim.ForeignHost)
	})
}

func TestCredentialsOfTheSimulatedTenant(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{}
	c := simulated(t, tenant, nil)
	info, err := c.TokenInfo(t.Context())
	require.NoError(t, err)
	require.True(t, info.Has("Machine.Isolate"))
	require.Equal(t, mdesim.DefaultTenantID, info.TenantID)
	require.Equal(t, mdesim.DefaultAppID, info.AppID)

	reader := simulated(t, &mdesim.Tenant{}, func(cfg *azpipe.CredentialConfig, _ *mdecore.Options) {
		cfg.ClientID, cfg.ClientSecret = mdesim.DefaultReaderID, mdesim.DefaultReaderSecret
	})
	_, err = reader.IsolateMachine(t.Context(), tenant.Device("host01").ID, mdecore.IsolateRequest{Comment: "w", IsolationType: mdecore.IsolationFull})
	require.True(t, mdecore.Refused(err))
	require.ErrorContains(t, err, "403")

	wrong := simulated(t, &mdesim.Tenant{}, func(cfg *azpipe.CredentialConfig, _ *mdecore.Options) { cfg.ClientSecret = "wrong-secret-value" })
	_, err = wrong.GetMachine(t.Context(), machineID)
	require.ErrorContains(t, err, "AADSTS7000215")
	require.NotContains(t, err.Error(), "wrong-secret-value")
	require.True(t, mdecore.NotSent(err))
	_, err = wrong.TokenInfo(t.Context())
	require.ErrorContains(t, err, "AADSTS7000215")
}
