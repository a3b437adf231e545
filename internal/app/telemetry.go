package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/internal/telemetry"
	"github.com/mde-ops/mde-ops/tools"
)

// Telemetry is who is told how the program does. The OTEL_* variables say where traces go.
type Telemetry struct {
	MetricsAddr  string `env:"MDE_METRICS_ADDR"`  // where numbers and probes are answered, besides MDE_HTTP; nowhere when empty
	MetricsToken Secret `env:"MDE_METRICS_TOKEN"` // what scrapes must send; without it only this machine's are answered
	Traces       string `env:"MDE_TRACES"`        // otlp or off; by default sent where the OTEL_* variables name a place
}

// check reports what is wrong with the settings.
func (t Telemetry) check(otel map[string]Secret) faults {
	var bad faults
	if t.MetricsAddr != "" {
		if _, port, err := net.SplitHostPort(t.MetricsAddr); err != nil || port == "" {
			bad.add("MDE_METRICS_ADDR: %q is not valid here: want an address and a port, such as 127.0.0.1:9464", t.MetricsAddr)
		} else if !(HTTP{Listen: t.MetricsAddr}).Loopback() && t.MetricsToken.Reveal() == "" {
			bad.add("MDE_METRICS_ADDR: %s can be reached from other machines: set MDE_METRICS_TOKEN (or _FILE), or listen on 127.0.0.1", t.MetricsAddr)
		}
	}
	if err := (telemetry.Config{Traces: t.Traces, OTel: revealed(otel)}).Check(); err != nil {
		bad.add("%v", err)
	}
	return bad
}

func revealed(secrets map[string]Secret) map[string]string {
	plain := make(map[string]string, len(secrets))
	for name, value := range secrets {
		plain[name] = value.Reveal()
	}
	return plain
}

// Measure makes what measures a program, and gives the configuration that its parts are to be built with.
func (c Config) Measure(ctx context.Context, service, version string, log *slog.Logger) (Config, error) {
	meter, err := telemetry.Setup(ctx, telemetry.Config{
		Service: service, Version: version, Traces: c.Telemetry.Traces, OTel: revealed(c.OTel), Logger: log,
	})
	if err != nil {
		return c, err
	}
	c.Meter = meter
	began := float64(time.Now().UnixMilli()) / 1000
	meter.Metrics.Source("process", log, func(context.Context) ([]telemetry.Reading, error) {
		return append(telemetry.Process(), telemetry.Gauge("process_start_time_seconds", "When the process began, in seconds since 1970.", began),
			telemetry.Reading{Name: "mde_build_info", Help: "1, with what runs here.", Labels: []string{"service", "version"}, Points: []telemetry.Point{{Values: []string{service, version}, Value: 1}}}), nil
	})
	return c, nil
}

// EndMeasuring sends the spans that are left, for a limited time.
func (c Config) EndMeasuring(ctx context.Context, log *slog.Logger) {
	if !c.Meter.Sends() {
		return
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSpans)
	defer cancel()
	if err := c.Meter.Shutdown(limited); err != nil {
		log.WarnContext(ctx, "the last traces were not sent", "error", err)
	}
}

// lastSpans is how long the end may wait for a collector.
const lastSpans = 3 * time.Second

// Admin makes the listener for numbers and probes, nil when none is configured.
func (c Config) Admin(ctx context.Context, ready func() bool, log *slog.Logger) (*telemetry.Admin, error) {
	if c.Telemetry.MetricsAddr == "" || c.Meter == nil {
		return nil, nil
	}
	a := &telemetry.Admin{Metrics: c.Meter.Metrics, Token: c.Telemetry.MetricsToken.Reveal(), Ready: ready, Logger: log}
	return a, a.Listen(ctx, c.Telemetry.MetricsAddr)
}

