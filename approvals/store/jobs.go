package store

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/mde-ops/mde-ops/approvals"
)

// JobKind is what a job asks for.
type JobKind string

// The kinds of job.
const (
	Advance JobKind = "advance" // take the next steps of a request
	Notify  JobKind = "notify"  // bring a request's messages up to date
	Expire  JobKind = "expire"  // see whether a request's time has come
	Sweep   JobKind = "sweep"   // find what was lost; belongs to no request
	Boxes   JobKind = "timebox" // see whether time-boxes of a request are due
	Collect JobKind = "collect" // fetch what a step of a request gave
)

func jobKinds() []JobKind { return []JobKind{Advance, Notify, Expire, Sweep, Boxes, Collect} }

// Queue is the set of jobs that one sort of process works.
type Queue string

// The queues.
const (
	QueueMDE   Queue = "mde"   // advance, expire, sweep, timebox
	QueueSlack Queue = "slack" // notify
	// QueueFetch has collect alone, so that downloads don't keep sends waiting.
	QueueFetch Queue = "fetch"
)

func (k JobKind) queue() (Queue, bool) {
	switch k {
	case Advance, Expire, Sweep, Boxes:
		return QueueMDE, true
	case Notify:
		return QueueSlack, true
	case Collect:
		return QueueFetch, true
	}
	return "", false
}

// Job says "look at this request now", and no more.
type Job struct {
	Kind      JobKind
	RequestID string
	// Step is the step that a Collect is for, from 0. A step has one unfinished Collect at most, whoever asks for more.
	Step int
	// Nonce, when set, allows only one unfinished job of this kind, request and nonce: a sweep that comes again does
	// not pile up jobs. Without one, every job is kept, because a job that is running may have looked too early.
	Nonce string
}

// jobArgs is a job as the queue stores it.
type jobArgs struct {
	kind      JobKind
	RequestID string `json:"request_id" river:"unique"`
	Slot      string `json:"slot"       river:"unique"`
	Nonce     string `json:"nonce"`
	// Step is absent for the other kinds, so that jobs of versions that knew no steps keep their slots.
	Step int `json:"step,omitempty"`
	// NotBeforeMS is the wall-clock time before which the job only goes back to sleep; 0 means none.
	NotBeforeMS int64 `json:"not_before_ms,omitempty"`
}

// Kind implements river.JobArgs.
func (a jobArgs) Kind() string { return string(a.kind) }

const (
	// schedulerTick is how coarse the queue's own scheduler is. A job due sooner is inserted at once and told to wait,
	// which is exact.
	schedulerTick = 5 * time.Second
	// maxAttempts is never reached: a job that fails often is put back instead, so that an outage discards nothing.
	maxAttempts = 10_000
	// repeatSlot marks the one waiting repeat that a request has of each kind, however many jobs asked for it.
	repeatSlot = "repeat"
	// stepSlot begins the one place that a step has for its Collect, waiting, running or to be repeated.
	stepSlot = "step:"
)

// unfinished are the states in which a job still stands for its nonce. Completed is not among them, because a repair
// must be able to insert the job again.
func unfinished() []rivertype.JobState {
	return []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning,
		rivertype.JobStateRetryable, rivertype.JobStateScheduled,
	}
}

// insertOnly is the configuration of a client that inserts jobs and is never elected leader. Its cool-down is short
// because an insert within it would not wake the workers.
func insertOnly(log *slog.Logger) *river.Config {
	return &river.Config{Logger: log, MaxAttempts: maxAttempts, FetchCooldown: river.FetchCooldownMin}
}

// Enqueue adds a job that exists if and only if the transaction commits. A zero at, or one that has passed, means now;
// at is reckoned on the DB's clock.
func (tx *Tx) Enqueue(ctx context.Context, j Job, at time.Time) error {
	slot := ""
	switch {
	case j.Kind == Collect:
		slot = stepSlot + strconv.Itoa(j.Step)
	case j.Nonce != "":
		slot = "nonce:" + j.Nonce
	}
	var delay time.Duration
	if !at.IsZero() {
		delay = max(0, at.Sub(tx.db.now()))
	}
	return tx.enqueue(ctx, j, slot, delay)
}

func (tx *Tx) enqueue(ctx context.Context, j Job, slot string, delay time.Duration) error {
	queue, ok := j.Kind.queue()
	if !ok {
		return approvals.Refuse(approvals.KindInvalid, nil, "there is no job kind %q", clip(string(j.Kind)))
	}
	args := jobArgs{kind: j.Kind, RequestID: plain(j.RequestID), Slot: plain(slot), Nonce: plain(j.Nonce), Step: j.Step}
	opts := &river.InsertOpts{Queue: string(queue)}
	if slot != "" {
		opts.UniqueOpts = river.UniqueOpts{ByArgs: true, ByState: unfinished()}
	}
	if delay > 0 {
		due := time.Now().Add(delay) // the queue lives by the wall clock
		args.NotBeforeMS = due.UnixMilli()
		if delay > schedulerTick {
			opts.ScheduledAt = due
		}
	}
	return tx.fault(tx.s.insertJob(ctx, args, opts))
}
