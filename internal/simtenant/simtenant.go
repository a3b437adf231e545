// Package simtenant starts the simulated Defender tenant for a process, and simulated Nexus clusters beside it: on loopback
// addresses, with their certificates in a file, and with the environment variables that point the programs at them.
package simtenant

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/nexus/nexussim"
)

// Notice is the first line that whoever starts a simulated tenant is shown.
const Notice = "SIMULATED Defender tenant, for tests and demos only: no real device is read or changed."

// Running is a simulated tenant that is served.
type Running struct {
	// Tenant is what is served; Server where.
	Tenant *mdesim.Tenant
	Server *mdesim.Server
	// Nexus are the clusters, NexusServer where.
	Nexus       *nexussim.Azure
	NexusServer *nexussim.Server
	// CAFile is a PEM file with both servers' certificates. It and the files of the two secrets are in a folder of their own
	// that Close removes.
	CAFile string

	dir, readSecret, writeSecret string
}

// Start serves a tenant on a loopback address such as 127.0.0.1:8443; a free port when listen is empty. Any other address
// is refused.
func Start(tenant *mdesim.Tenant, listen string) (*Running, error) {
	if listen == "" {
		listen = "127.0.0.1:0"
	}
	server, err := tenant.StartOn(listen)
	if err != nil {
		return nil, fmt.Errorf("the simulated tenant can't start: %w", err)
	}
	tenant.SetResources(nexussim.Resources()...)
	r := &Running{Tenant: tenant, Server: server, Nexus: clusters(tenant)}
	if r.NexusServer, err = r.Nexus.Start(); err != nil {
		r.Close()
		return nil, fmt.Errorf("the simulated clusters can't start: %w", err)
	}
	if err := r.writeFiles(); err != nil {
		r.Close()
		return nil, fmt.Errorf("the simulated tenant's certificate and secrets can't be kept: %w", err)
	}
	return r, nil
}

// writeFiles keeps what the programs are told by file. The secrets are only words, but they stand in files as real ones
// do, so that nobody gets used to seeing secrets in a terminal.
func (r *Running) writeFiles() (err error) {
	if r.dir, err = os.MkdirTemp("", "mde-ops-sim-"); err != nil {
		return err
	}
	r.CAFile = filepath.Join(r.dir, "ca.pem")
	if err := os.WriteFile(r.CAFile, slices.Concat(r.Server.CertificatePEM(), r.NexusServer.CertificatePEM()), 0o600); err != nil {
		return err
	}
	r.readSecret, r.writeSecret = filepath.Join(r.dir, "reader-secret"), filepath.Join(r.dir, "writer-secret")
	if err := os.WriteFile(r.readSecret, []byte(mdesim.DefaultReaderSecret), 0o600); err != nil {
		return err
	}
	return os.WriteFile(r.writeSecret, []byte(mdesim.DefaultAppSecret), 0o600)
}

// Close ends the tenant and removes its certificate.
func (r *Running) Close() {
	_ = r.Server.Close()
	if r.NexusServer != nil {
		_ = r.NexusServer.Close()
	}
	if r.dir != "" {
		_ = os.RemoveAll(r.dir)
	}
}

// Environ points mde-mcp at the tenant, as an application that may only read.
func (r *Running) Environ() []string {
	return []string{
		"MDE_TENANT_ID=" + mdesim.DefaultTenantID,
		"MDE_BASE_URL=" + r.Server.URL,
		"MDE_AUTHORITY=" + r.Server.URL,
		"MDE_CA_FILE=" + r.CAFile,
		"MDE_CLIENT_ID=" + mdesim.DefaultReaderID,
		"MDE_CLIENT_SECRET_FILE=" + r.readSecret,
		"MDE_NEXUS_URL=" + r.NexusServer.URL,
		"MDE_NEXUS_SUBSCRIPTIONS=" + nexussim.DefaultSubscription,
	}
}

// WriteEnviron is what mde-slackbot needs besides, for the application that may write.
func (r *Running) WriteEnviron() []string {
	return []string{
		"MDE_WRITE_CLIENT_ID=" + mdesim.DefaultAppID,
		"MDE_WRITE_CLIENT_SECRET_FILE=" + r.writeSecret,
	}
}
