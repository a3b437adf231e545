package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/mdecore"
)

// The kinds of target of a cancellation, by which policy tells them apart.
const (
	kindAction        = "machine action"
	kindForeignAction = "foreign machine action"
)

// Origins tells which remote actions our requests started; a *gate.Gate is one.
type Origins interface {
	// Started returns the id of the request that started the action, and false when none of ours did.
	Started(ctx context.Context, actionID string) (request string, ok bool, err error)
}

type cancelActionIn struct {
	ActionID string `json:"action_id" jsonschema:"Machine action id" form:"guid"`
	Foreign  bool   `json:"foreign,omitempty" jsonschema:"It was not started by mde-ops, and is to be cancelled nevertheless"`
	asking
}

// ownership is whose action a cancellation is of, frozen into its step.
type ownership struct {
	// Request is the request of ours that started it; empty for a foreign one.
	Request string `json:"request,omitempty"`
	Foreign bool   `json:"foreign,omitempty"`
	// Owner is who started a foreign one, by Defender's word.
	Owner string `json:"owner,omitempty"`
}

func cancelAction() declaration {
	return spec[cancelActionIn, requestView]{
		name: "cancel_action", title: "Cancel a machine action", toolset: Response, surface: InToolset, risk: approvals.RiskExpose,
		summary: "Ask to cancel a machine action that is still Pending or InProgress, such as an isolation under way. " +
			"Makes a request that other people approve in Slack.",
		positional: []string{"action_id"}, untrusted: true,
		hints: Annotations{Destructive: true, OpenWorld: true},
		plan:  planCancel,
		performs: performs{
			apply:  applyCancellation,
			find:   findCancellation,
			follow: followCancellation,
		},
	}
}

// planCancel looks the action up, and its device too: approvers and policy judge by the device.
func planCancel(ctx context.Context, s *session, in cancelActionIn) (approvals.Plan, error) {
	id := strings.ToLower(in.ActionID)
	a, err := openAction(ctx, s.reader, id)
	if err != nil {
		return approvals.Plan{}, err
	}
	whose, err := ownerOf(ctx, s.gate, a)
	if err != nil {
		return approvals.Plan{}, err
	}
	if err := whose.asked(id, in.Foreign); err != nil {
		return approvals.Plan{}, err
	}
	devices, err := s.resolve(ctx, []string{a.MachineID})
	if err != nil {
		return approvals.Plan{}, err
	}
	args, err := canonical(whose)
	if err != nil {
		return approvals.Plan{}, err
	}
	what := fmt.Sprintf("%s of %s", clean(string(a.Type), 40), label(devices[0]))
	target := targetOf(devices[0])
	device := target // policy is asked about the device by its own id and name as well
	target.ID, target.Kind, target.Name = id, kindAction, string(a.Type)+" of "+devices[0].ComputerDNSName
	plan := approvals.Plan{Warnings: lookalikes(devices), Preview: "Cancel the " + what + " that is " + string(a.Status)}
	plan.Resumes = aboutDevices("cancel_action", s.riskOf("cancel_action"), []approvals.Target{device})
	if highValue(devices[0]) {
		plan.Warnings = append(plan.Warnings, label(devices[0])+" is a high-value device")
	}
	if whose.Foreign {
		target.Kind = kindForeignAction
		what += ", not started by mde-ops"
		plan.Preview += ", not started by mde-ops"
		plan.Warnings = append(plan.Warnings, "not started by mde-ops; started by "+whose.Owner)
	}
	plan.Targets = []approvals.Target{target}
	plan.Steps = []approvals.Step{{Action: "cancel", Target: id, Args: args, Summary: "cancel " + what}}
	return plan, nil
}

// openAction reads an action that can still be cancelled.
func openAction(ctx context.Context, reader *mdecore.Client, id string) (*mdecore.MachineAction, error) {
	a, err := reader.GetMachineAction(ctx, id)
	switch {
	case mdecore.IsNotFound(err):
		return nil, approvals.Refuse(approvals.KindNotFound, err, "Nothing was sent: there is no machine action %s in this tenant", id)
	case err != nil:
		return nil, err
	case !strings.EqualFold(a.ID, id):
		return nil, approvals.Refuse(approvals.KindNoAnswer, nil, "Defender answered with another machine action than %s; nothing was done", id)
	case a.Status != mdecore.ActionPending && a.Status != mdecore.ActionInProgress:
		return nil, approvals.Refuse(approvals.KindInvalid, nil,
			"Nothing was sent: machine action %s is %s; only one that is Pending or InProgress can be cancelled", id, quoted(string(a.Status), 40))
	}
	return a, nil
}

