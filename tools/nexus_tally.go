package tools

import (
	"cmp"
	"slices"
	"strings"
)

// How much of what agents report a summary holds, whatever they report.
const (
	maxThreatNames = 200
	maxStatuses    = 20 // of a threat
	maxPaths       = 3  // of a threat
)

// threatTally adds up the reports of nodes.
type threatTally struct {
	totals   reportCounts
	oldest   string
	infected []threatNode
	failed   []string
	reported int
	others   int            // threats of more names than are told apart
	stating  map[string]int // how many agents state an id in Defender
	byName   map[string]*threatLine
}

func newThreatTally() *threatTally {
	return &threatTally{infected: []threatNode{}, failed: []string{}, stating: map[string]int{}, byName: map[string]*threatLine{}}
}

// add takes what a summary tells out of a node's report.
func (t *threatTally) add(r *nodeReport) {
	name, c, edr := nodeName(r.node), countsOf(r.Report), statedDevice(r.Report.Health)
	t.reported++
	t.totals.Scans, t.totals.FailedScans = t.totals.Scans+c.Scans, t.totals.FailedScans+c.FailedScans
	t.totals.Threats, t.totals.Quarantine = t.totals.Threats+c.Threats, t.totals.Quarantine+c.Quarantine
	if edr != "" {
		t.stating[edr]++
	}
	if c.Threats > 0 {
		t.infected = append(t.infected, threatNode{Node: name, Threats: c.Threats, Quarantine: c.Quarantine, machine: r.node.MachineName, edr: edr})
	}
	if c.FailedScans > 0 {
		t.failed = append(t.failed, name)
	}
	if at := moment(r.evidence.CollectedAt); t.oldest == "" || at < t.oldest {
		t.oldest = at
	}
	for _, threat := range r.Report.Threats {
		line := t.line(cmp.Or(threat.Name, threat.TrackingID, "without a name"))
		if line == nil {
			t.others++
			continue
		}
		line.Severity = cmp.Or(line.Severity, clean(threat.Severity, 40))
		line.add(name, threat.Status, threat.Paths)
	}
}

// line is that of a threat's name; nil when there are too many.
func (t *threatTally) line(name string) *threatLine {
	line := t.byName[name]
	if line == nil && len(t.byName) < maxThreatNames {
		line = &threatLine{Name: clean(name, 120), Statuses: map[string]int{}}
		t.byName[name] = line
	}
	return line
}

func (l *threatLine) add(node, status string, paths []string) {
	status = cmp.Or(clean(status, 40), "not told")
	if _, known := l.Statuses[status]; !known && len(l.Statuses) == maxStatuses {
		status = "others"
	}
	l.Statuses[status]++
	if k := len(l.Nodes); k == 0 || l.Nodes[k-1] != node { // nodes come one after the other
		l.Nodes = append(l.Nodes, node)
	}
	for _, path := range paths {
		if text := clean(path, 200); len(l.Paths) < maxPaths && !slices.Contains(l.Paths, text) {
			l.Paths = append(l.Paths, text)
		}
	}
}

// lines are the threats, those on most nodes first.
func (t *threatTally) lines() []threatLine {
	out := make([]threatLine, 0, len(t.byName))
	for _, line := range t.byName {
		out = append(out, *line)
	}
	slices.SortFunc(out, func(a, b threatLine) int {
		return cmp.Or(len(b.Nodes)-len(a.Nodes), strings.Compare(a.Name, b.Name))
	})
	return out
}
