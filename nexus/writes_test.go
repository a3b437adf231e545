package nexus_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/nexus"
)

func TestWritesAreSentAsDocumented(t *testing.T) {
	t.Parallel()
	var s *service
	s = newService(t, func(w http.ResponseWriter, r *http.Request) {
		answer(202, "", "Location", s.URL+operation, "Retry-After", "15")(w, r)
	})
	c := s.client(t)
	for _, w := range writes(t) {
		got, err := w.do(t.Context(), c)
		require.NoError(t, err)
		require.Equal(t, nexus.Accepted{Operation: operation, RetryAfter: 15 * time.Second}, got)
	}
	sent := map[string]received{}
	for _, r := range s.received() {
		sent[r.method+" "+r.path+"?"+r.query] = r
	}
	require.Len(t, sent, 3)
	patch := sent["PATCH "+clusterPath+"?api-version=2025-09-01"]
	require.JSONEq(t, `{"properties":{"runtimeProtectionConfiguration":{"enforcementLevel":"RealTime"}}}`, patch.body)
	require.Equal(t, `"1"`, patch.header.Get("If-Match"))
	scan := sent["POST "+clusterPath+"/scanRuntime?api-version=2025-09-01"]
	require.JSONEq(t, `{"scanActivity":"Scan"}`, scan.body)
	require.Equal(t, correlation, scan.header.Get("x-ms-correlation-request-id"))
	require.Equal(t, correlation, scan.header.Get("x-ms-client-request-id"))
	report := sent["POST "+nodePath+"/runDataExtractsRestricted?api-version=2025-09-01"]
	require.JSONEq(t, `{"commands":[{"command":"mde-agent-information"}],"limitTimeSeconds":600}`, report.body)
	require.Empty(t, report.header.Get("x-ms-correlation-request-id"))
	require.Equal(t, "Bearer tokena@https://management.core.windows.net//.default", report.header.Get("Authorization"))
}

// The version of a PATCH is that of the read it is based on.
func TestALevelIsSetByTheVersionThatWasRead(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, clusterBody(`"runtimeProtectionConfiguration":{"enforcementLevel":"Passive"}`)))
	read, err := s.client(t).GetCluster(t.Context(), parseID(t, clusterPath))
	require.NoError(t, err)
	require.Equal(t, "2026-07-01", read.APIVersion)
	got, err := s.client(t).SetEnforcementLevel(t.Context(), read, nexus.Disabled)
	require.NoError(t, err)
	require.Equal(t, nexus.Accepted{}, got, "a 200 is done at once")
	patch := s.received()[1]
	require.Equal(t, "api-version=2026-07-01", patch.query)
	require.Equal(t, `"7"`, patch.header.Get("If-Match"))
}

func TestWritesRefuseBadInputBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(500, ""))
	c := s.client(t)
	set := func(to nexus.Level, change func(*nexus.Cluster)) error {
		read := siteCluster(t)
		if change != nil {
			change(read)
		}
		_, err := c.SetEnforcementLevel(t.Context(), read, to)
		return err
	}
	scan := func(id nexus.ID, correlation string) error {
		_, err := c.ScanRuntime(t.Context(), id, correlation)
		return err
	}
	report := func(id nexus.ID, limit time.Duration) error {
		_, err := c.StartReport(t.Context(), id, limit)
		return err
	}
	cluster, node := parseID(t, clusterPath), parseID(t, nodePath)
	_, noCluster := c.SetEnforcementLevel(t.Context(), nil, nexus.Passive)
	for says, err := range map[string]error{
		"Audit can be read and not set":  set(nexus.Audit, nil),
		"did you mean RealTime?":         set("RealTme", nil),
		"spelled as the service does":    set("realtime", nil),
		"no usable ETag":                 set(nexus.Passive, func(c *nexus.Cluster) { c.ETag = "" }),
		"fits any state":                 set(nexus.Passive, func(c *nexus.Cluster) { c.ETag = " * " }),
		"ETag with":                      set(nexus.Passive, func(c *nexus.Cluster) { c.ETag = "\"1\"\r\nX: y" }),
		"api-version \"2020-01-01\"":     set(nexus.Passive, func(c *nexus.Cluster) { c.APIVersion = "2020-01-01" }),
		"not the resource id":            set(nexus.Passive, func(c *nexus.Cluster) { c.ID.Name = "a/../b" }),
		"none is given":                  noCluster,
		"is in bareMetalMachines":        scan(node, correlation),
		"\"not-a-guid\" is not a GUID":   scan(cluster, "not-a-guid"),
		"is in clusters":                 report(cluster, time.Hour),
		"59s is not allowed":             report(node, 59*time.Second),
		"4h0m1s is not allowed":          report(node, 4*time.Hour+time.Second),
		"<GUID>/resourceGroups":          report(nexus.ID{}, time.Hour),
		"the node between 1m0s and 4h0m": report(node, 0),
	} {
		require.ErrorContains(t, err, says)
		require.ErrorContains(t, err, "nothing was sent")
		require.True(t, nexus.NotSent(err), says)
		require.False(t, nexus.Refused(err), says)
	}
	require.Empty(t, s.received())
}

