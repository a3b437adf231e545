package mdesim_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// ids are the ids of a list.
func (r *rig) ids(path string) map[string]bool {
	r.t.Helper()
	a := r.get(path)
	require.Equal(r.t, 200, a.status, string(a.raw))
	out := map[string]bool{}
	for _, v := range a.values() {
		id := v["id"].(string)
		require.False(r.t, out[id], "%s: %s stands twice", path, id)
		out[id] = true
	}
	return out
}

// whole is a number of a resource.
func whole(v map[string]any, property string) int { return int(v[property].(float64)) }

// byMachine inverts a list that every machine has.
func (r *rig) byMachine(list string) map[string]map[string]bool {
	out := map[string]map[string]bool{}
	for _, m := range r.get("/api/machines").values() {
		machine := m["id"].(string)
		for id := range r.ids("/api/machines/" + machine + "/" + list) {
			if out[id] == nil {
				out[id] = map[string]bool{}
			}
			out[id][machine] = true
		}
	}
	return out
}

func TestSoftwareAgreesInBothDirections(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Devices: 90})
	onMachines, impact := r.byMachine("software"), 0.0
	all := r.get("/api/Software").values()
	require.Len(t, all, len(onMachines))
	require.Greater(t, len(all), 30)
	for _, s := range all {
		path := "/api/Software/" + url.PathEscape(s["id"].(string))
		require.Equal(t, onMachines[s["id"].(string)], r.ids(path+"/machineReferences"))
		require.Len(t, r.ids(path+"/vulnerabilities"), whole(s, "weaknesses"))
		require.Equal(t, s["vendor"].(string)+"-_-"+s["name"].(string), s["id"])
		installations := 0
		for _, v := range r.get(path + "/distributions").values() {
			installations += whole(v, "installations")
		}
		require.Len(t, onMachines[s["id"].(string)], installations)
		impact += s["impactScore"].(float64)
		one := r.get(path)
		delete(one.body, "@odata.context")
		require.Equal(t, s, one.body)
	}
	score := r.get("/api/exposureScore").body["score"].(float64)
	require.InDelta(t, score, impact, 1e-6, "the software's impact adds up to the exposure score")
}

func TestVulnerabilitiesAgreeInBothDirections(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Devices: 90})
	onMachines, exploited := r.byMachine("vulnerabilities"), 0
	all := r.get("/api/vulnerabilities").values()
	require.Len(t, all, len(onMachines))
	require.Greater(t, len(all), 20)
	for _, v := range all {
		id := v["id"].(string)
		require.Equal(t, onMachines[id], r.ids("/api/vulnerabilities/"+id+"/machineReferences"))
		require.Len(t, onMachines[id], whole(v, "exposedMachines"))
		if v["exploitVerified"].(bool) {
			exploited++
			require.True(t, v["publicExploit"].(bool))
			require.NotEmpty(t, v["exploitUris"])
		}
	}
	require.NotZero(t, exploited)
	found := map[string]map[string]bool{}
	for _, row := range r.get("/api/vulnerabilities/machinesVulnerabilities").values() {
		cve := row["cveId"].(string)
		if found[cve] == nil {
			found[cve] = map[string]bool{}
		}
		found[cve][row["machineId"].(string)] = true
		kb, _ := row["fixingKbId"].(string)
		parts := []string{row["machineId"].(string), cve, row["productVendor"].(string), row["productName"].(string), row["productVersion"].(string), kb}
		require.Equal(t, strings.Join(parts, "-_-"), row["id"])
	}
	require.Equal(t, onMachines, found)
}

func TestRecommendationsAgreeInBothDirections(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Devices: 90})
	onMachines, kinds := r.byMachine("recommendations"), map[string]int{}
	for _, rec := range r.get("/api/recommendations").values() {
		id, path := rec["id"].(string), "/api/recommendations/"+url.PathEscape(rec["id"].(string))
		require.Equal(t, onMachines[id], r.ids(path+"/machineReferences"))
		require.Len(t, onMachines[id], whole(rec, "exposedMachinesCount"))
		require.LessOrEqual(t, whole(rec, "exposedMachinesCount"), whole(rec, "totalMachineCount"))
		require.Len(t, r.ids(path+"/vulnerabilities"), whole(rec, "weaknesses"))
		kinds[rec["remediationType"].(string)]++
		software := r.get(path + "/software")
		if rec["remediationType"] == "ConfigurationChange" {
			require.Positive(t, rec["configScoreImpact"])
			require.Equal(t, 404, software.status)
			continue
		}
		require.Equal(t, "va-_-"+software.str("id"), id)
		require.Equal(t, rec["exposedMachinesCount"], software.body["exposedMachines"])
		require.Equal(t, rec["exposureImpact"], software.body["impactScore"])
		require.Len(t, r.ids("/api/Software/"+url.PathEscape(software.str("id"))+"/machineReferences"), whole(rec, "totalMachineCount"))
	}
	require.Len(t, kinds, 3)
	require.Equal(t, 1, kinds["Upgrade"], "Windows 7 is out of support: %v", kinds)
}

