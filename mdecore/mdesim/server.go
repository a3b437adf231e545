package mdesim

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// Server is a [Tenant] listening on a loopback address with TLS.
type Server struct {
	// URL is https://127.0.0.1:port: the base of the API and the authority host
	// of the token endpoint.
	URL string

	tenant *Tenant
	http   *http.Server
	cert   *x509.Certificate
}

// Start listens on a free port of 127.0.0.1.
func (t *Tenant) Start() (*Server, error) { return t.StartOn("127.0.0.1:0") }

// StartOn listens on a loopback address such as 127.0.0.1:8443. Any other
// address is refused, because a simulator with known secrets has no place on a
// network.
func (t *Tenant) StartOn(addr string) (*Server, error) {
	t.ready()
	if err := loopback(addr); err != nil {
		return nil, err
	}
	pair, cert, err := selfSigned()
	if err != nil {
		return nil, fmt.Errorf("mdesim: make the server certificate: %w", err)
	}
	ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("mdesim: listen on %s: %w", addr, err)
	}
	srv := &Server{URL: "https://" + ln.Addr().String(), tenant: t, cert: cert}
	srv.http = &http.Server{
		Handler:           t,
		ReadHeaderTimeout: 30 * time.Second,
		ErrorLog:          slog.NewLogLogger(t.Log.Handler(), slog.LevelDebug),
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
		// HTTP/1.1 only: cutting a connection must cut the one request on it.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	t.Log.Warn("SIMULATED Defender tenant, for tests and demos only: no real device is read or changed",
		"url", srv.URL, "tenant", t.ID)
	go func() {
		if err := srv.http.ServeTLS(ln, "", ""); !errors.Is(err, http.ErrServerClosed) {
			t.Log.Error("simulated tenant stopped", "error", err)
		}
	}()
	return srv, nil
}

// Close stops listening and closes every connection.
func (s *Server) Close() error { return s.http.Close() }

// Tenant returns the tenant that is served.
func (s *Server) Tenant() *Tenant { return s.tenant }

// Client returns an HTTP client that trusts the server's certificate.
func (s *Server) Client() *http.Client {
	pool := x509.NewCertPool()
	pool.AddCert(s.cert)
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		MaxIdleConnsPerHost: 16,
	}}
}

// CAFile writes the certificate as PEM into dir and returns the file's name, for
// processes that are told whom to trust by configuration.
func (s *Server) CAFile(dir string) (string, error) {
	name := filepath.Join(dir, "mdesim-ca.pem")
	body := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.cert.Raw})
	if err := os.WriteFile(name, body, 0o600); err != nil {
		return "", fmt.Errorf("mdesim: write the certificate: %w", err)
	}
	return name, nil
}

// loopback refuses an address that is not on this machine alone.
func loopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("mdesim: address %q: %w", addr, err)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("mdesim: address %q is not a loopback address; the simulator listens on 127.0.0.1, ::1 or localhost only", addr)
}

// selfSigned makes a certificate for the loopback names that is its own CA.
func selfSigned() (tls.Certificate, *x509.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "mdesim simulated tenant"},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(30 * 24 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, cert, err
}
