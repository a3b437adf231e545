package oauth_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/oauth"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

const (
	aliceOID = "a11ce000-0000-4000-8000-000000000001"
	agentID  = "0c6e2f4a-51a7-4b3e-8c1d-7f2f5e9d0aff"
)

// issuer is a simulated sign-in service, with a clock that stands still until it is moved.
type issuer struct {
	tenant *mdesim.Tenant
	server *mdesim.Server
	name   string
	now    atomic.Int64
	asked  atomic.Int64 // how often somebody fetched keys
	down   atomic.Bool
}

func (i *issuer) clock() time.Time        { return time.Unix(0, i.now.Load()) }
func (i *issuer) forward(d time.Duration) { i.now.Add(int64(d)) }

func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	if i.down.Load() {
		return nil, context.DeadlineExceeded
	}
	return i.server.Client().Transport.RoundTrip(r)
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{}
	i.now.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano())
	i.tenant = &mdesim.Tenant{Devices: -1, Clock: i.clock, OnRequest: func(r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/keys") {
			i.asked.Add(1)
		}
	}}
	i.tenant.SetWebAPI(mdesim.WebAPI{AppID: mdesim.DefaultWebAPIID, Scope: mdesim.DefaultWebAPIScope})
	var err error
	i.server, err = i.tenant.Start()
	require.NoError(t, err)
	t.Cleanup(func() { _ = i.server.Close() })
	i.name = i.server.URL + "/" + mdesim.DefaultTenantID + "/v2.0"
	return i
}

func (i *issuer) verifier(t *testing.T, change ...func(*oauth.Options)) *oauth.Verifier {
	t.Helper()
	o := oauth.Options{
		Issuer: i.name, Audience: "api://" + mdesim.DefaultWebAPIID, Tenant: mdesim.DefaultTenantID, Scope: mdesim.DefaultWebAPIScope,
		Apps: map[string]string{agentID: "Carol@contoso.com"}, Client: &http.Client{Transport: i}, Clock: i.clock,
	}
	for _, c := range change {
		c(&o)
	}
	v, err := oauth.New(o)
	require.NoError(t, err)
	return v
}

