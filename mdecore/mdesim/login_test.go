package mdesim_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// azure is how azidentity is pointed at the simulator.
func azure(s *mdesim.Server) policy.ClientOptions {
	return policy.ClientOptions{
		Cloud:     cloud.Configuration{ActiveDirectoryAuthorityHost: s.URL},
		Transport: s.Client(),
	}
}

func secretCredential(t *testing.T, s *mdesim.Server, tenant, app, secret string) azcore.TokenCredential {
	t.Helper()
	cred, err := azidentity.NewClientSecretCredential(tenant, app, secret,
		&azidentity.ClientSecretCredentialOptions{ClientOptions: azure(s), DisableInstanceDiscovery: true})
	require.NoError(t, err)
	return cred
}

func payload(t *testing.T, token string) map[string]any {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	require.NoError(t, err)
	var out map[string]any
	require.NoError(t, json.Unmarshal(raw, &out))
	return out
}

func TestAzidentitySecret(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	r.token = tokenOf(t, secretCredential(t, r.server, mdesim.DefaultTenantID, mdesim.DefaultAppID, mdesim.DefaultAppSecret))
	require.Equal(t, 200, r.get("/api/machines?$top=1").status)
	c := payload(t, r.token)
	require.Equal(t, mdesim.DefaultTenantID, c["tid"])
	require.Equal(t, mdesim.DefaultAppID, c["appid"])
	require.Equal(t, audience, c["aud"], "one string, as Entra ID writes it, not a list")
	require.Contains(t, c["roles"], "Machine.Isolate")
	require.InDelta(t, 3599, c["exp"].(float64)-c["iat"].(float64), 0)
}

func TestAzidentityRefusals(t *testing.T) {
	t.Parallel()
	expired := mdesim.App{ID: "0c6e2f4a-0000-4b3e-8c1d-7f2f5e9d0a09", Secret: "old", Expired: true}
	r := serve(t, &mdesim.Tenant{Apps: []mdesim.App{{ID: mdesim.DefaultAppID, Secret: mdesim.DefaultAppSecret}, expired}})
	const other = "99999999-0d7b-4c0e-9f52-3b6d3f7a1c99"
	for name, tc := range map[string]struct{ tenant, app, secret, scope, code string }{
		"wrong secret":   {r.ID, mdesim.DefaultAppID, "guess-of-a-secret", scope, "AADSTS7000215"},
		"expired secret": {r.ID, expired.ID, "old", scope, "AADSTS7000222"},
		"unknown app":    {r.ID, other, "guess-of-a-secret", scope, "AADSTS700016"},
		"unknown tenant": {other, mdesim.DefaultAppID, mdesim.DefaultAppSecret, scope, "AADSTS90002"},
		"bad scope":      {r.ID, mdesim.DefaultAppID, mdesim.DefaultAppSecret, audience + "/Machine.Read", "AADSTS70011"},
		"unknown api":    {r.ID, mdesim.DefaultAppID, mdesim.DefaultAppSecret, "https://api.evil.example/.default", "AADSTS500011"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := secretCredential(t, r.server, tc.tenant, tc.app, tc.secret).
				GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{tc.scope}})
			require.ErrorContains(t, err, tc.code)
			require.NotContains(t, err.Error(), "guess-of-a-secret")
		})
	}
}

const audience = "https://api.securitycenter.microsoft.com"

func certificate(t *testing.T) (*x509.Certificate, crypto.PrivateKey) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "worker"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert, key
}

func TestAzidentityCertificate(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	stranger, strangerKey := certificate(t)
	_, wrongKey := certificate(t)
	r := serve(t, &mdesim.Tenant{Apps: []mdesim.App{
		{ID: mdesim.DefaultAppID, Secret: mdesim.DefaultAppSecret, Certificates: []*x509.Certificate{cert}, Roles: mdesim.ReaderRoles()},
	}})
	ask := func(cert *x509.Certificate, key crypto.PrivateKey) error {
		cred, err := azidentity.NewClientCertificateCredential(r.ID, mdesim.DefaultAppID, []*x509.Certificate{cert}, key,
			&azidentity.ClientCertificateCredentialOptions{ClientOptions: azure(r.server), DisableInstanceDiscovery: true})
		if err != nil {
			return err
		}
		_, err = cred.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{scope}})
		return err
	}
	require.NoError(t, ask(cert, key))
	require.ErrorContains(t, ask(stranger, strangerKey), "AADSTS700027")
	// A forged assertion names the registered certificate and is signed by another key.
	forged := func(key crypto.PrivateKey, edit func(jwt.MapClaims)) *http.Response {
		claims := jwt.MapClaims{
			"aud": r.server.URL + "/" + r.ID + "/oauth2/v2.0/token", "iss": mdesim.DefaultAppID, "sub": mdesim.DefaultAppID,
			"exp": time.Now().Add(time.Minute).Unix(),
		}
		edit(claims)
		tok := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
		tok.Header["x5t"] = thumbprint(cert)
		signed, err := tok.SignedString(key)
		require.NoError(t, err)
		return r.form(url.Values{
			"client_id": {mdesim.DefaultAppID}, "grant_type": {"client_credentials"}, "scope": {scope}, "client_assertion": {signed},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		})
	}
	require.Equal(t, 200, forged(key, func(jwt.MapClaims) {}).StatusCode)
	require.Equal(t, 401, forged(wrongKey, func(jwt.MapClaims) {}).StatusCode)
	require.Equal(t, 401, forged(key, func(c jwt.MapClaims) { c["aud"] = "https://elsewhere" }).StatusCode)
	require.Equal(t, 401, forged(key, func(c jwt.MapClaims) { c["sub"] = mdesim.DefaultReaderID }).StatusCode)
	require.Equal(t, 401, forged(key, func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-time.Minute).Unix() }).StatusCode)
}

