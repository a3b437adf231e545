package mdecore_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/mdecore"
)

func TestCloudsAreCompleteAndDistinct(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, cloud := range mdecore.Clouds() {
		require.False(t, seen[cloud.Name], cloud.Name)
		seen[cloud.Name] = true
		for _, address := range []string{cloud.Endpoint, cloud.Scope, cloud.Authority, cloud.Graph, cloud.GraphScope} {
			u, err := azpipe.ParseEndpoint(address)
			require.NoError(t, err, cloud.Name)
			require.Equal(t, "https", u.Scheme)
		}
		require.Equal(t, cloud.Graph+"/.default", cloud.GraphScope)
		require.NotEmpty(t, cloud.Storage)
		found, err := mdecore.CloudByName(cloud.Name)
		require.NoError(t, err)
		require.True(t, found == cloud, "clouds compare with ==")
		_, err = mdecore.New(&fakeCred{}, mdecore.Options{Cloud: cloud})
		require.NoError(t, err)
	}
	require.Len(t, seen, 11)
	require.Equal(t, mdecore.Public(), mdecore.Clouds()[0])
}

// The hosts and audiences are facts of the documentation, so they stand here once more.
func TestCloudHosts(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]mdecore.Cloud{
		"public": {
			Endpoint: "https://api.security.microsoft.com", Scope: "https://api.securitycenter.microsoft.com/.default",
			Authority: "https://login.microsoftonline.com", Graph: "https://graph.microsoft.com", Storage: "blob.core.windows.net",
		},
		"swa": {
			Endpoint: "https://swa.api.security.microsoft.com", Scope: "https://api.securitycenter.microsoft.com/.default",
			Authority: "https://login.microsoftonline.com", Graph: "https://graph.microsoft.com", Storage: "blob.core.windows.net",
		},
		"gcc": {
			Endpoint: "https://api-gcc.securitycenter.microsoft.us", Scope: "https://api-gcc.securitycenter.microsoft.us/.default",
			Authority: "https://login.microsoftonline.com", Graph: "https://graph.microsoft.com", Storage: "blob.core.windows.net blob.core.usgovcloudapi.net",
		},
		"gcc-high": {
			Endpoint: "https://api-gov.securitycenter.microsoft.us", Scope: "https://api-gov.securitycenter.microsoft.us/.default",
			Authority: "https://login.microsoftonline.us", Graph: "https://graph.microsoft.us", Storage: "blob.core.usgovcloudapi.net",
		},
		"dod": {
			Endpoint: "https://api-gov.securitycenter.microsoft.us", Scope: "https://api-gov.securitycenter.microsoft.us/.default",
			Authority: "https://login.microsoftonline.us", Graph: "https://dod-graph.microsoft.us", Storage: "blob.core.usgovcloudapi.net",
		},
	} {
		want.Name, want.GraphScope = name, want.Graph+"/.default"
		got, err := mdecore.CloudByName(name)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func TestCloudByNameOffersTheNearest(t *testing.T) {
	t.Parallel()
	for name, near := range map[string]string{
		"GCC High": "gcc-high", "gcchigh": "gcc-high", "gcc_high": "gcc-high", "PUBLIC": "public", "publc": "public", "DoD": "dod", "EU": "eu",
		"china": "", "": "", "x": "", strings.Repeat("public", 20): "",
	} {
		got, err := mdecore.CloudByName(name)
		require.Equal(t, mdecore.Cloud{}, got)
		require.ErrorContains(t, err, "public, us, eu, uk, au, swa, ina, aea, gcc, gcc-high, dod")
		if near == "" {
			require.NotContains(t, err.Error(), "did you mean", name)
			continue
		}
		require.ErrorContains(t, err, "did you mean "+near+"?", name)
	}
}

func TestCustomClouds(t *testing.T) {
	t.Parallel()
	public := mdecore.Public()
	far := mdecore.Custom("https://api.example.com", "", "")
	public.Name, public.Endpoint = "custom", "https://api.example.com"
	require.Equal(t, public, far)
	for _, endpoint := range []string{"https://127.0.0.1:8443", "http://localhost:80", "https://[::1]:1"} {
		near := mdecore.Custom(endpoint+"/", endpoint, "s/.default")
		require.Equal(t, endpoint, near.Graph, "a simulator stands for Graph too")
		require.Equal(t, "https://graph.microsoft.com/.default", near.GraphScope)
		require.Equal(t, "s/.default", near.Scope)
		require.Equal(t, endpoint, near.Authority)
		require.Empty(t, near.Storage)
	}
}

func TestLinksOfEveryCloud(t *testing.T) {
	t.Parallel()
	const commercial, government = "https://x.blob.core.windows.net/c/f?sig=s3cr3t", "https://x.blob.core.usgovcloudapi.net/c/f?sig=s3cr3t"
	for _, cloud := range mdecore.Clouds() {
		us := strings.HasSuffix(cloud.Authority, ".us")
		requireLink(t, cloud, commercial, !us)
		requireLink(t, cloud, government, us || cloud.Name == "gcc")
		requireLink(t, cloud, cloud.Endpoint+":443/safedownload/p.zip?token=s3cr3t", true)
		for _, other := range mdecore.Clouds() {
			requireLink(t, cloud, other.Endpoint+"/safedownload/p.zip?token=s3cr3t", other.Endpoint == cloud.Endpoint)
		}
	}
}

func requireLink(t *testing.T, cloud mdecore.Cloud, link string, allowed bool) {
	t.Helper()
	u, err := url.Parse(link)
	require.NoError(t, err)
	err = cloud.LinkAllowed(u)
	if allowed {
		require.NoError(t, err, "%s: %s", cloud.Name, link)
		return
	}
	require.Error(t, err, "%s: %s", cloud.Name, link)
	require.NotContains(t, err.Error(), "s3cr3t")
	require.NotContains(t, err.Error(), "hidden")
}

func TestLinkAllowed(t *testing.T) {
	t.Parallel()
	for link, allowed := range map[string]bool{
		"https://x.blob.core.windows.net/f?sig=s3cr3t":                 true,
		"https://X.Blob.Core.Windows.Net:443/f?sig=s3cr3t":             true,
		"https://a.b.blob.core.windows.net/f":                          true,
		"http://x.blob.core.windows.net/f?sig=s3cr3t":                  false,
		"https://x.blob.core.windows.net:8443/f?sig=s3cr3t":            false,
		"https://u:hidden@x.blob.core.windows.net/f?sig=s3cr3t":        false,
		"https://blob.core.windows.net/f?sig=s3cr3t":                   false,
		"https://.blob.core.windows.net/f?sig=s3cr3t":                  false,
		"https://evil.example;.blob.core.windows.net/f?sig=s3cr3t":     false,
		"https://..blob.core.windows.net/f?sig=s3cr3t":                 false,
		"https://xblob.core.windows.net/f?sig=s3cr3t":                  false,
		"https://x.blob.core.windows.net.evil.example/f?sig=s3cr3t":    false,
		"https://x.blob.core.windows.net./f?sig=s3cr3t":                false,
		"https://x.file.core.windows.net/f?sig=s3cr3t":                 false,
		"https://x.blob.core.windows.net%2eevil.example/f?sig=s3cr3t":  false,
		"https://evil.example%E2%80%A4blob.core.windows.net/?s3cr3t":   false,
		"https://evil.example/x.blob.core.windows.net?sig=s3cr3t":      false,
		"https://evil.example?x.blob.core.windows.net&sig=s3cr3t":      false,
		"https://127.0.0.1/f?sig=s3cr3t":                               false,
		"https://localhost/f?sig=s3cr3t":                               false,
		"https://169.254.169.254/metadata/identity?sig=s3cr3t":         false,
		"https://graph.microsoft.com/f?sig=s3cr3t":                     false,
		"https://api.security.microsoft.com/safedownload?token=s3cr3t": true,
		"https://eu.api.security.microsoft.com/safedownload?token=1":   false,
		"ftp://x.blob.core.windows.net/f?sig=s3cr3t":                   false,
		"/c/f?sig=s3cr3t":      false,
		"https:c/f?sig=s3cr3t": false,
		"":                     false,
	} {
		if _, err := url.Parse(link); err != nil {
			continue // not even an address
		}
		requireLink(t, mdecore.Public(), link, allowed)
	}
	require.Error(t, mdecore.Public().LinkAllowed(nil))
}

func TestLinksOfALoopbackAPI(t *testing.T) {
	t.Parallel()
	sim := mdecore.Custom("https://127.0.0.1:8443", "", "")
	for link, allowed := range map[string]bool{
		"https://127.0.0.1:9/f?sig=s3cr3t":             true,
		"http://localhost:9/f?sig=s3cr3t":              true,
		"http://[::1]:9/f":                             true,
		"http://[::ffff:127.0.0.1]:9/f":                true,
		"ftp://127.0.0.1/f?sig=s3cr3t":                 false,
		"http://u:hidden@127.0.0.1/f?sig=s3cr3t":       false,
		"https://x.blob.core.windows.net/f?sig=s3cr3t": false,
		"http://127.0.0.1.evil.example/f?sig=s3cr3t":   false,
		"http://169.254.169.254/f?sig=s3cr3t":          false,
	} {
		requireLink(t, sim, link, allowed)
	}
	broken := mdecore.Cloud{Endpoint: "https://ho st"}
	requireLink(t, broken, "https://127.0.0.1:9/f?sig=s3cr3t", false)
}

// Whatever a service puts into a link: what is allowed leads to a known place, and what is refused shows no signature.
func FuzzLinkAllowed(f *testing.F) {
	for _, link := range []string{
		"https://x.blob.core.windows.net/c/f?sig=s3cr3t", "https://X.BLOB.core.usgovcloudapi.net:443/", "https://api-gcc.securitycenter.microsoft.us/safedownload",
		"https://u:p@x.blob.core.windows.net", "https://[::1]:1/", "https://x.blob.core.windows.net%00.evil.example/", "//x.blob.core.windows.net", "https:x",
	} {
		f.Add(link)
	}
	f.Fuzz(func(t *testing.T, link string) {
		u, err := url.Parse(link)
		if err != nil {
			return
		}
		marked := *u
		marked.RawQuery = "sig=planted-s3cr3t"
		for _, cloud := range mdecore.Clouds() {
			if err := cloud.LinkAllowed(&marked); err != nil {
				require.NotContains(t, err.Error(), "planted-s3cr3t")
				continue
			}
			host := strings.ToLower(u.Hostname())
			require.Equal(t, "https", u.Scheme)
			require.Nil(t, u.User)
			require.Contains(t, []string{"", "443"}, u.Port())
			require.True(t, "https://"+host == cloud.Endpoint || strings.HasSuffix(host, ".blob.core.windows.net") || strings.HasSuffix(host, ".blob.core.usgovcloudapi.net"), host)
			require.NotContains(t, host, "..")
			require.False(t, strings.HasPrefix(host, "."))
		}
	})
}

// A list that continues in another cloud, or on another regional host, would take the token there.
func TestNextLinkToAnotherCloudIsRefused(t *testing.T) {
	t.Parallel()
	for _, cloud := range mdecore.Clouds() {
		for _, other := range mdecore.Clouds() {
			if other.Endpoint == cloud.Endpoint {
				continue
			}
			requireNoWayOut(t, cloud, other)
		}
	}
}

// requireNoWayOut lists machines in a cloud whose first page continues in another one.
func requireNoWayOut(t *testing.T, cloud, other mdecore.Cloud) {
	t.Helper()
	server := httptest.NewTLSServer(answer(200, `{"value":[{"id":"`+machineID+`"}],"@odata.nextLink":"`+other.Endpoint+`/api/machines?$skip=1"}`))
	defer server.Close()
	var dialled []string
	var dialer net.Dialer
	trusted := server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	trusted.ServerName = "example.com" // the test server's certificate stands for every host
	transport := &http.Transport{TLSClientConfig: trusted, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		dialled = append(dialled, "https://"+strings.TrimSuffix(address, ":443"))
		return dialer.DialContext(ctx, network, server.Listener.Addr().String())
	}}
	defer transport.CloseIdleConnections()
	c, err := mdecore.New(&fakeCred{}, mdecore.Options{Cloud: cloud, HTTPClient: &http.Client{Transport: transport}, MaxRetries: -1})
	require.NoError(t, err)
	rows, failed := 0, error(nil)
	for _, err := range c.ListMachines(t.Context(), mdecore.Query{}) {
		if failed = err; err == nil {
			rows++
		}
	}
	require.Equal(t, 1, rows)
	require.ErrorContains(t, failed, other.Endpoint, "%s to %s", cloud.Name, other.Name)
	require.Equal(t, []string{cloud.Endpoint}, dialled)
}
