package mdesim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

const graphScope = "https://graph.microsoft.com/.default"

// graph is a client of the same tenant with a token for Microsoft Graph.
func (r *rig) graph() *rig {
	r.t.Helper()
	tok, err := r.server.AppCredential(mdesim.DefaultAppID, mdesim.DefaultAppSecret).
		GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{graphScope}})
	require.NoError(r.t, err)
	other := *r
	other.token = tok.Token
	return &other
}

// hunt asks Graph and returns its rows.
func (r *rig) hunt(query string, timespan ...string) []map[string]any {
	r.t.Helper()
	body := map[string]string{"Query": query}
	if len(timespan) > 0 {
		body["Timespan"] = timespan[0]
	}
	a := r.post("/v1.0/security/runHuntingQuery", body)
	require.Equal(r.t, 200, a.status, string(a.raw))
	return rowsOf(a, "results")
}

func (r *rig) post(path string, body any) answer {
	r.t.Helper()
	raw, err := json.Marshal(body)
	require.NoError(r.t, err)
	return r.send(http.MethodPost, path, string(raw))
}

func rowsOf(a answer, key string) []map[string]any {
	list, _ := a.body[key].([]any)
	out := make([]map[string]any, 0, len(list))
	for _, v := range list {
		out = append(out, v.(map[string]any))
	}
	return out
}

// declined checks a refusal; the two APIs have different codes and shapes for them.
func declined(t *testing.T, a answer, status int, text string) {
	t.Helper()
	require.Equal(t, status, a.status, string(a.raw))
	require.NotEmpty(t, a.code())
	require.Contains(t, a.message(), text)
}

func TestBothHuntingOperationsAnswerTheSame(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Clock: newClock().Now})
	query := `DeviceProcessEvents | where FileName =~ "RUNDLL32.exe" | project Timestamp, DeviceName, ProcessId, IsIt = ProcessId > 1 | take 1`
	old := r.post("/api/advancedqueries/run", map[string]string{"Query": query})
	require.Equal(t, 200, old.status, string(old.raw))
	require.JSONEq(t, `{
		"Schema": [{"Name":"Timestamp","Type":"DateTime"},{"Name":"DeviceName","Type":"String"},{"Name":"ProcessId","Type":"Int64"},{"Name":"IsIt","Type":"SByte"}],
		"Results": [{"Timestamp":"2026-11-22T08:56:00.0000000Z","DeviceName":"host01.contoso.com","ProcessId":3276,"IsIt":true}]}`, string(old.raw))
	current := r.graph().post("/v1.0/security/runHuntingQuery", map[string]string{"query": query})
	require.Equal(t, old.body["Results"], current.body["results"])
	require.Contains(t, string(current.raw), `"schema":[{"name":"Timestamp","type":"DateTime"}`)
	require.Contains(t, current.str("@odata.context"), "/v1.0/$metadata#microsoft.graph.security.huntingQueryResults")
}

