package tools

import (
	"context"
	"encoding/json"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/mdecore"
)

type restrictIn struct {
	Devices []string `json:"devices" jsonschema:"Device ids, DNS names, IPs or Entra device ids" form:"device"`
	asking
}

func restrictApps() declaration {
	return spec[restrictIn, requestView]{
		name: "restrict_apps", title: "Restrict apps", toolset: Response, surface: InToolset, risk: approvals.RiskContain,
		summary: "Ask to let devices run only code that Microsoft has signed. Other people approve it in Slack. " +
			"Undo with unrestrict_apps.",
		positional: []string{"devices"}, untrusted: true,
		hints: Annotations{Destructive: true, OpenWorld: true},
		plan:  planRestrict, undo: "unrestrict_apps", reverse: restrictionReversal(),
		performs: performs{apply: applyRestrict, find: findDeviceAction(mdecore.ActionRestrictCodeExecution), follow: followDeviceAction},
	}
}

func planRestrict(ctx context.Context, s *session, in restrictIn) (approvals.Plan, error) {
	return s.planDevices(ctx, in.Devices, deviceWork{
		action: "restrict", preview: "Let %s run only code that Microsoft has signed", summary: "restrict apps of %s", types: restrictionTypes(),
		check: func(f *finding, m *mdecore.Machine, actions []*mdecore.MachineAction) { f.restrict(m, actions) },
	})
}

func applyRestrict(ctx context.Context, with hands, t worker.Task) (worker.Receipt, error) {
	return receipt(with.writer.RestrictCodeExecution(ctx, t.Step.Target, mdecore.RestrictRequest{Comment: comment(t)}))
}

type unrestrictIn struct {
	Devices []string `json:"devices" jsonschema:"Device ids, DNS names, IPs or Entra device ids" form:"device"`
	asking
}

func unrestrictApps() declaration {
	return spec[unrestrictIn, requestView]{
		name: "unrestrict_apps", title: "Lift the restriction of apps", toolset: Response, surface: InToolset, risk: approvals.RiskExpose,
		summary: "Ask to let restricted devices run all code again. Other people approve it in Slack. " +
			"Undo with restrict_apps.",
		positional: []string{"devices"}, untrusted: true,
		hints: Annotations{Destructive: true, OpenWorld: true},
		plan:  planUnrestrict, undo: "restrict_apps", reverse: unrestrictionReversal(),
		performs: performs{apply: applyUnrestrict, find: findDeviceAction(mdecore.ActionUnrestrictCodeExecution), follow: followDeviceAction},
	}
}

func planUnrestrict(ctx context.Context, s *session, in unrestrictIn) (approvals.Plan, error) {
	return s.planDevices(ctx, in.Devices, deviceWork{
		action: "unrestrict", preview: "Let %s run all code again", summary: "lift the restriction of apps of %s", types: restrictionTypes(),
		check: func(f *finding, m *mdecore.Machine, actions []*mdecore.MachineAction) { f.unrestrict(m, actions) },
	})
}

func applyUnrestrict(ctx context.Context, with hands, t worker.Task) (worker.Receipt, error) {
	return receipt(with.writer.UnrestrictCodeExecution(ctx, t.Step.Target, mdecore.UnrestrictRequest{Comment: comment(t)}))
}

// restrict checks that a device can be restricted (restrict-code-execution.md).
func (f *finding) restrict(m *mdecore.Machine, actions []*mdecore.MachineAction) {
	f.common(m, actions, restrictionTypes()...)
	f.onlyOn(windowsClient(m, 1709), m, "restricted", "Windows 10 1709 or newer and Windows 11")
	f.valuable(m, "what others signed will not run on it")
	if restricted(actions) {
		f.warn("%s is already restricted", label(m))
	}
}

// unrestrict checks that the restriction of a device can be lifted.
func (f *finding) unrestrict(m *mdecore.Machine, actions []*mdecore.MachineAction) {
	f.common(m, actions, restrictionTypes()...)
	if !restricted(actions) {
		f.warn("%s does not look restricted: no restriction among its machine actions is in force", label(m))
	}
}

// restricted reports whether a restriction is in force on a device, by its machine actions, newest first.
func restricted(actions []*mdecore.MachineAction) bool {
	now := inForceOf(actions, restrictionTypes()...)
	return now != nil && now.Type == mdecore.ActionRestrictCodeExecution
}

// restrictionReversal takes restrictions back.
func restrictionReversal() *reversal {
	return &reversal{
		did: mdecore.ActionRestrictCodeExecution, types: restrictionTypes(), preview: "Let %s run all code again",
		step: func(target string, _ *mdecore.MachineAction) (approvals.Step, error) {
			return approvals.Step{Action: "unrestrict", Target: target}, nil
		},
		check: func(f *finding, m *mdecore.Machine, actions []*mdecore.MachineAction, _ approvals.Step) {
			f.unrestrict(m, actions)
		},
		args: func(devices []string, a asking) (json.RawMessage, error) {
			return canonical(unrestrictIn{Devices: devices, asking: a})
		},
	}
}

// unrestrictionReversal puts restrictions in force again that were lifted.
func unrestrictionReversal() *reversal {
	return &reversal{
		did: mdecore.ActionUnrestrictCodeExecution, types: restrictionTypes(), preview: "Let %s run only code that Microsoft has signed again",
		frees: true, free: "no restriction before its end is known",
		step: func(target string, _ *mdecore.MachineAction) (approvals.Step, error) {
			return approvals.Step{Action: "restrict", Target: target}, nil
		},
		check: func(f *finding, m *mdecore.Machine, actions []*mdecore.MachineAction, _ approvals.Step) {
			f.restrict(m, actions)
		},
		args: func(devices []string, a asking) (json.RawMessage, error) {
			return canonical(restrictIn{Devices: devices, asking: a})
		},
	}
}
