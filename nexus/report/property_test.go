package report_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mde-ops/mde-ops/nexus/report"
)

// told is a scan, and which of the two lists tells of it.
type told struct {
	report.Scan
	inScanList, inThreatList bool
}

// node is what happened on a node, of which a report is written in many ways.
type node struct {
	scans   []told
	threats []report.Threat
	events  map[string][]event
	held    []int // threats in the quarantine
	health  report.Health
}

type event struct {
	ms    int64
	value string
}

func drawText(t *rapid.T, label string) string {
	return rapid.OneOf(rapid.SampledFrom([]string{"Virus:DOS/EICAR_Test_File", "<@U1> *x*", "a\u202eb", "\\\"/\n", "😀é"}), rapid.StringN(1, 20, 40)).Draw(t, label)
}

func drawNode(t *rapid.T) node {
	n := node{events: map[string][]event{}}
	for i := range rapid.IntRange(0, 5).Draw(t, "threats") {
		threat := report.Threat{TrackingID: fmt.Sprintf("id-%d", i), Name: drawText(t, "name"), Type: "virus", Severity: rapid.SampledFrom([]string{"", "severe"}).Draw(t, "severity")}
		for j := range rapid.IntRange(0, 3).Draw(t, "paths") {
			threat.Paths = append(threat.Paths, fmt.Sprintf("/%d/%s", j, drawText(t, "path")))
		}
		for _, ms := range rapid.SliceOfNDistinct(rapid.Int64Range(1, 1<<42), 0, 4, rapid.ID).Draw(t, "history") {
			n.events[threat.TrackingID] = append(n.events[threat.TrackingID], event{ms, fmt.Sprintf("status %d", ms%7)})
		}
		if all := n.events[threat.TrackingID]; len(all) > 0 {
			byTime := func(a, b event) int { return cmp.Compare(a.ms, b.ms) }
			last := slices.MaxFunc(all, byTime)
			threat.First, threat.Last, threat.Status = at(slices.MinFunc(all, byTime).ms), at(last.ms), last.value
		}
		n.threats = append(n.threats, threat)
		if rapid.Bool().Draw(t, "held") {
			n.held = append(n.held, i)
		}
	}
	for i, start := range rapid.SliceOfNDistinct(rapid.Int64Range(1, 1<<42), 0, 6, rapid.ID).Draw(t, "scans") {
		s := told{Scan: scan(rapid.SampledFrom([]string{"quick", "full"}).Draw(t, "type"), rapid.SampledFrom([]string{"succeeded", "failed"}).Draw(t, "state"),
			start, rapid.SampledFrom([]int64{0, start + 1}).Draw(t, "end"), int64(i))}
		for _, threat := range n.threats {
			if rapid.Bool().Draw(t, "finds") {
				s.Threats = append(s.Threats, threat.TrackingID)
			}
		}
		where := rapid.IntRange(1, 3).Draw(t, "where")
		s.inScanList, s.inThreatList = where&1 != 0, where&2 != 0
		n.scans = append(n.scans, s)
	}
	yes := rapid.Bool().Draw(t, "healthy")
	n.health = report.Health{Healthy: &yes, EDRMachineID: drawText(t, "edr"), Issues: []string{drawText(t, "issue")}, DefinitionsUpdated: at(rapid.Int64Range(0, 1<<42).Draw(t, "updated"))}
	return n
}

// want is what has to be read, however it is written.
func (n node) want() *report.Report {
	r := &report.Report{
		Scans: []report.Scan{}, Threats: []report.Threat{}, Quarantine: []report.Threat{}, Health: n.health,
		Missing: []string{"mdeDefinitions", "mdeConfiguration"},
	}
	whole, named := map[string]bool{}, map[string]bool{}
	for _, s := range n.scans {
		r.Scans = append(r.Scans, s.Scan)
		for _, id := range s.Threats {
			named[id] = true
			whole[id] = whole[id] || s.inThreatList
		}
	}
	slices.SortFunc(r.Scans, func(a, b report.Scan) int { return cmp.Compare(b.StartMS, a.StartMS) })
	for i, threat := range n.threats {
		held := slices.Contains(n.held, i)
		quarantined := threat
		quarantined.Status = "quarantined"
		switch {
		case whole[threat.TrackingID]:
			r.Threats = append(r.Threats, threat)
		case named[threat.TrackingID] && held:
			r.Threats = append(r.Threats, quarantined)
		case named[threat.TrackingID]:
			r.Threats = append(r.Threats, report.Threat{TrackingID: threat.TrackingID})
		}
		if held {
			r.Quarantine = append(r.Quarantine, quarantined)
		}
	}
	byTime := func(a, b report.Threat) int {
		return cmp.Or(b.Last.Compare(a.Last), b.First.Compare(a.First), cmp.Compare(a.TrackingID, b.TrackingID))
	}
	slices.SortFunc(r.Threats, byTime)
	slices.SortFunc(r.Quarantine, byTime)
	return r
}

// writer writes a report: in one of the two spellings, with numbers or strings, values wrapped or not, fields in any order.
type writer struct {
	*rapid.T
	snake bool
	space string
}

func (w writer) key(camel string) string {
	if !w.snake {
		return camel
	}
	var b strings.Builder
	for _, c := range camel {
		if 'A' <= c && c <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(c)
	}
	return strings.ToLower(b.String())
}

func (w writer) object(fields map[string]string) string {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	var parts []string
	for _, name := range rapid.Permutation(names).Draw(w.T, "order") {
		parts = append(parts, w.space+strconv.Quote(w.key(name))+w.space+":"+w.space+fields[name])
	}
	return "{" + strings.Join(parts, ",") + w.space + "}"
}

