package nexussim

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// call is a request to Resource Manager on its way.
type call struct {
	a       *Azure
	r       *http.Request
	body    []byte
	version string
	app     string
	// sub, group and name are those of the path, name empty for a list.
	sub, group, name string
}

// route is an operation: its method, its path with a * for what varies, the action that it needs, and what does it. The
// variables of the path are subscription, resource group and name as far as it has them.
type route struct {
	method, path, action string
	do                   func(*call) response
}

func routes() []route {
	const (
		all     = "subscriptions/*/providers/microsoft.networkcloud/"
		grouped = "subscriptions/*/resourcegroups/*/providers/microsoft.networkcloud/"
		acts    = "Microsoft.NetworkCloud/"
	)
	return []route{
		{http.MethodGet, all + "clusters", acts + "clusters/read", (*call).listClusters},
		{http.MethodGet, grouped + "clusters", acts + "clusters/read", (*call).listClusters},
		{http.MethodGet, grouped + "clusters/*", acts + "clusters/read", (*call).getCluster},
		{http.MethodPatch, grouped + "clusters/*", acts + "clusters/write", (*call).patchCluster},
		{http.MethodPost, grouped + "clusters/*/scanruntime", acts + "clusters/scanRuntime/action", (*call).scanRuntime},
		{http.MethodGet, grouped + "baremetalmachines", acts + "bareMetalMachines/read", (*call).listNodes},
		{http.MethodGet, grouped + "baremetalmachines/*", acts + "bareMetalMachines/read", (*call).getNode},
		{http.MethodPost, grouped + "baremetalmachines/*/rundataextracts", acts + "bareMetalMachines/runDataExtracts/action", (*call).extract},
		{http.MethodPost, grouped + "baremetalmachines/*/rundataextractsrestricted", acts + "bareMetalMachines/runDataExtractsRestricted/action", (*call).extractRestricted},
		{http.MethodGet, all + "locations/*/operationstatuses/*", acts + "locations/operationStatuses/read", (*call).operationStatus},
	}
}

// match compares a path with a pattern and returns what stands for its stars.
func match(pattern, path string) (vars []string, ok bool) {
	want, got := strings.Split(pattern, "/"), strings.Split(strings.Trim(path, "/"), "/")
	if len(want) != len(got) {
		return nil, false
	}
	for i, w := range want {
		if w == "*" {
			vars = append(vars, got[i])
		} else if !strings.EqualFold(w, got[i]) {
			return nil, false
		}
	}
	return vars, true
}

// serveARM answers a request to Resource Manager, in the order in which it refuses: token, path, api-version, rate, role.
func (a *Azure) serveARM(r *http.Request, body []byte) response {
	c := &call{a: a, r: r, body: body, version: r.URL.Query().Get("api-version")}
	if c.app = a.bearer(r, strings.TrimRight(AudienceARM, "/"), "https://management.azure.com"); c.app == "" {
		return c.traced(unauthorized())
	}
	known := false
	for _, rt := range routes() {
		vars, ok := match(rt.path, r.URL.Path)
		if known = known || ok; !ok || rt.method != r.Method {
			continue
		}
		c.place(vars)
		return c.traced(c.admit(rt))
	}
	if known {
		return c.traced(problem(http.StatusMethodNotAllowed, "HttpMethodNotAllowed", "The method "+r.Method+" is not allowed here."))
	}
	return c.traced(problem(http.StatusNotFound, "InvalidResourceType", "There is no such resource type or operation in the namespace 'Microsoft.NetworkCloud'."))
}

// place notes what the path names.
func (c *call) place(vars []string) {
	c.sub = vars[0]
	if strings.Contains(strings.ToLower(c.r.URL.Path), "/resourcegroups/") {
		c.group = vars[1]
	}
	if len(vars) > 2 {
		c.name = vars[2]
	}
}

