package tools

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/internal/evidence"
	"github.com/mde-ops/mde-ops/mdecore"
)

// kindAssessment is the kind of target of an export: an assessment of all devices.
const kindAssessment = "assessment"

type exportAssessmentIn struct {
	Kind string `json:"kind" jsonschema:"What to export" enum:"software,software_without_product_code,vulnerabilities,configurations,baselines,browser_extensions,certificates,firmware,information_gathering"`
	asking
}

func exportAssessment() declaration {
	return spec[exportAssessmentIn, requestView]{
		name: "export_assessment", title: "Export an assessment", toolset: Exposure, surface: InToolset, risk: approvals.RiskCollect,
		summary:    "Ask to bring the whole export of an assessment of all devices into evidence, as files of JSON lines. Others must approve it in Slack.",
		positional: []string{"kind"}, untrusted: true,
		hints: Annotations{Destructive: true, OpenWorld: true},
		plan:  planExport,
		performs: performs{
			apply: applyExport, find: findExport, collect: collectExport,
			follow: func(context.Context, hands, worker.Task, string) (worker.Progress, error) {
				return worker.Progress{RemoteStatus: exportAsked, State: approvals.StepSucceeded}, nil
			},
		},
	}
}

// exportAsked is the remote status of an export: Defender makes them by itself, every few hours.
const exportAsked = "exported"

// exporters are how the files of each assessment are asked for. The antivirus report has the address of the gathered information.
func exporters() map[string]func(*mdecore.Client, context.Context, mdecore.ExportFilesOptions) (*mdecore.ExportFiles, error) {
	return map[string]func(*mdecore.Client, context.Context, mdecore.ExportFilesOptions) (*mdecore.ExportFiles, error){
		"software":                      (*mdecore.Client).ExportSoftwareInventoryAssessmentFiles,
		"software_without_product_code": (*mdecore.Client).ExportNonCPESoftwareInventoryAssessmentFiles,
		"vulnerabilities":               (*mdecore.Client).ExportSoftwareVulnerabilitiesAssessmentFiles,
		"configurations":                (*mdecore.Client).ExportSecureConfigAssessmentFiles,
		"baselines":                     (*mdecore.Client).ExportBaselineComplianceAssessmentFiles,
		"browser_extensions":            (*mdecore.Client).ExportBrowserExtensionsAssessmentFiles,
		"certificates":                  (*mdecore.Client).ExportCertificateAssessmentFiles,
		"firmware":                      (*mdecore.Client).ExportHardwareFirmwareAssessmentFiles,
		"information_gathering":         (*mdecore.Client).ExportInformationGatheringFiles,
	}
}

func planExport(_ context.Context, _ *session, in exportAssessmentIn) (approvals.Plan, error) {
	name := strings.ReplaceAll(in.Kind, "_", " ")
	return approvals.Plan{
		Preview:  "Export the assessment " + quoted(name, 60) + " of all devices into evidence",
		Warnings: []string{"the files hold rows of every device of the tenant; whoever may read evidence and is allowed to can read all of them"},
		Targets:  []approvals.Target{{ID: in.Kind, Kind: kindAssessment, Name: name}},
		Steps:    []approvals.Step{{Action: "export", Target: in.Kind, Summary: "export the assessment " + name}},
	}, nil
}

// applyExport writes nothing to the tenant: what is asked for is fetched by the step's own job.
func applyExport(ctx context.Context, with hands, t worker.Task) (worker.Receipt, error) {
	if exporters()[t.Step.Target] == nil {
		return worker.Receipt{}, &worker.Refused{Text: fmt.Sprintf("Defender exports no assessment %s", quoted(t.Step.Target, 60))}
	}
	return exportReceipt(t), with.ready(ctx)
}

// findExport finds what was marked and not begun: nothing can have been done twice.
func findExport(_ context.Context, _ hands, t worker.Task, _ time.Time) (worker.Receipt, bool, error) {
	return exportReceipt(t), true, nil
}

func exportReceipt(t worker.Task) worker.Receipt {
	return worker.Receipt{ActionID: fmt.Sprintf("export:%s.%d", t.RequestID, t.Index), RemoteStatus: exportAsked}
}

