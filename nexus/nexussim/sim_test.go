package nexussim_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/simulate"
	"github.com/mde-ops/mde-ops/nexus/nexussim"
)

// clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// caller calls a simulator as an application.
type caller struct {
	t     *testing.T
	azure *nexussim.Azure
	url   string
	http  *http.Client
	clock *clock
	app   string
}

func serve(t *testing.T, a *nexussim.Azure) *caller {
	t.Helper()
	c := &caller{t: t, azure: a, clock: &clock{now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}, app: "reader"}
	a.Clock = c.clock.Now
	server, err := a.Start()
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	c.url, c.http = server.URL, server.Client()
	return c
}

// said is an answer.
type said struct {
	status int
	header http.Header
	body   []byte
}

func (s said) json(t *testing.T) map[string]any {
	t.Helper()
	var v map[string]any
	require.NoError(t, json.Unmarshal(s.body, &v), string(s.body))
	return v
}

// code is the error's code.
func (s said) code(t *testing.T) string {
	t.Helper()
	fault, _ := s.json(t)["error"].(map[string]any)
	code, _ := fault["code"].(string)
	return code
}

const root = "/subscriptions/" + nexussim.DefaultSubscription

func (c *caller) call(method, path, body string, header ...string) said {
	c.t.Helper()
	address := path
	if !strings.HasPrefix(path, "https://") {
		address = c.url + path
	}
	if !strings.Contains(address, "?") {
		address += "?api-version=" + nexussim.Version2607
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, address, strings.NewReader(body))
	require.NoError(c.t, err)
	audience := nexussim.AudienceARM
	if strings.Contains(address, "/storage/") {
		audience = nexussim.AudienceStorage
		req.Header.Set("x-ms-version", "2023-11-03")
	}
	if !strings.Contains(address, "sig=") {
		req.Header.Set("Authorization", "Bearer "+nexussim.Token(c.app, audience, c.clock.Now().Add(time.Hour)))
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := c.http.Do(req)
	require.NoError(c.t, err)
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	require.NoError(c.t, err)
	return said{res.StatusCode, res.Header, raw}
}

func clusterPath(group, name string) string {
	return root + "/resourceGroups/" + group + "/providers/Microsoft.NetworkCloud/clusters/" + name
}

func nodePath(group, name string) string {
	return root + "/resourceGroups/" + group + "/providers/Microsoft.NetworkCloud/bareMetalMachines/" + name
}

const (
	patch   = `{"properties":{"runtimeProtectionConfiguration":{"enforcementLevel":"RealTime"}}}`
	extract = `{"commands":[{"command":"mde-agent-information"}],"limitTimeSeconds":600}`
)

func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	c := serve(t, &nexussim.Azure{Roles: map[string][]string{"reader": {"Microsoft.NetworkCloud/clusters/read"}, "all": {"*"}}})
	path := clusterPath("contoso-cluster-rg", "contoso-cluster")
	require.Equal(t, http.StatusOK, c.call("GET", path, "").status)
	refused := c.call("POST", path+"/scanRuntime", "")
	require.Equal(t, http.StatusForbidden, refused.status)
	require.Equal(t, "AuthorizationFailed", refused.code(t))
	require.Contains(t, string(refused.body), "action 'Microsoft.NetworkCloud/clusters/scanRuntime/action' over scope '"+path+"'")
	require.Empty(t, c.azure.Effects())
	c.app = "all"
	require.Equal(t, http.StatusAccepted, c.call("POST", path+"/scanRuntime", "").status)

	for name, token := range map[string]string{
		"none": "", "no token": "Bearer x", "another audience": "Bearer " + nexussim.Token("all", "https://graph.microsoft.com", c.clock.Now().Add(time.Hour)),
		"an old one": "Bearer " + nexussim.Token("all", nexussim.AudienceARM, c.clock.Now()),
	} {
		got := c.call("GET", path, "", "Authorization", token)
		require.Equal(t, http.StatusUnauthorized, got.status, name)
		require.Contains(t, got.header.Get("WWW-Authenticate"), "invalid_token", name)
	}
}

