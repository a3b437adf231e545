package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/mdecore"
)

type quarantineIn struct {
	Devices []string `json:"devices" jsonschema:"Device ids, DNS names, IPs or Entra device ids" form:"device"`
	SHA1    string   `json:"sha1" jsonschema:"SHA-1 of the file" form:"sha1"`
	asking
}

// quarantineStep is what a frozen step holds.
type quarantineStep struct {
	SHA1 string `json:"sha1"`
}

func stopAndQuarantine() declaration {
	return spec[quarantineIn, requestView]{
		name: "stop_and_quarantine", title: "Stop and quarantine a file", toolset: Response, surface: InToolset, risk: approvals.RiskDestroy,
		summary: "Ask to stop a file on devices and move it to quarantine. One that Microsoft signed, or that Defender does not know, is refused. " +
			"Other people approve it in Slack.",
		positional: []string{"sha1", "devices"}, untrusted: true,
		hints:    Annotations{Destructive: true, OpenWorld: true},
		plan:     planQuarantine,
		performs: performs{apply: applyQuarantine, find: findDeviceAction(mdecore.ActionStopAndQuarantineFile), follow: followDeviceAction},
	}
}

func planQuarantine(ctx context.Context, s *session, in quarantineIn) (approvals.Plan, error) {
	sum := strings.ToLower(in.SHA1)
	file, err := s.fileToStop(ctx, sum)
	if err != nil {
		return approvals.Plan{}, err
	}
	args, err := canonical(quarantineStep{SHA1: sum})
	if err != nil {
		return approvals.Plan{}, err
	}
	plan, err := s.planDevices(ctx, in.Devices, deviceWork{
		action: "quarantine", preview: "Stop and quarantine " + escaped(file.named()) + " on %s", summary: "stop and quarantine file " + sum + " on %s", args: args,
		types: []mdecore.ActionType{mdecore.ActionStopAndQuarantineFile},
		check: func(f *finding, m *mdecore.Machine, actions []*mdecore.MachineAction) { f.quarantine(m, actions, sum) },
	})
	if err != nil {
		return approvals.Plan{}, err
	}
	unseen, err := s.unseenOn(ctx, sum, plan.Targets)
	plan.Warnings = append(append(file.warnings(), unseen...), plan.Warnings...)
	return plan, err
}

// escaped is text for the middle of a format.
func escaped(s string) string { return strings.ReplaceAll(s, "%", "%%") }

func applyQuarantine(ctx context.Context, with hands, t worker.Task) (worker.Receipt, error) {
	var step quarantineStep
	if err := json.Unmarshal(t.Step.Args, &step); err != nil {
		return worker.Receipt{}, damaged(t, err)
	}
	return receipt(with.writer.StopAndQuarantineFile(ctx, t.Step.Target, mdecore.QuarantineRequest{Comment: comment(t), SHA1: step.SHA1}))
}

// quarantine checks that a file can be quarantined on a device (stop-and-quarantine-file.md).
func (f *finding) quarantine(m *mdecore.Machine, actions []*mdecore.MachineAction, sha1 string) {
	f.common(m, actions, mdecore.ActionStopAndQuarantineFile)
	f.onlyOn(windowsClient(m, 1703), m, "rid of a file by Defender", "Windows 10 1703 or newer and Windows 11")
	f.valuable(m, "stopping the file's processes may stop services that others need")
	for _, a := range actions {
		if a.Type == mdecore.ActionStopAndQuarantineFile && a.Status == mdecore.ActionSucceeded && a.RelatedFileInfo != nil &&
			strings.EqualFold(a.RelatedFileInfo.FileIdentifier, sha1) {
			f.warn("%s: the file was quarantined there before, by %s", label(m), actionNamed(a))
			return
		}
	}
}

// stoppable is a file that is to be quarantined, with how common it is; stats is nil when Defender has no numbers.
type stoppable struct {
	*mdecore.File
	stats *mdecore.FileStats
}

