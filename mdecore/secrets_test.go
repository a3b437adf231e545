package mdecore_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/internal/leaks"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	table "github.com/mde-ops/mde-ops/mdecore/operations"
)

// sink is a log that several goroutines write.
type sink struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *sink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// simulatedFaults are the ways in which the tenant fails while secrets are looked for. The first ones put most into errors
// and logs: a success, what the service said of a failure, a URL, and a body that is none of ours.
func simulatedFaults() (usual, other []mdesim.Fault) {
	usual = []mdesim.Fault{
		{},
		{Kind: mdesim.FaultEcho, Status: 500},
		{Kind: mdesim.FaultEcho, Status: 400},
		{Kind: mdesim.FaultCutAfter},
		{Kind: mdesim.FaultContentType},
	}
	other = []mdesim.Fault{
		{Kind: mdesim.FaultStatus, Status: 401},
		{Kind: mdesim.FaultStatus, Status: 403},
		{Kind: mdesim.FaultStatus, Status: 429, RetryAfter: "3600"},
		{Kind: mdesim.FaultTruncated},
		{Kind: mdesim.FaultForeignLink},
	}
	return usual, other
}

// secretPlan says which methods are called with which faults: every method with the usual ones and one of the others in
// turn, and with all of them the first read, list, write and silent method of each service.
func secretPlan(t *testing.T) (names []string, faults map[string][]mdesim.Fault) {
	t.Helper()
	usual, other := simulatedFaults()
	ops, graph := operations(t), map[string]bool{}
	for _, row := range table.All() {
		graph[row.Client] = row.Graph
	}
	names = slices.Sorted(maps.Keys(ops))
	faults = map[string][]mdesim.Fault{}
	type shape struct{ graph, list, write, silent bool }
	tried := map[shape]bool{}
	for i, name := range names {
		op := ops[name]
		s := shape{graph[name], strings.HasPrefix(name, "List"), op.write, op.silent}
		if !tried[s] {
			tried[s], faults[name] = true, slices.Concat(usual, other)
			continue
		}
		faults[name] = append(slices.Clone(usual), other[i%len(other)])
	}
	require.GreaterOrEqual(t, len(tried), 7)
	return names, faults
}

// TestNothingSaysASecret calls every method on tenants that fail, as a signed-in application, and looks for its secret, its
// tokens and any signature in all logs and errors. Each tenant has its share of the methods.
func TestNothingSaysASecret(t *testing.T) {
	t.Parallel()
	names, faults := secretPlan(t)
	const tenants = 3
	for i := range tenants {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			var mine []string
			for n := i; n < len(names); n += tenants {
				mine = append(mine, names[n])
			}
			said := new(sink)
			known := sayEverything(t, said, mine, faults)
			text := said.String()
			require.Contains(t, text, "the service answered", "the test has seen errors")
			require.Contains(t, text, `"mde call"`, "the test has seen logs")
			for _, name := range mine {
				require.Contains(t, text, name, "every method was called")
			}
			found, err := leaks.Find(strings.NewReader(text), known...)
			require.NoError(t, err)
			require.Empty(t, found)
		})
	}
}

// sayEverything calls methods on a tenant of their own that fails in the planned ways. All they log and return goes to said;
// the tenant's secrets are returned.
func sayEverything(t *testing.T, said *sink, names []string, faults map[string][]mdesim.Fault) []string {
	t.Helper()
	log := slog.New(slog.NewJSONHandler(said, &slog.HandlerOptions{Level: slog.LevelDebug}))
	tenant := &mdesim.Tenant{Log: log}
	server, err := tenant.Start()
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	ca, err := server.CAFile(t.TempDir())
	require.NoError(t, err)
	cred, err := azpipe.NewCredential(azpipe.CredentialConfig{
		Kind: azpipe.KindSecret, TenantID: mdesim.DefaultTenantID, ClientID: mdesim.DefaultAppID, ClientSecret: mdesim.DefaultAppSecret,
		Authority: server.URL, CAFile: ca,
	})
	require.NoError(t, err)
	client, err := mdecore.New(cred, mdecore.Options{
		Cloud: mdecore.Custom(server.URL, server.URL, ""), CAFile: ca, Logger: log, Limit: &mdecore.Limit{}, MaxRetries: -1, WriteTimeout: 5 * time.Second,
	})
	require.NoError(t, err)
	known := append([]string{mdesim.DefaultAppSecret, mdesim.SeededScanPassword}, tokens(t, cred)...)
	callEverything(t, client, tenant, said, names, faults)
	return append(known, tokens(t, cred)...)
}

// callEverything calls methods in the planned ways.
func callEverything(t *testing.T, client *mdecore.Client, tenant *mdesim.Tenant, said io.Writer, names []string, faults map[string][]mdesim.Fault) {
	t.Helper()
	ops := operations(t)
	for _, name := range names {
		for _, fault := range faults[name] {
			if fault.Kind != "" {
				for _, api := range []string{"/api/**", "/v1.0/**"} {
					fault.Times, fault.Path = 2, api
					tenant.Fail(fault)
				}
			}
			if err := ops[name].good(t.Context(), client); err != nil {
				_, _ = fmt.Fprintf(said, "%s: %v\n%+v\n%#v\n", name, err, err, err)
			}
			tenant.ClearFaults()
		}
	}
}

// tokens are a credential's tokens of both services, whole and their signatures alone.
func tokens(t *testing.T, cred azcore.TokenCredential) (out []string) {
	t.Helper()
	for _, scope := range []string{mdecore.Public().Scope, mdecore.Public().GraphScope} {
		token, err := cred.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{scope}})
		require.NoError(t, err)
		out = append(out, token.Token, strings.Split(token.Token, ".")[2])
	}
	return out
}