func TestWhatIsNotThereOrNotTaken(t *testing.T) {
	t.Parallel()
	c := serve(t, &nexussim.Azure{APIVersions: []string{nexussim.Version2509}})
	path := clusterPath("contoso-cluster-rg", "contoso-cluster")
	require.Equal(t, "NoRegisteredProviderFound", c.call("GET", path, "").code(t))
	require.Equal(t, "MissingApiVersionParameter", c.call("GET", path+"?x=1", "").code(t))
	old := "?api-version=" + nexussim.Version2509
	require.NotContains(t, string(c.call("GET", path+old, "").body), "definitionUpdateMode")
	nodes := root + "/resourcegroups/CONTOSO-CLUSTER-MANAGED-RG/providers/microsoft.networkcloud/baremetalmachines"
	body := string(c.call("GET", nodes+old, "").body)
	require.NotContains(t, body, "agentHealthStatus")
	for _, secret := range nexussim.Secrets()[:6] {
		require.Contains(t, body, secret, "a real one sends that too")
	}
	require.Equal(t, "ResourceNotFound", c.call("GET", clusterPath("lab-rg", "contoso-cluster")+old, "").code(t))
	require.Equal(t, "SubscriptionNotFound", c.call("GET", strings.Replace(path, nexussim.DefaultSubscription, "00000000-0000-0000-0000-000000000000", 1)+old, "").code(t))
	require.Equal(t, http.StatusMethodNotAllowed, c.call("DELETE", path+old, "").status)
	require.Equal(t, http.StatusNotFound, c.call("GET", root+"/resourceGroups"+old, "").status)
	require.Equal(t, "ResourceGroupNotFound", c.call("GET", strings.TrimSuffix(nodePath("nowhere-rg", ""), "/")+old, "").code(t))
}

func TestListsComeInPages(t *testing.T) {
	t.Parallel()
	c := serve(t, &nexussim.Azure{PageSize: 2})
	var names []string
	for next := c.url + root + "/providers/Microsoft.NetworkCloud/clusters?api-version=" + nexussim.Version2607; next != ""; {
		page := c.call("GET", next, "").json(t)
		for _, row := range page["value"].([]any) {
			names = append(names, row.(map[string]any)["name"].(string))
		}
		next, _ = page["nextLink"].(string)
	}
	require.Equal(t, []string{"contoso-cluster", "edge-lab", "legacy-site"}, names)
}

func TestALevelChangesWhenItsOperationEnds(t *testing.T) {
	t.Parallel()
	for form, header := range map[nexussim.LongForm]string{nexussim.BothHeaders: "Azure-AsyncOperation", nexussim.LocationOnly: "Location"} {
		c := serve(t, &nexussim.Azure{OperationTime: time.Minute, Form: form})
		path := clusterPath("contoso-cluster-rg", "contoso-cluster")
		etag := c.call("GET", path, "").json(t)["etag"].(string)
		require.Equal(t, http.StatusPreconditionFailed, c.call("PATCH", path, patch, "If-Match", `"another"`).status)
		for _, wrong := range []string{`{}`, `{"tags":{}}`, strings.Replace(patch, "RealTime", "Full", 1), strings.Replace(patch, "}}}", `}},"tags":{}}`, 1)} {
			require.Equal(t, http.StatusBadRequest, c.call("PATCH", path, wrong).status, wrong)
		}
		got := c.call("PATCH", path, patch, "If-Match", etag)
		require.Equal(t, http.StatusAccepted, got.status)
		require.Contains(t, string(got.body), `"provisioningState":"Succeeded"`, "as the published example")
		require.Equal(t, form == nexussim.LocationOnly, got.header.Get("Azure-AsyncOperation") == "")
		require.Equal(t, http.StatusConflict, c.call("PATCH", path, patch).status)
		running := c.call("GET", got.header.Get(header), "")
		require.Equal(t, "InProgress", running.json(t)["status"])
		require.Nil(t, running.json(t)["properties"])
		require.Equal(t, "OnDemand", c.azure.Level("contoso-cluster"))
		c.clock.add(time.Minute)
		require.Equal(t, "Succeeded", c.call("GET", got.header.Get(header), "").json(t)["status"])
		require.Equal(t, "RealTime", c.azure.Level("contoso-cluster"))
		require.NotEqual(t, etag, c.call("GET", path, "").json(t)["etag"])
		require.Len(t, c.azure.Effects(), 1)
		require.Equal(t, etag, c.azure.Effects()[0].IfMatch)
	}
}

