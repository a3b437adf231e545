package mcpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// Drain is how long calls may go on after the server was told to end.
const Drain = 10 * time.Second

// Serve answers on a listener until ctx is done. Then streams end, calls may go on for Drain, and what is left is cut.
func (w *Web) Serve(ctx context.Context, on net.Listener) error {
	web := &http.Server{
		Handler: w.Handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 128 << 10,
		ErrorLog: slog.NewLogLogger(w.s.log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(on) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	close(w.ended)
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), Drain)
	defer cancel()
	if err := web.Shutdown(limited); err != nil {
		w.s.log.WarnContext(ctx, "calls were cut off at the end", "error", err)
		_ = web.Close()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Listen listens on an address: with TLS where a certificate and its key are given, as PEM files that are read again when
// they change.
func Listen(ctx context.Context, addr, certFile, keyFile string, log *slog.Logger) (net.Listener, error) {
	var c *certificate
	if certFile != "" {
		c = &certificate{certFile: certFile, keyFile: keyFile, log: log}
		if err := c.load(); err != nil {
			return nil, err
		}
	}
	on, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("can't listen on %s: %w", addr, err)
	}
	if c == nil {
		return on, nil
	}
	return tls.NewListener(on, &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, GetCertificate: c.get}), nil
}

// lookEvery is how often the files of a certificate are looked at.
const lookEvery = 5 * time.Second

// certificate is a pair of files.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu     sync.Mutex
	pair   *tls.Certificate
	state  string // of the files when they were read
	looked time.Time
}

// get is the pair for a handshake. New files that don't fit each other are not used: perhaps one is still being written.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) > lookEvery {
		c.looked = now
		if c.files() != c.state {
			if err := c.load(); err != nil {
				c.log.Error("the new TLS certificate is not used", "error", err)
			}
		}
	}
	return c.pair, nil
}

func (c *certificate) load() error {
	state := c.files()
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("the TLS certificate %s and its key can't be used: %w", c.certFile, err)
	}
	c.pair, c.state = &pair, state
	return nil
}

// files tells one state of the files from another.
func (c *certificate) files() string {
	var state string
	for _, name := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil {
			state += fmt.Sprintf("%d/%d ", info.Size(), info.ModTime().UnixNano())
		}
	}
	return state
}
