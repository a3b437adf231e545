package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// The values of Config.Traces.
const (
	TracesOTLP = "otlp" // sent to a collector
	TracesOff  = "off"
)

// Config says what a program is called and where its spans go.
type Config struct {
	// Service and Version name the program, where no OTEL_* variable does.
	Service, Version string
	// Traces is TracesOTLP, TracesOff, or empty: then they are sent where an OTEL_* variable names a place for them.
	Traces string
	// OTel are the environment's OTEL_* variables.
	OTel map[string]string
	// Logger is told of what can't be sent; slog.Default unless set.
	Logger *slog.Logger
}

// Telemetry measures one program. The nil value measures nothing.
type Telemetry struct {
	Metrics *Metrics

	m        instruments
	tracer   trace.Tracer
	provider *sdk.TracerProvider // nil when no spans are sent
}

// Setup makes the metrics and, where they are asked for, what sends spans. Nothing is global, and nobody is called.
func Setup(_ context.Context, c Config) (*Telemetry, error) {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	t := &Telemetry{Metrics: NewMetrics(), tracer: noop.NewTracerProvider().Tracer("")}
	t.m = newInstruments(t.Metrics)
	to, err := c.place()
	if err != nil || to == nil {
		return t, err
	}
	t.provider = sdk.NewTracerProvider(sdk.WithBatcher(newSender(to, c.Logger, t.Metrics)), sdk.WithResource(resource.NewSchemaless(c.resource()...)))
	t.tracer = t.provider.Tracer("github.com/mde-ops/mde-ops", trace.WithInstrumentationVersion(c.Version))
	return t, nil
}

// Sends reports whether spans are sent.
func (t *Telemetry) Sends() bool { return t != nil && t.provider != nil }

// Shutdown sends the spans that have ended, as long as ctx lasts.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	if !t.Sends() {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// Check reports what is wrong with the configuration, without making anything.
func (c Config) Check() error {
	_, err := c.place()
	return err
}

// place is where spans go; nil when they go nowhere. What the OTEL_* variables of the surroundings ask for in vain is an
// error only where this program was told itself to send them: they are often somebody else's.
func (c Config) place() (*destination, error) {
	switch c.Traces {
	case TracesOff:
		return nil, nil
	case TracesOTLP, "":
	default:
		return nil, fmt.Errorf("MDE_TRACES: %q is not valid here: want %s or %s", c.Traces, TracesOTLP, TracesOff)
	}
	if c.Traces == "" && (strings.EqualFold(c.OTel["OTEL_SDK_DISABLED"], "true") || c.OTel["OTEL_TRACES_EXPORTER"] == "none" ||
		c.OTel["OTEL_EXPORTER_OTLP_ENDPOINT"] == "" && c.OTel["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] == "") {
		return nil, nil
	}
	to, err := destinationOf(c.OTel)
	if err == nil || c.Traces == TracesOTLP {
		return to, err
	}
	if c.Logger != nil {
		c.Logger.Warn("no traces are sent: set MDE_TRACES to off, or mend what the environment says", "error", err)
	}
	return nil, nil
}

// resource names the program, as the environment does or else by itself.
func (c Config) resource() []attribute.KeyValue {
	about := map[string]string{"service.name": c.Service, "service.version": c.Version, "telemetry.sdk.name": "opentelemetry", "telemetry.sdk.language": "go"}
	for pair := range strings.SplitSeq(c.OTel["OTEL_RESOURCE_ATTRIBUTES"], ",") {
		if key, value, ok := strings.Cut(pair, "="); ok {
			about[strings.TrimSpace(key)] = unescaped(strings.TrimSpace(value))
		}
	}
	if name := c.OTel["OTEL_SERVICE_NAME"]; name != "" {
		about["service.name"] = name
	}
	attrs := make([]attribute.KeyValue, 0, len(about))
	for key, value := range about {
		attrs = append(attrs, attribute.String(key, value))
	}
	return attrs
}

// errGRPC tells what is spoken here.
var errGRPC = errors.New("OTEL_EXPORTER_OTLP_PROTOCOL: grpc is not spoken here: set http/protobuf, and the address of the collector's HTTP receiver, usually port 4318")

// sendLimit is how long one sending may take unless the environment says otherwise.
const sendLimit = 10 * time.Second
