package mdesim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func TestFilterMachines(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &mdesim.Tenant{Clock: now.Now, Devices: 40})
	for n, m := range []mdesim.Machine{
		{ComputerDNSName: "o'brien.test", RiskScore: "High", RBACGroupID: 7, MachineTags: []string{"it's", "b"}, LastSeen: epoch()},
		{ComputerDNSName: "and or (not).test", RiskScore: "Low", RBACGroupID: 8, LastSeen: epoch().Add(-48 * time.Hour), AADDeviceID: "FD2E4D29-7072-4195-aaa5-1af139b78028"},
	} {
		m.ID = strings.Repeat(string(rune('a'+n)), 40)
		m.Version = "test"
		r.AddDevice(m)
	}
	quote, words := "o'brien.test", "and or (not).test"
	for _, tc := range []struct {
		filter string
		want   []string
	}{
		{"computerDnsName eq 'o''brien.test'", []string{quote}},
		{"startswith(computerDnsName,'o''b')", []string{quote}},
		{"startswith( computerDnsName , 'and or (' )", []string{words}},
		{"computerDnsName eq 'and or (not).test'", []string{words}},
		{"computerDnsName eq 'O''BRIEN.test'", nil},
		{"id eq '" + strings.Repeat("a", 40) + "'", []string{quote}},
		{"riskScore eq 'High' and version eq 'test'", []string{quote}},
		{"version eq 'test' and riskScore ne 'High'", []string{words}},
		{"version eq 'test' and (riskScore eq 'High' or riskScore eq 'Low')", []string{quote, words}},
		{"version eq 'test' and riskScore eq 'High' or computerDnsName eq 'and or (not).test'", []string{quote, words}},
		{"computerDnsName eq 'and or (not).test' or version eq 'test' and riskScore eq 'High'", []string{quote, words}},
		{"version eq 'test' and not (riskScore eq 'High')", []string{words}},
		{"version eq 'test' and not riskScore eq 'High'", []string{words}},
		{"version eq 'test' and rbacGroupId gt 7", []string{words}},
		{"rbacGroupId ge 7 and rbacGroupId lt 8", []string{quote}},
		{"rbacGroupId le '7'", []string{quote}},
		{"version eq 'test' and lastSeen ge 2026-11-22", []string{quote}},
		{"version eq 'test' and lastSeen gt 2026-11-22T09:00:00Z", nil},
		{"version eq 'test' and lastSeen lt 2026-11-21Z", []string{words}},
		{"version eq 'test' and lastSeen eq '2026-11-22T10:00:00.000+01:00'", []string{quote}},
		{"version eq 'test' and lastSeen le 2026-11-20T09:00Z", []string{words}},
		{"aadDeviceId eq fd2e4d29-7072-4195-AAA5-1af139b78028", []string{words}},
		{"aadDeviceId eq 'fd2e4d29-7072-4195-aaa5-1af139b78028'", []string{words}},
		{"version eq 'test' and aadDeviceId eq null", []string{quote}},
		{"version eq 'test' and aadDeviceId ne null", []string{words}},
		{"machineTags/any(t:t eq 'it''s')", []string{quote}},
		{"machineTags/any(t: t eq 'b') and version eq 'test'", []string{quote}},
		{"version eq 'test' and machineTags/any(t:startswith(t,'it'))", []string{quote}},
		{"version eq 'test' and not machineTags/any(t:t eq 'b')", []string{words}},
	} {
		a := r.filter("machines", tc.filter)
		require.Equal(t, 200, a.status, "%s: %s", tc.filter, a.raw)
		require.ElementsMatch(t, tc.want, a.names(), tc.filter)
	}
}

