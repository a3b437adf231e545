package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/nexus/report"
)

type getReportIn struct {
	Cluster   string `json:"cluster" jsonschema:"Name or resource id" form:"azure"`
	Node      string `json:"node" jsonschema:"Resource or machine name" form:"azure"`
	Section   string `json:"section,omitempty" jsonschema:"What to show" enum:"summary,scans,threats,quarantine,health,raw" default:"summary"`
	RequestID string `json:"request_id,omitempty" jsonschema:"That of this collection; else the latest" form:"request"`
	listing
}

type getReportOut struct {
	Node      string         `json:"node" jsonschema:"its names"`
	Collected string         `json:"collected" schema:"omit" jsonschema:"when"`
	Evidence  string         `json:"evidence" jsonschema:"of the file as it came; fetch_evidence asks for it"`
	Counts    reportCounts   `json:"counts" schema:"omit"`
	Health    *report.Health `json:"health,omitempty" schema:"omit"`
	Missing   []string       `json:"missing,omitempty" schema:"omit" jsonschema:"sections that the report lacks"`
	Rows      []reportRow    `json:"rows" jsonschema:"scans, threats or raw fields; untrusted text"`
	paged
}

type reportCounts struct {
	Scans       int `json:"scans"`
	FailedScans int `json:"failed_scans"`
	Threats     int `json:"threats"`
	Quarantine  int `json:"quarantine"`
}

// reportRow is a scan, a threat or a field that this version does not know.
type reportRow struct {
	Type    string `json:"type,omitempty" schema:"omit"`
	State   string `json:"state,omitempty" schema:"omit"`
	Start   string `json:"start,omitempty" schema:"omit"`
	StartMS int64  `json:"start_ms,omitempty" schema:"omit"`
	End     string `json:"end,omitempty" schema:"omit"`
	EndMS   int64  `json:"end_ms,omitempty" schema:"omit"`
	Files   int64  `json:"files,omitempty" schema:"omit"`

	Name       string   `json:"name,omitempty" jsonschema:"of a threat"`
	TrackingID string   `json:"tracking_id,omitempty" schema:"omit"`
	Severity   string   `json:"severity,omitempty" schema:"omit"`
	Status     string   `json:"status,omitempty" schema:"omit"`
	Paths      []string `json:"paths,omitempty" schema:"omit"`
	Threats    []string `json:"threats,omitempty" schema:"omit"`
	First      string   `json:"first,omitempty" schema:"omit"`
	FirstMS    int64    `json:"first_ms,omitempty" schema:"omit"`
	Last       string   `json:"last,omitempty" schema:"omit"`
	LastMS     int64    `json:"last_ms,omitempty" schema:"omit"`

	Field string `json:"field,omitempty" schema:"omit"`
	Value string `json:"value,omitempty" schema:"omit"`
}

func nexusGetReport() declaration {
	return spec[getReportIn, getReportOut]{
		name: "nexus_get_report", title: "A node's report", toolset: Nexus, surface: InToolset, risk: approvals.RiskRead,
		summary:    "Show the latest collected Defender report of a Nexus node: scans, threats, quarantine, health.",
		positional: []string{"cluster", "node"}, untrusted: true, lists: "rows", hints: nexusHints(), read: readReport,
	}
}

func readReport(ctx context.Context, s *session, in getReportIn) (getReportOut, string, error) {
	c, err := s.cluster(ctx, in.Cluster)
	if err != nil {
		return getReportOut{}, "", err
	}
	all, err := s.nodes(ctx, c)
	if err != nil {
		return getReportOut{}, "", err
	}
	nodes, err := nodesNamed(all, []string{in.Node})
	if err != nil {
		return getReportOut{}, "", err
	}
	r, err := s.reportOf(ctx, nodes[0], in.RequestID)
	switch {
	case err != nil:
		return getReportOut{}, "", evidenceRefusal(err)
	case r == nil:
		return getReportOut{}, "", noReport(nodes[0])
	}
	out := getReportOut{
		Node: nodeName(nodes[0]), Collected: moment(r.evidence.CollectedAt), Evidence: r.Raw, Counts: countsOf(r.Report), Missing: r.Report.Missing,
	}
	if in.Section == "health" || in.Section == "summary" {
		out.Health = cleanHealth(r.Report.Health)
	}
	out.Rows, out.paged, err = allRows(s, in.listing, each(sectionOf(r.Report, in.Section)), func(row reportRow) reportRow { return row })
	return out, out.text(in.Section, s.clock().Sub(r.evidence.CollectedAt)), err
}

func countsOf(r *report.Report) reportCounts {
	c := reportCounts{Scans: len(r.Scans), Threats: len(r.Threats), Quarantine: len(r.Quarantine)}
	for _, scan := range r.Scans {
		add(&c.FailedScans, scan.State == "failed")
	}
	return c
}

