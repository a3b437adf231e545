// Package telemetrytest has a collector of traces for tests: a real HTTP server that reads what it is sent with the published
// definitions of the protocol.
package telemetrytest

import (
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Collector takes in spans. Make it with Start.
type Collector struct {
	*httptest.Server

	mu       sync.Mutex
	spans    []*traces.Span
	resource *resource.Resource
	raw      []byte
	header   http.Header
	path     string
	answers  []int
	posts    int
	faults   []string
}

// Start begins to listen on a loopback address.
func Start() *Collector {
	c := &Collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(c.take))
	return c
}

func (c *Collector) take(w http.ResponseWriter, r *http.Request) {
	raw, err := body(r)
	data := new(traces.TracesData)
	if err == nil {
		err = proto.Unmarshal(raw, data)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.posts++
	if err != nil {
		c.faults = append(c.faults, err.Error())
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if len(c.answers) > 0 {
		w.WriteHeader(c.answers[0])
		c.answers = c.answers[1:]
		return
	}
	c.header, c.path, c.raw = r.Header.Clone(), r.URL.Path, append(c.raw, raw...)
	for _, rs := range data.GetResourceSpans() {
		c.resource = rs.GetResource()
		for _, ss := range rs.GetScopeSpans() {
			for _, s := range ss.GetSpans() {
				c.spans = append(c.spans, s)
				if len(s.ProtoReflect().GetUnknown()) > 0 {
					c.faults = append(c.faults, "unknown fields in "+s.GetName())
				}
			}
		}
	}
}

func body(r *http.Request) ([]byte, error) {
	if r.Header.Get("Content-Type") != "application/x-protobuf" {
		return nil, fmt.Errorf("content type %q", r.Header.Get("Content-Type"))
	}
	if r.Header.Get("Content-Encoding") != "gzip" {
		return io.ReadAll(r.Body)
	}
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// Answer makes the next posts fail with these statuses, one each.
func (c *Collector) Answer(statuses ...int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers = statuses
}

// Span is a span as it arrived.
type Span struct {
	Name, Kind        string
	Trace, ID, Parent string
	TraceState        string
	Start, End        uint64
	Flags             uint32
	Error             bool
	Attributes        map[string]string
	StatusText        string
}

// Spans are those that have arrived, in the order of their ends.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]Span, len(c.spans))
	for i, s := range c.spans {
		all[i] = Span{
			Name: s.GetName(), Kind: s.GetKind().String(), Trace: hex.EncodeToString(s.GetTraceId()), ID: hex.EncodeToString(s.GetSpanId()),
			Parent: hex.EncodeToString(s.GetParentSpanId()), TraceState: s.GetTraceState(), Start: s.GetStartTimeUnixNano(), End: s.GetEndTimeUnixNano(),
			Flags: s.GetFlags(), Error: s.GetStatus().GetCode() == traces.Status_STATUS_CODE_ERROR, StatusText: s.GetStatus().GetMessage(),
			Attributes: values(s.GetAttributes()),
		}
	}
	return all
}

// Named are the spans of a name.
func (c *Collector) Named(name string) (found []Span) {
	for _, s := range c.Spans() {
		if s.Name == name {
			found = append(found, s)
		}
	}
	return found
}

// Resource is what the sender says of itself.
func (c *Collector) Resource() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return values(c.resource.GetAttributes())
}

// Last is the header and path of the last post that was taken.
func (c *Collector) Last() (http.Header, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.header, c.path
}

// Raw is everything that was taken, as bytes: for looking for what must not be there.
func (c *Collector) Raw() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]byte(nil), c.raw...)
}

// Posts is how many posts came, and Faults what was wrong with them.
func (c *Collector) Posts() (n int, faults []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.posts, append([]string(nil), c.faults...)
}

func values(list []*common.KeyValue) map[string]string {
	all := make(map[string]string, len(list))
	for _, kv := range list {
		switch v := kv.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			all[kv.GetKey()] = v.StringValue
		case *common.AnyValue_IntValue:
			all[kv.GetKey()] = fmt.Sprint(v.IntValue)
		case *common.AnyValue_DoubleValue:
			all[kv.GetKey()] = fmt.Sprint(v.DoubleValue)
		case *common.AnyValue_BoolValue:
			all[kv.GetKey()] = fmt.Sprint(v.BoolValue)
		}
	}
	return all
}
