package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/gate"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// Options is what a Worker is made of.
type Options struct {
	Store     *store.DB
	Policy    approvals.Policy
	Verifier  *approvals.Verifier
	Directory approvals.Directory
	// Performer acts on the tenant; needed when Queues has store.QueueMDE or store.QueueFetch.
	Performer Performer
	// Tools are what the tools state of themselves. A plan that states another risk was altered, so this is needed with
	// Performer.
	Tools map[string]approvals.ToolInfo
	// Board has the switches; unless set, the worker makes one. It must be one that verifies.
	Board *control.Board
	// Gate takes the worker's own question whether a fleet that the stop rule held may go on. Without one nobody is asked,
	// and what was not sent is skipped.
	Gate *gate.Gate
	// Restored says in words that the database is older than it should be, as after a restore from a backup, and nothing
	// when it is not. It is asked once, before anything is done; an error keeps the worker from starting.
	Restored func(context.Context) (string, error)
	// Notifier is nil when this process has no face; needed when Queues has store.QueueSlack.
	Notifier Notifier
	Timing   Timing
	// Clock is time.Now and Logger slog.Default unless set.
	Clock  func() time.Time
	Logger *slog.Logger
	// Queues are those that this process works; unless set, those that it has a Performer and a Notifier for.
	Queues []store.Queue
	// Workers is how many jobs run at once; 8 unless set.
	Workers int
}

// Timing is how long things take; every zero value has a default.
type Timing struct {
	// Poll is how often an accepted step is asked after, at first; 5 s.
	Poll time.Duration
	// Grace is how long the trace of a step whose answer was lost may take to appear; 5 min. It must be more than
	// SendLimit and WriteTimeout together, because until then the step may still be on its way.
	Grace time.Duration
	// SendLimit is how old the mark of a step may be when it is sent; 15 s. An older one means that the process stalled.
	SendLimit time.Duration
	// RunLimit is how long after the last vote the steps of a plan may be sent; 1 h, and never less than policy gives for
	// the start. What was not sent by then is skipped: whoever approved meant now.
	RunLimit time.Duration
	// WriteTimeout ends a send; 20 s.
	WriteTimeout time.Duration
	// SweepEvery is how often lost work is looked for; 1 min.
	SweepEvery time.Duration
	// Recovery is how long a request may stand still before its work counts as lost; 60 s.
	Recovery time.Duration
	// FetchCooldown is the job engine's pause between fetches; 10 ms.
	FetchCooldown time.Duration
	// JobTimeout ends a job; 30 s. Rescue is when a job of a dead process is taken over; 60 s.
	JobTimeout, Rescue time.Duration
	// FetchTimeout ends one try to fetch what an action gave; 15 min. FetchLimit is how long it is tried again; 1 h.
	FetchTimeout, FetchLimit time.Duration
}

func (t Timing) withDefaults() Timing {
	for _, d := range []struct {
		value    *time.Duration
		fallback time.Duration
	}{
		{&t.Poll, 5 * time.Second},
		{&t.Grace, 5 * time.Minute},
		{&t.SendLimit, 15 * time.Second},
		{&t.RunLimit, time.Hour},
		{&t.WriteTimeout, 20 * time.Second},
		{&t.SweepEvery, time.Minute},
		{&t.Recovery, time.Minute},
		{&t.FetchCooldown, 10 * time.Millisecond},
		{&t.JobTimeout, 30 * time.Second},
		{&t.Rescue, time.Minute},
		{&t.FetchTimeout, 15 * time.Minute},
		{&t.FetchLimit, time.Hour},
	} {
		if *d.value <= 0 {
			*d.value = d.fallback
		}
	}
	return t
}

func (t Timing) check() error {
	switch {
	case t.Grace <= t.SendLimit+t.WriteTimeout:
		return fmt.Errorf("the grace %v must be more than the send limit %v and the write timeout %v together: "+
			"before that a write may still arrive", t.Grace, t.SendLimit, t.WriteTimeout)
	case t.JobTimeout <= t.WriteTimeout:
		return fmt.Errorf("the job timeout %v must be more than the write timeout %v", t.JobTimeout, t.WriteTimeout)
	case t.Rescue <= t.JobTimeout:
		return fmt.Errorf("the rescue time %v must be more than the job timeout %v: a running job would be taken over", t.Rescue, t.JobTimeout)
	}
	return nil
}

// Worker performs approved requests. It implements store.Handler.
type Worker struct {
	o      Options
	timing Timing
	tally  *approvals.Tally
	board  *control.Board
	// lookedBack says that Restored was asked.
	lookedBack atomic.Bool
	engine     *store.Engine
	// stopPatrol ends the sweeps of this process and waits for their end.
	stopPatrol func()
}

