package azpipe

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A redirect of a token request would carry the client secret, one of a write would do it elsewhere.
func TestHTTPClientFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	reached := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	defer other.Close()
	server := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	client, err := NewHTTPClient(TransportOptions{})
	require.NoError(t, err)
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		req, err := http.NewRequestWithContext(t.Context(), method, server.URL, strings.NewReader("secret"))
		require.NoError(t, err)
		resp, err := client.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusTemporaryRedirect, resp.StatusCode)
	}
	require.Zero(t, reached)
}

// An answer may come before the body was read. The next send must carry the whole body all the same.
func TestEarlyRefusalDoesNotSpoilTheNextSend(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("0123456789", 50_000)
	for range 5 {
		var got []string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if got = append(got, ""); len(got) < 3 {
				w.Header().Set("Retry-After", "0")
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			data, err := io.ReadAll(r.Body)
			assert.NoError(t, err)
			got[2] = string(data)
		}))
		p, err := New(Options{Endpoint: server.URL, Scope: "s", Credential: &fixedCred{}})
		require.NoError(t, err)
		req, err := runtime.NewRequest(t.Context(), http.MethodPost, server.URL)
		require.NoError(t, err)
		require.NoError(t, req.SetBody(streaming.NopCloser(strings.NewReader(body)), "text/plain"))
		resp, err := p.Do(req)
		server.Close()
		if err != nil {
			// The service hung up on a body that it did not want: for us that is a lost write, not one to repeat.
			require.False(t, NotSent(err))
			continue
		}
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.Equal(t, body, got[2])
	}
}

func TestUnreadableBodyIsNotSent(t *testing.T) {
	t.Parallel()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost", errReader{})
	require.NoError(t, err)
	req.ContentLength = 5
	_, err = (&transport{client: http.DefaultClient}).Do(req)
	require.True(t, NotSent(err))
}
