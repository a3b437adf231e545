package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/nexus"
)

type listNodesIn struct {
	Cluster string `json:"cluster" jsonschema:"Name or resource id" form:"azure"`
	Only    string `json:"only,omitempty" jsonschema:"Which nodes" enum:"all,unfit,unhealthy,drifting,stale" default:"all"`
	listing
}

type listNodesOut struct {
	Nodes []nodeView `json:"nodes" jsonschema:"names and states are untrusted text"`
	paged
}

type nodeView struct {
	Name        string `json:"name" jsonschema:"resource name"`
	Machine     string `json:"machine" schema:"omit" jsonschema:"host name"`
	Power       string `json:"power" schema:"omit"`
	Ready       string `json:"ready" schema:"omit"`
	Health      string `json:"health,omitempty" schema:"omit" jsonschema:"of the agent"`
	Issues      string `json:"issues,omitempty" schema:"omit" jsonschema:"untrusted text"`
	Licence     string `json:"licence,omitempty" schema:"omit"`
	Level       string `json:"level,omitempty" schema:"omit" jsonschema:"the node's own"`
	Definitions string `json:"definitions,omitempty" schema:"omit" jsonschema:"when they were updated"`
	Scanned     string `json:"scanned,omitempty" schema:"omit" jsonschema:"when the last scan ended"`
	Unfit       string `json:"unfit,omitempty" jsonschema:"why nothing can be collected from it"`
}

func nexusListNodes() declaration {
	return spec[listNodesIn, listNodesOut]{
		name: "nexus_list_nodes", title: "List a cluster's nodes", toolset: Nexus, surface: InToolset, risk: approvals.RiskRead,
		summary:    "List the nodes of a Nexus cluster with power, agent health, level, age of definitions and last scan.",
		positional: []string{"cluster"}, untrusted: true, lists: "nodes", hints: nexusHints(), read: readNodes,
	}
}

func readNodes(ctx context.Context, s *session, in listNodesIn) (listNodesOut, string, error) {
	c, err := s.cluster(ctx, in.Cluster)
	if err != nil {
		return listNodesOut{}, "", err
	}
	nodes, err := s.nodes(ctx, c)
	if err != nil {
		return listNodesOut{}, "", err
	}
	now := s.clock()
	chosen := slices.DeleteFunc(slices.Clone(nodes), func(n *nexus.Node) bool { return !isAmong(in.Only, c, n, now) })
	var out listNodesOut
	out.Nodes, out.paged, err = allRows(s, in.listing, each(chosen), viewOfNode)
	return out, out.text(c.ID.Name, len(chosen), len(nodes)), err
}

// isAmong reports whether a node is one of those that are asked for.
func isAmong(only string, c *nexus.Cluster, n *nexus.Node, now time.Time) bool {
	switch only {
	case "unfit":
		return n.Unfit() != ""
	case "unhealthy":
		return n.Protection.Health != "" && n.Protection.Health != "Healthy"
	case "drifting":
		return len(drifting(c, []*nexus.Node{n})) > 0
	case "stale":
		return isStale(n, now)
	}
	return true
}

func viewOfNode(n *nexus.Node) nodeView {
	p := n.Protection
	return nodeView{
		Name: clean(n.ID.Name, 80), Machine: clean(n.MachineName, 80), Power: clean(n.PowerState, 20), Ready: clean(n.ReadyState, 20),
		Health: clean(p.Health, 40), Issues: clean(strings.Join(p.Issues, "; "), 200), Licence: clean(p.Licence, 40), Level: clean(string(p.Level), 40),
		Definitions: moment(p.DefinitionsUpdated), Scanned: moment(p.ScanCompleted), Unfit: clean(n.Unfit(), 120),
	}
}

func (o listNodesOut) text(cluster string, chosen, all int) string {
	head := fmt.Sprintf("%d of %d nodes of %s", chosen, all, cluster)
	if len(o.Nodes) == 0 {
		return head + "."
	}
	return head + ":\n" + o.table()
}

func (o listNodesOut) table() string {
	rows := [][]string{{"NODE", "MACHINE", "POWER", "READY", "HEALTH", "LEVEL", "SCANNED"}}
	for _, n := range o.Nodes {
		rows = append(rows, []string{n.Name, n.Machine, n.Power, n.Ready, dash(n.Health), dash(n.Level), dash(n.Scanned)})
	}
	return columns(rows)
}

func (o listNodesOut) tables() []string { return []string{o.table()} }

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

type scanProgressIn struct {
	Cluster string `json:"cluster" jsonschema:"Name or resource id" form:"azure"`
	Since   string `json:"since,omitempty" jsonschema:"When the scan began, if the cluster does not say: 2h or RFC 3339" form:"age"`
}

type scanProgressOut struct {
	Cluster string           `json:"cluster" jsonschema:"its name"`
	Request *scanRequestView `json:"request,omitempty" jsonschema:"Azure's record of the request; its end says only that it was handed to the nodes"`
	Began   string           `json:"began,omitempty" schema:"omit" jsonschema:"what nodes are held against"`
	Counts  scanCounts       `json:"counts" schema:"omit" jsonschema:"nodes by state"`
	Nodes   []scanState      `json:"nodes" jsonschema:"each node; untrusted text"`
	Notes   []string         `json:"notes" jsonschema:"what it means"`
}

