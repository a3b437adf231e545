package mdecore_test

import (
	"context"

	"github.com/mde-ops/mde-ops/mdecore"
)

const (
	scanID      = "d14cefe1-0301-488c-ad17-a86c428c3727"
	sessionID   = "01decc497f4b4ec49a5fc4e12597f8c8"
	aDefinition = `{"id":"` + scanID + `","scanType":"Network"}`
)

// newScan is a good request to scan one device.
func newScan() mdecore.CreateScanDefinitionRequest {
	return mdecore.CreateScanDefinitionRequest{
		ScanType: mdecore.AuthenticatedScanNetwork, ScanName: "example", IsActive: true, Target: "10.0.0.1, 10.0.0.2", IntervalInHours: 4, TargetType: mdecore.ScanTargetIP,
		ScannerAgent:             mdecore.ScannerAgentReference{MachineID: machineID},
		ScanAuthenticationParams: newScanAuth(),
	}
}

func newScanAuth() mdecore.ScanAuthenticationParams {
	return mdecore.ScanAuthenticationParams{
		Type: mdecore.ScanAuthAuthPriv, Username: "scanner", AuthProtocol: "SHA1", AuthPassword: mdecore.NewSecret("auth-word-1"),
		PrivProtocol: "AES", PrivPassword: mdecore.NewSecret("priv-word-2"),
	}
}

// badScanAuths lack what their type wants.
func badScanAuths() (bad []mdecore.ScanAuthenticationParams) {
	for _, spoil := range []func(*mdecore.ScanAuthenticationParams){
		func(p *mdecore.ScanAuthenticationParams) { p.Type = "" },
		func(p *mdecore.ScanAuthenticationParams) { p.Type = "Windows" },
		func(p *mdecore.ScanAuthenticationParams) { p.Type = mdecore.ScanAuthCommunityString },
		func(p *mdecore.ScanAuthenticationParams) { p.ODataType = "#WindowsAuthParams" },
		func(p *mdecore.ScanAuthenticationParams) { p.Username = " " },
		func(p *mdecore.ScanAuthenticationParams) { p.AuthProtocol = "authProtocol" },
		func(p *mdecore.ScanAuthenticationParams) { p.AuthPassword = mdecore.Secret{} },
		func(p *mdecore.ScanAuthenticationParams) { p.PrivProtocol = "" },
		func(p *mdecore.ScanAuthenticationParams) { p.PrivPassword = mdecore.NewSecret("") },
		func(p *mdecore.ScanAuthenticationParams) { p.KeyVaultURL = "https://name.vault.azure.net" },
		func(p *mdecore.ScanAuthenticationParams) { p.KeyVaultSecretName = "snmp" },
		func(p *mdecore.ScanAuthenticationParams) {
			p.KeyVaultURL, p.KeyVaultSecretName = "http://name.vault.azure.net", "snmp"
		},
	} {
		p := newScanAuth()
		spoil(&p)
		bad = append(bad, p)
	}
	return bad
}

// badScans lack a field each, or hold what the service would refuse.
func badScans() (bad []mdecore.CreateScanDefinitionRequest) {
	for _, spoil := range []func(*mdecore.CreateScanDefinitionRequest){
		func(r *mdecore.CreateScanDefinitionRequest) { r.ScanType = "Windows" },
		func(r *mdecore.CreateScanDefinitionRequest) { r.ScanName = "" },
		func(r *mdecore.CreateScanDefinitionRequest) { r.Target = "" },
		func(r *mdecore.CreateScanDefinitionRequest) { r.Target = "10.0.0.1," },
		func(r *mdecore.CreateScanDefinitionRequest) { r.Target = "10.0.0.0/8" },
		func(r *mdecore.CreateScanDefinitionRequest) { r.Target = "switch.contoso.com" },
		func(r *mdecore.CreateScanDefinitionRequest) { r.TargetType = mdecore.ScanTargetHostname },
		func(r *mdecore.CreateScanDefinitionRequest) { r.TargetType = "" },
		func(r *mdecore.CreateScanDefinitionRequest) { r.TargetType, r.Target = "", "" },
		func(r *mdecore.CreateScanDefinitionRequest) { r.TargetType = "ip" },
		func(r *mdecore.CreateScanDefinitionRequest) { r.IntervalInHours = 0 },
		func(r *mdecore.CreateScanDefinitionRequest) { r.ScannerAgent.MachineID = "srv-file01" },
	} {
		r := newScan()
		spoil(&r)
		bad = append(bad, r)
	}
	for _, auth := range badScanAuths() {
		r := newScan()
		r.ScanAuthenticationParams = auth
		bad = append(bad, r)
	}
	return bad
}

