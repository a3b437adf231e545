package mdesim_test

import (
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func incidentOf(n int64) *int64 { return &n }

// twoAlerts raises two alerts of one incident.
func twoAlerts(r *rig) (first, second mdesim.Alert) {
	host := r.Device("host01").ID
	first = r.RaiseAlert(mdesim.Alert{Title: "First", Severity: "Low", MachineID: host, IncidentID: incidentOf(77)})
	second = r.RaiseAlert(mdesim.Alert{Title: "Second", Severity: "High", MachineID: host, IncidentID: incidentOf(77)})
	return first, second
}

func TestAlertsV2AreTheAlertsOfTheDefenderAPI(t *testing.T) {
	t.Parallel()
	clock := newClock()
	r := serve(t, &mdesim.Tenant{Clock: clock.Now})
	g := r.graph()
	newest := r.get("/api/alerts?$top=1").values()[0]
	list := g.get("/v1.0/security/alerts_v2?$top=1&$count=true")
	require.Equal(t, 200, list.status, string(list.raw))
	require.EqualValues(t, 60, list.body["@odata.count"])
	require.Equal(t, newest["id"], list.values()[0]["id"])
	id := newest["id"].(string)
	one := g.get("/v1.0/security/alerts_v2/" + id)
	require.Equal(t, "high", one.str("severity"))
	require.Equal(t, "new", one.str("status"))
	require.Equal(t, "unknown", one.str("determination"))
	require.Equal(t, id, one.str("providerAlertId"))
	require.Equal(t, strconv.Itoa(int(newest["incidentId"].(float64))), one.str("incidentId"))
	evidence := one.body["evidence"].([]any)
	require.Len(t, evidence, 4)
	device := evidence[0].(map[string]any)
	require.Equal(t, "#microsoft.graph.security.deviceEvidence", device["@odata.type"])
	require.Equal(t, r.Device("host01").ID, device["mdeDeviceId"])

	clock.Advance(30 * time.Minute)
	path := "/v1.0/security/alerts_v2/" + id
	changed := g.send(http.MethodPatch, path, `{"status":"resolved","assignedTo":"bob@contoso.com","classification":"TruePositive","determination":"compromisedUser"}`)
	require.Equal(t, 200, changed.status, string(changed.raw))
	require.Equal(t, "compromisedAccount", changed.str("determination"))
	there := r.get("/api/alerts/" + id)
	require.Equal(t, []string{"Resolved", "bob@contoso.com", "TruePositive", "CompromisedUser", "2026-11-22T09:30:00Z"},
		[]string{there.str("status"), there.str("assignedTo"), there.str("classification"), there.str("determination"), there.str("resolvedTime")})
	require.Equal(t, there.str("lastUpdateTime"), changed.str("lastUpdateDateTime"))
	g.send(http.MethodPatch, path, `{"status":"inProgress","assignedTo":null,"classification":"unknown"}`)
	there = r.get("/api/alerts/" + id)
	require.Equal(t, []any{"InProgress", nil, nil, nil}, []any{there.body["status"], there.body["assignedTo"], there.body["classification"], there.body["resolvedTime"]})
	effects := r.Effects()
	require.Len(t, effects, 2)
	require.Equal(t, mdesim.TypeUpdateAlertV2, effects[0].Type)
	require.Equal(t, path, effects[0].Path)
}

func TestIncidentsGroupAlerts(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	g := r.graph()
	_, second := twoAlerts(r)
	one := g.get("/v1.0/security/incidents/77")
	require.Equal(t, "First and 1 more", one.str("displayName"))
	require.Equal(t, "high", one.str("severity"), "the worst of its alerts")
	require.Equal(t, "active", one.str("status"))
	require.NotContains(t, one.body, "alerts", "alerts come only when they are asked for")
	require.Len(t, g.get("/v1.0/security/incidents/77?$expand=alerts").body["alerts"], 2)
	listed := g.get("/v1.0/security/incidents?$top=1&$expand=alerts").values()[0]
	require.Equal(t, "77", listed["id"], "the newest comes first")
	require.Len(t, listed["alerts"], 2)

	changed := g.send(http.MethodPatch, "/v1.0/security/incidents/77", `{"status":"resolved","classification":"truePositive","determination":"malware",
		"customTags":["Demo"],"resolvingComment":"done","displayName":"Beacon","assignedTo":"alice@contoso.com"}`)
	require.Equal(t, 200, changed.status, string(changed.raw))
	require.Equal(t, []string{"resolved", "Beacon", "alice@contoso.com", "done"},
		[]string{changed.str("status"), changed.str("displayName"), changed.str("assignedTo"), changed.str("resolvingComment")})
	require.Equal(t, []any{"Demo"}, changed.body["customTags"])
	there := r.get("/api/alerts/" + second.ID)
	require.Equal(t, "Resolved", there.str("status"), "its alerts are resolved with it")
	require.Equal(t, "Malware", there.str("determination"))

	g.send(http.MethodPatch, "/v1.0/security/alerts_v2/"+second.ID, `{"status":"new"}`)
	require.Equal(t, "active", g.get("/v1.0/security/incidents/77").str("status"), "an open alert opens it")
	g.send(http.MethodPatch, "/v1.0/security/incidents/77", `{"status":"inProgress","customTags":[],"assignedTo":null}`)
	again := g.get("/v1.0/security/incidents/77")
	require.Equal(t, []any{"inProgress", []any{}, nil}, []any{again.body["status"], again.body["customTags"], again.body["assignedTo"]})
	require.Equal(t, "done", r.Effects()[0].Comment)
}

func TestGraphListsFilterAndPage(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	g := r.graph()
	twoAlerts(r)
	walk := func(target string) (ids map[string]bool, pages int) {
		ids = map[string]bool{}
		for ; target != ""; pages++ {
			a := g.get(target)
			require.Equal(t, 200, a.status, string(a.raw))
			for _, v := range a.values() {
				ids[v["id"].(string)] = true
			}
			target = a.str("@odata.nextLink")
		}
		return ids, pages
	}
	for target, want := range map[string][2]int{
		"incidents": {61, 2}, "incidents?$top=50": {50, 1}, "incidents?$skip=60": {1, 1}, "incidents?$skip=900": {0, 1}, "alerts_v2": {62, 1},
		"incidents?$filter=" + url.QueryEscape("severity eq 'high' and createdDateTime gt "+time.Now().UTC().Add(-2*time.Minute).Format(time.RFC3339)): {1, 1},
		"alerts_v2?$filter=" + url.QueryEscape("serviceSource eq 'microsoftDefenderForEndpoint' and status eq 'new' and severity eq 'low'"):            {0, 1},
	} {
		ids, pages := walk("/v1.0/security/" + target)
		if want[0] > 0 || target == "incidents?$skip=900" {
			require.Len(t, ids, want[0], target)
		}
		require.Equal(t, want[1], pages, target)
	}
	for target, text := range map[string]string{
		"incidents?$top=51":                    "The limit of '50' for Top query has been exceeded. The value from the incoming request is '51'.",
		"alerts_v2?$top=101":                   "The limit of '100'",
		"alerts_v2?$expand=alerts":             "$expand",
		"incidents?$filter=title+eq+'x'":       "'title'",
		"incidents?$filter=status+eq+'Active'": "'Active' is not a value",
		"incidents?$count=perhaps":             "$count",
		"incidents?$orderby=id":                "$orderby",
		"incidents/77?$expand=comments":        "$expand",
		"incidents?$filter=%zz":                "malformed",
	} {
		declined(t, g.get("/v1.0/security/"+target), 400, text)
	}
}

func TestGraphUpdatesRefuse(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	g := r.graph()
	alert, _ := twoAlerts(r)
	for body, text := range map[string]string{
		`{}`: "no property", `[]`: "JSON", `{"status":"closed"}`: "not a value of 'status'", `{"status":null}`: "must not be null",
		`{"severity":5}`: "", `{"id":"x"}`: "cannot be updated", `{"Status":"resolved"}`: "cannot be updated", `{"assignedTo":5}`: "must be a string",
	} {
		declined(t, g.send(http.MethodPatch, "/v1.0/security/alerts_v2/"+alert.ID, body), 400, text)
		declined(t, g.send(http.MethodPatch, "/v1.0/security/incidents/77", body), 400, text)
	}
	declined(t, g.send(http.MethodPatch, "/v1.0/security/incidents/77", `{"customTags":"x"}`), 400, "list of strings")
	declined(t, g.send(http.MethodPatch, "/v1.0/security/incidents/77", `{"status":"redirected"}`), 400, "redirected")
	declined(t, g.send(http.MethodPatch, "/v1.0/security/incidents/1", `{"status":"resolved"}`), 404, "'1'")
	declined(t, g.send(http.MethodPatch, "/v1.0/security/alerts_v2/da0_0", `{"status":"new"}`), 404, "da0_0")
	declined(t, g.get("/v1.0/security/alerts_v2/da0_0"), 404, "da0_0")
	declined(t, g.get("/v1.0/security/incidents/1"), 404, "'1'")
	require.Empty(t, r.Effects(), "a refused update changes nothing")
	require.Equal(t, "new", g.get("/v1.0/security/alerts_v2/"+alert.ID).str("status"))
}

func TestGraphRolesAreItsOwn(t *testing.T) {
	t.Parallel()
	apps := []mdesim.App{{ID: mdesim.DefaultAppID, Secret: mdesim.DefaultAppSecret, Roles: []string{"Alert.ReadWrite.All", "SecurityIncident.Read.All"}}}
	r := serve(t, &mdesim.Tenant{Apps: apps})
	g := r.graph()
	twoAlerts(r)
	require.Equal(t, 200, g.get("/v1.0/security/incidents/77").status)
	declined(t, g.send(http.MethodPatch, "/v1.0/security/incidents/77", `{"status":"resolved"}`), 403, "SecurityIncident.ReadWrite.All")
	declined(t, g.get("/v1.0/security/alerts_v2"), 403, "SecurityAlert.Read.All")
	require.Equal(t, 401, r.get("/v1.0/security/incidents").status, "a token of the Defender API is not for Graph")
	require.Empty(t, r.Effects())
}

func TestConcurrentGraphUpdates(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Devices: 30})
	g := r.graph()
	alert, _ := twoAlerts(r)
	var group sync.WaitGroup
	for i := range 12 {
		group.Go(func() {
			switch i % 4 {
			case 0:
				_, _ = g.try(http.MethodPatch, "/v1.0/security/alerts_v2/"+alert.ID, `{"status":"inProgress"}`)
			case 1:
				_, _ = g.try(http.MethodPatch, "/v1.0/security/incidents/77", `{"status":"resolved"}`)
			case 2:
				_, _ = g.try(http.MethodGet, "/v1.0/security/incidents?$expand=alerts", "")
			default:
				_, _ = g.try(http.MethodPost, "/v1.0/security/runHuntingQuery", `{"Query":"AlertEvidence | count"}`)
			}
		})
	}
	group.Wait()
	require.Len(t, r.Effects(), 6)
}

func TestEveryGraphProblemHasGraphsShape(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	onGraph := r.graph()
	shaped := func(a answer, status int) {
		t.Helper()
		require.Equal(t, status, a.status)
		problem := a.body["error"].(map[string]any)
		require.NotEmpty(t, problem["innerError"].(map[string]any)["request-id"])
		require.NotContains(t, problem, "target")
	}
	shaped(r.get("/v1.0/security/incidents"), http.StatusUnauthorized) // a token for the Defender API
	shaped(onGraph.get("/v1.0/security/nothing"), http.StatusNotFound)
	shaped(onGraph.send(http.MethodDelete, "/v1.0/security/incidents", ""), http.StatusMethodNotAllowed)
	r.Fail(mdesim.Fault{Path: "/v1.0/**", Status: http.StatusTooManyRequests, RetryAfter: "3"})
	shaped(onGraph.get("/v1.0/security/incidents"), http.StatusTooManyRequests)
}
