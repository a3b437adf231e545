package mdesim_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func TestExposureFilters(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Devices: 120})
	first := func(list, property string) string { return r.get("/api/" + list).values()[0][property].(string) }
	machine := first("vulnerabilities/machinesVulnerabilities", "machineId")
	for _, tc := range []struct{ list, filter, property, want string }{
		{"vulnerabilities", "severity eq 'Critical'", "severity", "Critical"},
		{"vulnerabilities", "id eq 'CVE-2024-6387'", "name", "CVE-2024-6387"},
		{"vulnerabilities", "publishedOn ge 2025-01-01T00:00:00Z and severity eq 'High'", "severity", "High"},
		{"vulnerabilities/machinesVulnerabilities", "machineId eq '" + machine + "'", "machineId", machine},
		{"vulnerabilities/machinesVulnerabilities", "cveId eq 'CVE-2024-6387'", "productName", "openssh"},
		{"vulnerabilities/machinesVulnerabilities", "productVendor eq 'google' and severity eq 'High'", "productName", "chrome"},
		{"Software", "vendor eq 'google' and name eq 'chrome'", "id", "google-_-chrome"},
		{"Software", "startswith(id,'google-_-')", "vendor", "google"},
		{"recommendations", "remediationType eq 'ConfigurationChange' and recommendationCategory eq 'Network'", "recommendationCategory", "Network"},
		{"recommendations", "status eq 'Active' and vendor eq 'mozilla'", "productName", "firefox"},
		{"remediationTasks", "status eq 'Completed'", "status", "Completed"},
		{"remediationTasks", "createdon lt 2100-01-01T00:00:00Z and status eq 'Active'", "status", "Active"},
	} {
		a := r.filter(tc.list, tc.filter)
		require.Equal(t, 200, a.status, string(a.raw))
		found := a.values()
		require.NotEmpty(t, found, tc.filter)
		require.Less(t, len(found), len(r.get("/api/"+tc.list).values()), tc.filter)
		for _, v := range found {
			require.Equal(t, tc.want, v[tc.property], tc.filter)
		}
	}
	for filter, keep := range map[string]func(float64) bool{
		"cvssV3 ge 9": func(f float64) bool { return f >= 9 }, "cvssV3 lt 7.5": func(f float64) bool { return f < 7.5 },
		"cvssV3 eq 9.8": func(f float64) bool { return f == 9.8 }, "cvssV3 gt 9.5 and cvssV3 le 10": func(f float64) bool { return f > 9.5 },
	} {
		want := 0
		for _, v := range r.get("/api/vulnerabilities").values() {
			if keep(v["cvssV3"].(float64)) {
				want++
			}
		}
		require.NotZero(t, want, filter)
		require.Len(t, r.filter("vulnerabilities", filter).values(), want, filter)
	}
	refused(t, r.filter("vulnerabilities", "cvssV3 gt high"), 400, "ODataError", "not a number")
	require.Empty(t, r.filter("vulnerabilities", "publishedOn gt 2100-01-01Z").values())
}

