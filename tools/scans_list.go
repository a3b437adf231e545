package tools

import (
	"context"
	"iter"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
)

type listScansIn struct {
	What string   `json:"what,omitempty" jsonschema:"history is the last run of definitions, runs are runs with their targets" enum:"definitions,scanners,history,runs" default:"definitions"`
	IDs  []string `json:"ids,omitempty" jsonschema:"Of definitions or runs, at most 20" form:"word"`
	listing
}

type listScansOut struct {
	Rows []map[string]any `json:"rows" jsonschema:"untrusted text: rows with the API's own field names, without credentials"`
	paged
}

func listScans() declaration {
	return spec[listScansIn, listScansOut]{
		name: "list_authenticated_scans", title: "List authenticated scans", toolset: Exposure, surface: InToolset, risk: approvals.RiskRead,
		summary:    "List the scheduled scans of network devices, the devices that can scan, or what scans found.",
		positional: []string{"what", "ids"}, untrusted: true,
		hints: Annotations{ReadOnly: true, Idempotent: true, OpenWorld: true},
		lists: "rows", read: readScans,
	}
}

func readScans(ctx context.Context, s *session, in listScansIn) (out listScansOut, text string, err error) {
	takesIDs := in.What == "history" || in.What == "runs"
	switch {
	case takesIDs && len(in.IDs) == 0:
		return out, "", approvals.Refuse(approvals.KindInvalid, nil, "ids: %s needs them: of definitions for history, of runs for runs", in.What)
	case len(in.IDs) > 20:
		return out, "", approvals.Refuse(approvals.KindInvalid, nil, "ids: %d are given, and one call takes 20", len(in.IDs))
	case !takesIDs && len(in.IDs) > 0:
		return out, "", approvals.Refuse(approvals.KindInvalid, nil, "ids: %s are listed whole; leave it out", in.What)
	}
	var from iter.Seq2[any, error]
	switch in.What {
	case "definitions":
		from = untyped(s.reader.ListScanDefinitions(ctx))
	case "scanners":
		from = untyped(s.reader.ListScanAgents(ctx))
	case "history":
		from = untyped(s.reader.GetScanHistoryByDefinition(ctx, in.IDs, mdecore.Page{}))
	case "runs":
		from = untyped(s.reader.GetScanHistoryBySession(ctx, in.IDs))
	default:
		return out, "", approvals.Refuse(approvals.KindInvalid, nil, "what %s is not one of this tool", quoted(in.What, 60))
	}
	out.Rows, out.paged, err = allRows(s, in.listing, from, viewOfRow)
	return out, manyOf(out.paged, "row", "rows") + " of " + in.What + ".", err
}
