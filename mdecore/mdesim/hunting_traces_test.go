package mdesim_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// What the process of the fresh alert did besides beaconing is in the tables, under its own id.
func TestHuntingShowsHowTheIntruderStaysAndGoesOn(t *testing.T) {
	t.Parallel()
	clock := newClock()
	r := serve(t, &mdesim.Tenant{Clock: clock.Now, ActionPending: -1, ActionRunning: -1})
	g := r.graph()
	host, server := r.Device("host01"), r.Device("srv-file01")
	process := g.hunt(fmt.Sprintf(`DeviceProcessEvents | where DeviceId == "%s" and FileName == "rundll32.exe"`, host.ID))[0]
	mine := fmt.Sprintf(` | where DeviceId == "%s" and InitiatingProcessId == %v`, host.ID, process["ProcessId"])
	one := func(query string) map[string]any {
		t.Helper()
		rows := g.hunt(query)
		require.Len(t, rows, 1, query)
		return rows[0]
	}

	run := one("DeviceRegistryEvents" + mine)
	require.Equal(t, "RegistryValueSet", run["ActionType"])
	require.Equal(t, fmt.Sprintf(`HKEY_CURRENT_USER\%s\SOFTWARE\Microsoft\Windows\CurrentVersion\Run`, process["AccountSid"]), run["RegistryKey"])
	require.Equal(t, process["ProcessCommandLine"], run["RegistryValueData"], "it starts itself again")
	require.Equal(t, []any{process["SHA1"], process["SHA256"], process["MD5"]},
		[]any{run["InitiatingProcessSHA1"], run["InitiatingProcessSHA256"], run["InitiatingProcessMD5"]})

	tampering := one("DeviceEvents" + mine)
	require.Equal(t, "TamperingAttempt", tampering["ActionType"])
	fields := map[string]string{}
	require.NoError(t, json.Unmarshal([]byte(tampering["AdditionalFields"].(string)), &fields))
	require.Equal(t, "Blocked", fields["Status"])
	require.Equal(t, fmt.Sprintf(`%s\%s`, tampering["RegistryKey"], tampering["RegistryValueName"]), fields["Target"])

	library := one("DeviceFileEvents" + mine)
	require.Equal(t, []any{"http://198.51.100.23/update.dll", "198.51.100.23", "Local", ""},
		[]any{library["FileOriginUrl"], library["FileOriginIP"], library["RequestProtocol"], library["ShareName"]})
	reached := one("DeviceNetworkEvents" + mine + " and RemotePort == 445")
	require.Equal(t, string(server.LastIPAddress), reached["RemoteIP"])

	fromHost := fmt.Sprintf(`DeviceLogonEvents | where DeviceId == "%s" and RemoteIP == "%s" | sort by Timestamp asc`, server.ID, host.LastIPAddress)
	signIns := g.hunt(fromHost)
	require.Len(t, signIns, 2)
	for i, want := range [][]any{
		{"LogonFailed", "administrator", "NTLM", "InvalidUserNameOrPassword"},
		{"LogonSuccess", "anna.berg", "Kerberos", ""},
	} {
		require.Equal(t, want, []any{signIns[i]["ActionType"], signIns[i]["AccountName"], signIns[i]["Protocol"], signIns[i]["FailureReason"]})
		require.Equal(t, []any{"Network", host.ComputerDNSName}, []any{signIns[i]["LogonType"], signIns[i]["RemoteDeviceName"]})
	}
	copied := one(fmt.Sprintf(`DeviceFileEvents | where DeviceId == "%s" and SHA1 == "%s"`, server.ID, library["SHA1"]))
	require.Equal(t, []any{"update.dll", "SMB", string(host.LastIPAddress), "anna.berg", "C$", "ntoskrnl.exe"}, []any{
		copied["FileName"], copied["RequestProtocol"], copied["RequestSourceIP"], copied["RequestAccountName"], copied["ShareName"], copied["InitiatingProcessFileName"],
	})

	before := g.hunt("DeviceEvents" + mine)
	require.Equal(t, 201, r.isolate(host.ID).status)
	require.Equal(t, signIns, g.hunt(fromHost), "what happened stays when the device is isolated")
	require.Equal(t, before, g.hunt("DeviceEvents"+mine))
}

