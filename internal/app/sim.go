package app

import (
	"github.com/mde-ops/mde-ops/internal/simtenant"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/nexus/nexussim"
)

// SimUser is who calls through the simulated tenant when nobody is configured.
const SimUser = "alice@contoso.com"

// SimApproverGroup is the default policy's approver group beside the simulated tenant, so that a request can be seen to
// wait even where no Slack workspace is configured.
const SimApproverGroup = "S0ONCALL"

// startTenant starts a simulated tenant on loopback and points the configuration at it.
func (b *Base) startTenant() error {
	running, err := simtenant.Start(&mdesim.Tenant{Log: b.Log}, "")
	if err != nil {
		return err
	}
	b.onClose(running.Close)
	t, url := b.Config.Tenant, running.Server.URL
	b.Config.Tenant = Tenant{
		ID: mdesim.DefaultTenantID, BaseURL: url, Authority: url, CAFile: running.CAFile, PerMinute: t.PerMinute, PerHour: t.PerHour,
	}
	b.Config.Nexus = Nexus{URL: running.NexusServer.URL, Subscriptions: []string{nexussim.DefaultSubscription}}
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
