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

// kindScan is the kind of target of a deletion of scans.
const kindScan = "authenticated scan"

type deleteScansIn struct {
	IDs []string `json:"ids" jsonschema:"Definition ids" form:"word"`
	asking
}

func deleteScans() declaration {
	return spec[deleteScansIn, requestView]{
		name: "delete_authenticated_scans", title: "Delete authenticated scans", toolset: Exposure, surface: InToolset, risk: approvals.RiskExecute,
		summary:    "Ask to delete scheduled scans of network devices. Others must approve it in Slack.",
		positional: []string{"ids"}, untrusted: true,
		hints: Annotations{Destructive: true, OpenWorld: true},
		plan:  planScanDeletion, performs: atOnce(writeScanDeletion, scanDeleted),
	}
}

func planScanDeletion(ctx context.Context, s *session, in deleteScansIn) (approvals.Plan, error) {
	if len(in.IDs) > 50 {
		return approvals.Plan{}, approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: %d scans are named, and one call takes 50", len(in.IDs))
	}
	known := map[string]*mdecore.ScanDefinition{}
	for d, err := range s.reader.ListScanDefinitions(ctx) {
		if err != nil {
			return approvals.Plan{}, err
		}
		known[strings.ToLower(d.ID)] = d
	}
	plan, names := approvals.Plan{}, []string(nil)
	for _, id := range in.IDs {
		d := known[strings.ToLower(id)]
		if d == nil {
			return approvals.Plan{}, approvals.Refuse(approvals.KindNotFound, nil, "Nothing was sent: there is no scan definition %s, or it is named twice; list_authenticated_scans shows them", quoted(id, 60))
		}
		delete(known, strings.ToLower(id))
		names = append(names, quoted(d.ScanName, 120))
		plan.Targets = append(plan.Targets, approvals.Target{ID: d.ID, Kind: kindScan, Name: d.ScanName})
		plan.Steps = append(plan.Steps, approvals.Step{Action: "delete_scan", Target: d.ID, Summary: fmt.Sprintf("delete scan %s (id %s)", quoted(d.ScanName, 120), clean(d.ID, 60))})
		plan.Warnings = append(plan.Warnings, fmt.Sprintf("scan %s of %s every %d hours can't be had back: its credentials are unknown here", quoted(d.ScanName, 120), quoted(d.Target, 300), int(d.IntervalInHours)))
	}
	plan.Preview = "Delete the authenticated scans " + strings.Join(names, ", ")
	return plan, nil
}

func writeScanDeletion(ctx context.Context, with hands, t worker.Task) error {
	results, err := with.writer.BatchDeleteScanDefinitions(ctx, []string{t.Step.Target})
	for _, r := range results {
		if r.Err != nil {
			return r.Err // says more than the sum of all
		}
	}
	return err
}

// scanDeleted takes a definition that is gone for deleted: it was there when the plan was made, and whoever deleted it, what was
// approved is so.
func scanDeleted(ctx context.Context, with hands, t worker.Task, _ time.Time) (bool, error) {
	d, err := scanCalled(with.reader.ListScanDefinitions(ctx), func(d *mdecore.ScanDefinition) bool { return strings.EqualFold(d.ID, t.Step.Target) })
	return err == nil && d == nil, err
}
