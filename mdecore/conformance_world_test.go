package mdecore_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/require"

	optable "github.com/mde-ops/mde-ops/mdecore/operations"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// world is a simulated tenant in which, for every permission of the table, there is an application and a person with that one
// alone, and for every operation an application and a person with all but those that let it pass.
type world struct {
	tenant *mdesim.Tenant
	server *mdesim.Server
	client *http.Client
	count  atomic.Int64

	mu     sync.Mutex
	now    time.Time
	tokens map[string]string
}

// caller is who a request is sent by: an application, or a person when delegated.
type caller struct {
	name      string
	delegated bool
	// permission is what the caller has, where it has one.
	permission string
}

const (
	everyApp  = "everything"
	worldPass = "simulated-pass"
)

func onlyWith(permission string, delegated bool) caller {
	return caller{name: "only-" + permission, delegated: delegated, permission: permission}
}

func without(row optable.Operation, delegated bool) caller {
	return caller{name: "without-" + row.ID, delegated: delegated}
}

func (c caller) upn() string { return strings.ToLower(c.name) + "@contoso.com" }

// permissionsOfTable are all names that some operation takes.
func permissionsOfTable(of func(optable.Operation) []string) []string {
	var all []string
	for _, row := range optable.All() {
		all = append(all, of(row)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func except(all, some []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(some, s) })
}

func appsOfTable() []mdesim.App {
	all := permissionsOfTable(optable.Operation.RoleNames)
	apps := []mdesim.App{{ID: everyApp, Name: everyApp, Secret: worldPass, Roles: all}}
	add := func(c caller, roles []string) {
		apps = append(apps, mdesim.App{ID: c.name, Name: c.name, Secret: worldPass, Roles: roles})
	}
	for _, role := range all {
		add(onlyWith(role, false), []string{role})
	}
	for _, row := range optable.All() {
		add(without(row, false), except(all, row.RoleNames()))
	}
	return apps
}

func peopleOfTable() []mdesim.User {
	all := permissionsOfTable(optable.Operation.DelegatedNames)
	var people []mdesim.User
	add := func(c caller, scopes []string) {
		people = append(people, mdesim.User{UPN: c.upn(), Name: c.name, OID: c.name, Scopes: scopes})
	}
	for _, scope := range all {
		add(onlyWith(scope, true), []string{scope})
	}
	for _, row := range optable.All() {
		add(without(row, true), except(all, row.DelegatedNames()))
	}
	return people
}

// newWorld starts a tenant whose time stands still.
func newWorld(t *testing.T, change func(*mdesim.Tenant)) *world {
	t.Helper()
	w := &world{now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC), tokens: map[string]string{}}
	w.tenant = &mdesim.Tenant{
		Clock: w.time, Apps: appsOfTable(), Users: peopleOfTable(), TokenLife: 1000 * time.Hour, Devices: 60, ActionPending: -1, ActionRunning: -1,
	}
	if change != nil {
		change(w.tenant)
	}
	server, err := w.tenant.Start()
	require.NoError(t, err)
	w.server, w.client = server, server.Client()
	t.Cleanup(func() {
		w.client.CloseIdleConnections()
		require.NoError(t, server.Close())
	})
	return w
}

func (w *world) time() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func rowOf(t *testing.T, id string) optable.Operation {
	t.Helper()
	all := optable.All()
	i := slices.IndexFunc(all, func(o optable.Operation) bool { return o.ID == id })
	require.GreaterOrEqual(t, i, 0, "the table has no operation %s", id)
	return all[i]
}

// token is a token of the caller for the API that the operation belongs to.
func (w *world) token(t *testing.T, by caller, graph bool) string {
	t.Helper()
	scope := "https://api.securitycenter.microsoft.com/.default"
	if graph {
		scope = "https://graph.microsoft.com/.default"
	}
	key := fmt.Sprint(by.name, by.delegated, graph)
	w.mu.Lock()
	known, ok := w.tokens[key]
	w.mu.Unlock()
	if ok {
		return known
	}
	cred := w.server.AppCredential(by.name, worldPass)
	if by.delegated {
		cred = w.server.UserCredential(by.upn())
	}
	got, err := cred.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{scope}})
	require.NoError(t, err)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tokens[key] = got.Token
	return got.Token
}

// request is a raw request of an operation.
type request struct {
	params map[string]string // of the path
	query  url.Values
	body   map[string]any // JSON
	raw    []byte         // instead of body
	kind   string         // content type, JSON when empty
}

