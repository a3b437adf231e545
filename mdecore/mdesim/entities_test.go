package mdesim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// ids are the ids of a list.
func (a answer) ids() (out []string) {
	for _, v := range a.values() {
		out = append(out, v["id"].(string))
	}
	return out
}

// TestEverythingThatAlertsNameIsFound goes from each seeded alert to what it
// names, and back to the alert and its device.
func TestEverythingThatAlertsNameIsFound(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	seen := map[string]int{}
	known := map[string][2][]string{} // alerts and machines by what was asked for
	look := func(base string) (alerts, machines []string) {
		if _, ok := known[base]; !ok {
			known[base] = [2][]string{r.get(base + "/alerts").ids(), r.get(base + "/machines").ids()}
		}
		return known[base][0], known[base][1]
	}
	for _, a := range r.get("/api/alerts").values() {
		id, device := a["id"].(string), a["machineId"].(string)
		for _, f := range r.get("/api/alerts/" + id + "/files").values() {
			seen["file"]++
			alerts, machines := look("/api/files/" + f["sha1"].(string))
			require.Contains(t, alerts, id)
			require.Contains(t, machines, device)
		}
		for _, d := range r.get("/api/alerts/" + id + "/domains").values() {
			seen["domain"]++
			alerts, machines := look("/api/domains/" + d["host"].(string))
			require.Contains(t, alerts, id)
			require.Contains(t, machines, device)
		}
		for _, ip := range r.get("/api/alerts/" + id + "/ips").values() {
			seen["ip"]++
			require.Contains(t, r.get("/api/ips/"+ip["id"].(string)+"/alerts").ids(), id)
			require.NotZero(t, r.get("/api/ips/" + ip["id"].(string) + "/stats").body["organizationPrevalence"])
		}
		if u := r.get("/api/alerts/" + id + "/user"); u.status == 200 {
			seen["user"]++
			alerts, machines := look("/api/users/" + u.str("accountName"))
			require.Contains(t, alerts, id)
			require.Contains(t, machines, device)
		}
	}
	for _, kind := range []string{"file", "domain", "ip", "user"} {
		require.Greater(t, seen[kind], 3, kind)
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &mdesim.Tenant{Clock: now.Now})
	host := r.Device("host01")
	a := r.RaiseAlert(mdesim.Alert{Title: "new", MachineID: host.ID, Evidence: []mdesim.Evidence{{
		EntityType: "File", EvidenceCreationTime: epoch(), FileName: "x.exe", FilePath: `c:\x`, SHA1: mdesim.Nullable(strings.Repeat("ab", 20)),
	}}})
	byAlert := r.get("/api/alerts/" + a.ID + "/files").values()[0]
	for _, hash := range []string{byAlert["sha1"].(string), byAlert["sha256"].(string), byAlert["md5"].(string), strings.ToUpper(byAlert["sha1"].(string))} {
		f := r.get("/api/files/" + hash)
		require.Equal(t, byAlert["sha256"], f.str("sha256"))
		require.Equal(t, "Unknown", f.str("determinationType"))
		require.NotContains(t, f.body, "md5", "only the files of an alert show it")
	}
	stats := r.get("/api/files/" + byAlert["sha1"].(string) + "/stats")
	require.InDelta(t, 1, stats.body["organizationPrevalence"], 0)
	require.Equal(t, "2026-11-22T09:00:00Z", stats.str("orgFirstSeen"))
	require.Equal(t, "2026-11-22T09:00:00Z", stats.str("orgLastSeen"))
	require.Equal(t, []any{"x.exe"}, stats.body["topFileNames"])

	common := r.get("/api/files/ff836cfb1af40252bd2a2ea843032e99a5b262ed")
	require.Equal(t, "Clean", common.str("determinationType"))
	require.Equal(t, true, common.body["isValidCertificate"])
	require.Greater(t, len(r.get("/api/files/"+common.str("sha1")+"/machines").ids()), 100)

	for _, unknown := range []string{strings.Repeat("0", 40), strings.Repeat("0", 64)} {
		refused(t, r.get("/api/files/"+unknown), 404, "ResourceNotFound", unknown)
		refused(t, r.get("/api/files/"+unknown+"/stats"), 404, "ResourceNotFound", unknown)
	}
	for _, list := range []string{"alerts", "machines"} {
		require.Empty(t, r.get("/api/files/"+strings.Repeat("0", 40)+"/"+list).values(), "200 and nothing in it, as documented")
		refused(t, r.get("/api/files/"+strings.Repeat("0", 64)+"/"+list), 400, "InvalidHashValue", "000")
	}
	refused(t, r.get("/api/files/xyz"), 400, "InvalidHashValue", "xyz")
}

