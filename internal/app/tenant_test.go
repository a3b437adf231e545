package app

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func named(t *testing.T, name string) mdecore.Cloud {
	t.Helper()
	cloud, err := mdecore.CloudByName(name)
	require.NoError(t, err)
	return cloud
}

func TestTheConfiguredCloud(t *testing.T) {
	t.Parallel()
	with := func(cloud mdecore.Cloud, change func(*mdecore.Cloud)) mdecore.Cloud {
		change(&cloud)
		return cloud
	}
	for _, c := range []struct {
		set  string
		want mdecore.Cloud
	}{
		{"", mdecore.Public()},
		{"MDE_CLOUD=public", mdecore.Public()},
		{"MDE_CLOUD=gcc-high", named(t, "gcc-high")},
		{"MDE_CLOUD=eu MDE_BASE_URL=https://EU.api.security.microsoft.com:443/", named(t, "eu")},
		{"MDE_BASE_URL=https://eu.api.security.microsoft.com", named(t, "eu")},
		{"MDE_BASE_URL=https://api-gcc.securitycenter.microsoft.us", named(t, "gcc")},
		{"MDE_CLOUD=dod MDE_BASE_URL=https://api-gov.securitycenter.microsoft.us", named(t, "dod")},
		{"MDE_BASE_URL=https://api.example.com MDE_AUTHORITY=https://login.example.com", mdecore.Custom("https://api.example.com", "https://login.example.com", "")},
		{"MDE_BASE_URL=https://127.0.0.1:1", mdecore.Custom("https://127.0.0.1:1", "", "")},
		{"MDE_CLOUD=gcc MDE_SCOPE=https://x.example/.default", with(named(t, "gcc"), func(c *mdecore.Cloud) { c.Scope = "https://x.example/.default" })},
		{"MDE_CLOUD=gcc-high MDE_GRAPH_URL=https://dod-graph.microsoft.us/", with(named(t, "gcc-high"), func(c *mdecore.Cloud) {
			c.Graph, c.GraphScope = "https://dod-graph.microsoft.us", "https://dod-graph.microsoft.us/.default"
		})},
		{"MDE_GRAPH_URL=https://graph.example.com", with(mdecore.Public(), func(c *mdecore.Cloud) { c.Graph = "https://graph.example.com" })},
	} {
		require.Equal(t, c.want, load(t, good(strings.Fields(c.set)...)...).Tenant.Cloud(), c.set)
	}
}

// Tokens must not go where nobody meant them to go, so what is unclear does not start.
func TestAnUnclearCloudDoesNotStart(t *testing.T) {
	t.Parallel()
	for set, says := range map[string]string{
		"MDE_CLOUD=gcchigh": `MDE_CLOUD: the cloud "gcchigh" is unknown; did you mean gcc-high?`,
		"MDE_CLOUD=china":   `MDE_CLOUD: the cloud "china" is unknown (known: public,`,
		"MDE_CLOUD=gcc MDE_BASE_URL=https://api.security.microsoft.com":        "MDE_BASE_URL: https://api.security.microsoft.com is not the API of the cloud gcc (MDE_CLOUD), which is https://api-gcc.securitycenter.microsoft.us",
		"MDE_CLOUD=public MDE_BASE_URL=https://127.0.0.1:1":                    "is not the API of the cloud public",
		"MDE_CLOUD=public MDE_BASE_URL=https://api.security.microsoft.com/api": "is not the API of the cloud public",
		"MDE_BASE_URL=https://api-gov.securitycenter.microsoft.us":             "which of gcc-high, dod is meant",
		"MDE_BASE_URL=http://api.security.microsoft.com":                       "MDE_BASE_URL: the address",
		"MDE_GRAPH_URL=graph.microsoft.com":                                    "MDE_GRAPH_URL: the address",
		"MDE_GRAPH_URL=https://graph.microsoft.com/v1.0":                       "without a version",
	} {
		cfg, err := Load(t.Context(), good(strings.Fields(set)...), false)
		require.ErrorContains(t, err, says, set)
		require.Empty(t, cfg.Tenant.Cloud().Endpoint)
		_, err = mdecore.New(&counted{}, mdecore.Options{Cloud: cfg.Tenant.Cloud()})
		require.ErrorContains(t, err, "the Defender client cannot be made", "not even where the faults are overlooked")
	}
}

