package mdesim_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

const scans, scanAgents = "/api/DeviceAuthenticatedScanDefinitions", "/api/DeviceAuthenticatedScanAgents"

// scanBody is a good body with some of its properties spoiled.
func scanBody(agent string) string {
	return `{"scanType":"Network","scanName":"test","isActive":true,"target":"10.0.0.1,10.0.0.2,10.0.0.3,10.0.0.4","intervalInHours":1,"targetType":"Ip",
		"scannerAgent":{"machineId":"` + agent + `"},"scanAuthenticationParams":{"@odata.type":"#microsoft.windowsDefenderATP.api.SnmpAuthParams",
		"type":"CommunityString","communityString":"word-3"}}`
}

func TestScansRunByTheClock(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &mdesim.Tenant{Clock: now.Now, TokenLife: 1000 * time.Hour})
	agent := r.ScanAgents()[0]
	made := r.send(http.MethodPost, scans, scanBody(agent))
	require.Equal(t, 200, made.status, string(made.raw))
	require.Nil(t, made.body["scanAuthenticationParams"], "writes do not show it")
	require.Nil(t, made.body["latestScan"].(map[string]any)["status"])
	id := made.str("id")
	history := func() []map[string]any {
		a := r.send(http.MethodPost, scans+"/GetScanHistoryByScanDefinitionId", `{"ScanDefinitionIds":["`+id+`"]}`)
		require.Equal(t, 200, a.status, string(a.raw))
		return a.values()
	}
	require.Empty(t, history())
	now.Advance(5 * time.Minute)
	require.Len(t, history(), 1)
	require.Equal(t, agent, history()[0]["ScannerId"])
	now.Advance(2 * time.Hour)
	require.Len(t, r.ScanSessions(id), 3)
	require.Len(t, history(), 1, "the last run of each definition")
	session := r.ScanSessions(id)[2]
	run := r.send(http.MethodPost, scans+"/GetScanHistoryBySessionId", `{"SessionIds":["`+session+`"]}`).values()
	require.Len(t, run, 1)
	require.Equal(t, id, run[0]["ScanDefinitionIds"])
	require.Equal(t, history()[0]["LastScanned"], run[0]["LastScanned"])
	require.Equal(t, history()[0]["ScanStatus"], run[0]["ScanStatus"])
	require.Len(t, run[0]["ListScannedTargets"], 4)

	changed := r.send(http.MethodPatch, scans+"/"+id, `{"isActive":false,"scanName":"other"}`)
	require.Equal(t, "other", changed.str("scanName"))
	require.Equal(t, "10.0.0.1,10.0.0.2,10.0.0.3,10.0.0.4", changed.str("target"), "what is left out stays")
	now.Advance(100 * time.Hour)
	require.Len(t, r.ScanSessions(id), 3, "it is switched off")
	r.send(http.MethodPatch, scans+"/"+id, `{"isActive":true}`)
	r.SetOffline(agent, true)
	now.Advance(time.Hour)
	require.Equal(t, "Fail", history()[0]["ScanStatus"], "its device cannot be reached")
	now.Advance(500 * time.Hour)
	require.Len(t, r.ScanSessions(id), 50, "older runs are forgotten")

	require.Equal(t, 200, r.send(http.MethodPost, scans+"/BatchDelete", `{"ScanDefinitionIds":["`+id+`"]}`).status)
	refused(t, r.send(http.MethodPatch, scans+"/"+id, `{"isActive":true}`), 404, "ResourceNotFound", id)
	var types []string
	for _, e := range r.Effects() {
		require.Equal(t, id, e.ActionID)
		types = append(types, e.Type)
	}
	require.Equal(t, []string{mdesim.TypeCreateScan, mdesim.TypeUpdateScan, mdesim.TypeUpdateScan, mdesim.TypeDeleteScan}, types)
}

