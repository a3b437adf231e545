package mdesim

import (
	"net/http"
	"slices"
	"strings"
)

// The web API that demos sign people in to.
const (
	DefaultWebAPIID    = "0c6e2f4a-51a7-4b3e-8c1d-7f2f5e9d0a03"
	DefaultWebAPIScope = "access_as_user"
)

// WebAPI is an application of the tenant that takes tokens itself, such as a tool
// server. People and applications get version 2.0 tokens for it.
type WebAPI struct {
	AppID string // its client id, which is the tokens' audience
	Scope string // what it exposes: people ask for api://<AppID>/<Scope>
	// Roles are the app roles that a person (by user principal name) or an
	// application (by client id) was assigned, for the roles claim.
	Roles map[string][]string
}

// SetWebAPI registers a web API, or changes the one with the same id.
func (t *Tenant) SetWebAPI(a WebAPI) {
	t.ready()
	t.entra.mu.Lock()
	defer t.entra.mu.Unlock()
	t.entra.webAPIs = append(slices.DeleteFunc(slices.Clone(t.entra.webAPIs), func(o WebAPI) bool { return strings.EqualFold(o.AppID, a.AppID) }), a)
}

// SetResources names further resources, such as https://storage.azure.com, for which
// applications get tokens: other services of Azure, which are not simulated here.
func (t *Tenant) SetResources(resources ...string) {
	t.ready()
	t.entra.mu.Lock()
	defer t.entra.mu.Unlock()
	t.entra.resources = slices.Clone(resources)
}

func (t *Tenant) hasResource(resource string) bool {
	t.entra.mu.Lock()
	defer t.entra.mu.Unlock()
	return slices.Contains(t.entra.resources, resource)
}

// webAPI is the web API that a scope asks for: its own scope, or all that was
// consented to (/.default), by client id or by api:// name.
func (t *Tenant) webAPI(scope string) (WebAPI, bool) {
	t.entra.mu.Lock()
	defer t.entra.mu.Unlock()
	for _, asked := range strings.Fields(scope) {
		for _, a := range t.entra.webAPIs {
			rest, ok := strings.CutPrefix(strings.TrimPrefix(asked, "api://"), a.AppID+"/")
			if ok && (rest == a.Scope || rest == ".default") {
				return a, true
			}
		}
	}
	return WebAPI{}, false
}

// personToken is a person's token for a web API, named as Entra ID's version 2.0
// tokens name things.
func (t *Tenant) personToken(r *http.Request, a WebAPI, u User, client string) response {
	return t.issueV2(r, a, map[string]any{
		"azp": client, "sub": u.OID, "oid": u.OID, "preferred_username": u.UPN, "name": u.Name, "scp": a.Scope, "roles": a.Roles[u.UPN],
	})
}

// appToken is an application's token for a web API, with nobody behind it.
func (t *Tenant) appToken(r *http.Request, a WebAPI, app App) response {
	oid := guidOf(hash64(app.ID), hash64(app.ID+"/oid"))
	return t.issueV2(r, a, map[string]any{"azp": app.ID, "sub": oid, "oid": oid, "idtyp": "app", "roles": a.Roles[app.ID]})
}

func (t *Tenant) issueV2(r *http.Request, a WebAPI, c map[string]any) response {
	now := t.now()
	c["iss"], c["aud"], c["tid"], c["ver"], c["uti"] = "https://"+r.Host+"/"+t.ID+"/v2.0", a.AppID, t.ID, "2.0", t.correlation()
	c["iat"], c["nbf"], c["exp"] = now.Unix(), now.Unix(), now.Add(t.TokenLife).Unix()
	if roles, _ := c["roles"].([]string); len(roles) == 0 {
		delete(c, "roles")
	}
	signed, err := t.SignToken(c)
	if err != nil {
		return t.noKey(err)
	}
	return tokenResponse(signed, t.TokenLife)
}
