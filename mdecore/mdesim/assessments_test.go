package mdesim_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// exports are the paths of the exports that can be read both ways.
func exports() map[string]string {
	return map[string]string{
		"/api/machines/SecureConfigurationsAssessmentByMachine": "/api/machines/SecureConfigurationsAssessmentExport",
		"/api/machines/SoftwareInventoryByMachine":              "/api/machines/SoftwareInventoryExport",
		"/api/machines/SoftwareInventoryNoProductCodeByMachine": "/api/machines/SoftwareInventoryNonCpeExport",
		"/api/machines/SoftwareVulnerabilitiesByMachine":        "/api/machines/SoftwareVulnerabilitiesExport",
		"/api/Machines/BrowserExtensionsInventoryByMachine":     "/api/machines/browserextensionsinventoryExport",
		"/api/machines/certificateAssessmentByMachine":          "/api/machines/certificateAssessmentExport",
		"/api/machines/HardwareFirmwareInventoryByMachine":      "/api/machines/HardwareFirmwareInventoryExport",
		"/api/machines/baselineComplianceAssessmentByMachine":   "/api/machines/BaselineComplianceAssessmentExport",
	}
}

// pages reads an export to its end and counts the pages.
func (r *rig) pages(target string) (rows []map[string]any, pages int) {
	r.t.Helper()
	for ; target != ""; pages++ {
		a := r.get(target)
		require.Equal(r.t, 200, a.status, string(a.raw))
		rows = append(rows, a.values()...)
		target = a.str("@odata.nextLink")
		require.True(r.t, target == "" || strings.HasPrefix(target, r.server.URL+"/api/"))
	}
	return rows, pages
}

// files asks for an export's links.
func (r *rig) files(target string) (links []string) {
	r.t.Helper()
	a := r.get(target)
	require.Equal(r.t, 200, a.status, string(a.raw))
	require.Contains(r.t, a.str("@odata.context"), "ExportFilesResponse")
	for _, link := range a.body["exportFiles"].([]any) {
		links = append(links, link.(string))
	}
	return links
}

// download gets a signed link without a token.
func (r *rig) download(link string) answer {
	r.t.Helper()
	bare := *r
	bare.token = ""
	return bare.send(http.MethodGet, link, "")
}

// unpacked reads the rows of an exported file.
func unpacked(t *testing.T, file []byte) (rows []map[string]any) {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(file))
	require.NoError(t, err)
	lines := bufio.NewScanner(zip)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var row map[string]any
		require.NoError(t, json.Unmarshal(lines.Bytes(), &row))
		rows = append(rows, row)
	}
	require.NoError(t, lines.Err())
	return rows
}

func TestExportsAreTheSameBothWays(t *testing.T) {
	t.Parallel()
	clock := newClock()
	r := serve(t, &mdesim.Tenant{Clock: clock.Now, Devices: 60})
	for pages, files := range exports() {
		t.Run(pages, func(t *testing.T) {
			listed, n := r.pages(pages)
			require.Equal(t, 1, n)
			require.NotEmpty(t, listed)
			size := len(listed)/7 + 1 // so that most pages end within a device
			paged, n := r.pages(fmt.Sprintf("%s?pageSize=%d", pages, size))
			require.Equal(t, listed, paged)
			require.Equal(t, (len(listed)+size-1)/size, n)
			top, n := r.pages(pages + "?$top=5")
			require.Equal(t, listed[:5], top)
			require.Equal(t, 1, n, "$top names no next page")
			links := r.files(files)
			require.GreaterOrEqual(t, len(links), 2)
			var filed []map[string]any
			for _, link := range links {
				a := r.download(link)
				require.Equal(t, 200, a.status, string(a.raw))
				rows := unpacked(t, a.raw)
				require.NotEmpty(t, rows)
				filed = append(filed, rows...)
			}
			require.Equal(t, listed, filed)
		})
	}
}

func TestTheTenantsPageSizeBoundsExports(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Devices: 10, PageSize: 15})
	rows, pages := r.pages("/api/machines/SoftwareInventoryByMachine")
	require.Equal(t, (len(rows)+14)/15, pages)
	require.Greater(t, pages, 1)
}

