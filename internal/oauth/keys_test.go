package oauth_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/oauth"
)

// own is an issuer whose key a test has, so that only what is asked about a token keeps it out.
type own struct {
	key *rsa.PrivateKey
	url string
	v   *oauth.Verifier
	web map[string]any // its published key
}

func newOwn(t *testing.T) *own {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	o := &own{key: key, web: map[string]any{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "1", "e": "AQAB", "n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
	}}
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keys" {
			_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{map[string]any{"kty": "EC", "kid": "0"}, o.web}})
			return
		}
		_, _ = fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, o.url, o.url+"/keys")
	}))
	t.Cleanup(srv.Close)
	o.url = srv.URL
	o.v, err = oauth.New(oauth.Options{Issuer: o.url, Audience: "mde", Tenant: "t", Scope: "use", Client: srv.Client()})
	require.NoError(t, err)
	return o
}

func (o *own) sign(t *testing.T, method jwt.SigningMethod, header map[string]any) string {
	t.Helper()
	token := jwt.NewWithClaims(method, jwt.MapClaims{
		"iss": o.url, "aud": "mde", "tid": "t", "oid": "1", "scp": "use", "preferred_username": "alice@contoso.com", "exp": time.Now().Add(time.Hour).Unix(),
	})
	for k, v := range header {
		token.Header[k] = v
	}
	text, err := token.SignedString(o.key)
	require.NoError(t, err)
	return text
}

func TestTheRightKeyIsNotEnough(t *testing.T) {
	t.Parallel()
	o := newOwn(t)
	kid := map[string]any{"kid": "1"}
	_, err := o.v.Verify(t.Context(), o.sign(t, jwt.SigningMethodRS256, kid))
	require.NoError(t, err)
	refused(t, o.v, o.sign(t, jwt.SigningMethodRS384, kid), 401, "signature is not valid")
	refused(t, o.v, o.sign(t, jwt.SigningMethodPS256, kid), 401, "signature is not valid")
	refused(t, o.v, o.sign(t, jwt.SigningMethodRS256, nil), 401, "header")
	refused(t, o.v, o.sign(t, jwt.SigningMethodRS256, map[string]any{"kid": 1}), 401, "header")
	refused(t, o.v, o.sign(t, jwt.SigningMethodRS256, map[string]any{"kid": "1", "crit": []string{"x"}}), 401, "header")
	refused(t, o.v, o.sign(t, jwt.SigningMethodRS256, map[string]any{"kid": "1", "x": string(make([]byte, 40<<10))}), 401, "too long")
}

func TestOnlyRSAKeysForSignaturesAreUsed(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]map[string]any{
		"for encryption":        {"use": "enc"},
		"for another algorithm": {"alg": "RS512"},
		"of another kind":       {"kty": "oct"},
		"short":                 {"n": base64.RawURLEncoding.EncodeToString(make([]byte, 64))},
		"no number":             {"n": "?"},
		"an exponent of one":    {"e": "AQ"},
		"a huge exponent":       {"e": "AQABAQABAQABAQAB"},
		"no exponent":           {"e": ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOwn(t)
			for k, v := range change {
				o.web[k] = v
			}
			refused(t, o.v, o.sign(t, jwt.SigningMethodRS256, map[string]any{"kid": "1"}), 503, "publishes no RSA key")
		})
	}
}
