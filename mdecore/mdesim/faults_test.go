package mdesim_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func TestFaultStatuses(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	id := r.Device("host01").ID
	for status, code := range map[int]string{
		400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 429: "TooManyRequests",
		500: "InternalServerError", 503: "ServiceUnavailable",
	} {
		r.Fail(mdesim.Fault{Method: "POST", Path: "/api/machines/*/isolate", Status: status})
		require.Equal(t, 200, r.get("/api/machines/"+id).status, "another method and path is not touched")
		refused(t, r.isolate(id), status, code, "Simulated")
		require.Empty(t, r.Effects(), "a FaultStatus has no effect")
	}
	require.Equal(t, 201, r.isolate(id).status, "a fault happens once")
}

func TestRetryAfterForms(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	for _, form := range []string{"", "3", "3600", mdesim.RetryAfterDate(epoch()), "soon"} {
		r.Fail(mdesim.Fault{Status: 429, RetryAfter: form})
		require.Equal(t, form, r.get("/api/machines").header.Get("Retry-After"))
	}
	require.Equal(t, "Sun, 22 Nov 2026 09:00:00 GMT", mdesim.RetryAfterDate(epoch()))
}

func TestFaultTimesSkipAndPatterns(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Faults: []mdesim.Fault{{Path: "/api/alerts**", Status: 503, Times: 2}}})
	require.Equal(t, 503, r.get("/api/alerts").status)
	require.Equal(t, 503, r.get("/api/v1.0/alerts/x").status)
	require.Equal(t, 200, r.get("/api/alerts").status)
	r.Fail(mdesim.Fault{Path: "/api/machines", Skip: 1, Times: -1})
	require.Equal(t, 200, r.get("/api/machines").status)
	for range 4 {
		require.Equal(t, 500, r.get("/api/machines").status)
	}
	r.ClearFaults()
	require.Equal(t, 200, r.get("/api/machines").status)
	r.Fail(mdesim.Fault{Path: "/*/oauth2/v2.0/token", Status: 503})
	_, err := r.server.AppCredential(mdesim.DefaultAppID, mdesim.DefaultAppSecret).GetToken(context.Background(), tokenOptions())
	require.Error(t, err)
}

func TestFaultsAroundTheEffect(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		kind    mdesim.FaultKind
		effects int
		check   func(*testing.T, answer, error)
	}{
		{mdesim.FaultCutBefore, 0, func(t *testing.T, _ answer, err error) { require.Error(t, err) }},
		{mdesim.FaultCutAfter, 1, func(t *testing.T, _ answer, err error) { require.Error(t, err) }},
		{mdesim.FaultStatusAfter, 1, func(t *testing.T, a answer, err error) {
			require.NoError(t, err)
			require.Equal(t, 500, a.status)
		}},
		{mdesim.FaultTruncated, 1, func(t *testing.T, a answer, err error) {
			require.NoError(t, err)
			require.Equal(t, 201, a.status)
			require.Nil(t, a.body, "half of the JSON does not parse")
			require.NotEmpty(t, a.raw)
		}},
		{mdesim.FaultContentType, 1, func(t *testing.T, a answer, err error) {
			require.NoError(t, err)
			require.Contains(t, a.header.Get("Content-Type"), "text/html")
			require.Nil(t, a.body)
		}},
	} {
		t.Run(string(tc.kind), func(t *testing.T) {
			t.Parallel()
			r := serve(t, &mdesim.Tenant{})
			r.Fail(mdesim.Fault{Method: "POST", Kind: tc.kind})
			a, err := r.try("POST", "/api/machines/"+r.Device("host01").ID+"/isolate", `{"Comment":"x"}`)
			tc.check(t, a, err)
			require.Len(t, r.Effects(), tc.effects)
			require.Equal(t, 1, r.Writes(), "the request was received once")
		})
	}
}

func TestSlowAnswerKeepsItsEffect(t *testing.T) {
	t.Parallel()
	accepted := make(chan mdesim.Effect, 1)
	r := serve(t, &mdesim.Tenant{OnAccepted: func(e mdesim.Effect) { accepted <- e }})
	r.Fail(mdesim.Fault{Method: "POST", Kind: mdesim.FaultSlow, Delay: time.Hour})
	ctx, leave := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.server.URL+"/api/machines/"+r.Device("host01").ID+"/isolate", strings.NewReader(`{"Comment":"x"}`))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+r.token)
	go func() {
		<-accepted
		leave()
	}()
	_, err = r.client.Do(req)
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, r.Effects(), 1)
}

