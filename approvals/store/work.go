package store

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/riverqueue/river"

	"github.com/mde-ops/mde-ops/approvals"
)

// Soon is what a Handler returns to ask for the same job again at once.
const Soon time.Duration = -1

// Handler does what a job asks for. A positive again wants the job again after that long, Soon at once, zero never. An
// error wants it again after a backoff of at most 5 s, without end. Handle must change nothing when it is called once
// more for what is done already.
type Handler interface {
	Handle(ctx context.Context, job Job) (again time.Duration, err error)
}

// WorkOptions say which jobs this process works, and how.
type WorkOptions struct {
	Handler Handler
	// Queues are the ones to work. The kinds of all queues are known to every process, because a leader discards jobs
	// of kinds it does not know.
	Queues []Queue
	// Workers is how many jobs of a queue run at once; 0 means 8. Of QueueFetch it is never more than 2, because a download
	// takes bandwidth and disk.
	Workers int
	// FetchCooldown is the least time between two fetches; 0 means 10 ms.
	FetchCooldown time.Duration
	// JobTimeout ends a job's context; 0 means 30 s.
	JobTimeout time.Duration
	// FetchTimeout ends the context of a Collect; 0 means 15 min. One that died with its process is taken over after it.
	FetchTimeout time.Duration
	// Rescue is how long a job may run before it is taken to have died with its process; 0 means 60 s. It must be
	// longer than JobTimeout.
	Rescue time.Duration
	// SweepEvery is how often the leader inserts a sweep; 0 means 1 min.
	SweepEvery time.Duration
	// Logger gets the engine's remarks; nil means the DB's.
	Logger *slog.Logger
}

const (
	fetchPoll       = 250 * time.Millisecond
	maxBackoff      = 5 * time.Second
	firstBackoff    = 250 * time.Millisecond
	recordedErrors  = 8
	defaultWorkers  = 8
	fetchWorkers    = 2
	stopGracePeriod = 5 * time.Second
)

func orDefault[T ~int | ~int64](v, usual T) T {
	if v <= 0 {
		return usual
	}
	return v
}

func (o WorkOptions) withDefaults(db *DB) (WorkOptions, error) {
	o.Workers = orDefault(o.Workers, defaultWorkers)
	o.FetchCooldown = orDefault(o.FetchCooldown, 10*time.Millisecond)
	o.JobTimeout = orDefault(o.JobTimeout, 30*time.Second)
	o.FetchTimeout = orDefault(o.FetchTimeout, 15*time.Minute)
	o.Rescue = orDefault(o.Rescue, 60*time.Second)
	o.SweepEvery = orDefault(o.SweepEvery, time.Minute)
	if o.Logger == nil {
		o.Logger = db.opts.Logger
	}
	switch {
	case o.Handler == nil:
		return o, approvals.Refuse(approvals.KindInvalid, nil, "the job engine needs a handler")
	case len(o.Queues) == 0:
		return o, approvals.Refuse(approvals.KindInvalid, nil, "the job engine needs at least one queue to work")
	case o.Rescue <= o.JobTimeout:
		return o, approvals.Refuse(approvals.KindInvalid, nil,
			"the rescue time %s must be longer than the job timeout %s, else running jobs are run twice", o.Rescue, o.JobTimeout)
	}
	for _, q := range o.Queues {
		if !slices.Contains(Queues(), q) {
			return o, approvals.Refuse(approvals.KindInvalid, nil, "there is no queue %q", clip(string(q)))
		}
	}
	return o, nil
}

// Engine works jobs until it is stopped.
type Engine struct{ run runner }

// Work starts working jobs. The engine outlives ctx, whose values it keeps; Stop ends it.
func (db *DB) Work(ctx context.Context, o WorkOptions) (*Engine, error) {
	o, err := o.withDefaults(db)
	if err != nil {
		return nil, err
	}
	run, err := db.engine.newWorker(db.riverConfig(o))
	if err != nil {
		return nil, storeError(err, "the job engine can't be set up (see the log)")
	}
	if err := run.Start(context.WithoutCancel(ctx)); err != nil {
		return nil, db.engine.fault(err)
	}
	return &Engine{run: run}, nil
}

