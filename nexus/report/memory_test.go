//go:build !race

// The race detector takes memory of its own for every object, so that a number of bytes tells nothing under it.

package report

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const megabyte = 1 << 20

// writeReport writes a report of about size bytes, as a busy node's: a quarter of it are scans and threats that both lists tell
// of, up to the numbers given, the rest is what the agent counts per file.
func writeReport(w io.Writer, size, scans, threats int) error {
	out := &countingWriter{w: w}
	fmt.Fprint(out, `{"generalHealth": {"healthy": true, "edrMachineId": "0123"}, "mdeDefinitions": {"version": "1"}, "mdeConfiguration": {}, "scanList": [`)
	for i := range scans {
		fmt.Fprintf(out, `%s{"endTime": "%d", "filesScanned": "1750", "startTime": "%d", "state": "succeeded", "threats": [], "type": "quick"}`,
			comma(i), 1700000001000+i*1000, 1700000000000+i*1000)
	}
	fmt.Fprint(out, `], "threatInformation": {"list": {"threats": {"scans": [`)
	for i := range scans {
		fmt.Fprintf(out, `%s{"type": "quick", "start_time": %d, "end_time": %d, "files_scanned": 1750, "threats": [`, comma(i), 1700000000000+i*1000, 1700000001000+i*1000)
		if i < threats {
			fmt.Fprintf(out, `{"threat": {"tracking_id": "6b1f5c4e-0d6a-4a58-9f2f-%012d", "name": "Virus:DOS/EICAR_Test_File", "type": "virus", "resources": ["file:///var/tmp/%d"]}, "history": [{"key": %d, "value": "detected"}]}`,
				i, i, 1700000000500+i*1000)
		}
		fmt.Fprint(out, `], "state": "succeeded"}`)
	}
	fmt.Fprint(out, `]}}, "quarantineList": {"type": "quarantined", "threats": []}}, "diagnosticInformation": {"realTimeProtectionStats": {"counters": [`)
	for i := 0; out.n < size-200; i++ {
		fmt.Fprintf(out, `%s{"id": "%d", "name": "containerd-%d", "path": "/usr/bin/containerd-shim/%08x", "totalFilesScanned": "%d", "scanTimeNanos": "%d"}`,
			comma(i), i, i%100, i*2654435761, i%5000, i*7919)
	}
	fmt.Fprint(out, `]}, "eventProviderStats": []}}`)
	return out.err
}

func comma(i int) string {
	if i == 0 {
		return ""
	}
	return ", "
}

type countingWriter struct {
	w   io.Writer
	n   int
	err error
}

func (c *countingWriter) Write(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.w.Write(p)
	c.n, c.err = c.n+n, err
	return n, err
}

// piped is what write writes, made while it is read, so that it takes no room itself.
func piped(write func(io.Writer) error) io.Reader {
	r, w := io.Pipe()
	go func() {
		pieces := bufio.NewWriterSize(w, 64<<10)
		err := write(pieces)
		if err == nil {
			err = pieces.Flush()
		}
		w.CloseWithError(err)
	}()
	return r
}

// peak samples the heap while a report is read.
type peak struct {
	r          io.Reader
	read, next int64
	bytes      uint64
}

func (p *peak) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if p.read += int64(n); p.read >= p.next || err != nil {
		p.bytes, p.next = max(p.bytes, heap()), p.read+megabyte/4
	}
	return n, err
}

// heap is the size of all objects on the heap, also of those that the collector has not swept yet.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// peakOf reads a report and returns it with the heap that this took at most.
func peakOf(t *testing.T, r io.Reader) (*Report, float64) {
	t.Helper()
	runtime.GC()
	before := heap()
	p := &peak{r: r}
	report, err := Read(p, Limits{})
	require.NoError(t, err)
	return report, float64(max(p.bytes, heap(), before)-before) / megabyte
}

// A report takes a fraction of its size in memory: what it counts per file is passed, and of scans and threats there is one each.
func TestMemoryOfLargeReports(t *testing.T) {
	for name, c := range map[string]struct {
		size, scans, threats int
		most                 float64 // MB
	}{
		"5 MB":                       {5 * megabyte, 500, 10, 5},
		"50 MB":                      {50 * megabyte, 2000, 100, 8},
		"50 MB with all that may be": {60 * megabyte, 100_000, 100_000, 125},
	} {
		t.Run(name, func(t *testing.T) {
			r, used := peakOf(t, piped(func(w io.Writer) error { return writeReport(w, c.size, c.scans, c.threats) }))
			t.Logf("%.1f MB of heap for %.1f MB", used, float64(r.Size)/megabyte)
			require.Len(t, r.Scans, c.scans)
			require.Len(t, r.Threats, c.threats)
			require.LessOrEqual(t, used, c.most)
		})
	}
}

