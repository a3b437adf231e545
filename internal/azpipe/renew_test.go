package azpipe

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// renewable makes credentials named 1, 2, 3..., each of which gives one token for ever, as azidentity's cache does.
func renewable(t *testing.T, made *atomic.Int32) *Renewable {
	t.Helper()
	r, err := NewRenewable(func() (azcore.TokenCredential, error) {
		return &fixedCred{name: strconv.Itoa(int(made.Add(1)))}, nil
	})
	require.NoError(t, err)
	return r
}

// refuse answers 401 to the tokens listed.
func refuse(tokens ...string) func(int, http.ResponseWriter, *http.Request) {
	return func(_ int, w http.ResponseWriter, r *http.Request) {
		if slices.Contains(tokens, r.Header.Get("Authorization")) {
			status(401)(w)
			return
		}
		status(200)(w)
	}
}

func TestRenewGetsAReallyNewToken(t *testing.T) {
	for _, method := range []string{"GET", "POST"} {
		t.Run(method, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var made atomic.Int32
				s := newService(t, refuse("Bearer token1"))
				code, _, err := send(t.Context(), t, s.pipe(t, func(o *Options) { o.Credential = renewable(t, &made) }), method, Operation{})
				require.NoError(t, err)
				require.Equal(t, 200, code)
				require.Equal(t, []string{"Bearer token1", "Bearer token2"}, s.tokens)
			})
		})
	}
}

func TestRenewOnlyOncePerCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var made atomic.Int32
		s := newService(t, func(_ int, w http.ResponseWriter, _ *http.Request) { status(401)(w) })
		code, body, err := send(t.Context(), t, s.pipe(t, func(o *Options) { o.Credential = renewable(t, &made) }), "POST", Operation{})
		require.NoError(t, err)
		require.Equal(t, 401, code)
		require.Equal(t, "answer 401", body, "the refusal's text must survive")
		require.Equal(t, 2, s.sends())
	})
}

func TestRenewWithAnyCredentialSendsOnceMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cred := &fixedCred{}
		s := newService(t, script(status(401)))
		code, _, err := send(t.Context(), t, s.pipe(t, func(o *Options) { o.Credential = cred }), "POST", Operation{})
		require.NoError(t, err)
		require.Equal(t, 200, code)
		require.EqualValues(t, 2, cred.asked.Load())
	})
}

func TestRenewLeavesClaimsChallengesToAzcore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		challenge := status(401, "WWW-Authenticate", `Bearer realm="", error="insufficient_claims", claims="eyJhIjoxfQ=="`)
		s := newService(t, func(_ int, w http.ResponseWriter, _ *http.Request) { challenge(w) })
		code, _, err := send(t.Context(), t, s.pipe(t, nil), "POST", Operation{})
		require.NoError(t, err)
		require.Equal(t, 401, code)
		require.Equal(t, 2, s.sends(), "azcore's one answer to the challenge, and none of ours")
	})
}

func TestRenewOnceForManyRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var made atomic.Int32
		cred := renewable(t, &made)
		s := newService(t, refuse("Bearer token1"))
		p := s.pipe(t, func(o *Options) { o.Credential = cred })
		var wg sync.WaitGroup
		for range 40 {
			wg.Go(func() {
				code, _, err := send(t.Context(), t, p, "GET", Operation{})
				assert.NoError(t, err)
				assert.Equal(t, 200, code)
			})
		}
		wg.Wait()
		require.EqualValues(t, 2, made.Load(), "one credential at the start and one renewal")
	})
}

func TestRenewIgnoresOldAndForeignTokens(t *testing.T) {
	var made atomic.Int32
	cred := renewable(t, &made)
	cred.Renew("token1")
	require.EqualValues(t, 1, made.Load(), "nothing was given out yet")
	_, err := Roles(t.Context(), cred, "scope")
	require.Error(t, err, "the token is no JWT")
	cred.Renew("someone else's")
	require.EqualValues(t, 1, made.Load())
	cred.Renew("token1")
	cred.Renew("token1")
	require.EqualValues(t, 2, made.Load())
}

func TestRenewKeepsTheCredentialWhenTheFactoryFails(t *testing.T) {
	calls := 0
	cred, err := NewRenewable(func() (azcore.TokenCredential, error) {
		if calls++; calls > 1 {
			return nil, errors.New("no more")
		}
		return &fixedCred{name: "only"}, nil
	})
	require.NoError(t, err)
	for range 2 {
		token, err := cred.GetToken(t.Context(), tokenOptions("scope"))
		require.NoError(t, err)
		require.Equal(t, "tokenonly", token.Token)
		cred.Renew(token.Token)
	}
	require.Equal(t, 3, calls)
	_, err = NewRenewable(nil)
	require.Error(t, err)
}
