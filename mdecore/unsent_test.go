package mdecore_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
)

// ownRequest is a transport that sends a request of its own, as many wrappers do: nobody learns of its connections.
type ownRequest struct{ inner http.RoundTripper }

func (o ownRequest) RoundTrip(r *http.Request) (*http.Response, error) {
	own, err := http.NewRequest(r.Method, r.URL.String(), r.Body) //nolint:noctx // that is the point
	if err != nil {
		return nil, err
	}
	own.Header, own.ContentLength = r.Header, r.ContentLength
	return o.inner.RoundTrip(own)
}

func TestAWriteThatWasReceivedIsNotUnsentWithAnyTransport(t *testing.T) {
	t.Parallel()
	for name, transport := range map[string]http.RoundTripper{"net/http": &http.Transport{}, "of the caller": ownRequest{&http.Transport{}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, hangUp)
			c := s.clientOf(t, func(o *mdecore.Options) { o.HTTPClient = &http.Client{Transport: transport} })
			_, err := c.IsolateMachine(t.Context(), machineID, mdecore.IsolateRequest{Comment: "w", IsolationType: mdecore.IsolationFull})
			require.True(t, mdecore.Uncertain(err), "%v", err)
			require.Len(t, s.received(), 1)
		})
	}
}
