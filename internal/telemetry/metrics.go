package telemetry

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Metrics are the numbers of a process. It is safe for concurrent use; the nil value keeps none.
type Metrics struct {
	mu       sync.Mutex
	families []*family
	sources  []*source
}

// family is one metric with all its series.
type family struct {
	name, help, kind string
	labels           []string
	buckets          []float64 // of a histogram

	mu     sync.Mutex
	series map[string]*series
}

// series is a metric with one set of label values.
type series struct {
	values []string
	n      float64  // of a counter or gauge; the sum of a histogram
	counts []uint64 // of a histogram, by bucket, the last for what is above all
}

const (
	kindCounter   = "counter"
	kindGauge     = "gauge"
	kindHistogram = "histogram"
)

// NewMetrics returns an empty set.
func NewMetrics() *Metrics { return &Metrics{} }

func (m *Metrics) family(name, help, kind string, buckets []float64, labels []string) *family {
	if m == nil {
		return nil
	}
	f := &family{name: name, help: help, kind: kind, labels: labels, buckets: buckets, series: map[string]*series{}}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.families = append(m.families, f)
	return f
}

// at is the series of label values. The caller holds the lock.
func (f *family) at(values []string) *series {
	if len(values) != len(f.labels) {
		panic(fmt.Sprintf("telemetry: %s has %d labels and was given %d values", f.name, len(f.labels), len(values)))
	}
	key := strings.Join(values, "\xff")
	s, ok := f.series[key]
	if !ok {
		s = &series{values: slices.Clone(values), counts: make([]uint64, len(f.buckets)+1)}
		f.series[key] = s
	}
	return s
}

// Counter only grows.
type Counter struct{ f *family }

// Counter makes a counter; its name ends in _total. Label values must come from a short list.
func (m *Metrics) Counter(name, help string, labels ...string) Counter {
	return Counter{m.family(name, help, kindCounter, nil, labels)}
}

// Add adds n to the series of the label values. Nothing to add makes no series.
func (c Counter) Add(n float64, values ...string) {
	if c.f == nil || n <= 0 {
		return
	}
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	c.f.at(values).n += n
}

// Histogram counts values by size.
type Histogram struct{ f *family }

// Histogram makes a histogram with the upper bounds of its buckets, smallest first.
func (m *Metrics) Histogram(name, help string, buckets []float64, labels ...string) Histogram {
	return Histogram{m.family(name, help, kindHistogram, buckets, labels)}
}

// Observe counts a value in the series of the label values.
func (h Histogram) Observe(v float64, values ...string) {
	if h.f == nil {
		return
	}
	at, _ := slices.BinarySearch(h.f.buckets, v) // a bound belongs to its own bucket
	h.f.mu.Lock()
	defer h.f.mu.Unlock()
	s := h.f.at(values)
	s.counts[at]++
	s.n += v
}

// Write writes everything in Prometheus' text format. Sources are read first, all at once, because some of them count what
// happened since they were read before.
func (m *Metrics) Write(ctx context.Context, w io.Writer) error {
	m.mu.Lock()
	families, sources := slices.Clone(m.families), slices.Clone(m.sources)
	m.mu.Unlock()
	read := make([][]*family, len(sources))
	var all sync.WaitGroup
	for i, s := range sources {
		all.Go(func() { read[i] = s.get(ctx) })
	}
	all.Wait()
	var b strings.Builder
	for _, f := range slices.Concat(families, slices.Concat(read...)) {
		f.write(&b)
	}
	writeFaults(&b, sources)
	_, err := io.WriteString(w, b.String())
	return err
}

// ContentType is that of what Write writes.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

func (f *family) write(b *strings.Builder) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.series) == 0 {
		return
	}
	fmt.Fprintf(b, "# HELP %s %s\n# TYPE %s %s\n", f.name, escape(f.help, false), f.name, f.kind)
	for _, key := range slices.Sorted(maps.Keys(f.series)) {
		s := f.series[key]
		if f.kind == kindHistogram {
			f.writeHistogram(b, s)
			continue
		}
		line(b, f.name, f.labels, s.values, "", s.n)
	}
}

func (f *family) writeHistogram(b *strings.Builder, s *series) {
	var sum uint64
	for i, bound := range append(slices.Clone(f.buckets), math.Inf(1)) {
		sum += s.counts[i]
		line(b, f.name+"_bucket", f.labels, s.values, number(bound), float64(sum))
	}
	line(b, f.name+"_sum", f.labels, s.values, "", s.n)
	line(b, f.name+"_count", f.labels, s.values, "", float64(sum))
}

// line writes one value; le is a bucket's bound, empty for what is none.
func line(b *strings.Builder, name string, labels, values []string, le string, v float64) {
	b.WriteString(name)
	sep := "{"
	pair := func(label, value string) {
		b.WriteString(sep + label + `="` + escape(value, true) + `"`)
		sep = ","
	}
	for i, label := range labels {
		pair(label, values[i])
	}
	if le != "" {
		pair("le", le)
	}
	if sep == "," {
		b.WriteString("}")
	}
	b.WriteString(" " + number(v) + "\n")
}

func number(v float64) string {
	if math.IsInf(v, 1) {
		return "+Inf"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// escape writes a text as the format wants it: in a label's value quotes are escaped too.
func escape(s string, quotes bool) string {
	s = strings.ReplaceAll(strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), `\`, `\\`), "\n", `\n`)
	if quotes {
		s = strings.ReplaceAll(s, `"`, `\"`)
	}
	return s
}

// Reading is a metric as a source has it now.
type Reading struct {
	Name, Help string
	// Counter says that it only grows; else it is a gauge.
	Counter bool
	Labels  []string
	Points  []Point
}

// Point is one value of a Reading.
type Point struct {
	Values []string
	Value  float64
}

func (r Reading) family() *family {
	f := &family{name: r.Name, help: r.Help, kind: kindGauge, labels: r.Labels, series: map[string]*series{}}
	if r.Counter {
		f.kind = kindCounter
	}
	for _, p := range r.Points {
		f.at(p.Values).n = p.Value
	}
	return f
}

// Gauge is a Reading of one gauge without labels.
func Gauge(name, help string, v float64) Reading {
	return Reading{Name: name, Help: help, Points: []Point{{Value: v}}}
}

func byName(a, b *source) int { return cmp.Compare(a.name, b.name) }
