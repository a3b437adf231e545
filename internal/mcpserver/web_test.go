package mcpserver

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/stretchr/testify/require"
)

const hello = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"raw","version":"1"}}}`

// keyed lets everybody in as whom the header X-Test names.
func keyed(_ http.ResponseWriter, r *http.Request) (Principal, bool) {
	return Principal{Key: r.Header.Get("X-Test")}, true
}

// sent is the answer to hello from an address, with headers.
func sent(t *testing.T, h http.Handler, from string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/mcp", strings.NewReader(hello))
	r.RemoteAddr, r.Host = from, "mde.example.com"
	r.Header.Set("Content-Type", "application/json")
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestOnlyAListedProxyTellsOfItsClient(t *testing.T) {
	w := open(t, func(o *Options) { o.Hosts = []string{"mde.example.com"} })
	proxies := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}
	remote := w.server.HTTP(HTTPOptions{Authenticate: keyed, Proxies: proxies, Remote: true}).Handler()
	const proxy, stranger, local = "10.1.2.3:4000", "192.0.2.7:4000", "127.0.0.1:4000"
	for name, c := range map[string]struct {
		from    string
		headers []string
		status  int
	}{
		"by the proxy":                         {proxy, []string{"X-Forwarded-Proto: https"}, 200},
		"to a host that the proxy names":       {proxy, []string{"X-Forwarded-Proto: https", "Host: 10.1.0.9", "X-Forwarded-Host: mde.example.com"}, 200},
		"to a foreign host that it names":      {proxy, []string{"X-Forwarded-Proto: https", "X-Forwarded-Host: evil.example"}, 403},
		"the proxy's client in the clear":      {proxy, []string{"X-Forwarded-Proto: http"}, 403},
		"the client's own word before it":      {proxy, []string{"X-Forwarded-Proto: https, http"}, 403},
		"the client's own header before it":    {proxy, []string{"X-Forwarded-Proto: https", "X-Forwarded-Proto: http"}, 403},
		"the proxy says nothing":               {proxy, nil, 403},
		"the proxy says something else":        {proxy, []string{"X-Forwarded-For: 1.2.3.4"}, 403},
		"a stranger":                           {stranger, nil, 403},
		"a stranger who plays the proxy":       {stranger, []string{"X-Forwarded-Proto: https"}, 403},
		"this machine":                         {local, nil, 200},
		"this machine, to a host it names":     {local, []string{"Host: evil.example", "X-Forwarded-Host: mde.example.com"}, 403},
		"a program on this machine, forwarded": {local, []string{"X-Forwarded-Proto: http", "X-Forwarded-For: 1.2.3.4"}, 200},
		"no address":                           {"", []string{"X-Forwarded-Proto: https"}, 403},
	} {
		require.Equal(t, c.status, sent(t, remote, c.from, c.headers...).Code, name)
	}
	open := w.server.HTTP(HTTPOptions{}).Handler()
	require.Equal(t, 200, sent(t, open, local).Code)
	require.Equal(t, 403, sent(t, open, local, "X-Forwarded-For: 1.2.3.4").Code, "nobody signs in here, so a proxy would let everybody in")
}

func TestPagesOfListedOriginsMayCall(t *testing.T) {
	w := open(t, func(o *Options) { o.Hosts = []string{"mde.example.com"} })
	h := w.server.HTTP(HTTPOptions{Origins: []string{"https://app.example.com"}}).Handler()
	for origin, status := range map[string]int{
		"https://app.example.com": 200, "http://app.example.com": 403, "https://app.example.com.evil.example": 403,
		"https://mde.example.com": 200, "http://localhost:3000": 200, "null": 403, "https://evil.example": 403,
	} {
		require.Equal(t, status, sent(t, h, "127.0.0.1:1", "Origin: "+origin).Code, origin)
	}
	require.Equal(t, 403, sent(t, h, "127.0.0.1:1", "Host: evil.example").Code)
}

func TestSoManyRequestsAtOnceAndNoMore(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	l := newLimits(60, 2, func() time.Time { return now })
	first, _ := l.begin("alice")
	second, _ := l.begin("alice")
	require.NotNil(t, first)
	require.NotNil(t, second)
	third, wait := l.begin("alice")
	require.Nil(t, third)
	require.Equal(t, time.Second, wait)
	other, _ := l.begin("bob")
	require.NotNil(t, other, "bob has room of his own")
	first()
	first() // ending twice frees one place
	third, _ = l.begin("alice")
	require.NotNil(t, third)
	fourth, _ := l.begin("alice")
	require.Nil(t, fourth)
	second()
	third()

	for range 57 {
		end, _ := l.begin("alice")
		require.NotNil(t, end)
		end()
	}
	end, wait := l.begin("alice")
	require.Nil(t, end, "60 in a minute")
	require.Equal(t, time.Second, wait)
	now = now.Add(wait)
	end, _ = l.begin("alice")
	require.NotNil(t, end)
}

func TestWhoIsRememberedIsBounded(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	l := newLimits(60, 2, func() time.Time { return now })
	for i := range maxAccounts {
		_, _ = l.begin(big.NewInt(int64(i)).String())
	}
	end, _ := l.begin("one more")
	require.Nil(t, end, "all of them are at work")
	l.accounts["7"].running = 0
	now = now.Add(2 * time.Minute)
	end, _ = l.begin("one more")
	require.NotNil(t, end)
	require.Len(t, l.accounts, maxAccounts)
}

func TestTheOldestOfTooManySessionsEnds(t *testing.T) {
	w := open(t)
	web := w.server.HTTP(HTTPOptions{Authenticate: keyed})
	h := web.Handler()
	begin := func(who string) string {
		return sent(t, h, "127.0.0.1:1", "Host: localhost", "X-Test: "+who).Header().Get("Mcp-Session-Id")
	}
	first, bobs := begin("alice"), begin("bob")
	for range maxSessions {
		begin("alice")
	}
	require.False(t, web.owners.has("alice", first))
	require.True(t, web.owners.has("bob", bobs))
	require.Len(t, web.owners.sessions["alice"], maxSessions)
	_, err := (&owned{owners: web.owners, key: "alice"}).Terminate(bobs)
	require.ErrorIs(t, err, errNoSession)
	require.True(t, web.owners.has("bob", bobs))
	manager := web.owners.ResolveSessionIdManager(nil) // as the library when nobody used one for long
	_, err = manager.Terminate(bobs)
	require.NoError(t, err)
	require.False(t, web.owners.has("bob", bobs))
	require.NotContains(t, web.owners.sessions, "bob")
}

func TestMessagesHaveASize(t *testing.T) {
	w := open(t, func(o *Options) { o.MaxBody = 100 })
	srv := httptest.NewServer(w.server.HTTP(HTTPOptions{}).Handler())
	t.Cleanup(srv.Close)
	for body, status := range map[string]int{strings.Repeat(" ", 101): http.StatusRequestEntityTooLarge, "{": http.StatusBadRequest} {
		resp, err := srv.Client().Post(srv.URL+"/mcp", "application/json", strings.NewReader(body)) //nolint:noctx // a test
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, status, resp.StatusCode)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, srv.URL+"/mcp", http.NoBody)
	require.NoError(t, err)
	resp, err := srv.Client().Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusMethodNotAllowed, resp.StatusCode)
}

// stream opens a stream of events, in either era, and returns what comes.
func stream(t *testing.T, url, era string) *bufio.Reader {
	t.Helper()
	method, body, headers := http.MethodGet, "", map[string]string{}
	if era == mcp.LATEST_PROTOCOL_VERSION {
		method = http.MethodPost
		body = `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},"_meta":{"io.modelcontextprotocol/protocolVersion":"` + era + `","io.modelcontextprotocol/clientInfo":{"name":"x","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}`
		headers[mcp.HeaderProtocolVersion], headers["Mcp-Method"] = era, "subscriptions/listen"
	} else {
		resp, err := http.Post(url, "application/json", strings.NewReader(hello)) //nolint:noctx // a test
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		headers["Mcp-Session-Id"] = resp.Header.Get("Mcp-Session-Id")
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Contains(t, resp.Header.Get("Content-Type"), "text/event-stream")
	return bufio.NewReader(resp.Body)
}

func TestStreamsEndWithTheServer(t *testing.T) {
	w := open(t)
	on, err := Listen(t.Context(), "127.0.0.1:0", "", "", silence())
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.server.HTTP(HTTPOptions{}).Serve(ctx, on) }()
	url := "http://" + on.Addr().String() + "/mcp"
	old, modern := stream(t, url, "2025-11-25"), stream(t, url, mcp.LATEST_PROTOCOL_VERSION)
	began := time.Now()
	stop()
	for _, s := range []*bufio.Reader{old, modern} {
		_, err := io.ReadAll(s)
		require.NoError(t, err, "it is ended, not cut")
	}
	require.NoError(t, <-ended)
	require.Less(t, time.Since(began), Drain, "and nobody waits for it")
}

func TestAStreamDoesNotOutliveItsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		web := &Web{o: HTTPOptions{Clock: time.Now}}
		ctx, cancel := web.life(t.Context(), Principal{Expires: time.Now().Add(time.Hour)})
		defer cancel()
		time.Sleep(time.Hour)
		require.NoError(t, ctx.Err(), "what was asked before may be answered")
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Error(t, ctx.Err())
	})
}

func TestProbesAreAnsweredToAnybody(t *testing.T) {
	w := open(t)
	ready := false
	more := func(mux *http.ServeMux) {
		mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "numbers") })
	}
	h := w.server.HTTP(HTTPOptions{
		Authenticate: func(w http.ResponseWriter, _ *http.Request) (Principal, bool) {
			w.WriteHeader(http.StatusUnauthorized)
			return Principal{}, false
		},
		Remote: true, Ready: func() bool { return ready }, More: more,
	}).Handler()
	get := func(path string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		r.RemoteAddr, r.Host = "192.0.2.1:1", "10.0.0.7"
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		return rec
	}
	require.Equal(t, "ok\n", get("/healthz").Body.String())
	require.Equal(t, http.StatusServiceUnavailable, get("/readyz").Code)
	ready = true
	require.Equal(t, "ok\n", get("/readyz").Body.String())
	require.Equal(t, "numbers", get("/metrics").Body.String())
	require.Equal(t, http.StatusForbidden, get("/mcp").Code)
	require.Equal(t, 401, sent(t, h, "127.0.0.1:1", "Host: localhost").Code)
}