func badScanUpdates() []mdecore.UpdateScanDefinitionRequest {
	bad := []mdecore.UpdateScanDefinitionRequest{
		{},
		{ScanType: "Windows"},
		{ScanName: " "},
		{IntervalInHours: -1},
		{TargetType: "ip"},
		{Target: "a b"},
		{TargetType: "Ip", Target: "host"},
		{ScannerAgent: &mdecore.ScannerAgentReference{}},
	}
	for _, auth := range badScanAuths() {
		bad = append(bad, mdecore.UpdateScanDefinitionRequest{ScanAuthenticationParams: &auth})
	}
	return bad
}

func scanOperations() map[string]operation {
	byDefinition := func(page mdecore.Page) func(...string) func(context.Context, *mdecore.Client) error {
		return func(ids ...string) func(context.Context, *mdecore.Client) error {
			return func(ctx context.Context, c *mdecore.Client) error {
				return drain(c.GetScanHistoryByDefinition(ctx, ids, page))
			}
		}
	}
	bySession := func(ids ...string) func(context.Context, *mdecore.Client) error {
		return func(ctx context.Context, c *mdecore.Client) error { return drain(c.GetScanHistoryBySession(ctx, ids)) }
	}
	create := func(req mdecore.CreateScanDefinitionRequest) func(context.Context, *mdecore.Client) error {
		return func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.CreateScanDefinition(ctx, req)
			return err
		}
	}
	update := func(ctx context.Context, c *mdecore.Client, id string, req mdecore.UpdateScanDefinitionRequest) error {
		_, err := c.UpdateScanDefinition(ctx, id, req)
		return err
	}
	remove := func(ids ...string) func(context.Context, *mdecore.Client) error {
		return func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.BatchDeleteScanDefinitions(ctx, ids)
			return err
		}
	}
	creating := operation{good: create(newScan())}.changing().answering(aDefinition)
	for _, bad := range badScans() {
		creating = creating.refusing(create(bad))
	}
	updating := withID(scanID, func(ctx context.Context, c *mdecore.Client, id string) error {
		return update(ctx, c, id, mdecore.UpdateScanDefinitionRequest{ScanName: "new"})
	}).changing().answering(aDefinition)
	for _, bad := range badScanUpdates() {
		updating = updating.refusing(func(ctx context.Context, c *mdecore.Client) error { return update(ctx, c, scanID, bad) })
	}
	// A read by POST is sent once only, as a write is.
	history := operation{good: byDefinition(mdecore.Page{})(scanID)}.changing().refusing(badBatches(byDefinition(mdecore.Page{}))...)
	return map[string]operation{
		"ListScanDefinitions": {good: func(ctx context.Context, c *mdecore.Client) error { return drain(c.ListScanDefinitions(ctx)) }},
		"ListScanAgents":      {good: func(ctx context.Context, c *mdecore.Client) error { return drain(c.ListScanAgents(ctx)) }},
		"GetScanAgent": withID(machineID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.GetScanAgent(ctx, id)
			return err
		}).answering(`{"value":[{"id":"org_` + machineID + `","machineId":"` + machineID + `"}]}`),
		"GetScanHistoryByDefinition": history.refusing(byDefinition(mdecore.Page{Top: -1})(scanID)),
		"GetScanHistoryBySession":    operation{good: bySession(sessionID)}.changing().refusing(badBatches(bySession)...),
		"CreateScanDefinition":       creating,
		"UpdateScanDefinition":       updating,
		"BatchDeleteScanDefinitions": operation{good: remove(scanID), silent: true}.changing().answering("").refusing(badBatches(remove)...),
	}
}
