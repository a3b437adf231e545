package mdesim_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func TestRemediationTasksFollowTheFleet(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Devices: 60})
	tasks := r.get("/api/remediationTasks").values()
	require.Greater(t, len(tasks), 4)
	categories, previous := map[string]bool{}, ""
	for _, task := range tasks {
		categories[task["category"].(string)] = true
		path := "/api/remediationTasks/" + task["id"].(string)
		require.Len(t, r.ids(path+"/machineReferences"), whole(task, "targetDevices")-whole(task, "fixedDevices"))
		at := task["createdOn"].(string)
		require.True(t, previous == "" || at < previous, "newest first")
		previous = at
		if task["category"] == "Software" {
			require.Equal(t, task["vendorId"].(string)+"-_-"+task["nameId"].(string), task["productId"])
			require.Equal(t, 200, r.get("/api/recommendations/va-_-"+task["productId"].(string)).status)
		} else {
			require.Equal(t, 200, r.get("/api/recommendations/sca-_-"+task["scid"].(string)).status)
		}
		if task["status"] == "Completed" {
			require.Equal(t, "Manual", task["completionMethod"])
			require.Equal(t, "bob@contoso.com", task["completerEmail"])
		} else {
			require.Nil(t, task["completionMethod"])
		}
	}
	require.Len(t, categories, 2)

	// When every device is patched, tasks about software complete by themselves.
	for _, m := range r.get("/api/machines").values() {
		r.UpdateDevice(m["id"].(string), func(m *mdesim.Machine) { m.ExposureLevel = "None" })
	}
	automatic := 0
	for _, task := range r.get("/api/remediationTasks").values() {
		if task["completionMethod"] == "Automatic" {
			automatic++
			require.Equal(t, "Completed", task["status"])
			require.Equal(t, task["targetDevices"], task["fixedDevices"])
		}
	}
	require.NotZero(t, automatic)
	require.Len(t, r.get("/api/remediationTasks").values(), len(tasks), "tasks stay")
}

func TestScoresByGroupAddUp(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Devices: 60})
	inFirst, managed := 0, 0
	for i, m := range r.get("/api/machines").values() {
		if m["onboardingStatus"] != "onboarded" {
			continue
		}
		managed++
		if i%3 == 0 {
			inFirst++
			r.UpdateDevice(m["id"].(string), func(m *mdesim.Machine) { m.RBACGroupName, m.RBACGroupID = "", 0 })
		}
	}
	groups := map[string]float64{}
	for _, g := range r.get("/api/exposureScore/ByMachineGroups").values() {
		groups[g["rbacGroupName"].(string)] = g["score"].(float64)
	}
	require.Len(t, groups, 2)
	mean := (groups["UnassignedGroup"]*float64(inFirst) + groups["The-A-Team"]*float64(managed-inFirst)) / float64(managed)
	require.InDelta(t, mean, r.get("/api/exposureScore").body["score"], 1e-6)
}

func TestFollowingRecommendationsRaisesTheSecureScore(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Devices: 60})
	earned := r.get("/api/configurationScore").body["score"].(float64)
	missing := 0.0
	for _, rec := range r.filter("recommendations", "remediationType eq 'ConfigurationChange'").values() {
		missing += rec["configScoreImpact"].(float64)
	}
	require.Positive(t, earned)
	require.InDelta(t, 800, earned+missing, 0.01, "80 points for all controls, in tenths")
}

func TestActiveAlertsMarkTheirSoftware(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	active := func() any { return r.get("/api/Software/putty-_-putty").body["activeAlert"] }
	require.Equal(t, false, active())
	raise := func(status string) {
		r.RaiseAlert(mdesim.Alert{
			Title: "Tunnel", MachineID: r.Device("host01").ID, Status: status,
			Evidence: []mdesim.Evidence{{EntityType: "Process", FileName: "PuTTY.exe"}},
		})
	}
	raise("Resolved")
	require.Equal(t, false, active())
	raise("New")
	require.Equal(t, true, active())
	require.Equal(t, true, r.get("/api/recommendations/va-_-putty-_-putty").body["activeAlert"])
	require.Equal(t, true, r.get("/api/Software/microsoft-_-office").body["activeAlert"], "the beaconing alert names winword.exe")
}