// The story of the fresh alert can be followed through all tables.
func TestHuntingTablesHangTogether(t *testing.T) {
	t.Parallel()
	clock := newClock()
	r := serve(t, &mdesim.Tenant{Clock: clock.Now, ActionPending: -1, ActionRunning: -1})
	g := r.graph()
	host := r.Device("host01")

	alert := g.hunt(fmt.Sprintf(`AlertInfo | where Title == "%s"`, mdesim.TitleBeaconing))[0]
	require.Equal(t, "High", alert["Severity"])
	evidence := g.hunt(fmt.Sprintf(`AlertEvidence | where AlertId == "%s" and isnotempty(SHA1)`, alert["AlertId"]))
	require.Len(t, evidence, 1)
	require.Equal(t, host.ID, evidence[0]["DeviceId"])
	process := g.hunt(fmt.Sprintf(`DeviceProcessEvents | where SHA1 == "%s"`, evidence[0]["SHA1"]))
	require.Len(t, process, 1)
	require.Equal(t, evidence[0]["ProcessCommandLine"], process[0]["ProcessCommandLine"])
	require.Equal(t, "anna.berg", process[0]["AccountName"])
	mine := fmt.Sprintf(`| where DeviceId == "%s" and InitiatingProcessId == %v`, host.ID, process[0]["ProcessId"])
	require.Equal(t, "update.dll", g.hunt("DeviceFileEvents " + mine)[0]["FileName"])
	beacons := func() int { return len(g.hunt("DeviceNetworkEvents " + mine + ` and RemoteIP == "198.51.100.23"`)) }
	require.Equal(t, 5, beacons(), "one a minute since four minutes ago")

	logons := g.hunt(fmt.Sprintf(`DeviceLogonEvents | where DeviceId == "%s" | summarize count() by AccountName, AccountSid`, host.ID))
	require.Equal(t, "anna.berg", logons[0]["AccountName"])
	require.EqualValues(t, 7, logons[0]["count_"])
	require.Equal(t, process[0]["AccountSid"], logons[0]["AccountSid"])
	info := fmt.Sprintf(`DeviceInfo | where DeviceId == "%s"`, host.ID)
	require.Equal(t, "", g.hunt(info)[0]["MitigationStatus"])
	require.Equal(t, "Onboarded", g.hunt(info)[0]["OnboardingStatus"])
	addresses := g.hunt(fmt.Sprintf(`DeviceNetworkInfo | where DeviceId == "%s" | extend IP = tostring(IPAddresses[0].IPAddress)`, host.ID))
	require.Equal(t, string(host.LastIPAddress), addresses[0]["IP"])

	clock.Advance(2 * time.Minute)
	require.Equal(t, 7, beacons())
	require.Equal(t, 201, r.isolate(host.ID).status)
	clock.Advance(10 * time.Minute)
	require.Equal(t, 7, beacons(), "an isolated device connects nowhere")
	require.Equal(t, "Isolated", g.hunt(info)[0]["MitigationStatus"])
}

func TestHuntingReadsEveryTable(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Clock: newClock().Now, Devices: 90})
	g := r.graph()
	for table, least := range map[string]int{
		"DeviceInfo": 60, "DeviceNetworkInfo": 60, "DeviceLogonEvents": 200, "DeviceProcessEvents": 150, "DeviceNetworkEvents": 60,
		"DeviceFileEvents": 30, "DeviceRegistryEvents": 30, "DeviceEvents": 30, "AlertInfo": 60, "AlertEvidence": 100,
	} {
		rows := g.hunt(table)
		require.Greater(t, len(rows), least-1, table)
		again := g.hunt(table + " | take 20")
		require.Equal(t, rows[:20], again, "the same events at the same time")
		require.EqualValues(t, len(rows), g.hunt(table + " | count")[0]["Count"])
		require.Equal(t, float64(0), g.hunt(table + " | where Timestamp < ago(30d) or Timestamp > now() | count")[0]["Count"], "data of the past 30 days")
	}
	day := len(g.hunt("DeviceLogonEvents", "P1D"))
	require.Less(t, day, len(g.hunt("DeviceLogonEvents", "P3D")))
	require.Equal(t, day, len(g.hunt("DeviceLogonEvents", "PT24H")))
	require.Equal(t, day, len(g.hunt("DeviceLogonEvents", "P1D/2026-11-22T09:00:00Z")))
	require.Equal(t, day, len(g.hunt("DeviceLogonEvents", "2026-11-21T09:00:00Z/P1D")))
	require.Equal(t, day, len(g.hunt("DeviceLogonEvents", "2026-11-21T09:00:00Z")))
	require.Equal(t, day, len(g.hunt("DeviceLogonEvents", "2026-11-21T09:00:00Z/2026-11-22T09:00:00Z")))
	require.Equal(t, len(g.hunt("DeviceLogonEvents")), len(g.hunt("DeviceLogonEvents", "P900W")))
	require.Empty(t, serve(t, &mdesim.Tenant{Devices: -1}).graph().hunt("union DeviceInfo, AlertInfo, AlertEvidence, DeviceProcessEvents"))
}