func TestExportedRowsBelongToTheDevices(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Devices: 60})
	all := slices.Collect(maps.Keys(exports()))
	all = append(all, "/api/machines/SoftwareVulnerabilityChangesByMachine?sinceTime="+time.Now().UTC().AddDate(0, 0, -13).Format(time.RFC3339))
	for _, pages := range all {
		rows, _ := r.pages(pages)
		require.NotEmpty(t, rows, pages)
		for _, row := range rows {
			id, _ := row["deviceId"].(string)
			name := row["deviceName"]
			if id == "" {
				id, name = row["DeviceId"].(string), row["DeviceName"]
			}
			found := r.Find(id)
			require.Len(t, found, 1, pages)
			require.Equal(t, found[0].ComputerDNSName, name, "%s: %v", pages, row)
			if row["configurationId"] != "scid-20000" {
				require.Equal(t, "onboarded", found[0].OnboardingStatus, "nothing is known about other devices: %v", row)
			}
		}
	}
}

func TestExportOptionsAreChecked(t *testing.T) {
	t.Parallel()
	clock := newClock()
	r := serve(t, &mdesim.Tenant{Clock: clock.Now, Devices: 3})
	const software, delta = "/api/machines/SoftwareInventoryByMachine?", "/api/machines/SoftwareVulnerabilityChangesByMachine?"
	for query, text := range map[string]string{
		software + "pageSize=0":                                          "from 1 to 200000",
		software + "pageSize=200001":                                     "from 1 to 200000",
		software + "pageSize=x":                                          "from 1 to 200000",
		software + "$top=0":                                              "from 1 to 200000",
		software + "pageSize=1&pageSize=2":                               "more than once",
		software + "$skip=1":                                             "'$skip' is not supported",
		software + "$filter=osPlatform+eq+'Linux'":                       "'$filter' is not supported",
		software + "$skiptoken=abc":                                      "$skiptoken",
		software + "$skiptoken=eyJFeHBvcnRGaWxlSW5kZXgiOi0xfQ":           "$skiptoken",
		software + "pageSize=%zz":                                        "malformed",
		delta:                                                            "sinceTime is required",
		delta + "sinceTime=yesterday":                                    "yesterday",
		delta + "sinceTime=2026-11-08T08:59:59Z":                         "past 14 days",
		delta + "sinceTime=2026-11-22T09:00:01Z":                         "future",
		"/api/machines/SoftwareInventoryExport?sasValidHours=0":          "from 1 to 6",
		"/api/machines/SoftwareInventoryExport?sasValidHours=7":          "from 1 to 6",
		"/api/machines/SoftwareInventoryExport?$sasValidHours=1":         "not supported",
		"/api/machines/certificateAssessmentExport?sasValidHours=25":     "from 1 to 24",
		"/api/machines/InfoGatheringExport?sasValidHours=25":             "from 1 to 24",
		"/api/machines/BaselineComplianceAssessmentExport?sasValidHours": "from 1 to 6",
	} {
		refused(t, r.get(query), 400, "InvalidInput", text)
	}
	require.Equal(t, 200, r.get(software+"pagesize=1&sinceTime=2021-01-01").status, "the page's example sends sinceTime")
	require.Equal(t, 200, r.get(delta+"sinceTime=2026-11-08T09:00:00Z").status)
}

func TestExportLinksExpire(t *testing.T) {
	t.Parallel()
	clock := newClock()
	r := serve(t, &mdesim.Tenant{Clock: clock.Now, Devices: 3})
	for target, life := range map[string]time.Duration{
		"/api/machines/SoftwareInventoryExport":                      time.Hour,
		"/api/machines/SoftwareInventoryExport?sasValidHours=6":      6 * time.Hour,
		"/api/machines/certificateAssessmentExport":                  3 * time.Hour,
		"/api/machines/certificateAssessmentExport?sasValidHours=24": 24 * time.Hour,
		"/api/Machines/InfoGatheringExport":                          time.Hour,
		"/api/machines/InfoGatheringExport?sasValidHours=24":         24 * time.Hour,
	} {
		link := r.files(target)[0]
		clock.Advance(life - time.Second)
		require.Equal(t, 200, r.download(link).status, target)
		clock.Advance(time.Second)
		require.Equal(t, 403, r.download(link).status, target)
		r.token = tokenOf(t, r.server.AppCredential(mdesim.DefaultAppID, mdesim.DefaultAppSecret))
	}
	require.Equal(t, 400, r.send(http.MethodGet, r.files("/api/machines/SoftwareInventoryExport")[0], "").status, "a token has no business there")
}