// alice are the claims of a good token.
func (i *issuer) alice() map[string]any {
	now := i.clock()
	return map[string]any{
		"iss": i.name, "aud": mdesim.DefaultWebAPIID, "tid": mdesim.DefaultTenantID, "oid": aliceOID, "sub": "pairwise", "azp": mdesim.AzureCLIAppID,
		"preferred_username": "Alice@Contoso.com", "name": "Alice", "scp": "other access_as_user", "roles": []string{"Responder"}, "ver": "2.0",
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
}

func (i *issuer) sign(t *testing.T, claims map[string]any) string {
	t.Helper()
	token, err := i.tenant.SignToken(claims)
	require.NoError(t, err)
	return token
}

// with are alice's claims, changed: nil takes one away.
func (i *issuer) with(changes map[string]any) map[string]any {
	c := i.alice()
	for k, v := range changes {
		if v == nil {
			delete(c, k)
		} else {
			c[k] = v
		}
	}
	return c
}

// refused requires a refusal that tells what is wrong and nothing of the token.
func refused(t *testing.T, v *oauth.Verifier, token string, status int, text string) {
	t.Helper()
	id, err := v.Verify(t.Context(), token)
	require.Equal(t, oauth.Identity{}, id)
	var r *oauth.Refusal
	require.ErrorAs(t, err, &r)
	require.Equal(t, status, r.Status(), err)
	require.ErrorContains(t, err, text)
	for _, part := range strings.Split(token, ".") {
		if len(part) > 8 {
			require.NotContains(t, err.Error(), part)
		}
	}
}

func TestAGoodTokenProvesAPerson(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v := i.verifier(t)
	id, err := v.Verify(t.Context(), i.sign(t, i.alice()))
	require.NoError(t, err)
	require.Equal(t, oauth.Identity{
		Person: true, ID: "alice@contoso.com", Name: "Alice", ObjectID: aliceOID, AppID: mdesim.AzureCLIAppID,
		Roles: []string{"Responder"}, Expires: i.clock().Add(time.Hour).Truncate(time.Second).Local(),
	}, id)
	// As the sign-in service issues it to somebody, and as version 1.0 names things.
	_, err = v.Verify(t.Context(), i.sign(t, i.with(map[string]any{"aud": "api://" + mdesim.DefaultWebAPIID, "upn": "alice@contoso.com", "preferred_username": nil, "appid": agentID, "azp": nil})))
	require.NoError(t, err)
}

func TestEverythingAboutATokenMustBeRight(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v := i.verifier(t)
	at := func(d time.Duration) int64 { return i.clock().Add(d).Unix() }
	for name, c := range map[string]struct {
		change map[string]any
		status int
		want   string
	}{
		"another issuer":              {map[string]any{"iss": "https://login.microsoftonline.com/" + mdesim.DefaultTenantID + "/v2.0"}, 401, "another issuer"},
		"an issuer that begins so":    {map[string]any{"iss": i.name + ".evil.example"}, 401, "another issuer"},
		"no issuer":                   {map[string]any{"iss": nil}, 401, "not valid"},
		"another audience":            {map[string]any{"aud": "https://graph.microsoft.com"}, 401, "another audience"},
		"several audiences":           {map[string]any{"aud": []string{mdesim.DefaultWebAPIID, "https://graph.microsoft.com"}}, 401, "another audience"},
		"no audience":                 {map[string]any{"aud": nil}, 401, "another audience"},
		"another tenant":              {map[string]any{"tid": "00000000-dead-dead-dead-000000000000"}, 401, "another tenant"},
		"no tenant":                   {map[string]any{"tid": nil}, 401, "another tenant"},
		"expired":                     {map[string]any{"exp": at(-time.Second)}, 401, "expired"},
		"ends now":                    {map[string]any{"exp": at(0)}, 401, "expired"},
		"no end":                      {map[string]any{"exp": nil}, 401, "not valid"},
		"not yet":                     {map[string]any{"nbf": at(time.Minute)}, 401, "not valid yet"},
		"another scope":               {map[string]any{"scp": "access_as_users"}, 403, "lacks the scope api://" + mdesim.DefaultWebAPIID + "/access_as_user"},
		"an ID token":                 {map[string]any{"scp": nil, "azp": nil}, 403, "nobody is signed in"},
		"an ID token of a listed app": {map[string]any{"scp": nil, "azp": agentID}, 403, "nobody is signed in"},
		"an application with a scope": {map[string]any{"idtyp": "app"}, 403, "nobody is signed in"},
		"no name":                     {map[string]any{"preferred_username": nil, "email": "boss@contoso.com", "unique_name": "boss@contoso.com"}, 403, "does not prove who"},
		"a name that is no address":   {map[string]any{"preferred_username": "worker"}, 403, "does not prove who"},
		"a Slack id for a name":       {map[string]any{"preferred_username": "slack:T1/U1@contoso.com"}, 403, "does not prove who"},
		"a look-alike name":           {map[string]any{"preferred_username": "аlice@contoso.com"}, 403, "does not prove who"},
		"no object id":                {map[string]any{"oid": nil}, 403, "does not prove who"},
		"a guest by provider":         {map[string]any{"idp": "https://sts.windows.net/00000000-dead-dead-dead-000000000000/"}, 403, "guests"},
		"a guest with a live account": {map[string]any{"idp": "live.com"}, 403, "guests"},
		"a guest by kind":             {map[string]any{"acct": 1}, 403, "guests"},
		"a guest by name":             {map[string]any{"upn": "boss_contoso.com#ext#@home.example"}, 403, "guests"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, v, i.sign(t, i.with(c.change)), c.status, c.want)
		})
	}
}

