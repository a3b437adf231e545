package mdesim_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// fresh is a tenant with a clock and one alert on host01 that nobody has touched.
func fresh(t *testing.T) (*rig, *clock, string) {
	t.Helper()
	now := newClock()
	r := serve(t, &mdesim.Tenant{Clock: now.Now})
	return r, now, r.get("/api/alerts?$top=1").values()[0]["id"].(string)
}

func (r *rig) patchAlert(id, body string) answer {
	r.t.Helper()
	return r.send(http.MethodPatch, "/api/alerts/"+id, body)
}

func TestUpdateAlert(t *testing.T) {
	t.Parallel()
	r, now, id := fresh(t)
	before := r.get("/api/alerts/" + id)
	now.Advance(time.Minute)
	a := r.patchAlert(id, `{"status":"Resolved","assignedTo":"secop2@contoso.com","classification":"FalsePositive","determination":"NotMalicious","comment":"a test"}`)
	require.Equal(t, 200, a.status, string(a.raw))
	at := now.Now().Format(time.RFC3339)
	require.Equal(t, []string{id, "Resolved", "secop2@contoso.com", "FalsePositive", "Clean", at, at},
		[]string{a.str("id"), a.str("status"), a.str("assignedTo"), a.str("classification"), a.str("determination"), a.str("resolvedTime"), a.str("lastUpdateTime")})
	require.Equal(t, []any{map[string]any{"comment": "a test", "createdBy": "mde-ops worker", "createdTime": at}}, a.body["comments"])
	require.Equal(t, before.body["evidence"], a.body["evidence"], "all else stays")
	require.Equal(t, a.body, r.get("/api/alerts/"+id).body)

	now.Advance(time.Minute)
	a = r.patchAlert(id, `{"comment":"more"}`)
	require.Equal(t, at, a.str("resolvedTime"))
	require.Equal(t, "Clean", a.str("determination"))
	require.Len(t, a.body["comments"], 2)
	a = r.patchAlert(id, `{"status":"InProgress","classification":"TruePositive"}`)
	require.Nil(t, a.body["resolvedTime"], "it is not resolved any more")
	require.Nil(t, a.body["determination"], "Clean does not go with TruePositive")
	require.Len(t, r.filter("alerts", "status eq 'InProgress' and id eq '"+id+"'").values(), 1)

	effects := r.Effects()
	require.Len(t, effects, 3)
	require.Equal(t, []string{mdesim.TypeUpdateAlert, "PATCH", "/api/alerts/" + id, r.Device("host01").ID, "Resolved", "a test", "mde-ops worker"},
		[]string{effects[0].Type, effects[0].Method, effects[0].Path, effects[0].MachineID, effects[0].Scope, effects[0].Comment, effects[0].Requestor})
}

func TestUpdateAlertRefusals(t *testing.T) {
	t.Parallel()
	r, _, id := fresh(t)
	for body, want := range map[string]struct{ code, text string }{
		``:                         {"MissingRequiredParameter", "nothing to update"},
		`{}`:                       {"MissingRequiredParameter", "nothing to update"},
		`{"comment":""}`:           {"MissingRequiredParameter", "nothing to update"},
		`{"Status":"Resolved"}`:    {"InvalidRequestBody", "case-sensitive"},
		`{"severity":"Low"}`:       {"InvalidRequestBody", "'severity'"},
		`{"status":5}`:             {"InvalidRequestBody", "must be a string"},
		`[]`:                       {"InvalidRequestBody", "not a JSON object"},
		`{"status":"resolved"}`:    {"InvalidInput", "not a status"},
		`{"status":"Unknown"}`:     {"InvalidInput", "not a status"},
		`{"classification":"Bad"}`: {"InvalidInput", "not a classification"},
		`{"determination":"Apt"}`:  {"InvalidInput", "not a determination"},
		`{"classification":"TruePositive","determination":"Clean"}`:                             {"InvalidInput", "does not go with"},
		`{"classification":"FalsePositive","determination":"ConfirmedActivity"}`:                {"InvalidInput", "does not go with"},
		`{"classification":"InformationalExpectedActivity","determination":"CompromisedUser"}`:  {"InvalidInput", "does not go with"},
		`{"classification":"InformationalExpectedActivity","determination":"InsufficientData"}`: {"InvalidInput", "does not go with"},
	} {
		refused(t, r.patchAlert(id, body), 400, want.code, want.text)
	}
	refused(t, r.patchAlert("da1_1", `{"comment":"x"}`), 404, "ResourceNotFound", "da1_1")
	require.Empty(t, r.Effects())
	require.Equal(t, "New", r.get("/api/alerts/"+id).str("status"))
	require.Equal(t, 200, r.patchAlert(id, `{"classification":"TruePositive"}`).status)
	refused(t, r.patchAlert(id, `{"determination":"Clean"}`), 400, "InvalidInput", "TruePositive")
	require.Equal(t, 200, r.patchAlert(id, `{"classification":"FalsePositive","determination":"Malware"}`).status, "as in the page's sample")
}

