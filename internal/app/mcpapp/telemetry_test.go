package mcpapp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/app"
	"github.com/mde-ops/mde-ops/internal/app/mcpapp"
	"github.com/mde-ops/mde-ops/internal/leaks"
	"github.com/mde-ops/mde-ops/internal/simtenant"
	"github.com/mde-ops/mde-ops/internal/telemetry"
	"github.com/mde-ops/mde-ops/internal/telemetry/telemetrytest"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// measured is a server that is measured, with what its collector and its log got.
type measured struct {
	*service
	cfg       app.Config
	collector *telemetrytest.Collector
}

// measure starts one as the program does, on one person's identity.
func measure(t *testing.T, settings ...string) *measured {
	t.Helper()
	m := &measured{service: &service{log: new(words)}, collector: telemetrytest.Start()}
	t.Cleanup(m.collector.Close)
	var err error
	m.sim, err = simtenant.Start(&mdesim.Tenant{Devices: 5}, "")
	require.NoError(t, err)
	t.Cleanup(m.sim.Close)
	m.cfg, err = app.Load(t.Context(), append(append(m.sim.Environ(), "MDE_STORE=sqlite:"+filepath.Join(t.TempDir(), "gate.db"), "MDE_HTTP=127.0.0.1:0",
		"MDE_USER=alice@contoso.com", "MDE_APPROVER_GROUP=S0ONCALL", "OTEL_EXPORTER_OTLP_ENDPOINT="+m.collector.URL), settings...), false)
	require.NoError(t, err)
	require.NoError(t, m.cfg.CheckServe())
	log := slog.New(telemetry.Logs(slog.NewJSONHandler(m.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	m.cfg, err = m.cfg.Measure(t.Context(), "mde-mcp", "test", log)
	require.NoError(t, err)
	opening := mcpapp.Begin(t.Context(), m.cfg, mcpapp.Options{Log: log})
	t.Cleanup(opening.Close)
	m.app, err = opening.Wait(t.Context())
	require.NoError(t, err)
	web, err := opening.Web(m.cfg, mcpapp.WebOptions{Version: "test", Log: log})
	require.NoError(t, err)
	srv := httptest.NewServer(web.Handler())
	t.Cleanup(srv.Close)
	m.url = srv.URL + "/mcp"
	return m
}

// flush ends the measuring and returns what the collector got.
func (m *measured) flush(t *testing.T) []telemetrytest.Span {
	t.Helper()
	m.cfg.EndMeasuring(t.Context(), slog.New(slog.DiscardHandler))
	_, faults := m.collector.Posts()
	require.Empty(t, faults)
	return m.collector.Spans()
}

// scrape reads /metrics as Prometheus does, and gives every value by its name and labels.
func (m *measured) scrape(t *testing.T) map[string]float64 {
	t.Helper()
	resp := m.raw(t, http.MethodGet, m.numbers(), "")
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, string(body))
	require.NotContains(t, string(body), "host0", "a device's name")
	require.NotContains(t, string(body), "alice")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	require.NoError(t, err, string(body))
	all := map[string]float64{}
	for name, f := range families {
		for _, one := range f.GetMetric() {
			labels := make([]string, 0, len(one.GetLabel()))
			for _, l := range one.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			key := name + "{" + strings.Join(labels, ",") + "}"
			switch {
			case one.GetCounter() != nil:
				all[key] = one.GetCounter().GetValue()
			case one.GetGauge() != nil:
				all[key] = one.GetGauge().GetValue()
			default:
				all[key] = float64(one.GetHistogram().GetSampleCount())
			}
		}
	}
	return all
}

// numbers is where scrapes are answered.
func (m *measured) numbers() string { return strings.TrimSuffix(m.url, "/mcp") + "/metrics" }

// traced calls a tool as a client that has a trace of its own, in _meta.
func traced(t *testing.T, c *client.Client, trace, tool string, args map[string]any) *mcp.CallToolResult {
	t.Helper()
	var req mcp.CallToolRequest
	req.Params.Name, req.Params.Arguments = tool, args
	req.Params.Meta = &mcp.Meta{AdditionalFields: map[string]any{"traceparent": "00-" + trace + "-00f067aa0ba902b7-01", "mde-ops/request-id": "forged"}}
	res, err := c.CallTool(t.Context(), req)
	require.NoError(t, err)
	return res
}

func TestOneTraceLeadsFromTheClientToTheTenant(t *testing.T) {
	t.Parallel()
	m := measure(t)
	ids := map[string]string{}
	for i, version := range eras() {
		trace := fmt.Sprintf("4bf92f3577b34da6a3ce929d0e0e473%d", i)
		c := m.connect(t, "", version)
		require.False(t, traced(t, c, trace, "get_device", map[string]any{"device": "host01"}).IsError)
		res := traced(t, c, trace, "isolate_devices", map[string]any{"devices": []string{fmt.Sprintf("host0%d", i+2)}, "reason": "beaconing"})
		require.False(t, res.IsError, "%v", res.Content)
		data, err := json.Marshal(res.StructuredContent)
		require.NoError(t, err)
		var view struct {
			ID string `json:"request_id"`
		}
		require.NoError(t, json.Unmarshal(data, &view))
		require.NotEmpty(t, view.ID, string(data))
		ids[trace] = view.ID
		require.True(t, traced(t, c, trace, "get_device", map[string]any{"device": "nosuchhost"}).IsError)
	}
	byTrace := map[string][]telemetrytest.Span{}
	byID := map[string]telemetrytest.Span{}
	for _, s := range m.flush(t) {
		byTrace[s.Trace], byID[s.ID] = append(byTrace[s.Trace], s), s
	}
	for trace, request := range ids {
		kinds := map[string]int{}
		for _, s := range byTrace[trace] {
			kinds[s.Kind]++
			switch s.Kind {
			case "SPAN_KIND_SERVER":
				require.Equal(t, "00f067aa0ba902b7", s.Parent, s.Name)
				require.NotContains(t, s.Attributes["jsonrpc.request.id"], "forged")
				require.NotEmpty(t, s.Attributes["jsonrpc.request.id"])
			case "SPAN_KIND_CLIENT":
				require.Equal(t, "SPAN_KIND_SERVER", byID[s.Parent].Kind, "an API call belongs to the call of a tool")
				require.Equal(t, "127.0.0.1", s.Attributes["server.address"])
				require.NotEmpty(t, s.Attributes["az.client_request_id"])
			default:
				require.Equal(t, "submit isolate_devices", s.Name)
				require.Equal(t, "tools/call isolate_devices", byID[s.Parent].Name)
				require.Equal(t, request, s.Attributes["mde.request.id"])
				require.Equal(t, request, byID[s.Parent].Attributes["mde.request.id"])
			}
		}
		require.Equal(t, 3, kinds["SPAN_KIND_SERVER"])
		require.Equal(t, 1, kinds["SPAN_KIND_INTERNAL"])
		require.GreaterOrEqual(t, kinds["SPAN_KIND_CLIENT"], 3)
	}
	m.saysNothingSecret(t)
	require.Contains(t, m.log.String(), `"request":"`+ids["4bf92f3577b34da6a3ce929d0e0e4730"]+`","trace_id":"4bf92f3577b34da6a3ce929d0e0e4730"`)
}

// saysNothingSecret looks for secrets, arguments and names in what the collector got, and for secrets in the log, whose every
// line must be JSON with each field once.
func (m *measured) saysNothingSecret(t *testing.T) {
	t.Helper()
	raw := string(m.collector.Raw())
	require.NotEmpty(t, raw)
	for _, private := range []string{"host0", "nosuchhost", "beaconing", "alice", "contoso", "$filter", mdesim.DefaultReaderSecret} {
		require.NotContains(t, raw, private, "in a span")
	}
	found, err := leaks.Find(strings.NewReader(raw+"\n"+m.log.String()), mdesim.DefaultReaderSecret, mdesim.DefaultAppSecret)
	require.NoError(t, err)
	require.Empty(t, found)
	for line := range strings.Lines(m.log.String()) {
		fieldsOnce(t, line)
	}
}

// fieldsOnce reads a line of the log and refuses a field that is there twice, which a JSON parser would not.
func fieldsOnce(t *testing.T, line string) {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(line))
	_, err := dec.Token()
	require.NoError(t, err, line)
	seen := map[string]bool{}
	for dec.More() {
		key, err := dec.Token()
		require.NoError(t, err, line)
		require.False(t, seen[fmt.Sprint(key)], "%v twice in %s", key, line)
		seen[fmt.Sprint(key)] = true
		var value json.RawMessage
		require.NoError(t, dec.Decode(&value), line)
	}
	require.True(t, seen["msg"], line)
}

func TestATraceOfHTTPIsTakenUpToo(t *testing.T) {
	t.Parallel()
	m := measure(t)
	m.raw(t, http.MethodPost, m.url, `{"jsonrpc":"2.0","id":"call-1","method":"tools/call","params":{"name":"whoami","_meta":{`+
		`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"x","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}`,
		"Mcp-Protocol-Version: 2026-07-28", "Mcp-Method: tools/call", "Mcp-Name: whoami", "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4799-00f067aa0ba902b7-01")
	m.flush(t)
	spans := m.collector.Named("tools/call whoami")
	require.Len(t, spans, 1)
	require.Equal(t, "4bf92f3577b34da6a3ce929d0e0e4799", spans[0].Trace)
	require.Equal(t, "call-1", spans[0].Attributes["jsonrpc.request.id"])
}

func TestPrometheusSeesCallsRequestsAndQueues(t *testing.T) {
	t.Parallel()
	m := measure(t)
	m.scrape(t) // from here on the audit is counted
	c := m.connect(t, "", eras()[1])
	for _, device := range []string{"host01", "host02", "nosuchhost"} {
		call(t, c, "get_device", map[string]any{"device": device})
	}
	out, _ := call(t, c, "isolate_devices", map[string]any{"devices": []string{"host01"}, "reason": "beaconing"})
	id, _ := out["request_id"].(string)
	require.NotEmpty(t, id)
	_, err := m.app.Gate.Withdraw(t.Context(), id, approvals.Requester{Person: approvals.Person{ID: "alice@contoso.com"}, Via: approvals.ViaMCP})
	require.NoError(t, err)
	call(t, c, "isolate_devices", map[string]any{"devices": []string{"host02"}, "reason": "beaconing"})
	var got map[string]float64
	require.Eventually(t, func() bool { // a look at the store is good for some seconds
		got = m.scrape(t)
		return got["mde_requests_open{state=pending}"] == 1
	}, 20*time.Second, 200*time.Millisecond)
	for key, want := range map[string]float64{
		"mde_tool_calls_total{tool=get_device,toolset=devices,outcome=ok}":        2,
		"mde_tool_calls_total{tool=get_device,toolset=devices,outcome=not_found}": 1,
		"mde_tool_call_duration_seconds{tool=get_device,outcome=ok}":              2,
		"mde_tool_calls_total{tool=isolate_devices,toolset=response,outcome=ok}":  2,
		"mde_submissions_total{tool=isolate_devices,outcome=ok}":                  2,
		"mde_requests_decided_total{outcome=cancelled}":                           1,
		"mde_request_decision_age_seconds{outcome=cancelled}":                     1,
		"mde_stop_in_force{scope=all}":                                            0,
		"mde_stop_in_force{scope=response}":                                       0,
		"mde_scrape_error{source=store}":                                          0,
		"mde_queue_jobs{queue=mde,state=retryable}":                               0,
		"mde_build_info{service=mde-mcp,version=test}":                            1,
	} {
		require.Contains(t, got, key)
		require.InDelta(t, want, got[key], 0, key)
	}
	require.Positive(t, got["mde_api_calls_total{operation=GET /api/machines,status=2xx}"])
	require.Positive(t, got["mde_api_call_duration_seconds{operation=GET /api/machines,status=2xx}"])
	require.Positive(t, got["mde_queue_jobs{queue=slack,state=available}"], "nobody works here")
	require.Positive(t, got["mde_requests_oldest_age_seconds{state=pending}"])
	require.Positive(t, got["mde_audit_rows{}"])

	require.NoError(t, m.app.Store.Close())
	require.Eventually(t, func() bool { return m.scrape(t)["mde_scrape_error{source=store}"] == 1 }, 20*time.Second, 200*time.Millisecond)
	got = m.scrape(t)
	require.NotContains(t, got, "mde_requests_open{state=pending}")
	require.Contains(t, got, "mde_tool_calls_total{tool=get_device,toolset=devices,outcome=ok}")
}

func TestThrottlingIsSeen(t *testing.T) {
	t.Parallel()
	m := measure(t)
	m.sim.Tenant.Fail(mdesim.Fault{Path: "/api/machines", Status: http.StatusTooManyRequests, RetryAfter: "1"})
	call(t, m.connect(t, "", eras()[0]), "get_device", map[string]any{"device": "host01"})
	var throttled, waited, resends float64
	for key, v := range m.scrape(t) {
		switch {
		case strings.HasPrefix(key, "mde_api_throttled_total{"):
			throttled += v
		case strings.HasPrefix(key, "mde_api_wait_seconds_total{"):
			waited += v
		case strings.HasPrefix(key, "mde_api_resends_total{"):
			resends += v
		}
	}
	require.InDelta(t, 1, throttled, 0)
	require.InDelta(t, 1, resends, 0)
	require.Greater(t, waited, 0.9)
}

func TestTheNumbersAreProtected(t *testing.T) {
	t.Parallel()
	status := func(m *measured, header ...string) int {
		resp := m.raw(t, http.MethodGet, m.numbers(), "", header...)
		return resp.StatusCode
	}
	require.Equal(t, http.StatusForbidden, status(measure(t), "X-Forwarded-For: 10.1.1.1"))
	m := measure(t, "MDE_METRICS_TOKEN=s3cretscrapetoken")
	require.Equal(t, http.StatusUnauthorized, status(m))
	require.Equal(t, http.StatusOK, status(m, "Authorization: Bearer s3cretscrapetoken"))
	require.NotContains(t, m.log.String(), "s3cretscrapetoken")
}

// BenchmarkMeasuredCall compares calls of a tool with nobody measuring, with metrics, and with traces sent besides.
func BenchmarkMeasuredCall(b *testing.B) {
	noop := slog.New(slog.DiscardHandler)
	collector := telemetrytest.Start()
	defer collector.Close()
	server := func(settings ...string) (func(), func()) {
		sim, err := simtenant.Start(&mdesim.Tenant{Devices: 5}, "")
		require.NoError(b, err)
		cfg, err := app.Load(b.Context(), append(append(sim.Environ(), "MDE_STORE=sqlite:"+filepath.Join(b.TempDir(), "gate.db"), "MDE_USER=alice@contoso.com", "MDE_HTTP=127.0.0.1:0",
			"MDE_APPROVER_GROUP=S0ONCALL", "MDE_CALLS_PER_MINUTE=10000000", "MDE_CALLS_PER_HOUR=100000000"), settings...), false)
		require.NoError(b, err)
		if len(settings) > 0 {
			cfg, err = cfg.Measure(b.Context(), "mde-mcp", "bench", noop)
			require.NoError(b, err)
		}
		a, err := mcpapp.Open(b.Context(), cfg, mcpapp.Options{Log: noop})
		require.NoError(b, err)
		web, err := mcpapp.Ready(a).Web(cfg, mcpapp.WebOptions{Version: "bench", Log: noop})
		require.NoError(b, err)
		handler := web.Handler()
		message := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_device","arguments":{"device":"host01"},"_meta":{` +
			`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"x","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}`
		call := func() {
			req := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/mcp", strings.NewReader(message)) //nolint:noctx // a benchmark
			for name, value := range map[string]string{
				"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
				"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "get_device",
			} {
				req.Header.Set(name, value)
			}
			out := httptest.NewRecorder()
			handler.ServeHTTP(out, req)
			if !strings.Contains(out.Body.String(), `"structuredContent"`) {
				b.Fatal(out.Code, out.Body.String())
			}
		}
		return call, func() { a.Close(); sim.Close(); cfg.EndMeasuring(context.Background(), noop) }
	}
	names := []string{"off", "metrics", "traces"}
	calls, took := make([]func(), 3), make([]time.Duration, 3)
	for i, settings := range [][]string{nil, {"MDE_TRACES=off"}, {"MDE_TRACES=otlp", "OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL}} {
		call, end := server(settings...)
		defer end()
		call()
		calls[i] = call
	}
	for b.Loop() {
		for i, call := range calls { // by turns
			began := time.Now()
			call()
			took[i] += time.Since(began)
		}
	}
	for i, name := range names {
		b.ReportMetric(float64(took[i].Microseconds())/float64(b.N), name+"-µs")
		b.ReportMetric(float64(took[i])/float64(took[0]), name+"-ratio")
	}
}
