package app

import (
	"context"
	"fmt"
	"strings"

	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/tools"
)

// Cloud is the configured tenant's cloud: a named one, or another place, with what replaces parts of it. Where the
// settings name none it is one that no client can be made for; Load has refused them then.
func (t Tenant) Cloud() mdecore.Cloud {
	cloud, err := t.cloud()
	if err != nil {
		return mdecore.Cloud{Name: "unknown"} // not the zero value, which would mean the public one
	}
	return cloud
}

// cloud finds the cloud, or says why the settings name none.
func (t Tenant) cloud() (mdecore.Cloud, error) {
	cloud, err := t.base()
	if err != nil {
		return mdecore.Cloud{}, err
	}
	replace := func(field *string, value string) {
		if value != "" {
			*field = value
		}
	}
	replace(&cloud.Scope, t.Scope)
	replace(&cloud.Authority, t.Authority)
	if t.GraphURL == "" {
		return cloud, nil
	}
	graph, err := azpipe.ParseEndpoint(t.GraphURL)
	if err != nil {
		return mdecore.Cloud{}, fmt.Errorf("MDE_GRAPH_URL: %w", err)
	}
	if graph.Path != "" {
		return mdecore.Cloud{}, fmt.Errorf("MDE_GRAPH_URL: %q must end with the host, without a version", t.GraphURL)
	}
	cloud.Graph = graph.String()
	for _, known := range mdecore.Clouds() {
		if sameAddress(known.Graph, t.GraphURL) {
			cloud.GraphScope = known.GraphScope // tokens of another cloud's Graph are for that one
		}
	}
	return cloud, nil
}

// base is the cloud that MDE_CLOUD names and MDE_BASE_URL does not contradict, or the one that MDE_BASE_URL belongs to.
func (t Tenant) base() (mdecore.Cloud, error) {
	if t.BaseURL != "" {
		if _, err := azpipe.ParseEndpoint(t.BaseURL); err != nil {
			return mdecore.Cloud{}, fmt.Errorf("MDE_BASE_URL: %w", err)
		}
	}
	if t.CloudName != "" {
		cloud, err := mdecore.CloudByName(t.CloudName)
		if err != nil {
			return mdecore.Cloud{}, fmt.Errorf("MDE_CLOUD: %w", err)
		}
		if t.BaseURL != "" && !sameAddress(t.BaseURL, cloud.Endpoint) {
			return mdecore.Cloud{}, fmt.Errorf("MDE_BASE_URL: %s is not the API of the cloud %s (MDE_CLOUD), which is %s: keep one of the two settings",
				t.BaseURL, cloud.Name, cloud.Endpoint)
		}
		return cloud, nil
	}
	if t.BaseURL == "" {
		return mdecore.Public(), nil
	}
	return cloudAt(t.BaseURL, t.Authority)
}

// cloudAt is the cloud that an API's address belongs to, or an unnamed one.
func cloudAt(address, authority string) (mdecore.Cloud, error) {
	var found []mdecore.Cloud
	var names []string
	for _, known := range mdecore.Clouds() {
		if sameAddress(address, known.Endpoint) {
			found, names = append(found, known), append(names, known.Name)
		}
	}
	switch len(found) {
	case 0:
		return mdecore.Custom(address, authority, ""), nil
	case 1:
		return found[0], nil
	}
	return mdecore.Cloud{}, fmt.Errorf("MDE_BASE_URL: %s is the API of several clouds: say with MDE_CLOUD which of %s is meant", address, strings.Join(names, ", "))
}

// sameAddress reports whether two base addresses are the same place.
func sameAddress(a, b string) bool {
	x, err := azpipe.ParseEndpoint(a)
	if err != nil {
		return false
	}
	y, err := azpipe.ParseEndpoint(b)
	if err != nil {
		return false
	}
	host := func(host string) string { return strings.TrimSuffix(strings.ToLower(host), ":443") }
	return x.Scheme == y.Scheme && host(x.Host) == host(y.Host) && x.Path == y.Path
}

// credentialConfig is a credential for the configured tenant.
func (c Config) credentialConfig(cred Credential) azpipe.CredentialConfig {
	return azpipe.CredentialConfig{
		Kind: cred.kind(), TenantID: c.Tenant.ID, ClientID: cred.ClientID, ClientSecret: cred.ClientSecret.Reveal(),
		CertificateFile: cred.CertificateFile, CertificatePassword: cred.CertificatePassword.Reveal(), TokenFile: cred.TokenFile,
		Authority: c.Tenant.Cloud().Authority, CAFile: c.Tenant.CAFile,
	}
}

// Writing is the credential of whoever performs: the reading one where no other is configured, and the tenant refuses what
// that may not do.
func (c Config) Writing() Credential {
	if c.Write.IsSet() {
		return c.Write
	}
	return c.Read
}

// ReadCredential signs in as whoever reads.
func (c Config) ReadCredential() (*azpipe.Renewable, error) {
	cred, err := azpipe.NewCredential(c.credentialConfig(c.Read))
	if err != nil {
		return nil, fmt.Errorf("the credential for the tenant: %w", err)
	}
	return cred, nil
}

// StorageCredential signs in to storage services as whoever performs.
func (c Config) StorageCredential() (*azpipe.Renewable, error) {
	cred, err := azpipe.NewCredential(c.credentialConfig(c.Writing()))
	if err != nil {
		return nil, fmt.Errorf("the credential for the storage service: %w", err)
	}
	return cred, nil
}

// limit replaces the documented call limits of all endpoints when one of the two is set; nil keeps them. The other one is
// then the usual one, because no limit at all would be too much of a surprise.
func (t Tenant) limit() *azpipe.Limit {
	if t.PerMinute == 0 && t.PerHour == 0 {
		return nil
	}
	limit := azpipe.DefaultLimit()
	if t.PerMinute != 0 {
		limit.PerMinute = t.PerMinute
	}
	if t.PerHour != 0 {
		limit.PerHour = t.PerHour
	}
	return &limit
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
		Limit: t.limit(), Watch: b.Config.watchAPI(),
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
	clusters, err := b.nexusReader(cred)
	if err != nil {
		return nil, err
	}
	return tools.NewDispatcher(tools.Options{
		Reader: reader, Gate: b.Gate, Evidence: b.Evidence, Nexus: clusters, Tenant: b.Config.Tenant.ID, Cloud: b.Config.Tenant.Cloud().Name,
		TokenInfo: b.TokenInfo(signIn), Logger: b.Log, Clock: b.Config.Clock, MaxDevices: b.Config.Policy.MaxDevices,
	})
}
