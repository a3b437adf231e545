package tools

import (
	"context"
	"fmt"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/nexus"
)

type threatSummaryIn struct {
	Cluster   string `json:"cluster" jsonschema:"Name or resource id" form:"azure"`
	RequestID string `json:"request_id,omitempty" jsonschema:"Only reports of this collection; else each node's latest" form:"request"`
}

type threatSummaryOut struct {
	Cluster  string        `json:"cluster" jsonschema:"its name"`
	Nodes    int           `json:"nodes" schema:"omit" jsonschema:"of the cluster"`
	Reported int           `json:"reported" schema:"omit" jsonschema:"nodes with a report"`
	Oldest   string        `json:"oldest,omitempty" schema:"omit" jsonschema:"when the oldest report was collected"`
	Scans    reportCounts  `json:"totals" schema:"omit" jsonschema:"of all reports"`
	Threats  []threatLine  `json:"threats" jsonschema:"by name; untrusted text"`
	Others   int           `json:"others,omitempty" schema:"omit"` // threats of more names than are told apart
	Infected []threatNode  `json:"infected" jsonschema:"nodes with threats"`
	Failed   []string      `json:"failed_scans" schema:"omit" jsonschema:"nodes with failed scans"`
	Missing  []missingNode `json:"missing" jsonschema:"nodes without a report"`
	Problems []string      `json:"problems" schema:"omit" jsonschema:"reports that can't be read"`
}

type threatLine struct {
	Name     string         `json:"name" jsonschema:"as the agent calls it"`
	Severity string         `json:"severity,omitempty" schema:"omit"`
	Statuses map[string]int `json:"statuses" schema:"omit"`
	Nodes    []string       `json:"nodes" jsonschema:"where"`
	Paths    []string       `json:"paths,omitempty" schema:"omit"`
}

type threatNode struct {
	Node       string `json:"node" jsonschema:"its names"`
	Threats    int    `json:"threats" jsonschema:"how many"`
	Quarantine int    `json:"quarantine" schema:"omit"`
	Device     string `json:"device,omitempty" jsonschema:"its id in Defender, for get_device"`
	DeviceName string `json:"device_name,omitempty" schema:"omit"`
	LinkedBy   string `json:"linked_by,omitempty" schema:"omit"`  // how that is known
	OtherName  bool   `json:"other_name,omitempty" schema:"omit"` // the device is called otherwise than the machine

	machine, edr string // what it is looked up by
}

type missingNode struct {
	Node string `json:"node" jsonschema:"its names"`
	Why  string `json:"why" jsonschema:"why"`
}

func nexusThreatSummary() declaration {
	return spec[threatSummaryIn, threatSummaryOut]{
		name: "nexus_threat_summary", title: "Threats on a cluster's nodes", toolset: Nexus, surface: InToolset, risk: approvals.RiskRead,
		summary:    "Summarise the collected reports of a Nexus cluster's nodes: threats, quarantine, failed scans, nodes without a report.",
		positional: []string{"cluster"}, untrusted: true, hints: nexusHints(), read: readThreats,
	}
}

func readThreats(ctx context.Context, s *session, in threatSummaryIn) (threatSummaryOut, string, error) {
	c, err := s.cluster(ctx, in.Cluster)
	if err != nil {
		return threatSummaryOut{}, "", err
	}
	nodes, err := s.nodes(ctx, c)
	if err != nil {
		return threatSummaryOut{}, "", err
	}
	tally := newThreatTally()
	missing, problems, err := s.eachReport(ctx, nodes, in.RequestID, tally.add)
	if err != nil {
		return threatSummaryOut{}, "", evidenceRefusal(err)
	}
	out := threatSummaryOut{
		Cluster: clean(c.ID.Name, 60), Nodes: len(nodes), Reported: tally.reported, Oldest: tally.oldest, Scans: tally.totals, Threats: tally.lines(), Others: tally.others,
		Infected: tally.infected, Failed: tally.failed, Missing: []missingNode{}, Problems: append([]string{}, problems...),
	}
	for _, n := range missing {
		out.Missing = append(out.Missing, missingNode{nodeName(n), whyMissing(n)})
	}
	s.linkNodes(ctx, out.Infected, tally.stating)
	return out, out.text(), nil
}

// whyMissing is why a node may have no report.
func whyMissing(n *nexus.Node) string {
	if why := n.Unfit(); why != "" {
		return clean(why, 120)
	}
	return "none was collected, or its collection failed"
}

func (o threatSummaryOut) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d of %d nodes have a report", o.Cluster, o.Reported, o.Nodes)
	if o.Oldest != "" {
		b.WriteString(", the oldest of " + o.Oldest)
	}
	fmt.Fprintf(&b, ". %s on %s, %d in quarantine, %s (%d failed).", count(o.Scans.Threats, "threat"), count(len(o.Infected), "node"), o.Scans.Quarantine,
		count(o.Scans.Scans, "scan"), o.Scans.FailedScans)
	if len(o.Threats) > 0 {
		b.WriteString("\n" + o.table() + o.more())
	}
	for _, n := range o.Infected[:min(len(o.Infected), 10)] {
		if n.Device != "" {
			fmt.Fprintf(&b, "\n%s is the device %s (get_device %s)", n.Node, quoted(n.DeviceName, 80), n.Device)
			if n.OtherName {
				b.WriteString(": only its agent says so, and the names differ")
			}
		}
	}
	if len(o.Failed) > 0 {
		b.WriteString("\nFailed scans on " + some(o.Failed))
	}
	if len(o.Missing) > 0 {
		words := make([]string, len(o.Missing))
		for i, m := range o.Missing {
			words[i] = m.Node + " (" + m.Why + ")"
		}
		b.WriteString("\nNo report of " + some(words) + ": nexus_collect_reports asks for them")
	}
	if len(o.Problems) > 0 {
		b.WriteString("\nNot readable: " + some(o.Problems))
	}
	return b.String()
}

// mostThreats is how many threats people are shown.
const mostThreats = 20

// table is the threats for people.
func (o threatSummaryOut) table() string {
	rows := [][]string{{"THREAT", "SEVERITY", "STATUS", "NODES"}}
	for _, t := range o.Threats[:min(len(o.Threats), mostThreats)] {
		var statuses []string
		for _, status := range sortedWords(t.Statuses) {
			statuses = append(statuses, fmt.Sprintf("%d %s", t.Statuses[status], status))
		}
		rows = append(rows, []string{quoted(t.Name, 60), dash(t.Severity), strings.Join(statuses, ", "), some(t.Nodes)})
	}
	return columns(rows)
}

func (o threatSummaryOut) tables() []string { return []string{o.table()} }

// more says what of the threats the table leaves out.
func (o threatSummaryOut) more() (text string) {
	if left := len(o.Threats) - mostThreats; left > 0 {
		text += fmt.Sprintf("\nand %d names more", left)
	}
	if o.Others > 0 {
		text += fmt.Sprintf("\nand %s of other names, which only nexus_get_report shows", count(o.Others, "threat"))
	}
	return text
}

// some are the first of words, and how many more there are.
func some(words []string) string {
	const most = 5
	text := strings.Join(words[:min(len(words), most)], ", ")
	if left := len(words) - most; left > 0 {
		text += fmt.Sprintf(" and %d more", left)
	}
	return text
}
