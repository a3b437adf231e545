package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
)

// sent reports whether every step of a request has reached the tenant, or never will.
func sent(r approvals.Request) bool {
	if r.State.Terminal() {
		return true
	}
	for _, s := range r.Steps {
		if s.State == approvals.StepWaiting || s.State == approvals.StepSending {
			return false
		}
	}
	return r.State == approvals.Running
}

// serve keeps the house up for somebody's own MCP client, and gives them the workspace in this terminal to approve in.
func serve(ctx context.Context, h *house, o Options) error {
	fmt.Fprintf(o.Out, `
Everything stays up until you press Ctrl-C. Point an MCP client at it:

  Streamable HTTP:  %s
  Claude Code:      claude mcp add --transport http mde-demo %s
  stdio:            env %s MDE_USER=alice@contoso.com mde-mcp
                    (go build -o bin/ ./cmd/mde-mcp makes it; a person who is only configured needs a second approver,
                    so press Approve as bob and as carol there)

The clock here is %v ahead of this machine's, because the story sent it ahead.

`, h.url, h.url, strings.Join(h.environ, " \\\n                        "), time.Until(h.clock.Now()).Round(time.Second))
	if h.signIn {
		fmt.Fprintf(o.Out, "Clients must sign in here. In a shell, for Claude Code:\n\n%s\n\n", h.sim.SignIn("alice@contoso.com", h.url))
	}
	t := newTerminal(h, o)
	t.intro("bob")
	t.seen() // what the story has shown already
	return t.loop(ctx, false)
}
