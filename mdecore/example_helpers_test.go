package mdecore_test

import (
	"log"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// exampleTenant is the simulated tenant that the examples talk to.
type exampleTenant struct {
	*mdesim.Tenant
	// Addr is the address of the API and of the sign-in service.
	Addr string
	// CAFile holds the certificate that a client must trust to talk to the tenant.
	CAFile string

	server *mdesim.Server
}

// startTenant starts a tenant over HTTPS on this machine. Its clock goes on by ten seconds with every request, so that an
// action takes the same number of questions on every machine: Pending at the first two, InProgress at the next two.
func startTenant() *exampleTenant {
	var requests atomic.Int64
	start := time.Now()
	return serveTenant(&mdesim.Tenant{
		Clock:         func() time.Time { return start.Add(time.Duration(requests.Load()) * 10 * time.Second) },
		OnRequest:     func(*http.Request) { requests.Add(1) },
		ActionPending: 25 * time.Second, ActionRunning: 20 * time.Second,
	})
}

// serveTenant starts a tenant as it is given.
func serveTenant(tenant *mdesim.Tenant) *exampleTenant {
	server, err := tenant.Start()
	if err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "mdecore-example")
	if err != nil {
		log.Fatal(err)
	}
	file, err := server.CAFile(dir)
	if err != nil {
		log.Fatal(err)
	}
	return &exampleTenant{Tenant: tenant, Addr: server.URL, CAFile: file, server: server}
}

// Close stops the tenant.
func (e *exampleTenant) Close() {
	_ = e.server.Close()
	_ = os.RemoveAll(filepath.Dir(e.CAFile))
}

// Client returns a client with the tenant's writing application. The package example shows how one is made.
func (e *exampleTenant) Client() *mdecore.Client {
	return e.ClientWith(mdecore.Options{})
}

// ClientWith is Client with options.
func (e *exampleTenant) ClientWith(opts mdecore.Options) *mdecore.Client {
	cred, err := mdecore.NewCredential(mdecore.CredentialConfig{
		Kind: mdecore.CredentialSecret, TenantID: mdesim.DefaultTenantID,
		ClientID: mdesim.DefaultAppID, ClientSecret: mdesim.DefaultAppSecret,
		Authority: e.Addr, CAFile: e.CAFile,
	})
	if err != nil {
		log.Fatal(err)
	}
	opts.Cloud, opts.CAFile = mdecore.Custom(e.Addr, e.Addr, ""), e.CAFile
	client, err := mdecore.New(cred, opts)
	if err != nil {
		log.Fatal(err)
	}
	return client
}

// example starts a tenant and makes a client of it. Close ends the tenant.
func example() (*mdecore.Client, *exampleTenant) {
	tenant := startTenant()
	return tenant.Client(), tenant
}
