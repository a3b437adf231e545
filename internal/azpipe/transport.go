package azpipe

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

const (
	defaultConnectTimeout = 10 * time.Second
	defaultHeaderTimeout  = 60 * time.Second
	defaultIdleTimeout    = 30 * time.Second
)

// TransportOptions are the limits of an HTTP client. The zero value has the defaults.
type TransportOptions struct {
	// CAFile names a PEM file with certificates to trust besides the system's, e.g. of a simulator or a TLS proxy.
	CAFile string
	// ConnectTimeout limits the TCP connection, and again the TLS handshake; 10 s when zero.
	ConnectTimeout time.Duration
	// HeaderTimeout limits the wait from the request to the answer's header; 60 s when zero.
	HeaderTimeout time.Duration
}

// NewHTTPClient returns a client for one service: TLS 1.2 or newer, the environment's proxy, bounded waits, and no
// redirects, because following one would carry a token, or a second copy of a write, to an address nobody checked.
func NewHTTPClient(opts TransportOptions) (*http.Client, error) {
	roots, err := loadRoots(opts.CAFile)
	if err != nil {
		return nil, err
	}
	connect := orDefault(opts.ConnectTimeout, defaultConnectTimeout)
	dialer := &net.Dialer{Timeout: connect, KeepAlive: 30 * time.Second}
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout:   connect,
		ResponseHeaderTimeout: orDefault(opts.HeaderTimeout, defaultHeaderTimeout),
		ForceAttemptHTTP2:     true,
		HTTP2:                 &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second},
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       90 * time.Second,
	}
	return &http.Client{Transport: transport, CheckRedirect: NoRedirect}, nil
}

// NoRedirect hands a 3xx answer to the caller instead of following it.
func NoRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// loadRoots returns the system's certificate pool with the file's certificates added, or nil for the system's alone.
func loadRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("the CA file cannot be read: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("the CA file %s holds no certificate: it must be PEM, with lines like -----BEGIN CERTIFICATE-----", file)
	}
	return pool, nil
}

// transport is the last link: it sends, limits silence inside a body and takes secrets out of errors.
type transport struct {
	client *http.Client
	idle   time.Duration
}

// Do implements policy.Transporter.
func (t *transport) Do(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	req = req.WithContext(ctx)
	if err := ownBody(req); err != nil {
		cancel(nil)
		return nil, err
	}
	resp, err := t.client.Do(req)
	if err != nil {
		cancel(nil)
		return nil, scrubError(err)
	}
	resp.Body = &idleBody{
		body: resp.Body, idle: t.idle, ctx: ctx, cancel: cancel,
		timer: time.AfterFunc(t.idle, func() { cancel(errIdle) }),
	}
	return resp, nil
}

// maxOwnBody is the largest request body that is copied for each send. Bodies set on a request are in memory anyway;
// larger things come from a source (Operation.Body).
const maxOwnBody = 8 << 20

// ownBody gives a request a body that no other send shares. azcore rewinds one reader for all sends, but an answer can
// come while net/http is still reading it (a 429 or a redirect does not wait for the body): rewinding it then would
// spoil both sends. A body from a source is new for each send already, and net/http gets no way to send it once more.
func ownBody(req *http.Request) error {
	if _, fresh := req.Body.(*sourceBody); fresh || req.Body == nil || req.ContentLength <= 0 {
		req.GetBody = nil
		return nil
	}
	if req.ContentLength > maxOwnBody {
		return &UnsentError{Err: fmt.Errorf("the request's body of %d bytes is too large to be kept in memory (limit %d): it must come from a source", req.ContentLength, maxOwnBody)}
	}
	data := make([]byte, req.ContentLength)
	if _, err := io.ReadFull(req.Body, data); err != nil {
		return &UnsentError{Err: fmt.Errorf("the request's body cannot be read: %w", err)}
	}
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	req.Body, _ = req.GetBody()
	return nil
}

// errIdle is the cause of a body that was cut because nothing came any more.
var errIdle = errors.New("body idle")

// idleBody cuts a body that stays silent for too long. Every byte that arrives starts the time anew, so a long download
// is never cut while it moves.
type idleBody struct {
	body   io.ReadCloser
	idle   time.Duration
	timer  *time.Timer
	ctx    context.Context // kept because the body is the only thing that lives as long as it
	cancel context.CancelCauseFunc
}

// Read implements io.Reader.
func (b *idleBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if n > 0 {
		b.timer.Reset(b.idle)
	}
	if err != nil && !errors.Is(err, io.EOF) && errors.Is(context.Cause(b.ctx), errIdle) {
		err = &TimeoutError{After: b.idle, Idle: true, Err: context.DeadlineExceeded}
	}
	return n, scrubError(err)
}

// Close implements io.Closer.
func (b *idleBody) Close() error {
	b.timer.Stop()
	err := b.body.Close()
	b.cancel(nil)
	return err
}

// orDefault returns value, or fallback when it is not positive.
func orDefault(value, fallback time.Duration) time.Duration {
	if value <= 0 {
		return fallback
	}
	return value
}
