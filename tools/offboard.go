package tools

import (
	"context"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/mdecore"
)

type offboardIn struct {
	Devices []string `json:"devices" jsonschema:"Device ids, DNS names, IPs or Entra device ids" form:"device"`
	asking
}

func offboardDevices() declaration {
	return spec[offboardIn, requestView]{
		name: "offboard_devices", title: "Offboard devices", toolset: Response, surface: ByName, risk: approvals.RiskOff,
		summary: "Ask to take devices out of Defender, which can't be undone here. " +
			"Policy denies it until switched on.",
		positional: []string{"devices"}, untrusted: true,
		hints:    Annotations{Destructive: true, OpenWorld: true},
		plan:     planOffboard,
		performs: performs{apply: applyOffboard, find: findDeviceAction(mdecore.ActionOffboard), follow: followDeviceAction},
	}
}

func planOffboard(ctx context.Context, s *session, in offboardIn) (approvals.Plan, error) {
	return s.planDevices(ctx, in.Devices, deviceWork{
		action: "offboard", summary: "offboard %s",
		preview: "Offboard %s: Defender no longer protects or sees what it takes out, and only work on the device brings it back; this can't be undone here",
		types:   append(isolationTypes(), mdecore.ActionOffboard),
		check:   func(f *finding, m *mdecore.Machine, actions []*mdecore.MachineAction) { f.offboard(m, actions) },
	})
}

func applyOffboard(ctx context.Context, with hands, t worker.Task) (worker.Receipt, error) {
	return receipt(with.writer.OffboardMachine(ctx, t.Step.Target, mdecore.OffboardRequest{Comment: comment(t)}))
}

// offboard checks that a device can be offboarded (offboard-machine-api.md). One that is isolated could not be released any
// more.
func (f *finding) offboard(m *mdecore.Machine, actions []*mdecore.MachineAction) {
	f.common(m, actions, append(isolationTypes(), mdecore.ActionOffboard)...)
	platform := strings.ToLower(m.OSPlatform)
	f.onlyOn(windowsClient(m, 1703) || slices.Contains(servers(), platform), m, "offboarded",
		"Windows 10 1703 or newer, Windows 11, Windows Server 2019 or newer, and Windows Server 2012 R2 and 2016 with the unified agent")
	if platform == "windowsserver2012r2" || platform == "windowsserver2016" {
		f.warn("%s runs %s, which can be offboarded with the unified agent only; Defender does not say whether it has that", label(m), clean(m.OSPlatform, 40))
	}
	f.valuable(m, "it loses the protection of Defender")
	if isolationOf(actions) == isolated {
		f.refuse("is isolated, and could not be released after it is offboarded; release it first")
	}
}
