package doctor

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/app"
	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/tools"
)

func patient(t *testing.T, o Options) *Doctor {
	t.Helper()
	if o.Base == nil {
		o.Base = &app.Base{Log: slog.New(slog.DiscardHandler)}
	}
	d := New(o)
	t.Cleanup(d.Close)
	return d
}

func TestTheClockIsComparedWithTheAPIs(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)
	d := patient(t, Options{Clock: func() time.Time { return now }})
	for skew, want := range map[time.Duration]Status{
		0: OK, 2 * time.Minute: OK, -2 * time.Minute: OK, 121 * time.Second: Warn, -5 * time.Minute: Warn, 301 * time.Second: Fail, -time.Hour: Fail,
	} {
		f := d.clock(now.Add(-skew).Format(http.TimeFormat))
		require.Equal(t, want, f.Status, "%s: %s", skew, f)
		if want != OK {
			require.Contains(t, f.Fix, "NTP")
		}
	}
	require.Contains(t, d.clock(now.Add(time.Hour).Format(http.TimeFormat)).Found, "1h0m0s behind")
	require.Equal(t, Warn, d.clock("").Status)
}

func TestThePlatformLacksTheAzureCLI(t *testing.T) {
	t.Parallel()
	anybody := func(context.Context) (approvals.Requester, error) { return approvals.Requester{}, nil }
	lacks := func(string) (string, error) { return "", errors.New("not found") }
	has := func(name string) (string, error) { return "/usr/bin/" + name, nil }
	cli := app.Config{Identity: app.Identity{Source: "cli"}, Read: app.Credential{Kind: "workload,cli"}}
	for _, c := range []struct {
		cfg  app.Config
		look func(string) (string, error)
		want string
	}{
		{app.Config{}, lacks, "ok    : nothing that is configured needs another program"},
		{cli, has, "ok    : MDE_CREDENTIAL=workload,cli and MDE_IDENTITY=cli: the Azure CLI is /usr/bin/az"},
		{cli, lacks, "fail  : MDE_CREDENTIAL=workload,cli and MDE_IDENTITY=cli needs the Azure CLI, and there is no program az in PATH; install the Azure CLI and run `az login`, or choose another kind of credential"},
	} {
		d := patient(t, Options{Base: &app.Base{Config: c.cfg}, LookPath: c.look, Identity: anybody})
		require.Equal(t, c.want, d.platform(t.Context())[0].String())
	}
}

func TestRolesAreNamedByWhatLacksThem(t *testing.T) {
	t.Parallel()
	token := &azpipe.TokenInfo{Roles: []string{"Machine.ReadWrite.All"}}
	require.Empty(t, missing([]string{"ListMachines", "GetMachine"}, token, nil), "any one of the permissions suffices")
	require.Equal(t, []string{"Alert.Read.All"}, missing([]string{"ListMachines", "ListAlerts", "GetAlert"}, token, nil))
	require.Equal(t, []string{"ThreatHunting.Read.All"}, missing([]string{"RunHuntingQuery"}, token, nil), "a role of Microsoft Graph is in no other token")
	require.Empty(t, missing([]string{"RunHuntingQuery"}, token, &azpipe.TokenInfo{Roles: []string{"ThreatHunting.Read.All"}}))
	require.NotEmpty(t, missing([]string{"RunHuntingQuery"}, &azpipe.TokenInfo{Roles: []string{"ThreatHunting.Read.All"}}, &azpipe.TokenInfo{}))
	require.Empty(t, missing([]string{"ListMachines"}, &azpipe.TokenInfo{Scopes: []string{"Machine.Read"}}, nil), "a person's permission is delegated")

	list := []tools.Tool{{Name: "a", Toolset: "x"}, {Name: "b", Toolset: "y"}, {Name: "c", Toolset: "x"}, {Name: "d", Toolset: "x"}, {Name: "e", Toolset: "z"}}
	found := patient(t, Options{}).perToolset(list, "roles of ", "give it", func(tool tools.Tool) lack {
		return map[string]lack{"a": {needs: []string{"R1"}}, "c": {parts: []string{"R2", "R1"}}, "e": {parts: []string{"R3"}}}[tool.Name]
	})
	var lines []string
	for _, f := range found {
		lines = append(lines, f.String())
	}
	require.Equal(t, []string{
		"fail  roles of x: a (R1) can't work without these roles, and not every call of c (R2, R1); give it R1, R2, or leave these tools out with --exclude-tools",
		"ok    roles of y: enough for b",
		"warn  roles of z: not every call of e (R3) works without these roles; give it R3",
	}, lines)
}

