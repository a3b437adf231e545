package tools

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/nexus"
)

// staleAfter is how old definitions may be before a node is called stale.
const staleAfter = 7 * 24 * time.Hour

// nexusHints are those of every reading tool of clusters.
func nexusHints() Annotations { return Annotations{ReadOnly: true, Idempotent: true, OpenWorld: true} }

type listClustersIn struct {
	Subscription  string `json:"subscription,omitempty" jsonschema:"Only of this Azure subscription (GUID)" form:"word"`
	ResourceGroup string `json:"resource_group,omitempty" jsonschema:"Only of this resource group" form:"azure"`
	listing
}

type listClustersOut struct {
	Clusters []clusterView `json:"clusters" jsonschema:"names and states are untrusted text"`
	paged
}

type clusterView struct {
	Name         string `json:"name" jsonschema:"name"`
	ID           string `json:"id" schema:"omit" jsonschema:"resource id"`
	Location     string `json:"location" schema:"omit" jsonschema:"Azure region"`
	Level        string `json:"level" jsonschema:"enforcement level"`
	Connection   string `json:"connection" schema:"omit" jsonschema:"clusterConnectionStatus"`
	Provisioning string `json:"provisioning" schema:"omit" jsonschema:"provisioningState"`
	Version      string `json:"version" schema:"omit" jsonschema:"runtime version"`
}

func nexusListClusters() declaration {
	return spec[listClustersIn, listClustersOut]{
		name: "nexus_list_clusters", title: "List Nexus clusters", toolset: Nexus, surface: InToolset, risk: approvals.RiskRead,
		summary:    "List Azure Operator Nexus clusters with their runtime protection level and connection.",
		positional: []string{"resource_group"}, untrusted: true, lists: "clusters", hints: nexusHints(),
		read: func(ctx context.Context, s *session, in listClustersIn) (listClustersOut, string, error) {
			all, err := s.clusters(ctx, in.Subscription, in.ResourceGroup)
			if err != nil {
				return listClustersOut{}, "", err
			}
			var out listClustersOut
			out.Clusters, out.paged, err = allRows(s, in.listing, each(all), viewOfCluster)
			return out, out.text(), err
		},
	}
}

func viewOfCluster(c *nexus.Cluster) clusterView {
	return clusterView{
		Name: clean(c.ID.Name, 60), ID: c.ID.String(), Location: clean(c.Location, 60), Level: clean(string(c.Level), 40),
		Connection: clean(c.ConnectionStatus, 40), Provisioning: clean(c.ProvisioningState, 40), Version: clean(c.Version, 40),
	}
}

func (o listClustersOut) text() string {
	if len(o.Clusters) == 0 {
		return "There is no Nexus cluster here, or none that the reading application may see."
	}
	return count(len(o.Clusters), "Nexus cluster") + ":\n" + o.table()
}

func (o listClustersOut) table() string {
	rows := [][]string{{"CLUSTER", "LEVEL", "CONNECTION", "VERSION", "LOCATION"}}
	for _, c := range o.Clusters {
		rows = append(rows, []string{c.Name, c.Level, c.Connection, c.Version, c.Location})
	}
	return columns(rows)
}

func (o listClustersOut) tables() []string { return []string{o.table()} }

type protectionIn struct {
	Cluster string `json:"cluster" jsonschema:"Name or resource id" form:"azure"`
}

type protectionOut struct {
	Cluster clusterView      `json:"cluster" jsonschema:"the cluster; its words are untrusted text"`
	Does    []string         `json:"does" jsonschema:"what the level does"`
	Lacks   []string         `json:"lacks" jsonschema:"what it does not"`
	Service string           `json:"service" schema:"omit" jsonschema:"on, off or not known"`
	Updates string           `json:"definition_updates" schema:"omit" jsonschema:"Automatic, None, or not told"`
	Scan    *scanRequestView `json:"last_scan,omitempty" jsonschema:"the cluster's last scan request"`
	Nodes   nodeCounts       `json:"nodes" jsonschema:"how many"`
	Drift   []driftView      `json:"drift" jsonschema:"nodes at another level"`
	Notes   []string         `json:"notes" jsonschema:"what to look at"`
}

