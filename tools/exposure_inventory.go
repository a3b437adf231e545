package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
)

type listInventoryIn struct {
	Kind   string `json:"kind" jsonschema:"What to list" enum:"certificates,browser_extensions,extension_permissions,firmware,software,non_product_code,vulnerabilities,vulnerability_changes,configurations,baseline_profiles,baseline_configurations,baseline_assessment"`
	Device string `json:"device,omitempty" jsonschema:"Only of this device" form:"device"`
	Since  string `json:"since,omitempty" jsonschema:"Of vulnerability_changes" form:"age"`
	listing
}

type listInventoryOut struct {
	Rows []map[string]any `json:"rows" jsonschema:"untrusted text: rows of the kind, with the API's own field names"`
	paged
}

func listInventory() declaration {
	return spec[listInventoryIn, listInventoryOut]{
		name: "list_inventory", title: "List an inventory", toolset: Exposure, surface: InToolset, risk: approvals.RiskRead,
		summary:    "List rows of a less used inventory, of the tenant or a device.",
		positional: []string{"kind", "device"}, untrusted: true,
		hints: Annotations{ReadOnly: true, Idempotent: true, OpenWorld: true},
		lists: "rows", read: readInventory,
	}
}

// How many rows of an export are looked through for those of one device, and how many come in a page.
const (
	inventoryRead = 50_000
	inventoryPage = 10_000
)

// inventory is one kind of rows.
type inventory struct {
	kind string
	rows func(context.Context, *mdecore.Client, inventoryQuery) iter.Seq2[any, error]
	// device is whose a row is; nil for a kind whose rows are of no device, which the API gives in pages.
	device func(row any) string
}

// inventoryQuery is how rows are asked for: query for the kinds that the API pages, the rest for exports.
type inventoryQuery struct {
	query  mdecore.Query
	export mdecore.ExportQuery
	since  time.Time
}

func pagedKind[T any](kind string, list func(*mdecore.Client, context.Context, mdecore.Query) iter.Seq2[*T, error]) inventory {
	return inventory{kind: kind, rows: func(ctx context.Context, c *mdecore.Client, q inventoryQuery) iter.Seq2[any, error] {
		return untyped(list(c, ctx, q.query))
	}}
}

func exportKind[T any](kind string, export func(*mdecore.Client, context.Context, mdecore.ExportQuery) iter.Seq2[*T, error], device func(*T) string) inventory {
	return inventory{
		kind: kind, device: rowDevice(device),
		rows: func(ctx context.Context, c *mdecore.Client, q inventoryQuery) iter.Seq2[any, error] {
			return untyped(export(c, ctx, q.export))
		},
	}
}

// changeKind is the export that begins at a time.
func changeKind(kind string) inventory {
	return inventory{
		kind: kind, device: rowDevice(func(r *mdecore.AssetVulnerabilityDelta) string { return r.DeviceID }),
		rows: func(ctx context.Context, c *mdecore.Client, q inventoryQuery) iter.Seq2[any, error] {
			return untyped(c.ExportSoftwareVulnerabilitiesDelta(ctx, mdecore.VulnerabilityChangesQuery{SinceTime: q.since, ExportQuery: q.export}))
		},
	}
}

func rowDevice[T any](device func(*T) string) func(any) string {
	return func(row any) string {
		if r, ok := row.(*T); ok && r != nil {
			return device(r)
		}
		return ""
	}
}

// untyped forgets the type of rows.
func untyped[T any](from iter.Seq2[*T, error]) iter.Seq2[any, error] {
	return func(yield func(any, error) bool) {
		for row, err := range from {
			if !yield(row, err) {
				return
			}
		}
	}
}

// inventories are the kinds of list_inventory, which names them in its enum.
func inventories() []inventory {
	return []inventory{
		pagedKind("extension_permissions", (*mdecore.Client).ListBrowserExtensionPermissions),
		pagedKind("baseline_profiles", (*mdecore.Client).ListBaselineProfiles),
		pagedKind("baseline_configurations", (*mdecore.Client).ListBaselineConfigurations),
		exportKind("certificates", (*mdecore.Client).ExportCertificateAssessment, func(r *mdecore.AssetCertificateAssessment) string { return r.DeviceID }),
		exportKind("browser_extensions", (*mdecore.Client).ExportBrowserExtensionsAssessment, func(r *mdecore.AssetBrowserExtension) string { return r.DeviceID }),
		exportKind("firmware", (*mdecore.Client).ExportHardwareFirmwareAssessment, func(r *mdecore.AssetHardwareFirmware) string { return r.DeviceID }),
		exportKind("software", (*mdecore.Client).ExportSoftwareInventoryAssessment, func(r *mdecore.AssetSoftware) string { return r.DeviceID }),
		exportKind("non_product_code", (*mdecore.Client).ExportNonCPESoftwareInventoryAssessment, func(r *mdecore.AssetNonCPESoftware) string { return r.DeviceID }),
		exportKind("vulnerabilities", (*mdecore.Client).ExportSoftwareVulnerabilitiesAssessment, func(r *mdecore.AssetVulnerability) string { return r.DeviceID }),
		exportKind("configurations", (*mdecore.Client).ExportSecureConfigAssessment, func(r *mdecore.AssetConfiguration) string { return r.DeviceID }),
		exportKind("baseline_assessment", (*mdecore.Client).ExportBaselineComplianceAssessment, func(r *mdecore.AssetBaselineAssessment) string { return r.DeviceID }),
		changeKind("vulnerability_changes"),
	}
}