func thumbprint(cert *x509.Certificate) string {
	h := crypto.SHA1.New()
	h.Write(cert.Raw)
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// form posts to the token endpoint.
func (r *rig) form(values url.Values) *http.Response {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.server.URL+"/"+r.ID+"/oauth2/v2.0/token", strings.NewReader(values.Encode()))
	require.NoError(r.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := r.client.Do(req)
	require.NoError(r.t, err)
	r.t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func TestTokenErrorShape(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	with := func(pairs ...string) url.Values {
		v := url.Values{"client_id": {mdesim.DefaultAppID}, "grant_type": {"client_credentials"}, "client_secret": {mdesim.DefaultAppSecret}, "scope": {scope}}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return v
	}
	for name, tc := range map[string]struct {
		form   url.Values
		status int
		oauth  string
		number float64
	}{
		"wrong secret":  {with("client_secret", "x"), 401, "invalid_client", 7000215},
		"no secret":     {with("client_secret", ""), 401, "invalid_client", 7000218},
		"unknown app":   {with("client_id", "x"), 400, "unauthorized_client", 700016},
		"no app":        {with("client_id", ""), 400, "invalid_request", 900144},
		"no scope":      {with("scope", ""), 400, "invalid_scope", 70011},
		"other grant":   {with("grant_type", "device_code"), 400, "unsupported_grant_type", 70003},
		"unknown user":  {with("grant_type", "password", "client_id", mdesim.AzureCLIAppID, "username", "eve"), 400, "invalid_grant", 50034},
		"user password": {with("grant_type", "password", "client_id", mdesim.AzureCLIAppID, "username", "alice@contoso.com"), 400, "invalid_grant", 50126},
		"user by app":   {with("grant_type", "password", "username", "alice@contoso.com"), 400, "unauthorized_client", 700016},
	} {
		t.Run(name, func(t *testing.T) {
			resp := r.form(tc.form)
			var body map[string]any
			require.NoError(t, json.NewDecoder(resp.Body).Decode(&body))
			require.Equal(t, tc.status, resp.StatusCode, body)
			require.Equal(t, tc.oauth, body["error"])
			require.Equal(t, []any{tc.number}, body["error_codes"])
			require.Regexp(t, `^AADSTS\d+: .* Trace ID: \S+ Correlation ID: \S+ Timestamp: `, body["error_description"])
			require.NotContains(t, body["error_description"], mdesim.DefaultAppSecret)
		})
	}
}

func TestDelegatedToken(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	r.token = tokenOf(t, r.server.UserCredential("alice@contoso.com"))
	c := payload(t, r.token)
	require.Equal(t, "alice@contoso.com", c["upn"])
	require.Equal(t, "Alice Andersen", c["name"])
	require.NotEmpty(t, c["oid"])
	require.Contains(t, c["scp"], "Machine.Isolate")
	require.NotContains(t, c, "roles")
	require.Equal(t, 201, r.isolate(r.Device("host01").ID).status)
	require.Equal(t, "alice@contoso.com", r.Effects()[0].Requestor)

	r.token = tokenOf(t, r.server.UserCredential("rita@contoso.com"))
	require.Equal(t, 200, r.get("/api/alerts").status)
	refused(t, r.isolate(r.Device("host02").ID), 403, "Forbidden", "delegated permissions (Machine.Isolate)")
	_, err := r.server.UserCredential("eve@contoso.com").GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{scope}})
	require.ErrorContains(t, err, "AADSTS50034")
}

