package mcpserver

import (
	"context"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"slices"
	"testing"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/tools"
	"github.com/mde-ops/mde-ops/tools/toolstest"
)

// The library keeps one stdio session per process, so no test here runs in parallel with another.

// world is a server over real tools in a simulated tenant.
type world struct {
	*toolstest.House
	server *Server
	agents chan string // what clients called themselves, at each call
}

func open(t *testing.T, change ...func(*Options)) *world {
	t.Helper()
	w := &world{House: toolstest.Open(t, toolstest.Options{NewID: func() string { return "REQ00001" }}), agents: make(chan string, 100)}
	d, err := tools.NewDispatcher(tools.Options{Reader: w.Reader, Gate: w.Gate, Evidence: w.Evidence, Tenant: mdesim.DefaultTenantID, Cloud: "simulated", Clock: w.Clock.Now})
	require.NoError(t, err)
	o := Options{Tools: catalogue(t), Dispatcher: Ready(d), Requester: w.requester, Version: "test"}
	for _, c := range change {
		c(&o)
	}
	w.server, err = New(o)
	require.NoError(t, err)
	return w
}

func (w *world) requester(_ context.Context, agent string) approvals.Requester {
	select {
	case w.agents <- agent:
	default:
	}
	r := toolstest.Alice()
	r.Agent = agent
	return r
}

func catalogue(t testing.TB) []tools.Tool {
	t.Helper()
	all, err := tools.Catalogue()
	require.NoError(t, err)
	return all
}

// connection is one way for a client to reach a server.
type connection struct {
	name    string
	version string
	connect func(t *testing.T, s *Server, more ...client.ClientOption) *client.Client
}

// connections are every transport in both eras.
func connections() []connection {
	var all []connection
	for _, era := range []struct {
		name, version string
		options       []client.ClientOption
	}{
		{"legacy", "2025-11-25", []client.ClientOption{client.WithProtocolVersion("2025-11-25")}},
		{"modern", "2026-07-28", nil},
	} {
		all = append(all,
			connection{"in process " + era.name, era.version, func(t *testing.T, s *Server, more ...client.ClientOption) *client.Client {
				c, err := client.NewInProcessClientWithOptions(s.mcp, slices.Concat(era.options, more)...)
				require.NoError(t, err)
				return start(t, c)
			}},
			connection{"http " + era.name, era.version, func(t *testing.T, s *Server, more ...client.ClientOption) *client.Client {
				srv := httptest.NewServer(s.Handler())
				t.Cleanup(srv.Close)
				tr, err := transport.NewStreamableHTTP(srv.URL + "/mcp")
				require.NoError(t, err)
				return start(t, client.NewClient(tr, slices.Concat(era.options, more)...))
			}},
			connection{"stdio " + era.name, era.version, func(t *testing.T, s *Server, more ...client.ClientOption) *client.Client {
				return start(t, client.NewClient(pipes(t, s), slices.Concat(era.options, more)...))
			}},
		)
	}
	return all
}

// pipes serves s over two pipes, and ends it with the test.
func pipes(t *testing.T, s *Server) transport.Interface {
	t.Helper()
	in, toServer := io.Pipe()
	fromServer, out := io.Pipe()
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		done <- s.Serve(ctx, in, out)
		_ = out.Close()
	}()
	t.Cleanup(func() {
		cancel()
		_ = toServer.Close()
		require.NoError(t, <-done)
	})
	return transport.NewIO(fromServer, toServer, io.NopCloser(&emptyReader{}))
}

type emptyReader struct{}

func (*emptyReader) Read([]byte) (int, error) { return 0, io.EOF }

func start(t *testing.T, c *client.Client) *client.Client {
	t.Helper()
	require.NoError(t, c.Start(t.Context()))
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// greet makes the handshake, or the discovery, of the client's era.
func greet(t *testing.T, c *client.Client) *mcp.InitializeResult {
	t.Helper()
	var req mcp.InitializeRequest
	req.Params.ProtocolVersion = mcp.LATEST_PROTOCOL_VERSION
	req.Params.ClientInfo = mcp.Implementation{Name: "test assistant", Version: "1"}
	res, err := c.Initialize(t.Context(), req)
	require.NoError(t, err)
	return res
}

func call(t *testing.T, c *client.Client, tool string, args any) *mcp.CallToolResult {
	t.Helper()
	var req mcp.CallToolRequest
	req.Params.Name, req.Params.Arguments = tool, args
	res, err := c.CallTool(t.Context(), req)
	require.NoError(t, err)
	return res
}

func text(t *testing.T, res *mcp.CallToolResult) string {
	t.Helper()
	require.Len(t, res.Content, 1)
	content, ok := res.Content[0].(mcp.TextContent)
	require.True(t, ok)
	return content.Text
}

// silence keeps a test's log out of its output unless it is asked for.
func silence() *slog.Logger {
	if testing.Verbose() {
		return slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return slog.New(slog.DiscardHandler)
}
