package mdecore_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// build makes a request that succeeds when the caller sends it now. What it needs in the tenant it makes first, so that each
// request acts on something of its own.
type build = func(t *testing.T, w *world, by caller) request

// bare is a request without parameters.
func bare(*testing.T, *world, caller) request { return request{} }

// of is a read whose only parameter is the id of a list's first item.
func of(parameter, list string) build {
	return func(t *testing.T, w *world, _ caller) request {
		return request{params: map[string]string{parameter: w.first(t, list, "id")}}
	}
}

// about is a read of something that is seeded.
func about(parameter, value string) build {
	return func(*testing.T, *world, caller) request { return request{params: map[string]string{parameter: value}} }
}

// onDevice is a write on a new device.
func onDevice(body map[string]any) build {
	return func(_ *testing.T, w *world, _ caller) request {
		return request{params: map[string]string{"machine_id": w.device().ID}, body: body}
	}
}

// commented is the body of a write that needs a comment, with more fields as pairs.
func commented(more ...string) map[string]any {
	body := map[string]any{"Comment": "tried"}
	for i := 0; i+1 < len(more); i += 2 {
		body[more[i]] = more[i+1]
	}
	return body
}

func comment(more ...string) build { return onDevice(commented(more...)) }

// after is a request on a device on which another operation was performed first.
func after(first string) build {
	return func(t *testing.T, w *world, _ caller) request {
		req := comment()(t, w, caller{})
		a := w.send(t, rowOf(t, first), req, caller{name: everyApp})
		require.Equal(t, http.StatusCreated, a.status, "%s", a.raw)
		return req
	}
}

// action is the id of an action that an operation starts.
func action(t *testing.T, w *world, operation string, req request) string {
	t.Helper()
	a := w.send(t, rowOf(t, operation), req, caller{name: everyApp})
	require.Less(t, a.status, 300, "%s", a.raw)
	require.IsType(t, "", a.body["id"])
	w.advance(time.Second) // a live response lasts for a moment at least
	return a.body["id"].(string)
}

func byAction(id string) request { return request{params: map[string]string{"action_id": id}} }

func liveResponse() map[string]any {
	return map[string]any{"Comment": "look", "Commands": []any{map[string]any{
		"type": "RunScript", "params": []any{map[string]any{"key": "ScriptName", "value": "inventory.ps1"}, map[string]any{"key": "Args", "value": "out"}},
	}}}
}

// cancelling cancels an action of the kind that the caller may cancel: one of a device that cannot be reached, so that it is open.
func cancelling(t *testing.T, w *world, by caller) request {
	t.Helper()
	operation, body := "isolate_machine", commented()
	switch by.permission {
	case "Machine.CollectForensics":
		operation = "collect_investigation_package"
	case "Machine.RestrictExecution":
		operation = "restrict_code_execution"
	case "Machine.Scan":
		operation, body = "run_antivirus_scan", commented("ScanType", "Quick")
	case "Machine.Offboard":
		operation = "offboard_machine"
	case "Machine.StopAndQuarantine":
		operation, body = "stop_and_quarantine_file", commented("Sha1", strings.Repeat("ab", 20))
	case "Machine.LiveResponse":
		operation, body = "run_live_response", liveResponse()
	}
	req := onDevice(body)(t, w, by)
	w.tenant.SetOffline(req.params["machine_id"], true)
	cancel := byAction(action(t, w, operation, req))
	cancel.body = commented()
	return cancel
}

func packageAction(t *testing.T, w *world, by caller) request {
	t.Helper()
	return byAction(action(t, w, "collect_investigation_package", comment()(t, w, by)))
}

func resultOfCommand(t *testing.T, w *world, by caller) request {
	t.Helper()
	req := byAction(action(t, w, "run_live_response", onDevice(liveResponse())(t, w, by)))
	req.params["command_index"] = "0"
	return req
}

// at is a request for the devices of an address.
func at(quote string) build {
	return func(_ *testing.T, w *world, _ caller) request {
		ip := quote + string(w.tenant.Device("host01").LastIPAddress) + quote
		return request{params: map[string]string{"ip": ip, "timestamp": w.time().Add(-time.Minute).Format(time.RFC3339)}}
	}
}

func raised(w *world) string {
	alert := mdesim.Alert{Title: fmt.Sprint("alert ", w.count.Add(1)), MachineID: w.tenant.Device("host01").ID}
	return w.tenant.RaiseAlert(alert).ID
}

