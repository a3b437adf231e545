package demo

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// Guests are clients that other people wrote: the official SDKs for Go and, in both major versions, for TypeScript. Those
// for TypeScript need Node and packages; `make clients` brings them.

// nodeEnv names a folder with the packages of internal/interop installed, and node in PATH.
const nodeEnv = "MDE_TEST_NODE"

// said is what a guest got for a call. Asked counts the questions to its person until then.
type said struct {
	Refused bool           `json:"refused"`
	Text    string         `json:"text"`
	Data    map[string]any `json:"data"`
	Asked   int            `json:"asked"`
	Error   string         `json:"error"`
	Names   []string       `json:"names"`
	Version string         `json:"version"`
}

// guest is a connected client.
type guest interface {
	version(t *testing.T) string
	tools(t *testing.T) []string
	call(t *testing.T, tool string, args map[string]any) said
}

// door is where a guest finds a server and what its person says to questions: accept or decline; none is a client that
// can't ask.
type door struct {
	URL     string            `json:"url,omitempty"`
	Command string            `json:"command,omitempty"`
	Env     map[string]string `json:"env,omitempty"`
	Elicit  string            `json:"elicit"`
	Era     string            `json:"era,omitempty"`
}

// guests are the clients by name.
func guests() map[string]func(*testing.T, door) guest {
	node := func(script, era string) func(*testing.T, door) guest {
		return func(t *testing.T, d door) guest {
			d.Era = era
			return nodeGuest(t, script, d)
		}
	}
	return map[string]func(*testing.T, door) guest{
		"go-sdk": goGuest, "typescript-v1": node("guest_v1.mjs", ""),
		"typescript-v2-legacy": node("guest_v2.mjs", "legacy"), "typescript-v2": node("guest_v2.mjs", "auto"),
	}
}

// goSDK is a guest of the official SDK for Go.
type goSDK struct {
	session *mcp.ClientSession
	asked   int
}

func goGuest(t *testing.T, d door) guest {
	t.Helper()
	g := new(goSDK)
	var o mcp.ClientOptions
	if d.Elicit != "none" {
		o.ElicitationHandler = func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			g.asked++
			return &mcp.ElicitResult{Action: d.Elicit, Content: map[string]any{"confirm": d.Elicit == "accept"}}, nil
		}
	}
	var way mcp.Transport = &mcp.StreamableClientTransport{Endpoint: d.URL}
	if d.Command != "" {
		cmd := exec.CommandContext(t.Context(), d.Command)
		for k, v := range d.Env {
			cmd.Env = append(cmd.Env, k+"="+v)
		}
		way = &mcp.CommandTransport{Command: cmd}
	}
	var err error
	g.session, err = mcp.NewClient(&mcp.Implementation{Name: "guest-go", Version: "1"}, &o).Connect(t.Context(), way, nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = g.session.Close() })
	return g
}

func (g *goSDK) version(*testing.T) string { return g.session.InitializeResult().ProtocolVersion }

func (g *goSDK) tools(t *testing.T) (names []string) {
	t.Helper()
	list, err := g.session.ListTools(t.Context(), nil)
	require.NoError(t, err)
	for _, tool := range list.Tools {
		names = append(names, tool.Name)
	}
	return names
}

func (g *goSDK) call(t *testing.T, tool string, args map[string]any) said {
	t.Helper()
	res, err := g.session.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: args})
	require.NoError(t, err)
	out := said{Refused: res.IsError, Asked: g.asked}
	out.Data, _ = res.StructuredContent.(map[string]any)
	for _, c := range res.Content {
		if text, ok := c.(*mcp.TextContent); ok {
			out.Text += text.Text
		}
	}
	return out
}

// typeScript is a guest in a Node process, which is told what to do line by line.
type typeScript struct {
	in     io.Writer
	out    *bufio.Reader
	stderr *bytes.Buffer
}

func nodeGuest(t *testing.T, script string, d door) guest {
	t.Helper()
	dir := os.Getenv(nodeEnv)
	if dir == "" {
		t.Skipf("no Node packages (%s): `make clients` installs them and runs this", nodeEnv)
	}
	options, err := json.Marshal(d)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join(dir, "node", script))
	cmd.Env = append(os.Environ(), "GUEST="+string(options))
	g := &typeScript{stderr: new(bytes.Buffer)}
	cmd.Stderr = g.stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	g.in, g.out = in, bufio.NewReader(out)
	return g
}

func (g *typeScript) say(t *testing.T, order map[string]any) (answer said) {
	t.Helper()
	line, err := json.Marshal(order)
	require.NoError(t, err)
	_, err = g.in.Write(append(line, '\n'))
	require.NoError(t, err, "stderr: %s", g.stderr)
	line, err = g.out.ReadBytes('\n')
	require.NoError(t, err, "stderr: %s", g.stderr)
	require.NoError(t, json.Unmarshal(line, &answer), string(line))
	require.Empty(t, answer.Error)
	return answer
}

func (g *typeScript) version(t *testing.T) string {
	t.Helper()
	return g.say(t, map[string]any{"do": "hello"}).Version
}

func (g *typeScript) tools(t *testing.T) []string {
	t.Helper()
	return g.say(t, map[string]any{"do": "tools"}).Names
}

func (g *typeScript) call(t *testing.T, tool string, args map[string]any) said {
	t.Helper()
	return g.say(t, map[string]any{"do": "call", "name": tool, "args": args})
}

