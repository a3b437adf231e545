package azpipe

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// TokenInfo is what a token says about its holder, never the token itself. The token's signature is not checked: this
// is our own token, shown to its owner.
type TokenInfo struct {
	// Roles are the application permissions, e.g. Machine.Isolate.
	Roles []string
	// Scopes are the delegated permissions of a signed-in person.
	Scopes []string
	// ExpiresOn is when the token ends.
	ExpiresOn time.Time
	// TenantID and AppID are the tenant's and the application's GUIDs.
	TenantID, AppID string
	// ObjectID is the person's or service principal's id in the tenant.
	ObjectID string
	// UPN and Name are the signed-in person's, empty for an application. UPN is the claim upn alone: Entra's other names
	// of a person (unique_name, preferred_username) can be changed by whoever they name, so nothing may rest on them.
	UPN, Name string
	// Audience is the resource the token is for.
	Audience string
}

// Delegated reports whether the token stands for a person.
func (t TokenInfo) Delegated() bool { return len(t.Scopes) > 0 }

// Has reports whether the token carries any of the permissions. A delegated permission is written without the ".All" of
// the application permission.
func (t TokenInfo) Has(anyOf ...string) bool {
	for _, want := range anyOf {
		for _, role := range t.Roles {
			if role == want {
				return true
			}
		}
		for _, scope := range t.Scopes {
			if scope == want || scope == strings.TrimSuffix(want, ".All") {
				return true
			}
		}
	}
	return false
}

// Roles asks the credential for a token of the scope and returns what it carries.
func Roles(ctx context.Context, cred azcore.TokenCredential, scope string) (TokenInfo, error) {
	token, err := (&tokenGuard{cred: cred}).GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{scope}, EnableCAE: true})
	if err != nil {
		return TokenInfo{}, err
	}
	info, err := parseToken(token.Token)
	if err != nil {
		return TokenInfo{}, err
	}
	if info.ExpiresOn.IsZero() {
		info.ExpiresOn = token.ExpiresOn
	}
	return info, nil
}

// errOpaque is all that may be said about a token that cannot be read.
var errOpaque = errors.New("the access token is not a readable JSON Web Token, so its permissions are unknown")

// claims are the parts of a token that we show.
type claims struct {
	Roles []string `json:"roles"`
	Scp   string   `json:"scp"`
	Exp   float64  `json:"exp"`
	Tid   string   `json:"tid"`
	AppID string   `json:"appid"`
	Azp   string   `json:"azp"`
	Oid   string   `json:"oid"`
	UPN   string   `json:"upn"`
	Name  string   `json:"name"`
	// Aud is a string or a list of strings (RFC 7519).
	Aud json.RawMessage `json:"aud"`
}

// audience returns the token's audience, or the first of several.
func (c claims) audience() string {
	var one string
	var many []string
	if json.Unmarshal(c.Aud, &one) == nil {
		return one
	}
	if json.Unmarshal(c.Aud, &many) == nil && len(many) > 0 {
		return many[0]
	}
	return ""
}

// parseToken reads the claims of a JSON Web Token. Its errors never hold any of it.
func parseToken(token string) (TokenInfo, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return TokenInfo{}, errOpaque
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return TokenInfo{}, errOpaque
	}
	var c claims
	if json.Unmarshal(payload, &c) != nil {
		return TokenInfo{}, errOpaque
	}
	info := TokenInfo{
		Roles: c.Roles, Scopes: strings.Fields(c.Scp), TenantID: c.Tid, ObjectID: c.Oid, Name: c.Name, Audience: c.audience(),
		AppID: firstOf(c.AppID, c.Azp), UPN: c.UPN,
	}
	if c.Exp > 0 && c.Exp < 1e11 {
		info.ExpiresOn = time.Unix(int64(c.Exp), 0).UTC()
	}
	return info, nil
}

// firstOf returns the first value that is not empty.
func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
