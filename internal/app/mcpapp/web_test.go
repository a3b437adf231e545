package mcpapp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/app"
	"github.com/mde-ops/mde-ops/internal/app/mcpapp"
	"github.com/mde-ops/mde-ops/internal/simtenant"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// service is the server behind HTTP, whose callers sign in with a simulated tenant.
type service struct {
	sim *simtenant.Running
	app *mcpapp.App
	url string
	log *words
}

// words is a log that can be looked into.
type words struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// roles are what people of the tests were assigned.
func roles() map[string][]string {
	return map[string][]string{
		"alice@contoso.com": {"Responder", "Lead"}, "bob@contoso.com": {"Reader"}, mdesim.DefaultReaderID: {"Reader"},
	}
}

func serve(t *testing.T, settings ...string) *service {
	t.Helper()
	s := &service{log: new(words)}
	tenant := &mdesim.Tenant{Devices: 5}
	tenant.SetWebAPI(mdesim.WebAPI{AppID: mdesim.DefaultWebAPIID, Scope: mdesim.DefaultWebAPIScope, Roles: roles()})
	var err error
	s.sim, err = simtenant.Start(tenant, "")
	require.NoError(t, err)
	t.Cleanup(s.sim.Close)
	cfg, err := app.Load(t.Context(), append(append(s.sim.Environ(), "MDE_STORE=sqlite:"+filepath.Join(t.TempDir(), "gate.db"), "MDE_HTTP=127.0.0.1:0",
		"MDE_HTTP_AUDIENCE=api://"+mdesim.DefaultWebAPIID, "MDE_APPROVER_GROUP=S0ONCALL"), settings...), false)
	require.NoError(t, err)
	require.NoError(t, cfg.CheckServe())
	log := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.app, err = mcpapp.Open(t.Context(), cfg, mcpapp.Options{Log: log})
	require.NoError(t, err)
	t.Cleanup(s.app.Close)
	web, err := mcpapp.Ready(s.app).Web(cfg, mcpapp.WebOptions{Version: "test", Log: log})
	require.NoError(t, err)
	srv := httptest.NewServer(web.Handler())
	t.Cleanup(srv.Close)
	s.url = srv.URL + "/mcp"
	return s
}

// token signs somebody in, as their client would.
func (s *service) token(t *testing.T, form url.Values) string {
	t.Helper()
	form.Set("scope", "api://"+mdesim.DefaultWebAPIID+"/.default")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.sim.Server.URL+"/"+mdesim.DefaultTenantID+"/oauth2/v2.0/token", strings.NewReader(form.Encode()))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := s.sim.Server.Client().Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		Token string `json:"access_token"`
	}
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&answer))
	require.NotEmpty(t, answer.Token)
	return answer.Token
}

func (s *service) person(t *testing.T, name string) string {
	t.Helper()
	return s.token(t, url.Values{
		"grant_type": {"password"}, "client_id": {mdesim.AzureCLIAppID}, "username": {name + "@contoso.com"}, "password": {mdesim.DefaultUserPassword},
	})
}

func (s *service) agent(t *testing.T) string {
	t.Helper()
	return s.token(t, url.Values{"grant_type": {"client_credentials"}, "client_id": {mdesim.DefaultReaderID}, "client_secret": {mdesim.DefaultReaderSecret}})
}

// eras are the protocol's versions that stand for both.
func eras() []string { return []string{"2025-11-25", "2026-07-28"} }

// connect is a client of a version with a token, after its handshake.
func (s *service) connect(t *testing.T, token, version string) *client.Client {
	t.Helper()
	var era []client.ClientOption
	if version == "2025-11-25" {
		era = append(era, client.WithProtocolVersion(version))
	}
	tr, err := transport.NewStreamableHTTP(s.url, transport.WithHTTPHeaders(map[string]string{"Authorization": "Bearer " + token}))
	require.NoError(t, err)
	c := client.NewClient(tr, era...)
	require.NoError(t, c.Start(t.Context()))
	t.Cleanup(func() { _ = c.Close() })
	var req mcp.InitializeRequest
	req.Params.ProtocolVersion = mcp.LATEST_PROTOCOL_VERSION
	req.Params.ClientInfo = mcp.Implementation{Name: "test assistant", Version: "1"}
	res, err := c.Initialize(t.Context(), req)
	require.NoError(t, err)
	require.Equal(t, version, res.ProtocolVersion)
	return c
}