// The usual day of a device has events of the same kinds, so that a query must choose.
func TestHuntingHasHarmlessEventsOfTheSameKinds(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Clock: newClock().Now, Devices: 1})
	g := r.graph()
	keys := g.hunt("DeviceRegistryEvents | where RegistryKey contains 'BLBeacon'")
	require.Len(t, keys, 1)
	require.Equal(t, []any{"1", "2", keys[0]["RegistryKey"], "msedge.exe"},
		[]any{keys[0]["RegistryValueData"], keys[0]["PreviousRegistryValueData"], keys[0]["PreviousRegistryKey"], keys[0]["InitiatingProcessFileName"]})
	require.Len(t, g.hunt("DeviceEvents | where ActionType == 'PowerShellCommand' and AdditionalFields has 'Get-Service'"), 1)
	renamed := g.hunt("DeviceFileEvents | where FileName == 'report.pdf' | sort by Timestamp asc")
	require.Len(t, renamed, 2)
	require.Equal(t, []any{"FileCreated", "", "FileRenamed", "Unconfirmed 482190.crdownload"},
		[]any{renamed[0]["ActionType"], renamed[0]["PreviousFileName"], renamed[1]["ActionType"], renamed[1]["PreviousFileName"]})
	require.Equal(t, "https://intranet.contoso.com/reports/report.pdf", renamed[1]["FileOriginUrl"])
	require.Empty(t, g.hunt("DeviceNetworkEvents | where RemotePort == 445"), "a tenant without the server has nobody who goes there")
	require.Empty(t, g.hunt("DeviceLogonEvents | where ActionType == 'LogonFailed'"))
}

// Other alerts leave what their titles say, on whatever device they are.
func TestHuntingShowsTheTracesOfOtherAlerts(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Clock: newClock().Now})
	g := r.graph()
	for query, process := range map[string]string{
		`DeviceEvents | where ActionType == "ScheduledTaskCreated" and AdditionalFields has "updater"`: "schtasks.exe",
		`DeviceEvents | where ActionType == "SecurityLogCleared"`:                                      "vssadmin.exe",
		`DeviceRegistryEvents | where RegistryValueName == "DisableAntiSpyware"`:                       "vssadmin.exe",
		`DeviceRegistryEvents | where RegistryKey endswith "Run" and RegistryValueData has "/s"`:       "regsvr32.exe",
		`DeviceNetworkEvents | where RemotePort == 445 and InitiatingProcessFileName == "PsExec.exe"`:  "PsExec.exe",
	} {
		rows := g.hunt(query)
		require.NotEmpty(t, rows, query)
		for _, row := range rows {
			require.Equal(t, process, row["InitiatingProcessFileName"], query)
			same := fmt.Sprintf(`DeviceProcessEvents | where DeviceId == "%s" and ProcessId == %v`, row["DeviceId"], row["InitiatingProcessId"])
			require.NotEmpty(t, g.hunt(same), "the process of an event is a process of the device")
		}
	}
	service := g.hunt(`DeviceFileEvents | where FileName == "PSEXESVC.exe"`)
	require.NotEmpty(t, service)
	require.Equal(t, []any{mdesimServer, "ADMIN$"}, []any{service[0]["DeviceName"], service[0]["ShareName"]})
}

const mdesimServer = "srv-file01.contoso.com"

func TestHuntingHasNobodyVisitTheirOwnDevice(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Clock: newClock().Now})
	g := r.graph()
	server := r.Device(mdesimServer)
	here := fmt.Sprintf(` | where DeviceId == "%s"`, server.ID)
	row := g.hunt("DeviceProcessEvents" + here + " | take 1")[0]
	a := r.post("/api/alerts/CreateAlertByReference", map[string]string{
		"eventTime": row["Timestamp"].(string), "reportId": fmt.Sprintf("%.0f", row["ReportId"]), "machineId": server.ID, "severity": "High",
		"title": "Possible lateral movement", "description": "d", "recommendedAction": "look", "category": "LateralMovement",
	})
	require.Equal(t, 200, a.status, string(a.raw))
	require.Len(t, g.hunt("DeviceProcessEvents"+here+" and FileName == 'PsExec.exe'"), 1)
	require.Empty(t, g.hunt("DeviceNetworkEvents"+here+" and RemotePort == 445"))
	require.Empty(t, g.hunt(fmt.Sprintf(`DeviceLogonEvents%s and RemoteIP == "%s"`, here, server.LastIPAddress)))
}