func TestATokenIsDescribed(t *testing.T) {
	t.Parallel()
	const tenant = "5a1f6c1e-0d7b-4c0e-9f52-3b6d3f7a1c00"
	now := time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)
	d := patient(t, Options{Base: &app.Base{Config: app.Config{Tenant: app.Tenant{ID: tenant}}}, Clock: func() time.Time { return now }})
	whole := azpipe.TokenInfo{TenantID: tenant, AppID: "app", Roles: []string{"Machine.Read.All"}, ExpiresOn: now.Add(time.Hour)}
	require.Equal(t, OK, d.describe(whole).Status)
	person := whole
	person.Roles, person.Scopes, person.UPN = nil, []string{"Machine.Read"}, "alice@contoso.com"
	require.Contains(t, d.describe(person).Found, "the person alice@contoso.com")
	for want, change := range map[string]func(*azpipe.TokenInfo){
		"not for MDE_TENANT_ID":     func(i *azpipe.TokenInfo) { i.TenantID = "5a1f6c1e-0d7b-4c0e-9f52-3b6d3f7a1c01" },
		"no permissions at all":     func(i *azpipe.TokenInfo) { i.Roles = nil },
		"ended at 2026-03-01T02:59": func(i *azpipe.TokenInfo) { i.ExpiresOn = now.Add(-time.Minute) },
	} {
		info := whole
		change(&info)
		f := d.describe(info)
		require.Equal(t, Fail, f.Status, want)
		require.Contains(t, f.Found, want)
	}
}

func TestWhoMayWriteVotesIsSaid(t *testing.T) {
	t.Parallel()
	mcp, bot := patient(t, Options{}), patient(t, Options{Writer: true})
	for _, c := range []struct {
		d    *Doctor
		c    store.Condition
		want Status
	}{
		{mcp, store.Condition{Postgres: true, Role: "app"}, OK},
		{mcp, store.Condition{Postgres: true, Role: "owner", Votes: true}, Warn},
		{bot, store.Condition{Postgres: true, Role: "app"}, Fail},
		{bot, store.Condition{Postgres: true, Role: "worker", Votes: true}, OK},
		{mcp, store.Condition{Mode: 0o600}, OK},
		{mcp, store.Condition{Mode: 0o640}, Warn},
	} {
		f := c.d.owners(c.c)[0]
		require.Equal(t, c.want, f.Status, f.String())
	}
}

// certificate writes one that ends at a time, and its key.
func certificate(t *testing.T, ends time.Time) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: ends.Add(-90 * 24 * time.Hour), NotAfter: ends, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	certFile, keyFile = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	require.NoError(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	return certFile, keyFile
}

func TestACertificateThatEndsIsSaid(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)
	d := patient(t, Options{Clock: func() time.Time { return now }})
	for left, want := range map[time.Duration]string{
		15 * 24 * time.Hour: "ok    : it is good for 15 days",
		13 * 24 * time.Hour: "warn  : it ends in 13 days, at 2026-03-14T03:00:00Z; renew it, and start the server again",
		-time.Hour:          "fail  : it ended at 2026-03-01T02:00:00Z; renew it, and start the server again",
		91 * 24 * time.Hour: "fail  : it begins at 2026-03-02T03:00:00Z; look at this machine's clock",
	} {
		require.Equal(t, want, d.certificate(certificate(t, now.Add(left))).String())
	}
}