func TestScanListsAndAgents(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	all := r.get(scanAgents).values()
	require.NotEmpty(t, all)
	agent := all[0]["machineId"].(string)
	require.Equal(t, r.Device(agent).ComputerDNSName, all[0]["computerDnsName"])
	for _, id := range []string{agent, all[0]["id"].(string)} {
		require.Equal(t, agent, r.get(scanAgents + "/" + id).values()[0]["machineId"])
	}
	refused(t, r.get(scanAgents+"/nobody"), 404, "ResourceNotFound", "nobody")
	definitions := r.get(scans).values()
	require.Len(t, definitions, 1)
	require.Equal(t, mdesim.SeededScanPassword, definitions[0]["scanAuthenticationParams"].(map[string]any)["authPassword"], "the documented list shows it")
	require.NotNil(t, definitions[0]["latestScan"].(map[string]any)["status"])
	r.UpdateDevice(agent, func(m *mdesim.Machine) { m.OnboardingStatus = "CanBeOnboarded" })
	refused(t, r.get(scanAgents+"/"+agent), 404, "ResourceNotFound", agent)
	none := serve(t, &mdesim.Tenant{Devices: -1})
	require.Empty(t, none.get(scanAgents).values())
	require.Empty(t, none.get(scans).values())
}

func TestScanRefusals(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	agent, seeded := r.ScanAgents()[0], r.get(scans).values()[0]["id"].(string)
	for _, tc := range []struct{ method, path, body, code, text string }{
		{"POST", "", `{}`, "MissingRequiredParameter", "scanType"},
		{"POST", "", `{"ScanType":"Network"}`, "InvalidRequestBody", "ScanType"},
		{"POST", "", scanBody(r.Device("host01").ID), "InvalidInput", "not a scan agent"},
		{"PATCH", "/" + seeded, `{"scanType":"Windows"}`, "InvalidInput", "Windows"},
		{"PATCH", "/" + seeded, `{"scanName":" "}`, "MissingRequiredParameter", "scanName"},
		{"PATCH", "/" + seeded, `{"intervalInHours":0}`, "InvalidInput", "intervalInHours"},
		{"PATCH", "/" + seeded, `{"intervalInHours":"1"}`, "InvalidRequestBody", "intervalInHours"},
		{"PATCH", "/" + seeded, `{"targetType":"Name"}`, "InvalidInput", "Name"},
		{"PATCH", "/" + seeded, `{"target":"switch"}`, "InvalidInput", "switch"},
		{"PATCH", "/" + seeded, `{"targetType":"Hostname"}`, "InvalidInput", "10.250.0.1"},
		{"PATCH", "/" + seeded, `{"scannerAgent":{"machineId":"x"}}`, "InvalidInput", "'x'"},
		{"PATCH", "/" + seeded, `{"scanAuthenticationParams":null}`, "InvalidRequestBody", "object"},
		{"PATCH", "/" + seeded, `{"scanAuthenticationParams":{"type":"AuthPriv"}}`, "InvalidRequestBody", "@odata.type"},
		{"PATCH", "/" + seeded, `{"scanAuthenticationParams":{"@odata.type":"#microsoft.windowsDefenderATP.api.SnmpAuthParams","type":"x"}}`, "InvalidInput", "CommunityString"},
		{"PATCH", "/" + seeded, `{"scanAuthenticationParams":{"@odata.type":"#microsoft.windowsDefenderATP.api.SnmpAuthParams","type":"NoAuthNoPriv"}}`, "MissingRequiredParameter", "username"},
		{"POST", "/BatchDelete", `{"ScanDefinitionIds":[]}`, "MissingRequiredParameter", "ScanDefinitionIds"},
		{"POST", "/GetScanHistoryBySessionId", `{"SessionIds":"x"}`, "InvalidRequestBody", "SessionIds"},
	} {
		refused(t, r.send(tc.method, scans+tc.path, tc.body), 400, tc.code, tc.text)
	}
	refused(t, r.send(http.MethodPost, scans+"/BatchDelete", `{"ScanDefinitionIds":["`+seeded+`","x"]}`), 404, "ResourceNotFound", "x")
	refused(t, r.send(http.MethodPost, scans+"/GetScanHistoryByScanDefinitionId", `{"ScanDefinitionIds":["x"]}`), 404, "ResourceNotFound", "x")
	require.Len(t, r.get(scans).values(), 1, "all or nothing")
	require.Empty(t, r.Effects())
	require.Equal(t, 200, r.send(http.MethodPost, scans, scanBody(agent)).status)
}
