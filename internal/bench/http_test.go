package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/app"
	"github.com/mde-ops/mde-ops/internal/app/mcpapp"
	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/internal/simtenant"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

const (
	readers  = 8
	round    = time.Second
	waiting  = 500
	noLimits = "1000000"
)

// BenchmarkHTTPRead compares reading calls over HTTP with those to a bare mcp-go server whose tool makes the same call to
// the tenant: by turns, from as many clients, ours with a sign-in, policy and gate. It reports the best and the median of
// all rounds' ratios.
func BenchmarkHTTPRead(b *testing.B) {
	sim := startSim(b)
	ours, token := oursOverHTTP(b, sim)
	alert := regexp.MustCompile(`"alerts":\[\{"id":"([^"]+)"`).FindSubmatch(newCaller(b, ours, token).call(b, "list_alerts", json.RawMessage(`{}`)))
	require.NotNil(b, alert)
	args := json.RawMessage(fmt.Sprintf(`{"alert_id":%q}`, alert[1]))
	bare := bareOverHTTP(b, sim)
	asked := func() (n int) {
		for r, times := range sim.Tenant.Requests() {
			if strings.HasPrefix(r.Path, "/api/") {
				n += times
			}
		}
		return n
	}
	upstream := func(url, token string) int {
		session := newCaller(b, url, token)
		session.call(b, "get_alert", args) // signs in to the tenant
		before := asked()
		session.call(b, "get_alert", args)
		return asked() - before
	}
	require.Equal(b, upstream(bare, ""), upstream(ours, token), "both must ask the tenant the same")
	var ratios, ourRate, bareRate []float64
	for b.Loop() {
		floor, mine := rate(b, bare, "", args), rate(b, ours, token, args)
		ratios, ourRate, bareRate = append(ratios, mine/floor), append(ourRate, mine), append(bareRate, floor)
	}
	b.ReportMetric(middle(bareRate), "bare-calls/s")
	b.ReportMetric(middle(ourRate), "mde-mcp-calls/s")
	b.ReportMetric(middle(ratios), "ratio")
	b.ReportMetric(slices.Max(ourRate)/slices.Max(bareRate), "best-ratio")
	b.ReportMetric(0, "ns/op")
}

func middle(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}

func startSim(b *testing.B) *simtenant.Running {
	b.Helper()
	tenant := &mdesim.Tenant{Devices: 20}
	tenant.SetWebAPI(mdesim.WebAPI{AppID: mdesim.DefaultWebAPIID, Scope: mdesim.DefaultWebAPIScope})
	sim, err := simtenant.Start(tenant, "")
	require.NoError(b, err)
	b.Cleanup(sim.Close)
	return sim
}

// oursOverHTTP is the production server, and a token for it.
func oursOverHTTP(b *testing.B, sim *simtenant.Running) (address, token string) {
	b.Helper()
	cfg, err := app.Load(b.Context(), append(sim.Environ(), "MDE_STORE=sqlite:"+filepath.Join(b.TempDir(), "gate.db"), "MDE_HTTP=127.0.0.1:0",
		"MDE_HTTP_AUDIENCE="+mdesim.DefaultWebAPIID, "MDE_APPROVER_GROUP=S0ONCALL", "MDE_HTTP_AT_ONCE=2000", "MDE_HTTP_PER_MINUTE="+noLimits, "MDE_CALLS_PER_MINUTE="+noLimits, "MDE_CALLS_PER_HOUR="+noLimits+"0"), false)
	require.NoError(b, err)
	log := slog.New(slog.DiscardHandler)
	a, err := mcpapp.Open(b.Context(), cfg, mcpapp.Options{Log: log})
	require.NoError(b, err)
	b.Cleanup(a.Close)
	web, err := mcpapp.Ready(a).Web(cfg, mcpapp.WebOptions{Version: "bench", Log: log})
	require.NoError(b, err)
	srv := httptest.NewServer(web.Handler())
	b.Cleanup(srv.Close)
	form := url.Values{
		"grant_type": {"password"}, "client_id": {mdesim.AzureCLIAppID}, "username": {"alice@contoso.com"}, "password": {mdesim.DefaultUserPassword},
		"scope": {"api://" + mdesim.DefaultWebAPIID + "/.default"},
	}
	resp, err := sim.Server.Client().PostForm(sim.Server.URL+"/"+mdesim.DefaultTenantID+"/oauth2/v2.0/token", form) //nolint:noctx // a benchmark
	require.NoError(b, err)
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		Token string `json:"access_token"`
	}
	require.NoError(b, json.NewDecoder(resp.Body).Decode(&answer))
	return srv.URL + "/mcp", answer.Token
}

// bareOverHTTP is the least that does the same: mcp-go with one tool, which hands on what the same client of the tenant reads.
func bareOverHTTP(b *testing.B, sim *simtenant.Running) string {
	b.Helper()
	client, err := mdecore.New(sim.Server.AppCredential(mdesim.DefaultReaderID, mdesim.DefaultReaderSecret), mdecore.Options{
		Cloud:      mdecore.Cloud{Name: "sim", Endpoint: sim.Server.URL, Scope: mdecore.Public().Scope, Authority: sim.Server.URL},
		HTTPClient: sim.Server.Client(), Limit: &azpipe.Limit{},
	})
	require.NoError(b, err)
	s := server.NewMCPServer("bare", "1", server.WithToolCapabilities(false))
	s.AddTool(mcp.NewTool("get_alert", mcp.WithString("alert_id")), func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		alert, err := client.GetAlert(ctx, req.GetString("alert_id", ""))
		if err != nil {
			return mcp.NewToolResultError(err.Error()), nil
		}
		return mcp.NewToolResultStructured(alert, alert.Title), nil
	})
	srv := httptest.NewServer(server.NewStreamableHTTPServer(s, server.WithStateful(true)))
	b.Cleanup(srv.Close)
	return srv.URL + "/mcp"
}

