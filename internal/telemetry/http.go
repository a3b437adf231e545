package telemetry

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// Path is where the numbers are.
const Path = "/metrics"

// Handler answers scrapes. With a token, those that send it as a bearer; without one, those of programs on this machine that
// come straight here: a proxy's would be anybody's.
func (m *Metrics) Handler(token string) http.Handler {
	want := sha256.Sum256([]byte("Bearer " + token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := sha256.Sum256([]byte(r.Header.Get("Authorization")))
		switch {
		case token != "" && subtle.ConstantTimeCompare(got[:], want[:]) != 1:
			w.Header().Set("WWW-Authenticate", `Bearer realm="metrics"`)
			http.Error(w, "the numbers are for who sends the token of MDE_METRICS_TOKEN as a bearer", http.StatusUnauthorized)
			return
		case token == "" && !straight(r):
			http.Error(w, "without MDE_METRICS_TOKEN the numbers are for programs of this machine only", http.StatusForbidden)
			return
		}
		w.Header().Set("Content-Type", ContentType)
		w.Header().Set("Cache-Control", "no-store")
		_ = m.Write(r.Context(), w) // the scraper is gone; it will come again
	})
}

// straight reports whether a request comes from a program of this machine: not through a proxy, and not from a page in a
// browser that a foreign name led here.
func straight(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via", "Origin"} {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	return loopback(r.RemoteAddr) && loopback(r.Host)
}

// loopback reports whether an address, with or without a port, is this machine's.
func loopback(address string) bool {
	host := address
	if h, _, err := net.SplitHostPort(address); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.Unmap().IsLoopback()
}

// Admin is a listener of its own for the numbers and for probes, for a program that serves nothing else over HTTP.
type Admin struct {
	Metrics *Metrics
	// Token is what scrapes must send; without one only this machine's are answered.
	Token string
	// Ready says whether the program can do its work.
	Ready  func() bool
	Logger *slog.Logger

	on net.Listener
}

// Listen takes the address.
func (a *Admin) Listen(ctx context.Context, address string) error {
	on, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("MDE_METRICS_ADDR: can't listen on %s: %w", address, err)
	}
	a.on = on
	return nil
}

// Handler answers at /metrics, /healthz and /readyz. Probes are told nothing but yes or no, so nobody is asked for a token there.
func (a *Admin) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET "+Path, a.Metrics.Handler(a.Token))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if a.Ready != nil && !a.Ready() {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ok\n")
	})
	return mux
}

// Serve answers until ctx is done.
func (a *Admin) Serve(ctx context.Context) {
	web := &http.Server{
		Handler: a.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 15 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(a.Logger.Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { _ = web.Close() })
	defer stop()
	a.Logger.InfoContext(ctx, "numbers and probes are answered", "address", a.on.Addr().String())
	if err := web.Serve(a.on); !errors.Is(err, http.ErrServerClosed) {
		a.Logger.ErrorContext(ctx, "numbers and probes are not answered any more", "error", err)
	}
}
