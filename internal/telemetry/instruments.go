package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// The outcomes that are no kind of refusal.
const (
	OK    = "ok"
	Asked = "asked" // the person behind the client was asked something, and nothing was done
)

// instruments are the metrics that calls add to.
type instruments struct {
	calls, submissions, acts        Counter
	callTime, actTime               Histogram
	api, throttled, waited, resends Counter
	apiTime                         Histogram
}

// times are the bounds of a duration's buckets, in seconds: reads take less than one, a call that waits for people a minute.
func times() []float64 { return []float64{.005, .02, .05, .1, .25, .5, 1, 2.5, 5, 15, 30, 60} }

func newInstruments(m *Metrics) instruments {
	return instruments{
		calls:       m.Counter("mde_tool_calls_total", "Calls of tools by their outcome: ok, asked, or the kind of refusal or failure.", "tool", "toolset", "outcome"),
		callTime:    m.Histogram("mde_tool_call_duration_seconds", "How long calls of tools took, waits included.", times(), "tool", "outcome"),
		submissions: m.Counter("mde_submissions_total", "Plans handed to the gate, by what it answered.", "tool", "outcome"),
		acts:        m.Counter("mde_worker_acts_total", "What the worker did for steps: apply, find, follow or collect, by outcome.", "act", "outcome"),
		actTime:     m.Histogram("mde_worker_act_duration_seconds", "How long the worker's acts took.", times(), "act"),
		api:         m.Counter("mde_api_calls_total", "Calls to the Defender API and Microsoft Graph, by operation and class of status.", "operation", "status"),
		apiTime:     m.Histogram("mde_api_call_duration_seconds", "How long those calls took, with waits and further sends.", times(), "operation", "status"),
		throttled:   m.Counter("mde_api_throttled_total", "Answers 429 of the service.", "operation"),
		waited:      m.Counter("mde_api_wait_seconds_total", "How long calls stood still because of a limit: the service's or our own.", "operation"),
		resends:     m.Counter("mde_api_resends_total", "How often a call was sent once more.", "operation"),
	}
}

// Call is a call of a tool that begins.
type Call struct {
	// Method is how it came, such as tools/call; MCP says that it is a method of the protocol.
	Method string
	MCP    bool
	// Tool and Toolset are the tool's own names, never the caller's word.
	Tool, Toolset string
	// ID is the client's id of its request.
	ID string
	// Carried gives what the client sent along of its trace: traceparent and tracestate. May be nil.
	Carried func(key string) string
}

// ToolCall begins a call. What it returns is told the call's outcome.
func (t *Telemetry) ToolCall(ctx context.Context, c Call) (context.Context, func(outcome string)) {
	if t == nil {
		return ctx, func(string) {}
	}
	began := time.Now()
	id := short(c.ID)
	attrs := []attribute.KeyValue{
		attribute.String("gen_ai.operation.name", "execute_tool"), attribute.String("gen_ai.tool.name", c.Tool), attribute.String("mde.toolset", c.Toolset),
	}
	if c.MCP {
		attrs = append(attrs, attribute.String("mcp.method.name", c.Method), attribute.String("jsonrpc.request.id", id))
	}
	if c.Carried != nil {
		ctx = propagation.TraceContext{}.Extract(ctx, carrier(c.Carried))
	}
	ctx, span := t.tracer.Start(ctx, c.Method+" "+c.Tool, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attrs...))
	ctx = WithFields(ctx, slog.String(FieldTool, c.Tool), slog.String(FieldMCP, id))
	return ctx, func(outcome string) {
		t.m.calls.Add(1, c.Tool, c.Toolset, outcome)
		t.m.callTime.Observe(time.Since(began).Seconds(), c.Tool, outcome)
		finish(span, outcome)
	}
}

// Submission begins the handing of a tool's plan to the gate. What it returns is told the id of the request and the outcome.
func (t *Telemetry) Submission(ctx context.Context, tool string) (context.Context, func(request, outcome string)) {
	if t == nil {
		return ctx, func(string, string) {}
	}
	around := ctx
	ctx, span := t.tracer.Start(ctx, "submit "+tool, trace.WithAttributes(attribute.String("gen_ai.tool.name", tool)))
	return ctx, func(request, outcome string) {
		t.m.submissions.Add(1, tool, outcome)
		if request != "" {
			made := attribute.String(attrRequest, request)
			span.SetAttributes(made)
			trace.SpanFromContext(around).SetAttributes(made)
			note(around, slog.String(FieldRequest, request))
		}
		finish(span, outcome)
	}
}

// attrRequest is by what the spans of a request belong together: those of the call that asked, and those of its steps, which
// another process performs after people have approved.
const attrRequest = "mde.request.id"

// Act is something that is done for a step of a request.
type Act struct {
	// Name is apply, find, follow or collect.
	Name, Tool, Request string
	Step                int
}