func TestHuntingRefusals(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Devices: 20})
	g := r.graph()
	for body, text := range map[string]string{
		`{"Query":"Nothing"}`:                 "A semantic error occurred. Failed to resolve table or column expression named 'Nothing' on line [1,1]",
		`{"Query":"DeviceInfo | frobnicate"}`: "A recognition error occurred.",
		`{"Query":" "}`:                       "'Query' is missing",
		`{}`:                                  "'Query' is missing",
		`{"Query":5}`:                         "must be a string",
		`[]`:                                  "",
		`{"Query":"DeviceInfo | extend a=strcat(DeviceId,DeviceId,DeviceId,DeviceId,DeviceId) | extend a=strcat(a,a,a,a,a,a,a,a,a,a) | extend a=strcat(a,a,a,a,a,a,a,a,a,a)| extend a=strcat(a,a,a,a,a,a,a,a,a,a)| extend a=strcat(a,a,a,a,a,a,a,a,a,a)"}`: "exceeded the allowed limits",
	} {
		declined(t, r.send(http.MethodPost, "/api/advancedqueries/run", body), 400, text)
		a := g.send(http.MethodPost, "/v1.0/security/runHuntingQuery", body)
		declined(t, a, 400, text)
		inner, _ := a.body["error"].(map[string]any)["innerError"].(map[string]any)
		require.Equal(t, a.header.Get("request-id"), inner["request-id"])
	}
	refused(t, r.send(http.MethodPost, "/api/advancedqueries/run", `{"query":"DeviceInfo"}`), 400, "InvalidRequestBody", "case-sensitive")
	declined(t, g.send(http.MethodPost, "/v1.0/security/runHuntingQuery", `{"Query":"DeviceInfo","Top":5}`), 400, "'Top'")
	for _, span := range []string{"soon", "P", "PT", "P1D/P1D", "P99999999999D", "2026-11-21T09:00:00Z/", "/", "P1M"} {
		declined(t, g.post("/v1.0/security/runHuntingQuery", map[string]string{"Query": "DeviceInfo", "Timespan": span}), 400, "not an ISO 8601")
	}
	require.Zero(t, len(r.Effects()))
}

// 240 KB a row for 250 devices are more than the 50 MB of the page.
func TestHuntingResultSize(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	query := "DeviceInfo | extend a = '" + strings.Repeat("x", 6000) + "' | extend a = strcat(a,a,a,a,a,a,a,a,a,a) | project a, b = a, c = a, d = a"
	refused(t, r.post("/api/advancedqueries/run", map[string]string{"Query": query}), 400, "BadRequest", "exceeded the allowed result size")
	small := r.post("/api/advancedqueries/run", map[string]string{"Query": query + " | take 10"})
	require.Equal(t, 200, small.status)
	require.Greater(t, len(small.raw), 2_000_000)
}

func TestHuntingLimits(t *testing.T) {
	t.Parallel()
	clock := newClock()
	r := serve(t, &mdesim.Tenant{Clock: clock.Now, Devices: 1, Throttle: mdesim.Throttle{On: true}})
	g := r.graph()
	for range 45 {
		require.Equal(t, 200, r.post("/api/advancedqueries/run", map[string]string{"Query": "DeviceInfo"}).status)
		g.hunt("DeviceInfo")
	}
	require.Equal(t, 429, r.post("/api/advancedqueries/run", map[string]string{"Query": "DeviceInfo"}).status)
	require.Equal(t, 429, g.post("/v1.0/security/runHuntingQuery", map[string]string{"Query": "DeviceInfo"}).status)
	clock.Advance(time.Minute)
	g.hunt("DeviceInfo")
}

func TestHuntingPermissions(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Apps: []mdesim.App{{ID: mdesim.DefaultAppID, Secret: mdesim.DefaultAppSecret, Roles: []string{"Machine.Read.All", "SecurityAlert.Read.All"}}}})
	body := map[string]string{"Query": "DeviceInfo"}
	refused(t, r.post("/api/advancedqueries/run", body), 403, "Forbidden", "AdvancedQuery.Read.All")
	declined(t, r.graph().post("/v1.0/security/runHuntingQuery", body), 403, "ThreatHunting.Read.All")
	require.Equal(t, 401, r.post("/v1.0/security/runHuntingQuery", body).status, "a token of the Defender API is not for Graph")
	require.Equal(t, 401, r.graph().post("/api/advancedqueries/run", body).status, "nor the other way round")
}
