package mdesim_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func TestReadingRoutes(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	host := r.Device("host01")
	alert := r.get("/api/alerts?$top=1").values()[0]
	id := alert["id"].(string)
	now := time.Now().UTC().Format(time.RFC3339)

	require.Equal(t, mdesim.TitleBeaconing, alert["title"], "the newest alert comes first")
	require.Empty(t, alert["evidence"], "evidence is sent only when it is expanded")
	require.Len(t, r.get("/api/alerts?$top=1&$expand=evidence").values()[0]["evidence"], 3)
	one := r.get("/api/alerts/" + id)
	require.Equal(t, id, one.str("id"))
	require.Len(t, one.body["evidence"], 3)
	require.Equal(t, map[string]any{"userName": "anna.berg", "domainName": "contoso"}, one.body["relatedUser"])
	require.Contains(t, one.body, "assignedTo", "a null property is sent")

	require.Len(t, r.get("/api/machines").values(), mdesim.DefaultDevices)
	require.Len(t, r.get("/api/v1.0/machines").values(), mdesim.DefaultDevices)
	require.Equal(t, "host01.contoso.com", r.get("/api/machines/"+host.ID).str("computerDnsName"))
	require.Equal(t, host.ID, r.get("/api/machines/host01.contoso.com").str("id"), "a name is taken for an id, as documented")
	byIP := r.get("/api/machines/findbyip(ip='" + string(host.LastIPAddress) + "',timestamp=" + now + ")")
	require.Equal(t, []string{mdesim.NameHost}, byIP.names())
	shared := r.get("/api/machines/findbyip(ip='" + r.AmbiguousIP() + "',timestamp=" + now + ")")
	require.ElementsMatch(t, []string{"vdi-a01.contoso.com", "vdi-a02.contoso.com"}, shared.names())
	require.Equal(t, "anna.berg", r.get("/api/machines/" + host.ID + "/logonusers").values()[0]["accountName"])

	related := r.get("/api/machines/" + host.ID + "/alerts").values()
	require.NotEmpty(t, related)
	require.Equal(t, host.ID, related[0]["machineId"])
	count := r.get("/api/machines/" + host.ID + "/alerts/$count?$filter=" + url.QueryEscape("severity eq 'High' and status eq 'New'"))
	require.NotEqual(t, "0", string(count.raw))
	require.Regexp(t, `^\d+$`, string(count.raw))
	require.Empty(t, r.get("/api/machineactions").values())
}

func TestReadingRefusals(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	now := time.Now().UTC()
	byIP := func(ip string, at time.Time) string {
		return "/api/machines/findbyip(ip='" + ip + "',timestamp=" + at.Format(time.RFC3339) + ")"
	}
	for _, tc := range []struct {
		path   string
		status int
		code   string
		text   string
	}{
		{"/api/alerts/da1_1", 404, "ResourceNotFound", "da1_1"},
		{"/api/machines/nobody", 404, "ResourceNotFound", "Machine nobody was not found"},
		{"/api/machines/nobody/logonusers", 404, "ResourceNotFound", "nobody"},
		{"/api/machines/nobody/alerts", 404, "ResourceNotFound", "nobody"},
		{"/api/machines/nobody/alerts/$count", 404, "ResourceNotFound", "nobody"},
		{"/api/machines/a%2F..%2Fb", 404, "ResourceNotFound", "a/../b"},
		{"/api/machineactions/nothing", 404, "ResourceNotFound", "nothing"},
		{byIP("10.1.0.300", now), 400, "InvalidIpAddress", "10.1.0.300"},
		{byIP("10.1.0.1", now.AddDate(0, 0, -31)), 400, "InvalidInput", "past 30 days"},
		{byIP("10.1.0.1", now.Add(time.Hour)), 400, "InvalidInput", "past 30 days"},
		{"/api/machines/findbyip(ip='10.1.0.1',timestamp=soon)", 400, "InvalidInput", "soon"},
		{"/api/machines/findbyip(10.1.0.1)", 404, "ResourceNotFound", "findbyip"},
		{"/api/machines/", 404, "NotFound", "No HTTP resource"},
		{"/api/nothing", 404, "NotFound", "No HTTP resource"},
		{"/api/machines/x/isolate", 405, "BadRequest", "GET"},
	} {
		t.Run(tc.path, func(t *testing.T) { refused(t, r.get(tc.path), tc.status, tc.code, tc.text) })
	}
	none := serve(t, &mdesim.Tenant{Devices: -1})
	refused(t, none.get("/api/machines"), 404, "ResourceNotFound", "No recent machines")
}

