package app

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/azpipe"
)

// Caller knows whose calls the MCP server and the shell command make.
type Caller struct {
	identity Identity
	scope    string
	cred     azcore.TokenCredential

	mu    sync.Mutex
	known *approvals.Person
}

// NewCaller makes the caller that identity describes. signIn is asked for a token when the identity is to be verified;
// it is the Azure CLI's credential outside of demos.
func NewCaller(identity Identity, scope string, signIn azcore.TokenCredential) *Caller {
	return &Caller{identity: identity, scope: scope, cred: signIn}
}

// Requester answers who asks, through which face and for which assistant. With MDE_IDENTITY=cli the person is read from
// a token that the sign-in service gave us over TLS, which makes it verified; it is asked for once. A failed sign-in is
// an error and not an unverified caller.
func (c *Caller) Requester(ctx context.Context, via approvals.Via, agent string) (approvals.Requester, error) {
	if c.identity.Source != "cli" {
		id := strings.ToLower(strings.TrimSpace(c.identity.User))
		return approvals.Requester{Person: approvals.Person{ID: id, Name: c.identity.User}, Via: via, Agent: agent}, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		info, err := azpipe.Roles(ctx, c.cred, c.scope)
		if err != nil {
			return approvals.Requester{}, fmt.Errorf("MDE_IDENTITY=cli: the Azure CLI's sign-in could not be read; run `az login`: %w", err)
		}
		if info.UPN == "" {
			return approvals.Requester{}, fmt.Errorf("MDE_IDENTITY=cli: the Azure CLI is signed in as an application, not as a person; run `az login` as the person")
		}
		p := approvals.Person{ID: strings.ToLower(info.UPN), Name: info.UPN}
		if info.ObjectID != "" {
			p.Aliases = []string{"entra:" + info.ObjectID}
		}
		c.known = &p
	}
	return approvals.Requester{Person: *c.known, Verified: true, Via: via, Agent: agent}, nil
}