// fileToStop looks a file up, and refuses one that must not or can't be quarantined.
func (s *session) fileToStop(ctx context.Context, sha1 string) (stoppable, error) {
	refuse := func(kind approvals.Kind, err error, format string, args ...any) (stoppable, error) {
		return stoppable{}, approvals.Refuse(kind, err, "Nothing was sent: "+format, args...)
	}
	file, err := s.reader.GetFile(ctx, sha1)
	switch {
	case mdecore.IsNotFound(err):
		return refuse(approvals.KindNotFound, err, "Defender does not know a file with the SHA-1 %s; look whether the hash is right", sha1)
	case err != nil:
		return stoppable{}, err
	case !strings.EqualFold(file.SHA1, sha1):
		return refuse(approvals.KindNoAnswer, nil, "Defender answered about another file than %s", sha1)
	case microsoftSigned(file):
		return refuse(approvals.KindInvalid, nil, "file %s (publisher %s) is validly signed by %s, and Defender quarantines nothing that Microsoft signed; contain the device instead",
			sha1, quoted(file.FilePublisher, 80), quoted(file.Signer, 80))
	}
	stats, err := s.reader.GetFileStats(ctx, sha1, mdecore.StatsQuery{})
	switch {
	case mdecore.IsNotFound(err):
		return stoppable{File: file}, nil
	case err != nil:
		return stoppable{}, err
	}
	return stoppable{File: file, stats: stats}, nil
}

// microsoftSigned reports whether Microsoft signed a file. What the file says of its publisher does not count, because its
// author wrote that.
func microsoftSigned(f *mdecore.File) bool {
	return f.IsValidCertificate && strings.HasPrefix(strings.ToLower(strings.TrimSpace(f.Signer)), "microsoft")
}

// named is a file in a sentence: its hash, and its names, which its author chose.
func (f stoppable) named() string {
	name := "file " + strings.ToLower(f.SHA1)
	if f.stats != nil && len(f.stats.TopFileNames) > 0 {
		name += ", called " + quoted(f.stats.TopFileNames[0], 80)
	}
	return name
}

// From how many devices here, or in the world, a file counts as one that is spread wide.
const (
	wideHere  = 25
	wideWorld = 10_000
)

// warnings are what approvers must know about the file: who signed it, what it is taken for, how common it is.
func (f stoppable) warnings() []string {
	var w finding
	switch claims := strings.Contains(strings.ToLower(f.FilePublisher), "microsoft"); {
	case f.Signer == "":
		w.warn("The file has no known signer; it names %s as its publisher", quoted(f.FilePublisher, 80))
	case !f.IsValidCertificate:
		w.warn("The file's signature by %s is not valid", quoted(f.Signer, 80))
	case claims:
		w.warn("The file says that its publisher is %s, but %s signed it", quoted(f.FilePublisher, 80), quoted(f.Signer, 80))
	default:
		w.warn("The file is validly signed by %s; Defender refuses files of publishers that it trusts", quoted(f.Signer, 80))
	}
	w.warn("Defender takes it for %s %s", quoted(f.DeterminationType, 40), quoted(f.DeterminationValue, 80))
	if f.stats == nil {
		w.warn("How common the file is, is not known")
		return w.warnings
	}
	here, world := int(f.stats.OrganizationPrevalence), int(f.stats.GloballyPrevalence)
	seen := fmt.Sprintf("seen on %d devices here in 30 days and on %d in the world, with the names %s", here, world, quoted(strings.Join(f.stats.TopFileNames, " "), 160))
	if here >= wideHere || world >= wideWorld {
		w.warn("The file is SPREAD WIDE, so that it may be a good one: %s", seen)
	} else {
		w.warn("The file was %s", seen)
	}
	return w.warnings
}

// maxSeen bounds how many of the devices that have a file are looked through.
const maxSeen = 2000

// unseenOn warns of targets on which Defender has not seen the file.
func (s *session) unseenOn(ctx context.Context, sha1 string, targets []approvals.Target) ([]string, error) {
	left := map[string]string{}
	for _, t := range targets {
		left[t.ID] = label(&mdecore.Machine{ID: t.ID, ComputerDNSName: t.Name})
	}
	n := 0
	for m, err := range s.reader.ListFileMachines(ctx, sha1) {
		if mdecore.IsNotFound(err) {
			break
		}
		if err != nil {
			return nil, err
		}
		delete(left, strings.ToLower(m.ID))
		if n++; len(left) == 0 || n == maxSeen {
			break
		}
	}
	var w finding
	for _, t := range targets {
		if name, unseen := left[t.ID]; unseen {
			if n == maxSeen {
				w.warn("Whether the file was seen on %s is not known: the first %d devices that have it were looked through", name, n)
				continue
			}
			w.warn("Defender has not seen the file on %s", name)
		}
	}
	if more := len(w.warnings) - maxAlike; more > 0 {
		w.warnings = append(w.warnings[:maxAlike], fmt.Sprintf("The same holds for %d more devices", more))
	}
	return w.warnings, nil
}