// A file holds what the tenant held when it was exported.
func TestAnExportIsASnapshot(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Devices: 2})
	host := r.Device("host01")
	links := r.files("/api/machines/SoftwareInventoryExport")
	require.True(t, r.UpdateDevice(host.ID, func(m *mdesim.Machine) { m.ComputerDNSName = "renamed.contoso.com" }))
	require.Equal(t, "host01.contoso.com", unpacked(t, r.download(links[0]).raw)[0]["deviceName"])
	again := r.files("/api/machines/SoftwareInventoryExport")
	require.NotEqual(t, links, again)
	require.Equal(t, "renamed.contoso.com", unpacked(t, r.download(again[0]).raw)[0]["deviceName"])
	require.Equal(t, "host01.contoso.com", unpacked(t, r.download(links[0]).raw)[0]["deviceName"])
}

func TestFilesAreDividedByGroup(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Devices: 10})
	require.True(t, r.UpdateDevice(r.Device("host05").ID, func(m *mdesim.Machine) { m.RBACGroupID, m.RBACGroupName = 7, "Servers" }))
	links := r.files("/api/machines/SoftwareInventoryExport")
	require.Contains(t, links[0], "_RbacGroupId=7/")
	for _, row := range unpacked(t, r.download(links[0]).raw) {
		require.EqualValues(t, 7, row["rbacGroupId"])
		require.Equal(t, "Servers", row["rbacGroupName"])
	}
	require.Greater(t, len(links), 2)
	require.Empty(t, serve(t, &mdesim.Tenant{Devices: -1}).files("/api/machines/SoftwareInventoryExport"))
}

func TestWeaknessesAgreeWithTheSoftware(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Devices: 60})
	weaknesses := map[string]int{}
	products := map[string]bool{}
	rows, _ := r.pages("/api/machines/SoftwareVulnerabilitiesByMachine")
	ids := map[string]bool{}
	for _, row := range rows {
		require.NotContains(t, ids, row["id"])
		ids[row["id"].(string)] = true
		key := strings.Join([]string{row["deviceId"].(string), row["softwareVendor"].(string), row["softwareName"].(string), row["softwareVersion"].(string)}, " ")
		products[key] = true
		if row["cveId"] != nil {
			weaknesses[key]++
			require.NotNil(t, row["vulnerabilitySeverityLevel"])
			require.Equal(t, row["recommendedSecurityUpdateId"] == nil, row["recommendedSecurityUpdate"] == nil)
			require.True(t, row["recommendedSecurityUpdateId"] == nil || row["securityUpdateAvailable"].(bool))
		}
	}
	require.NotEmpty(t, weaknesses)
	software, _ := r.pages("/api/machines/SoftwareInventoryByMachine")
	require.Len(t, products, len(software))
	for _, row := range software {
		key := strings.Join([]string{row["deviceId"].(string), row["softwareVendor"].(string), row["softwareName"].(string), row["softwareVersion"].(string)}, " ")
		require.EqualValues(t, weaknesses[key], row["numberOfWeaknesses"], key)
	}
}