func (db *DB) riverConfig(o WorkOptions) *river.Config {
	w := &worker{db: db, handler: o.Handler, log: o.Logger, slice: o.JobTimeout / 3, fetch: o.FetchTimeout}
	workers := river.NewWorkers()
	for _, k := range jobKinds() {
		river.AddWorkerArgs(workers, jobArgs{kind: k}, w)
	}
	queues := make(map[string]river.QueueConfig, len(o.Queues))
	for _, q := range o.Queues {
		queues[string(q)] = river.QueueConfig{MaxWorkers: o.Workers}
	}
	if _, works := queues[string(QueueFetch)]; works {
		queues[string(QueueFetch)] = river.QueueConfig{MaxWorkers: min(o.Workers, fetchWorkers)}
	}
	sweep := river.NewPeriodicJob(river.PeriodicInterval(o.SweepEvery), func() (river.JobArgs, *river.InsertOpts) {
		return jobArgs{kind: Sweep, Slot: repeatSlot}, &river.InsertOpts{
			Queue: string(QueueMDE), UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: unfinished()},
		}
	}, &river.PeriodicJobOpts{RunOnStart: true})
	return &river.Config{
		Logger: o.Logger, MaxAttempts: maxAttempts, Workers: workers, Queues: queues, PeriodicJobs: []*river.PeriodicJob{sweep},
		FetchCooldown: o.FetchCooldown, FetchPollInterval: max(fetchPoll, o.FetchCooldown),
		JobTimeout: o.JobTimeout, RescueStuckJobsAfter: o.Rescue,
	}
}

// Stop lets running jobs end and stops. When ctx ends first, their contexts are cancelled and Stop waits a little more
// for them.
func (e *Engine) Stop(ctx context.Context) error {
	err := e.run.Stop(ctx)
	if err == nil || !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	hard, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGracePeriod)
	defer cancel()
	return e.run.StopAndCancel(hard)
}

// worker runs jobs of every kind through the handler.
type worker struct {
	river.WorkerDefaults[jobArgs]
	db      *DB
	handler Handler
	log     *slog.Logger
	// slice is how long a job that wants itself again at once keeps its worker, before it gets a fresh timeout.
	slice time.Duration
	// fetch is how long a Collect may take.
	fetch time.Duration
}

// Timeout implements river.Worker: a download takes longer than other jobs. Zero is the engine's own.
func (w *worker) Timeout(job *river.Job[jobArgs]) time.Duration {
	if JobKind(job.Kind) == Collect {
		return w.fetch
	}
	return 0
}

// Work implements river.Worker.
func (w *worker) Work(ctx context.Context, job *river.Job[jobArgs]) error {
	if wait := time.Until(time.UnixMilli(job.Args.NotBeforeMS)); wait > 0 {
		return river.JobSnooze(wait)
	}
	j := Job{Kind: JobKind(job.Kind), RequestID: job.Args.RequestID, Step: job.Args.Step, Nonce: job.Args.Nonce}
	started := time.Now()
	for {
		again, err := w.handler.Handle(ctx, j)
		switch {
		case err != nil:
			return w.failed(ctx, job, err)
		case again == 0:
			return nil
		case again > 0:
			return w.later(ctx, job, j, again)
		}
		if ctx.Err() != nil || time.Since(started) > w.slice {
			return river.JobSnooze(0)
		}
	}
}

// later arranges for the repeat of a job. A request has one waiting repeat of each kind: when several jobs of a request
// want to come again, they become one, because each of them would otherwise ask the tenant for ever in parallel. A Collect
// keeps its own slot, because every step has one.
func (w *worker) later(ctx context.Context, job *river.Job[jobArgs], j Job, again time.Duration) error {
	if j.RequestID == "" || job.Args.Slot == repeatSlot || j.Kind == Collect {
		return river.JobSnooze(again)
	}
	return w.db.InTx(ctx, func(tx *Tx) error { return tx.enqueue(ctx, j, repeatSlot, again) })
}

// failed lets the queue keep the first errors and retry; after those it only puts the job back, so that a long outage
// neither discards the job nor makes its row grow.
func (w *worker) failed(ctx context.Context, job *river.Job[jobArgs], err error) error {
	if job.Attempt < recordedErrors {
		return err
	}
	w.log.ErrorContext(ctx, "a job keeps failing and will be tried again", "kind", job.Kind, "request", job.Args.RequestID, "error", err)
	return river.JobSnooze(maxBackoff)
}

// NextRetry implements river.Worker: a short backoff, because what waits is a containment.
func (w *worker) NextRetry(job *river.Job[jobArgs]) time.Time {
	backoff := firstBackoff << min(max(job.Attempt-1, 0), 10)
	return time.Now().Add(min(backoff, maxBackoff))
}

// Queues lists all queues, for a process that works everything.
func Queues() []Queue { return []Queue{QueueMDE, QueueSlack, QueueFetch} }
