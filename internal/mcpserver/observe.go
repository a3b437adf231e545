package mcpserver

import (
	"context"
	"fmt"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/mde-ops/mde-ops/approvals"
)

// Begun is a call of a tool that begins.
type Begun struct {
	Tool string
	// ID is the client's id of its request.
	ID string
	// Carried gives what the client sent along of its trace, such as traceparent: in _meta, or else in the headers of HTTP.
	Carried func(key string) string
}

// The outcomes of a call that are no kind of refusal.
const (
	outcomeOK       = "ok"
	outcomeAsked    = "asked"
	outcomeFailed   = "failed"
	outcomePanicked = "panicked"
)

// idField is where the id of a request is handed from the library's hook, which is told it, to the handler, which is not. What
// a client writes there is overwritten.
const idField = "mde-ops/request-id"

// observed are the options of the library that watching needs.
func (o Options) observed() []server.ServerOption {
	if o.Watch == nil {
		return nil
	}
	hooks := &server.Hooks{}
	hooks.AddBeforeCallTool(func(_ context.Context, id any, req *mcp.CallToolRequest) {
		if req.Params.Meta == nil {
			req.Params.Meta = &mcp.Meta{}
		}
		if req.Params.Meta.AdditionalFields == nil {
			req.Params.Meta.AdditionalFields = map[string]any{}
		}
		if of, ok := id.(mcp.RequestId); ok {
			id = of.Value()
		}
		req.Params.Meta.AdditionalFields[idField] = fmt.Sprint(id)
	})
	return []server.ServerOption{server.WithHooks(hooks)}
}

// begin tells whoever watches that a call begins; what it returns is told how the call ended.
func (s *Server) begin(ctx context.Context, name string, req mcp.CallToolRequest) (context.Context, func(*mcp.CallToolResult, error)) {
	if s.o.Watch == nil {
		return ctx, func(*mcp.CallToolResult, error) {}
	}
	meta := func(key string) string {
		if req.Params.Meta == nil {
			return ""
		}
		text, _ := req.Params.Meta.AdditionalFields[key].(string)
		return text
	}
	carried := meta
	if meta("traceparent") == "" {
		carried = req.Header.Get
	}
	ctx, end := s.o.Watch(ctx, Begun{Tool: name, ID: meta(idField), Carried: carried})
	return ctx, func(res *mcp.CallToolResult, err error) { end(outcome(res, err)) }
}

// outcome is how a call ended, in a word.
func outcome(res *mcp.CallToolResult, err error) string {
	switch {
	case err != nil && approvals.KindOf(err) != "":
		return string(approvals.KindOf(err))
	case err != nil:
		return outcomeFailed
	case res == nil:
		return outcomePanicked
	case res.NeedsInput():
		return outcomeAsked
	}
	return outcomeOK
}
