package telemetry_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/telemetry"
	"github.com/mde-ops/mde-ops/internal/telemetry/telemetrytest"
)

func newCollector(t *testing.T) *telemetrytest.Collector {
	t.Helper()
	c := telemetrytest.Start()
	t.Cleanup(func() {
		c.Close()
		_, faults := c.Posts()
		require.Empty(t, faults)
	})
	return c
}

// setUp makes telemetry that sends to c, and returns it with its log.
func setUp(t *testing.T, c *telemetrytest.Collector, more map[string]string) (*telemetry.Telemetry, *bytes.Buffer) {
	t.Helper()
	env := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": c.URL}
	for k, v := range more {
		env[k] = v
	}
	log := new(bytes.Buffer)
	tel, err := telemetry.Setup(t.Context(), telemetry.Config{
		Service: "mde-mcp", Version: "v1", OTel: env, Logger: slog.New(telemetry.Logs(slog.NewJSONHandler(log, nil))),
	})
	require.NoError(t, err)
	require.True(t, tel.Sends())
	return tel, log
}

const (
	callersTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	callersSpan  = "00f067aa0ba902b7"
)

// carried is what a client sends of its trace.
func carried(key string) string {
	return map[string]string{"traceparent": "00-" + callersTrace + "-" + callersSpan + "-01", "tracestate": "vendor=1"}[key]
}

func TestACallIsOneTraceFromItsClientToTheService(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	tel, log := setUp(t, c, map[string]string{
		"OTEL_EXPORTER_OTLP_HEADERS": "x-key=s3cret%20key, other=1", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
		"OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test,service.version=v2",
	})
	ctx, end := tel.ToolCall(t.Context(), telemetry.Call{Method: "tools/call", MCP: true, Tool: "isolate_devices", Toolset: "response", ID: "7", Carried: carried})
	apiCtx, over := tel.APICall(ctx, "GET /api/machines/{id}", "api.example.com:8443")
	slog.New(telemetry.Logs(slog.NewJSONHandler(log, nil))).InfoContext(apiCtx, "inside", "tool", "its own")
	over(telemetry.APIEnd{Status: 200, Sends: 2, Throttled: 1, Waited: 1500 * time.Millisecond, ClientRequestID: "c-1", ServiceRequestID: "s-1"})
	subCtx, made := tel.Submission(ctx, "isolate_devices")
	_ = subCtx
	made("AB12CD34", "ok")
	slog.New(telemetry.Logs(slog.NewJSONHandler(log, nil))).InfoContext(ctx, "after")
	_, failed := tel.APICall(ctx, "POST /api/machines/{id}/isolate", "api.example.com")
	failed(telemetry.APIEnd{NotSent: true})
	end("ok")
	require.NoError(t, tel.Shutdown(t.Context()))

	one := func(name string) telemetrytest.Span {
		found := c.Named(name)
		require.Len(t, found, 1, name)
		s := found[0]
		require.Equal(t, callersTrace, s.Trace, name)
		require.GreaterOrEqual(t, s.End, s.Start)
		require.InDelta(t, float64(time.Now().UnixNano()), float64(s.Start), float64(time.Minute))
		return s
	}
	call, get := one("tools/call isolate_devices"), one("GET /api/machines/{id}")
	submit, post := one("submit isolate_devices"), one("POST /api/machines/{id}/isolate")
	require.Equal(t, callersSpan, call.Parent)
	require.Equal(t, "vendor=1", call.TraceState)
	require.Equal(t, "SPAN_KIND_SERVER", call.Kind)
	require.Equal(t, uint32(0x301), call.Flags, "sampled, from another process")
	require.False(t, call.Error)
	require.Equal(t, map[string]string{
		"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "isolate_devices", "mcp.method.name": "tools/call",
		"jsonrpc.request.id": "7", "mde.toolset": "response", "mde.request.id": "AB12CD34", "mde.outcome": "ok",
	}, call.Attributes)
	for _, s := range []telemetrytest.Span{get, submit, post} {
		require.Equal(t, call.ID, s.Parent, s.Name)
	}
	require.Equal(t, "SPAN_KIND_CLIENT", get.Kind)
	require.Equal(t, map[string]string{
		"http.request.method": "GET", "url.template": "/api/machines/{id}", "server.address": "api.example.com", "server.port": "8443",
		"http.request.resend_count": "1", "http.response.status_code": "200", "mde.throttled.count": "1", "mde.wait.duration": "1.5",
		"az.client_request_id": "c-1", "az.service_request_id": "s-1", "mde.outcome": "ok",
	}, get.Attributes)
	require.Equal(t, "SPAN_KIND_INTERNAL", submit.Kind)
	require.True(t, post.Error)
	require.Empty(t, post.StatusText)
	require.Equal(t, "not_sent", post.Attributes["error.type"])

	header, path := c.Last()
	require.Equal(t, "/v1/traces", path)
	require.Equal(t, "s3cret key", header.Get("X-Key"))
	about := c.Resource()
	require.Equal(t, []string{"mde-mcp", "v2", "test"}, []string{about["service.name"], about["service.version"], about["deployment.environment.name"]})
	require.Contains(t, log.String(), `"msg":"inside","tool":"its own","mcp_request":"7","trace_id":"`+callersTrace)
	require.Contains(t, log.String(), `"msg":"after","tool":"isolate_devices","mcp_request":"7","request":"AB12CD34","trace_id":"`+callersTrace)

	got := parsed(t, tel.Metrics)
	require.InDelta(t, 1, got["mde_api_throttled_total"].GetMetric()[0].GetCounter().GetValue(), 0)
	require.InDelta(t, 1.5, got["mde_api_wait_seconds_total"].GetMetric()[0].GetCounter().GetValue(), 0)
	require.Len(t, got["mde_api_calls_total"].GetMetric(), 2)
	require.NotContains(t, got, "mde_trace_spans_dropped_total")
}

