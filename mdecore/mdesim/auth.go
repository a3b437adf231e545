package mdesim

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

const (
	audience        = "https://api.securitycenter.microsoft.com"
	siblingAudience = "https://api.security.microsoft.com"
	graphAudience   = "https://graph.microsoft.com"
)

// claims are the claims of the simulated access tokens, named as Entra ID v1
// tokens name them.
type claims struct {
	jwt.RegisteredClaims
	Aud        string   `json:"aud"` // one string, as Entra ID writes it; shadows the library's list
	TenantID   string   `json:"tid"`
	AppID      string   `json:"appid"`
	OID        string   `json:"oid"`
	Roles      []string `json:"roles,omitempty"`
	Scope      string   `json:"scp,omitempty"`
	UPN        string   `json:"upn,omitempty"`
	Name       string   `json:"name,omitempty"`
	Groups     []string `json:"groups,omitempty"`
	IDType     string   `json:"idtyp"`
	Version    string   `json:"ver"`
	UTI        string   `json:"uti"`
	AppName    string   `json:"app_displayname,omitempty"`
	Generation int      `json:"mdesim_generation"`
}

// caller is who a valid token belongs to.
type caller struct {
	name        string // application name or user principal name
	permissions []string
	delegated   bool
}

// RevokeTokens makes every token issued so far answer 401, as after a revoked
// session. Tokens asked for afterwards are good.
func (t *Tenant) RevokeTokens() {
	t.ready()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.generation++
}

// resource is the API that a path belongs to, as the audience of its tokens.
func resource(path string) string {
	if strings.HasPrefix(path, graphPath) {
		return graphAudience
	}
	return audience
}

// rolesFor are the permissions of an application that a token for a resource
// carries: each resource knows only its own.
func rolesFor(resource string, roles []string) []string {
	var out []string
	for _, role := range roles {
		graph := strings.HasPrefix(role, "ThreatHunting.") || strings.HasPrefix(role, "SecurityIncident.") || strings.HasPrefix(role, "SecurityAlert.")
		if graph == (resource == graphAudience) || (resource == graphAudience && isEntraRole(role)) {
			out = append(out, role)
		}
	}
	return out
}

// authenticate checks the bearer token: signature, validity, tenant and audience.
// The audience of the new host name is refused with 403, as documented; every
// other fault of a token is a 401.
func (t *Tenant) authenticate(r *http.Request) (caller, response, bool) {
	token, err := t.bearer(r)
	switch {
	case err != nil:
		resp := t.problem(http.StatusUnauthorized, "Unauthorized", "Unauthorized: "+err.Error())
		resp.header.Set("WWW-Authenticate", "Bearer")
		return caller{}, resp, false
	case token.Aud != resource(r.URL.Path):
		return caller{}, t.problem(http.StatusForbidden, "Forbidden", "The token audience must be "+resource(r.URL.Path)), false
	}
	if token.IDType == "user" {
		return caller{name: token.UPN, permissions: strings.Fields(token.Scope), delegated: true}, response{}, true
	}
	name := token.AppID
	if app, ok := t.app(token.AppID); ok {
		name = app.label()
	}
	return caller{name: name, permissions: token.Roles}, response{}, true
}

func (t *Tenant) bearer(r *http.Request) (*claims, error) {
	raw, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return nil, errors.New("the request has no bearer token")
	}
	var c claims
	_, err := jwt.ParseWithClaims(raw, &c, func(tok *jwt.Token) (any, error) {
		return t.signer.public(tok.Header["kid"])
	}, jwt.WithValidMethods([]string{"RS256"}), jwt.WithTimeFunc(t.now), jwt.WithExpirationRequired(), jwt.WithIssuedAt())
	if err != nil {
		return nil, tokenFault(err)
	}
	t.mu.Lock()
	generation := t.generation
	t.mu.Unlock()
	switch {
	case c.TenantID != t.ID:
		return nil, errors.New("the token is from another tenant")
	case c.Generation != generation:
		return nil, errors.New("the token was revoked")
	case c.Aud != resource(r.URL.Path) && (c.Aud != siblingAudience || resource(r.URL.Path) != audience):
		return nil, errors.New("the token is for another resource")
	}
	return &c, nil
}

// tokenFault says what is wrong with a token without repeating any of it.
func tokenFault(err error) error {
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return errors.New("the token is expired")
	case errors.Is(err, jwt.ErrTokenNotValidYet), errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return errors.New("the token is not valid yet")
	case errors.Is(err, jwt.ErrTokenMalformed):
		return errors.New("the token is malformed")
	default:
		return errors.New("the token's signature is not valid")
	}
}

// permit answers 403, naming the permissions, when the caller has none of them.
func (t *Tenant) permit(rt *route, who caller) (response, bool) {
	needed, kind := rt.Roles, "application"
	if who.delegated {
		needed, kind = rt.Delegated, "delegated"
	}
	if slices.ContainsFunc(needed, func(p string) bool { return slices.Contains(who.permissions, p) }) {
		return response{}, true
	}
	return t.problem(http.StatusForbidden, "Forbidden",
		"The caller does not have any of the required "+kind+" permissions ("+strings.Join(needed, ", ")+") to access the resource."), false
}