// unsigned is a token with a header and a signature of somebody's own making.
func unsigned(t *testing.T, header, claims map[string]any, sign func(string) string) string {
	t.Helper()
	enc := func(v any) string {
		b, err := json.Marshal(v)
		require.NoError(t, err)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	text := enc(header) + "." + enc(claims)
	return text + "." + sign(text)
}

func TestOnlyAPublishedKeySigns(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v := i.verifier(t)
	good := i.sign(t, i.alice())
	_, err := v.Verify(t.Context(), good)
	require.NoError(t, err)
	other, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	by := func(method jwt.SigningMethod, key any) func(string) string {
		return func(text string) string {
			s, err := method.Sign(text, key)
			require.NoError(t, err)
			return base64.RawURLEncoding.EncodeToString(s)
		}
	}
	public := publicKey(t, i)
	none := func(string) string { return "" }
	for name, token := range map[string]string{
		"alg none":                unsigned(t, map[string]any{"alg": "none", "kid": "mdesim-1"}, i.alice(), none),
		"alg nOnE":                unsigned(t, map[string]any{"alg": "nOnE", "kid": "mdesim-1"}, i.alice(), none),
		"RS256 without signature": unsigned(t, map[string]any{"alg": "RS256", "kid": "mdesim-1"}, i.alice(), none),
		"HS256 by the public key": unsigned(t, map[string]any{"alg": "HS256", "kid": "mdesim-1"}, i.alice(), by(jwt.SigningMethodHS256, public)),
		"PS256":                   unsigned(t, map[string]any{"alg": "PS256", "kid": "mdesim-1"}, i.alice(), by(jwt.SigningMethodPS256, other)),
		"another key":             unsigned(t, map[string]any{"alg": "RS256", "kid": "mdesim-1"}, i.alice(), by(jwt.SigningMethodRS256, other)),
		"a key in the header": unsigned(t, map[string]any{"alg": "RS256", "kid": "mdesim-1", "jwk": map[string]any{
			"kty": "RSA", "kid": "mdesim-1", "n": base64.RawURLEncoding.EncodeToString(other.N.Bytes()), "e": "AQAB",
		}}, i.alice(), by(jwt.SigningMethodRS256, other)),
		"no key's name":       unsigned(t, map[string]any{"alg": "RS256"}, i.alice(), by(jwt.SigningMethodRS256, other)),
		"an unknown key":      unsigned(t, map[string]any{"alg": "RS256", "kid": "mine"}, i.alice(), by(jwt.SigningMethodRS256, other)),
		"a critical header":   unsigned(t, map[string]any{"alg": "RS256", "kid": "mdesim-1", "crit": []string{"b64"}, "b64": false}, i.alice(), by(jwt.SigningMethodRS256, other)),
		"another's signature": good[:strings.LastIndexByte(good, '.')+1] + strings.Repeat("A", 171),
		"changed claims":      strings.Split(good, ".")[0] + "." + strings.Split(i.sign(t, i.with(map[string]any{"oid": "x"})), ".")[1] + "." + strings.Split(good, ".")[2],
		"nothing":             "",
		"no token":            "a.b",
		"too long":            strings.Repeat("a", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, v, token, 401, "")
		})
	}
}

func publicKey(t *testing.T, i *issuer) []byte {
	t.Helper()
	resp, err := i.server.Client().Get(strings.TrimSuffix(i.name, "/v2.0") + "/discovery/v2.0/keys") //nolint:noctx // a test
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	var set struct{ Keys []struct{ N string } }
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&set))
	n, err := base64.RawURLEncoding.DecodeString(set.Keys[0].N)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537})
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func TestOnlyListedApplicationsCallWithoutAPerson(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v := i.verifier(t)
	app := map[string]any{"scp": nil, "preferred_username": nil, "idtyp": "app", "sub": aliceOID, "azp": agentID}
	id, err := v.Verify(t.Context(), i.sign(t, i.with(app)))
	require.NoError(t, err)
	require.False(t, id.Person, "nobody signed in")
	require.Equal(t, "carol@contoso.com", id.ID, "the person who answers for it")
	app["azp"] = mdesim.DefaultAppID
	refused(t, v, i.sign(t, i.with(app)), 403, "not one that may call without a person")
}

func TestKeysAreFetchedOnceAndForgersCanNotMakeItMore(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v := i.verifier(t)
	require.Zero(t, i.asked.Load(), "nothing is fetched before it is needed")
	for range 3 {
		_, err := v.Verify(t.Context(), i.sign(t, i.alice()))
		require.NoError(t, err)
	}
	require.EqualValues(t, 1, i.asked.Load())
	forged := unsigned(t, map[string]any{"alg": "RS256", "kid": "mine"}, i.alice(), func(string) string { return "AAAA" })
	for range 5 {
		refused(t, v, forged, 401, "key that its issuer does not have")
	}
	require.EqualValues(t, 1, i.asked.Load())
	i.forward(31 * time.Second)
	for range 5 {
		refused(t, v, forged, 401, "key that its issuer does not have")
	}
	require.EqualValues(t, 2, i.asked.Load(), "once for each floor")
}

