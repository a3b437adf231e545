package azpipe

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/require"
)

const (
	tenantID = "11111111-2222-3333-4444-555555555555"
	clientID = "66666666-7777-8888-9999-aaaaaaaaaaaa"
)

func tokenOptions(scope string) policy.TokenRequestOptions {
	return policy.TokenRequestOptions{Scopes: []string{scope}}
}

// authority is a small sign-in service over TLS, enough for azidentity.
type authority struct {
	*httptest.Server
	caFile string
	given  atomic.Int32
	// refuse is the error answer to give instead of a token; form is what was posted last.
	refuse atomic.Pointer[string]
	form   atomic.Pointer[map[string][]string]
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	a.start(t)
	return a
}

func (a *authority) start(t testing.TB) {
	t.Helper()
	a.Server = httptest.NewTLSServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.Close)
	a.caFile = filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Certificate().Raw})
	require.NoError(t, os.WriteFile(a.caFile, block, 0o600))
}

func (a *authority) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodGet {
		base := a.URL + "/" + tenantID
		_ = json.NewEncoder(w).Encode(map[string]string{
			"token_endpoint": base + "/oauth2/v2.0/token", "authorization_endpoint": base + "/oauth2/v2.0/authorize",
			"issuer": base + "/v2.0",
		})
		return
	}
	_ = r.ParseForm()
	form := map[string][]string(r.PostForm)
	a.form.Store(&form)
	if text := a.refuse.Load(); text != nil {
		w.WriteHeader(http.StatusUnauthorized)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": "invalid_client", "error_description": *text, "error_codes": []int{7000215}})
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"token_type": "Bearer", "expires_in": 3599, "access_token": fakeJWT(map[string]any{
		"n": a.given.Add(1), "roles": []string{"Machine.Isolate", "Alert.Read.All"}, "tid": tenantID, "appid": clientID, "oid": "o",
		"aud": "https://api.securitycenter.microsoft.com",
	})})
}

