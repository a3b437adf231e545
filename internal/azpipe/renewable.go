package azpipe

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// defaultTokenTimeout limits one whole token request.
const defaultTokenTimeout = 30 * time.Second

// Renewable is a credential that can be thrown away and made anew. azidentity keeps its tokens in a cache that cannot be
// emptied, so after a 401 (a revoked token, a changed role) only a fresh credential object yields a fresh token.
// It is safe for concurrent use.
type Renewable struct {
	factory func() (azcore.TokenCredential, error)
	timeout time.Duration
	secrets []string
	tenant  string // the tenant that tokens must be of; empty for any

	mu      sync.Mutex
	current azcore.TokenCredential
	// issued holds the newest token of each scope as a hash, to tell whether a refused token is still the newest.
	issued map[string][sha256.Size]byte
}

// NewRenewable returns a credential made by factory, which is called once now, so that faults show at start, and again
// at every renewal.
func NewRenewable(factory func() (azcore.TokenCredential, error)) (*Renewable, error) {
	if factory == nil {
		return nil, errors.New("azpipe: no credential factory given")
	}
	first, err := factory()
	if err != nil {
		return nil, err
	}
	return &Renewable{
		factory: factory, timeout: defaultTokenTimeout,
		current: first, issued: map[string][sha256.Size]byte{},
	}, nil
}

// GetToken implements azcore.TokenCredential. Failures are *TokenError. It gives up after 30 s.
func (r *Renewable) GetToken(ctx context.Context, opts policy.TokenRequestOptions) (azcore.AccessToken, error) {
	r.mu.Lock()
	cred := r.current
	r.mu.Unlock()
	limited, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	token, err := cred.GetToken(limited, opts)
	if err != nil {
		return azcore.AccessToken{}, newTokenError(ctx, err, r.secrets...)
	}
	if err := r.foreign(token.Token); err != nil {
		return azcore.AccessToken{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current == cred {
		r.issued[strings.Join(opts.Scopes, " ")] = sha256.Sum256([]byte(token.Token))
	}
	return token, nil
}

// foreign refuses a token of another tenant than the configured one: a managed identity lives in the tenant of its
// machine, whatever was configured, and what was meant for one tenant must not be done in another. A token that cannot be
// read is let through, because the service reads it.
func (r *Renewable) foreign(token string) error {
	info, err := parseToken(token)
	if err == nil && r.tenant != "" && info.TenantID != "" && !strings.EqualFold(info.TenantID, r.tenant) {
		return &TokenError{Message: "the token is of tenant " + oneLine(info.TenantID) + ", but tenant " + r.tenant + " is configured"}
	}
	return nil
}

// Renew drops the cached credential if the rejected token is the newest that it has given out. Of many callers that had
// the same token refused only the first renews; the others find a newer token already there.
func (r *Renewable) Renew(rejected string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.isNewest(sha256.Sum256([]byte(rejected))) {
		return
	}
	fresh, err := r.factory()
	if err != nil {
		// The factory worked at start. Keeping the old credential ends in the same 401, which says what is wrong.
		return
	}
	r.current = fresh
	clear(r.issued)
}

// isNewest reports whether a token is the newest of any scope.
func (r *Renewable) isNewest(token [sha256.Size]byte) bool {
	for _, newest := range r.issued {
		if newest == token {
			return true
		}
	}
	return false
}

// String keeps a printed credential from showing what is inside.
func (r *Renewable) String() string { return fmt.Sprintf("credential(%T)", r.current) }

// GoString does the same for %#v.
func (r *Renewable) GoString() string { return r.String() }
