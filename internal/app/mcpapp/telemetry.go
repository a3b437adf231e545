package mcpapp

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/mde-ops/mde-ops/internal/app"
	"github.com/mde-ops/mde-ops/internal/mcpserver"
	"github.com/mde-ops/mde-ops/internal/telemetry"
	"github.com/mde-ops/mde-ops/tools"
)

// measure adds the store to what a scrape reads, whether it is open yet or not.
func (p *Opening) measure(cfg app.Config, log *slog.Logger) {
	if cfg.Meter == nil {
		return
	}
	p.meter = cfg.Meter
	store := &app.StoreMeter{Base: p.base}
	store.Start(cfg.Meter.Metrics, log)
}

// base is what is open now. Nothing is begun for it.
func (p *Opening) base() (*app.Base, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.err != nil:
		return nil, p.err
	case p.app == nil:
		return nil, app.NotOpen()
	}
	return p.app.Base, nil
}

// watch tells the meter of calls over MCP; nil where nobody measures.
func (p *Opening) watch(list []tools.Tool) func(context.Context, mcpserver.Begun) (context.Context, func(string)) {
	if p.meter == nil {
		return nil
	}
	sets := make(map[string]string, len(list))
	for _, t := range list {
		sets[t.Name] = string(t.Toolset)
	}
	return func(ctx context.Context, b mcpserver.Begun) (context.Context, func(string)) {
		return p.meter.ToolCall(ctx, telemetry.Call{Method: "tools/call", MCP: true, Tool: b.Tool, Toolset: sets[b.Tool], ID: b.ID, Carried: b.Carried})
	}
}

// numbers adds /metrics to what is served. Where proxies send requests here, all of them seem to come from beside this
// program, so that without a token nobody is answered.
func numbers(cfg app.Config, more func(*http.ServeMux)) func(*http.ServeMux) {
	token := cfg.Telemetry.MetricsToken.Reveal()
	if cfg.Meter == nil || token == "" && len(cfg.HTTP.Proxies) > 0 {
		return more
	}
	return func(mux *http.ServeMux) {
		mux.Handle("GET "+telemetry.Path, cfg.Meter.Metrics.Handler(token))
		if more != nil {
			more(mux)
		}
	}
}

// Admin makes the listener for numbers and probes besides; nil when none is configured.
func (p *Opening) Admin(ctx context.Context, cfg app.Config, log *slog.Logger) (*telemetry.Admin, error) {
	return cfg.Admin(ctx, p.isOpen, log)
}
