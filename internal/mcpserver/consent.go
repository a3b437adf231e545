package mcpserver

import (
	"context"
	"errors"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/tools"
)

const (
	// confirmID is the name of our one question, and of the box in its form.
	confirmID = "confirm"
	// defaultAskWait is how long the person behind an older client may take. Newer clients come back by themselves.
	defaultAskWait = 2 * time.Minute
)

// mayAsk reports whether the client said that it puts forms to its person. The library would send the question all the same,
// and an older client would then hang.
func mayAsk(ctx context.Context) bool {
	var caps *mcp.ElicitationCapability
	if server.IsModernRequest(ctx) {
		if info := server.RequestProtocolInfoFromContext(ctx); info != nil && info.ClientCapabilities != nil {
			caps = info.ClientCapabilities.Elicitation
		}
	} else if session, ok := server.ClientSessionFromContext(ctx).(server.SessionWithClientInfo); ok {
		if _, sends := session.(server.SessionWithElicitation); sends {
			caps = session.GetClientCapabilities().Elicitation
		}
	}
	return caps != nil && (caps.Form != nil || caps.URL == nil) // neither of them means forms
}

// answer is what a call brings of an earlier question; nil when it is a first call, or one that came back without what its
// person said, who is asked anew. Whether it is worth anything the dispatcher decides.
func answer(req mcp.CallToolRequest) *tools.Answer {
	if len(req.Params.InputResponses) == 0 {
		return nil
	}
	if _, there := server.InputResponse(req.Params.InputResponses, confirmID); !there && req.Params.RequestState != "" {
		return nil
	}
	return &tools.Answer{State: req.Params.RequestState, Yes: saidYes(server.ElicitationResponse(req.Params.InputResponses, confirmID))}
}

// saidYes is true for a form that was accepted with its box ticked, and for nothing else.
func saidYes(r *mcp.ElicitationResult) bool {
	if r == nil || r.Action != mcp.ElicitationResponseActionAccept {
		return false
	}
	content, ok := r.Content.(map[string]any)
	return ok && content[confirmID] == true
}

// form is the question as the protocol has it.
func form(q *tools.Question) mcp.ElicitationParams {
	return mcp.ElicitationParams{Mode: mcp.ElicitationModeForm, Message: q.Text, RequestedSchema: map[string]any{
		"type": "object", "required": []string{confirmID},
		"properties": map[string]any{confirmID: map[string]any{
			"type": "boolean", "title": "Yes, do it", "description": "Tick only if you want exactly this", "default": false,
		}},
	}}
}

// ask puts a question to the caller's person. A newer client gets it as the result, and calls again; an older one is asked now,
// while its call waits. The library would do that too, without an end.
func (s *Server) ask(ctx context.Context, d Caller, c tools.Call, q *tools.Question) (*mcp.CallToolResult, error) {
	if server.IsModernRequest(ctx) {
		return server.NewInputRequestBuilder(q.State).Elicit(confirmID, form(q)).ToolResult(), nil
	}
	asking, cancel := context.WithTimeout(ctx, s.o.AskWait)
	defer cancel()
	said, err := s.mcp.RequestElicitation(asking, mcp.ElicitationRequest{
		Request: mcp.Request{Method: string(mcp.MethodElicitationCreate)}, Params: form(q),
	})
	switch {
	case ctx.Err() != nil:
		return nil, approvals.Refuse(approvals.KindNoAnswer, err, "the call was cancelled while the person was asked; nothing was made")
	case errors.Is(asking.Err(), context.DeadlineExceeded):
		return nil, approvals.Refuse(approvals.KindNoAnswer, err, "the person did not answer within %v, so nothing was made; call again when they are there", s.o.AskWait)
	case err != nil:
		return nil, approvals.Refuse(approvals.KindNoAnswer, err, "the client could not ask its person, so nothing was made; call again, or ask in Slack")
	}
	c.Answer = &tools.Answer{State: q.State, Yes: saidYes(said)}
	out, err := d.Call(ctx, c)
	if err != nil {
		return nil, err
	}
	return result(out), nil
}

// result is a tool's answer in the protocol's words.
func result(out tools.Result) *mcp.CallToolResult {
	return mcp.NewToolResultStructured(out.Output, brief(out.Text))
}