// New makes a worker, and refuses to make one that could not tell whether something may run.
func New(o Options) (*Worker, error) {
	if o.Store == nil {
		return nil, errors.New("the worker has no store: there is no work without one")
	}
	o = withDefaults(o)
	if acts := slices.Contains(o.Queues, store.QueueMDE) || slices.Contains(o.Queues, store.QueueFetch); acts && (o.Performer == nil || len(o.Tools) == 0) {
		return nil, errors.New("the worker has no performer, or none of its tools states a risk: it could act on nothing")
	}
	if slices.Contains(o.Queues, store.QueueSlack) && o.Notifier == nil {
		return nil, errors.New("the worker has no notifier: it must not take the jobs that tell people")
	}
	if len(o.Queues) == 0 {
		return nil, errors.New("the worker has neither a performer nor a notifier: it has nothing to do")
	}
	tally, err := approvals.NewTally(approvals.TallyOptions{
		Policy: o.Policy, Verifier: o.Verifier, Directory: o.Directory, Activity: o.Store, Clock: o.Clock,
	})
	if err != nil {
		return nil, err
	}
	if o.Board == nil {
		o.Board, err = control.New(control.Options{Store: o.Store, Tools: o.Tools, Tally: tally, Clock: o.Clock, Logger: o.Logger})
		if err != nil {
			return nil, err
		}
	}
	if !o.Board.Verifies() {
		return nil, errors.New("the worker's switches have no tally: whoever can write a row could lift a stop")
	}
	w := &Worker{o: o, timing: o.Timing.withDefaults(), tally: tally, board: o.Board}
	return w, w.timing.check()
}

func withDefaults(o Options) Options {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Workers <= 0 {
		o.Workers = 8
	}
	if len(o.Queues) == 0 {
		o.Queues = queuesFor(o)
	}
	return o
}

func queuesFor(o Options) []store.Queue {
	var queues []store.Queue
	if o.Performer != nil {
		queues = append(queues, store.QueueMDE, store.QueueFetch)
	}
	if o.Notifier != nil {
		queues = append(queues, store.QueueSlack)
	}
	return queues
}

// Start begins to work, first of all with a sweep for what a crash left behind.
func (w *Worker) Start(ctx context.Context) error {
	if err := w.lookBack(ctx); err != nil {
		return err
	}
	engine, err := w.o.Store.Work(ctx, store.WorkOptions{
		Handler: w, Queues: w.o.Queues, Workers: w.o.Workers, FetchCooldown: w.timing.FetchCooldown,
		JobTimeout: w.timing.JobTimeout, FetchTimeout: w.timing.FetchTimeout, Rescue: w.timing.Rescue, SweepEvery: w.timing.SweepEvery, Logger: w.o.Logger,
	})
	if err != nil {
		return err
	}
	w.engine = engine
	patrol, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	w.stopPatrol = func() { stop(); <-done }
	go func() {
		defer close(done)
		w.patrol(patrol)
	}()
	return nil
}

// patrol sweeps now and then from this very process. The queue's own periodic job is not enough after a crash: it waits
// until a new leader is elected, and for a sweep that died in the middle to be rescued.
func (w *Worker) patrol(ctx context.Context) {
	ticker := time.NewTicker(w.timing.SweepEvery)
	defer ticker.Stop()
	for {
		if err := w.sweep(ctx); err != nil && ctx.Err() == nil {
			w.o.Logger.WarnContext(ctx, "a sweep for lost work failed; it will be tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Stop lets running jobs end, as long as ctx lasts.
func (w *Worker) Stop(ctx context.Context) error {
	if w.engine == nil {
		return nil
	}
	w.stopPatrol()
	return w.engine.Stop(ctx)
}

// Handle does one job. Doing any job again changes nothing.
func (w *Worker) Handle(ctx context.Context, job store.Job) (time.Duration, error) {
	switch job.Kind {
	case store.Advance:
		return w.advance(ctx, job.RequestID)
	case store.Expire:
		return w.expire(ctx, job.RequestID)
	case store.Notify:
		return w.notify(ctx, job.RequestID)
	case store.Boxes:
		return w.boxes(ctx, job)
	case store.Collect:
		return w.collect(ctx, job.RequestID, job.Step)
	case store.Sweep:
		return 0, w.sweep(ctx)
	}
	return 0, fmt.Errorf("job kind %q is not known here; update this program", job.Kind)
}

func (w *Worker) notify(ctx context.Context, requestID string) (time.Duration, error) {
	if w.o.Notifier == nil {
		return 0, errors.New("this process has no notifier and must not work the queue that tells people")
	}
	if err := w.remind(ctx, requestID); err != nil {
		return 0, err
	}
	return w.o.Notifier.Notify(ctx, requestID)
}

// now is the clock in the store's resolution.
func (w *Worker) now() time.Time { return w.o.Clock().UTC().Truncate(time.Millisecond) }
