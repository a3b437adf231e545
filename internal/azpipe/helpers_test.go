package azpipe

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/stretchr/testify/require"
)

// memNet is a network without sockets: a real http.Server and a real http.Transport over net.Pipe. Inside a synctest
// bubble its time is virtual, so waits of minutes are tested exactly and at once.
type memNet struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (m *memNet) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.done:
		return nil, net.ErrClosed
	}
}
func (m *memNet) Close() error   { m.once.Do(func() { close(m.done) }); return nil }
func (m *memNet) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "unix"} }

func (m *memNet) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case m.conns <- server:
		return client, nil
	case <-m.done:
		return nil, &net.OpError{Op: "dial", Err: net.ErrClosed}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// service is a server that counts what reaches it.
type service struct {
	net     *memNet
	client  *http.Client
	mu      sync.Mutex
	arrived []time.Duration
	tokens  []string
	bodies  []string
	start   time.Time
}

const endpoint = "http://localhost"

// newService starts a server; answer is called with the number of the request, from 0.
func newService(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *service {
	t.Helper()
	m := &memNet{conns: make(chan net.Conn), done: make(chan struct{})}
	s := &service{net: m, start: time.Now()}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		n := len(s.arrived)
		s.arrived = append(s.arrived, time.Since(s.start))
		s.tokens = append(s.tokens, r.Header.Get("Authorization"))
		s.bodies = append(s.bodies, string(body))
		s.mu.Unlock()
		answer(n, w, r)
	})}
	go func() { _ = server.Serve(m) }()
	transport := &http.Transport{DialContext: m.dial}
	s.client = &http.Client{Transport: transport}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
	})
	return s
}

func (s *service) sends() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.arrived)
}

// pipe makes a pipeline to the service with no jitter-sensitive settings.
func (s *service) pipe(t *testing.T, change func(*Options)) runtime.Pipeline {
	t.Helper()
	opts := Options{Module: "test", Version: "v0", Endpoint: endpoint, Scope: "s/.default", Credential: &fixedCred{}, HTTPClient: s.client}
	if change != nil {
		change(&opts)
	}
	p, err := New(opts)
	require.NoError(t, err)
	return p
}

// fixedCred counts how often it is asked and, like azidentity, always gives the same token.
type fixedCred struct {
	name  string
	asked atomic.Int32
	err   error
}

func (c *fixedCred) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.asked.Add(1)
	return azcore.AccessToken{Token: "token" + c.name, ExpiresOn: time.Now().Add(time.Hour)}, c.err
}

// send makes one call and returns status, body and error.
func send(ctx context.Context, t *testing.T, p runtime.Pipeline, method string, op Operation) (int, string, error) {
	t.Helper()
	req, err := runtime.NewRequest(ctx, method, endpoint+"/api/x?sig=c2VjcmV0LXNpZw%3D%3D")
	require.NoError(t, err)
	if method == http.MethodPost {
		require.NoError(t, req.SetBody(streaming.NopCloser(strings.NewReader("the body")), "text/plain"))
	}
	req.SetOperationValue(op)
	resp, err := p.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := Bytes(resp)
	return resp.StatusCode, string(body), err
}

// cut ends a connection without an answer, after the request was taken.
func cut(w http.ResponseWriter) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = c.Close()
	}
}

// status answers with a status and a header.
func status(code int, header ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		_, _ = fmt.Fprintf(w, "answer %d", code)
	}
}