func TestChangesOfWeaknesses(t *testing.T) {
	t.Parallel()
	clock := newClock()
	r := serve(t, &mdesim.Tenant{Clock: clock.Now, Devices: 150})
	since := func(at time.Time) []map[string]any {
		rows, _ := r.pages("/api/machines/SoftwareVulnerabilityChangesByMachine?pageSize=1000&sinceTime=" + at.UTC().Format(time.RFC3339))
		return rows
	}
	start := epoch().AddDate(0, 0, -13)
	all := since(start)
	open, _ := r.pages("/api/machines/SoftwareVulnerabilitiesByMachine")
	present := map[string]bool{}
	for _, row := range open {
		present[row["id"].(string)] = true
	}
	seen := map[string]int{}
	for _, row := range all {
		at, err := time.Parse("2006-01-02 15:04:05.0000000", row["eventTimestamp"].(string))
		require.NoError(t, err)
		require.True(t, at.After(start))
		require.False(t, at.After(epoch().Add(-3*time.Hour)), "the period since 06:00 is not gathered yet")
		require.Equal(t, true, row["isOnboarded"])
		status := row["status"].(string)
		seen[status]++
		require.Equal(t, status != "Fixed", present[row["id"].(string)], "%v", row)
	}
	for _, status := range []string{"New", "Fixed", "Updated"} {
		require.Positive(t, seen[status], status)
	}
	later := since(start.AddDate(0, 0, 6))
	require.NotEmpty(t, later)
	require.Less(t, len(later), len(all))
	clock.Advance(3 * time.Hour)
	r.token = tokenOf(t, r.server.AppCredential(mdesim.DefaultAppID, mdesim.DefaultAppSecret))
	require.Greater(t, len(since(start)), len(all), "the period until 12:00 is gathered now")
}

func TestExportsNeedTheirRoles(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Devices: 3, Apps: []mdesim.App{{ID: mdesim.DefaultAppID, Secret: mdesim.DefaultAppSecret, Roles: []string{"Machine.Isolate"}}}})
	for target, role := range map[string]string{
		"/api/machines/SecureConfigurationsAssessmentByMachine": "Vulnerability.Read.All", "/api/machines/SoftwareInventoryExport": "Software.Read.All",
		"/api/Machines/InfoGatheringExport": "Vulnerability.Read.All", "/api/deviceavinfo": "Machine.Read.All",
		"/api/baselineProfiles": "SecurityBaselinesAssessment.Read.All", "/api/browserextensions/permissionsinfo": "Software.Read.All",
	} {
		a := r.get(target)
		require.Equal(t, 403, a.status, target)
		require.Contains(t, a.message(), role)
	}
}

func TestExportsAreThrottledAsDocumented(t *testing.T) {
	t.Parallel()
	clock := newClock()
	r := serve(t, &mdesim.Tenant{Clock: clock.Now, Devices: 3, Throttle: mdesim.Throttle{On: true}})
	for target, perMinute := range map[string]int{
		"/api/machines/SoftwareInventoryExport": 5, "/api/machines/SoftwareInventoryByMachine": 30, "/api/Machines/InfoGatheringExport": 5,
		"/api/deviceavinfo": 30,
	} {
		for range perMinute {
			require.Equal(t, 200, r.get(target).status, target)
		}
		require.Equal(t, 429, r.get(target).status, target)
	}
}

func TestBrowserExtensionsHaveKnownPermissions(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	lists := r.get("/api/browserextensions/permissionsinfo").values()
	require.Len(t, lists, 1, "the documented answer is a list in a list")
	known := map[string]bool{}
	for _, p := range lists[0]["value"].([]any) {
		known[p.(map[string]any)["key"].(string)] = true
	}
	rows, _ := r.pages("/api/Machines/BrowserExtensionsInventoryByMachine")
	for _, row := range rows {
		highest := false
		for _, p := range row["Permissions"].([]any) {
			p := p.(map[string]any)
			require.True(t, known[p["Id"].(string)] || strings.Contains(p["Id"].(string), "://"), "%v", p)
			highest = highest || p["Risk"] == row["ExtensionRisk"]
		}
		require.True(t, highest, "the extension's risk is one of its permissions'")
	}
	refused(t, r.filter("browserextensions/permissionsinfo", "severity eq 'High'"), 400, "ODataError", "severity")
	one := r.filter("browserextensions/permissionsinfo", "description eq 'Scrolls.'").values()[0]["value"]
	require.Empty(t, one)
}