// ownerOf tells whose an action is. It is ours only if our store says that a request's step became it, and its comment
// begins with that request's tag: a comment alone anybody can write, and a row alone may be of another tenant.
func ownerOf(ctx context.Context, origins Origins, a *mdecore.MachineAction) (ownership, error) {
	for _, id := range []string{a.ID, strings.ToLower(a.ID)} { // the store has it as Defender spelled it
		request, ok, err := origins.Started(ctx, id)
		if err != nil {
			return ownership{}, approvals.Refuse(approvals.KindNoAnswer, err, "it could not be found out who started machine action %s; nothing was done", clean(a.ID, 60))
		}
		if ok && taggedBy(request, a.RequestorComment) {
			return ownership{Request: request}, nil
		}
	}
	owner := clean(a.Requestor, 120)
	if owner == "" {
		owner = "nobody that Defender names"
	}
	return ownership{Foreign: true, Owner: owner}, nil
}

// taggedBy reports whether a comment begins with the tag of a step of that request.
func taggedBy(request, comment string) bool {
	tag, _, ok := strings.Cut(comment, "]")
	step, mine := strings.CutPrefix(tag, "[mde-ops:"+request+".")
	return ok && mine && request != "" && step != "" && strings.Trim(step, "0123456789") == ""
}

// asked refuses a call that takes another's action for ours, or ours for another's.
func (o ownership) asked(id string, foreign bool) error {
	switch {
	case o.Foreign && !foreign:
		return approvals.Refuse(approvals.KindDenied, nil, "Nothing was sent: machine action %s was not started by mde-ops, but by %s. "+
			"If it is to be cancelled nevertheless, call again with foreign true; approvers will read whose it is", id, quoted(o.Owner, 120))
	case !o.Foreign && foreign:
		return approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: machine action %s was started by request %s; call again without foreign", id, o.Request)
	}
	return nil
}

// applyCancellation cancels the action if it is still whose it was when people approved.
func applyCancellation(ctx context.Context, with hands, t worker.Task) (worker.Receipt, error) {
	var frozen ownership
	if err := json.Unmarshal(t.Step.Args, &frozen); err != nil || frozen.Foreign == (frozen.Request != "") {
		return worker.Receipt{}, damaged(t, err)
	}
	target, _ := t.Plan.Target(t.Step.Target)
	if frozen.Foreign != (target.Kind == kindForeignAction) {
		return worker.Receipt{}, damaged(t, fmt.Errorf("a step that says foreign %t has a target of kind %q", frozen.Foreign, target.Kind))
	}
	if with.origins == nil {
		return worker.Receipt{}, &worker.Refused{Text: "this worker can't find out who started a machine action (PerformerOptions.Origins), so it cancels none"}
	}
	a, err := openAction(ctx, with.reader, t.Step.Target)
	if err != nil {
		return worker.Receipt{}, unsent(err)
	}
	now, err := ownerOf(ctx, with.origins, a)
	if err != nil {
		return worker.Receipt{}, unsent(err)
	}
	if now != frozen {
		return worker.Receipt{}, &worker.Refused{Text: "whose machine action " + t.Step.Target + " is differs from what was approved; it was not cancelled"}
	}
	return receipt(with.writer.CancelMachineAction(ctx, t.Step.Target, mdecore.CancelRequest{Comment: comment(t)}))
}

// unsent sorts an error of what a step looks at before it writes: certainly nothing was sent. What is wrong for good is
// refused, what may pass is tried again.
func unsent(err error) error {
	forGood := []approvals.Kind{approvals.KindInvalid, approvals.KindNotFound, approvals.KindDenied, approvals.KindTampering}
	if slices.Contains(forGood, approvals.KindOf(err)) || permanent(err) || mdecore.Refused(err) {
		return &worker.Refused{Text: clean(err.Error(), 400), Err: err}
	}
	return &worker.NotSent{RetryAfter: mdecore.RetryAfter(err), Err: err}
}

// findCancellation looks for our tag in the action's cancellation comment.
func findCancellation(ctx context.Context, with hands, t worker.Task, _ time.Time) (worker.Receipt, bool, error) {
	a, err := with.reader.GetMachineAction(ctx, t.Step.Target)
	if err != nil {
		return worker.Receipt{}, false, err
	}
	if !strings.HasPrefix(a.CancellationComment, t.Tag) {
		return worker.Receipt{}, false, nil
	}
	return worker.Receipt{ActionID: a.ID, RemoteStatus: string(a.Status)}, true, nil
}

// followCancellation turns the action's own end around: Cancelled is what was wanted.
func followCancellation(ctx context.Context, with hands, t worker.Task, actionID string) (worker.Progress, error) {
	p, err := followDeviceAction(ctx, with, t, actionID)
	if err != nil {
		return worker.Progress{}, err
	}
	switch p.State {
	case approvals.StepCancelled:
		p.State, p.Message = approvals.StepSucceeded, "the action is cancelled"
	case approvals.StepSucceeded, approvals.StepFailed, approvals.StepTimedOut:
		p.State, p.Message = approvals.StepFailed, "the action ended as "+clean(p.RemoteStatus, 40)+" before it could be cancelled"
	case approvals.StepAccepted, approvals.StepWaiting, approvals.StepSending, approvals.StepSkipped, approvals.StepUnknown:
	}
	return p, nil
}
