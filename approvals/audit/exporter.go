package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// Sink is where rows are exported to. It has every row up to its position for good.
type Sink interface {
	// Position returns how far the sink has come.
	Position(ctx context.Context) (store.Ending, error)
	// Send adds rows, which come after from, and moves the position; an error means that they may have to be sent again.
	Send(ctx context.Context, from store.Ending, rows []approvals.Event) error
	// String names the sink for people, without secrets.
	String() string
}

// RefusedError says that a collector did not take rows, and that sending the same again will not help by itself.
type RefusedError struct {
	// Status is the HTTP status; After is how long it asked to wait, or 0.
	Status int
	After  time.Duration
	hint   string
}

// Error implements error.
func (e *RefusedError) Error() string { return fmt.Sprintf("it answered HTTP %d%s", e.Status, e.hint) }

// ExporterOptions is what an Exporter is made of.
type ExporterOptions struct {
	Store *store.DB
	Sink  Sink
	// Batch is the most rows of one sending, 0 means 500. Look is how often new rows are looked for, 0 means 2 s. Patience is
	// the longest wait between two tries, 0 means 5 min.
	Batch          int
	Look, Patience time.Duration
	// Sleep waits, or returns early when ctx ends; nil waits by the clock. Clock is time.Now and Logger slog.Default unless set.
	Sleep  func(ctx context.Context, d time.Duration)
	Clock  func() time.Time
	Logger *slog.Logger
}

// Exporter carries the audit to a sink, every row at least once and in order. It only reads what is committed: a sink that is
// slow or away delays no decision and loses no row.
type Exporter struct {
	o      ExporterOptions
	batch  int       // smaller while the sink finds them too large
	failed int       // tries in a row
	since  time.Time // the first of them
}

// NewExporter makes an exporter.
func NewExporter(o ExporterOptions) (*Exporter, error) {
	if o.Store == nil || o.Sink == nil {
		return nil, errors.New("an export of the audit needs a store and a place to go to")
	}
	o.Batch = usual(o.Batch, batch)
	o.Look, o.Patience = usual(o.Look, 2*time.Second), usual(o.Patience, 5*time.Minute)
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Exporter{o: o, batch: o.Batch}, nil
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// Run exports until ctx ends, and then what is left unless the sink is away.
func (x *Exporter) Run(ctx context.Context) {
	for ctx.Err() == nil {
		n, err := x.Step(ctx)
		if wait := x.wait(ctx, n, err); wait > 0 {
			x.o.Sleep(ctx, wait)
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTime)
	defer cancel()
	for x.failed == 0 {
		if n, err := x.Step(last); err != nil || n == 0 {
			return
		}
	}
}

// Step sends one batch and returns how many rows it had.
func (x *Exporter) Step(ctx context.Context) (int, error) {
	at, err := x.o.Sink.Position(ctx)
	if err != nil {
		return 0, err
	}
	if at.Seq > 0 {
		hash, ok, err := x.o.Store.RowHash(ctx, at.Seq)
		if err != nil {
			return 0, err
		}
		if !ok || hash != at.Hash {
			x.o.Logger.ErrorContext(ctx, "the last exported row is not in the audit: the database was restored or replaced; every row is exported again", "to", x.o.Sink.String(), "row", at.Seq)
			at.Seq = 0
		}
	}
	rows, err := x.o.Store.Events(ctx, store.Query{After: at.Seq, Limit: x.batch})
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	return len(rows), x.o.Sink.Send(ctx, at, rows)
}

const firstWait = time.Second

// wait says how long to wait after a step, and says in the log what went wrong.
func (x *Exporter) wait(ctx context.Context, n int, err error) time.Duration {
	if err == nil {
		if x.failed > 0 {
			x.o.Logger.InfoContext(ctx, "the audit is exported again", "to", x.o.Sink.String(), "after", x.o.Clock().Sub(x.since).Round(time.Second).String())
		}
		full := n == x.batch
		x.failed, x.batch = 0, min(2*x.batch, x.o.Batch)
		if full {
			return 0
		}
		return x.o.Look
	}
	if ctx.Err() != nil || approvals.KindOf(err) == approvals.KindConflict {
		return x.o.Look // another process exports to the same collector
	}
	if x.failed++; x.failed == 1 {
		x.since = x.o.Clock()
	}
	wait := min(firstWait<<min(x.failed-1, 20), x.o.Patience)
	text, level := "the audit could not be exported; nothing is lost, it will be tried again", slog.LevelWarn
	var refused *RefusedError
	if errors.As(err, &refused) {
		wait = max(wait, min(refused.After, x.o.Patience))
		if refused.Status == tooLarge && x.batch > 1 {
			x.batch = max(1, x.batch/2)
			return 0
		}
		if refused.Status >= 400 && refused.Status < 500 && refused.Status != tooMany {
			text, level = "the collector REFUSES the audit; nothing is lost, but nothing arrives until somebody mends this", slog.LevelError
		}
	}
	x.o.Logger.Log(ctx, level, text, "to", x.o.Sink.String(), "error", err, "tries", x.failed,
		"for", x.o.Clock().Sub(x.since).Round(time.Second).String(), "next", wait.String())
	return wait
}
