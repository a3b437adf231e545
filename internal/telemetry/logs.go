package telemetry

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"go.opentelemetry.io/otel/trace"
)

// The names of the fields by which lines belong together. docs/observability.md explains them.
const (
	FieldTool    = "tool"
	FieldMCP     = "mcp_request"
	FieldRequest = "request"
	fieldTrace   = "trace_id"
	fieldSpan    = "span_id"
)

// fields are what the lines of one piece of work have in common.
type fields struct {
	parent *fields
	mu     sync.Mutex
	attrs  []slog.Attr
}

type fieldsKey struct{}

func fieldsOf(ctx context.Context) *fields {
	f, _ := ctx.Value(fieldsKey{}).(*fields)
	return f
}

// WithFields returns a context whose lines have these fields besides those that ctx gives them. Empty ones are left out.
func WithFields(ctx context.Context, attrs ...slog.Attr) context.Context {
	attrs = slices.DeleteFunc(slices.Clone(attrs), func(a slog.Attr) bool { return a.Value.Kind() == slog.KindString && a.Value.String() == "" })
	return context.WithValue(ctx, fieldsKey{}, &fields{parent: fieldsOf(ctx), attrs: attrs})
}

// note adds a field to the work that ctx belongs to, for the lines that are still to come.
func note(ctx context.Context, a slog.Attr) {
	f := fieldsOf(ctx)
	if f == nil || a.Value.String() == "" {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.attrs = append(f.attrs, a)
}

// all are the fields, innermost first.
func (f *fields) all() (list []slog.Attr) {
	for ; f != nil; f = f.parent {
		f.mu.Lock()
		list = append(list, f.attrs...)
		f.mu.Unlock()
	}
	return list
}

// Logs is a handler that adds to each line the trace and the fields of its context, and hands it to next. A field that the
// line has already is not added: JSON has no place for two of a name.
func Logs(next slog.Handler) slog.Handler { return &logs{next: next} }

type logs struct {
	next slog.Handler
	keys []string // that every line has, by With
}

// Enabled implements slog.Handler.
func (h *logs) Enabled(ctx context.Context, level slog.Level) bool { return h.next.Enabled(ctx, level) }

// WithAttrs implements slog.Handler.
func (h *logs) WithAttrs(attrs []slog.Attr) slog.Handler {
	keys := slices.Clone(h.keys)
	for _, a := range attrs {
		keys = append(keys, a.Key)
	}
	return &logs{next: h.next.WithAttrs(attrs), keys: keys}
}

// WithGroup implements slog.Handler. What follows is in the group.
func (h *logs) WithGroup(name string) slog.Handler { return &logs{next: h.next.WithGroup(name)} }

// Handle implements slog.Handler.
func (h *logs) Handle(ctx context.Context, r slog.Record) error {
	list := fieldsOf(ctx).all()
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		list = append(list, slog.String(fieldTrace, span.TraceID().String()), slog.String(fieldSpan, span.SpanID().String()))
	}
	if len(list) == 0 {
		return h.next.Handle(ctx, r)
	}
	seen := slices.Clone(h.keys)
	r.Attrs(func(a slog.Attr) bool {
		seen = append(seen, a.Key)
		return true
	})
	r = r.Clone()
	for _, a := range list {
		if !slices.Contains(seen, a.Key) {
			seen = append(seen, a.Key)
			r.AddAttrs(a)
		}
	}
	return h.next.Handle(ctx, r)
}