func TestAScanIsHandedToTheNodesOneAfterTheOther(t *testing.T) {
	t.Parallel()
	c := serve(t, &nexussim.Azure{OperationTime: time.Minute, ScanTime: 4 * time.Minute})
	path := clusterPath("contoso-cluster-rg", "contoso-cluster")
	state := func() map[string]any {
		states := c.call("GET", path, "").json(t)["properties"].(map[string]any)["actionStates"].([]any)
		return states[0].(map[string]any)
	}
	const ours = "11111111-2222-3333-4444-555555555555"
	require.Equal(t, http.StatusAccepted, c.call("POST", path+"/scanRuntime", `{"scanActivity":"Scan"}`, "x-ms-correlation-request-id", ours).status)
	require.Equal(t, http.StatusConflict, c.call("POST", path+"/scanRuntime", "").status)
	require.Equal(t, "InProgress", state()["status"])
	require.Equal(t, ours, state()["correlationId"])
	c.clock.add(time.Minute)
	require.Equal(t, "Completed", state()["status"])
	scanning := func() (begun, ended int) {
		page := c.call("GET", strings.TrimSuffix(nodePath("contoso-cluster-managed-rg", ""), "/"), "")
		for _, row := range page.json(t)["value"].([]any) {
			p := row.(map[string]any)["properties"].(map[string]any)["runtimeProtectionStatus"].(map[string]any)
			started, _ := p["scanStartedTime"].(string)
			completed, _ := p["scanCompletedTime"].(string)
			if started >= "2026-11-23T09:01" {
				begun++
			}
			if completed >= "2026-11-23T09:01" {
				ended++
			}
		}
		return begun, ended
	}
	begun, ended := scanning()
	require.Equal(t, []int{1, 0}, []int{begun, ended})
	c.clock.add(5 * time.Minute)
	begun, ended = scanning()
	require.Equal(t, []int{6, 2}, []int{begun, ended}, "the two that are off or not ready never begin")

	off := clusterPath("lab-rg", "edge-lab")
	got := c.call("POST", off+"/scanRuntime", "")
	require.Equal(t, http.StatusAccepted, got.status)
	c.clock.add(time.Minute)
	status := c.call("GET", got.header.Get("Location"), "").json(t)
	require.Equal(t, "Failed", status["status"], "in a 200")
	require.NotContains(t, string(c.call("GET", clusterPath("contoso-cluster-rg", "legacy-site"), "").body), "actionStates")
}

// collect has a node write its report, and returns the status and the result.
func (c *caller) collect(group, node string) (status map[string]any, result said) {
	c.t.Helper()
	got := c.call("POST", nodePath(group, node)+"/runDataExtractsRestricted", extract)
	require.Equal(c.t, http.StatusAccepted, got.status, string(got.body))
	c.clock.add(time.Minute)
	answer := c.call("GET", got.header.Get("Location"), "")
	if answer.status != http.StatusOK {
		return nil, answer
	}
	status = answer.json(c.t)
	properties, _ := status["properties"].(map[string]any)
	link, _ := properties["resultUrl"].(string)
	if link == "" || !strings.HasPrefix(link, c.url) {
		return status, said{}
	}
	return status, c.call("GET", link+map[bool]string{true: "", false: "?"}[strings.Contains(link, "?")], "")
}