// collectExport keeps the files one by one. A try that comes after a failed one finds those that were kept, unless Defender
// has made a newer export meanwhile: then all of that one are kept, and the message says which.
func collectExport(ctx context.Context, with hands, t worker.Task, _ string) (worker.Progress, error) {
	ask := exporters()[t.Step.Target]
	if ask == nil {
		return worker.Progress{}, &worker.Refused{Text: fmt.Sprintf("Defender exports no assessment %s", quoted(t.Step.Target, 60))}
	}
	kept, err := with.keptOf(ctx, t) // once: an export can have hundreds of files
	if err != nil {
		return worker.Progress{}, err
	}
	files, err := ask(with.reader, ctx, mdecore.ExportFilesOptions{})
	if err != nil {
		return worker.Progress{}, fetchFault(err)
	}
	if files.GeneratedTime.IsZero() {
		return worker.Progress{}, &worker.Refused{Text: "Defender did not say when it made its export, so its files can't be told from those of another one"}
	}
	var all []evidence.Manifest
	for _, item := range exported(with.reader, t.Step.Target, files) {
		m, found := kept[item.actionID]
		if !found {
			if m, err = with.bring(ctx, t, item); err != nil {
				return worker.Progress{}, fetchFault(err)
			}
		}
		all = append(all, m)
	}
	return exportEnd(files.GeneratedTime.UTC(), all), nil
}

// exported are the files of an export, each once. A file's id is made of its path and not of its place among the others, or a
// list in another order would have a later try miss a file. The ids of another export are others.
func exported(from *mdecore.Client, kind string, files *mdecore.ExportFiles) (items []collectable) {
	links := slices.Clone(files.ExportFiles)
	byPath := func(a, b mdecore.Link) int { return strings.Compare(a.String(), b.String()) }
	slices.SortFunc(links, byPath)
	links = slices.CompactFunc(links, func(a, b mdecore.Link) bool { return byPath(a, b) == 0 })
	made := files.GeneratedTime.UTC()
	for i, link := range links {
		path := sha256.Sum256([]byte(link.String())) // without the signature, which is another each time
		items = append(items, collectable{
			actionType: "export", actionID: fmt.Sprintf("%s.%s.%x", kind, made.Format("20060102T150405Z"), path[:8]), at: made,
			name:        fmt.Sprintf("%s-%s-%03d.json.gz", kind, made.Format("20060102T150405Z"), i+1),
			contentType: "application/gzip",
			fetch: func(ctx context.Context, w io.Writer) error {
				_, err := from.Download(ctx, onceOnly(link), w, mdecore.DownloadOptions{})
				return err
			},
		})
	}
	return items
}

// exportEnd is how the step ends: failed when a file is not whole, because its rows would be missed by nobody.
func exportEnd(made time.Time, all []evidence.Manifest) worker.Progress {
	var size int64
	var broken []string
	for _, m := range all {
		size += m.Size
		switch {
		case m.Unpacked == nil:
			broken = append(broken, m.Name+": it is not packed as exports are")
		case m.Unpacked.SHA256 == "":
			broken = append(broken, m.Name+": "+m.Unpacked.Note)
		}
	}
	end := worker.Progress{RemoteStatus: exportAsked, State: approvals.StepSucceeded}
	switch kept := "evidence of this request: list_evidence with its id"; {
	case len(all) == 0:
		end.Message = "Defender's export of " + made.Format(time.RFC3339) + " has no files: there is nothing to keep"
	case len(broken) > 0:
		end.State = approvals.StepFailed
		end.Message = fmt.Sprintf("%d of %d files can't be unpacked whole (%s); all are kept as they came, as %s", len(broken), len(all), clean(broken[0], 200), kept)
	default:
		end.Message = fmt.Sprintf("%d files, %d bytes, made by Defender at %s, are %s", len(all), size, made.Format(time.RFC3339), kept)
	}
	return end
}

// onceOnly gives a link out one time. A link that expired is not asked for anew alone, because the next export may have other
// files: the whole try is made again.
func onceOnly(link mdecore.Link) func(context.Context) (mdecore.Link, error) {
	links := []mdecore.Link{link}
	return func(context.Context) (mdecore.Link, error) {
		if len(links) == 0 {
			return "", errors.New("the link of the export has expired")
		}
		defer func() { links = slices.Delete(links, 0, 1) }()
		return links[0], nil
	}
}