func alertChange(_ *testing.T, w *world, _ caller) request {
	return request{
		params: map[string]string{"alert_id": raised(w)},
		body: map[string]any{
			"status": "InProgress", "assignedTo": "alice@contoso.com", "classification": "TruePositive", "determination": "Malware", "comment": "seen",
		},
	}
}

func graphAlertChange(_ *testing.T, w *world, _ caller) request {
	return request{params: map[string]string{"alert_id": raised(w)}, body: map[string]any{"status": "inProgress", "assignedTo": "alice@contoso.com"}}
}

func incidentChange(t *testing.T, w *world, by caller) request {
	t.Helper()
	req := of("incident_id", "/v1.0/security/incidents?$top=1")(t, w, by)
	req.body = map[string]any{"status": "inProgress", "assignedTo": "alice@contoso.com"}
	return req
}

// event is the body of a new alert about something that hunting shows.
func event(t *testing.T, w *world, _ caller) request {
	t.Helper()
	query := "DeviceProcessEvents | where DeviceName == 'host01.contoso.com' | project Timestamp, ReportId, DeviceId | take 1"
	a := w.send(t, rowOf(t, "run_advanced_query"), request{body: map[string]any{"Query": query}}, caller{name: everyApp})
	rows, _ := a.body["Results"].([]any)
	require.Len(t, rows, 1, "%s", a.raw)
	row := rows[0].(map[string]any)
	return request{body: map[string]any{
		"eventTime": row["Timestamp"], "reportId": fmt.Sprint(row["ReportId"]), "machineId": row["DeviceId"], "severity": "Low",
		"title": fmt.Sprint("raised ", w.count.Add(1)), "description": "an odd shell", "recommendedAction": "look", "category": "Execution",
	}}
}

// freshIndicator is an indicator of an address that has none.
func freshIndicator(w *world) map[string]any {
	n := w.count.Add(1)
	return map[string]any{
		"indicatorValue": fmt.Sprintf("198.18.%d.%d", n/250, 1+n%250), "indicatorType": "IpAddress", "action": "Block", "title": "a title",
		"description": "a reason", "application": "an application", "severity": "High", "expirationTime": w.time().AddDate(0, 1, 0).Format(time.RFC3339),
		"rbacGroupNames": []any{"The-A-Team"},
	}
}

func indicator(_ *testing.T, w *world, _ caller) request { return request{body: freshIndicator(w)} }

// submitted is the id of a new indicator of the caller: with Ti.ReadWrite an application may touch its own only.
func submitted(t *testing.T, w *world, by caller) string {
	t.Helper()
	a := w.send(t, rowOf(t, "submit_indicator"), indicator(t, w, by), by)
	require.Equal(t, http.StatusOK, a.status, "%s", a.raw)
	return a.body["id"].(string)
}

func indicatorCalls() map[string]build {
	return map[string]build{
		"list_indicators":  bare,
		"submit_indicator": indicator,
		"import_indicators": func(_ *testing.T, w *world, _ caller) request {
			return request{body: map[string]any{"Indicators": []any{freshIndicator(w), freshIndicator(w)}}}
		},
		"batch_delete_indicators": func(t *testing.T, w *world, by caller) request {
			return request{body: map[string]any{"IndicatorIds": []any{submitted(t, w, by), submitted(t, w, by)}}}
		},
		"delete_indicator": func(t *testing.T, w *world, by caller) request {
			return request{params: map[string]string{"indicator_id": submitted(t, w, by)}}
		},
	}
}

func libraryCalls() map[string]build {
	upload := func(t *testing.T, w *world) request {
		t.Helper()
		return form(t, "File", fmt.Sprintf("script%d.ps1", w.count.Add(1)))
	}
	return map[string]build{
		"list_library_files":  bare,
		"upload_library_file": func(t *testing.T, w *world, _ caller) request { return upload(t, w) },
		"delete_library_file": func(t *testing.T, w *world, by caller) request {
			a := w.send(t, rowOf(t, "upload_library_file"), upload(t, w), by)
			require.Equal(t, http.StatusOK, a.status, "%s", a.raw)
			return request{params: map[string]string{"file_name": a.body["fileName"].(string)}}
		},
	}
}

const definitions = "/api/DeviceAuthenticatedScanDefinitions"

