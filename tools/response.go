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

// responseTools lists the toolset response.
func responseTools() []declaration {
	return []declaration{
		isolateDevices(), releaseDevices(), undoRequest(), cancelAction(), restrictApps(), unrestrictApps(), scanDevices(), stopAndQuarantine(),
		offboardDevices(),
	}
}

type isolateIn struct {
	Devices       []string `json:"devices" jsonschema:"Device ids, DNS names, IPs or Entra device ids" form:"device"`
	IsolationType string   `json:"isolation_type,omitempty" jsonschema:"Selective keeps Outlook and Teams; UnManagedDevice is for one without Defender" enum:"Full,Selective,UnManagedDevice" default:"Full"`
	For           string   `json:"for,omitempty" jsonschema:"Release after this time, 15m to 168h" form:"span"`
	asking
}

// isolateStep is what a frozen isolation step holds.
type isolateStep struct {
	IsolationType mdecore.IsolationType `json:"isolation_type"`
}

func isolateDevices() declaration {
	return spec[isolateIn, requestView]{
		name: "isolate_devices", title: "Isolate devices", toolset: Response, surface: Default, risk: approvals.RiskContain,
		summary: "Ask to cut devices off the network. Nothing happens before other people approve it in Slack. " +
			"Undo with release_devices.",
		positional: []string{"devices"}, untrusted: true,
		hints: Annotations{Destructive: true, OpenWorld: true},
		plan:  planIsolate, undo: "release_devices", reverse: isolationReversal(),
		performs: performs{apply: applyIsolate, find: findIsolation, follow: followDeviceAction},
	}
}

func planIsolate(ctx context.Context, s *session, in isolateIn) (approvals.Plan, error) {
	kind := mdecore.IsolationType(in.IsolationType)
	if kind == mdecore.IsolationUnManagedDevice && in.For != "" {
		return approvals.Plan{}, approvals.Refuse(approvals.KindInvalid, nil,
			"Nothing was sent: for: how a contained device is released by the API is not documented, so its release can't be promised; leave `for` out")
	}
	args, err := canonical(isolateStep{IsolationType: kind})
	if err != nil {
		return approvals.Plan{}, err
	}
	plan, err := s.planDevices(ctx, in.Devices, deviceWork{
		action: "isolate", preview: "Isolate %s (" + in.IsolationType + ")", summary: "isolate %s (" + in.IsolationType + ")", args: args,
		check: func(f *finding, m *mdecore.Machine, actions []*mdecore.MachineAction) {
			f.isolate(m, actions, kind)
			f.boxed(actions, in.For)
		},
	})
	if err != nil || in.For == "" {
		return plan, err
	}
	return s.boxed(plan, in.For, "release_devices")
}

func applyIsolate(ctx context.Context, with hands, t worker.Task) (worker.Receipt, error) {
	var step isolateStep
	if err := json.Unmarshal(t.Step.Args, &step); err != nil {
		return worker.Receipt{}, damaged(t, err)
	}
	a, err := with.writer.IsolateMachine(ctx, t.Step.Target, mdecore.IsolateRequest{Comment: comment(t), IsolationType: step.IsolationType})
	return receipt(a, err)
}

type releaseIn struct {
	Devices []string `json:"devices" jsonschema:"Device ids, DNS names, IPs or Entra device ids" form:"device"`
	asking
}

func releaseDevices() declaration {
	return spec[releaseIn, requestView]{
		name: "release_devices", title: "Release devices from isolation", toolset: Response, surface: Default, risk: approvals.RiskExpose,
		summary: "Ask to give isolated devices the network back. Nothing happens before other people approve it in Slack. " +
			"Undo with isolate_devices.",
		positional: []string{"devices"}, untrusted: true,
		hints: Annotations{Destructive: true, OpenWorld: true},
		plan:  planRelease, undo: "isolate_devices", reverse: releaseReversal(),
		performs: performs{apply: applyRelease, find: findDeviceAction(mdecore.ActionUnisolate), follow: followDeviceAction},
	}
}

func planRelease(ctx context.Context, s *session, in releaseIn) (approvals.Plan, error) {
	return s.planDevices(ctx, in.Devices, deviceWork{
		action: "release", preview: "Release %s from isolation", summary: "release %s",
		check: func(f *finding, m *mdecore.Machine, actions []*mdecore.MachineAction) { f.release(m, actions) },
	})
}

func applyRelease(ctx context.Context, with hands, t worker.Task) (worker.Receipt, error) {
	return receipt(with.writer.UnisolateMachine(ctx, t.Step.Target, mdecore.UnisolateRequest{Comment: comment(t)}))
}

// deviceWork is one kind of write to each of several devices.
type deviceWork struct {
	// action is the tool's word; preview and summary are sentences with a place for the devices.
	action, preview, summary string
	args                     json.RawMessage
	// types are those of the machine actions that check looks at; isolations and releases where none is named.
	types []mdecore.ActionType
	check func(*finding, *mdecore.Machine, []*mdecore.MachineAction)
}