func TestStatisticsLookBack(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &mdesim.Tenant{Clock: now.Now})
	host, other := r.Device("host01"), r.Device("host02")
	for _, a := range []mdesim.Alert{
		{MachineID: host.ID, AlertCreationTime: epoch().Add(-50 * time.Hour)},
		{MachineID: other.ID, AlertCreationTime: epoch().Add(-10 * time.Hour)},
		{MachineID: other.ID, AlertCreationTime: epoch().Add(-5 * time.Hour)},
	} {
		a.Evidence = []mdesim.Evidence{{EntityType: "Url", URL: "https://Bad.Example:8443/x"}, {EntityType: "Ip", IPAddress: "2001:db8::7"}}
		r.RaiseAlert(a)
	}
	for query, want := range map[string]struct {
		count       int
		first, last any
	}{
		"":                   {2, "2026-11-20T07:00:00Z", "2026-11-22T04:00:00Z"},
		"?lookBackHours=720": {2, "2026-11-20T07:00:00Z", "2026-11-22T04:00:00Z"},
		"?lookBackHours=48":  {1, "2026-11-21T23:00:00Z", "2026-11-22T04:00:00Z"},
		"?lookBackHours=8":   {1, "2026-11-22T01:00:00Z", "2026-11-22T04:00:00Z"},
		"?lookBackHours=1":   {0, nil, nil},
	} {
		for base, key := range map[string]string{"/api/domains/bad.example": "host", "/api/ips/2001:db8:0::7": "ipAddress"} {
			a := r.get(base + "/stats" + query)
			require.InDelta(t, want.count, a.body["organizationPrevalence"], 0, base+query)
			require.Equal(t, want.first, a.body["orgFirstSeen"], base+query)
			require.Equal(t, want.last, a.body["orgLastSeen"], base+query)
			require.NotEmpty(t, a.str(key))
		}
	}
	for _, hours := range []string{"0", "721", "-1", "x", "1.5"} {
		refused(t, r.get("/api/domains/bad.example/stats?lookBackHours="+hours), 400, "InvalidInput", "1 to 720")
		refused(t, r.get("/api/ips/10.0.0.1/stats?lookBackHours="+hours), 400, "InvalidInput", "1 to 720")
	}
}

func TestAddressesDomainsAndUsers(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Devices: 1200})
	for _, path := range []string{"/api/ips/203.0.113.250/alerts", "/api/domains/nowhere.example/alerts", "/api/domains/nowhere.example/machines", "/api/users/nobody/alerts", "/api/users/nobody/machines"} {
		a := r.get(path)
		require.Equal(t, 200, a.status, path)
		require.Empty(t, a.values(), path)
	}
	require.InDelta(t, 0, r.get("/api/ips/203.0.113.250/stats").body["organizationPrevalence"], 0)
	require.InDelta(t, 0, r.get("/api/domains/nowhere.example/stats").body["organizationPrevalence"], 0)
	for _, ip := range []string{"10.0.0.300", "host01", "fe80::1%25eth0"} {
		require.Equal(t, "InvalidIpAddress", r.get("/api/ips/"+ip+"/alerts").code(), ip)
		require.Equal(t, "InvalidIpAddress", r.get("/api/ips/"+ip+"/stats").code(), ip)
	}
	for _, domain := range []string{"a..b", "-a.com", "10.0.0.1", "a%20b", "a%2Fb", strings.Repeat("a", 64)} {
		for _, part := range []string{"alerts", "machines", "stats"} {
			require.Equal(t, "InvalidDomainName", r.get("/api/domains/"+domain+"/"+part).code(), domain)
		}
	}
	usual := "/api/domains/Client.WNS.windows.com"
	require.Len(t, r.get(usual+"/machines").values(), 500, "the documented maximum")
	require.Greater(t, r.get(usual + "/stats").body["organizationPrevalence"], 500.0)
	controller := r.get("/api/ips/" + string(r.Device("dc01").LastIPAddress) + "/stats")
	require.Greater(t, controller.body["organizationPrevalence"], 100.0, "the domain talks to its controllers")
	require.ElementsMatch(t, []string{"host01.contoso.com", "iphone-anna"}, r.get("/api/users/Anna.Berg/machines").names())
	require.NotEmpty(t, r.get("/api/users/anna.berg/alerts").values())
	require.Empty(t, r.get("/api/users/anna.berg%40contoso.com/alerts").values(), "the name alone, not the UPN")
}
