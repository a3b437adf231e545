package app

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/nexus"
	"github.com/mde-ops/mde-ops/tools"
)

// Nexus is which Azure Operator Nexus clusters the tools know. The tenant's two credentials are used for them too.
type Nexus struct {
	Subscriptions []string `env:"MDE_NEXUS_SUBSCRIPTIONS"` // GUIDs; without one the tools refuse
	URL           string   `env:"MDE_NEXUS_URL"`           // Azure Resource Manager; default the cloud's
}

// check reports what is wrong with the settings.
func (n Nexus) check(t Tenant) faults {
	var bad faults
	for i, id := range n.Subscriptions {
		switch {
		case !guidText().MatchString(id):
			bad.add("MDE_NEXUS_SUBSCRIPTIONS: %q is not the id (a GUID) of an Azure subscription", id)
		case slices.ContainsFunc(n.Subscriptions[:i], func(other string) bool { return strings.EqualFold(id, other) }):
			bad.add("MDE_NEXUS_SUBSCRIPTIONS: %s is named twice", id)
		}
	}
	if _, err := n.cloud(t); err != nil {
		bad.add("%v", err)
	}
	if n.URL != "" && len(n.Subscriptions) == 0 {
		bad.add("MDE_NEXUS_URL is set without MDE_NEXUS_SUBSCRIPTIONS: name the Azure subscriptions that hold the clusters, or leave it out")
	}
	return bad
}

// cloud is where Azure Resource Manager is: as set, or beside the tenant's.
func (n Nexus) cloud(t Tenant) (nexus.Cloud, error) {
	if n.URL == "" {
		switch t.Cloud().Name {
		case "gcc-high", "dod":
			return nexus.Government(), nil
		}
		return nexus.Public(), nil
	}
	at, err := azpipe.ParseEndpoint(n.URL)
	if err != nil {
		return nexus.Cloud{}, fmt.Errorf("MDE_NEXUS_URL: %w", err)
	}
	if at.Path != "" {
		return nexus.Cloud{}, fmt.Errorf("MDE_NEXUS_URL: %q must end with the host", n.URL)
	}
	for _, known := range []nexus.Cloud{nexus.Public(), nexus.Government(), nexus.China()} {
		if sameAddress(known.Endpoint, n.URL) {
			return known, nil
		}
	}
	return nexus.Custom(at.String()), nil
}

// NexusClient makes a client of the configured clusters that signs in with cred; nil where none are configured.
func (b *Base) NexusClient(cred Credential) (*nexus.Client, error) {
	n := b.Config.Nexus
	if len(n.Subscriptions) == 0 {
		return nil, nil
	}
	cloud, err := n.cloud(b.Config.Tenant)
	if err != nil {
		return nil, err
	}
	signIn, err := azpipe.NewCredential(b.Config.credentialConfig(cred))
	if err != nil {
		return nil, fmt.Errorf("the credential for Nexus clusters: %w", err)
	}
	client, err := nexus.New(signIn, nexus.Options{
		Cloud: cloud, CAFile: b.Config.Tenant.CAFile, Logger: b.Log, WriteTimeout: b.Config.Timing.WriteTimeout, Watch: b.Config.watchAPI(),
	})
	if err != nil {
		return nil, fmt.Errorf("the client of Nexus clusters: %w", err)
	}
	return client, nil
}

// nexusReader is what tools read clusters with; nil where none are configured.
func (b *Base) nexusReader(cred Credential) (*tools.NexusReader, error) {
	client, err := b.NexusClient(cred)
	if err != nil || client == nil {
		return nil, err
	}
	return &tools.NexusReader{Client: client, Subscriptions: b.Config.Nexus.Subscriptions}, nil
}