// caller is a client that does no more than it must, so that the servers are what is measured.
type caller struct {
	http                *http.Client
	url, token, session string
}

func newCaller(b *testing.B, url, token string) *caller {
	b.Helper()
	c := &caller{http: &http.Client{Transport: &http.Transport{}}, url: url, token: token}
	b.Cleanup(c.http.CloseIdleConnections)
	resp, err := c.post(strings.NewReader(initialize))
	require.NoError(b, err)
	defer func() { _ = resp.Body.Close() }()
	c.session = resp.Header.Get("Mcp-Session-Id")
	require.NotEmpty(b, c.session, resp.Status)
	return c
}

func (c *caller) post(body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, c.url, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.session != "" {
		req.Header.Set("Mcp-Session-Id", c.session)
	}
	return c.http.Do(req)
}

func (c *caller) try(tool string, args json.RawMessage) ([]byte, error) {
	resp, err := c.post(strings.NewReader(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, tool, args)))
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || bytes.Contains(body, []byte(`"isError":true`))) {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return body, err
}

func (c *caller) call(b *testing.B, tool string, args json.RawMessage) []byte {
	b.Helper()
	body, err := c.try(tool, args)
	require.NoError(b, err)
	return body
}

// rate is how many calls a second all readers make together.
func rate(b *testing.B, url, token string, args json.RawMessage) float64 {
	b.Helper()
	callers := make([]*caller, readers)
	for i := range callers {
		callers[i] = newCaller(b, url, token)
	}
	var done atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for _, c := range callers {
		all.Go(func() {
			for time.Since(began) < round {
				if _, err := c.try("get_alert", args); err != nil {
					b.Error(err)
					return
				}
				done.Add(1)
			}
		})
	}
	all.Wait()
	return float64(done.Load()) / time.Since(began).Seconds()
}

// BenchmarkHTTPWaiting measures what the memory of mde-mcp grows by while many clients wait for one request.
func BenchmarkHTTPWaiting(b *testing.B) {
	sim := startSim(b)
	program := filepath.Join(b.TempDir(), "mde-mcp")
	build(b, program, "./cmd/mde-mcp")
	for b.Loop() {
		cmd, url := startHTTP(b, program, sim)
		first := newCaller(b, url, "")
		body := first.call(b, "isolate_devices", json.RawMessage(`{"devices":["host01"],"reason":"a benchmark"}`))
		id := regexp.MustCompile(`"request_id":"([A-Z0-9]+)"`).FindSubmatch(body)
		require.NotNil(b, id, string(body))
		args := json.RawMessage(fmt.Sprintf(`{"id":%q,"wait_seconds":50}`, id[1]))
		before := resident(b, cmd.Process.Pid)
		for range waiting {
			c := newCaller(b, url, "")
			go func() { _, _ = c.try("get_request", args) }() // it is cut at the end
		}
		grown := settled(b, cmd.Process.Pid) - before
		b.ReportMetric(float64(before)/1024, "before-MB")
		b.ReportMetric(float64(grown)/1024, "500-waiting-MB")
		require.NoError(b, cmd.Process.Kill())
		_ = cmd.Wait()
	}
	b.ReportMetric(0, "ns/op")
}

func startHTTP(b *testing.B, program string, sim *simtenant.Running) (*exec.Cmd, string) {
	b.Helper()
	dir := b.TempDir()
	cmd := exec.CommandContext(b.Context(), program, "serve", "--http", "127.0.0.1:0")
	cmd.Env = append(sim.Environ(), "HOME="+dir, "MDE_STORE=sqlite:"+filepath.Join(dir, "gate.db"), "MDE_USER=alice@contoso.com",
		"MDE_APPROVER_GROUP=S0ONCALL", "MDE_LOG_LEVEL=ERROR", "MDE_HTTP_AT_ONCE=1000", "MDE_HTTP_PER_MINUTE="+noLimits)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(b, err)
	url := regexp.MustCompile(`http://[0-9.:]+/mcp`).FindString(line)
	require.NotEmpty(b, url, line)
	host, _, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	conn, err := net.Dial("tcp", host) //nolint:noctx // a benchmark
	require.NoError(b, err)
	require.NoError(b, conn.Close())
	return cmd, url
}

// resident is the memory that a process has, in kB.
func resident(b *testing.B, pid int) int {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skip("no /proc here: ", err)
	}
	found := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(status)
	require.NotNil(b, found)
	n, err := strconv.Atoi(string(found[1]))
	require.NoError(b, err)
	return n
}

// settled is the most memory within some seconds, while all clients wait.
func settled(b *testing.B, pid int) int {
	b.Helper()
	most := 0
	for range 50 {
		time.Sleep(100 * time.Millisecond)
		most = max(most, resident(b, pid))
	}
	return most
}