// What may have been done is never sent again: a second scan, a second change.
func TestAWriteIsSentOnceUnlessItWasThrottled(t *testing.T) {
	t.Parallel()
	cut := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}
	for name, fault := range map[string]http.HandlerFunc{
		"500": armError(500, "InternalServerError", "x"), "503": armError(503, "ServiceUnavailable", "x"), "504": answer(504, ""), "408": answer(408, ""), "cut": cut,
		"a page of a proxy": answer(200, "<html>sign in</html>"), "a broken answer": answer(200, `{"id":`), "a 200 without a word": answer(200, ""),
	} {
		for op, w := range writes(t) {
			t.Run(op+" "+name, func(t *testing.T) {
				t.Parallel()
				s := newService(t, fault)
				_, err := w.do(t.Context(), s.client(t))
				require.Error(t, err)
				require.False(t, nexus.NotSent(err), "%v", err)
				require.False(t, nexus.Refused(err), "%v", err)
				require.Len(t, s.received(), 1)
			})
		}
	}
}

func TestAThrottledWriteIsSentAgain(t *testing.T) {
	t.Parallel()
	for op, w := range writes(t) {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			var s *service
			s = newService(t, func(rw http.ResponseWriter, r *http.Request) {
				if len(s.received()) == 1 {
					answer(429, `{"error":{"code":"TooManyRequests","message":"x"}}`, "Retry-After", "0")(rw, r)
					return
				}
				answer(202, "", "Azure-AsyncOperation", s.URL+operation)(rw, r)
			})
			_, err := w.do(t.Context(), s.client(t))
			require.NoError(t, err)
			require.Len(t, s.received(), 2)
		})
	}
}

func TestALongThrottleIsHandedBack(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(429, `{"error":{"code":"TooManyRequests","message":"slow down"}}`, "Retry-After", "170"))
	_, err := writes(t)["ScanRuntime"].do(t.Context(), s.client(t))
	require.True(t, nexus.NotSent(err))
	require.Equal(t, 170*time.Second, nexus.RetryAfter(err))
	require.ErrorContains(t, err, "try again in 2m50s")
	require.Len(t, s.received(), 1)
}

func TestAWriteThatCanNotBeConnectedIsNotSent(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(202, ""))
	c := s.client(t)
	s.Close()
	for op, w := range writes(t) {
		_, err := w.do(t.Context(), c)
		require.True(t, nexus.NotSent(err), "%s: %v", op, err)
	}
}

func TestAWriteGivesUpInItsTime(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	s := newService(t, func(http.ResponseWriter, *http.Request) { <-gone })
	defer close(gone)
	_, err := writes(t)["ScanRuntime"].do(t.Context(), s.client(t, func(o *nexus.Options) { o.WriteTimeout = 50 * time.Millisecond }))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "in the time allowed")
	require.False(t, nexus.NotSent(err))
	require.Len(t, s.received(), 1)
}

// A 200 is documented to hold the operation itself.
func TestAnOperationInTheAnswer(t *testing.T) {
	t.Parallel()
	path, _, _ := strings.Cut(operation, "?")
	for id, fault := range map[string]string{
		path:                          "",
		"":                            "names no address",
		clusterPath:                   "names no address",
		"https://evil.example" + path: "names no address",
		strings.Replace(path, subscription, correlation, 1): "names no address",
	} {
		for _, op := range []string{"ScanRuntime", "StartReport"} {
			s := newService(t, answer(200, `{"id":"`+id+`","status":"Failed"}`, "Retry-After", "3"))
			got, err := writes(t)[op].do(t.Context(), s.client(t))
			if fault == "" {
				require.NoError(t, err)
				require.Equal(t, nexus.Accepted{Operation: operation, RetryAfter: 3 * time.Second}, got)
				continue
			}
			require.ErrorContains(t, err, fault, id)
			require.False(t, nexus.NotSent(err) || nexus.Refused(err))
		}
	}
}