func TestUpdatesFitTheVulnerabilitiesTheyFix(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Devices: 90})
	missed, fixed := map[string]int{}, map[string]int{}
	for _, m := range r.get("/api/machines").values() {
		kbs := r.ids("/api/machines/" + m["id"].(string) + "/getmissingkbs")
		for _, row := range r.filter("vulnerabilities/machinesVulnerabilities", "machineId eq '"+m["id"].(string)+"' and fixingKbId ne null").values() {
			kb := row["fixingKbId"].(string)
			require.True(t, kbs[kb], "%s lacks %s, which fixes %s", m["computerDnsName"], kb, row["cveId"])
			fixed[kb]++
		}
		for kb := range kbs {
			missed[kb]++
		}
		if !strings.HasPrefix(m["osPlatform"].(string), "Windows") {
			require.Empty(t, kbs)
		}
	}
	require.NotEmpty(t, fixed)
	counted := r.get("/api/Software/microsoft-_-windows_11/getmissingkbs").values()
	require.NotEmpty(t, counted)
	for _, kb := range counted {
		require.Equal(t, missed[kb["id"].(string)], whole(kb, "machineMissedOn"))
		require.Equal(t, []any{"windows_11"}, kb["productsNames"])
		require.Positive(t, whole(kb, "cveAddressed"))
		require.Contains(t, kb["url"], kb["id"])
	}
}

func TestOnlyOnboardedDevicesHaveAnInventory(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	for _, name := range []string{mdesim.NameOffboarded, mdesim.NameUnmanaged, mdesim.NameUnsupported, "camera-gate"} {
		for _, list := range []string{"software", "vulnerabilities", "recommendations", "getmissingkbs"} {
			a := r.get("/api/machines/" + r.Device(name).ID + "/" + list)
			require.Equal(t, 200, a.status)
			require.Equal(t, []any{}, a.body["value"], "%s of %s", list, name)
		}
	}
	require.True(t, r.ids("/api/machines/" + r.Device(mdesim.NameMac).ID + "/software")["apple-_-macos"])
	linux := r.ids("/api/machines/" + r.Device(mdesim.NameLinux).ID + "/software")
	require.True(t, linux["canonical-_-ubuntu_linux"] && linux["linux-_-linux_kernel"])
	require.False(t, linux["microsoft-_-office"])
	host := r.ids("/api/machines/" + r.Device(mdesim.NameHost).ID + "/software")
	require.True(t, host["microsoft-_-windows_11"])
}

func TestTheInventoryFollowsTheFleet(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Devices: 30})
	count := func() int { return len(r.ids("/api/Software/microsoft-_-windows_11/machineReferences")) }
	before := count()
	added := r.AddDevice(mdesim.Machine{ComputerDNSName: "new.contoso.com", OSPlatform: "Windows11", OnboardingStatus: "onboarded", ExposureLevel: "None"})
	require.Equal(t, before+1, count())
	require.Empty(t, r.get("/api/machines/"+added.ID+"/vulnerabilities").values(), "a device without exposure is up to date")
	require.Empty(t, r.get("/api/machines/"+added.ID+"/getmissingkbs").values())
	require.True(t, r.UpdateDevice(added.ID, func(m *mdesim.Machine) { m.ExposureLevel = "High" }))
	require.NotEmpty(t, r.get("/api/machines/"+added.ID+"/vulnerabilities").values())
	require.True(t, r.UpdateDevice(added.ID, func(m *mdesim.Machine) { m.OnboardingStatus = "CanBeOnboarded" }))
	require.Equal(t, before, count())
}

func TestExposureIsTheSameEachTime(t *testing.T) {
	t.Parallel()
	read := func(seed uint64) (out string) {
		now := newClock()
		r := serve(t, &mdesim.Tenant{Clock: now.Now, Seed: seed, Devices: 60})
		for _, path := range []string{"Software", "vulnerabilities", "recommendations", "remediationTasks", "exposureScore", "configurationScore"} {
			out += string(r.get("/api/" + path).raw)
		}
		return strings.ReplaceAll(out, r.server.URL, "")
	}
	first := read(5)
	require.Equal(t, first, read(5))
	require.NotEqual(t, first, read(6))
}

// exposureOfALargeFleet is a part of TestALargeFleet.
func exposureOfALargeFleet(t *testing.T, r *rig) {
	t.Helper()
	id := r.Device("host01").ID
	for range 3 {
		require.NotEmpty(t, r.get("/api/Software").values())
		require.NotEmpty(t, r.get("/api/machines/"+id+"/software").values())
	}
	a := r.get("/api/vulnerabilities/machinesVulnerabilities?$skip=1000")
	require.Len(t, a.values(), 500)
	require.NotEmpty(t, a.str("@odata.nextLink"))
}

// BenchmarkExposureSurvey is how long counting a fleet of 50,000 takes after each change of it.
func BenchmarkExposureSurvey(b *testing.B) {
	t := &mdesim.Tenant{Devices: 50000}
	server, err := t.Start()
	require.NoError(b, err)
	b.Cleanup(func() { _ = server.Close() })
	id := t.Device("host01").ID
	for i := 0; b.Loop(); i++ {
		t.UpdateDevice(id, func(m *mdesim.Machine) { m.MachineTags = []string{fmt.Sprint(i)} })
		t.Survey()
	}
}