func (w writer) list(items ...string) string {
	return "[" + w.space + strings.Join(items, w.space+",") + "]"
}

func (w writer) text(s string) string {
	quoted, err := json.Marshal(s)
	require.NoError(w.T, err)
	return w.wrapped(string(quoted))
}

func (w writer) number(n int64) string {
	s := strconv.FormatInt(n, 10)
	if rapid.Bool().Draw(w.T, "quoted") {
		s = `"` + s + `"`
	}
	return w.wrapped(s)
}

func (w writer) wrapped(raw string) string {
	switch rapid.IntRange(0, 5).Draw(w.T, "wrapped") {
	case 0:
		return w.object(map[string]string{"value": raw, "source": `"local"`})
	case 1:
		return `{"$type": ` + raw + "}"
	}
	return raw
}

func (w writer) threat(threat report.Threat, events []event) string {
	fields := map[string]string{"trackingId": w.text(threat.TrackingID), "name": w.text(threat.Name), "type": w.text(threat.Type), "severity": w.text(threat.Severity)}
	var paths, history []string
	for _, path := range threat.Paths {
		paths = append(paths, `"file://`+w.plain(path)[1:])
	}
	fields["resources"] = w.list(paths...)
	for _, e := range events {
		history = append(history, w.object(map[string]string{"key": w.number(e.ms), "value": w.text(e.value)}))
	}
	if rapid.Bool().Draw(w.T, "flat") {
		fields["history"] = w.list(history...)
		return w.object(fields)
	}
	return w.object(map[string]string{"threat": w.object(fields), "history": w.list(history...)})
}

func (w writer) plain(s string) string {
	quoted, err := json.Marshal(s)
	require.NoError(w.T, err)
	return string(quoted)
}

func (w writer) scan(s report.Scan, threats []string) string {
	return w.object(map[string]string{
		"type": w.text(s.Type), "state": w.text(s.State), "startTime": w.number(s.StartMS), "endTime": w.number(s.EndMS),
		"filesScanned": w.number(s.Files), "threats": w.list(threats...),
	})
}

func (w writer) report(n node) string {
	byID := map[string]string{}
	for _, threat := range n.threats {
		byID[threat.TrackingID] = w.threat(threat, n.events[threat.TrackingID])
	}
	var scanList, threatList, held []string
	for _, s := range n.scans {
		var ids, objects []string
		for _, id := range s.Threats {
			ids = append(ids, w.plain(id))
			objects = append(objects, byID[id])
		}
		if s.inScanList {
			scanList = append(scanList, w.scan(s.Scan, ids))
		}
		if s.inThreatList {
			threatList = append(threatList, w.scan(s.Scan, objects))
		}
	}
	for _, i := range n.held {
		held = append(held, byID[n.threats[i].TrackingID])
	}
	return w.object(map[string]string{
		"diagnosticInformation": w.object(map[string]string{"counters": w.list("1", `{"a": [true, null, -1.5e3]}`)}),
		"mdeConfiguration":      "null",
		"generalHealth": w.object(map[string]string{
			"healthy": w.wrapped(strconv.FormatBool(*n.health.Healthy)), "edrMachineId": w.text(n.health.EDRMachineID),
			"healthIssues": w.list(w.text(n.health.Issues[0])), "definitionsUpdated": w.number(max(0, n.health.DefinitionsUpdated.UnixMilli())),
		}),
		"scanList": w.list(scanList...),
		"threatInformation": w.object(map[string]string{
			"list":           w.object(map[string]string{"threats": w.object(map[string]string{"scans": w.list(threatList...)})}),
			"quarantineList": w.object(map[string]string{"type": `"quarantined"`, "threats": w.list(held...)}),
		}),
	})
}

// Whatever happened on a node is read from both spellings and from every packing alike.
func TestEveryFormOfAReportReadsTheSame(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := drawNode(rt)
		want := n.want()
		for _, snake := range []bool{false, true} {
			text := writer{rt, snake, rapid.SampledFrom([]string{"", " ", "\r\n\t"}).Draw(rt, "space")}.report(n)
			require.True(rt, json.Valid([]byte(text)), text)
			for form, packed := range packings(t, []byte(text)) {
				r, err := report.Read(iotest.HalfReader(bytes.NewReader(packed)), report.Limits{})
				require.NoError(rt, err, form)
				require.Equal(rt, int64(len(text)), r.Size)
				require.Equal(rt, form == "plain" || form == "gzip", r.Name == "", form)
				r.Size, r.Name = 0, ""
				require.Equal(rt, want, r, "%s: %s", form, text)
			}
		}
	})
}

// However much of a result is missing at its end, it is an error, and never half a report.
func TestAResultThatIsCutIsNeverAReport(t *testing.T) {
	text := []byte(found(`"t"`, `{"threat": {"tracking_id": "t", "name": "\u00e9\n", "path": "/a"}, "history": [{"key": 1.5e3, "value": "x"}]}`, `null, {"id": true}`))
	for form, packed := range packings(t, text) {
		_, err := report.Read(bytes.NewReader(packed), report.Limits{})
		require.NoError(t, err, form)
		for n := range packed {
			r, err := report.Read(bytes.NewReader(packed[:n]), report.Limits{})
			var failed *report.Error
			require.ErrorAs(t, err, &failed, "%s, %d of %d bytes", form, n, len(packed))
			require.Nil(t, r)
			if form == "plain" {
				require.Equal(t, report.FaultCut, failed.Fault)
			}
		}
	}
	// The member is whole, what is in it is not.
	for n := range text {
		refusal(t, report.FaultCut, tarred(t, entry{fileName, text[:n]}))
	}
}
