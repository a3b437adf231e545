package mdesim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

const scope = "https://api.securitycenter.microsoft.com/.default"

// epoch is the time that tests with a clock begin at.
func epoch() time.Time { return time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC) }

// clock is a time that tests move by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: epoch()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// rig is a tenant that is served, and a signed-in client of it.
type rig struct {
	*mdesim.Tenant
	t      *testing.T
	server *mdesim.Server
	client *http.Client
	token  string
}

func serve(t *testing.T, tenant *mdesim.Tenant) *rig {
	t.Helper()
	server, err := tenant.Start()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	r := &rig{Tenant: tenant, t: t, server: server, client: server.Client()}
	t.Cleanup(r.client.CloseIdleConnections)
	r.token = tokenOf(t, server.AppCredential(mdesim.DefaultAppID, mdesim.DefaultAppSecret))
	return r
}

func tokenOf(t *testing.T, cred azcore.TokenCredential) string {
	t.Helper()
	tok, err := cred.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{scope}})
	require.NoError(t, err)
	return tok.Token
}

// unwired is the rig with a client that calls the tenant without a network, for tests whose many or large requests would
// keep TLS busy and nothing else.
func (r *rig) unwired() *rig {
	near := *r
	near.client = &http.Client{Transport: direct{r.Tenant}}
	return &near
}

// direct answers a request without a network.
type direct struct{ http.Handler }

func (d direct) RoundTrip(req *http.Request) (*http.Response, error) {
	arriving := req.Clone(req.Context())
	arriving.Host, arriving.RequestURI = req.URL.Host, req.URL.RequestURI()
	if arriving.Body == nil {
		arriving.Body = http.NoBody
	}
	defer func() { _ = arriving.Body.Close() }()
	w := httptest.NewRecorder()
	d.ServeHTTP(w, arriving)
	return w.Result(), nil
}

// answer is what came back of a request.
type answer struct {
	status int
	header http.Header
	raw    []byte
	body   map[string]any
}

func (a answer) code() string {
	e, _ := a.body["error"].(map[string]any)
	s, _ := e["code"].(string)
	return s
}

func (a answer) message() string {
	e, _ := a.body["error"].(map[string]any)
	s, _ := e["message"].(string)
	return s
}

func (a answer) str(key string) string {
	s, _ := a.body[key].(string)
	return s
}

func (a answer) values() []map[string]any {
	list, _ := a.body["value"].([]any)
	out := make([]map[string]any, 0, len(list))
	for _, v := range list {
		out = append(out, v.(map[string]any))
	}
	return out
}

func (a answer) names() []string {
	var out []string
	for _, v := range a.values() {
		out = append(out, v["computerDnsName"].(string))
	}
	return out
}

// send makes a request and fails the test when no answer comes.
func (r *rig) send(method, target, body string) answer {
	r.t.Helper()
	a, err := r.try(method, target, body)
	require.NoError(r.t, err)
	return a
}

// try makes a request whose connection may break.
func (r *rig) try(method, target, body string) (answer, error) {
	if !strings.HasPrefix(target, "https://") {
		target = r.server.URL + target
	}
	req, err := http.NewRequestWithContext(r.t.Context(), method, target, bytes.NewReader([]byte(body)))
	if err != nil {
		return answer{}, err
	}
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: resp.StatusCode, header: resp.Header, raw: raw}
	_ = json.Unmarshal(raw, &a.body) // a spoiled body stays nil
	return a, nil
}

func (r *rig) get(target string) answer { r.t.Helper(); return r.send(http.MethodGet, target, "") }

func (r *rig) filter(list, filter string) answer {
	r.t.Helper()
	return r.get("/api/" + list + "?$filter=" + url.QueryEscape(filter))
}

func (r *rig) isolate(id string) answer {
	r.t.Helper()
	return r.send(http.MethodPost, "/api/machines/"+id+"/isolate", `{"Comment":"C2 beacon","IsolationType":"Full"}`)
}

func (r *rig) release(id string) answer {
	r.t.Helper()
	return r.send(http.MethodPost, "/api/machines/"+id+"/unisolate", `{"Comment":"clean"}`)
}

// refused asserts a documented error body: status, code, message and a
// correlation id that the header repeats.
func refused(t *testing.T, a answer, status int, code, text string) {
	t.Helper()
	require.Equal(t, status, a.status, string(a.raw))
	require.Equal(t, code, a.code())
	require.Contains(t, a.message(), text)
	target := a.body["error"].(map[string]any)["target"].(string)
	require.Len(t, target, 36)
	require.Equal(t, target, a.header.Get("x-ms-request-id"))
}

func tokenOptions() policy.TokenRequestOptions {
	return policy.TokenRequestOptions{Scopes: []string{scope}}
}
