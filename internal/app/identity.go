package app

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/azpipe"
)

// Caller knows whose calls the MCP server and the shell command make.
type Caller struct {
	o CallerOptions

	mu    sync.Mutex
	known *approvals.Person
	until time.Time // when the sign-in that made it known ends
}

// CallerOptions say whose calls they are and how that is proved.
type CallerOptions struct {
	Identity Identity
	// Tenant is the id that a sign-in must be for; any tenant's when empty.
	Tenant string
	// Scope is what a token is asked for; its resource must be the token's audience.
	Scope string
	// SignIn is asked for a token when the identity is to be verified; it is the Azure CLI's credential outside of demos.
	SignIn azcore.TokenCredential
	// Clock is the current time; time.Now when nil.
	Clock func() time.Time
}

// NewCaller makes the caller that the options describe.
func NewCaller(o CallerOptions) *Caller {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return &Caller{o: o}
}

// Requester answers who asks, through which face and for which assistant. With MDE_IDENTITY=cli the person is read from
// a token that the Azure CLI got from the sign-in service, which makes it verified; it is asked for once in a token's
// life. A failed sign-in, or a token that does not say all of who, for which tenant and for what, is an error and not an
// unverified caller.
func (c *Caller) Requester(ctx context.Context, via approvals.Via, agent string) (approvals.Requester, error) {
	if c.o.Identity.Source != "cli" {
		id := strings.ToLower(strings.TrimSpace(c.o.Identity.User))
		return approvals.Requester{Person: approvals.Person{ID: id, Name: c.o.Identity.User}, Via: via, Agent: agent}, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || !c.o.Clock().Before(c.until) {
		c.known = nil
		info, err := azpipe.Roles(ctx, c.o.SignIn, c.o.Scope)
		if err != nil {
			return approvals.Requester{}, fmt.Errorf("MDE_IDENTITY=cli: the Azure CLI's sign-in could not be read; run `az login`: %w", err)
		}
		if err := c.o.check(info); err != nil {
			return approvals.Requester{}, fmt.Errorf("MDE_IDENTITY=cli: %w", err)
		}
		id := strings.ToLower(info.UPN)
		c.known = &approvals.Person{ID: id, Name: info.UPN, Aliases: []string{"entra:" + strings.ToLower(info.ObjectID)}}
		c.until = info.ExpiresOn
	}
	return approvals.Requester{Person: *c.known, Verified: true, Via: via, Agent: agent}, nil
}

// check refuses a token that does not prove who is signed in to this tenant.
func (o CallerOptions) check(info azpipe.TokenInfo) error {
	resource := strings.TrimRight(strings.TrimSuffix(o.Scope, ".default"), "/")
	switch {
	case !info.Delegated():
		return fmt.Errorf("the Azure CLI is signed in as an application, not as a person; run `az login` as the person")
	case info.TenantID == "" || o.Tenant != "" && !strings.EqualFold(info.TenantID, o.Tenant):
		return fmt.Errorf("the Azure CLI is signed in to tenant %q and MDE_TENANT_ID is %q, which must be that tenant's id (a GUID); run `az login --tenant` with it",
			info.TenantID, o.Tenant)
	case resource == "" || !strings.EqualFold(strings.TrimRight(info.Audience, "/"), resource):
		return fmt.Errorf("the Azure CLI's token is for %q, not for %s; look at MDE_SCOPE", info.Audience, resource)
	case !info.ExpiresOn.After(o.Clock()):
		return fmt.Errorf("the Azure CLI's sign-in ended at %s; run `az login`", info.ExpiresOn.Format(time.RFC3339))
	case !isAddress(info.UPN) || info.ObjectID == "":
		return fmt.Errorf("the Azure CLI's token names no user principal name and object id, so it does not prove who is signed in; " +
			"run `az login` as a member of the tenant")
	}
	return nil
}
