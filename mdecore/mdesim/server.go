package mdesim

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"github.com/mde-ops/mde-ops/internal/simulate"
)

// Server is a [Tenant] listening on a loopback address with TLS.
type Server struct {
	// URL is https://127.0.0.1:port: the base of the API and the authority host
	// of the token endpoint.
	URL string

	tenant *Tenant
	served *simulate.Server
}

// Start listens on a free port of 127.0.0.1.
func (t *Tenant) Start() (*Server, error) { return t.StartOn("127.0.0.1:0") }

// StartOn listens on a loopback address such as 127.0.0.1:8443. Any other
// address is refused, because a simulator with known secrets has no place on a
// network.
func (t *Tenant) StartOn(addr string) (*Server, error) {
	t.ready()
	served, err := simulate.Serve("mdesim", addr, t, t.Log)
	if err != nil {
		return nil, err
	}
	t.Log.Warn("SIMULATED Defender tenant, for tests and demos only: no real device is read or changed",
		"url", served.URL, "tenant", t.ID)
	return &Server{URL: served.URL, tenant: t, served: served}, nil
}

// Close stops listening and closes every connection.
func (s *Server) Close() error { return s.served.Close() }

// Tenant returns the tenant that is served.
func (s *Server) Tenant() *Tenant { return s.tenant }

// Client returns an HTTP client that trusts the server's certificate.
func (s *Server) Client() *http.Client { return s.served.Client() }

// CertificatePEM is the server's certificate.
func (s *Server) CertificatePEM() []byte { return s.served.CertificatePEM() }

// CAFile writes the certificate as PEM into dir and returns the file's name, for
// processes that are told whom to trust by configuration.
func (s *Server) CAFile(dir string) (string, error) {
	name := filepath.Join(dir, "mdesim-ca.pem")
	if err := os.WriteFile(name, s.served.CertificatePEM(), 0o600); err != nil {
		return "", fmt.Errorf("mdesim: write the certificate: %w", err)
	}
	return name, nil
}