func definition(w *world) map[string]any {
	return map[string]any{
		"scanType": "Network", "scanName": fmt.Sprint("scan ", w.count.Add(1)), "isActive": true, "target": "10.250.9.1,10.250.9.2", "intervalInHours": 4,
		"targetType": "Ip", "scannerAgent": map[string]any{"machineId": w.tenant.ScanAgents()[0]},
		"scanAuthenticationParams": map[string]any{
			"@odata.type": "#microsoft.windowsDefenderATP.api.SnmpAuthParams", "type": "NoAuthNoPriv", "username": "scanner",
		},
	}
}

func scanCalls() map[string]build {
	defined := func(t *testing.T, w *world) string {
		t.Helper()
		a := w.send(t, rowOf(t, "create_scan_definition"), request{body: definition(w)}, caller{name: everyApp})
		require.Equal(t, http.StatusOK, a.status, "%s", a.raw)
		return a.body["id"].(string)
	}
	return map[string]build{
		"list_scan_definitions": bare,
		"list_scan_agents":      bare,
		"get_scan_agent":        of("agent_id", "/api/DeviceAuthenticatedScanAgents"),
		"get_scan_history_by_definition": func(t *testing.T, w *world, _ caller) request {
			return request{body: map[string]any{"ScanDefinitionIds": []any{w.first(t, definitions, "id")}}}
		},
		"get_scan_history_by_session": func(t *testing.T, w *world, _ caller) request {
			return request{body: map[string]any{"SessionIds": []any{w.tenant.ScanSessions(w.first(t, definitions, "id"))[0]}}}
		},
		"create_scan_definition": func(_ *testing.T, w *world, _ caller) request { return request{body: definition(w)} },
		"update_scan_definition": func(t *testing.T, w *world, _ caller) request {
			return request{params: map[string]string{"scan_definition_id": defined(t, w)}, body: map[string]any{"scanName": "renamed"}}
		},
		"batch_delete_scan_definitions": func(t *testing.T, w *world, _ caller) request {
			return request{body: map[string]any{"ScanDefinitionIds": []any{defined(t, w)}}}
		},
	}
}

func graphCalls() map[string]build {
	const alerts, incidents = "/v1.0/security/alerts_v2?$top=1", "/v1.0/security/incidents?$top=1"
	return map[string]build{
		"run_hunting_query": func(*testing.T, *world, caller) request {
			return request{body: map[string]any{"Query": "DeviceInfo | take 1"}}
		},
		"list_incidents": bare, "get_incident": of("incident_id", incidents), "update_incident": incidentChange,
		"list_alerts_v2": bare, "get_alert_v2": of("alert_id", alerts), "update_alert_v2": graphAlertChange,
	}
}

func alertCalls() map[string]build {
	newest := of("alert_id", "/api/alerts?$top=1")
	return map[string]build{
		"list_alerts": bare, "get_alert": newest, "update_alert": alertChange, "create_alert_by_reference": event,
		"batch_update_alerts": func(_ *testing.T, w *world, _ caller) request {
			return request{body: map[string]any{"alertIds": []any{raised(w), raised(w)}, "status": "Resolved"}}
		},
		"list_alert_domains": newest, "list_alert_files": newest, "list_alert_ips": newest, "get_alert_machine": newest, "get_alert_user": newest,
		"list_investigations": bare, "get_investigation": of("investigation_id", "/api/investigations?$top=1"), "start_investigation": comment(),
		"run_advanced_query": func(*testing.T, *world, caller) request {
			return request{body: map[string]any{"Query": "DeviceInfo | take 1"}}
		},
	}
}

func machineCalls() map[string]build {
	host := func(_ *testing.T, w *world, _ caller) request {
		return request{params: map[string]string{"machine_id": w.tenant.Device("host01").ID}}
	}
	tag := map[string]any{"Value": "tried", "Action": "Add"}
	return map[string]build{
		"list_machines": bare, "get_machine": host, "list_machine_logon_users": host, "list_machine_alerts": host, "list_machine_software": host,
		"list_machine_vulnerabilities": host, "list_machine_recommendations": host, "list_machine_missing_kbs": host,
		"find_machines_by_ip": at(""), "find_machine_info_by_ip": at("'"),
		"find_machines_by_tag": func(*testing.T, *world, caller) request {
			return request{query: url.Values{"tag": {"workstation"}, "useStartsWithFilter": {"false"}}}
		},
		"add_or_remove_machine_tag": onDevice(tag), "set_device_value": onDevice(map[string]any{"DeviceValue": "High"}),
		"update_machine": onDevice(map[string]any{"machineTags": []any{"tried"}, "deviceValue": "Low"}),
		"add_or_remove_tag_for_multiple_machines": func(_ *testing.T, w *world, _ caller) request {
			return request{body: map[string]any{"Value": "tried", "Action": "Add", "MachineIds": []any{w.device().ID, w.device().ID}}}
		},
	}
}

