package mcpserver

import (
	"context"
	"slices"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/mde-ops/mde-ops/approvals"
)

// Principal is who sent an HTTP request, as it was proved.
type Principal struct {
	// Key tells principals apart: sessions and limits go by it.
	Key string
	// Requester is the person whose calls these are.
	Requester approvals.Requester
	// Tools are the names of the tools that the principal may use; all that the server offers when nil.
	Tools map[string]bool
	// Expires is when the proof ends; never when zero.
	Expires time.Time
}

type principalKey struct{}

// WithPrincipal puts a principal into the context of a request.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalFrom returns whose request a context belongs to, and false when nobody was asked.
func PrincipalFrom(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(principalKey{}).(Principal)
	return p, ok
}

// mayUse reports whether whoever sent a request may use a tool at all. Policy is asked about the call besides.
func mayUse(ctx context.Context, tool string) bool {
	p, ok := PrincipalFrom(ctx)
	return !ok || p.Tools == nil || p.Tools[tool]
}

// offeredTo leaves out the tools that a principal may not use. The library asks it when tools are listed and when one is
// called.
func offeredTo(ctx context.Context, all []mcp.Tool) []mcp.Tool {
	p, ok := PrincipalFrom(ctx)
	if !ok || p.Tools == nil {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(t mcp.Tool) bool { return !p.Tools[t.Name] })
}
