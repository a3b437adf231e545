package tools

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/mdecore"
)

// maxPackages bounds the devices of one call: Defender gives links to 2 packages a minute, and a package that could not be
// fetched within an hour is given up.
const maxPackages = 50

type collectPackageIn struct {
	Devices []string `json:"devices" jsonschema:"One or many: device id, DNS name, IP or Entra device id" form:"device"`
	asking
}

func collectPackage() declaration {
	return spec[collectPackageIn, requestView]{
		name: "collect_package", title: "Collect investigation packages", toolset: Response, surface: Default, risk: approvals.RiskCollect,
		summary: "Ask to collect the investigation package of devices (processes, autoruns, connections, logs) into evidence. " +
			"Makes a request that other people approve in Slack.",
		positional: []string{"devices"}, untrusted: true,
		hints:    Annotations{Destructive: true, OpenWorld: true},
		plan:     planPackage,
		performs: performs{apply: applyPackage, find: findDeviceAction(mdecore.ActionCollectInvestigationPackage), follow: followDeviceAction, collect: collectPackages},
	}
}

func planPackage(ctx context.Context, s *session, in collectPackageIn) (approvals.Plan, error) {
	if len(in.Devices) > maxPackages {
		return approvals.Plan{}, approvals.Refuse(approvals.KindInvalid, nil,
			"Nothing was sent: %d devices are named and one call may collect the packages of at most %d, because Defender gives out 2 a minute", len(in.Devices), maxPackages)
	}
	devices, err := s.resolve(ctx, in.Devices)
	if err != nil {
		return approvals.Plan{}, err
	}
	open, err := s.recentOf(ctx, mdecore.ActionCollectInvestigationPackage)
	if err != nil {
		return approvals.Plan{}, err
	}
	warnings, err := preflight(devices, func(f *finding, m *mdecore.Machine) {
		f.canCollect(m, open[m.ID], mdecore.ActionCollectInvestigationPackage)
		f.givesPackage(m)
	})
	if err != nil {
		return approvals.Plan{}, err
	}
	plan := approvals.Plan{Warnings: warnings, Preview: "Collect the investigation package of " + naming(devices) + " into evidence"}
	for _, m := range devices {
		step, err := stepOn(m, "collect_package", "collect the investigation package of "+label(m), struct{}{})
		if err != nil {
			return approvals.Plan{}, err
		}
		plan.Targets, plan.Steps = append(plan.Targets, targetOf(m)), append(plan.Steps, step)
	}
	return plan, nil
}

// givesPackage applies the constraint of get-package-sas-uri.md: Windows 11, or Windows 10 1703 or newer. The page of the
// collection itself names none, so that other known systems are collected with a warning.
func (f *finding) givesPackage(m *mdecore.Machine) {
	switch platform := strings.ToLower(m.OSPlatform); {
	case platform == "windows11", platform == "windows10" && releaseOf(m.Version) >= 1703:
	case slices.Contains(servers(), platform), slices.Contains(linuxes(), platform), platform == "macos":
		f.warn("%s runs %s, for which Defender's documentation promises no package by API: it may collect one that can't be fetched",
			label(m), quoted(strings.TrimSpace(m.OSPlatform+" "+m.Version), 80))
	default:
		f.refuse("gives no investigation package: it runs %s, and that needs Windows 10 1703 or newer, or Windows 11",
			quoted(strings.TrimSpace(m.OSPlatform+" "+m.Version), 80))
	}
}

func applyPackage(ctx context.Context, with hands, t worker.Task) (worker.Receipt, error) {
	if err := with.ready(ctx); err != nil {
		return worker.Receipt{}, err
	}
	return receipt(with.writer.CollectInvestigationPackage(ctx, t.Step.Target, mdecore.PackageRequest{Comment: comment(t)}))
}

func collectPackages(ctx context.Context, with hands, t worker.Task, actionID string) (worker.Progress, error) {
	a, err := with.ofStep(ctx, t, actionID, mdecore.ActionCollectInvestigationPackage)
	if err != nil {
		return worker.Progress{}, err
	}
	device, _ := t.Plan.Target(t.Step.Target)
	host, _, _ := strings.Cut(device.Name, ".")
	m, err := with.keep(ctx, t, collectable{
		actionType: string(a.Type), actionID: a.ID, at: a.LastUpdateDateTimeUTC.Time,
		name: "investigation-package-" + host + ".zip", contentType: "application/zip",
		fetch: func(ctx context.Context, w io.Writer) error {
			_, err := with.lent.DownloadInvestigationPackage(ctx, a.ID, w, mdecore.DownloadOptions{})
			return err
		},
	})
	if err != nil {
		return worker.Progress{}, fetchFault(err)
	}
	return worker.Progress{RemoteStatus: string(a.Status), State: approvals.StepSucceeded, Message: "the package is " + keptText(m)}, nil
}
