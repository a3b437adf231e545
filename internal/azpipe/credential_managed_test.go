package azpipe

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// identityEndpoint is the endpoint at which a platform gives out the tokens of its managed identities.
type identityEndpoint struct {
	*httptest.Server
	given  atomic.Int32
	refuse atomic.Pointer[string] // the body of a 400
	mu     sync.Mutex
	asked  []*http.Request
}

func newIdentityEndpoint(t *testing.T) *identityEndpoint {
	t.Helper()
	e := &identityEndpoint{}
	e.Server = httptest.NewServer(http.HandlerFunc(e.serve))
	t.Cleanup(e.Close)
	return e
}

func (e *identityEndpoint) serve(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	e.asked = append(e.asked, r)
	e.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if text := e.refuse.Load(); text != nil {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(*text))
		return
	}
	end := time.Now().Add(time.Hour).Unix()
	_ = json.NewEncoder(w).Encode(map[string]string{
		"access_token": fakeJWT(map[string]any{"n": e.given.Add(1), "roles": []string{"Machine.Read.All"}}), "token_type": "Bearer",
		"expires_in": "3599", "expires_on": strconv.FormatInt(end, 10), "resource": r.URL.Query().Get("resource"),
	})
}

func (e *identityEndpoint) last() *http.Request {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.asked[len(e.asked)-1]
}

// appService makes the process look like one in an App Service.
func (e *identityEndpoint) appService(t *testing.T) {
	t.Helper()
	noPlatform(t)
	t.Setenv("IDENTITY_ENDPOINT", e.URL+"/msi/token")
	t.Setenv("IDENTITY_HEADER", someSecret)
}

// virtualMachine makes the endpoint reachable as the metadata service of a virtual machine.
func (e *identityEndpoint) virtualMachine(t *testing.T, cfg *CredentialConfig) {
	t.Helper()
	noPlatform(t)
	address := e.Listener.Addr().String()
	cfg.dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, network, address)
	}
}

// nowhere is a connection to a port on which nothing listens.
func nowhere(ctx context.Context, network, _ string) (net.Conn, error) {
	var dialer net.Dialer
	return dialer.DialContext(ctx, network, "127.0.0.1:1")
}

func TestManagedIdentityInAnAppService(t *testing.T) {
	for name, id := range map[string]string{"system-assigned": "", "user-assigned": clientID} {
		t.Run(name, func(t *testing.T) {
			e := newIdentityEndpoint(t)
			e.appService(t)
			cred, err := NewCredential(CredentialConfig{Kind: KindManaged, ClientID: id})
			require.NoError(t, err)
			scope := "https://" + t.Name() + "/.default" // azidentity's cache belongs to the process
			get := func() string {
				token, err := cred.GetToken(t.Context(), tokenOptions(scope))
				require.NoError(t, err)
				return token.Token
			}
			first := get()
			require.Equal(t, first, get())
			require.Equal(t, someSecret, e.last().Header.Get("X-Identity-Header"))
			require.Equal(t, "https://"+t.Name(), e.last().URL.Query().Get("resource"))
			require.Equal(t, id, e.last().URL.Query().Get("client_id"))
			cred.Renew(first)
			second := get()
			require.NotEqual(t, first, second, "a 401 gives a really new token")
			require.Equal(t, second, get())
			require.EqualValues(t, 2, e.given.Load())
		})
	}
}

func TestManagedIdentityOnAVirtualMachine(t *testing.T) {
	e := newIdentityEndpoint(t)
	cfg := CredentialConfig{Kind: KindManaged, ClientID: clientID}
	e.virtualMachine(t, &cfg)
	cred, err := NewCredential(cfg)
	require.NoError(t, err)
	info, err := Roles(t.Context(), cred, "https://"+t.Name()+"/.default")
	require.NoError(t, err)
	require.Equal(t, []string{"Machine.Read.All"}, info.Roles)
	require.Equal(t, "true", e.last().Header.Get("Metadata"))
	require.Equal(t, "169.254.169.254", e.last().Host)
	require.Equal(t, clientID, e.last().URL.Query().Get("client_id"))
}

func TestManagedIdentityRefused(t *testing.T) {
	e := newIdentityEndpoint(t)
	cfg := CredentialConfig{Kind: KindManaged, ClientID: clientID}
	e.virtualMachine(t, &cfg)
	text := `{"error":"invalid_request","error_description":"Identity not found"}`
	e.refuse.Store(&text)
	cred, err := NewCredential(cfg)
	require.NoError(t, err)
	_, err = cred.GetToken(t.Context(), tokenOptions("https://"+t.Name()+"/.default"))
	var failed *TokenError
	require.ErrorAs(t, err, &failed)
	require.ErrorContains(t, err, "Identity not found")
	require.True(t, NotSent(err))

	_, err = NewCredential(CredentialConfig{Kind: KindManaged, ClientID: "vm"})
	require.ErrorContains(t, err, `"vm" is not a GUID`)
}

// azidentity would let each of them send a request of its own.
func TestManagedIdentityIsAskedOnceForManyCallers(t *testing.T) {
	e := newIdentityEndpoint(t)
	e.appService(t)
	cred, err := NewCredential(CredentialConfig{Kind: KindManaged})
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			_, err := cred.GetToken(t.Context(), tokenOptions("https://"+t.Name()+"/.default"))
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, e.given.Load())
}

func TestManagedIdentityGoesThroughNoProxy(t *testing.T) {
	t.Parallel()
	for _, chained := range []bool{false, true} {
		client, err := CredentialConfig{}.platformClient(chained)
		require.NoError(t, err)
		require.Nil(t, client.Transport.(*http.Transport).Proxy)
		require.ErrorIs(t, client.CheckRedirect(nil, nil), http.ErrUseLastResponse)
	}
}