func readInventory(ctx context.Context, s *session, in listInventoryIn) (out listInventoryOut, text string, err error) {
	all := inventories()
	at := slices.IndexFunc(all, func(i inventory) bool { return i.kind == in.Kind })
	if at < 0 {
		return out, "", approvals.Refuse(approvals.KindInvalid, nil, "kind %s is not one of this tool", quoted(in.Kind, 60))
	}
	kind := all[at]
	switch {
	case in.Device != "" && kind.device == nil:
		return out, "", approvals.Refuse(approvals.KindInvalid, nil, "device: the rows of %s are of no device; leave it out", in.Kind)
	case in.Since != "" && in.Kind != "vulnerability_changes":
		return out, "", approvals.Refuse(approvals.KindInvalid, nil, "since: only vulnerability_changes has a time to begin at; leave it out")
	}
	device, err := s.deviceID(ctx, in.Device)
	if err != nil {
		return out, "", err
	}
	q, err := s.inventoryQuery(in, device)
	if err != nil {
		return out, "", err
	}
	from, looked := kind.rows(ctx, s.reader, q), &looked{}
	switch {
	case kind.device == nil:
		out.Rows, out.paged, err = rows(s, in.listing, from, viewOfRow)
	case device != "":
		from = where(looked.through(from), func(row any) bool { return strings.EqualFold(kind.device(row), device) })
		out.Rows, out.paged, err = allRows(s, in.listing, from, viewOfRow)
	default:
		out.Rows, out.paged, err = allRows(s, in.listing, from, viewOfRow)
	}
	if looked.cut {
		out.Note = fmt.Sprintf("only the first %d rows of the tenant were looked through for this device: it may have more", inventoryRead)
	}
	return out, manyOf(out.paged, "row", "rows") + " of " + in.Kind + ".", err
}

// inventoryQuery asks for no more rows than the page needs, or for pages to look through.
func (s *session) inventoryQuery(in listInventoryIn, device string) (inventoryQuery, error) {
	page, err := s.upstream(in.listing)
	if err != nil {
		return inventoryQuery{}, err
	}
	q := inventoryQuery{query: mdecore.Query{Page: page}, export: mdecore.ExportQuery{Top: page.Skip + page.Top}, since: s.clock().Add(-24 * time.Hour)}
	if device != "" {
		q.export = mdecore.ExportQuery{PageSize: inventoryPage}
	}
	if in.Since != "" {
		q.since, err = parseAge(in.Since, s.clock())
	}
	return q, err
}

// looked counts the rows that are looked through for a device's, and ends at inventoryRead.
type looked struct {
	n   int
	cut bool
}

func (l *looked) through(from iter.Seq2[any, error]) iter.Seq2[any, error] {
	return func(yield func(any, error) bool) {
		for row, err := range from {
			if l.n == inventoryRead {
				l.cut = true
				return
			}
			l.n++
			if !yield(row, err) {
				return
			}
		}
	}
}

// viewOfRow is a row as callers see it: the API's names, what is empty left out, and every text made safe.
func viewOfRow(row any) map[string]any {
	var all map[string]any
	b, err := json.Marshal(row)
	if err == nil {
		err = json.Unmarshal(b, &all)
	}
	if err != nil {
		return map[string]any{"unreadable": clean(err.Error(), 200)}
	}
	for name, v := range all {
		if all[name] = rowValue(v, 0); all[name] == nil {
			delete(all, name)
		}
	}
	return all
}

// The bounds of one value of a row.
const (
	valueText  = 300
	valueItems = 10
	valueDepth = 3
)

// rowValue is a JSON value of a row without what is empty, hidden or long; nil when nothing is left.
func rowValue(v any, depth int) any {
	switch v := v.(type) {
	case string:
		if v == "" {
			return nil
		}
		return clean(v, valueText)
	case []any:
		var out []any
		for i, one := range v {
			if i == valueItems {
				out = append(out, fmt.Sprintf("and %d more", len(v)-i))
				break
			}
			out = append(out, rowValue(one, depth+1))
		}
		if out == nil {
			return nil
		}
		return out
	case map[string]any:
		if depth == valueDepth {
			return "…"
		}
		out := map[string]any{}
		for name, one := range v {
			out[clean(name, 80)] = rowValue(one, depth+1)
		}
		return out
	}
	return v
}