// nodeCounts are nodes by what they tell. A count of -1 is not told by this api-version.
type nodeCounts struct {
	All          int `json:"all" jsonschema:"all"`
	Unfit        int `json:"unfit" schema:"omit" jsonschema:"off or not ready"`
	Unhealthy    int `json:"unhealthy" schema:"omit" jsonschema:"agent not healthy; -1: not told"`
	Unlicensed   int `json:"unlicensed" schema:"omit" jsonschema:"-1: not told"`
	Stale        int `json:"stale" schema:"omit" jsonschema:"definitions older than 7 days, or unknown"`
	NeverScanned int `json:"never_scanned" schema:"omit"`
}

type driftView struct {
	Node  string `json:"node" jsonschema:"its names"`
	Level string `json:"level" jsonschema:"its level"`
}

type scanRequestView struct {
	Status        string     `json:"status" jsonschema:"Completed, InProgress or Failed"`
	Message       string     `json:"message,omitempty" schema:"omit" jsonschema:"untrusted text"`
	Start         string     `json:"start,omitempty" schema:"omit"`
	End           string     `json:"end,omitempty" schema:"omit"`
	CorrelationID string     `json:"correlation_id,omitempty" schema:"omit"`
	Steps         []stepSaid `json:"steps,omitempty" schema:"omit"`
}

type stepSaid struct {
	Name    string `json:"name" jsonschema:"name"`
	Status  string `json:"status"`
	Message string `json:"message,omitempty"`
}

func nexusGetRuntimeProtection() declaration {
	return spec[protectionIn, protectionOut]{
		name: "nexus_get_runtime_protection", title: "Runtime protection of a cluster", toolset: Nexus, surface: InToolset, risk: approvals.RiskRead,
		summary:    "Show a Nexus cluster's runtime protection: level, what it does and lacks, nodes at another level, health, last scan.",
		positional: []string{"cluster"}, untrusted: true, hints: nexusHints(), read: readProtection,
	}
}

func readProtection(ctx context.Context, s *session, in protectionIn) (protectionOut, string, error) {
	c, err := s.cluster(ctx, in.Cluster)
	if err != nil {
		return protectionOut{}, "", err
	}
	nodes, err := s.nodes(ctx, c)
	if err != nil {
		return protectionOut{}, "", err
	}
	out := protectionOut{Cluster: viewOfCluster(c), Does: []string{}, Lacks: []string{}, Drift: []driftView{}, Notes: []string{}}
	out.Service, out.Updates = "not known", "not told before api-version 2026-07-01"
	if has, known := c.Level.Capabilities(); known {
		out.Service = map[bool]string{true: "on", false: "off"}[hasCapability(has, nexus.CapService)]
		for _, one := range nexus.AllCapabilities() {
			if hasCapability(has, one) {
				out.Does = append(out.Does, string(one))
			} else {
				out.Lacks = append(out.Lacks, string(one))
			}
		}
	}
	if c.DefinitionUpdateMode != "" {
		out.Updates = clean(c.DefinitionUpdateMode, 40)
	}
	if scan, ok := c.Scan(); ok {
		out.Scan = viewOfScanRequest(scan)
	}
	for _, n := range drifting(c, nodes) {
		out.Drift = append(out.Drift, driftView{nodeName(n), clean(string(n.Protection.Level), 40)})
	}
	out.Nodes = countNodes(nodes, s.clock())
	out.Notes = protectionNotes(c, out)
	return out, out.text(), nil
}

func viewOfScanRequest(a nexus.ActionState) *scanRequestView {
	v := &scanRequestView{
		Status: clean(a.Status, 40), Message: clean(a.Message, 400), Start: moment(a.Start), End: moment(a.End), CorrelationID: clean(a.CorrelationID, 60),
	}
	for _, step := range a.Steps {
		v.Steps = append(v.Steps, stepSaid{clean(step.Name, 60), clean(step.Status, 40), clean(step.Message, 300)})
	}
	return v
}

