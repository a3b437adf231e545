package mdesim_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func TestAntivirusOfTheDevices(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Devices: 120})
	require.Len(t, r.get("/api/deviceavinfo").values(), 20, "the documented page")
	all, pages := r.pages("/api/deviceavinfo")
	require.Equal(t, (len(all)+19)/20, pages)
	once, pages := r.pages("/api/deviceavinfo?$top=10000")
	require.Equal(t, 1, pages)
	require.Equal(t, all, once)
	skipped := r.get("/api/deviceavinfo?$top=7&$skip=3").values()
	require.Equal(t, all[3:10], skipped)

	configurations, _ := r.pages("/api/machines/SecureConfigurationsAssessmentByMachine")
	compliant := map[string]bool{}
	for _, row := range configurations {
		if row["configurationId"] == "scid-2011" {
			compliant[row["deviceId"].(string)] = row["isCompliant"].(bool)
		}
	}
	modes := map[any]int{}
	for _, info := range all {
		m := r.Find(info["machineId"].(string))[0]
		require.Equal(t, "onboarded", m.OnboardingStatus)
		require.NotEqual(t, "WindowsServer2012R2", m.OSPlatform, "it would need the unified agent")
		modes[info["avMode"]]++
		if good, known := compliant[m.ID]; known && info["avIsSignatureUpToDate"] != "Unknown" {
			require.Equal(t, map[bool]string{true: "True", false: "False"}[good], info["avIsSignatureUpToDate"])
		}
	}
	require.Greater(t, modes["0"], len(all)/2)
	require.Greater(t, len(modes), 1)
}

func TestAntivirusFilters(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Devices: 120})
	all, _ := r.pages("/api/deviceavinfo?$top=10000")
	for _, property := range []string{
		"machineId", "computerDnsName", "osKind", "osPlatform", "osVersion", "avMode", "avSignatureVersion", "avEngineVersion", "avPlatformVersion",
		"quickScanResult", "quickScanError", "fullScanResult", "fullScanError", "avIsSignatureUpToDate", "avIsEngineUpToDate", "avIsPlatformUpToDate",
	} {
		value := all[0][property].(string)
		want := 0
		for _, info := range all {
			if info[property] == value {
				want++
			}
		}
		got, _ := r.pages("/api/deviceavinfo?$filter=" + url.QueryEscape(property+" eq '"+value+"'"))
		require.Len(t, got, want, property)
	}
	got, _ := r.pages("/api/deviceavinfo?$top=10000&$filter=" + url.QueryEscape("rbacGroupId eq 140"))
	require.Equal(t, all, got)
	refused(t, r.filter("deviceavinfo", "rbacGroupName eq 'x'"), 400, "ODataError", "rbacGroupName")
	refused(t, r.filter("deviceavinfo", "id eq 'x'"), 400, "ODataError", "id")
}

func TestGatheredInformationIsTheAntivirus(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Devices: 50})
	modes := map[string]any{}
	infos, _ := r.pages("/api/deviceavinfo?$top=10000")
	for _, info := range infos {
		modes[info["machineId"].(string)] = info["avMode"]
	}
	for _, target := range []string{"/api/Machines/InfoGatheringExport", "/api/machines/InfoGatheringExport?sasValidHours=24"} {
		rows := 0
		for _, link := range r.files(target) {
			for _, row := range unpacked(t, r.download(link).raw) {
				rows++
				require.Equal(t, modes[row["DeviceId"].(string)], row["DeviceGatheredInfo"].(map[string]any)["AvMode"])
			}
		}
		require.Equal(t, len(infos), rows)
	}
}
