package app

import (
	"context"
	"fmt"

	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/tools"
)

// Cloud is the configured tenant's cloud: the public one, or what replaces parts of it.
func (t Tenant) Cloud() mdecore.Cloud {
	cloud := mdecore.Public()
	if t.BaseURL == "" && t.Scope == "" && t.Authority == "" {
		return cloud
	}
	cloud.Name = "custom"
	replace := func(field *string, value string) {
		if value != "" {
			*field = value
		}
	}
	replace(&cloud.Endpoint, t.BaseURL)
	replace(&cloud.Scope, t.Scope)
	replace(&cloud.Authority, t.Authority)
	return cloud
}

// credentialConfig is a credential for the configured tenant.
func (c Config) credentialConfig(cred Credential) azpipe.CredentialConfig {
	return azpipe.CredentialConfig{
		Kind: cred.kind(), TenantID: c.Tenant.ID, ClientID: cred.ClientID, ClientSecret: cred.ClientSecret.Reveal(),
		CertificateFile: cred.CertificateFile, CertificatePassword: cred.CertificatePassword.Reveal(),
		Authority: c.Tenant.Cloud().Authority, CAFile: c.Tenant.CAFile,
	}
}

// Client builds a client of the tenant that signs in with cred, and the credential itself for looking at its roles.
func (b *Base) Client(cred Credential) (*mdecore.Client, *azpipe.Renewable, error) {
	t := b.Config.Tenant
	cloud := t.Cloud()
	signIn, err := azpipe.NewCredential(b.Config.credentialConfig(cred))
	if err != nil {
		return nil, nil, fmt.Errorf("the credential for the tenant: %w", err)
	}
	client, err := mdecore.New(signIn, mdecore.Options{
		Cloud: cloud, CAFile: t.CAFile, Logger: b.Log, TenantID: t.ID, AppID: cred.ClientID,
		WriteTimeout: b.Config.Timing.WriteTimeout, Budgets: b.budgets,
		Limit: &azpipe.Limit{PerMinute: t.PerMinute, PerHour: t.PerHour},
	})
	if err != nil {
		return nil, nil, fmt.Errorf("the client of the tenant: %w", err)
	}
	return client, signIn, nil
}

// TokenInfo says what the token of a credential may do: its roles, never the token.
func (b *Base) TokenInfo(cred *azpipe.Renewable) func(context.Context) (tools.TokenInfo, error) {
	scope := b.Config.Tenant.Cloud().Scope
	return func(ctx context.Context) (tools.TokenInfo, error) {
		info, err := azpipe.Roles(ctx, cred, scope)
		if err != nil {
			return tools.TokenInfo{}, err
		}
		return tools.TokenInfo{
			TenantID: info.TenantID, AppID: info.AppID, UPN: info.UPN, ObjectID: info.ObjectID,
			Roles: info.Roles, Scopes: info.Scopes, ExpiresAt: info.ExpiresOn,
		}, nil
	}
}

// Dispatcher builds the one way to run tools, reading the tenant with the given credential.
func (b *Base) Dispatcher(cred Credential) (*tools.Dispatcher, error) {
	reader, signIn, err := b.Client(cred)
	if err != nil {
		return nil, err
	}
	return tools.NewDispatcher(tools.Options{
		Reader: reader, Gate: b.Gate, Tenant: b.Config.Tenant.ID, Cloud: b.Config.Tenant.Cloud().Name,
		TokenInfo: b.TokenInfo(signIn), Logger: b.Log, MaxDevices: b.Config.Policy.MaxDevices,
	})
}