func TestPagingFollowsNextLink(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{PageSize: 100})
	walk := func(target string) (ids map[string]bool, pages int) {
		ids = map[string]bool{}
		for ; target != ""; pages++ {
			a := r.get(target)
			require.Equal(t, 200, a.status, string(a.raw))
			for _, v := range a.values() {
				ids[v["id"].(string)] = true
			}
			target = a.str("@odata.nextLink")
			require.True(t, target == "" || strings.HasPrefix(target, r.server.URL+"/"), "the link stays on this host")
		}
		return ids, pages
	}
	for _, tc := range []struct {
		query      string
		ids, pages int
	}{
		{"", 250, 3},
		{"?$top=30", 30, 1},
		{"?$top=100", 100, 1},
		{"?$top=130", 130, 2},
		{"?$top=1000", 250, 3},
		{"?$skip=240", 10, 1},
		{"?$skip=250", 0, 1},
		{"?$top=0", 0, 1},
		{"?$skip=140&$top=105", 105, 2},
		{"?$filter=" + url.QueryEscape("startswith(computerDnsName,'host')"), 14, 1},
	} {
		ids, pages := walk("/api/machines" + tc.query)
		require.Len(t, ids, tc.ids, tc.query)
		require.Equal(t, tc.pages, pages, tc.query)
	}
}

func TestUnknownQueryOptionsAreRefused(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	for query, text := range map[string]string{
		"$top=10001": "limit of 10000", "$top=-1": "whole number", "$top=x": "whole number", "$skip=1.5": "whole number",
		"$expand=evidence": "$expand", "$orderby=id": "$orderby", "$select=id": "$select", "$top=1&$top=2": "more than once",
		"$filter=%zz": "malformed", "$filter=title+eq+'x'": "'title'",
	} {
		refused(t, r.get("/api/machines?"+query), 400, "ODataError", text)
	}
	require.Equal(t, 200, r.get("/api/machines?$top=1&custom=1").status, "OData leaves custom options alone")
}

// TestRoutesAreDocumented compares the routes with the published operations,
// where they are at hand.
func TestRoutesAreDocumented(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("MDE_CONTRACT_DIR")
	if dir == "" {
		t.Skip("set MDE_CONTRACT_DIR to the folder with operations.json to compare the routes with it")
	}
	raw, err := os.ReadFile(filepath.Join(dir, "operations.json"))
	require.NoError(t, err)
	var published []struct {
		ID, Method, Path, Doc string
		Permissions           struct{ Application []string }
	}
	require.NoError(t, json.Unmarshal(raw, &published))
	for _, route := range new(mdesim.Tenant).Routes() {
		if route.Op == "count_machine_alerts" || strings.HasPrefix(route.Path, "/v1.0/security/") {
			continue // a note on the page of list_machine_alerts; Graph's, which are published elsewhere
		}
		found := false
		for _, p := range published {
			if p.ID != route.Op {
				continue
			}
			found = true
			require.Equal(t, p.Method+" "+p.Path, route.Method+" "+route.Path)
			require.Equal(t, p.Doc, route.Doc)
			require.Subset(t, route.Roles, p.Permissions.Application)
		}
		require.True(t, found, route.Op)
	}
}

func TestMethodsAndPathsAreCounted(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	id := r.Device("host01").ID
	r.get("/api/v1.0/machines/" + id)
	r.get("/api/machines/" + id)
	r.send(http.MethodPost, "/api/machines/"+id+"/isolate", `{}`)
	r.isolate(id)
	r.send(http.MethodPatch, "/api/alerts/x", `{}`)
	counts := r.Requests()
	require.Equal(t, 2, counts[mdesim.Request{Method: "GET", Path: "/api/machines/" + id}])
	require.Equal(t, 2, counts[mdesim.Request{Method: "POST", Path: "/api/machines/" + id + "/isolate"}])
	require.Equal(t, 3, r.Writes(), "a refused write counts, a token does not")
	require.Len(t, r.Effects(), 1)
}