func call(t *testing.T, c *client.Client, tool string, args map[string]any) (map[string]any, *mcp.CallToolResult) {
	t.Helper()
	var req mcp.CallToolRequest
	req.Params.Name, req.Params.Arguments = tool, args
	res, err := c.CallTool(t.Context(), req)
	require.NoError(t, err)
	data, _ := res.StructuredContent.(map[string]any)
	return data, res
}

// identity is who whoami says is calling.
func identity(t *testing.T, out map[string]any) map[string]any {
	t.Helper()
	id, ok := out["identity"].(map[string]any)
	require.True(t, ok, out)
	return id
}

// raw sends one request as it is.
func (s *service) raw(t *testing.T, method, address, body string, headers ...string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if req.Header.Add(name, value); name == "Host" {
			req.Host = value
		}
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

const ping = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"raw","version":"1"}}}`

func TestEachCallIsThatOfWhomTheTokenProves(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, version := range eras() {
		for _, who := range []string{"alice", "bob"} {
			c := s.connect(t, s.person(t, who), version)
			out, res := call(t, c, "whoami", nil)
			require.False(t, res.IsError, res.Content)
			require.Equal(t, who+"@contoso.com", identity(t, out)["id"])
			require.Equal(t, true, identity(t, out)["verified"])
		}
		c := s.connect(t, s.person(t, "alice"), version)
		out, res := call(t, c, "isolate_devices", map[string]any{"devices": []string{"host01"}, "reason": "beaconing " + version, "dry_run": false})
		require.False(t, res.IsError, res.Content)
		r, err := s.app.Gate.Get(t.Context(), fmt.Sprint(out["request_id"]))
		require.NoError(t, err)
		require.Equal(t, "alice@contoso.com", r.Requester.ID)
		require.True(t, r.Requester.Verified)
		require.Equal(t, []string{"entra:a11ce000-0000-4000-8000-000000000001"}, r.Requester.Aliases)
		require.Equal(t, "test assistant", r.Requester.Agent)
	}
	require.NotContains(t, s.log.String(), "eyJ", "no token is in a log")
}

func TestWithoutATokenNothingIsSaid(t *testing.T) {
	t.Parallel()
	s := serve(t)
	resp := s.raw(t, http.MethodPost, s.url, ping)
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	where := strings.Split(resp.Header.Get("WWW-Authenticate"), `"`)[1]
	about := s.raw(t, http.MethodGet, where, "")
	require.Equal(t, http.StatusOK, about.StatusCode)
	var metadata struct {
		Resource string   `json:"resource"`
		Servers  []string `json:"authorization_servers"`
	}
	require.NoError(t, json.NewDecoder(about.Body).Decode(&metadata))
	require.Equal(t, s.url, metadata.Resource)
	require.Equal(t, []string{s.sim.Server.URL + "/" + mdesim.DefaultTenantID + "/v2.0"}, metadata.Servers)
	require.Equal(t, http.StatusOK, s.raw(t, http.MethodGet, strings.Replace(where, "/mcp", "", 1), "").StatusCode)
	for _, probe := range []string{"/healthz", "/readyz"} {
		resp := s.raw(t, http.MethodGet, strings.Replace(s.url, "/mcp", probe, 1), "", "Host: 10.0.0.7")
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, "ok\n", string(body))
	}
	require.Equal(t, http.StatusBadRequest, s.raw(t, http.MethodPost, s.url+"?access_token="+s.person(t, "alice"), ping).StatusCode)
	require.Equal(t, http.StatusNotFound, s.raw(t, http.MethodGet, strings.Replace(s.url, "/mcp", "/", 1), "").StatusCode)
}

// A token of the reading application for the Defender API itself must not open this server.
func TestATokenForTheTenantsAPIIsNotForThisServer(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, token := range []string{s.agent(t), "x"} {
		resp := s.raw(t, http.MethodPost, s.url, ping, "Authorization: Bearer "+token)
		require.Contains(t, []int{401, 403}, resp.StatusCode)
	}
	graph, err := s.sim.Tenant.SignToken(map[string]any{"aud": "https://api.securitycenter.microsoft.com", "exp": time.Now().Add(time.Hour).Unix()})
	require.NoError(t, err)
	require.Equal(t, 401, s.raw(t, http.MethodPost, s.url, ping, "Authorization: Bearer "+graph).StatusCode)
}