// watchAPI tells the meter of calls to the service; nil where nobody measures.
func (c Config) watchAPI() azpipe.Watch {
	if c.Meter == nil {
		return nil
	}
	return func(ctx context.Context, b azpipe.Begun) (context.Context, func(azpipe.Ended)) {
		ctx, end := c.Meter.APICall(ctx, b.Endpoint, b.Host)
		return ctx, func(e azpipe.Ended) {
			end(telemetry.APIEnd{
				Status: e.Status, NotSent: azpipe.NotSent(e.Err), Sends: e.Sends, Throttled: e.Throttled, Waited: e.Waited,
				ClientRequestID: e.ClientRequestID, ServiceRequestID: e.ServiceRequestID,
			})
		}
	}
}

// watchGate tells the meter of submissions; nil where nobody measures.
func (c Config) watchGate() func(context.Context, string) (context.Context, func(approvals.Request, error)) {
	if c.Meter == nil {
		return nil
	}
	known := Toolsets()
	return func(ctx context.Context, tool string) (context.Context, func(approvals.Request, error)) {
		if _, ok := known[tool]; !ok {
			tool = "other" // a plan may name anything, and a label must not
		}
		ctx, end := c.Meter.Submission(ctx, tool)
		return ctx, func(r approvals.Request, err error) { end(r.ID, Outcome(err)) }
	}
}

// Toolsets are the toolsets of all tools by name, and none when the tools' declarations are wrong.
func Toolsets() map[string]string {
	facts, _ := tools.Facts()
	sets := make(map[string]string, len(facts))
	for name, info := range facts {
		sets[name] = info.Toolset
	}
	return sets
}

// Outcome is how something ended, in a word: ok, the kind of refusal, or failed.
func Outcome(err error) string {
	switch kind := approvals.KindOf(err); {
	case err == nil:
		return telemetry.OK
	case kind != "":
		return string(kind)
	}
	return "failed"
}

// StoreMeter reads a store for /metrics.
type StoreMeter struct {
	// Base gives what is open; an error while nothing is.
	Base func() (*Base, error)
	// Stops are those in force; the gate's word unless set.
	Stops func(context.Context) ([]approvals.Stop, error)

	decided, finished, steps telemetry.Counter
	age                      telemetry.Histogram

	begun bool
	seq   int64
}

// Start adds the store to what is read at a scrape.
func (s *StoreMeter) Start(m *telemetry.Metrics, log *slog.Logger) {
	day := []float64{10, 30, 60, 120, 300, 600, 900, 1800, 3600, 14400, 86400}
	s.decided = m.Counter("mde_requests_decided_total", "Requests that were decided since this process began to look: allowed, approved, denied, expired or cancelled.", "outcome")
	s.age = m.Histogram("mde_request_decision_age_seconds", "How old requests were when they were decided.", day, "outcome")
	s.finished = m.Counter("mde_requests_finished_total", "Requests whose steps have all ended, by the state they ended in.", "state")
	s.steps = m.Counter("mde_worker_steps_total", "Steps that ended, by outcome.", "toolset", "outcome")
	m.Source("store", log, s.read)
}