// sortedWords are the keys of counts, in order.
func sortedWords(counts map[string]int) []string { return slices.Sorted(maps.Keys(counts)) }

// moment is a time as people and models read it; "" for none.
func moment(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

func countNodes(nodes []*nexus.Node, now time.Time) nodeCounts {
	c := nodeCounts{All: len(nodes)}
	told := false
	for _, n := range nodes {
		p := n.Protection
		told = told || p.Health != "" || p.Licence != ""
		add(&c.Unfit, n.Unfit() != "")
		add(&c.Unhealthy, p.Health != "" && p.Health != "Healthy")
		add(&c.Unlicensed, p.Licence != "" && p.Licence != "Licensed")
		add(&c.Stale, isStale(n, now))
		add(&c.NeverScanned, p.ScanCompleted.IsZero())
	}
	if !told {
		c.Unhealthy, c.Unlicensed = -1, -1
	}
	return c
}

func add(n *int, one bool) {
	if one {
		*n++
	}
}

// isStale reports whether a node's definitions are old, or of unknown age.
func isStale(n *nexus.Node, now time.Time) bool {
	at := n.Protection.DefinitionsUpdated
	return at.IsZero() || now.Sub(at) > staleAfter
}

// protectionNotes are what somebody should do or know next.
func protectionNotes(c *nexus.Cluster, o protectionOut) []string {
	notes := []string{}
	note := func(when bool, format string, args ...any) {
		if when {
			notes = append(notes, fmt.Sprintf(format, args...))
		}
	}
	_, known := c.Level.Capabilities()
	note(!known, "what the level %s does is not known to this version", quoted(string(c.Level), 40))
	note(c.Level == nexus.Disabled, "nothing is protected and nothing can be scanned: nexus_set_enforcement_level enables it")
	note(c.ConnectionStatus != "Connected", "Azure does not reach the cluster (%s): nothing can be changed or collected", quoted(c.ConnectionStatus, 40))
	note(c.Level != nexus.Disabled && c.DefinitionUpdateMode == "None", "definitions are not updated by themselves (definitionUpdateMode None)")
	note(len(o.Drift) > 0, "at another level than the cluster: %s", count(len(o.Drift), "node"))
	note(o.Nodes.Stale > 0, "with definitions older than 7 days, or of unknown age: %s", count(o.Nodes.Stale, "node"))
	note(o.Nodes.NeverScanned > 0, "never scanned: %s", count(o.Nodes.NeverScanned, "node"))
	note(o.Nodes.Unhealthy < 0, "health, licence and level of nodes are not told by this api-version")
	note(c.Actions == nil, "the runtime reports no scan requests")
	return notes
}

func (o protectionOut) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is at %s: service %s.", o.Cluster.Name, o.Cluster.Level, o.Service)
	if len(o.Does) > 0 {
		fmt.Fprintf(&b, " It has %s.", strings.Join(o.Does, ", "))
	}
	if len(o.Lacks) > 0 {
		fmt.Fprintf(&b, " It lacks %s.", strings.Join(o.Lacks, ", "))
	}
	fmt.Fprintf(&b, "\n%s, %d off or not ready. Definition updates: %s.", count(o.Nodes.All, "node"), o.Nodes.Unfit, o.Updates)
	if o.Scan != nil {
		fmt.Fprintf(&b, "\nLast scan request: %s, %s. %s", o.Scan.Status, o.Scan.Start, o.Scan.Message)
	}
	for _, d := range o.Drift[:min(len(o.Drift), 10)] {
		fmt.Fprintf(&b, "\n- %s is at %s", d.Node, d.Level)
	}
	for _, note := range o.Notes {
		b.WriteString("\nNote: " + note)
	}
	return b.String()
}

// columns sets rows of words under one another.
func columns(rows [][]string) string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			line += cell + strings.Repeat(" ", widths[i]-len([]rune(cell))+2)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return strings.TrimRight(b.String(), "\n")
}
