package mdecore_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
)

// memTenant is a tenant with one action, whose status can also be a refusal, "403" or "429 <seconds>". It is reached
// without sockets, so that its time is virtual in a synctest bubble.
type memTenant struct {
	status  func(n int) string
	polls   int
	latency time.Duration
}

// RoundTrip implements http.RoundTripper.
func (m *memTenant) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case <-time.After(m.latency):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	status := m.status(m.polls)
	m.polls++
	if wait, throttled := strings.CutPrefix(status, "429 "); throttled {
		return &http.Response{
			StatusCode: http.StatusTooManyRequests, Status: "429 Too Many Requests", Header: http.Header{"Retry-After": {wait}}, Request: r,
			Body: io.NopCloser(strings.NewReader(refusal)), ContentLength: int64(len(refusal)),
		}, nil
	}
	if status == "403" {
		return &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{}, Request: r, Body: http.NoBody}, nil
	}
	body := `{"id":"` + actionID + `","status":"` + status + `"}`
	return &http.Response{
		StatusCode: http.StatusOK, Status: "200 OK", Header: http.Header{}, Request: r,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}

func (m *memTenant) client(t *testing.T) *mdecore.Client {
	t.Helper()
	c, err := mdecore.New(&fakeCred{}, mdecore.Options{HTTPClient: &http.Client{Transport: m}, Limit: &mdecore.Limit{}})
	require.NoError(t, err)
	return c
}
