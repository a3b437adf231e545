package tools

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/mdecore"
)

type cancelActionIn struct {
	ActionID string `json:"action_id" jsonschema:"Machine action id" form:"guid"`
	asking
}

func cancelAction() declaration {
	return spec[cancelActionIn, requestView]{
		name: "cancel_action", title: "Cancel a machine action", toolset: Response, risk: approvals.RiskExpose,
		summary: "Ask to cancel a machine action that is still Pending or InProgress, such as an isolation under way. " +
			"Makes a request that other people approve in Slack.",
		positional: []string{"action_id"}, untrusted: true,
		hints: Annotations{Destructive: true, OpenWorld: true},
		plan:  planCancel,
		performs: performs{
			apply: func(ctx context.Context, with hands, t worker.Task) (worker.Receipt, error) {
				return receipt(with.writer.CancelMachineAction(ctx, t.Step.Target, mdecore.CancelRequest{Comment: comment(t)}))
			},
			find:   findCancellation,
			follow: followCancellation,
		},
	}
}

// planCancel looks the action up, and its device too: approvers and policy judge by the device.
func planCancel(ctx context.Context, s *session, in cancelActionIn) (approvals.Plan, error) {
	id := strings.ToLower(in.ActionID)
	a, err := s.reader.GetMachineAction(ctx, id)
	if mdecore.IsNotFound(err) {
		return approvals.Plan{}, approvals.Refuse(approvals.KindNotFound, err, "Nothing was sent: there is no machine action %s in this tenant", id)
	}
	if err != nil {
		return approvals.Plan{}, err
	}
	if !strings.EqualFold(a.ID, id) {
		return approvals.Plan{}, approvals.Refuse(approvals.KindNoAnswer, nil, "Defender answered with another machine action than %s; nothing was done", id)
	}
	if a.Status != mdecore.ActionPending && a.Status != mdecore.ActionInProgress {
		return approvals.Plan{}, approvals.Refuse(approvals.KindInvalid, nil,
			"Nothing was sent: machine action %s is %s; only one that is Pending or InProgress can be cancelled", id, quoted(string(a.Status), 40))
	}
	devices, err := s.resolve(ctx, []string{a.MachineID})
	if err != nil {
		return approvals.Plan{}, err
	}
	what := fmt.Sprintf("%s of %s", clean(string(a.Type), 40), label(devices[0]))
	target := targetOf(devices[0])
	target.ID, target.Kind, target.Name = id, "machine action", string(a.Type)+" of "+devices[0].ComputerDNSName
	plan := approvals.Plan{
		Preview: "Cancel the " + what + " that is " + string(a.Status),
		Targets: []approvals.Target{target},
		Steps:   []approvals.Step{{Action: "cancel", Target: id, Summary: "cancel " + what}},
	}
	if highValue(devices[0]) {
		plan.Warnings = append(plan.Warnings, label(devices[0])+" is a high-value device")
	}
	return plan, nil
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
