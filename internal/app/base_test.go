package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/tools"
)

// simulated starts a tenant and returns a configuration that points at it.
func simulated(t *testing.T, tenant *mdesim.Tenant, more ...string) (*mdesim.Server, []string) {
	t.Helper()
	server, err := tenant.Start()
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	ca, err := server.CAFile(t.TempDir())
	require.NoError(t, err)
	return server, append([]string{
		"MDE_TENANT_ID=" + mdesim.DefaultTenantID, "MDE_BASE_URL=" + server.URL, "MDE_AUTHORITY=" + server.URL, "MDE_CA_FILE=" + ca,
		"MDE_STORE=" + filepath.Join(t.TempDir(), "gate.db"),
	}, more...)
}

func open(t *testing.T, cfg Config) *Base {
	t.Helper()
	b, err := Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(b.Close)
	return b
}

func TestASecretReachesTheTenant(t *testing.T) {
	t.Parallel()
	_, environ := simulated(t, &mdesim.Tenant{}, "MDE_CLIENT_ID="+mdesim.DefaultReaderID, "MDE_CLIENT_SECRET="+mdesim.DefaultReaderSecret)
	b := open(t, load(t, environ...))
	d, err := b.Dispatcher(b.Config.Read)
	require.NoError(t, err)
	result, err := d.Call(t.Context(), tools.Call{
		Tool: "whoami", Args: []byte(`{}`), Requester: approvals.Requester{Person: approvals.Person{ID: "alice@contoso.com"}, Via: approvals.ViaShell},
	})
	require.NoError(t, err)
	require.Contains(t, result.Text, "alice@contoso.com")
	require.Contains(t, result.Text, "Machine.Read.All")
	require.NotContains(t, result.Text, "eyJ", "roles, never the token")
}

func TestTheSimulatedTenantCleansUp(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	cfg, err := Load(t.Context(), nil, true)
	require.NoError(t, err)
	b, err := Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.Equal(t, SimUser, b.Config.Identity.User)
	b.Close()
	b.Close() // twice is once
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

// A policy that can't be read must stop the start before a store exists that looks like one in use.
func TestABrokenPolicyOpensNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store, file := filepath.Join(dir, "gate.db"), filepath.Join(dir, "policy.yaml")
	require.NoError(t, os.WriteFile(file, []byte("version: 1\nrules:\n  - tools: [isolate_device]\n    outcome: allow\n"), 0o600))
	_, err := Open(t.Context(), load(t, good("MDE_STORE="+store, "MDE_POLICY_FILE="+file)...), slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "policy.yaml:3:")
	require.ErrorContains(t, err, "isolate_device")
	require.NoFileExists(t, store)
}

func TestAnUnusableStoreIsAnError(t *testing.T) {
	t.Parallel()
	_, err := Open(t.Context(), load(t, good("MDE_STORE="+t.TempDir()+"/")...), slog.New(slog.DiscardHandler))
	require.Equal(t, approvals.KindStore, approvals.KindOf(err), "%v", err)
}

// counted is a credential that counts how often it is asked, and can fail first.
type counted struct {
	azcore.TokenCredential
	fails, asked atomic.Int32
}

func (c *counted) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.asked.Add(1)
	if c.fails.Add(-1) >= 0 {
		return azcore.AccessToken{}, errors.New("please run az login")
	}
	return c.TokenCredential.GetToken(ctx, o)
}

func TestACallerFromConfigurationIsNotVerified(t *testing.T) {
	t.Parallel()
	who, err := NewCaller(CallerOptions{Identity: Identity{Source: "config", User: " Alice@Contoso.com "}}).Requester(t.Context(), approvals.ViaMCP, "an assistant")
	require.NoError(t, err)
	require.False(t, who.Verified)
	require.Equal(t, "alice@contoso.com", who.ID)
	require.Equal(t, approvals.ViaMCP, who.Via)
	require.Equal(t, "an assistant", who.Agent)
}

func TestACallerFromASignInIsVerified(t *testing.T) {
	t.Parallel()
	server, environ := simulated(t, &mdesim.Tenant{}, "MDE_CREDENTIAL=cli")
	scope := load(t, environ...).Tenant.Cloud().Scope
	cred := &counted{TokenCredential: server.UserCredential("alice@contoso.com")}
	cred.fails.Store(1)
	c := NewCaller(CallerOptions{Identity: Identity{Source: "cli", User: "bob@contoso.com"}, Tenant: mdesim.DefaultTenantID, Scope: scope, SignIn: cred})

	_, err := c.Requester(t.Context(), approvals.ViaShell, "")
	require.ErrorContains(t, err, "run `az login`", "a failed sign-in is not an unverified caller")
	for range 3 {
		who, err := c.Requester(t.Context(), approvals.ViaShell, "")
		require.NoError(t, err)
		require.True(t, who.Verified)
		require.Equal(t, "alice@contoso.com", who.ID, "who signed in, whatever is configured")
		require.Len(t, who.Aliases, 1)
		require.Contains(t, who.Aliases[0], "entra:")
	}
	require.EqualValues(t, 2, cred.asked.Load(), "asked until it is known, then remembered")
}

func TestAnApplicationIsNoCaller(t *testing.T) {
	t.Parallel()
	server, environ := simulated(t, &mdesim.Tenant{}, "MDE_CREDENTIAL=cli")
	scope := load(t, environ...).Tenant.Cloud().Scope
	c := NewCaller(CallerOptions{
		Identity: Identity{Source: "cli"}, Tenant: mdesim.DefaultTenantID, Scope: scope,
		SignIn: server.AppCredential(mdesim.DefaultAppID, mdesim.DefaultAppSecret),
	})
	_, err := c.Requester(t.Context(), approvals.ViaMCP, "")
	require.ErrorContains(t, err, "signed in as an application, not as a person")
}
