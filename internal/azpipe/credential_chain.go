package azpipe

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// absent is a member that this place does not have; its text says why.
type absent string

// GetToken implements azcore.TokenCredential.
func (a absent) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{}, azidentity.NewCredentialUnavailableError(string(a))
}

// chain tries its members in order, as azidentity's chain does: the next one only when one is not available here. It
// adds an error that names each member with its cause.
type chain struct {
	inner   azcore.TokenCredential
	secrets []string
}

// chainFactory makes chains. Once a member has given a token, chains have that member only: a renewal after a 401 must
// not end with another identity.
func chainFactory(kinds []string, factories []factory, secrets []string) factory {
	var chosen atomic.Int64 // the member's number from 1
	return func() (azcore.TokenCredential, error) {
		var members []azcore.TokenCredential
		only := chosen.Load()
		for i, build := range factories {
			number := int64(i + 1)
			if only != 0 && only != number {
				continue
			}
			cred, err := build()
			if err != nil {
				return nil, err
			}
			members = append(members, &member{kind: kinds[i], cred: cred, secrets: secrets, number: number, chosen: &chosen})
		}
		inner, err := azidentity.NewChainedTokenCredential(members, nil)
		if err != nil {
			return nil, err
		}
		return &chain{inner: inner, secrets: secrets}, nil
	}
}

// attempts are what the members of a chain said to one call.
type attempts struct {
	causes []string
	last   *TokenError
}

// note keeps what a member said.
func (a *attempts) note(kind string, err error) {
	var said *TokenError
	if errors.As(err, &said) {
		a.last, a.causes = said, append(a.causes, kind+": "+said.Message)
	}
}

// attemptsKey finds the attempts of a call in its context: azidentity's chain hands contexts through, and would make
// one text out of errors.
type attemptsKey struct{}

// GetToken implements azcore.TokenCredential. Failures are *TokenError.
func (c *chain) GetToken(ctx context.Context, opts policy.TokenRequestOptions) (azcore.AccessToken, error) {
	tried := &attempts{}
	token, err := c.inner.GetToken(context.WithValue(ctx, attemptsKey{}, tried), opts)
	if err == nil {
		return token, nil
	}
	if tried.last == nil {
		return token, newTokenError(ctx, err, c.secrets...)
	}
	return token, &TokenError{Message: strings.Join(tried.causes, "; "), Code: tried.last.Code, Err: tried.last.Err}
}

// member is one way to sign in of a chain.
type member struct {
	kind    string
	cred    azcore.TokenCredential
	secrets []string
	number  int64
	chosen  *atomic.Int64
}

// GetToken implements azcore.TokenCredential. It keeps the credential's error as it is, because azidentity decides by its
// type whether the next member gets its turn.
func (m *member) GetToken(ctx context.Context, opts policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, err := m.cred.GetToken(ctx, opts)
	if err == nil {
		m.chosen.CompareAndSwap(0, m.number)
		return token, nil
	}
	if tried, ok := ctx.Value(attemptsKey{}).(*attempts); ok {
		tried.note(m.kind, newTokenError(ctx, err, m.secrets...))
	}
	return token, err
}