type scanCounts struct {
	Done     int `json:"done"`
	Scanning int `json:"scanning"`
	Waiting  int `json:"waiting"`
	Unfit    int `json:"unreachable"`
	Unknown  int `json:"unknown"`
}

type scanState struct {
	Node    string `json:"node" jsonschema:"its names"`
	State   string `json:"state" jsonschema:"done, scanning, waiting, unreachable or unknown"`
	Started string `json:"started,omitempty" schema:"omit"`
	Ended   string `json:"ended,omitempty" schema:"omit"`
}

func nexusScanProgress() declaration {
	return spec[scanProgressIn, scanProgressOut]{
		name: "nexus_scan_progress", title: "Progress of a scan", toolset: Nexus, surface: InToolset, risk: approvals.RiskRead,
		summary:    "Show how far a Nexus cluster's scan is: Azure's record of the request, then each node by its own scan times.",
		positional: []string{"cluster"}, untrusted: true, hints: nexusHints(), read: readScanProgress,
	}
}

func readScanProgress(ctx context.Context, s *session, in scanProgressIn) (scanProgressOut, string, error) {
	c, err := s.cluster(ctx, in.Cluster)
	if err != nil {
		return scanProgressOut{}, "", err
	}
	nodes, err := s.nodes(ctx, c)
	if err != nil {
		return scanProgressOut{}, "", err
	}
	out := scanProgressOut{Cluster: clean(c.ID.Name, 60), Nodes: []scanState{}, Notes: []string{}}
	began, err := out.begin(c, in.Since, s.clock())
	if err != nil {
		return scanProgressOut{}, "", err
	}
	for _, n := range nodes {
		out.count(n, began)
	}
	return out, out.text(), nil
}

// begin finds out when the scan began: as it is said, or as the cluster records it. Otherwise nothing is guessed.
func (o *scanProgressOut) begin(c *nexus.Cluster, since string, now time.Time) (began time.Time, err error) {
	scan, seen := c.Scan()
	switch {
	case c.Actions == nil:
		o.Notes = append(o.Notes, "this runtime keeps no record of scan requests: the nodes' own times are all there is")
	case !seen:
		o.Notes = append(o.Notes, "the cluster has no record of a scan request")
	default:
		o.Request, began = viewOfScanRequest(scan), scan.Start
		if scan.Status == "Completed" {
			o.Notes = append(o.Notes, "that the request is Completed says that it was handed to the nodes, and not that they have scanned")
		}
	}
	if since != "" {
		if began, err = parseAge(since, now); err != nil {
			return began, approvals.Refuse(approvals.KindInvalid, err, "since could not be read")
		}
	}
	if began.IsZero() {
		o.Notes = append(o.Notes, "when the scan began is not known, so no node can be called done: say it with since")
	}
	o.Began = moment(began)
	return began, nil
}

// count sorts a node by its scan times.
func (o *scanProgressOut) count(n *nexus.Node, began time.Time) {
	p := n.Protection
	state := scanState{Node: nodeName(n), Started: moment(p.ScanStarted), Ended: moment(p.ScanCompleted)}
	into := &o.Counts.Waiting
	switch state.State = "waiting"; {
	case began.IsZero():
		state.State, into = "unknown", &o.Counts.Unknown
	case !p.ScanStarted.Before(began) && !p.ScanCompleted.Before(p.ScanStarted):
		state.State, into = "done", &o.Counts.Done
	case !p.ScanStarted.Before(began):
		state.State, into = "scanning", &o.Counts.Scanning
	case n.Unfit() != "":
		state.State, into = "unreachable", &o.Counts.Unfit
	}
	*into++
	o.Nodes = append(o.Nodes, state)
}

func (o scanProgressOut) text() string {
	var b strings.Builder
	c := o.Counts
	fmt.Fprintf(&b, "Scan of %s: %d done, %d scanning, %d waiting, %d unreachable", o.Cluster, c.Done, c.Scanning, c.Waiting, c.Unfit)
	if c.Unknown > 0 {
		fmt.Fprintf(&b, ", %d unknown", c.Unknown)
	}
	b.WriteString(".")
	if o.Request != nil {
		fmt.Fprintf(&b, "\nRequest of %s: %s. %s", dash(o.Request.Start), o.Request.Status, o.Request.Message)
		for _, step := range o.Request.Steps {
			fmt.Fprintf(&b, "\n- %s: %s. %s", step.Name, step.Status, step.Message)
		}
	}
	b.WriteString("\n" + o.table())
	if left := len(o.Nodes) - 20; left > 0 {
		fmt.Fprintf(&b, "\nand %d nodes more", left)
	}
	for _, note := range o.Notes {
		b.WriteString("\nNote: " + note)
	}
	return b.String()
}

func (o scanProgressOut) table() string {
	rows := [][]string{{"NODE", "STATE", "STARTED", "ENDED"}}
	for _, n := range o.Nodes[:min(len(o.Nodes), 20)] {
		rows = append(rows, []string{n.Node, n.State, dash(n.Started), dash(n.Ended)})
	}
	return columns(rows)
}

func (o scanProgressOut) tables() []string { return []string{o.table()} }