func TestWithoutACollectorTheClientsTraceIsStillInTheLog(t *testing.T) {
	t.Parallel()
	tel, err := telemetry.Setup(t.Context(), telemetry.Config{Service: "mde-mcp"})
	require.NoError(t, err)
	require.False(t, tel.Sends())
	ctx, end := tel.ToolCall(t.Context(), telemetry.Call{Method: "tools/call", MCP: true, Tool: "get_device", Carried: carried})
	defer end("ok")
	log := new(bytes.Buffer)
	slog.New(telemetry.Logs(slog.NewJSONHandler(log, nil))).InfoContext(ctx, "said")
	require.Contains(t, log.String(), callersTrace)
}

func TestACollectorThatAsksToWaitGetsTheSpansLater(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	c.Answer(http.StatusServiceUnavailable, http.StatusTooManyRequests)
	tel, _ := setUp(t, c, nil)
	_, end := tel.ToolCall(t.Context(), telemetry.Call{Method: "tools/call", Tool: "x"})
	end("denied")
	require.NoError(t, tel.Shutdown(t.Context()))
	require.Len(t, c.Spans(), 1)
	posts, _ := c.Posts()
	require.Equal(t, 3, posts)
}

// Whoever runs the collector must not learn of it by a stopped program, and nobody a key from the log.
func TestSpansThatNobodyTakesAreCountedAndNoKeyIsSaid(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*telemetrytest.Collector){
		"refused": func(c *telemetrytest.Collector) { c.Answer(http.StatusBadRequest) },
		"gone":    func(c *telemetrytest.Collector) { c.Close() },
		"moved":   func(c *telemetrytest.Collector) { c.Answer(http.StatusTemporaryRedirect) },
	} {
		c := newCollector(t)
		tel, log := setUp(t, c, map[string]string{
			"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20s3cretkeys3cretkey", "OTEL_EXPORTER_OTLP_TIMEOUT": "500",
			"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": c.URL + "/in?key=s3cretkey",
		})
		spoil(c)
		_, end := tel.ToolCall(t.Context(), telemetry.Call{Method: "tools/call", Tool: "x"})
		end("ok")
		limited, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_ = tel.Shutdown(limited)
		cancel()
		require.InDelta(t, 1, parsed(t, tel.Metrics)["mde_trace_spans_dropped_total"].GetMetric()[0].GetCounter().GetValue(), 0, name)
		require.Contains(t, log.String(), "traces can't be sent", name)
		require.NotContains(t, log.String(), "s3cretkey", name)
	}
}

