package nexussim

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// bombSize is what an archive of ResultBomb grows to.
const bombSize = 512 << 20

const reportName = "mde-agent-information.json"

// content is the file that a node's command leaves behind.
func (a *Azure) content(cl *cluster, n *node) []byte {
	report := a.report(cl, n)
	switch n.seed.Result {
	case ResultPlain:
		return report
	case ResultCut:
		return archive(file{reportName, report[:len(report)/2]})
	case ResultTraversal:
		return archive(file{"../../etc/cron.d/" + reportName, report})
	case ResultEmpty:
		return archive(file{"README.txt", []byte("MDE agent is not running\n")})
	case ResultDamaged:
		whole := archive(file{reportName, report})
		return append(whole[:len(whole)/2:len(whole)/2], bytes.Repeat([]byte{0xff}, 64)...)
	case ResultBomb:
		return bomb()
	case ResultZipped:
		var packed bytes.Buffer
		z := zip.NewWriter(&packed)
		w, err := z.Create(reportName)
		must(err)
		_, err = w.Write(report)
		must(err)
		must(z.Close())
		return archive(file{"mde-agent-information.zip", packed.Bytes()})
	default:
		return archive(file{"hostfs/tmp/runcommand/" + reportName, report})
	}
}

type file struct {
	name    string
	content []byte
}

// archive packs files as a tar.gz.
func archive(files ...file) []byte {
	var out bytes.Buffer
	gz, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	must(err)
	t := tar.NewWriter(gz)
	for _, f := range files {
		must(t.WriteHeader(&tar.Header{Name: f.name, Mode: 0o600, Size: int64(len(f.content)), Typeflag: tar.TypeReg}))
		_, err := t.Write(f.content)
		must(err)
	}
	must(t.Close())
	must(gz.Close())
	return out.Bytes()
}

