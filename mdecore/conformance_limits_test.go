package mdecore_test

import (
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	optable "github.com/mde-ops/mde-ops/mdecore/operations"
)

// sharedPath are operations that cannot be told from another one by their path, so that its limits hold for both.
func sharedPath() map[string]string {
	return map[string]string{"export_device_av_health_files": "export_information_gathering_files"}
}

// TestTheTenantLimitsAsTheTableSays makes as many calls as the table allows, and one more. The low limits are all tried, and of
// the usual one a read and a write.
func TestTheTenantLimitsAsTheTableSays(t *testing.T) {
	t.Parallel()
	const low = 45
	usual := map[string]bool{"get_machine": true, "isolate_machine": true}
	// What requests need is made in a world without limits, whose ids are the same.
	free, tried := newWorld(t, nil), 0
	limited := newWorld(t, func(tenant *mdesim.Tenant) { tenant.Throttle.On = true })
	for _, row := range optable.All() {
		if sharedPath()[row.ID] != "" {
			continue
		}
		if usual[row.ID] || row.PerMinute > 0 && row.PerMinute <= low {
			tried++
			limited.limits(t, row, limitedRequest(t, row, free), row.PerMinute, time.Minute)
		} else if row.PerHour > 0 && row.PerMinute == 0 {
			tried++
			limited.limits(t, row, limitedRequest(t, row, free), row.PerHour, time.Hour)
		}
	}
	require.Greater(t, tried, 25)
}

// limitedRequest is a request that is counted. It need not succeed: refused ones count as well, and are cheap.
func limitedRequest(t *testing.T, row optable.Operation, elsewhere *world) request {
	t.Helper()
	req := requestOf(t, row.ID)(t, elsewhere, permitted(row))
	if req.body != nil || req.raw != nil {
		req = req.with(map[string]any{"unknown": true})
		req.kind = ""
	}
	if row.Method == http.MethodGet {
		req.query = url.Values{"$unknown": {"1"}}
	}
	return req
}

// limits makes so many calls within a period, and then waits as long as it is told.
func (w *world) limits(t *testing.T, row optable.Operation, req request, calls int, period time.Duration) {
	t.Helper()
	by := permitted(row)
	for i := range calls {
		a := w.send(t, row, req, by)
		require.NotEqual(t, http.StatusTooManyRequests, a.status, "%s: call %d of %d", row.ID, i+1, calls)
	}
	a := w.send(t, row, req, by)
	a.refused(t, row.Graph, http.StatusTooManyRequests, "TooManyRequests")
	seconds, err := strconv.Atoi(a.header.Get("Retry-After"))
	require.NoError(t, err, row.ID)
	wait := time.Duration(seconds) * time.Second
	require.Positive(t, wait, row.ID)
	require.LessOrEqual(t, wait, period, row.ID)
	w.advance(wait - time.Second)
	require.Equal(t, http.StatusTooManyRequests, w.send(t, row, req, by).status, "%s: a second too early", row.ID)
	w.advance(time.Second)
	require.NotEqual(t, http.StatusTooManyRequests, w.send(t, row, req, by).status, "%s: after the wait", row.ID)
}
