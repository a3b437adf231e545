package mdecore_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
	table "github.com/mde-ops/mde-ops/mdecore/operations"
)

// TestTheClientKeepsTheDocumentedLimits calls each operation with a low limit until its budget is used up: one call more is
// not sent, and it is the documented number that was.
func TestTheClientKeepsTheDocumentedLimits(t *testing.T) {
	t.Parallel()
	tried := operations(t)
	for _, row := range table.All() {
		minute, hour := row.Limits()
		allowed, period := minute, time.Minute
		if allowed == 0 || hour > 0 && hour < allowed {
			allowed, period = hour, time.Hour
		}
		if allowed == 0 {
			allowed, period = 100, time.Minute // the page states none: the usual one
		}
		t.Run(row.Client, func(t *testing.T) {
			t.Parallel()
			op := tried[row.Client]
			c, err := mdecore.New(&fakeCred{}, mdecore.Options{
				Cloud: mdecore.Custom("http://127.0.0.1:1", "", ""), HTTPClient: &http.Client{Transport: direct(op.answer)},
			})
			require.NoError(t, err)
			// Calls trickle back while these are made, so a slow machine may get a few more.
			start, sent := time.Now(), 0
			ctx := mdecore.WithoutWaiting(t.Context())
			for sent <= 2*allowed && err == nil {
				if err = op.good(ctx, c); err == nil {
					sent++
				}
			}
			spare := int(time.Since(start) * time.Duration(allowed) / period)
			require.True(t, mdecore.NotSent(err))
			require.Positive(t, mdecore.RetryAfter(err))
			require.InDelta(t, allowed, sent, float64(spare)+1)
			require.GreaterOrEqual(t, sent, allowed)
		})
	}
}

// direct answers a request without a network.
type direct http.HandlerFunc

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer func() { _ = r.Body.Close() }()
	}
	w := httptest.NewRecorder()
	d(w, r)
	return w.Result(), nil
}