func TestBatchUpdateAlerts(t *testing.T) {
	t.Parallel()
	r, _, _ := fresh(t)
	all := r.get("/api/alerts?$top=3").values()
	id := func(i int) string { return all[i]["id"].(string) }
	send := func(body string) answer { return r.send(http.MethodPost, "/api/alerts/batchUpdate", body) }
	a := send(fmt.Sprintf(`{"alertIds":[%q,%q,%q],"status":"Resolved","comment":"done"}`, id(0), id(1), id(0)))
	require.Equal(t, 200, a.status, string(a.raw))
	require.Empty(t, a.raw, "the page's answer has no body")
	for i, want := range []string{"Resolved", "Resolved"} {
		got := r.get("/api/alerts/" + id(i))
		require.Equal(t, want, got.str("status"))
		comments := got.body["comments"].([]any)
		require.Equal(t, "done", comments[len(comments)-1].(map[string]any)["comment"])
	}
	require.Len(t, r.get("/api/alerts/" + id(0)).body["comments"], 1, "a repeated id is one alert")
	require.Len(t, r.Effects(), 1)

	before := r.get("/api/alerts/" + id(2))
	refused(t, send(fmt.Sprintf(`{"alertIds":[%q,"da1_1"],"status":"Resolved"}`, id(2))), 404, "ResourceNotFound", "da1_1")
	refused(t, send(`{"alertIds":[],"status":"Resolved"}`), 400, "MissingRequiredParameter", "alertIds")
	refused(t, send(`{"status":"Resolved"}`), 400, "MissingRequiredParameter", "alertIds")
	refused(t, send(`{"alertIds":"x","status":"Resolved"}`), 400, "InvalidRequestBody", "list of strings")
	refused(t, send(fmt.Sprintf(`{"alertIds":[%q]}`, id(2))), 400, "MissingRequiredParameter", "nothing to update")
	refused(t, send(fmt.Sprintf(`{"AlertIds":[%q],"status":"Resolved"}`, id(2))), 400, "InvalidRequestBody", "AlertIds")
	require.Equal(t, before.body, r.get("/api/alerts/"+id(2)).body, "all or none")
	require.Len(t, r.Effects(), 1)
}

// event is a process that hunting shows on host01, as an alert by reference names it.
func (r *rig) event() map[string]string {
	r.t.Helper()
	rows := r.graph().hunt("DeviceProcessEvents | where DeviceName == 'host01.contoso.com' and FileName == 'powershell.exe' | take 1")
	require.Len(r.t, rows, 1)
	return map[string]string{
		"eventTime": rows[0]["Timestamp"].(string), "reportId": fmt.Sprintf("%.0f", rows[0]["ReportId"]), "machineId": rows[0]["DeviceId"].(string),
		"severity": "Low", "title": "odd shell", "description": "d", "recommendedAction": "look", "category": "Execution",
	}
}

func TestCreateAlertByReference(t *testing.T) {
	t.Parallel()
	r, now, _ := fresh(t)
	event := r.event()
	a := r.post("/api/alerts/CreateAlertByReference", event)
	require.Equal(t, 200, a.status, string(a.raw))
	id := a.str("id")
	require.Equal(t, []string{"odd shell", "Low", "Execution", "New", "host01.contoso.com", event["machineId"]},
		[]string{a.str("title"), a.str("severity"), a.str("category"), a.str("status"), a.str("computerDnsName"), a.str("machineId")})
	require.Equal(t, id, r.get("/api/alerts?$top=1").values()[0]["id"], "it is the newest")
	require.Equal(t, id, r.get(fmt.Sprintf("/api/investigations/%.0f", a.body["investigationId"])).str("triggeringAlertId"))

	now.Advance(time.Minute)
	again := r.post("/api/alerts/CreateAlertByReference", event)
	require.Equal(t, id, again.str("id"), "it joins the open alert of this title")
	require.NotEqual(t, a.str("lastUpdateTime"), again.str("lastUpdateTime"))
	require.Len(t, r.get("/api/alerts").values(), 61)
	require.Equal(t, 200, r.patchAlert(id, `{"status":"Resolved"}`).status)
	require.NotEqual(t, id, r.post("/api/alerts/CreateAlertByReference", event).str("id"), "the alert is not open any more")
	require.Len(t, r.Effects(), 4)
}