// writePair makes a certificate for 127.0.0.1 and writes it with its key.
func writePair(t *testing.T, dir, name string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	require.NoError(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	return certFile, keyFile
}

func TestItSpeaksTLS(t *testing.T) {
	w := open(t)
	certFile, keyFile := writePair(t, t.TempDir(), "first")
	on, err := Listen(t.Context(), "127.0.0.1:0", certFile, keyFile, silence())
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.server.HTTP(HTTPOptions{Remote: true}).Serve(ctx, on) }()
	pool := x509.NewCertPool()
	certPEM, err := os.ReadFile(certFile)
	require.NoError(t, err)
	require.True(t, pool.AppendCertsFromPEM(certPEM))
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}}
	resp, err := c.Post("https://"+on.Addr().String()+"/mcp", "application/json", strings.NewReader(hello)) //nolint:noctx // a test
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 200, resp.StatusCode)
	require.Equal(t, 2, resp.ProtoMajor)
	c.CloseIdleConnections()
	stop()
	require.NoError(t, <-ended)
	_, err = Listen(t.Context(), "127.0.0.1:0", certFile, certFile, silence())
	require.ErrorContains(t, err, "can't be used")
}

func TestANewCertificateIsReadWhenItsFilesFitEachOther(t *testing.T) {
	dir := t.TempDir()
	c := &certificate{log: silence()}
	c.certFile, c.keyFile = writePair(t, dir, "first")
	require.NoError(t, c.load())
	name := func() string {
		pair, err := c.get(nil)
		require.NoError(t, err)
		return pair.Leaf.Subject.CommonName
	}
	require.Equal(t, "first", name())
	whole, err := os.ReadFile(c.keyFile)
	require.NoError(t, err)
	writePair(t, dir, "second")
	right, err := os.ReadFile(c.keyFile)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(c.keyFile, whole, 0o600)) // the key that belongs to it is not written yet
	require.Equal(t, "first", name(), "files are not looked at for every handshake")
	c.looked = time.Time{}
	require.Equal(t, "first", name(), "half a pair is not used")
	require.NoError(t, os.WriteFile(c.keyFile, right, 0o600))
	c.looked = time.Time{}
	require.Equal(t, "second", name())
}
