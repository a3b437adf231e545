package mdesim

import (
	"crypto/x509"
	"slices"
	"strings"
)

// The identities of a zero [Tenant]. The secrets are words, not secrets: they
// open nothing but a simulator.
const (
	DefaultTenantID     = "5a1f6c1e-0d7b-4c0e-9f52-3b6d3f7a1c00"
	DefaultAppID        = "0c6e2f4a-51a7-4b3e-8c1d-7f2f5e9d0a01"
	DefaultAppSecret    = "simulated-writer-secret"
	DefaultReaderID     = "0c6e2f4a-51a7-4b3e-8c1d-7f2f5e9d0a02"
	DefaultReaderSecret = "simulated-reader-secret"
	DefaultUserPassword = "simulated-user-password"
	// AzureCLIAppID is the public client through which a [User] signs in.
	AzureCLIAppID = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
)

// App is an application registered in the tenant.
type App struct {
	ID           string              // client id, a GUID
	Name         string              // shown as the requestor of actions; the id when empty
	Secret       string              // client secret; empty: no secret is accepted
	Expired      bool                // the secret is known and expired (AADSTS7000222)
	Certificates []*x509.Certificate // certificates whose signed assertions are accepted
	Roles        []string            // application permissions, as the token's roles claim
}

// User is a person who can sign in through the Azure CLI's public client.
type User struct {
	UPN      string   // user principal name
	Name     string   // display name
	OID      string   // Entra object id, a GUID
	Password string   // DefaultUserPassword when empty
	Scopes   []string // delegated permissions, as the token's scp claim
	Groups   []string // object ids of the groups claim
}

// WriterRoles are the application permissions that every simulated route
// together needs.
func WriterRoles() []string {
	return append(ReaderRoles(), "Alert.ReadWrite.All", "Machine.ReadWrite.All", "Machine.Isolate",
		"Machine.RestrictExecution", "Machine.Scan", "Machine.CollectForensics", "Machine.StopAndQuarantine",
		"Machine.LiveResponse", "Machine.Offboard", "Library.Manage", "Ti.ReadWrite.All",
		"SecurityIncident.ReadWrite.All", "SecurityAlert.ReadWrite.All")
}

// ReaderRoles are the application permissions that the reading routes need.
func ReaderRoles() []string {
	return []string{
		"Alert.Read.All", "Machine.Read.All", "User.Read.All", "AdvancedQuery.Read.All", "File.Read.All", "Ip.Read.All", "URL.Read.All",
		"Ti.ReadWrite.All", "Vulnerability.Read.All", "Software.Read.All", "SecurityRecommendation.Read.All", "RemediationTasks.Read.All",
		"Score.Read.All", "SecurityBaselinesAssessment.Read.All",
		"ThreatHunting.Read.All", "SecurityIncident.Read.All", "SecurityAlert.Read.All",
	}
}

func defaultApps() []App {
	return []App{
		{ID: DefaultAppID, Name: "mde-ops worker", Secret: DefaultAppSecret, Roles: WriterRoles()},
		{ID: DefaultReaderID, Name: "mde-ops reader", Secret: DefaultReaderSecret, Roles: ReaderRoles()},
	}
}

func defaultUsers() []User {
	responder := []string{"Alert.Read", "Alert.ReadWrite", "Machine.Read", "Machine.ReadWrite", "Machine.Isolate", "User.Read.All"}
	return []User{
		{UPN: "alice@contoso.com", Name: "Alice Andersen", OID: "a11ce000-0000-4000-8000-000000000001", Scopes: responder},
		{UPN: "bob@contoso.com", Name: "Bob Brown", OID: "b0b00000-0000-4000-8000-000000000002", Scopes: responder},
		{UPN: "rita@contoso.com", Name: "Rita Reader", OID: "91740000-0000-4000-8000-000000000003", Scopes: []string{"Alert.Read", "Machine.Read"}},
	}
}

func (t *Tenant) app(id string) (App, bool) {
	i := slices.IndexFunc(t.apps, func(a App) bool { return strings.EqualFold(a.ID, id) })
	if i < 0 {
		return App{}, false
	}
	return t.apps[i], true
}

func (t *Tenant) user(upn string) (User, bool) {
	i := slices.IndexFunc(t.users, func(u User) bool { return strings.EqualFold(u.UPN, upn) })
	if i < 0 {
		return User{}, false
	}
	return t.users[i], true
}

func (a App) label() string {
	if a.Name != "" {
		return a.Name
	}
	return a.ID
}
