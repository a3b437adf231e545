package telemetry

import (
	"math"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/protobuf/encoding/protowire"
)

// The numbers of the fields are those of opentelemetry/proto/trace/v1/trace.proto, common/v1/common.proto and
// resource/v1/resource.proto. They never change.

// message is a protobuf message that is being written. Zero values are left out, as the format has it.
type message []byte

func (m *message) bytes(field protowire.Number, b []byte) {
	if len(b) > 0 {
		*m = protowire.AppendBytes(protowire.AppendTag(*m, field, protowire.BytesType), b)
	}
}

func (m *message) text(field protowire.Number, s string) { m.bytes(field, []byte(s)) }

func (m *message) number(field protowire.Number, n uint64) {
	if n != 0 {
		*m = protowire.AppendVarint(protowire.AppendTag(*m, field, protowire.VarintType), n)
	}
}

func (m *message) moment(field protowire.Number, t time.Time) {
	if !t.IsZero() {
		*m = protowire.AppendFixed64(protowire.AppendTag(*m, field, protowire.Fixed64Type), uint64(t.UnixNano()))
	}
}

// inner writes a message inside of m, also when it is empty.
func (m *message) inner(field protowire.Number, write func(*message)) {
	var in message
	write(&in)
	*m = protowire.AppendBytes(protowire.AppendTag(*m, field, protowire.BytesType), in)
}

// encodeSpans is an ExportTraceServiceRequest. All spans are of one program and one tracer.
func encodeSpans(spans []sdk.ReadOnlySpan) []byte {
	var m message
	m.inner(1, func(m *message) { // resource_spans
		m.inner(1, func(m *message) { encodeResource(m, spans[0].Resource()) })
		m.inner(2, func(m *message) { // scope_spans
			m.inner(1, func(m *message) {
				scope := spans[0].InstrumentationScope()
				m.text(1, scope.Name)
				m.text(2, scope.Version)
			})
			for _, s := range spans {
				m.inner(2, func(m *message) { encodeSpan(m, s) })
			}
		})
	})
	return m
}

func encodeResource(m *message, r *resource.Resource) {
	for _, kv := range r.Attributes() {
		m.inner(1, func(m *message) { encodeAttribute(m, kv) })
	}
}

func encodeSpan(m *message, s sdk.ReadOnlySpan) {
	at, parent := s.SpanContext(), s.Parent()
	trace, span := at.TraceID(), at.SpanID()
	m.bytes(1, trace[:])
	m.bytes(2, span[:])
	m.text(3, at.TraceState().String())
	if parent.HasSpanID() {
		id := parent.SpanID()
		m.bytes(4, id[:])
	}
	m.text(5, s.Name())
	m.number(6, uint64(s.SpanKind())) //nolint:gosec // the SDK counts the kinds as the format does, from 0
	m.moment(7, s.StartTime())
	m.moment(8, s.EndTime())
	for _, kv := range s.Attributes() {
		m.inner(9, func(m *message) { encodeAttribute(m, kv) })
	}
	m.number(10, uint64(max(s.DroppedAttributes(), 0))) //nolint:gosec // not negative
	if s.Status().Code == codes.Error {
		m.inner(15, func(m *message) {
			m.text(2, s.Status().Description)
			m.number(3, 2)
		})
	}
	*m = protowire.AppendFixed32(protowire.AppendTag(*m, 16, protowire.Fixed32Type), flags(s))
}

// flags are the trace's own, and whether the parent is another process's.
func flags(s sdk.ReadOnlySpan) uint32 {
	const known, remote = 0x100, 0x200
	f := uint32(s.SpanContext().TraceFlags()) | known
	if s.Parent().IsRemote() {
		f |= remote
	}
	return f
}

func encodeAttribute(m *message, kv attribute.KeyValue) {
	m.text(1, string(kv.Key))
	m.inner(2, func(m *message) {
		switch kv.Value.Type() {
		case attribute.BOOL:
			*m = protowire.AppendVarint(protowire.AppendTag(*m, 2, protowire.VarintType), protowire.EncodeBool(kv.Value.AsBool()))
		case attribute.INT64:
			*m = protowire.AppendVarint(protowire.AppendTag(*m, 3, protowire.VarintType), uint64(kv.Value.AsInt64())) //nolint:gosec // two's complement is the format's
		case attribute.FLOAT64:
			*m = protowire.AppendFixed64(protowire.AppendTag(*m, 4, protowire.Fixed64Type), math.Float64bits(kv.Value.AsFloat64()))
		default:
			*m = protowire.AppendString(protowire.AppendTag(*m, 1, protowire.BytesType), kv.Value.String())
		}
	})
}