func actionCalls() map[string]build {
	return map[string]build{
		"list_machine_actions": bare, "get_machine_action": packageAction, "get_investigation_package_uri": packageAction,
		"collect_investigation_package": comment(), "isolate_machine": comment("IsolationType", "Full"), "unisolate_machine": after("isolate_machine"),
		"restrict_code_execution": comment(), "unrestrict_code_execution": after("restrict_code_execution"),
		"run_antivirus_scan": comment("ScanType", "Quick"), "stop_and_quarantine_file": comment("Sha1", strings.Repeat("ab", 20)),
		"cancel_machine_action": cancelling, "offboard_machine": comment(),
		"run_live_response": onDevice(liveResponse()), "get_live_response_result_link": resultOfCommand,
	}
}

func entityCalls() map[string]build {
	file := func(t *testing.T, w *world, by caller) request {
		alert := of("alert_id", "/api/alerts?$top=1")(t, w, by).params["alert_id"]
		return request{params: map[string]string{"file_id": w.first(t, "/api/alerts/"+alert+"/files", "sha1")}}
	}
	ip, domain, user := about("ip", mdesim.SeededBadAddress), about("domain", mdesim.SeededBadDomain), about("user_id", "anna.berg")
	return map[string]build{
		"get_file": file, "list_file_alerts": file, "list_file_machines": file, "get_file_stats": file, "list_ip_alerts": ip, "get_ip_stats": ip,
		"list_domain_alerts": domain, "list_domain_machines": domain, "get_domain_stats": domain, "list_user_alerts": user, "list_user_machines": user,
	}
}

func exposureCalls() map[string]build {
	cve := of("cve_id", "/api/vulnerabilities?$top=1")
	product := of("software_id", "/api/Software?$top=1")
	advice := of("recommendation_id", "/api/recommendations?$filter="+url.QueryEscape("remediationType eq 'Update'"))
	task := of("task_id", "/api/remediationTasks?$top=1")
	return map[string]build{
		"list_vulnerabilities": bare, "list_vulnerabilities_by_machine_and_software": bare, "get_vulnerability": cve, "list_vulnerability_machines": cve,
		"list_software": bare, "get_software": product, "list_software_version_distribution": product, "list_software_machines": product,
		"list_software_vulnerabilities": product, "list_software_missing_kbs": product,
		"list_recommendations": bare, "get_recommendation": advice, "list_recommendation_machines": advice,
		"list_recommendation_vulnerabilities": advice, "get_recommendation_software": advice,
		"list_remediation_tasks": bare, "get_remediation_task": task, "list_remediation_task_machines": task,
		"get_exposure_score": bare, "list_exposure_score_by_machine_group": bare, "get_device_secure_score": bare,
	}
}

// assessmentCalls are the exports and what belongs to them.
func assessmentCalls() map[string]build {
	out := map[string]build{
		"export_software_vulnerabilities_delta": func(_ *testing.T, w *world, _ caller) request {
			return request{query: url.Values{"sinceTime": {w.time().AddDate(0, 0, -10).Format(time.RFC3339)}}}
		},
	}
	for _, id := range []string{
		"export_secure_config_assessment", "export_software_inventory_assessment", "export_non_cpe_software_inventory_assessment",
		"export_software_vulnerabilities_assessment", "export_browser_extensions_assessment", "export_certificate_assessment",
		"export_hardware_firmware_assessment", "export_baseline_compliance_assessment",
	} {
		out[id], out[id+"_files"] = bare, bare
	}
	for _, id := range []string{
		"export_information_gathering_files", "export_device_av_health_files", "list_device_av_info", "list_browser_extension_permissions",
		"list_baseline_configurations", "list_baseline_profiles",
	} {
		out[id] = bare
	}
	return out
}

// requestOf is the fixture of an operation.
func requestOf(t *testing.T, id string) build {
	t.Helper()
	for _, family := range []map[string]build{
		alertCalls(), machineCalls(), actionCalls(), libraryCalls(), indicatorCalls(), entityCalls(), exposureCalls(),
		assessmentCalls(), scanCalls(), graphCalls(),
	} {
		if b, ok := family[id]; ok {
			return b
		}
	}
	require.Fail(t, "there is no request for "+id, "add one to the fixtures in conformance_requests_test.go, so that the simulated tenant is tried with it")
	return nil
}