func TestTheCloudIsShown(t *testing.T) {
	t.Parallel()
	notes := strings.Join(load(t, good("MDE_CLOUD=dod")...).Notes(), "\n")
	for _, part := range []string{
		"the cloud is dod", "https://api-gov.securitycenter.microsoft.us", "https://login.microsoftonline.us",
		"tokens for https://api-gov.securitycenter.microsoft.us/.default", "https://dod-graph.microsoft.us",
	} {
		require.Contains(t, notes, part)
	}
	cfg, err := Load(t.Context(), nil, true)
	require.NoError(t, err)
	require.NotContains(t, strings.Join(cfg.Notes(), "\n"), "the cloud is")
}

func TestATenantThatIsNoIdIsNoted(t *testing.T) {
	t.Parallel()
	require.NotContains(t, strings.Join(load(t, good()...).Notes(), "\n"), "MDE_TENANT_ID")
	require.Contains(t, strings.Join(load(t, good("MDE_TENANT_ID=abc")...).Notes(), "\n"), `MDE_TENANT_ID: "abc" is not a tenant's id`)
}

// What is configured for a real tenant must not lead the simulated one's tokens there.
func TestTheSimulatedTenantReplacesTheCloud(t *testing.T) {
	t.Parallel()
	cfg, err := Load(t.Context(), []string{
		"MDE_CLOUD=gcc", "MDE_SCOPE=https://x.example/.default", "MDE_GRAPH_URL=https://graph.example.com", "MDE_CALLS_PER_HOUR=77",
	}, true)
	require.NoError(t, err)
	b := open(t, cfg)
	url := b.Config.Tenant.BaseURL
	require.Equal(t, mdecore.Custom(url, url, ""), b.Config.Tenant.Cloud())
	require.Equal(t, 77, b.Config.Tenant.PerHour)
}

func TestCredentialsOfAPlatform(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ set, kind, want string }{
		{"MDE_CREDENTIAL=workload", "workload", ""},
		{"MDE_FEDERATED_TOKEN_FILE=token", "workload", ""},
		{"MDE_FEDERATED_TOKEN_FILE=token MDE_CLIENT_ID=a MDE_CLIENT_SECRET=s", "workload", ""},
		{"MDE_FEDERATED_TOKEN_FILE=token MDE_CLIENT_ID=a MDE_CERTIFICATE_FILE=c.pem", "certificate", ""},
		{"MDE_CREDENTIAL=managed", "managed", ""},
		{"MDE_CREDENTIAL=workload,managed,cli", "workload,managed,cli", ""},
		{"MDE_CREDENTIAL=workload,secret", "workload,secret", `MDE_CLIENT_SECRET is not set: a credential of kind "secret" needs it`},
		{"MDE_CREDENTIAL=managed,managed", "managed,managed", `MDE_CREDENTIAL: "managed,managed" is not valid here`},
		{"MDE_CREDENTIAL=managed,", "managed,", `MDE_CREDENTIAL: "managed," is not valid here`},
		{"MDE_CREDENTIAL=default", "default", `MDE_CREDENTIAL: "default" is not valid here`},
		{"MDE_CREDENTIAL=cli MDE_WRITE_CREDENTIAL=managd", "cli", `MDE_WRITE_CREDENTIAL: "managd" is not valid here`},
		{"MDE_CREDENTIAL=cli MDE_WRITE_FEDERATED_TOKEN_FILE=token", "cli", ""},
	} {
		cfg, err := Load(t.Context(), append([]string{"MDE_TENANT_ID=t"}, strings.Fields(c.set)...), false)
		require.Equal(t, c.kind, cfg.Read.kind(), c.set)
		if c.want == "" {
			require.NoError(t, err, c.set)
			continue
		}
		require.ErrorContains(t, err, c.want, c.set)
	}
	cfg := load(t, "MDE_TENANT_ID=t", "MDE_CREDENTIAL=cli", "MDE_WRITE_FEDERATED_TOKEN_FILE=token")
	require.Equal(t, "workload", cfg.Write.kind())
	require.ErrorContains(t, load(t, good("MDE_WRITE_FEDERATED_TOKEN_FILE=token")...).CheckMCP(), "MDE_WRITE_* is set")
}