// planDevices resolves and checks the devices and freezes one step for each.
func (s *session) planDevices(ctx context.Context, refs []string, w deviceWork) (approvals.Plan, error) {
	devices, err := s.resolve(ctx, refs)
	if err != nil {
		return approvals.Plan{}, err
	}
	actions, err := s.actionsOf(ctx, devices, w.types...)
	if err != nil {
		return approvals.Plan{}, err
	}
	warnings, err := preflight(devices, func(f *finding, m *mdecore.Machine) { w.check(f, m, actions[strings.ToLower(m.ID)]) })
	if err != nil {
		return approvals.Plan{}, err
	}
	plan := approvals.Plan{Warnings: warnings, Preview: fmt.Sprintf(w.preview, naming(devices))}
	for _, m := range devices {
		plan.Targets = append(plan.Targets, targetOf(m))
		plan.Steps = append(plan.Steps, approvals.Step{
			Action: w.action, Target: m.ID, Args: w.args, Summary: fmt.Sprintf(w.summary, label(m)),
		})
	}
	return plan, nil
}

// naming is the devices in a sentence; ids are in the structure and on the card.
func naming(devices []*mdecore.Machine) string {
	var names []string
	for i, m := range devices {
		if i == 3 && len(devices) > 4 {
			return fmt.Sprintf("%d devices: %s and %d more", len(devices), strings.Join(names, ", "), len(devices)-i)
		}
		names = append(names, label(m))
	}
	if len(names) == 1 {
		return names[0]
	}
	return fmt.Sprintf("%d devices: %s", len(names), strings.Join(names, ", "))
}

// findDeviceAction looks for a step's write among the device's actions of that type, by our tag at the start of the comment.
func findDeviceAction(kind mdecore.ActionType) func(context.Context, hands, worker.Task, time.Time) (worker.Receipt, bool, error) {
	return func(ctx context.Context, with hands, t worker.Task, since time.Time) (worker.Receipt, bool, error) {
		var f filter
		f.eq("type", string(kind))
		return findTagged(ctx, with, t, since, f, func(a *mdecore.MachineAction) bool { return a.Type == kind })
	}
}

// findIsolation is findDeviceAction of an isolation. The type of the action that contains a device is not documented, so
// there only what is documented to be something else is left out.
func findIsolation(ctx context.Context, with hands, t worker.Task, since time.Time) (worker.Receipt, bool, error) {
	var step isolateStep
	if err := json.Unmarshal(t.Step.Args, &step); err != nil {
		return worker.Receipt{}, false, damaged(t, err)
	}
	if step.IsolationType != mdecore.IsolationUnManagedDevice {
		return findDeviceAction(mdecore.ActionIsolate)(ctx, with, t, since)
	}
	others := append(restrictionTypes(), mdecore.ActionUnisolate, mdecore.ActionRunAntiVirusScan, mdecore.ActionOffboard, mdecore.ActionLiveResponse,
		mdecore.ActionCollectInvestigationPackage, mdecore.ActionStopAndQuarantineFile)
	return findTagged(ctx, with, t, since, filter{}, func(a *mdecore.MachineAction) bool { return !slices.Contains(others, a.Type) })
}

// findTagged looks for a step's write among the device's actions that the filter lets through and that are accepted.
func findTagged(ctx context.Context, with hands, t worker.Task, since time.Time, f filter, accept func(*mdecore.MachineAction) bool) (worker.Receipt, bool, error) {
	f.eq("machineId", t.Step.Target)
	f.since("creationDateTimeUtc", since)
	actions, err := listActions(ctx, with.reader, f.String())
	if err != nil {
		return worker.Receipt{}, false, err
	}
	for _, a := range actions {
		// The filter is checked here again: an action of another device must never be adopted.
		if strings.HasPrefix(a.RequestorComment, t.Tag) && strings.EqualFold(a.MachineID, t.Step.Target) && accept(a) && a.ID != "" {
			return worker.Receipt{ActionID: a.ID, RemoteStatus: string(a.Status)}, true, nil
		}
	}
	return worker.Receipt{}, false, nil
}

// followDeviceAction asks how far a machine action has come.
func followDeviceAction(ctx context.Context, with hands, _ worker.Task, actionID string) (worker.Progress, error) {
	a, err := with.reader.GetMachineAction(ctx, actionID)
	if err != nil {
		return worker.Progress{}, err
	}
	return outcomeOf(a, "Defender reports that the action failed on the device", "the device did not take the action in time; it may be offline"), nil
}

// outcomeOf is how far a machine action has come, in words for one that failed and one that was not taken in time.
func outcomeOf(a *mdecore.MachineAction, failed, timedOut string) worker.Progress {
	p := worker.Progress{RemoteStatus: string(a.Status), State: approvals.StepAccepted}
	switch {
	case a.Status == mdecore.ActionSucceeded:
		p.State = approvals.StepSucceeded
	case a.Status == mdecore.ActionFailed:
		p.State, p.Message = approvals.StepFailed, failed
	case a.Status == mdecore.ActionTimeOut:
		p.State, p.Message = approvals.StepTimedOut, timedOut
	case a.Status.Terminal():
		p.State, p.Message = approvals.StepCancelled, strings.TrimSpace("cancelled in Defender "+by(a.CancellationRequestor))
	}
	return p
}

func by(who string) string {
	if who == "" {
		return ""
	}
	return "by " + clean(who, 120)
}