// What is sent in masses to fill the memory is passed: fields, events, paths, one text.
func TestMemoryOfHostileReports(t *testing.T) {
	const scan = `{"threatInformation": {"list": {"threats": {"scans": [{"threats": [`
	for name, c := range map[string]struct{ start, each, end string }{
		"fields":        {`{"scanList": [`, `{"%d": 1, "a%[1]d": 2, "b%[1]d": 3, "c%[1]d": 4},`, `null]}`},
		"events":        {scan + `{"history": [`, `{"key": %d, "value": "v%[1]d"},`, `null]}]}]}}}}`},
		"paths":         {scan + `{"path": [`, `"/%d",`, `null]}]}]}}}}`},
		"a text":        {scan + `{"name": "`, `%d`, `"}]}]}}}}`},
		"a kept value":  {`{"scanList": [], "new": [`, `%d,`, `1]}`},
		"health issues": {`{"generalHealth": {"healthIssues": [`, `"%d",`, `null]}}`},
	} {
		t.Run(name, func(t *testing.T) {
			_, used := peakOf(t, piped(func(w io.Writer) error {
				out := &countingWriter{w: w}
				fmt.Fprint(out, c.start)
				for i := 0; out.n < 20*megabyte && (i < 99_000 || name != "fields"); i++ {
					fmt.Fprintf(out, c.each, i)
				}
				fmt.Fprint(out, c.end)
				return out.err
			}))
			t.Logf("%.1f MB of heap", used)
			require.LessOrEqual(t, used, 8.0)
		})
	}
}

// A zip is held packed. One that packs nothing is the worst: it takes its own size, and not more.
func TestMemoryOfAZip(t *testing.T) {
	const size = 50 * megabyte
	write := func(w io.Writer) error {
		z := zip.NewWriter(w)
		member, err := z.CreateHeader(&zip.FileHeader{Name: reportName + ".json", Method: zip.Store})
		if err == nil {
			err = writeReport(member, size, 100, 10)
		}
		if err != nil {
			return err
		}
		return z.Close()
	}
	length := &countingWriter{w: io.Discard}
	require.NoError(t, write(length))
	r, used := peakOf(t, piped(func(w io.Writer) error {
		archive := tar.NewWriter(w)
		if err := archive.WriteHeader(&tar.Header{Name: "result.zip", Size: int64(length.n)}); err != nil {
			return err
		}
		if err := write(archive); err != nil {
			return err
		}
		return archive.Close()
	}))
	t.Logf("%.1f MB of heap for %.1f MB", used, float64(r.Size)/megabyte)
	require.Len(t, r.Scans, 100)
	require.LessOrEqual(t, used, 1.3*size/megabyte)
}

// BenchmarkRead tells how much faster than encoding/json a report is read, and how much less is allocated for it: ratios of
// the same bytes in the same run, because a machine's speed tells nothing.
func BenchmarkRead(b *testing.B) {
	for _, size := range []int{5, 50} {
		var buf bytes.Buffer
		require.NoError(b, writeReport(&buf, size*megabyte, 20*size, size))
		data := buf.Bytes()
		b.Run(fmt.Sprintf("%dMB", size), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			var ours, theirs cost
			for b.Loop() {
				ours.add(b, func() error { _, err := Read(bytes.NewReader(data), Limits{}); return err })
				b.StopTimer()
				theirs.add(b, func() error { var all any; return json.Unmarshal(data, &all) })
				b.StartTimer()
			}
			b.ReportMetric(float64(theirs.time)/float64(ours.time), "times-faster")
			b.ReportMetric(float64(ours.bytes)/float64(b.N), "B/read")
			b.ReportMetric(float64(theirs.bytes)/float64(ours.bytes), "times-fewer-B")
		})
	}
}

// cost is what something took.
type cost struct {
	time  time.Duration
	bytes uint64
}

func (c *cost) add(b *testing.B, work func() error) {
	b.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	require.NoError(b, work())
	c.time += time.Since(start)
	runtime.ReadMemStats(&after)
	c.bytes += after.TotalAlloc - before.TotalAlloc
}