// doors are the ways into a house: by HTTP, where the caller is proved and one approver is enough, and a process of its own
// on standard input and output, whose caller is only configured, so that two have to approve.
func doors(t *testing.T, h *house) map[string]door {
	t.Helper()
	program := filepath.Join(t.TempDir(), "mde-mcp")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", program, "github.com/mde-ops/mde-ops/cmd/mde-mcp")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, string(text))
	env := map[string]string{"HOME": t.TempDir(), "MDE_USER": "alice@contoso.com", "MDE_LOG_LEVEL": "ERROR"}
	for _, pair := range h.environ {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	return map[string]door{"http": {URL: h.url, Elicit: "accept"}, "stdio": {Command: program, Env: env, Elicit: "accept"}}
}

// eras are the versions of the protocol that the guests speak. The first TypeScript SDK doesn't say; it knows the older era only.
func eras() map[string]string {
	return map[string]string{"go-sdk": "2026-07-28", "typescript-v1": "", "typescript-v2-legacy": "2025-11-25", "typescript-v2": "2026-07-28"}
}

// The main job by every guest and both ways: read, ask, be approved by other people in Slack, wait, done exactly once.
func TestGuestsGoTheWholeWay(t *testing.T) {
	s := gateStory(t)
	ways, host := doors(t, s.house), 1
	for name, open := range guests() {
		for way, door := range ways {
			host++
			device := fmt.Sprintf("host%02d", host)
			t.Run(name+"/"+way, func(t *testing.T) {
				g := open(t, door)
				require.Equal(t, eras()[name], g.version(t), "a guest speaks the era that it is here for")
				s.wholeWay(t, g, device, way == "stdio")
			})
		}
	}
}

func (s *story) wholeWay(t *testing.T, g guest, device string, two bool) {
	t.Helper()
	require.Subset(t, g.tools(t), []string{"get_device", "isolate_devices", "get_request"})
	read := g.call(t, "get_device", map[string]any{"device": device})
	require.False(t, read.Refused, read.Text)
	require.True(t, g.call(t, "get_device", map[string]any{"device": "no-such-host"}).Refused)

	asked := g.call(t, "isolate_devices", map[string]any{"devices": []string{device}, "reason": "a guest's whole way"})
	require.False(t, asked.Refused, asked.Text)
	require.Equal(t, "pending_approval", asked.Data["status"])
	require.Zero(t, asked.Asked, "who asks is never asked to approve")
	id, _ := asked.Data["request_id"].(string)
	require.Zero(t, s.isolations(device))
	s.approves(t, slacksim.Bob, id)
	if two {
		until(t, "the first vote is counted", func() bool {
			r, err := s.mcp.Gate.Get(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, approvals.Pending, r.State, "one approval is not enough for whom nobody proved")
			return len(r.Votes) == 1
		})
		require.Zero(t, s.isolations(device))
		s.approves(t, slacksim.Carol, id)
	}
	var end said
	for range 10 {
		end = g.call(t, "get_request", map[string]any{"id": id, "wait_seconds": 50})
		require.False(t, end.Refused, end.Text)
		if approvals.State(fmt.Sprint(end.Data["status"])).Terminal() {
			break
		}
	}
	require.Equal(t, "succeeded", end.Data["status"], end.Text)
	require.Equal(t, 1, s.isolations(device))
}

// isolations counts how often the tenant was asked to isolate a device: a second time it would refuse.
func (s *story) isolations(device string) int {
	return s.tenant.Requests()[mdesim.Request{Method: http.MethodPost, Path: "/api/machines/" + s.tenant.Device(device).ID + "/isolate"}]
}

// Where policy wants the requester's own yes, the client asks its person: a yes does it, a no makes nothing, and a client
// that can't ask leaves it to Slack.
func TestGuestsPeopleAreAsked(t *testing.T) {
	s := gateStory(t)
	stdio := doors(t, s.house)["stdio"]
	for name, open := range guests() {
		t.Run(name, func(t *testing.T) {
			// On stdio nobody proved who they are, so that nobody's yes counts and nobody is asked.
			got := open(t, stdio).call(t, "tag_devices", map[string]any{"devices": []string{"host10"}, "add": []string{name}, "reason": "a guest"})
			s.tagged(t, got, "unproved", name)
			for _, person := range []string{"accept", "decline", "none"} {
				t.Run(person, func(t *testing.T) {
					g := open(t, door{URL: s.url, Elicit: person})
					tag := strings.Join([]string{name, person}, "-")
					got := g.call(t, "tag_devices", map[string]any{"devices": []string{"host10"}, "add": []string{tag}, "reason": "a guest"})
					s.tagged(t, got, person, tag)
				})
			}
		})
	}
}

func (s *story) tagged(t *testing.T, got said, person, tag string) {
	t.Helper()
	there := func() bool { return slices.Contains(s.tenant.Device("host10").MachineTags, tag) }
	switch person {
	case "accept":
		require.False(t, got.Refused, got.Text)
		require.Equal(t, 1, got.Asked)
		until(t, "the tag is there", there)
	case "decline":
		require.True(t, got.Refused, got.Text)
		require.Equal(t, 1, got.Asked)
		require.False(t, there())
	default:
		require.False(t, got.Refused, got.Text)
		require.Equal(t, "pending_confirmation", got.Data["status"])
		require.Zero(t, got.Asked)
		require.False(t, there())
	}
}
