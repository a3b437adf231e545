package download

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// secret stands in the query of every link of these tests. No error may hold it.
const secret = "c2VjcmV0LXNpZ25hdHVyZQ=="

// memNet is a network without sockets, so that a real http.Server can be used in a synctest bubble.
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
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// storage is a server that keeps what it was asked.
type storage struct {
	transport *http.Transport
	mu        sync.Mutex
	asked     []http.Header
	issued    int
}

// newStorage starts a server; answer is called with the number of the request, from 0.
func newStorage(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *storage {
	t.Helper()
	m := &memNet{conns: make(chan net.Conn), done: make(chan struct{})}
	s := &storage{transport: &http.Transport{DialContext: m.dial}}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		n := len(s.asked)
		s.asked = append(s.asked, r.Header)
		s.mu.Unlock()
		answer(n, w, r)
	})}
	go func() { _ = server.Serve(m) }()
	t.Cleanup(func() {
		s.transport.CloseIdleConnections()
		_ = server.Close()
	})
	return s
}

// source issues links and counts them.
func (s *storage) source(context.Context) (string, error) {
	s.issued++
	return "http://localhost/blob" + strconv.Itoa(s.issued) + "?se=2026-01-01T00%3A00%3A00Z&sig=" + url.QueryEscape(secret), nil
}

func (s *storage) client(t *testing.T, change func(*Options)) *Client {
	t.Helper()
	opts := Options{RoundTripper: s.transport, CheckLink: func(*url.URL) error { return nil }}
	if change != nil {
		change(&opts)
	}
	c, err := New(opts)
	require.NoError(t, err)
	return c
}

// fetch downloads with the defaults.
func (s *storage) fetch(t *testing.T, req Request) (string, Result, error) {
	t.Helper()
	if req.Source == nil {
		req.Source = s.source
	}
	var out bytes.Buffer
	result, err := s.client(t, nil).Fetch(t.Context(), &out, req)
	return out.String(), result, err
}

// failed asserts that err is an *Error which keeps the link's secret.
func failed(t *testing.T, err error) *Error {
	t.Helper()
	var out *Error
	require.ErrorAs(t, err, &out)
	for e := err; e != nil; e = errors.Unwrap(e) {
		text := fmt.Sprintf("%v %+v", e, e)
		require.NotContains(t, text, secret)
		require.NotContains(t, text, url.QueryEscape(secret))
	}
	return out
}

// blob serves content like a storage service: with an ETag and ranges. cut is the number of bytes after which the
// request's body ends, negative for never.
type blob struct {
	content string
	etag    string
	cut     func(n int) int
}

func (b blob) serve(n int, w http.ResponseWriter, r *http.Request) {
	part, status := b.content, http.StatusOK
	if from, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok && r.Header.Get("If-Range") == b.etag {
		at, err := strconv.Atoi(strings.TrimSuffix(from, "-"))
		if err != nil || at >= len(b.content) {
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return
		}
		part, status = b.content[at:], http.StatusPartialContent
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", at, len(b.content)-1, len(b.content)))
	}
	if b.etag != "" {
		w.Header().Set("ETag", b.etag)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(part)))
	w.WriteHeader(status)
	if b.cut != nil {
		if at := b.cut(n); at >= 0 && at < len(part) {
			_, _ = w.Write([]byte(part[:at]))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
	}
	_, _ = w.Write([]byte(part))
}

// cutFirst cuts the first answer only.
func cutFirst(at int) func(int) int {
	return func(n int) int {
		if n == 0 {
			return at
		}
		return -1
	}
}

// noise returns bytes that do not compress.
func noise(n int) string {
	out := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(out)
	return string(out)
}

func zipped(t testing.TB, content string) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write([]byte(content))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.String()
}

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}
