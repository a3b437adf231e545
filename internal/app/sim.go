package app

import (
	"fmt"
	"os"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// SimUser is who calls through the simulated tenant when nobody is configured.
const SimUser = "alice@contoso.com"

// SimApproverGroup is the default policy's approver group beside the simulated tenant, so that a request can be seen to
// wait even where no Slack workspace is configured.
const SimApproverGroup = "S0ONCALL"

// startTenant starts a simulated tenant on loopback and points the configuration at it.
func (b *Base) startTenant() error {
	tenant := &mdesim.Tenant{Log: b.Log}
	server, err := tenant.Start()
	if err != nil {
		return fmt.Errorf("the simulated tenant can't start: %w", err)
	}
	b.onClose(func() { _ = server.Close() })
	dir, err := os.MkdirTemp("", "mde-ops-sim-ca-")
	if err != nil {
		return fmt.Errorf("no folder for the simulated tenant's certificate: %w", err)
	}
	b.onClose(func() { _ = os.RemoveAll(dir) })
	ca, err := server.CAFile(dir)
	if err != nil {
		return fmt.Errorf("the simulated tenant's certificate: %w", err)
	}
	t := &b.Config.Tenant
	t.ID, t.BaseURL, t.Authority, t.CAFile = mdesim.DefaultTenantID, server.URL, server.URL, ca
	b.Config.Read = Credential{ClientID: mdesim.DefaultReaderID, ClientSecret: NewSecret(mdesim.DefaultReaderSecret)}
	b.Config.Write = Credential{ClientID: mdesim.DefaultAppID, ClientSecret: NewSecret(mdesim.DefaultAppSecret)}
	if b.Config.Identity.User == "" {
		b.Config.Identity.User = SimUser
	}
	if b.Config.Policy.ApproverGroup == "" {
		b.Config.Policy.ApproverGroup = SimApproverGroup
	}
	return nil
}