// with is the request with another body.
func (r request) with(body map[string]any) request {
	r.body, r.raw = body, nil
	return r
}

// path fills the placeholders of a path.
func (r request) path(t *testing.T, template string) string {
	t.Helper()
	for name, value := range r.params {
		require.Contains(t, template, "{"+name+"}")
		template = strings.ReplaceAll(template, "{"+name+"}", strings.ReplaceAll(url.PathEscape(value), "%27", "'"))
	}
	require.NotContains(t, template, "{", "the fixture must give every parameter of the path a value")
	if len(r.query) > 0 {
		template += "?" + r.query.Encode()
	}
	return template
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	raw    []byte
	body   map[string]any
}

// send sends a request of an operation.
func (w *world) send(t *testing.T, row optable.Operation, r request, by caller) reply {
	t.Helper()
	return w.do(t, row.Method, r.path(t, row.Path), r, w.token(t, by, row.Graph))
}

func (w *world) do(t *testing.T, method, target string, r request, token string) reply {
	t.Helper()
	body := r.raw
	if body == nil && r.body != nil {
		var err error
		body, err = json.Marshal(r.body)
		require.NoError(t, err)
	}
	if !strings.HasPrefix(target, "https://") {
		target = w.server.URL + target
	}
	req, err := http.NewRequestWithContext(t.Context(), method, target, bytes.NewReader(body))
	require.NoError(t, err)
	kind := r.kind
	if kind == "" {
		kind = "application/json"
	}
	req.Header.Set("Content-Type", kind)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := w.client.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	a := reply{status: resp.StatusCode, header: resp.Header}
	a.raw, err = io.ReadAll(resp.Body)
	require.NoError(t, err)
	if len(a.raw) > 0 {
		require.NoError(t, json.Unmarshal(a.raw, &a.body), "%s", a.raw)
	}
	return a
}

// get reads with every permission.
func (w *world) get(t *testing.T, path string) reply {
	t.Helper()
	a := w.do(t, http.MethodGet, path, request{}, w.token(t, caller{name: everyApp}, strings.HasPrefix(path, "/v1.0/")))
	require.Equal(t, http.StatusOK, a.status, "%s", a.raw)
	return a
}

// first is a property of the first item of a list.
func (w *world) first(t *testing.T, path, name string) string {
	t.Helper()
	items := w.get(t, path).items(t)
	require.NotEmpty(t, items, "%s lists nothing", path)
	require.IsType(t, "", items[0][name], path)
	return items[0][name].(string)
}

// items are the items of a list; a list in a list counts as one.
func (a reply) items(t *testing.T) []map[string]any {
	t.Helper()
	values, ok := a.body["value"].([]any)
	require.True(t, ok, "there is no list in %s", a.raw)
	var out []map[string]any
	for _, v := range values {
		item, ok := v.(map[string]any)
		require.True(t, ok)
		if inner, nested := item["value"].([]any); nested && len(item) == 1 {
			for _, v := range inner {
				out = append(out, v.(map[string]any))
			}
			continue
		}
		out = append(out, item)
	}
	return out
}

// device is a new device that can do everything.
func (w *world) device() mdesim.Machine {
	n := w.count.Add(1)
	return w.tenant.AddDevice(mdesim.Machine{
		ComputerDNSName: fmt.Sprintf("new%d.contoso.com", n), FirstSeen: w.time().AddDate(0, -1, 0), LastSeen: w.time().Add(-time.Hour),
		OSPlatform: "Windows11", Version: "23H2", HealthStatus: "Active", OnboardingStatus: "onboarded", DeviceValue: "Normal",
		RBACGroupID: 140, RBACGroupName: "The-A-Team", RiskScore: "None", ExposureLevel: "Low",
	})
}

// changes is what a refused request must leave as it was.
func (w *world) changes() []any {
	return []any{w.tenant.Effects(), w.tenant.Actions(), w.tenant.Indicators()}
}

// form writes a multipart body.
func form(t *testing.T, fileField, fileName string) request {
	t.Helper()
	var body bytes.Buffer
	out := multipart.NewWriter(&body)
	if fileField != "" {
		part, err := out.CreateFormFile(fileField, fileName)
		require.NoError(t, err)
		_, err = part.Write([]byte("Write-Output done\n"))
		require.NoError(t, err)
	}
	require.NoError(t, out.WriteField("Description", "a script"))
	require.NoError(t, out.Close())
	return request{raw: body.Bytes(), kind: out.FormDataContentType()}
}
