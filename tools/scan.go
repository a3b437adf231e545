package tools

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/mdecore"
)

type scanIn struct {
	Devices  []string `json:"devices" jsonschema:"Device ids, DNS names, IPs or Entra device ids" form:"device"`
	ScanType string   `json:"scan_type,omitempty" jsonschema:"Full can take hours" enum:"Quick,Full" default:"Quick"`
	asking
}

// scanStep is what a frozen scan step holds.
type scanStep struct {
	ScanType mdecore.ScanType `json:"scan_type"`
}

func scanDevices() declaration {
	return spec[scanIn, requestView]{
		name: "scan_devices", title: "Scan devices", toolset: Response, surface: Default, risk: approvals.RiskCollect,
		summary:    "Ask to run a Defender antivirus scan on devices. Other people approve it in Slack.",
		positional: []string{"devices"}, untrusted: true,
		hints:    Annotations{Destructive: true, OpenWorld: true},
		plan:     planScan,
		performs: performs{apply: applyScan, find: findDeviceAction(mdecore.ActionRunAntiVirusScan), follow: followDeviceAction},
	}
}

func planScan(ctx context.Context, s *session, in scanIn) (approvals.Plan, error) {
	args, err := canonical(scanStep{ScanType: mdecore.ScanType(in.ScanType)})
	if err != nil {
		return approvals.Plan{}, err
	}
	return s.planDevices(ctx, in.Devices, deviceWork{
		action: "scan", preview: "Run an antivirus scan (" + in.ScanType + ") on %s", summary: "scan %s (" + in.ScanType + ")", args: args,
		types: []mdecore.ActionType{mdecore.ActionRunAntiVirusScan},
		check: func(f *finding, m *mdecore.Machine, actions []*mdecore.MachineAction) { f.scan(m, actions) },
	})
}

func applyScan(ctx context.Context, with hands, t worker.Task) (worker.Receipt, error) {
	var step scanStep
	if err := json.Unmarshal(t.Step.Args, &step); err != nil {
		return worker.Receipt{}, damaged(t, err)
	}
	return receipt(with.writer.RunAntiVirusScan(ctx, t.Step.Target, mdecore.ScanRequest{Comment: comment(t), ScanType: step.ScanType}))
}

// scan checks that a device can be scanned (run-av-scan.md).
func (f *finding) scan(m *mdecore.Machine, actions []*mdecore.MachineAction) {
	f.common(m, actions, mdecore.ActionRunAntiVirusScan)
	platform := strings.ToLower(m.OSPlatform)
	f.onlyOn(windowsClient(m, 1709) || platform == "macos" || slices.Contains(linuxes(), platform), m, "scanned",
		"Windows 10 1709 or newer, Windows 11, Linux and macOS")
}