func TestWhereAnOperationIs(t *testing.T) {
	t.Parallel()
	var s *service
	signature := "&t=638000000000000000&c=MIIHhzCCBm&s=abc-DEF_123&h=zyx987"
	for name, test := range map[string]struct {
		code   int
		header []string
		want   string
		fault  string
	}{
		"Azure-AsyncOperation is preferred":  {202, []string{"Azure-AsyncOperation", "{}" + operation, "Location", "{}/elsewhere"}, operation, ""},
		"Location":                           {202, []string{"Location", "{}" + operation}, operation, ""},
		"with a 200":                         {200, []string{"Location", "{}" + operation}, operation, ""},
		"without a host":                     {202, []string{"Location", operation}, operation, ""},
		"in other case":                      {202, []string{"Location", "{}" + "/SUBSCRIPTIONS/" + subscription + "/providers/microsoft.networkcloud/Locations/EASTUS/operationstatuses/x*1?api-version=2025-02-01"}, "/SUBSCRIPTIONS/" + subscription + "/providers/microsoft.networkcloud/Locations/EASTUS/operationstatuses/x*1?api-version=2025-02-01", ""},
		"escaped":                            {202, []string{"Location", "{}" + operations + "x%2A1?api-version=2025-02-01"}, operations + "x%2A1?api-version=2025-02-01", ""},
		"signed by Resource Manager":         {202, []string{"Location", "{}" + operation + signature}, operations + "aaaaaaaa-0000-4000-8000-000000000001*99399E995?api-version=2025-09-01&c=MIIHhzCCBm&h=zyx987&s=abc-DEF_123&t=638000000000000000", ""},
		"with another's signature":           {202, []string{"Location", "{}" + operation + "&sig=SECRET&token=SECRET"}, operation, ""},
		"without a version":                  {202, []string{"Location", "{}" + operations + "x1"}, operations + "x1?api-version=2025-09-01", ""},
		"none":                               {202, nil, "", "names no address"},
		"on another host":                    {202, []string{"Location", "https://evil.example" + operation}, "", "leads to evil.example instead of"},
		"on another host, without a scheme":  {202, []string{"Location", "//evil.example" + operation}, "", "leads to evil.example instead of"},
		"of another scheme":                  {202, []string{"Location", "gopher://x" + operation}, "", "instead of"},
		"with a user":                        {202, []string{"Location", "http://me@{host}" + operation}, "", "instead of"},
		"no address":                         {202, []string{"Location", "mailto:x"}, "", "not an address"},
		"the preferred one is elsewhere":     {202, []string{"Azure-AsyncOperation", "https://evil.example" + operation, "Location", "{}" + operation}, "", "evil.example"},
		"of another provider":                {202, []string{"Location", "{}/subscriptions/" + subscription + "/providers/Microsoft.Compute/locations/eastus/operationStatuses/x1?api-version=2025-09-01"}, "", "not one of an operation"},
		"of another subscription":            {202, []string{"Location", "{}/subscriptions/" + correlation + "/providers/Microsoft.NetworkCloud/locations/eastus/operationStatuses/x1"}, "", "of subscription"},
		"out of the operations":              {202, []string{"Location", "{}" + operations + "../x1"}, "", "not one of an operation"},
		"out of the operations, escaped":     {202, []string{"Location", "{}" + operations + "%2e%2e%2fx1"}, "", "not one of an operation"},
		"with a version that is none":        {202, []string{"Location", "{}" + operations + "x1?api-version=1;drop"}, "", "query can't be read"},
		"with a version that is none either": {202, []string{"Location", "{}" + operations + "x1?api-version=latest"}, "", "api-version is not what it should be"},
	} {
		for op, w := range writes(t) {
			t.Run(op+" "+name, func(t *testing.T) {
				s = newService(t, func(rw http.ResponseWriter, r *http.Request) {
					var header []string
					for _, h := range test.header {
						header = append(header, replaced(h, s.URL, r.Host))
					}
					answer(test.code, "", header...)(rw, r)
				})
				got, err := w.do(t.Context(), s.client(t))
				require.Len(t, s.received(), 1)
				if test.fault == "" {
					require.NoError(t, err)
					require.Equal(t, test.want, got.Operation)
					require.Equal(t, got.Operation, again(t, s, got.Operation))
					return
				}
				require.ErrorContains(t, err, "accepted, but ")
				require.ErrorContains(t, err, test.fault)
				require.NotContains(t, err.Error(), "SECRET")
				require.False(t, nexus.NotSent(err))
				require.False(t, nexus.Refused(err))
			})
		}
	}
}