func TestRolesGiveTools(t *testing.T) {
	t.Parallel()
	s := serve(t, "MDE_HTTP_ROLES=Responder=response;Lead=requests;Reader=devices", "MDE_HTTP_APPS="+mdesim.DefaultReaderID+"=carol@contoso.com")
	names := func(c *client.Client) map[string]bool {
		list, err := c.ListTools(t.Context(), mcp.ListToolsRequest{})
		require.NoError(t, err)
		all := map[string]bool{}
		for _, tool := range list.Tools {
			all[tool.Name] = true
		}
		return all
	}
	for _, version := range eras() {
		alice, bob := s.connect(t, s.person(t, "alice"), version), s.connect(t, s.person(t, "bob"), version)
		require.True(t, names(alice)["isolate_devices"])
		require.True(t, names(alice)["list_requests"], "roles add up")
		require.False(t, names(alice)["get_device"])
		require.True(t, names(bob)["get_device"])
		require.False(t, names(bob)["isolate_devices"])
		var req mcp.CallToolRequest
		req.Params.Name, req.Params.Arguments = "isolate_devices", map[string]any{"devices": []string{"host01"}, "reason": "I know its name"}
		res, err := bob.CallTool(t.Context(), req)
		require.True(t, err != nil || res.IsError, "what is not offered is not run")
		agent := s.connect(t, s.agent(t), version)
		require.True(t, names(agent)["get_device"])
	}
	resp := s.raw(t, http.MethodPost, s.url, ping, "Authorization: Bearer "+s.person(t, "rita"))
	require.Equal(t, http.StatusForbidden, resp.StatusCode, "who has no role gets nothing")
	require.Zero(t, s.sim.Tenant.Writes())
}

func TestAnApplicationsCallsAreThoseOfWhoAnswersForIt(t *testing.T) {
	t.Parallel()
	s := serve(t, "MDE_HTTP_APPS="+mdesim.DefaultReaderID+"=Carol@contoso.com")
	out, _ := call(t, s.connect(t, s.agent(t), eras()[1]), "whoami", nil)
	require.Equal(t, "carol@contoso.com", identity(t, out)["id"])
	require.Equal(t, false, identity(t, out)["verified"], "nobody signed in")
}

func TestASessionIsOnlyItsOwners(t *testing.T) {
	t.Parallel()
	s := serve(t)
	alice, bob := "Authorization: Bearer "+s.person(t, "alice"), "Authorization: Bearer "+s.person(t, "bob")
	begun := s.raw(t, http.MethodPost, s.url, ping, alice)
	require.Equal(t, http.StatusOK, begun.StatusCode)
	session := "Mcp-Session-Id: " + begun.Header.Get("Mcp-Session-Id")
	list := `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`
	for _, c := range []struct{ method, body string }{
		{http.MethodPost, list},
		{http.MethodPost, `{"jsonrpc":"2.0","id":7,"result":{"action":"accept"}}`},
		{http.MethodGet, ""},
		{http.MethodDelete, ""},
	} {
		require.Equal(t, http.StatusNotFound, s.raw(t, c.method, s.url, c.body, bob, session).StatusCode, c.method)
		require.Equal(t, http.StatusNotFound, s.raw(t, c.method, s.url, c.body, alice, "Mcp-Session-Id: mcp-session-mine").StatusCode, c.method)
	}
	require.Equal(t, http.StatusNotFound, s.raw(t, http.MethodGet, s.url, "", bob).StatusCode, "nor does a stream make one")
	require.Equal(t, http.StatusOK, s.raw(t, http.MethodPost, s.url, list, alice, session).StatusCode)
	require.Equal(t, http.StatusOK, s.raw(t, http.MethodDelete, s.url, "", alice, session).StatusCode)
	require.Equal(t, http.StatusNotFound, s.raw(t, http.MethodPost, s.url, list, alice, session).StatusCode)
}

func TestEachPersonHasLimitsOfTheirOwn(t *testing.T) {
	t.Parallel()
	s := serve(t, "MDE_HTTP_PER_MINUTE=3")
	alice, bob := "Authorization: Bearer "+s.person(t, "alice"), "Authorization: Bearer "+s.person(t, "bob")
	for range 3 {
		require.Equal(t, http.StatusOK, s.raw(t, http.MethodPost, s.url, ping, alice).StatusCode)
	}
	resp := s.raw(t, http.MethodPost, s.url, ping, alice)
	require.Equal(t, http.StatusTooManyRequests, resp.StatusCode)
	require.Regexp(t, `^[1-9][0-9]?$`, resp.Header.Get("Retry-After"))
	require.Equal(t, http.StatusOK, s.raw(t, http.MethodPost, s.url, ping, bob).StatusCode)
}
