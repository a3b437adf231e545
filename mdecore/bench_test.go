package mdecore_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/mde-ops/mde-ops/mdecore"
)

const machineJSON = `{"id":"` + machineID + `","computerDnsName":"host01.contoso.com","firstSeen":"2026-08-02T14:55:03.7791856Z",
"lastSeen":"2026-08-02T14:55:03.7791856Z","osPlatform":"Windows11","version":"24H2","lastIpAddress":"172.17.230.209","osBuild":26100,
"healthStatus":"Active","rbacGroupId":140,"rbacGroupName":"Servers","riskScore":"Low","exposureLevel":"Medium","machineTags":["a","b"]}`

// serveVariable makes the test binary a server instead of running tests.
const serveVariable = "MDECORE_BENCH_SERVE"

// TestMain lets the benchmark start this binary again as its server, so that the server's allocations are not counted.
func TestMain(m *testing.M) {
	if os.Getenv(serveVariable) == "" {
		os.Exit(m.Run())
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodPost {
			_, _ = io.WriteString(w, `{"access_token":"token","token_type":"Bearer","expires_in":3600}`)
			return
		}
		_, _ = io.WriteString(w, machineJSON)
	}))
	fmt.Println(server.URL)
	_, _ = io.Copy(io.Discard, os.Stdin) // until the benchmark ends
}

// startServer runs the server in a process of its own and returns its address.
func startServer(b *testing.B) string {
	b.Helper()
	binary, err := os.Executable()
	require.NoError(b, err)
	cmd := exec.CommandContext(b.Context(), binary)
	cmd.Env = append(os.Environ(), serveVariable+"=1")
	stdin, err := cmd.StdinPipe()
	require.NoError(b, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	b.Cleanup(func() { _ = stdin.Close(); _ = cmd.Wait() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(b, err)
	return strings.TrimSpace(line)
}

// BenchmarkGet compares one GET of a machine with azcore's bare pipeline and with net/http and oauth2: same server, same
// decoding into the same type, a token that is there already. The ratios of allocations are reported by mdecore's run.
func BenchmarkGet(b *testing.B) {
	server := startServer(b)
	address := server + "/api/machines/" + machineID
	ours, bare, plain := oursGet(b, server), bareGet(address), plainGet(b, server, address)

	allocs := map[string]float64{}
	for name, get := range map[string]func() error{"mdecore": ours, "azcore": bare, "oauth2": plain} {
		require.NoError(b, get())
		allocs[name] = testing.AllocsPerRun(200, func() { _ = get() })
	}
	run := func(name string, get func() error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := get(); err != nil {
					b.Fatal(err)
				}
			}
			if name == "mdecore" {
				b.ReportMetric(allocs["mdecore"]/allocs["azcore"], "x-azcore-allocs")
				b.ReportMetric(allocs["mdecore"]/allocs["oauth2"], "x-oauth2-allocs")
			}
		})
	}
	run("mdecore", ours)
	run("azcore", bare)
	run("oauth2", plain)
}

func oursGet(b *testing.B, endpoint string) func() error {
	c, err := mdecore.New(&fakeCred{}, mdecore.Options{Cloud: mdecore.Custom(endpoint, "", ""), Limit: &mdecore.Limit{PerMinute: 1e9}})
	require.NoError(b, err)
	return func() error { _, err := c.GetMachine(b.Context(), machineID); return err }
}

// bareGet is azcore as it comes: its pipeline with a bearer token.
func bareGet(address string) func() error {
	p := runtime.NewPipeline("bare", "v0", runtime.PipelineOptions{PerRetry: []policy.Policy{
		runtime.NewBearerTokenPolicy(&fakeCred{}, []string{"s"}, &policy.BearerTokenOptions{InsecureAllowCredentialWithHTTP: true}),
	}}, &policy.ClientOptions{})
	return func() error {
		req, err := runtime.NewRequest(context.Background(), http.MethodGet, address)
		if err != nil {
			return err
		}
		req.Raw().Header.Set("Accept", "application/json")
		resp, err := p.Do(req)
		if err != nil {
			return err
		}
		if !runtime.HasStatusCode(resp, http.StatusOK) {
			return runtime.NewResponseError(resp)
		}
		return runtime.UnmarshalAsJSON(resp, new(mdecore.Machine))
	}
}

// plainGet is net/http with a client credentials token source.
func plainGet(b *testing.B, endpoint, address string) func() error {
	b.Helper()
	client := (&clientcredentials.Config{ClientID: "i", ClientSecret: "s", TokenURL: endpoint}).Client(b.Context())
	return func() error {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, address, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Accept", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("status %d", resp.StatusCode)
		}
		return json.Unmarshal(body, new(mdecore.Machine))
	}
}