func TestWhereTracesGo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		traces string
		env    map[string]string
		sends  bool
		fault  string
	}{
		"nobody asked":             {"", nil, false, ""},
		"the environment asks":     {"", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, true, ""},
		"for traces alone":         {"", map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/x"}, true, ""},
		"but we were told not to":  {"off", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, false, ""},
		"or nobody is to":          {"", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, false, ""},
		"or no traces":             {"", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, false, ""},
		"to the usual place":       {"otlp", nil, true, ""},
		"somebody else's grpc":     {"", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, false, ""},
		"our grpc":                 {"otlp", map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, false, "4318"},
		"JSON":                     {"otlp", map[string]string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"}, false, "http/protobuf"},
		"another word":             {"jaeger", nil, false, "MDE_TRACES"},
		"no address":               {"otlp", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, false, "OTEL_EXPORTER_OTLP_ENDPOINT"},
		"a password in it":         {"otlp", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://u:s3cret@c"}, false, "no password"},
		"headers that are none":    {"otlp", map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "s3cret"}, false, "HEADERS"},
		"an unknown compression":   {"otlp", map[string]string{"OTEL_EXPORTER_OTLP_COMPRESSION": "zstd"}, false, "gzip"},
		"a time in seconds":        {"otlp", map[string]string{"OTEL_EXPORTER_OTLP_TIMEOUT": "10s"}, false, "milliseconds"},
		"a certificate not there":  {"otlp", map[string]string{"OTEL_EXPORTER_OTLP_CERTIFICATE": "/nowhere.pem"}, false, "CERTIFICATE"},
		"a key without its other":  {"otlp", map[string]string{"OTEL_EXPORTER_OTLP_CLIENT_KEY": "/nowhere.pem"}, false, "CLIENT_KEY"},
		"a line end in the header": {"otlp", map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "a=b%0d%0aEvil: 1"}, false, "HEADERS"},
	} {
		cfg := telemetry.Config{Service: "x", Traces: c.traces, OTel: c.env, Logger: slog.New(slog.DiscardHandler)}
		tel, err := telemetry.Setup(t.Context(), cfg)
		if c.fault != "" {
			require.ErrorContains(t, err, c.fault, name)
			require.NotContains(t, err.Error(), "s3cret", name)
			require.Error(t, cfg.Check(), name)
			continue
		}
		require.NoError(t, err, name)
		require.NoError(t, cfg.Check(), name)
		require.Equal(t, c.sends, tel.Sends(), name)
		limited, cancel := context.WithTimeout(t.Context(), time.Second)
		require.NoError(t, tel.Shutdown(limited), name)
		cancel()
	}
}

// A redirect would carry the headers, which may hold a key, to a place that nobody configured.
func TestSpansAndTheirKeyGoNowhereElse(t *testing.T) {
	t.Parallel()
	elsewhere := newCollector(t)
	c := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	t.Cleanup(c.Close)
	tel, err := telemetry.Setup(t.Context(), telemetry.Config{Service: "x", Logger: slog.New(slog.DiscardHandler), OTel: map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": c.URL, "OTEL_EXPORTER_OTLP_HEADERS": "x-key=s3cret",
	}})
	require.NoError(t, err)
	_, end := tel.ToolCall(t.Context(), telemetry.Call{Method: "tools/call", Tool: "x"})
	end("ok")
	require.NoError(t, tel.Shutdown(t.Context()))
	posts, _ := elsewhere.Posts()
	require.Zero(t, posts)
}