// admit refuses what Resource Manager refuses before the provider is asked, and then asks it.
func (c *call) admit(rt route) response {
	switch {
	case c.version == "":
		return problem(http.StatusBadRequest, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required for all requests.")
	case !slices.Contains(c.a.APIVersions, c.version):
		return problem(http.StatusBadRequest, "NoRegisteredProviderFound", fmt.Sprintf(
			"No registered resource provider found for location 'eastus' and API version '%s' for type 'clusters'. The supported api-versions are '%s'.",
			c.version, strings.Join(c.a.APIVersions, ", ")))
	case !strings.EqualFold(c.sub, c.a.Subscription):
		return problem(http.StatusNotFound, "SubscriptionNotFound", "The subscription '"+c.sub+"' could not be found.")
	}
	if wait := c.a.throttled(c.app); wait > 0 {
		resp := problem(http.StatusTooManyRequests, "TooManyRequests", "The request is being throttled.")
		resp.header.Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
		return resp
	}
	if !c.a.may(c.app, rt.action) {
		return forbidden(c.app, rt.action, c.scope(rt))
	}
	c.a.mu.Lock()
	defer c.a.mu.Unlock()
	c.a.settle()
	return rt.do(c)
}

// scope is the resource that a call is on: its path without the action's name.
func (c *call) scope(rt route) string {
	path := strings.TrimSuffix(c.r.URL.Path, "/")
	if strings.HasSuffix(rt.action, "/action") {
		path = path[:strings.LastIndex(path, "/")]
	}
	return path
}

// throttled counts a request of an application and returns how long it has to wait, 0 when it has not.
func (a *Azure) throttled(app string) time.Duration {
	if a.PerMinute <= 0 {
		return 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.windows[app]
	if now := a.now(); now.Sub(w.since) >= time.Minute {
		w = window{since: now}
	}
	w.n++
	a.windows[app] = w
	if w.n <= a.PerMinute {
		return 0
	}
	return w.since.Add(time.Minute).Sub(a.now())
}

// correlation is Azure's id of the call: the caller's own when it brings one.
func (c *call) correlation() string {
	if id := c.r.Header.Get("x-ms-correlation-request-id"); id != "" {
		return id
	}
	return guidOf("correlation " + c.r.Header.Get("x-ms-client-request-id"))
}

// traced adds the ids by which a call is found again.
func (c *call) traced(resp response) response {
	resp.header.Set("x-ms-correlation-request-id", c.correlation())
	resp.header.Set("x-ms-request-id", guidOf("request "+c.correlation()))
	if id := c.r.Header.Get("x-ms-client-request-id"); id != "" {
		resp.header.Set("x-ms-client-request-id", id)
	}
	return resp
}

// newer reports whether the request's api-version shows the agent's state on nodes.
func (c *call) newer() bool { return c.version >= Version2607 }

// origin is the address that the client sees.
func (c *call) origin() string { return "https://" + c.r.Host }

func (c *call) notFound(kind string) response {
	return problem(http.StatusNotFound, "ResourceNotFound", fmt.Sprintf(
		"The Resource 'Microsoft.NetworkCloud/%s/%s' under resource group '%s' was not found.", kind, c.name, c.group))
}

// noGroup is Resource Manager's answer to a resource group that is not there.
func (c *call) noGroup() response {
	return problem(http.StatusNotFound, "ResourceGroupNotFound", "Resource group '"+c.group+"' could not be found.")
}

// hasGroup reports whether anything is in a resource group. The lock is held.
func (a *Azure) hasGroup(group string) bool {
	return slices.ContainsFunc(a.clusters, func(cl *cluster) bool {
		return strings.EqualFold(cl.seed.ResourceGroup, group) || strings.EqualFold(cl.seed.ManagedGroup, group)
	})
}

// page cuts a list and links to its next part.
func (c *call) page(rows []any) response {
	from, _ := strconv.Atoi(c.r.URL.Query().Get("$skipToken"))
	from = min(max(from, 0), len(rows))
	to := min(from+c.a.PageSize, len(rows))
	list := map[string]any{"value": rows[from:to]}
	if to < len(rows) {
		list["nextLink"] = fmt.Sprintf("%s%s?api-version=%s&$skipToken=%d", c.origin(), c.r.URL.Path, c.version, to)
	}
	return answer(http.StatusOK, list)
}