func TestReportsLieWhereTheClusterWritesThem(t *testing.T) {
	t.Parallel()
	c := serve(t, &nexussim.Azure{OperationTime: time.Second})
	c.azure.SetCluster("legacy-site", func(cl *nexussim.Cluster) { cl.Override = true })
	c.azure.SetCluster("edge-lab", func(cl *nexussim.Cluster) { cl.OwnStorage = false })
	for group, where := range map[string]string{
		"contoso-cluster-managed-rg": "/storage/contosonexus/command-output/", "edge-lab-managed-rg": "/storage/cmsimulatedst/bmm-run-command-output/",
		"legacy-site-managed-rg": "/storage/contosonexus/restricted-output/",
	} {
		node := map[string]string{"contoso-cluster-managed-rg": "rack1compute01", "edge-lab-managed-rg": "rack2compute01", "legacy-site-managed-rg": "rack3compute01"}[group]
		status, got := c.collect(group, node)
		link := status["properties"].(map[string]any)["resultUrl"].(string)
		require.Contains(t, link, where)
		require.Equal(t, http.StatusOK, got.status, string(got.body))
		require.True(t, bytes.HasPrefix(got.body, []byte{0x1f, 0x8b}))
		require.NotEmpty(t, got.header.Get("Content-MD5"))
		if !strings.Contains(link, "sig=") {
			require.Equal(t, http.StatusUnauthorized, c.call("GET", link+"?", "", "Authorization", "").status)
			continue
		}
		require.Equal(t, http.StatusBadRequest, c.call("GET", link, "", "Authorization", "Bearer x").status, "a token beside a signature")
		require.Equal(t, http.StatusForbidden, c.call("GET", strings.Replace(link, "sig=", "sig=x", 1), "").status)
		c.clock.add(5 * time.Hour)
		require.Equal(t, http.StatusForbidden, c.call("GET", link, "").status, "it has ended")
	}
}

func TestWhatBecomesOfAReport(t *testing.T) {
	t.Parallel()
	c := serve(t, &nexussim.Azure{OperationTime: time.Second})
	const group, node = "contoso-cluster-managed-rg", "rack1compute01"
	for result, want := range map[nexussim.Result]string{
		nexussim.ResultFailed: "Failed", nexussim.ResultCanceled: "Canceled", nexussim.ResultTimedOut: "Failed", nexussim.ResultTimeLimit: "Succeeded",
		nexussim.ResultExit: "Succeeded", nexussim.ResultGone: "Succeeded", nexussim.ResultPlain: "Succeeded", nexussim.ResultForeign: "Succeeded",
	} {
		c.azure.SetNode("contoso-cluster", node, func(n *nexussim.Node) { n.Result = result })
		status, got := c.collect(group, node)
		require.Equal(t, want, status["status"], result)
		properties, _ := status["properties"].(map[string]any)
		switch result {
		case nexussim.ResultTimeLimit, nexussim.ResultTimedOut:
			require.Equal(t, "252", properties["exitCode"])
		case nexussim.ResultGone:
			require.Equal(t, http.StatusNotFound, got.status)
		case nexussim.ResultPlain:
			require.True(t, json.Valid(got.body))
		case nexussim.ResultForeign:
			require.Contains(t, properties["resultUrl"], "evil")
		default:
		}
	}
	c.azure.SetNode("contoso-cluster", node, func(n *nexussim.Node) { n.Result = nexussim.ResultLost })
	_, got := c.collect(group, node)
	require.Equal(t, http.StatusNotFound, got.status)
}

