package mdesim_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func TestInvestigationOverTime(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &mdesim.Tenant{Clock: now.Now})
	host := r.Device("host01")
	seeded := len(r.get("/api/investigations").values())
	started := r.send(http.MethodPost, "/api/machines/"+host.ID+"/startInvestigation", `{"Comment":"look"}`)
	require.Equal(t, 201, started.status, string(started.raw))
	require.Equal(t, []string{host.ID, host.ComputerDNSName, "Queued"}, []string{started.str("machineId"), started.str("computerDnsName"), started.str("state")})
	require.Nil(t, started.body["triggeringAlertId"])
	at := "/api/investigations/" + started.str("id")
	for _, step := range []struct {
		wait  time.Duration
		state string
		end   any
	}{
		{0, "Queued", nil},
		{time.Second, "Running", nil},
		{9 * time.Second, "Running", nil},
		{time.Second, "Benign", "2026-11-22T09:00:11Z"},
		{30 * time.Minute, "Benign", "2026-11-22T09:00:11Z"},
	} {
		now.Advance(step.wait)
		got := r.get(at)
		require.Equal(t, step.state, got.str("state"))
		require.Equal(t, step.end, got.body["endTime"])
	}
	list := r.get("/api/investigations").values()
	require.Len(t, list, seeded+1)
	require.Equal(t, started.str("id"), list[0]["id"], "newest first")
	require.Len(t, r.filter("investigations", "machineId eq '"+host.ID+"' and state eq 'Benign' and startTime ge 2026-11-22T09:00:00Z").values(), 1)
	effects := r.Effects()
	require.Len(t, effects, 1)
	require.Equal(t, []string{mdesim.TypeStartInvestigation, host.ID, started.str("id"), "look"},
		[]string{effects[0].Type, effects[0].MachineID, effects[0].ActionID, effects[0].Comment})
}

func TestInvestigationOfADeviceThatIsAway(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &mdesim.Tenant{Clock: now.Now})
	a := r.send(http.MethodPost, "/api/machines/"+r.Device(mdesim.NameOffline).ID+"/startInvestigation", `{"Comment":"look"}`)
	require.Equal(t, "PendingResource", a.str("state"))
	now.Advance(30 * time.Minute)
	a = r.get("/api/investigations/" + a.str("id"))
	require.Equal(t, "TerminatedBySystem", a.str("state"))
	require.NotNil(t, a.body["endTime"])
}

func TestAlertsAndTheirInvestigationsAgree(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &mdesim.Tenant{Clock: now.Now})
	event := r.event()
	raised := r.post("/api/alerts/CreateAlertByReference", event).str("id")
	states := map[string]bool{}
	for _, wait := range []time.Duration{0, 2 * time.Second, 30 * time.Minute} {
		now.Advance(wait)
		linked := 0
		for _, a := range r.get("/api/alerts").values() {
			if a["investigationId"] == nil {
				continue
			}
			linked++
			i := r.get("/api/investigations/" + a["id"].(string)) // by the alert's id
			require.Equal(t, 200, i.status)
			require.Equal(t, a["investigationState"], i.str("state"))
			require.Equal(t, a["machineId"], i.str("machineId"))
			if a["id"] == raised {
				states[i.str("state")] = true
			}
		}
		require.Greater(t, linked, 3)
	}
	require.Equal(t, map[string]bool{"Queued": true, "Running": true, "SuccessfullyRemediated": true}, states)
}

func TestInvestigationRefusals(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	start := func(device, body string) answer {
		return r.send(http.MethodPost, "/api/machines/"+device+"/startInvestigation", body)
	}
	host := r.Device("host01").ID
	refused(t, start("nobody", `{"Comment":"x"}`), 404, "ResourceNotFound", "nobody")
	refused(t, start(host, `{}`), 400, "MissingRequiredParameter", "Comment")
	refused(t, start(host, `{"comment":"x"}`), 400, "InvalidRequestBody", "case-sensitive")
	refused(t, start(r.Device(mdesim.NameMac).ID, `{"Comment":"x"}`), 400, "OsPlatformNotSupported", "macOS")
	refused(t, start(r.Device("srv-file01").ID, `{"Comment":"x"}`), 400, "OsPlatformNotSupported", "WindowsServer2016")
	refused(t, start(r.Device(mdesim.NameUnmanaged).ID, `{"Comment":"x"}`), 400, "InvalidInput", "not onboarded")
	refused(t, r.get("/api/investigations/1"), 404, "ResourceNotFound", "Investigation 1")
	refused(t, r.filter("investigations", "cancelledBy eq 'x'"), 400, "ODataError", "cancelledBy")
	require.Empty(t, r.Effects())
	require.NotEmpty(t, r.get("/api/investigations").values(), "there are seeded ones")
}