// sectionOf are the rows of a section; a summary shows threats.
func sectionOf(r *report.Report, section string) (rows []reportRow) {
	switch section {
	case "scans":
		for _, scan := range r.Scans {
			rows = append(rows, rowOfScan(scan))
		}
	case "summary", "threats":
		for _, t := range r.Threats {
			rows = append(rows, rowOfThreat(t))
		}
	case "quarantine":
		for _, t := range r.Quarantine {
			rows = append(rows, rowOfThreat(t))
		}
	case "raw":
		for _, path := range sortedKeys(r.Raw) {
			rows = append(rows, reportRow{Field: clean(path, 200), Value: clean(string(r.Raw[path]), 2000)})
		}
		for _, path := range r.Cut {
			rows = append(rows, reportRow{Field: clean(path, 200), Value: "left out because of its size; the file has it"})
		}
	}
	return rows
}

func rowOfScan(scan report.Scan) reportRow {
	row := reportRow{
		Type: clean(scan.Type, 40), State: clean(scan.State, 40), Start: moment(scan.Start), StartMS: scan.StartMS, End: moment(scan.End), EndMS: scan.EndMS,
		Files: scan.Files,
	}
	for _, t := range scan.Threats {
		row.Threats = append(row.Threats, clean(t, 120))
	}
	return row
}

func rowOfThreat(t report.Threat) reportRow {
	row := reportRow{
		Name: clean(t.Name, 120), TrackingID: clean(t.TrackingID, 60), Type: clean(t.Type, 40), Severity: clean(t.Severity, 40), Status: clean(t.Status, 40),
		First: moment(t.First), Last: moment(t.Last),
	}
	if !t.First.IsZero() {
		row.FirstMS = t.First.UnixMilli()
	}
	if !t.Last.IsZero() {
		row.LastMS = t.Last.UnixMilli()
	}
	for _, path := range t.Paths {
		row.Paths = append(row.Paths, clean(path, 300))
	}
	return row
}

// cleanHealth is the agent's account of itself with its words made harmless.
func cleanHealth(h report.Health) *report.Health {
	for _, word := range []*string{&h.EDRMachineID, &h.AppVersion, &h.EngineVersion, &h.TamperProtection, &h.DefinitionsVersion, &h.DefinitionsStatus} {
		*word = clean(*word, 80)
	}
	issues := make([]string, 0, len(h.Issues))
	for _, issue := range h.Issues[:min(len(h.Issues), 20)] {
		issues = append(issues, clean(issue, 200))
	}
	h.Issues = issues
	return &h
}

func (o getReportOut) text(section string, age time.Duration) string {
	var b strings.Builder
	c := o.Counts
	fmt.Fprintf(&b, "%s, collected %s (%s ago): %s (%d failed), %s, %d in quarantine.", o.Node, o.Collected, age.Round(time.Minute),
		count(c.Scans, "scan"), c.FailedScans, count(c.Threats, "threat"), c.Quarantine)
	if len(o.Missing) > 0 {
		fmt.Fprintf(&b, "\nThe report lacks %s: the agent may be stopped.", strings.Join(o.Missing, ", "))
	}
	if h := o.Health; h != nil {
		fmt.Fprintf(&b, "\nAgent: healthy %s, licensed %s, real-time protection %s, passive %s, definitions %s of %s.",
			yesNo(h.Healthy), yesNo(h.Licensed), yesNo(h.RealTimeProtection), yesNo(h.PassiveMode), dash(h.DefinitionsVersion), dash(moment(h.DefinitionsUpdated)))
		for _, issue := range h.Issues {
			b.WriteString("\n- issue: " + quoted(issue, 200))
		}
	}
	for _, row := range o.Rows[:min(len(o.Rows), 20)] {
		b.WriteString("\n- " + row.text())
	}
	if section != "raw" {
		b.WriteString("\nThe file itself is evidence " + o.Evidence + "; fetch_evidence asks for it.")
	}
	return b.String()
}

func (r reportRow) text() string {
	switch {
	case r.Field != "":
		return r.Field + ": " + clean(r.Value, 200)
	case r.Name != "" || r.TrackingID != "":
		text := fmt.Sprintf("%s: %s, %s", quoted(dash(r.Name), 120), dash(r.Severity), dash(r.Status))
		if len(r.Paths) > 0 {
			text += ", in " + quoted(r.Paths[0], 200)
		}
		return text + ", last " + dash(r.Last)
	}
	text := fmt.Sprintf("%s scan, %s: %s to %s, %d files", dash(r.Type), dash(r.State), dash(r.Start), dash(r.End), r.Files)
	if len(r.Threats) > 0 {
		text += ", " + count(len(r.Threats), "threat")
	}
	return text
}

// yesNo is a word for what an agent may not have said.
func yesNo(b *bool) string {
	switch {
	case b == nil:
		return "not told"
	case *b:
		return "yes"
	}
	return "no"
}

func sortedKeys(m map[string]json.RawMessage) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