func TestFilterRefusals(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Devices: 1})
	for _, tc := range []struct{ list, filter, text string }{
		{"machines", "firstSeen gt 2026-01-01", "'firstSeen' cannot be used"},
		{"machines", "ComputerDnsName eq 'x'", "'ComputerDnsName'"},
		{"machines", "healthStatus eq 'active'", "use one of Active"},
		{"machines", "healthStatus gt 'Active'", "operator gt"},
		{"machines", "computerDnsName eq host01", "single quotes"},
		{"machines", "computerDnsName eq 'host01", "unterminated"},
		{"machines", "computerDnsName = 'host01'", "unknown operator"},
		{"machines", "computerDnsName eq", "end of filter"},
		{"machines", "computerDnsName", "end of filter"},
		{"machines", "'x' eq computerDnsName", "expected a name"},
		{"machines", "contains(computerDnsName,'x')", "cannot be used"},
		{"machines", "startswith(healthStatus,'A')", "startswith cannot"},
		{"machines", "startswith(computerDnsName)", "expected ,"},
		{"machines", "startswith computerDnsName", "expected ("},
		{"machines", "startswith(computerDnsName,x)", "a quoted string"},
		{"machines", "startswith(nothing,'x')", "'nothing'"},
		{"machines", "(version eq 'a'", "expected )"},
		{"machines", "version eq 'a')", "unexpected \")\""},
		{"machines", "version eq 'a' version eq 'b'", "unexpected"},
		{"machines", "version eq 'a' and", "end of filter"},
		{"machines", "lastSeen gt yesterday", "not a date"},
		{"machines", "lastSeen gt null", "null cannot"},
		{"machines", "rbacGroupId eq 1.5", "not a whole number"},
		{"machines", "machineTags eq 'x'", "collection"},
		{"machines", "version/any(x:x eq 'x')", "not a collection"},
		{"machines", "machineTags/any(x:y eq 'x')", "unknown variable"},
		{"machines", "machineTags/any(x:startswith(y,'x'))", "unknown variable"},
		{"machines", "machineTags/any(x eq 'x')", "expected x:x"},
		{"machines", "machineTags/any(x:x ne 'x')", "expected eq"},
		{"machines", "machineTags/any x", "expected ("},
		{"machines", "nothing/any(x:x eq 'x')", "'nothing'"},
		{"machines", strings.Repeat("(", 1000), "nested deeper"},
		{"machines", strings.Repeat("not ", 1000), "nested deeper"},
		{"machines", "version eq '" + strings.Repeat("x", 9000) + "'", "longer than"},
		{"alerts", "title eq 'x'", "'title'"},
		{"alerts", "machineId eq 'x'", "'machineId'"},
		{"machineactions", "requestorComment eq 'tag'", "'requestorComment'"},
		{"machineactions", "status eq 'Canceled'", "Cancelled"},
	} {
		refused(t, r.filter(tc.list, tc.filter), 400, "ODataError", tc.text)
	}
}

func TestFilterAlertsAndActions(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &mdesim.Tenant{Clock: now.Now})
	incident, investigation := int64(77), int64(88)
	raised := r.RaiseAlert(mdesim.Alert{
		Title: "live", MachineID: r.Device("host02").ID, IncidentID: &incident, InvestigationID: &investigation,
		AssignedTo: "zoe@contoso.com", Category: "Ransomware", DetectionSource: "Custom", Severity: "UnSpecified",
	})
	for _, f := range []string{
		"id eq '" + raised.ID + "'", "incidentId eq 77", "InvestigationId eq 88", "investigationId eq 88",
		"assignedTo eq 'zoe@contoso.com'", "detectionSource eq 'Custom'", "severity eq 'UnSpecified'",
		"alertCreationTime ge " + epoch().Format(time.RFC3339), "lastUpdateTime ge 2026-11-22T09:00:00Z",
		"lastEventTime ge 2026-11-22T09:00:00Z", "category eq 'Ransomware' and status eq 'New' and assignedTo ne null and incidentId eq 77",
	} {
		got := r.filter("alerts", f).values()
		require.Len(t, got, 1, f)
		require.Equal(t, "live", got[0]["title"])
	}
	id := r.isolate(r.Device("host02").ID).str("id")
	now.Advance(time.Minute)
	r.isolate(r.Device("host03").ID)
	for f, n := range map[string]int{
		"id eq '" + id + "'": 1, "id eq " + strings.ToUpper(id): 1, "status eq 'Pending'": 1, "status eq 'Succeeded'": 1,
		"type eq 'Isolate'": 2, "type eq 'Unisolate'": 0, "requestor eq 'mde-ops worker'": 2,
		"machineId eq '" + r.Device("host03").ID + "'": 1, "creationDateTimeUtc gt 2026-11-22T09:00:00Z": 1,
	} {
		require.Len(t, r.filter("machineactions", f).values(), n, f)
	}
	all := r.get("/api/machineactions").values()
	require.Equal(t, r.Device("host03").ID, all[0]["machineId"], "newest first")
}
