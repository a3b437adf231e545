package tools

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/nexus"
)

// untoldStatus is the status of an operation of which Azure does not tell.
const untoldStatus = "unknown"

// ready refuses a step when this worker has no way to clusters.
func (h nexusHands) ready() error {
	if h.reader == nil || h.writer == nil {
		return &worker.Refused{Text: "this worker knows no Nexus clusters: set MDE_NEXUS_SUBSCRIPTIONS for it too; nothing was sent"}
	}
	return nil
}

// sees is ready of what only looks.
func (h nexusHands) sees() error {
	if h.reader == nil {
		return &worker.Refused{Text: "this worker knows no Nexus clusters: set MDE_NEXUS_SUBSCRIPTIONS for it too"}
	}
	return nil
}

// nexusStep reads a step on a cluster or a node as it was approved.
func nexusStep[S any](t worker.Task) (step S, id nexus.ID, err error) {
	if err = json.Unmarshal(t.Step.Args, &step); err == nil {
		id, err = nexus.ParseID(t.Step.Target)
	}
	return step, id, err
}

// nexusSorted sorts the error of a write for the worker: certainly refused, certainly not sent, or in doubt.
func nexusSorted(err error) error {
	switch {
	case err == nil:
		return nil
	case nexus.NotSent(err):
		return &worker.NotSent{RetryAfter: nexus.RetryAfter(err), Err: err}
	case nexus.Refused(err):
		return &worker.Refused{Text: clean(err.Error(), 600), Err: err}
	}
	return err
}

// nexusUnsent sorts the error of a look before a write: whatever it is, nothing was sent.
func nexusUnsent(err error) error {
	if nexus.Refused(err) {
		return &worker.Refused{Text: clean(err.Error(), 600) + "; nothing was sent", Err: err}
	}
	return &worker.NotSent{RetryAfter: nexus.RetryAfter(err), Err: err}
}

// look asks how far an operation is. ended says that it is over, well or not; the progress has what Azure said then. That Azure
// tells nothing of it any more is an end as well, because it keeps operations for a while only.
func (h nexusHands) look(ctx context.Context, t worker.Task, actionID string) (p worker.Progress, ended bool, err error) {
	if err := h.sees(); err != nil {
		return worker.Progress{}, false, err
	}
	if strings.HasPrefix(actionID, doneAtOnce) {
		return worker.Progress{RemoteStatus: writtenStatus, State: approvals.StepSucceeded}, true, nil
	}
	o, gone, err := h.status(ctx, t, actionID)
	switch {
	case err != nil:
		return worker.Progress{}, false, err
	case gone != "":
		return worker.Progress{RemoteStatus: untoldStatus, State: approvals.StepFailed, Message: gone}, true, nil
	case o.State == nexus.Running:
		return worker.Progress{RemoteStatus: o.Status, State: approvals.StepAccepted}, false, nil
	case o.State == nexus.Succeeded:
		return worker.Progress{RemoteStatus: o.Status, State: approvals.StepSucceeded}, true, nil
	case o.State == nexus.Canceled:
		return worker.Progress{RemoteStatus: o.Status, State: approvals.StepCancelled, Message: operationFault(o)}, true, nil
	}
	return worker.Progress{RemoteStatus: o.Status, State: approvals.StepFailed, Message: operationFault(o)}, true, nil
}

// status looks at the operation of a step once. gone says in words that Azure tells nothing of it any more, or tells of an
// operation on something else.
func (h nexusHands) status(ctx context.Context, t worker.Task, actionID string) (o *nexus.OperationStatus, gone string, err error) {
	operation, err := h.operationOf(t, actionID)
	if err != nil {
		return nil, "", err
	}
	o, err = h.reader.OperationStatus(ctx, operation)
	switch {
	case nexus.IsNotFound(err):
		return nil, "Azure no longer knows the operation", nil
	case nexus.Refused(err):
		return nil, "Azure does not tell of the operation: " + clean(err.Error(), 300), nil
	case err == nil && o.ResourceID != "" && !strings.EqualFold(o.ResourceID, t.Step.Target):
		return nil, "Azure says that the operation is on " + quoted(o.ResourceID, 300) + ", which is not what was asked", nil
	}
	return o, "", err
}

// operationFault is what Azure says of an operation that did not end well.
func operationFault(o *nexus.OperationStatus) string {
	text := clean(o.Message, 400)
	if text == "" {
		text = "Azure gave no reason"
	}
	if o.Code != "" {
		text += " (" + clean(o.Code, 80) + ")"
	}
	return text
}
