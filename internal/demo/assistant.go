package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
)

// assistant is an MCP client that talks to the server over HTTP, as an AI assistant's host would.
type assistant struct {
	client *client.Client
	screen *screen
}

// newAssistant connects to the server at url, with a token unless it is empty.
func newAssistant(ctx context.Context, url, token string, s *screen) (*assistant, error) {
	var options []transport.StreamableHTTPCOption
	if token != "" {
		options = append(options, transport.WithHTTPHeaders(map[string]string{"Authorization": "Bearer " + token}))
	}
	c, err := client.NewStreamableHttpClient(url, options...)
	if err != nil {
		return nil, err
	}
	if err := c.Start(ctx); err != nil {
		return nil, err
	}
	req := mcp.InitializeRequest{}
	req.Params.ProtocolVersion = mcp.LATEST_PROTOCOL_VERSION
	req.Params.ClientInfo = mcp.Implementation{Name: "demo-assistant", Version: "1"}
	if _, err := c.Initialize(ctx, req); err != nil {
		return nil, fmt.Errorf("the MCP handshake failed: %w", err)
	}
	return &assistant{client: c, screen: s}, nil
}

func (a *assistant) close() { _ = a.client.Close() }

// answer is what a tool said: its structure, its text and whether it refused.
type answer struct {
	data    map[string]any
	text    string
	refused bool
}

// call calls a tool and prints the call.
func (a *assistant) call(ctx context.Context, tool string, args map[string]any) (answer, error) {
	shown, err := json.Marshal(args)
	if err != nil {
		return answer{}, err
	}
	a.screen.say("assistant", "calls %s %s", tool, shown)
	req := mcp.CallToolRequest{}
	req.Params.Name, req.Params.Arguments = tool, args
	res, err := a.client.CallTool(ctx, req)
	if err != nil {
		return answer{}, fmt.Errorf("%s: %w", tool, err)
	}
	ans := answer{refused: res.IsError, text: text(res)}
	if res.StructuredContent != nil {
		raw, err := json.Marshal(res.StructuredContent)
		if err != nil {
			return answer{}, err
		}
		if err := json.Unmarshal(raw, &ans.data); err != nil {
			return answer{}, fmt.Errorf("%s: the structured result is no object: %w", tool, err)
		}
	}
	return ans, nil
}

func text(res *mcp.CallToolResult) string {
	var parts []string
	for _, c := range res.Content {
		if t, ok := c.(mcp.TextContent); ok {
			parts = append(parts, t.Text)
		}
	}
	return strings.Join(parts, "\n")
}

// str is a string of the structure, and an error when it is not there.
func (a answer) str(key string) (string, error) {
	s, ok := a.data[key].(string)
	if !ok || s == "" {
		return "", fmt.Errorf("the answer has no %q: %v", key, a.data)
	}
	return s, nil
}

// must reports a refusal where an answer was expected.
func (a answer) must() error {
	if a.refused {
		return errors.New("refused: " + a.text)
	}
	return nil
}