func fakeJWT(claims map[string]any) string {
	payload, _ := json.Marshal(claims)
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"RS256"}`)) + "." + enc(payload) + "." + enc([]byte("signature"))
}

func (a *authority) config() CredentialConfig {
	return CredentialConfig{
		Kind: KindSecret, TenantID: tenantID, ClientID: clientID, ClientSecret: someSecret, Authority: a.URL, CAFile: a.caFile,
	}
}

func TestSecretCredentialAgainstARealAuthority(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	cred, err := NewCredential(a.config())
	require.NoError(t, err)
	get := func() string {
		token, err := cred.GetToken(t.Context(), tokenOptions("https://api.securitycenter.microsoft.com/.default"))
		require.NoError(t, err)
		return token.Token
	}
	first := get()
	require.Equal(t, first, get(), "azidentity hands its cached token out again: this is why Renewable exists")
	cred.Renew(first)
	require.NotEqual(t, first, get())
	require.EqualValues(t, 2, a.given.Load())

	info, err := Roles(t.Context(), cred, "https://api.securitycenter.microsoft.com/.default")
	require.NoError(t, err)
	require.Equal(t, []string{"Machine.Isolate", "Alert.Read.All"}, info.Roles)
	require.Equal(t, tenantID, info.TenantID)
	require.Equal(t, clientID, info.AppID)
	require.False(t, info.Delegated())
	require.True(t, info.Has("X", "Machine.Isolate"))
	require.False(t, info.Has("Machine.Scan"))
	require.WithinDuration(t, time.Now().Add(time.Hour), info.ExpiresOn, time.Minute)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", cred, cred, cred), someSecret)
}

func TestAuthorityRefusalIsShownWithoutTheSecret(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	text := "AADSTS7000215: Invalid client secret provided: '" + someSecret + "'.\r\nTrace ID: 1"
	a.refuse.Store(&text)
	cred, err := NewCredential(a.config())
	require.NoError(t, err)
	_, err = cred.GetToken(t.Context(), tokenOptions("s/.default"))
	var failed *TokenError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, "AADSTS7000215", failed.Code)
	require.ErrorContains(t, err, "Invalid client secret provided")
	require.ErrorContains(t, err, "Trace ID: 1")
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), someSecret)
	require.True(t, NotSent(err))
}

func TestUntrustedAuthority(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	cfg := a.config()
	cfg.CAFile = ""
	cred, err := NewCredential(cfg)
	require.NoError(t, err)
	_, err = cred.GetToken(t.Context(), tokenOptions("s/.default"))
	require.ErrorContains(t, err, "certificate")
	require.Zero(t, a.given.Load())
}

func TestCertificateCredential(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	cfg := a.config()
	cfg.Kind, cfg.ClientSecret, cfg.CertificateFile = KindCertificate, "", certificateFile(t)
	cred, err := NewCredential(cfg)
	require.NoError(t, err)
	_, err = cred.GetToken(t.Context(), tokenOptions("s/.default"))
	require.NoError(t, err)
	form := *a.form.Load()
	require.NotEmpty(t, form["client_assertion"])
	require.Empty(t, form["client_secret"])
}

// certificateFile writes a PEM file with a self-signed certificate and its key.
func certificateFile(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "app"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	data := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
	file := filepath.Join(t.TempDir(), "app.pem")
	require.NoError(t, os.WriteFile(file, data, 0o600))
	return file
}

func TestAzureCLICredential(t *testing.T) {
	bin := t.TempDir()
	token := fakeJWT(map[string]any{"scp": "Machine.Isolate Machine.Read", "upn": "alice@contoso.com", "oid": "o1", "name": "Alice", "tid": tenantID, "exp": 4102444800})
	script := "#!/bin/sh\nprintf '%s' '{\"accessToken\":\"" + token + "\",\"expires_on\":4102444800,\"tokenType\":\"Bearer\"}'\n"
	require.NoError(t, os.WriteFile(filepath.Join(bin, "az"), []byte(script), 0o700))
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	cred, err := NewCredential(CredentialConfig{Kind: KindCLI})
	require.NoError(t, err)
	info, err := Roles(t.Context(), cred, "https://api.securitycenter.microsoft.com/.default")
	require.NoError(t, err)
	require.True(t, info.Delegated())
	require.Equal(t, "alice@contoso.com", info.UPN)
	require.Equal(t, "Alice", info.Name)
	require.True(t, info.Has("Machine.Read.All"), "the delegated name goes without .All")
	require.Equal(t, 2100, info.ExpiresOn.Year())
}

func TestCredentialFaults(t *testing.T) {
	t.Parallel()
	notPEM := filepath.Join(t.TempDir(), "x.pem")
	require.NoError(t, os.WriteFile(notPEM, []byte("nonsense"), 0o600))
	good := CredentialConfig{Kind: KindSecret, TenantID: tenantID, ClientID: clientID, ClientSecret: someSecret}
	tests := map[string]struct {
		change func(*CredentialConfig)
		says   []string
	}{
		"everything missing": {func(c *CredentialConfig) { *c = CredentialConfig{Kind: KindSecret} }, []string{"tenant id is missing", "client id is missing", "client secret is missing"}},
		"unknown kind":       {func(c *CredentialConfig) { c.Kind = "magic" }, []string{`"magic"`, "use secret, certificate, workload, managed or cli"}},
		"tenant":             {func(c *CredentialConfig) { c.TenantID = "a/b" }, []string{"tenant id"}},
		"client":             {func(c *CredentialConfig) { c.ClientID = "x" }, []string{"not a GUID"}},
		"line end":           {func(c *CredentialConfig) { c.ClientSecret = someSecret + "\n" }, []string{"white space"}},
		"plain authority":    {func(c *CredentialConfig) { c.Authority = "http://127.0.0.1:1" }, []string{"https only"}},
		"foreign authority":  {func(c *CredentialConfig) { c.Authority = "login.example" }, []string{"authority", "no host"}},
		"no CA file":         {func(c *CredentialConfig) { c.CAFile = "missing.pem" }, []string{"CA file", "missing.pem"}},
		"bad CA file":        {func(c *CredentialConfig) { c.CAFile = notPEM }, []string{"holds no certificate"}},
		"no certificate":     {func(c *CredentialConfig) { c.Kind = KindCertificate }, []string{"certificate file is missing"}},
		"lost certificate":   {func(c *CredentialConfig) { c.Kind, c.CertificateFile = KindCertificate, "missing.pfx" }, []string{"cannot be read", "missing.pfx"}},
		"bad certificate":    {func(c *CredentialConfig) { c.Kind, c.CertificateFile = KindCertificate, notPEM }, []string{"cannot be used"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := good
			tc.change(&cfg)
			_, err := NewCredential(cfg)
			require.Error(t, err)
			for _, part := range tc.says {
				require.ErrorContains(t, err, part)
			}
			require.NotContains(t, err.Error(), someSecret)
		})
	}
	_, err := NewCredential(good)
	require.NoError(t, err)
}

// stuckCred never answers.
type stuckCred struct{}

func (stuckCred) GetToken(ctx context.Context, _ policy.TokenRequestOptions) (azcore.AccessToken, error) {
	<-ctx.Done()
	return azcore.AccessToken{}, ctx.Err()
}

func TestTokenRequestGivesUpAfter30Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cred, err := NewRenewable(func() (azcore.TokenCredential, error) { return stuckCred{}, nil })
		require.NoError(t, err)
		start := time.Now()
		_, err = cred.GetToken(t.Context(), tokenOptions("s"))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.True(t, NotSent(err))
		require.Equal(t, 30*time.Second, time.Since(start))
	})
}

func TestTokenFailureIsNotSentAndNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cred := &fixedCred{err: fmt.Errorf("authority says no to Bearer %s", someJWT)}
		s := newService(t, script())
		_, _, err := send(t.Context(), t, s.pipe(t, func(o *Options) { o.Credential = cred }), "GET", Operation{})
		var failed *TokenError
		require.ErrorAs(t, err, &failed)
		require.True(t, NotSent(err))
		require.NotContains(t, err.Error(), someJWT)
		require.EqualValues(t, 1, cred.asked.Load())
		require.Zero(t, s.sends())
	})
}

func TestParseTokenNeverQuotesTheToken(t *testing.T) {
	for _, token := range []string{"", "opaque", "a.b.c", "a.!!.c", "a." + base64.RawURLEncoding.EncodeToString([]byte("[]")) + ".c"} {
		_, err := parseToken(token)
		require.ErrorIs(t, err, errOpaque)
	}
}

func FuzzParseToken(f *testing.F) {
	f.Add(fakeJWT(map[string]any{"roles": []string{"a"}, "exp": 1}))
	f.Add("..")
	f.Add(someJWT)
	f.Fuzz(func(t *testing.T, token string) {
		info, err := parseToken(token)
		if err != nil {
			require.Equal(t, TokenInfo{}, info)
			require.ErrorIs(t, err, errOpaque)
		}
	})
}

func TestNewRefusesAnIncompletePipeline(t *testing.T) {
	for says, opts := range map[string]Options{
		"credential": {Endpoint: endpoint, Scope: "s"},
		"scope":      {Endpoint: endpoint, Credential: &fixedCred{}},
		"https only": {Endpoint: "http://example.com", Scope: "s", Credential: &fixedCred{}},
		"CA file":    {Endpoint: endpoint, Scope: "s", Credential: &fixedCred{}, Transport: TransportOptions{CAFile: "missing"}},
	} {
		_, err := New(opts)
		require.ErrorContains(t, err, says)
	}
}

// Who a token names in its other claims can be changed by that person, so it is not shown as the principal name.
func TestTheUPNIsTheClaimUPN(t *testing.T) {
	info, err := parseToken(fakeJWT(map[string]any{"unique_name": "boss@contoso.com", "preferred_username": "boss@contoso.com", "scp": "x"}))
	require.NoError(t, err)
	require.Empty(t, info.UPN)
}

func TestTokenAudienceForms(t *testing.T) {
	for _, aud := range []any{"https://a", []string{"https://a", "https://b"}} {
		info, err := parseToken(fakeJWT(map[string]any{"aud": aud, "exp": 1.5e9}))
		require.NoError(t, err)
		require.Equal(t, "https://a", info.Audience)
		require.Equal(t, 2017, info.ExpiresOn.Year())
	}
	info, err := parseToken(fakeJWT(map[string]any{"aud": 5}))
	require.NoError(t, err)
	require.Empty(t, info.Audience)
}