func TestExposureRefusals(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Devices: 30})
	machine := "/api/machines/" + r.Device("host01").ID
	for _, tc := range []struct {
		path   string
		status int
		code   string
		text   string
	}{
		{"/api/vulnerabilities/CVE-1999-0001", 404, "ResourceNotFound", "CVE-1999-0001"},
		{"/api/vulnerabilities/CVE-1999-0001/machineReferences", 404, "ResourceNotFound", "CVE-1999-0001"},
		{"/api/Software/no-_-thing", 404, "ResourceNotFound", "no-_-thing"},
		{"/api/Software/no-_-thing/distributions", 404, "ResourceNotFound", "no-_-thing"},
		{"/api/Software/no-_-thing/machineReferences", 404, "ResourceNotFound", "no-_-thing"},
		{"/api/Software/no-_-thing/vulnerabilities", 404, "ResourceNotFound", "no-_-thing"},
		{"/api/Software/no-_-thing/getmissingkbs", 404, "ResourceNotFound", "no-_-thing"},
		{"/api/recommendations/va-_-no-_-thing", 404, "ResourceNotFound", "va-_-no-_-thing"},
		{"/api/recommendations/va-_-no-_-thing/machineReferences", 404, "ResourceNotFound", "va-_-no-_-thing"},
		{"/api/recommendations/va-_-no-_-thing/vulnerabilities", 404, "ResourceNotFound", "va-_-no-_-thing"},
		{"/api/recommendations/va-_-no-_-thing/software", 404, "ResourceNotFound", "va-_-no-_-thing"},
		{"/api/remediationTasks/none", 404, "ResourceNotFound", "none"},
		{"/api/remediationTasks/none/machineReferences", 404, "ResourceNotFound", "none"},
		{"/api/machines/nobody/software", 404, "ResourceNotFound", "nobody"},
		{"/api/machines/nobody/vulnerabilities", 404, "ResourceNotFound", "nobody"},
		{"/api/machines/nobody/recommendations", 404, "ResourceNotFound", "nobody"},
		{"/api/machines/nobody/getmissingkbs", 404, "ResourceNotFound", "nobody"},
		{"/api/vulnerabilities?$top=8001", 400, "ODataError", "8000"},
		{"/api/Software?$top=10001", 400, "ODataError", "10000"},
		{"/api/Software?$filter=" + url.QueryEscape("weaknesses eq '1'"), 400, "ODataError", "'weaknesses'"},
		{"/api/recommendations?$filter=" + url.QueryEscape("status eq 'Done'"), 400, "ODataError", "'Done'"},
		{"/api/remediationTasks?$filter=" + url.QueryEscape("title eq 'x'"), 400, "ODataError", "'title'"},
		{"/api/vulnerabilities?$expand=machines", 400, "ODataError", "machines"},
		{machine + "/software?$top=1", 400, "ODataError", "$top"},
		{machine + "/vulnerabilities?$filter=" + url.QueryEscape("severity eq 'High'"), 400, "ODataError", "$filter"},
		{"/api/exposureScore/ByMachineGroups?$top=1", 400, "ODataError", "$top"},
	} {
		t.Run(tc.path, func(t *testing.T) { refused(t, r.get(tc.path), tc.status, tc.code, tc.text) })
	}
	require.Equal(t, 200, r.get("/api/vulnerabilities?$top=8000").status)
}

func TestAVulnerabilityThatNoDeviceHasIsKnown(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Devices: -1})
	require.Empty(t, r.get("/api/vulnerabilities").values())
	require.Empty(t, r.get("/api/Software").values())
	require.Empty(t, r.get("/api/recommendations").values())
	require.Empty(t, r.get("/api/remediationTasks").values())
	require.Empty(t, r.get("/api/vulnerabilities/machinesVulnerabilities").values())
	one := r.get("/api/vulnerabilities/CVE-2021-44228")
	require.Equal(t, 200, one.status)
	require.Equal(t, "Critical", one.str("severity"))
	require.Zero(t, whole(one.body, "exposedMachines"))
	require.Empty(t, r.get("/api/vulnerabilities/CVE-2021-44228/machineReferences").values())
	require.Zero(t, r.get("/api/exposureScore").body["score"])
	require.Zero(t, r.get("/api/configurationScore").body["score"])
}

func TestMachineVulnerabilitiesArePaged(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Devices: 40, PageSize: 50})
	seen, pages := map[string]bool{}, 0
	for target := "/api/vulnerabilities/machinesVulnerabilities"; target != ""; pages++ {
		a := r.get(target)
		require.LessOrEqual(t, len(a.values()), 50)
		for _, v := range a.values() {
			require.False(t, seen[v["id"].(string)])
			seen[v["id"].(string)] = true
		}
		target = a.str("@odata.nextLink")
	}
	require.Equal(t, (len(seen)+49)/50, pages)
	require.Greater(t, pages, 1)
}
