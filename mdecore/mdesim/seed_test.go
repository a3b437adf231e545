package mdesim_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func TestSeedIsDeterministic(t *testing.T) {
	t.Parallel()
	snapshot := func(seed uint64) string {
		now := newClock()
		r := serve(t, &mdesim.Tenant{Clock: now.Now, Seed: seed})
		action := r.isolate(r.Device("host01").ID).str("id")
		machines, alerts := r.get("/api/machines"), r.get("/api/alerts?$expand=evidence")
		return strings.ReplaceAll(action+string(machines.raw)+string(alerts.raw), r.server.URL, "")
	}
	require.Equal(t, snapshot(7), snapshot(7))
	require.NotEqual(t, snapshot(7), snapshot(8))
}

func TestSeededCast(t *testing.T) {
	t.Parallel()
	r := &mdesim.Tenant{}
	host := r.Device("host01")
	require.Equal(t, mdesim.NameHost, host.ComputerDNSName)
	require.Len(t, host.ID, 40)
	require.Equal(t, "Windows11", host.OSPlatform)
	require.Equal(t, "Active", host.HealthStatus)
	require.Equal(t, "onboarded", host.OnboardingStatus)
	require.Equal(t, "10.1.0.1", string(host.LastIPAddress))
	require.Equal(t, host, r.Device(host.ID))
	require.Len(t, r.Find(r.AmbiguousName()), 2)
	require.Len(t, r.Find(r.AmbiguousShortName()), 2)
	require.Panics(t, func() { r.Device(r.AmbiguousName()) })
	require.Panics(t, func() { r.Device("nobody") })
	require.Contains(t, r.Device("dc01").MachineTags, "tier-0")
	require.Equal(t, "High", r.Device("dc01").DeviceValue)
	for name, status := range map[string]string{
		mdesim.NameOffboarded: "CanBeOnboarded", mdesim.NameUnmanaged: "CanBeOnboarded",
		mdesim.NameUnsupported: "Unsupported", "camera-gate": "InsufficientInfo", mdesim.NameOffline: "onboarded",
		mdesim.NameInactive: "onboarded", mdesim.NameMac: "onboarded", mdesim.NameLinux: "onboarded", mdesim.NameVIP: "onboarded",
		mdesim.NameLookalike: "onboarded", mdesim.NameHostile: "onboarded", mdesim.NameTier0: "onboarded",
	} {
		require.Equal(t, status, r.Device(name).OnboardingStatus, name)
	}
}

// TestOnlyTheNamedAddressesAreShared keeps the fleet free of accidental ambiguity.
func TestOnlyTheNamedAddressesAreShared(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Devices: 2000})
	names, ips, ids := map[string]int{}, map[string]int{}, map[string]bool{}
	for _, m := range r.get("/api/machines").values() {
		names[m["computerDnsName"].(string)]++
		ips[m["lastIpAddress"].(string)]++
		ids[m["id"].(string)] = true
	}
	shared := func(counts map[string]int) (out []string) {
		for k, n := range counts {
			if n > 1 {
				out = append(out, k)
			}
		}
		return out
	}
	require.Len(t, ids, 2000)
	require.ElementsMatch(t, []string{mdesim.NameAmbiguous, mdesim.NameAmbiguousActive}, shared(names))
	require.Equal(t, []string{mdesim.IPAmbiguous}, shared(ips))
}

func TestSeededAlerts(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	alerts := r.get("/api/alerts").values()
	require.Len(t, alerts, 60)
	titles := map[string]bool{}
	previous := ""
	for _, a := range alerts {
		titles[a["title"].(string)] = true
		require.Regexp(t, `^da\d{18}_\d+$`, a["id"])
		require.Equal(t, mdesim.DefaultTenantID, a["aadTenantId"])
		require.Contains(t, a, "evidence")
		require.NotNil(t, a["mitreTechniques"])
		at := a["alertCreationTime"].(string)
		require.True(t, previous == "" || at <= previous, "newest first")
		previous = at
	}
	for _, title := range mdesim.HostileTitles() {
		require.True(t, titles[title], "%.40q", title)
	}
	require.Equal(t, mdesim.TitleBeaconing, alerts[0]["title"])
	require.Equal(t, "High", alerts[0]["severity"])
	require.Equal(t, mdesim.NameHost, alerts[0]["computerDnsName"])
}

