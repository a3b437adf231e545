package slackapp

import (
	"context"
	"errors"
	"time"

	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/internal/app"
	"github.com/mde-ops/mde-ops/internal/telemetry"
	"github.com/mde-ops/mde-ops/tools"
)

// measure adds the store and the checkpoints of the audit to what a scrape reads.
func (a *App) measure() {
	meter := a.Config.Meter
	if meter == nil {
		return
	}
	store := &app.StoreMeter{Base: func() (*app.Base, error) { return a.Base, nil }, Stops: a.board.InForce}
	store.Start(meter.Metrics, a.Log)
	if a.keeper != nil {
		meter.Metrics.Source("checkpoints", a.Log, a.checkpoints)
	}
}

// checkpoints says how long ago the audit was signed, and how much of it is not.
func (a *App) checkpoints(ctx context.Context) ([]telemetry.Reading, error) {
	last := a.keeper.Last()
	if last.Number == 0 {
		return nil, errors.New("no checkpoint of the audit has been read or written yet")
	}
	head, err := a.Store.Head(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	if a.Config.Clock != nil {
		now = a.Config.Clock()
	}
	return []telemetry.Reading{
		telemetry.Gauge("mde_audit_checkpoint_age_seconds", "Time since the audit's last checkpoint.", max(now.Sub(last.At).Seconds(), 0)),
		telemetry.Gauge("mde_audit_rows_after_checkpoint", "Rows of the audit that no checkpoint covers yet.", float64(max(head-last.Rows, 0))),
	}, nil
}

// Ready reports whether the worker can reach the store and the bot, if there is one, is connected to Slack.
func (a *App) Ready() bool {
	limited, cancel := context.WithTimeout(context.Background(), readyLimit)
	defer cancel()
	_, err := a.Store.Head(limited)
	return err == nil && (a.Bot == nil || a.Bot.Connected())
}

const readyLimit = 2 * time.Second

// startAdmin answers numbers and probes until ctx ends, where that is configured.
func (a *App) startAdmin(ctx context.Context) error {
	admin, err := a.Config.Admin(ctx, a.Ready, a.Log)
	if err == nil && admin != nil {
		go admin.Serve(ctx)
	}
	return err
}

// commands are the dispatcher of the bot, whose calls are measured.
type commands struct {
	*tools.Dispatcher
	meter *telemetry.Telemetry
	sets  map[string]string
}

// Call runs a tool.
func (c *commands) Call(ctx context.Context, call tools.Call) (tools.Result, error) {
	name := call.Tool
	if _, known := c.sets[name]; !known {
		name = "other"
	}
	ctx, end := c.meter.ToolCall(ctx, telemetry.Call{Method: "command", Tool: name, Toolset: c.sets[name]})
	out, err := c.Dispatcher.Call(ctx, call)
	outcome := app.Outcome(err)
	if err == nil && out.Question != nil {
		outcome = telemetry.Asked
	}
	end(outcome)
	return out, err
}

// performer measures what the worker does.
type performer struct {
	*tools.Performer
	meter *telemetry.Telemetry
}

// begin begins an act. Its end is told the error of the act.
func (p *performer) begin(ctx context.Context, name string, t worker.Task) (context.Context, func(error)) {
	ctx, end := p.meter.WorkerAct(ctx, telemetry.Act{Name: name, Tool: t.Plan.Tool, Request: t.RequestID, Step: t.Index})
	return ctx, func(err error) { end(actOutcome(err)) }
}

// actOutcome is what became of an act, in a word.
func actOutcome(err error) string {
	var unsent *worker.NotSent
	var refused *worker.Refused
	switch {
	case errors.As(err, &unsent):
		return "not_sent"
	case errors.As(err, &refused):
		return "refused"
	}
	return app.Outcome(err)
}

// Apply implements worker.Performer.
func (p *performer) Apply(ctx context.Context, t worker.Task) (worker.Receipt, error) {
	ctx, end := p.begin(ctx, "apply", t)
	r, err := p.Performer.Apply(ctx, t)
	end(err)
	return r, err
}

// Find implements worker.Performer.
func (p *performer) Find(ctx context.Context, t worker.Task, since time.Time) (worker.Receipt, bool, error) {
	ctx, end := p.begin(ctx, "find", t)
	r, found, err := p.Performer.Find(ctx, t, since)
	end(err)
	return r, found, err
}

// Follow implements worker.Performer.
func (p *performer) Follow(ctx context.Context, t worker.Task, actionID string) (worker.Progress, error) {
	ctx, end := p.begin(ctx, "follow", t)
	progress, err := p.Performer.Follow(ctx, t, actionID)
	end(err)
	return progress, err
}

// Collect implements worker.Collector.
func (p *performer) Collect(ctx context.Context, t worker.Task, actionID string) (worker.Progress, error) {
	ctx, end := p.begin(ctx, "collect", t)
	progress, err := p.Performer.Collect(ctx, t, actionID)
	end(err)
	return progress, err
}

var _ interface {
	worker.Performer
	worker.Collector
	worker.Observer
	worker.Undoer
	worker.Timepiece
} = (*performer)(nil)
