package azpipe

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/stretchr/testify/require"
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

func TestATransportThatTellsNothingProvesNothing(t *testing.T) {
	for name, refused := range map[string]bool{"received": false, "refused": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newService(t, func(_ int, w http.ResponseWriter, _ *http.Request) { cut(w) })
				s.client.Transport = ownRequest{s.client.Transport}
				if refused {
					require.NoError(t, s.net.Close())
				}
				_, _, err := send(t.Context(), t, s.pipe(t, nil), "POST", Operation{AttemptTimeout: time.Second})
				require.Error(t, err)
				require.False(t, NotSent(err), "it may have been sent, for all we know")
				if !refused {
					require.Equal(t, 1, s.sends())
				}
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				_, _, err = send(ctx, t, s.pipe(t, nil), "POST", Operation{AttemptTimeout: time.Second})
				require.True(t, NotSent(err), "the transport was not even asked")
			})
		})
	}
}

// HTTP/2 shares connections and repeats requests by itself where it may: not one that was received.
func TestAWriteThatWasReceivedOverHTTP2IsSentOnce(t *testing.T) {
	t.Parallel()
	var got atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 || r.Method == http.MethodGet {
			return
		}
		got.Add(1)
		panic(http.ErrAbortHandler)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	client, err := NewHTTPClient(TransportOptions{})
	require.NoError(t, err)
	transport, ok := client.Transport.(*http.Transport)
	require.True(t, ok)
	transport.TLSClientConfig = &tls.Config{RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, MinVersion: tls.VersionTLS12}
	pipe, err := New(Options{Module: "m", Version: "v1", Endpoint: server.URL, Scope: "s/.default", Credential: &fixedCred{}, HTTPClient: client})
	require.NoError(t, err)
	call := func(method string) error {
		req, err := runtime.NewRequest(t.Context(), method, server.URL+"/x")
		require.NoError(t, err)
		if method == http.MethodPost {
			require.NoError(t, runtime.MarshalAsJSON(req, map[string]string{"a": "b"}))
		}
		resp, err := pipe.Do(req)
		if err == nil {
			err = resp.Body.Close()
		}
		return err
	}
	for i := range 2 { // on a new connection, then on one that is in use
		err := call(http.MethodPost)
		require.Error(t, err)
		require.False(t, NotSent(err), "%v", err)
		require.EqualValues(t, i+1, got.Load())
		require.NoError(t, call(http.MethodGet))
	}
}
