package azpipe

import "context"

// Priority is the rank of a call among those that wait for the same endpoint's budget.
type Priority int

// The priorities, lowest first. Every write is Containment; a read is Enrichment unless its context says otherwise.
const (
	// Enrichment is for calls that make an answer better: it waits until no Containment call waits any more.
	Enrichment Priority = iota
	// Containment is for calls that stop an attack, and for the reads that one of those depends on.
	Containment

	priorities = iota
)

// priorityKey is the context key of WithPriority.
type priorityKey struct{}

// WithPriority returns a context whose reads have priority p where they wait for an endpoint's budget. Writes are
// Containment whatever the context says, so that a context handed down from a report cannot slow an isolation.
func WithPriority(ctx context.Context, p Priority) context.Context {
	return context.WithValue(ctx, priorityKey{}, p)
}

// priorityOf returns the priority that a context asks for. Unknown values count as Enrichment.
func priorityOf(ctx context.Context) Priority {
	if p, ok := ctx.Value(priorityKey{}).(Priority); ok && p == Containment {
		return Containment
	}
	return Enrichment
}
