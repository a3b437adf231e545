package tools

import (
	"context"
	"fmt"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/mdecore"
)

// writtenStatus is the remote status of a write that leaves no machine action behind.
const writtenStatus = "written"

// atOnce performs a write that has taken effect when it is answered, such as a tag: there is no machine action to follow.
// done reports, by what the tenant holds now, whether a write whose answer was lost has taken effect since; what can't be
// told apart from another's write must be an error.
func atOnce(
	write func(context.Context, hands, worker.Task) error,
	done func(ctx context.Context, with hands, t worker.Task, since time.Time) (bool, error),
) performs {
	receiptOf := func(t worker.Task) worker.Receipt {
		return worker.Receipt{ActionID: fmt.Sprintf("%s:%s.%d", t.Plan.Tool, t.RequestID, t.Index), RemoteStatus: writtenStatus}
	}
	return performs{
		apply: func(ctx context.Context, with hands, t worker.Task) (worker.Receipt, error) {
			if err := sorted(write(ctx, with, t)); err != nil {
				return worker.Receipt{}, err
			}
			return receiptOf(t), nil
		},
		find: func(ctx context.Context, with hands, t worker.Task, since time.Time) (worker.Receipt, bool, error) {
			found, err := done(ctx, with, t, since)
			return receiptOf(t), found, err
		},
		follow: func(context.Context, hands, worker.Task, string) (worker.Progress, error) {
			return worker.Progress{RemoteStatus: writtenStatus, State: approvals.StepSucceeded}, nil
		},
	}
}

// sorted sorts the error of a write for the worker: certainly refused, certainly not sent, or in doubt.
func sorted(err error) error {
	switch {
	case err == nil:
		return nil
	case permanent(err):
		return &worker.Refused{Text: clean(err.Error(), 400), Err: err}
	case mdecore.NotSent(err):
		return &worker.NotSent{RetryAfter: mdecore.RetryAfter(err), Err: err}
	case mdecore.Refused(err):
		return &worker.Refused{Text: clean(err.Error(), 400), Err: err}
	}
	return err
}