func TestProbeMakesEveryMember(t *testing.T) {
	t.Setenv("AZURE_FEDERATED_TOKEN_FILE", "")
	t.Setenv("AZURE_CLIENT_ID", "")
	empty := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	const id = "MDE_CLIENT_ID=66666666-7777-8888-9999-aaaaaaaaaaaa"
	require.NoError(t, load(t, "MDE_TENANT_ID=t", "MDE_CREDENTIAL=workload,managed,cli").Probe())
	err := load(t, "MDE_TENANT_ID=t", "MDE_CREDENTIAL=workload").Probe()
	require.ErrorContains(t, err, "let the platform set AZURE_CLIENT_ID")
	require.ErrorContains(t, err, "let the platform set AZURE_FEDERATED_TOKEN_FILE")
	err = load(t, "MDE_TENANT_ID=t", id, "MDE_CREDENTIAL=workload,certificate", "MDE_FEDERATED_TOKEN_FILE="+empty, "MDE_CERTIFICATE_FILE=nosuch.pem").Probe()
	require.ErrorContains(t, err, "is empty")
	require.ErrorContains(t, err, "nosuch.pem")
}

// The settings reach the sign-in service: a workload's assertion from the file that is configured.
func TestAWorkloadsTokenReachesTheAuthority(t *testing.T) {
	t.Parallel()
	var form atomic.Pointer[string]
	authority := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if text := string(body); r.Method == http.MethodPost {
			form.Store(&text)
		}
		base := "https://" + r.Host + "/t"
		_ = json.NewEncoder(w).Encode(map[string]any{
			"token_endpoint": base + "/oauth2/v2.0/token", "authorization_endpoint": base + "/oauth2/v2.0/authorize", "issuer": base + "/v2.0",
			"token_type": "Bearer", "expires_in": 3599, "access_token": "opaque",
		})
	}))
	defer authority.Close()
	file, ca := filepath.Join(t.TempDir(), "token"), filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, []byte("the-assertion"), 0o600))
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Certificate().Raw}), 0o600))
	cfg := load(t, "MDE_TENANT_ID=t", "MDE_CREDENTIAL=workload,cli", "MDE_CLIENT_ID="+mdesim.DefaultReaderID,
		"MDE_FEDERATED_TOKEN_FILE="+file, "MDE_AUTHORITY="+authority.URL, "MDE_CA_FILE="+ca)
	cred, err := azpipe.NewCredential(cfg.credentialConfig(cfg.Read))
	require.NoError(t, err)
	_, err = azpipe.Roles(t.Context(), cred, cfg.Tenant.Cloud().Scope)
	require.ErrorContains(t, err, "not a readable JSON Web Token")
	require.Contains(t, *form.Load(), "client_assertion=the-assertion")
	require.Contains(t, *form.Load(), "client_id="+mdesim.DefaultReaderID)
}

func TestLimitsAreTheDocumentedOnesUnlessSet(t *testing.T) {
	t.Parallel()
	require.Nil(t, Tenant{}.limit())
	require.Equal(t, azpipe.Limit{PerMinute: 10, PerHour: 1500}, *Tenant{PerMinute: 10}.limit())
	require.Equal(t, azpipe.Limit{PerMinute: 100, PerHour: 9}, *Tenant{PerHour: 9}.limit())
}
