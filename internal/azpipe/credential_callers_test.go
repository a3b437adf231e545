package azpipe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/stretchr/testify/require"
)

// callers is how many ask for a token at once.
const callers = 10_000

// together lets that many callers loose at one moment and returns the tokens that they got, with their counts.
func together(t *testing.T, callers int, call func(context.Context) (string, error)) map[string]int {
	t.Helper()
	var ready, done sync.WaitGroup
	var failed atomic.Pointer[error]
	start := make(chan struct{})
	got := make([]string, callers)
	ready.Add(callers)
	for i := range callers {
		done.Go(func() {
			ready.Done()
			<-start
			token, err := call(t.Context())
			if err != nil {
				failed.Store(&err)
			}
			got[i] = token
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
	if err := failed.Load(); err != nil {
		require.NoError(t, *err)
	}
	counts := map[string]int{}
	for _, token := range got {
		counts[token]++
	}
	return counts
}

func TestManyCallersShareOneTokenRequest(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	cred, err := NewCredential(a.config())
	require.NoError(t, err)
	get := func(ctx context.Context) (string, error) {
		token, err := cred.GetToken(ctx, tokenOptions("s/.default"))
		return token.Token, err
	}
	first := together(t, callers, get)
	require.Len(t, first, 1)
	require.EqualValues(t, 1, a.given.Load(), "%d callers, one request", callers)

	// All have the token refused, as after a changed role: each renews and asks again.
	var refused string
	for refused = range first {
		break
	}
	second := together(t, callers, func(ctx context.Context) (string, error) {
		cred.Renew(refused)
		return get(ctx)
	})
	require.Len(t, second, 1)
	require.NotContains(t, second, refused)
	require.EqualValues(t, 2, a.given.Load(), "one request more")
}

func TestManyCallersOfAChainShareOneTokenRequest(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	cfg := a.config()
	cfg.Kind = "secret,cli"
	cred, err := NewCredential(cfg)
	require.NoError(t, err)
	require.Len(t, together(t, callers/10, func(ctx context.Context) (string, error) {
		token, err := cred.GetToken(ctx, tokenOptions("s/.default"))
		return token.Token, err
	}), 1)
	require.EqualValues(t, 1, a.given.Load())
}

// BenchmarkToken is one call for a token that is in the cache, beside azidentity alone.
func BenchmarkToken(b *testing.B) {
	a := &authority{}
	a.start(b)
	options := tokenOptions("s/.default")
	measure := func(b *testing.B, cred azcore.TokenCredential) {
		if _, err := cred.GetToken(b.Context(), options); err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := cred.GetToken(b.Context(), options); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("baseline=azidentity", func(b *testing.B) { measure(b, a.plain(b)) })
	for _, kinds := range []string{KindSecret, "secret,cli"} {
		b.Run("renewable="+kinds, func(b *testing.B) {
			cfg := a.config()
			cfg.Kind = kinds
			cred, err := NewCredential(cfg)
			if err != nil {
				b.Fatal(err)
			}
			measure(b, cred)
		})
	}
}

// plain is azidentity's own credential, with nothing of ours around it.
func (a *authority) plain(b *testing.B) azcore.TokenCredential {
	b.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(a.Certificate())
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	cred, err := azidentity.NewClientSecretCredential(tenantID, clientID, someSecret, &azidentity.ClientSecretCredentialOptions{
		ClientOptions: azcore.ClientOptions{
			Transport: client, Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: a.URL},
		},
		DisableInstanceDiscovery: true,
	})
	if err != nil {
		b.Fatal(err)
	}
	return cred
}
