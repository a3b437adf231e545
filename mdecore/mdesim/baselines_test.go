package mdesim_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func TestBaselinesHangTogether(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	type key struct{ benchmark, version, id string }
	configurations := map[key]map[string]any{}
	perBenchmark := map[[2]string]int{}
	unique := map[string]bool{}
	for _, c := range r.get("/api/baselineConfigurations").values() {
		benchmark, version := c["benchmarkName"].(string), c["benchmarkVersion"].(string)
		configurations[key{benchmark, version, c["id"].(string)}] = c
		perBenchmark[[2]string{benchmark, version}]++
		unique[c["uniqueId"].(string)] = true
	}
	require.Len(t, unique, len(configurations))
	profiles := map[string]map[string]any{}
	for _, p := range r.get("/api/baselineProfiles").values() {
		profiles[p["id"].(string)] = p
		require.EqualValues(t, perBenchmark[[2]string{p["benchmark"].(string), p["version"].(string)}], p["settingsNumber"])
	}
	rows, _ := r.pages("/api/machines/baselineComplianceAssessmentByMachine")
	devices, failed := map[string]map[string]bool{}, map[string]map[string]bool{}
	for _, row := range rows {
		id, device := row["profileId"].(string), row["deviceId"].(string)
		p := profiles[id]
		require.NotNil(t, p)
		require.Equal(t, true, p["status"], "nothing is held against a profile that is off")
		c := configurations[key{p["benchmark"].(string), p["version"].(string), row["configurationId"].(string)}]
		require.NotNil(t, c)
		require.Equal(t, c["recommendedValue"], row["recommendedValue"])
		require.Equal(t, c["source"], row["source"])
		require.Equal(t, device+"_"+id+"_"+row["configurationId"].(string), row["id"])
		if devices[id] == nil {
			devices[id], failed[id] = map[string]bool{}, map[string]bool{}
		}
		devices[id][device] = true
		if row["isCompliant"] != true {
			failed[id][device] = true
		}
	}
	require.NotEmpty(t, devices)
	for id, p := range profiles {
		require.EqualValues(t, len(devices[id]), p["totalDevices"], p["name"])
		require.EqualValues(t, len(devices[id])-len(failed[id]), p["passedDevices"], p["name"])
	}
}

func TestBaselineFilters(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Devices: 3})
	for filter, n := range map[string]int{
		"status eq true": 2, "status eq false": 1, "operatingSystem eq 'Windows 11'": 1, "operatingSystemVersion eq '21H2'": 1,
		"settingsNumber ge 6": 3, "settingsNumber gt 6": 0, "totalDevices gt 0": 1, "passedDevices ge 0": 3,
		"id eq '02bcbb9d-d197-479e-811e-1cd5a6f9f8fa'": 1, "name eq 'Windows 10 CIS profile'": 1,
	} {
		require.Len(t, r.filter("baselineProfiles", filter).values(), n, filter)
	}
	for filter, n := range map[string]int{
		"CCE eq 'CCE-35116-3'": 3, "id eq '1.1.1'": 3, "category eq 'Password Policy'": 6, "startswith(name,'(L1) Ensure')": 18,
	} {
		require.Len(t, r.filter("baselineConfigurations", filter).values(), n, filter)
	}
	refused(t, r.filter("baselineConfigurations", "cce eq 'CCE-35116-3'"), 400, "ODataError", "cce")
	refused(t, r.filter("baselineProfiles", "benchmark eq 'CIS'"), 400, "ODataError", "benchmark")
}
