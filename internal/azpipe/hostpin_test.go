package azpipe

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/stretchr/testify/require"
)

func TestHostPinComesBeforeTheToken(t *testing.T) {
	reached := 0
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	defer server.Close()
	port := server.URL[strings.LastIndex(server.URL, ":"):]
	for _, target := range []string{
		"http://localhost" + port + "/api/machines", // another name of the same place is another place
		"http://127.0.0.2" + port + "/api/machines",
		"https://127.0.0.1" + port + "/api/machines",
		"http://127.0.0.1/api/machines",
		"http://127.0.0.1" + port + ".evil.example/x",
		"https://evil.example/api/machines",
	} {
		cred := &fixedCred{}
		p, err := New(Options{Endpoint: server.URL, Scope: "s", Credential: cred})
		require.NoError(t, err)
		req, err := runtime.NewRequest(t.Context(), http.MethodGet, target)
		if err != nil {
			continue // not even an address
		}
		resp, err := p.Do(req)
		if resp != nil {
			_ = resp.Body.Close()
		}
		var pinned *HostError
		require.ErrorAs(t, err, &pinned, target)
		require.True(t, NotSent(err))
		require.Zero(t, cred.asked.Load(), "no token may be asked for on behalf of %s", target)
	}
	require.Zero(t, reached)
}

func TestHostPinRefusesAForeignHostHeader(t *testing.T) {
	p, err := New(Options{Endpoint: "http://127.0.0.1:1", Scope: "s", Credential: &fixedCred{}})
	require.NoError(t, err)
	req, err := runtime.NewRequest(t.Context(), http.MethodGet, "http://127.0.0.1:1/x")
	require.NoError(t, err)
	req.Raw().Host = "evil.example"
	resp, err := p.Do(req)
	if resp != nil {
		_ = resp.Body.Close()
	}
	var pinned *HostError
	require.ErrorAs(t, err, &pinned)
}

func TestOriginHasOneSpelling(t *testing.T) {
	for _, pair := range [][2]string{
		{"https://API.security.microsoft.com:443", "https://api.security.microsoft.com"},
		{"HTTPS://api.security.microsoft.com/x", "https://api.security.microsoft.com"},
		{"http://localhost:80", "http://localhost"},
	} {
		a, err := ParseEndpoint(pair[0])
		require.NoError(t, err)
		require.Equal(t, pair[1], origin(a))
	}
}

func TestParseEndpoint(t *testing.T) {
	for _, good := range []string{"https://api.security.microsoft.com", "https://x/", "http://127.0.0.1:8080", "http://[::1]:80", "http://localhost:1"} {
		_, err := ParseEndpoint(good)
		require.NoError(t, err, good)
	}
	for bad, says := range map[string]string{
		"http://api.security.microsoft.com": "https only",
		"http://10.0.0.1":                   "https only",
		"http://localhost.evil.example":     "https only",
		"ftp://127.0.0.1":                   "https only",
		"":                                  "no host",
		"api.security.microsoft.com":        "no host",
		"https://":                          "no host",
		"https://u:p@host":                  "no user",
		"https://host?sig=abc":              "no user",
		"https://ho st":                     "not a URL",
	} {
		_, err := ParseEndpoint(bad)
		require.ErrorContains(t, err, says, bad)
	}
}