// bomb is a small archive of a report that is very large.
func bomb() []byte {
	var out bytes.Buffer
	gz, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	must(err)
	t := tar.NewWriter(gz)
	must(t.WriteHeader(&tar.Header{Name: reportName, Mode: 0o600, Size: bombSize, Typeflag: tar.TypeReg}))
	_, err = io.CopyN(t, spaces{}, bombSize)
	must(err)
	must(t.Close())
	must(gz.Close())
	return out.Bytes()
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// must is for what can't fail: the packers write into memory.
func must(err error) {
	if err != nil {
		panic("nexussim: " + err.Error())
	}
}

// report is mde-agent-information.json of a node: the frames that are documented, filled up to its size with counters.
func (a *Azure) report(cl *cluster, n *node) []byte {
	var out bytes.Buffer
	size := orDefault(n.seed.Size, a.ReportSize)
	level := cl.level(n)
	if n.seed.Result == ResultStopped {
		return []byte(`{"diagnosticInformation":{},"mdeDefinitions":null,"generalHealth":{"healthy":false,"healthIssues":["service is not running"]},"threatInformation":null}`)
	}
	fmt.Fprintf(&out, `{"mdeDefinitions":{"version":"1.445.120.0","status":"upToDate"},"mdeConfiguration":{"enforcementLevel":%s},`, text(level))
	fmt.Fprintf(&out, `"generalHealth":{"healthy":%t,"healthIssues":[%s],"licensed":true,"engineVersion":"1.1.26090.1000","appVersion":"101.26092.0010",`+
		`"edrMachineId":%s,"realTimeProtectionEnabled":{"value":%t},"passiveModeEnabled":{"value":%t},"definitionsUpdated":"%d","definitionsVersion":"1.445.120.0",`+
		`"definitionsStatus":{"$type":"upToDate"},"tamperProtection":{"value":"block"}},`,
		n.seed.Health == "Healthy", quoted(n.seed.Issues), text(a.stated(n)), level == "RealTime", level == "Passive", n.seed.Definitions.UnixMilli())
	scans := a.scans(n)
	fmt.Fprintf(&out, `"scanList":[%s],`, joined(scans, scan.asList))
	fmt.Fprintf(&out, `"threatInformation":{"list":{"threats":{"scans":[%s]}},"quarantineList":{"type":"quarantined","threats":[%s]}},`,
		joined(scans, scan.asInformation), joined(n.seed.quarantined(), Threat.entry))
	out.WriteString(`"diagnosticInformation":{"eventProviderStats":[],"realTimeProtectionStats":{"counters":[`)
	fill(&out, size-40)
	out.WriteString(`]}}}`)
	return out.Bytes()
}

// fill writes counters until so many bytes are written, at least one.
func fill(out *bytes.Buffer, size int) {
	for i := 0; ; i++ {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString(`{"id":"`)
		out.WriteString(strconv.Itoa(i))
		out.WriteString(`","name":"process-`)
		out.WriteString(strconv.Itoa(i * 7919 % 100003))
		out.WriteString(`","path":"/usr/bin/process-`)
		out.WriteString(strconv.Itoa(i * 104729 % 1000003))
		out.WriteString(`","totalFilesScanned":"`)
		out.WriteString(strconv.Itoa(i * 31 % 5003))
		out.WriteString(`","scanTimeNanos":"0"}`)
		if out.Len() >= size {
			return
		}
	}
}

// scan is a scan as an agent remembers it.
type scan struct {
	kind, state string
	start, end  int64 // ms
	files       int
	threats     []Threat
}

// scans are those of a node: one of long ago, the latest, and one that failed where the node is not healthy. What was found
// was found by the latest.
func (a *Azure) scans(n *node) []scan {
	old := time.Date(2023, 10, 13, 13, 42, 53, 0, time.UTC)
	out := []scan{{"quick", "succeeded", old.UnixMilli(), old.Add(59 * time.Second).UnixMilli(), 1750, nil}}
	if !n.started.IsZero() && !n.ended.After(a.now()) {
		out = append(out, scan{"full", "succeeded", n.started.UnixMilli(), n.ended.UnixMilli(), 48211, n.seed.Threats})
	} else if len(n.seed.Threats) > 0 {
		out = append(out, scan{"full", "succeeded", old.Add(time.Hour).UnixMilli(), old.Add(2 * time.Hour).UnixMilli(), 48211, n.seed.Threats})
	}
	if n.seed.Health != "Healthy" {
		out = append(out, scan{"quick", "failed", old.Add(48 * time.Hour).UnixMilli(), 0, 310, nil})
	}
	return out
}

// asList is the scan as scanList has it: words in camelCase, numbers as text.
func (s scan) asList() string {
	ids := make([]string, len(s.threats))
	for i, t := range s.threats {
		ids[i] = t.ID
	}
	return fmt.Sprintf(`{"endTime":"%d","filesScanned":"%d","startTime":"%d","state":%q,"threats":[%s],"type":%q}`, s.end, s.files, s.start, s.state, quoted(ids), s.kind)
}

// asInformation is the scan as threatInformation has it: words in snake_case, numbers.
func (s scan) asInformation() string {
	return fmt.Sprintf(`{"type":%q,"start_time":%d,"end_time":%d,"files_scanned":%d,"threats":[%s],"state":%q}`, s.kind, s.start, s.end, s.files, joined(s.threats, Threat.entry), s.state)
}

// entry is a threat as threatInformation has it.
func (t Threat) entry() string {
	history := make([]string, len(t.Statuses))
	for i, status := range t.Statuses {
		history[i] = fmt.Sprintf(`{"key":%d,"value":%s}`, t.At.UnixMilli()+int64(i)*2000, text(status))
	}
	return fmt.Sprintf(`{"threat":{"tracking_id":%s,"name":%s,"type":%s,"severity":%s,"resources":[%s]},"history":[%s]}`,
		text(t.ID), text(t.Name), text(t.Type), text(t.Severity), text("file://"+t.Path), strings.Join(history, ","))
}

// quarantined are the threats whose latest status that is.
func (n Node) quarantined() (out []Threat) {
	for _, t := range n.Threats {
		if k := len(t.Statuses); k > 0 && t.Statuses[k-1] == "quarantined" {
			out = append(out, t)
		}
	}
	return out
}

func joined[T any](all []T, form func(T) string) string {
	out := make([]string, len(all))
	for i, one := range all {
		out[i] = form(one)
	}
	return strings.Join(out, ",")
}

// text is a text as JSON has it.
func text(s string) string { return string(encode(s)) }

func quoted(all []string) string { return joined(all, text) }