func TestKeysRotate(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v := i.verifier(t)
	old := i.sign(t, i.with(map[string]any{"exp": i.clock().Add(1000 * time.Hour).Unix()}))
	_, err := v.Verify(t.Context(), old)
	require.NoError(t, err)
	require.NoError(t, i.tenant.RotateSigningKey(true))
	i.forward(time.Minute)
	_, err = v.Verify(t.Context(), i.sign(t, i.alice()))
	require.NoError(t, err, "a new key is found when it is needed")
	_, err = v.Verify(t.Context(), old)
	require.NoError(t, err, "the old one is still published")

	require.NoError(t, i.tenant.RotateSigningKey(false))
	i.forward(2 * time.Hour)
	refused(t, v, old, 401, "key that its issuer does not have")
}

// A client sends one token with many calls; that it was good once must not make it good for longer.
func TestATokenThatWasGoodIsJudgedAgain(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v := i.verifier(t)
	token := i.sign(t, i.with(map[string]any{"exp": i.clock().Add(time.Minute).Unix()}))
	first, err := v.Verify(t.Context(), token)
	require.NoError(t, err)
	again, err := v.Verify(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, first, again)
	refused(t, v, token[:len(token)-4]+"AAAA", 401, "signature")
	i.forward(time.Minute)
	refused(t, v, token, 401, "expired")

	token = i.sign(t, i.with(map[string]any{"exp": i.clock().Add(9 * time.Hour).Unix()}))
	_, err = v.Verify(t.Context(), token)
	require.NoError(t, err)
	require.NoError(t, i.tenant.RotateSigningKey(false))
	i.forward(time.Hour + time.Second)
	refused(t, v, token, 401, "key that its issuer does not have")
}

func TestWithoutKeysNothingIsTaken(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v := i.verifier(t)
	token := i.sign(t, i.with(map[string]any{"exp": i.clock().Add(1000 * time.Hour).Unix()}))
	i.down.Store(true)
	refused(t, v, token, 503, "keys can't be fetched")
	i.down.Store(false)
	refused(t, v, token, 503, "keys can't be fetched")
	i.forward(31 * time.Second)
	_, err := v.Verify(t.Context(), token)
	require.NoError(t, err, "tried again after a moment")

	i.down.Store(true)
	i.forward(23 * time.Hour)
	_, err = v.Verify(t.Context(), token)
	require.NoError(t, err, "keys of yesterday are used while no newer ones can be had")
	i.forward(2 * time.Hour)
	refused(t, v, token, 503, "keys can't be fetched")
}

func TestAnIssuerThatCallsItselfAnotherNameIsNotBelieved(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v := i.verifier(t, func(o *oauth.Options) { o.Issuer = i.name + "/" })
	refused(t, v, i.sign(t, i.with(map[string]any{"iss": i.name + "/"})), 503, "calls itself")
}

func TestOptionsThatWouldTakeAnythingAreRefused(t *testing.T) {
	t.Parallel()
	good := oauth.Options{Issuer: "https://login.example.com/t/v2.0", Audience: "a", Tenant: "t", Scope: "s", Client: http.DefaultClient}
	_, err := oauth.New(good)
	require.NoError(t, err)
	for _, change := range []func(*oauth.Options){
		func(o *oauth.Options) { o.Issuer = "http://login.example.com" },
		func(o *oauth.Options) { o.Issuer = "" },
		func(o *oauth.Options) { o.Audience = "" },
		func(o *oauth.Options) { o.Tenant = "" },
		func(o *oauth.Options) { o.Scope = "" },
		func(o *oauth.Options) { o.Client = nil },
	} {
		bad := good
		change(&bad)
		_, err := oauth.New(bad)
		require.Error(t, err)
	}
}

func FuzzNoTextIsAToken(f *testing.F) {
	i := &issuer{}
	v, err := oauth.New(oauth.Options{Issuer: "https://127.0.0.1:1/t/v2.0", Audience: "a", Tenant: "t", Scope: "s", Client: &http.Client{Transport: i}})
	require.NoError(f, err)
	i.down.Store(true)
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.e30.AAAA")
	f.Fuzz(func(t *testing.T, token string) {
		_, err := v.Verify(context.Background(), token)
		require.Error(t, err)
	})
}
