package azpipe

import (
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// renewer is a credential that can drop what it has cached. azidentity's own credentials cannot: they hand out the same
// cached token again after a 401.
type renewer interface {
	Renew(rejected string)
}

// renewPolicy answers one 401 with a new token and one more send. A 401 is a definite refusal, so this is safe for
// writes too.
type renewPolicy struct{ cred any }

// Do implements policy.Policy.
func (p renewPolicy) Do(req *policy.Request) (*http.Response, error) {
	resp, err := req.Next()
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	if claimsChallenge(resp.Header) {
		// azcore's bearer policy has answered this challenge with a second send already.
		return resp, nil
	}
	if cred, ok := p.cred.(renewer); ok {
		cred.Renew(strings.TrimPrefix(req.Raw().Header.Get("Authorization"), "Bearer "))
	}
	drain(resp)
	return req.Next()
}

// claimsChallenge reports whether a 401 asks for more claims (continuous access evaluation).
func claimsChallenge(header http.Header) bool {
	for _, value := range header.Values("WWW-Authenticate") {
		if strings.Contains(value, "insufficient_claims") {
			return true
		}
	}
	return false
}
