package mdecore_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/internal/leaks"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
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

// TestNothingSaysASecret calls every method on a tenant that fails in every way, as a signed-in application, and looks
// for its secret, its token and any signature in all logs and errors.
func TestNothingSaysASecret(t *testing.T) {
	t.Parallel()
	said := new(sink)
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
	faults := []mdesim.Fault{
		{},
		{Kind: mdesim.FaultStatus, Status: 401},
		{Kind: mdesim.FaultStatus, Status: 403},
		{Kind: mdesim.FaultStatus, Status: 429, RetryAfter: "3600"},
		{Kind: mdesim.FaultStatus, Status: 500},
		{Kind: mdesim.FaultCutAfter},
		{Kind: mdesim.FaultTruncated},
		{Kind: mdesim.FaultContentType},
		{Kind: mdesim.FaultForeignLink},
	}
	for name, op := range operations(t) {
		for i, fault := range faults {
			if i > 0 {
				for _, api := range []string{"/api/**", "/v1.0/**"} {
					fault.Times, fault.Path = 2, api
					tenant.Fail(fault)
				}
			}
			if err := op.good(t.Context(), client); err != nil {
				fmt.Fprintf(said, "%s: %v\n%+v\n%#v\n", name, err, err, err)
			}
			tenant.ClearFaults()
		}
	}
	known := []string{mdesim.DefaultAppSecret, mdesim.SeededScanPassword}
	for _, scope := range []string{mdecore.Public().Scope, mdecore.Public().GraphScope} {
		token, err := cred.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{scope}})
		require.NoError(t, err)
		known = append(known, token.Token, strings.Split(token.Token, ".")[2])
	}
	text := said.String()
	require.Contains(t, text, "the service answered", "the test has seen errors")
	require.Contains(t, text, `"mde call"`, "the test has seen logs")
	found, err := leaks.Find(strings.NewReader(text), known...)
	require.NoError(t, err)
	require.Empty(t, found)
}