func TestCreateAlertByReferenceRefusals(t *testing.T) {
	t.Parallel()
	r, _, _ := fresh(t)
	for _, tc := range []struct {
		name, value string
		status      int
		code, text  string
	}{
		{"eventTime", "2026-11-22T08:59:59.1234567Z", 404, "ResourceNotFound", "no event"},
		{"reportId", "1", 404, "ResourceNotFound", "no event"},
		{"machineId", r.Device("host02").ID, 404, "ResourceNotFound", "no event"},
		{"machineId", strings.Repeat("f", 40), 404, "ResourceNotFound", "no event"},
		{"eventTime", "yesterday", 400, "InvalidInput", "eventTime"},
		{"severity", "Informational", 400, "InvalidInput", "not a severity"},
		{"category", "execution", 400, "InvalidInput", "not a category"},
		{"title", " ", 400, "MissingRequiredParameter", "'title'"},
		{"recommendedAction", "", 400, "MissingRequiredParameter", "'recommendedAction'"},
		{"Title", "x", 400, "InvalidRequestBody", "case-sensitive"},
	} {
		event := r.event()
		event[tc.name] = tc.value
		refused(t, r.post("/api/alerts/CreateAlertByReference", event), tc.status, tc.code, tc.text)
	}
	require.Empty(t, r.Effects())
	require.Len(t, r.get("/api/alerts").values(), 60)
}

func TestWritingAlertsNeedsItsRole(t *testing.T) {
	t.Parallel()
	r, _, id := fresh(t)
	r.token = tokenOf(t, r.server.AppCredential(mdesim.DefaultReaderID, mdesim.DefaultReaderSecret))
	for _, a := range []answer{
		r.patchAlert(id, `{"status":"Resolved"}`), r.post("/api/alerts/batchUpdate", nil), r.post("/api/alerts/CreateAlertByReference", nil),
		r.post("/api/machines/"+r.Device("host01").ID+"/startInvestigation", nil),
	} {
		refused(t, a, 403, "Forbidden", "Alert.ReadWrite.All")
	}
	require.Empty(t, r.Effects())
}

func TestRelatedOfOneAlert(t *testing.T) {
	t.Parallel()
	r, _, id := fresh(t)
	host := r.Device("host01")
	at := "/api/alerts/" + id
	files := r.get(at + "/files").values()
	require.Len(t, files, 1)
	require.Equal(t, "ff836cfb1af40252bd2a2ea843032e99a5b262ed", files[0]["sha1"])
	require.Len(t, files[0]["md5"], 32)
	require.Equal(t, []map[string]any{{"id": "198.51.100.23"}}, r.get(at+"/ips").values())
	require.Empty(t, r.get(at+"/domains").values())
	require.Equal(t, host.ID, r.get(at+"/machine").str("id"))
	user := r.get(at + "/user")
	require.Equal(t, `contoso\anna.berg`, user.str("id"))
	require.InDelta(t, 2, user.body["logOnMachinesCount"], 0, "her computer and her telephone")
	require.ElementsMatch(t, []string{host.ID, r.Device("iphone-anna").ID}, []string{user.str("mostPrevalentMachineId"), user.str("leastPrevalentMachineId")})
	for _, part := range []string{"domains", "files", "ips", "machine", "user"} {
		refused(t, r.get("/api/alerts/da1_1/"+part), 404, "ResourceNotFound", "da1_1")
	}
	lost := r.RaiseAlert(mdesim.Alert{Title: "of a device that is gone", MachineID: "nobody"})
	refused(t, r.get("/api/alerts/"+lost.ID+"/machine"), 404, "ResourceNotFound", "nobody")
	refused(t, r.get("/api/alerts/"+lost.ID+"/user"), 404, "ResourceNotFound", lost.ID)
	require.Equal(t, []any{}, r.get("/api/alerts/" + lost.ID + "/files").body["value"])
	refused(t, r.get(at+"/files?$filter=sha1+eq+'x'"), 400, "ODataError", "$filter")
}