// read is called once at a time.
func (s *StoreMeter) read(ctx context.Context) ([]telemetry.Reading, error) {
	base, err := s.Base()
	if err != nil {
		return nil, err
	}
	if err := s.readOn(ctx, base.Store); err != nil {
		return nil, err
	}
	g, err := base.Store.Gauges(ctx)
	if err != nil {
		return nil, err
	}
	look := s.Stops
	if look == nil {
		look = base.Gate.Stops
	}
	stops, err := look(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	if base.Config.Clock != nil {
		now = base.Config.Clock()
	}
	return append(openRequests(g.Open, now), jobs(g.Jobs), inForce(stops), telemetry.Gauge("mde_audit_rows", "Rows of the audit.", float64(g.Head))), nil
}

const (
	turnsAtOnce = 1000
	turnsBatch  = 10
)

// readOn counts what the audit tells of since the last look; nothing of what was before the first.
func (s *StoreMeter) readOn(ctx context.Context, db *store.DB) error {
	if !s.begun {
		head, err := db.Head(ctx)
		s.seq, s.begun = head, err == nil
		return err
	}
	sets := Toolsets()
	for range turnsBatch {
		turns, upTo, err := db.Turns(ctx, s.seq, turnsAtOnce)
		if err != nil {
			return err
		}
		for _, t := range turns {
			s.count(t, sets)
		}
		s.seq = upTo
		if len(turns) < turnsAtOnce {
			return nil
		}
	}
	return nil // the rest at the next look
}

func (s *StoreMeter) count(t store.Turn, sets map[string]string) {
	from, to := approvals.State(t.From), approvals.State(t.To)
	switch {
	case t.Step >= 0:
		if state := approvals.StepState(t.To); state.Terminal() && slices.Contains(approvals.StepStates(), state) {
			s.steps.Add(1, sets[t.Tool], t.To)
		}
	case !slices.Contains(approvals.States(), to):
	case from == "" && to == approvals.Approved:
		s.decided.Add(1, "allowed")
	case from == approvals.Pending:
		s.decided.Add(1, t.To)
		s.age.Observe(max(t.At.Sub(t.Asked).Seconds(), 0), t.To)
	case to.Terminal():
		s.finished.Add(1, t.To)
	}
}

func openRequests(open []store.OpenCount, now time.Time) []telemetry.Reading {
	count := telemetry.Reading{Name: "mde_requests_open", Help: "Open requests by state.", Labels: []string{"state"}}
	oldest := telemetry.Reading{Name: "mde_requests_oldest_age_seconds", Help: "Age of the oldest open request of each state; 0 when there is none.", Labels: []string{"state"}}
	for _, state := range []approvals.State{approvals.Pending, approvals.Approved, approvals.Running} {
		var n, age float64
		for _, o := range open {
			if o.State == state {
				n, age = float64(o.Count), max(now.Sub(o.Oldest).Seconds(), 0)
			}
		}
		count.Points = append(count.Points, telemetry.Point{Values: []string{string(state)}, Value: n})
		oldest.Points = append(oldest.Points, telemetry.Point{Values: []string{string(state)}, Value: age})
	}
	return []telemetry.Reading{count, oldest}
}

func jobs(counts []store.JobCount) telemetry.Reading {
	r := telemetry.Reading{Name: "mde_queue_jobs", Help: "Jobs of the job engine by queue and state.", Labels: []string{"queue", "state"}}
	for _, q := range store.Queues() {
		for _, state := range []string{"available", "running", "retryable", "scheduled"} {
			n := 0
			for _, c := range counts {
				if c.Queue == string(q) && c.State == state {
					n = c.Count
				}
			}
			r.Points = append(r.Points, telemetry.Point{Values: []string{string(q), state}, Value: float64(n)})
		}
	}
	return r
}

// inForce says of every scope whether it is stopped, so that an alert can tell "not stopped" from "not known".
func inForce(stops []approvals.Stop) telemetry.Reading {
	on := map[string]float64{approvals.ScopeAll: 0, approvals.ScopeRestore: 0}
	for _, set := range Toolsets() {
		on[set] = 0
	}
	for _, s := range stops {
		if _, known := on[s.Scope]; !known {
			s.Scope = approvals.ScopeAll // a stop that can't be understood stops everything
		}
		on[s.Scope] = 1
	}
	r := telemetry.Reading{Name: "mde_stop_in_force", Help: "1 while acting is stopped: everything, by the kill switch or after a restore, or a toolset.", Labels: []string{"scope"}}
	for scope, v := range on {
		r.Points = append(r.Points, telemetry.Point{Values: []string{scope}, Value: v})
	}
	return r
}

// errNotOpen says that there is no store yet.
var errNotOpen = errors.New("the store is not open yet")

// NotOpen is what a StoreMeter's Base returns before there is one.
func NotOpen() error { return errNotOpen }

// otelVariables are the OTEL_* variables of an environment. Some hold keys.
func otelVariables(environ []string) map[string]Secret {
	all := map[string]Secret{}
	for _, kv := range environ {
		if name, value, ok := strings.Cut(kv, "="); ok && strings.HasPrefix(name, "OTEL_") && value != "" {
			all[name] = NewSecret(value)
		}
	}
	return all
}