// TestHooksSeeBothSidesOfTheEffect holds an answer after the effect was committed,
// as crash tests do.
func TestHooksSeeBothSidesOfTheEffect(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{}
	held, release := make(chan mdesim.Effect), make(chan struct{})
	requests := 0
	tenant.OnRequest = func(req *http.Request) {
		if req.Method == http.MethodPost && strings.HasPrefix(req.URL.Path, "/api/") {
			requests++
			require.Empty(t, tenant.Effects(), "OnRequest comes before the effect")
		}
	}
	tenant.OnAccepted = func(e mdesim.Effect) {
		held <- e
		<-release
	}
	r := serve(t, tenant)
	done := make(chan answer)
	go func() {
		a, _ := r.try("POST", "/api/machines/"+r.Device("host01").ID+"/isolate", `{"Comment":"x"}`)
		done <- a
	}()
	effect := <-held
	require.Equal(t, []mdesim.Effect{effect}, r.Effects(), "the effect is there while the answer is held")
	require.Equal(t, 200, r.get("/api/machineactions/"+effect.ActionID).status)
	select {
	case <-done:
		t.Fatal("the answer was not held")
	default:
	}
	close(release)
	require.Equal(t, 201, (<-done).status)
	require.Equal(t, 1, requests)
}

func TestLatencyDoesNotLoseARequest(t *testing.T) {
	t.Parallel()
	arrived, accepted := make(chan struct{}, 1), make(chan struct{}, 1)
	tenant := &mdesim.Tenant{
		Latency: time.Hour,
		OnRequest: func(req *http.Request) {
			if req.Method == http.MethodPost && strings.HasPrefix(req.URL.Path, "/api/") {
				arrived <- struct{}{}
			}
		},
		OnAccepted: func(mdesim.Effect) { accepted <- struct{}{} },
	}
	r := serve(t, tenant)
	ctx, leave := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.server.URL+"/api/machines/"+r.Device("host01").ID+"/isolate", strings.NewReader(`{"Comment":"x"}`))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+r.token)
	go func() {
		<-arrived
		leave()
	}()
	_, err = r.client.Do(req)
	require.ErrorIs(t, err, context.Canceled)
	<-accepted
	require.Len(t, r.Effects(), 1, "a client that left does not take its request back")
}

func TestForeignNextLink(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	for _, query := range []string{"", "?$top=1"} { // with and without a link of its own
		r.Fail(mdesim.Fault{Kind: mdesim.FaultForeignLink})
		link := r.get("/api/machines" + query).str("@odata.nextLink")
		require.True(t, strings.HasPrefix(link, "https://"+mdesim.ForeignHost+"/"), link)
	}
	paged := serve(t, &mdesim.Tenant{PageSize: 10})
	paged.Fail(mdesim.Fault{Kind: mdesim.FaultForeignLink})
	a := paged.get("/api/machines")
	require.Contains(t, a.str("@odata.nextLink"), mdesim.ForeignHost)
	require.NotContains(t, string(a.raw), paged.server.URL+"/api/machines?")
}

func TestThrottle(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &mdesim.Tenant{Clock: now.Now, Throttle: mdesim.Throttle{On: true}}).unwired()
	id := r.Device("host01").ID
	spend := func(n int) {
		for i := range n {
			require.Equal(t, 404, r.get("/api/alerts/x").status, i)
		}
	}
	spend(100)
	now.Advance(20500 * time.Millisecond)
	a := r.get("/api/alerts/x")
	refused(t, a, 429, "TooManyRequests", "get_alert")
	require.Equal(t, "40", a.header.Get("Retry-After"), "rounded up")
	require.Equal(t, 200, r.get("/api/machines/"+id).status, "the limit is per operation")
	now.Advance(39500 * time.Millisecond)
	for range 14 {
		spend(100)
		now.Advance(time.Minute)
	}
	a = r.get("/api/alerts/x")
	require.Equal(t, 429, a.status, "the hour's 1,500 are spent")
	require.Equal(t, "2700", a.header.Get("Retry-After"))
}

func TestThrottleForms(t *testing.T) {
	t.Parallel()
	for form, want := range map[mdesim.RetryAfterForm]string{
		mdesim.RetryAfterSeconds: "60", mdesim.RetryAfterDateOf: "Sun, 22 Nov 2026 09:01:00 GMT", mdesim.RetryAfterNone: "",
	} {
		now := newClock()
		r := serve(t, &mdesim.Tenant{Clock: now.Now, Throttle: mdesim.Throttle{On: true, PerMinute: 1, Form: form}})
		id := r.Device("host01").ID
		require.Equal(t, 201, r.isolate(id).status)
		a := r.isolate(id)
		require.Equal(t, 429, a.status)
		require.Equal(t, want, a.header.Get("Retry-After"))
		require.Len(t, r.Effects(), 1)
	}
}

func TestAnEchoRepeatsTokenAndLink(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	r.Fail(mdesim.Fault{Kind: mdesim.FaultEcho, Status: http.StatusBadRequest})
	echoed := r.isolate(r.Device("host01").ID)
	require.Equal(t, http.StatusBadRequest, echoed.status)
	require.Contains(t, string(echoed.raw), r.token)
	require.Contains(t, string(echoed.raw), "sig=")
	require.Empty(t, r.Effects(), "the request is not handled")
}