// WorkerAct begins an act. What it returns is told the outcome.
func (t *Telemetry) WorkerAct(ctx context.Context, a Act) (context.Context, func(outcome string)) {
	if t == nil {
		return ctx, func(string) {}
	}
	began := time.Now()
	ctx, span := t.tracer.Start(ctx, a.Name+" "+a.Tool, trace.WithAttributes(
		attribute.String("gen_ai.tool.name", a.Tool), attribute.String(attrRequest, a.Request), attribute.Int("mde.step", a.Step),
	))
	ctx = WithFields(ctx, slog.String(FieldRequest, a.Request), slog.String(FieldTool, a.Tool))
	return ctx, func(outcome string) {
		t.m.acts.Add(1, a.Name, outcome)
		t.m.actTime.Observe(time.Since(began).Seconds(), a.Name)
		finish(span, outcome)
	}
}

// APIEnd is how a call to the service ended.
type APIEnd struct {
	// Status is 0 without an answer; then NotSent says that it is certain that nothing arrived.
	Status           int
	NotSent          bool
	Sends, Throttled int
	Waited           time.Duration
	// ClientRequestID and ServiceRequestID are both sides' ids of the call.
	ClientRequestID, ServiceRequestID string
}

// APICall begins a call to the service: operation is its method and the template of its path, never an address.
func (t *Telemetry) APICall(ctx context.Context, operation, host string) (context.Context, func(APIEnd)) {
	if t == nil {
		return ctx, func(APIEnd) {}
	}
	began := time.Now()
	ctx, span := t.tracer.Start(ctx, operation, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(placeOf(operation, host)...))
	return ctx, func(e APIEnd) {
		status := class(e)
		t.m.api.Add(1, operation, status)
		t.m.apiTime.Observe(time.Since(began).Seconds(), operation, status)
		t.m.throttled.Add(float64(e.Throttled), operation)
		t.m.waited.Add(e.Waited.Seconds(), operation)
		t.m.resends.Add(float64(max(e.Sends-1, 0)), operation)
		if span.IsRecording() {
			span.SetAttributes(e.attributes()...)
		}
		outcome := OK
		if e.Status == 0 || e.Status >= http.StatusBadRequest {
			outcome = status
		}
		finish(span, outcome)
	}
}

func placeOf(operation, host string) []attribute.KeyValue {
	method, template, _ := strings.Cut(operation, " ")
	attrs := []attribute.KeyValue{attribute.String("http.request.method", method), attribute.String("url.template", template)}
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return append(attrs, attribute.String("server.address", host))
	}
	attrs = append(attrs, attribute.String("server.address", name))
	if n, err := strconv.Atoi(port); err == nil {
		attrs = append(attrs, attribute.Int("server.port", n))
	}
	return attrs
}

func (e APIEnd) attributes() []attribute.KeyValue {
	attrs := []attribute.KeyValue{attribute.Int("http.request.resend_count", max(e.Sends-1, 0)), attribute.String("az.client_request_id", short(e.ClientRequestID))}
	if e.Status != 0 {
		attrs = append(attrs, attribute.Int("http.response.status_code", e.Status))
	}
	if e.ServiceRequestID != "" {
		attrs = append(attrs, attribute.String("az.service_request_id", short(e.ServiceRequestID)))
	}
	if e.Throttled > 0 {
		attrs = append(attrs, attribute.Int("mde.throttled.count", e.Throttled))
	}
	if e.Waited >= time.Millisecond {
		attrs = append(attrs, attribute.Float64("mde.wait.duration", e.Waited.Seconds()))
	}
	return attrs
}

// class is a status in a few words, as a label.
func class(e APIEnd) string {
	switch {
	case e.Status == 0 && e.NotSent:
		return "not_sent"
	case e.Status == 0:
		return "no_answer"
	case e.Status == http.StatusTooManyRequests:
		return "429"
	}
	return fmt.Sprintf("%dxx", e.Status/100)
}

// finish ends a span. The outcome is all that it says of an error, because texts of errors name devices.
func finish(span trace.Span, outcome string) {
	if span.IsRecording() {
		span.SetAttributes(attribute.String("mde.outcome", outcome))
		if outcome != OK && outcome != Asked {
			span.SetAttributes(attribute.String("error.type", outcome))
			span.SetStatus(codes.Error, "")
		}
	}
	span.End()
}

// short bounds what another program chose.
func short(s string) string {
	if len(s) > 64 {
		s = s[:64]
	}
	return strings.ToValidUTF8(s, "")
}

// carrier reads a trace's ids from what a client sent.
type carrier func(key string) string

// Get implements propagation.TextMapCarrier.
func (c carrier) Get(key string) string { return c(key) }

// Set does nothing: nothing is sent back.
func (carrier) Set(string, string) {}

// Keys is for propagators that look for others than they know.
func (carrier) Keys() []string { return []string{"traceparent", "tracestate"} }