func TestRaiseAlertFillsIn(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &mdesim.Tenant{Clock: now.Now})
	host := r.Device("host01")
	a := r.RaiseAlert(mdesim.Alert{Title: "live", MachineID: host.ID})
	require.Equal(t, host.ComputerDNSName, a.ComputerDNSName)
	require.Equal(t, epoch(), a.AlertCreationTime)
	got := r.get("/api/alerts/" + a.ID)
	require.Equal(t, "New", got.str("status"))
	require.Equal(t, "Medium", got.str("severity"))
	require.Equal(t, "anna.berg", got.body["evidence"].([]any)[0].(map[string]any)["accountName"])
	require.Equal(t, a.ID, r.get("/api/alerts?$top=1").values()[0]["id"])
	old := r.RaiseAlert(mdesim.Alert{Title: "late report", AlertCreationTime: epoch().AddDate(-1, 0, 0)})
	all := r.get("/api/alerts").values()
	require.Equal(t, old.ID, all[len(all)-1]["id"])
}

func TestDevicesChangeWhileTheTenantRuns(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	host := r.Device("host01")
	twin := r.AddDevice(mdesim.Machine{ComputerDNSName: host.ComputerDNSName, LastIPAddress: "10.9.9.9"})
	require.Len(t, r.filter("machines", "computerDnsName eq 'host01.contoso.com'").values(), 2)
	require.Panics(t, func() { r.AddDevice(mdesim.Machine{ID: host.ID}) })
	require.True(t, r.UpdateDevice(twin.ID, func(m *mdesim.Machine) { m.ID, m.ComputerDNSName = "changed", "twin.contoso.com" }))
	got := r.get("/api/machines/" + twin.ID)
	require.Equal(t, "twin.contoso.com", got.str("computerDnsName"))
	require.Equal(t, []any{}, got.body["machineTags"], "an empty list is not null")
	require.False(t, r.UpdateDevice("nobody", func(*mdesim.Machine) {}))
	copied := r.Device("dc01")
	copied.MachineTags[0] = "changed"
	require.Contains(t, r.Device("dc01").MachineTags, "tier-0", "what is read is a copy")
}

// namesOfALargeFleet is a part of TestALargeFleet.
func namesOfALargeFleet(t *testing.T, r *rig) {
	t.Helper()
	require.Equal(t, 200, r.get("/api/machines/"+r.Device("host01").ID).status)
	last := r.get("/api/machines?$skip=49990")
	require.Len(t, last.values(), 10)
	require.Empty(t, last.str("@odata.nextLink"))
	require.Len(t, r.filter("machines", "startswith(computerDnsName,'wks49')").values(), 500)
}

// BenchmarkLargeFleetStart is how long a tenant of 50,000 devices takes to begin.
func BenchmarkLargeFleetStart(b *testing.B) {
	for b.Loop() {
		(&mdesim.Tenant{Devices: 50000}).Writes()
	}
}

func TestTheLogSaysItIsSimulatedAndKeepsSecrets(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tenant := &mdesim.Tenant{Log: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	server, err := tenant.Start()
	require.NoError(t, err)
	tok, err := server.AppCredential(mdesim.DefaultAppID, mdesim.DefaultAppSecret).GetToken(context.Background(), tokenOptions())
	require.NoError(t, err)
	require.NoError(t, server.Close())
	first, _, _ := strings.Cut(out.String(), "\n")
	require.Contains(t, first, "SIMULATED")
	require.Contains(t, first, "tests and demos")
	require.NotContains(t, out.String(), tok.Token)
	require.NotContains(t, out.String(), mdesim.DefaultAppSecret)
}
