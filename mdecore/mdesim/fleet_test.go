package mdesim_test

import (
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// TestALargeFleet is about what is right; BenchmarkLargeFleet about how fast it is.
func TestALargeFleet(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Devices: 50000, PageSize: 500})
	page := r.get("/api/machines?$skip=49499")
	require.Equal(t, 500, strings.Count(string(page.raw), `"computerDnsName"`), "a page is never larger")
	rest := r.get(page.str("@odata.nextLink"))
	require.Len(t, rest.values(), 1)
	require.NotContains(t, rest.body, "@odata.nextLink")
	last := r.get("/api/machines?$skip=49999").values()
	require.Equal(t, rest.values(), last)
	require.Equal(t, last, r.filter("machines", "id eq '"+last[0]["id"].(string)+"'").values(), "a filter looks at all of them")
	a := r.send(http.MethodPost, "/api/machines/"+last[0]["id"].(string)+"/tags", `{"Value":"last","Action":"Add"}`)
	require.Equal(t, 200, a.status)
	require.Len(t, r.get("/api/machines/findbytag?tag=last").values(), 1)
	require.Len(t, r.Effects(), 1)
	namesOfALargeFleet(t, r)
	exposureOfALargeFleet(t, r)
}

// BenchmarkLargeFleet measures a tenant with 50,000 devices: how long until it is ready, what it holds in memory, how long
// one page of 10,000 takes as it is sent, and a filter that looks at all devices.
func BenchmarkLargeFleet(b *testing.B) {
	const devices = 50000
	b.Run("seed", func(b *testing.B) {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		kept := &mdesim.Tenant{Devices: devices}
		kept.Find("host01")
		runtime.GC()
		runtime.ReadMemStats(&after)
		for b.Loop() {
			(&mdesim.Tenant{Devices: devices}).Find("host01")
		}
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MB-held")
		runtime.KeepAlive(kept)
	})
	tenant := &mdesim.Tenant{Devices: devices}
	server, err := tenant.Start()
	require.NoError(b, err)
	defer func() { _ = server.Close() }()
	client := server.Client()
	token, err := server.AppCredential(mdesim.DefaultAppID, mdesim.DefaultAppSecret).GetToken(b.Context(), tokenOptions())
	require.NoError(b, err)
	get := func(query string) {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, server.URL+"/api/machines"+query, nil)
		require.NoError(b, err)
		req.Header.Set("Authorization", "Bearer "+token.Token)
		resp, err := client.Do(req)
		require.NoError(b, err)
		require.Equal(b, http.StatusOK, resp.StatusCode)
		require.NoError(b, resp.Body.Close())
	}
	for name, query := range map[string]string{
		"page":   "?$skip=20000",
		"filter": "?$filter=" + url.QueryEscape("startswith(computerDnsName,'nobody') or riskScore eq 'High' and lastIpAddress eq '10.9.9.9'"),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				get(query)
			}
		})
	}
}