func TestBearerIsChecked(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &mdesim.Tenant{Clock: now.Now, TokenLife: time.Minute})
	good := r.token
	other := serve(t, &mdesim.Tenant{Clock: now.Now, ID: "99999999-0d7b-4c0e-9f52-3b6d3f7a1c99"})

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	selfMade, err := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"aud": audience, "exp": epoch().Add(time.Hour).Unix()}).SignedString(key)
	require.NoError(t, err)
	none, err := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{"aud": audience, "exp": epoch().Add(time.Hour).Unix()}).SignedString(jwt.UnsafeAllowNoneSignatureType)
	require.NoError(t, err)
	for name, token := range map[string]string{
		"missing": "", "nonsense": "nonsense", "another key": selfMade, "no signature": none,
		"another tenant": other.token, "tampered": good[:len(good)-8] + "AAAAAAAA",
	} {
		r.token = token
		refused(t, r.get("/api/machines?$top=1"), 401, "Unauthorized", "Unauthorized")
		require.Equal(t, 401, r.isolate(r.Device("host01").ID).status, name)
	}
	scoped := func(resource string) string {
		tok, err := r.server.AppCredential(mdesim.DefaultAppID, mdesim.DefaultAppSecret).
			GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{resource + "/.default"}})
		require.NoError(t, err)
		return tok.Token
	}
	r.token = scoped("https://graph.microsoft.com")
	refused(t, r.get("/api/machines"), 401, "Unauthorized", "another resource")
	r.token = scoped("https://api.security.microsoft.com")
	refused(t, r.get("/api/machines"), 403, "Forbidden", "audience")

	r.token = good
	require.Equal(t, 200, r.get("/api/machines?$top=1").status)
	now.Advance(61 * time.Second)
	refused(t, r.get("/api/machines"), 401, "Unauthorized", "expired")
	require.Empty(t, r.Effects())
}

func TestRevokedTokensAreRefusedAndNewOnesAreGood(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	r.RevokeTokens()
	refused(t, r.get("/api/machines"), 401, "Unauthorized", "revoked")
	fresh := tokenOf(t, r.server.AppCredential(mdesim.DefaultAppID, mdesim.DefaultAppSecret))
	require.NotEqual(t, r.token, fresh)
	r.token = fresh
	require.Equal(t, 200, r.get("/api/machines?$top=1").status)
}

func TestReaderMayNotAct(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	r.token = tokenOf(t, r.server.AppCredential(mdesim.DefaultReaderID, mdesim.DefaultReaderSecret))
	for _, path := range []string{"/api/alerts", "/api/machines", "/api/machineactions"} {
		require.Equal(t, 200, r.get(path).status)
	}
	id := r.Device("host01").ID
	refused(t, r.isolate(id), 403, "Forbidden", "application permissions (Machine.Isolate)")
	refused(t, r.release(id), 403, "Forbidden", "Machine.Isolate")
	refused(t, r.send("POST", "/api/machineactions/x/cancel", "{}"), 403, "Forbidden", "Machine.LiveResponse")
	require.Empty(t, r.Effects())
}

func TestDiscoveryAndKeysVerifyTheToken(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	doc := r.get("/" + r.ID + "/v2.0/.well-known/openid-configuration")
	require.Equal(t, r.server.URL+"/"+r.ID+"/oauth2/v2.0/token", doc.str("token_endpoint"))
	keys := r.get(doc.str("jwks_uri")).body["keys"].([]any)[0].(map[string]any)
	n, err := base64.RawURLEncoding.DecodeString(keys["n"].(string))
	require.NoError(t, err)
	_, err = jwt.Parse(r.token, func(tok *jwt.Token) (any, error) {
		require.Equal(t, keys["kid"], tok.Header["kid"])
		return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537}, nil
	})
	require.NoError(t, err)
	require.Equal(t, 404, r.get("/").status)
	require.Equal(t, 405, r.get("/"+r.ID+"/oauth2/v2.0/token").status)
}

func TestServerListensOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{}
	for _, addr := range []string{"0.0.0.0:0", ":0", "192.0.2.1:0", "[::]:0", "example.com:80", "127.0.0.1"} {
		_, err := tenant.StartOn(addr)
		require.Error(t, err, addr)
	}
	server, err := tenant.StartOn("localhost:0")
	require.NoError(t, err)
	name, err := server.CAFile(t.TempDir())
	require.NoError(t, err)
	pem, err := os.ReadFile(name)
	require.NoError(t, err)
	require.True(t, x509.NewCertPool().AppendCertsFromPEM(pem))
	_, err = server.CAFile("/nonexistent")
	require.Error(t, err)
	_, err = tenant.StartOn(strings.TrimPrefix(server.URL, "https://"))
	require.ErrorContains(t, err, "listen")
	require.Same(t, tenant, server.Tenant())
	require.NoError(t, server.Close())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	require.NoError(t, err)
	_, err = server.Client().Do(req)
	require.Error(t, err)
}
