package mdecore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/internal/azpipe"
)

// ItemResult is what became of one item of a bulk call.
type ItemResult struct {
	// ID is the item: a machine id, an alert id, an indicator's value.
	ID string
	// Err is nil when the service confirmed the item. Otherwise NotSent, Refused and Uncertain tell the cases apart.
	Err error
}

// BulkError says that a bulk call did not do all it was asked. When all items met the same fate it wraps the first one's
// error, so that NotSent, Refused and Uncertain speak for the whole call; when fates differ it wraps nothing and is
// Uncertain: look at the results.
type BulkError struct {
	// Op is the method, e.g. "TagMachines".
	Op string
	// Done, Refused, Unknown and NotSent count the items.
	Done, Refused, Unknown, NotSent int
	// First is the error of the first item that was not done.
	First error

	wait time.Duration
}

// Error implements error.
func (e *BulkError) Error() string {
	all := e.Done + e.Refused + e.Unknown + e.NotSent
	return fmt.Sprintf("%s: of %d items %d done, %d refused, %d in unknown state, %d not sent: %s",
		e.Op, all, e.Done, e.Refused, e.Unknown, e.NotSent, e.First)
}

// Unwrap returns First when it speaks for all items.
func (e *BulkError) Unwrap() error {
	all := e.Done + e.Refused + e.Unknown + e.NotSent
	if slices.Contains([]int{e.Refused, e.Unknown, e.NotSent}, all) {
		return e.First
	}
	return nil
}

// RetryDelay is how long the service, or our own budget, asks to wait before the items that were not sent are tried again.
func (e *BulkError) RetryDelay() time.Duration { return e.wait }

// bulk describes calls that together treat any number of items.
type bulk[T any] struct {
	op string
	// size is the most items in one call.
	size int
	// id names an item; items with the same name are sent once.
	id func(T) string
	// fold says that names which differ in case only are the same.
	fold bool
	// send makes one call. It returns what was wrong with single items by their id, and what was wrong with the call as a
	// whole; an item without either is done.
	send func(ctx context.Context, batch []T) (failed map[string]error, err error)
}

// run sends the items in batches, one after the other. A batch that the service definitely refused does not keep the next
// ones from being sent. After one whose outcome is unknown, or that could not be sent, nothing more is sent: what happened
// would happen again, and the damage of a mistake must stay small. The results are in the order of the items; err is nil
// when all are done, otherwise a *BulkError.
func (b bulk[T]) run(ctx context.Context, items []T) ([]ItemResult, error) {
	items = b.distinct(items)
	results := make([]ItemResult, 0, len(items))
	var stopped error
	for batch := range slices.Chunk(items, b.size) {
		var failed map[string]error
		err := stopped
		if stopped == nil {
			failed, err = b.send(ctx, batch)
		}
		for _, item := range batch {
			id := b.id(item)
			one := err
			if one == nil {
				one = failed[id]
			}
			results = append(results, ItemResult{ID: id, Err: one})
		}
		if stopped == nil && err != nil && !Refused(err) {
			stopped = b.stop(err)
		}
	}
	return results, summary(b.op, results)
}

// stop is the error of the items that come after the batch which failed with cause. It wraps nothing of the cause, which
// would say of these items what is true of those only.
func (b bulk[T]) stop(cause error) error {
	why := "an earlier part of the call could not be sent"
	if Uncertain(cause) {
		why = "the outcome of an earlier part of the call is unknown"
	}
	return &Error{Op: b.op, Message: "nothing was sent", RetryAfter: RetryAfter(cause), Err: &azpipe.UnsentError{Err: errors.New(why)}}
}

// distinct leaves out repeated items; the first one stays.
func (b bulk[T]) distinct(items []T) []T {
	seen := make(map[string]bool, len(items))
	out := make([]T, 0, len(items))
	for _, item := range items {
		key := b.id(item)
		if b.fold {
			key = strings.ToLower(key)
		}
		if !seen[key] {
			seen[key] = true
			out = append(out, item)
		}
	}
	return out
}

// summary counts results; nil when all are done.
func summary(op string, results []ItemResult) error {
	sum := &BulkError{Op: op}
	for _, r := range results {
		switch {
		case r.Err == nil:
			sum.Done++
			continue
		case NotSent(r.Err):
			sum.NotSent++
		case Refused(r.Err):
			sum.Refused++
		default:
			sum.Unknown++
		}
		if sum.First == nil {
			sum.First = r.Err
		}
		sum.wait = max(sum.wait, RetryAfter(r.Err))
	}
	if sum.First == nil {
		return nil
	}
	return sum
}

// unconfirmed is the error of an item that the service's answer does not name: it may have been left out.
func unconfirmed(op, field, id string) error {
	return &Error{Op: op, Message: "the service accepted the call, but its answer does not name " + field + " " + id + ": look whether it was done"}
}