func TestWhatANodeRefuses(t *testing.T) {
	t.Parallel()
	c := serve(t, &nexussim.Azure{OperationTime: time.Minute})
	path := nodePath("contoso-cluster-managed-rg", "rack1compute01")
	require.Equal(t, http.StatusBadRequest, c.call("POST", path+"/runDataExtracts", extract).status, "the old action no longer has it")
	require.Equal(t, http.StatusNotFound, c.call("POST", path+"/runDataExtractsRestricted?api-version=2025-02-01", extract).status)
	require.Equal(t, http.StatusAccepted, c.call("POST", path+"/runDataExtracts?api-version=2025-02-01", extract).status)
	require.Equal(t, http.StatusConflict, c.call("POST", path+"/runDataExtractsRestricted", extract).status, "one at a time")
	c.clock.add(time.Minute)
	for _, wrong := range []string{`{}`, strings.Replace(extract, "600", "59", 1), strings.Replace(extract, "600", "14401", 1), strings.Replace(extract, "mde-agent", "x", 1)} {
		require.Equal(t, http.StatusBadRequest, c.call("POST", path+"/runDataExtractsRestricted", wrong).status, wrong)
	}
	require.Equal(t, http.StatusConflict, c.call("POST", nodePath("contoso-cluster-managed-rg", "rack1compute04")+"/runDataExtractsRestricted", extract).status, "it is off")
}

func TestReportsAreAsLargeAsTheyAreSaidToBe(t *testing.T) {
	t.Parallel()
	c := serve(t, &nexussim.Azure{OperationTime: time.Second})
	c.azure.SetNode("contoso-cluster", "rack1compute01", func(n *nexussim.Node) { n.Result, n.Size = nexussim.ResultPlain, 1<<20 })
	_, got := c.collect("contoso-cluster-managed-rg", "rack1compute01")
	require.InDelta(t, 1<<20, len(got.body), 1000)
	for _, section := range []string{"diagnosticInformation", "mdeDefinitions", "generalHealth", "mdeConfiguration", "scanList", "threatInformation"} {
		require.Contains(t, got.json(t), section)
	}
}

func TestFaultsAndLimits(t *testing.T) {
	t.Parallel()
	c := serve(t, &nexussim.Azure{PerMinute: 3, Control: true})
	path := clusterPath("contoso-cluster-rg", "contoso-cluster")
	require.Equal(t, http.StatusOK, c.call("POST", "/nexussim/faults", `{"path":"/SUBSCRIPTIONS/**","status":503}`).status)
	require.Equal(t, http.StatusServiceUnavailable, c.call("GET", path, "").status)
	require.Equal(t, http.StatusBadRequest, c.call("POST", "/nexussim/faults", `{"kind":"nonsense"}`).status)
	c.azure.Fail(simulate.Fault{Kind: simulate.FaultStatusAfter, Status: 500, Method: "POST"})
	require.Equal(t, http.StatusInternalServerError, c.call("POST", path+"/scanRuntime", "").status)
	require.Len(t, c.azure.Effects(), 1, "it was done all the same")
	require.Contains(t, string(c.call("GET", "/nexussim/effects", "").body), `"kind":"scan"`)
	c.azure.Fail(simulate.Fault{Kind: simulate.FaultForeignLink})
	require.Contains(t, string(c.call("GET", root+"/providers/Microsoft.NetworkCloud/clusters", "").body), simulate.ForeignHost)
	require.Equal(t, http.StatusOK, c.call("GET", path, "").status)
	limited := c.call("GET", path, "")
	require.Equal(t, http.StatusTooManyRequests, limited.status)
	require.Equal(t, "61", limited.header.Get("Retry-After"))
	c.clock.add(time.Minute)
	require.Equal(t, http.StatusOK, c.call("GET", path, "").status)
	methods := []string{}
	for r := range c.azure.Requests() {
		methods = append(methods, r.Method)
	}
	require.True(t, slices.Contains(methods, "POST"))
	require.Equal(t, 1, c.azure.Writes())
}

func TestItIsServedOnThisMachineOnly(t *testing.T) {
	t.Parallel()
	_, err := (&nexussim.Azure{}).StartOn("0.0.0.0:0")
	require.ErrorContains(t, err, "not a loopback address")
}
