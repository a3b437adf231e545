package mdesim

import (
	"crypto/sha1" // x5t is a SHA-1 thumbprint: it finds the certificate, the signature proves it
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// refusal is an Entra ID error: an AADSTS number, the OAuth error and a text.
type refusal struct {
	status int
	code   int
	oauth  string
	text   string
}

// serveLogin answers the Entra ID endpoints of the tenant.
func (t *Tenant) serveLogin(r *http.Request, body []byte) response {
	tenant, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	known := map[string]string{
		"v2.0/.well-known/openid-configuration": http.MethodGet,
		"discovery/v2.0/keys":                   http.MethodGet,
		"oauth2/v2.0/token":                     http.MethodPost,
	}
	method, ok := known[rest]
	switch {
	case !ok:
		return t.problem(http.StatusNotFound, "NotFound", "This is a simulated Defender tenant: it has the API under /api and the token endpoint under /"+t.ID)
	case method != r.Method:
		return t.problem(http.StatusMethodNotAllowed, "BadRequest", "The endpoint takes "+method)
	case !strings.EqualFold(tenant, t.ID):
		return t.refuse(refusal{http.StatusBadRequest, 90002, "invalid_request", "Tenant '" + tenant + "' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."})
	case rest == "oauth2/v2.0/token":
		return t.serveToken(r, body)
	case rest == "discovery/v2.0/keys":
		return t.serveKeys()
	default:
		return t.serveDiscovery(r)
	}
}

func (t *Tenant) serveDiscovery(r *http.Request) response {
	base := "https://" + r.Host + "/" + t.ID
	return jsonResponse(http.StatusOK, map[string]any{
		"issuer":                                base + "/v2.0",
		"authorization_endpoint":                base + "/oauth2/v2.0/authorize",
		"token_endpoint":                        base + "/oauth2/v2.0/token",
		"jwks_uri":                              base + "/discovery/v2.0/keys",
		"response_types_supported":              []string{"code", "id_token", "token"},
		"subject_types_supported":               []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
	})
}

// serveToken issues an access token for client_credentials (secret or signed
// assertion) or, standing for a person signed in by the Azure CLI, for password.
func (t *Tenant) serveToken(r *http.Request, body []byte) response {
	form, err := url.ParseQuery(string(body))
	if err != nil || form.Get("client_id") == "" {
		return t.refuse(refusal{http.StatusBadRequest, 900144, "invalid_request", "The request body must contain the following parameter: 'client_id'."})
	}
	switch form.Get("grant_type") {
	case "client_credentials":
		return t.serveAppToken(r, form)
	case "password":
		return t.serveUserToken(r, form)
	}
	return t.refuse(refusal{http.StatusBadRequest, 70003, "unsupported_grant_type", "The app requested an unsupported grant type '" + form.Get("grant_type") + "'."})
}

func (t *Tenant) serveAppToken(r *http.Request, form url.Values) response {
	app, ok := t.app(form.Get("client_id"))
	if !ok {
		return t.refuse(*t.unknownApp(form.Get("client_id")))
	}
	if bad := t.prove(r, app, form); bad != nil {
		return t.refuse(*bad)
	}
	if api, ok := t.webAPI(form.Get("scope")); ok {
		return t.appToken(r, api, app)
	}
	aud, bad := t.audienceOf(form.Get("scope"))
	if bad != nil {
		return t.refuse(*bad)
	}
	c := claims{AppID: app.ID, AppName: app.label(), OID: guidOf(hash64(app.ID), hash64(app.ID+"/oid")), Roles: rolesFor(aud, app.Roles), IDType: "app"}
	c.Aud, c.Subject = aud, c.OID
	return t.issue(c)
}

func (t *Tenant) serveUserToken(r *http.Request, form url.Values) response {
	if !strings.EqualFold(form.Get("client_id"), AzureCLIAppID) {
		return t.refuse(*t.unknownApp(form.Get("client_id")))
	}
	u, ok := t.user(form.Get("username"))
	switch {
	case !ok:
		return t.refuse(refusal{http.StatusBadRequest, 50034, "invalid_grant", "The user account '" + form.Get("username") + "' does not exist in the " + t.ID + " directory."})
	case form.Get("password") != orDefault(u.Password, DefaultUserPassword):
		return t.refuse(refusal{http.StatusBadRequest, 50126, "invalid_grant", "Error validating credentials due to invalid username or password."})
	}
	if api, ok := t.webAPI(form.Get("scope")); ok {
		return t.personToken(r, api, u, AzureCLIAppID)
	}
	aud, bad := t.audienceOf(form.Get("scope"))
	if bad != nil {
		return t.refuse(*bad)
	}
	c := claims{AppID: AzureCLIAppID, OID: u.OID, Scope: strings.Join(rolesFor(aud, u.Scopes), " "), UPN: u.UPN, Name: u.Name, Groups: u.Groups, IDType: "user"}
	c.Aud, c.Subject = aud, u.OID
	return t.issue(c)
}

func (t *Tenant) unknownApp(id string) *refusal {
	return &refusal{http.StatusBadRequest, 700016, "unauthorized_client", "Application with identifier '" + id + "' was not found in the directory '" + t.ID + "'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant."}
}

// audienceOf returns the audience of the one resource that a scope asks for.
func (t *Tenant) audienceOf(scope string) (string, *refusal) {
	// MSAL adds these to every request.
	asked := slices.DeleteFunc(strings.Fields(scope), func(s string) bool {
		return s == "openid" || s == "offline_access" || s == "profile"
	})
	resource, ok := strings.CutSuffix(strings.Join(asked, " "), "/.default")
	if !ok || len(asked) != 1 {
		return "", &refusal{http.StatusBadRequest, 70011, "invalid_scope", "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope '" + scope + "' must be one resource that ends in /.default."}
	}
	resource = strings.TrimSuffix(resource, "/")
	known := []string{audience, siblingAudience, "https://graph.microsoft.com", "https://management.azure.com"}
	if !slices.Contains(known, resource) && !t.hasResource(resource) {
		return "", &refusal{http.StatusBadRequest, 500011, "invalid_resource", "The resource principal named " + resource + " was not found in the tenant. You might have sent your authentication request to the wrong tenant."}
	}
	return resource, nil
}

// prove checks the application's secret or signed assertion.
func (t *Tenant) prove(r *http.Request, app App, form url.Values) *refusal {
	secret, assertion := form.Get("client_secret"), form.Get("client_assertion")
	switch {
	case assertion != "":
		if form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
			return &refusal{http.StatusBadRequest, 7000218, "invalid_request", "The request body must contain the following parameter: 'client_assertion_type'."}
		}
		if err := t.verifyAssertion(app, assertion, "https://"+r.Host+r.URL.Path); err != nil {
			return &refusal{http.StatusUnauthorized, 700027, "invalid_client", "The certificate with identifier used to sign the client assertion is not registered on application. Reason: " + err.Error() + "."}
		}
		return nil
	case secret == "":
		return &refusal{http.StatusUnauthorized, 7000218, "invalid_client", "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."}
	case app.Secret == "" || secret != app.Secret:
		return &refusal{http.StatusUnauthorized, 7000215, "invalid_client", "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '" + app.ID + "'."}
	case app.Expired:
		return &refusal{http.StatusUnauthorized, 7000222, "invalid_client", "The provided client secret keys for app '" + app.ID + "' are expired. Create new keys for your app or consider using certificate credentials for added security."}
	}
	return nil
}

// verifyAssertion checks a signed client assertion against the certificates
// registered for the application.
func (t *Tenant) verifyAssertion(app App, assertion, tokenURL string) error {
	var c jwt.RegisteredClaims
	_, err := jwt.ParseWithClaims(assertion, &c, func(tok *jwt.Token) (any, error) {
		i := slices.IndexFunc(app.Certificates, func(crt *x509.Certificate) bool { return names(tok.Header, crt) })
		if i < 0 {
			return nil, errors.New("the key was not found")
		}
		return app.Certificates[i].PublicKey, nil
	}, jwt.WithValidMethods([]string{"RS256", "PS256"}), jwt.WithExpirationRequired(), jwt.WithAudience(tokenURL), jwt.WithTimeFunc(t.now))
	switch {
	case err != nil:
		return err
	case c.Issuer != app.ID || c.Subject != app.ID:
		return errors.New("issuer and subject must be the client id")
	}
	return nil
}

// names reports whether a token header's thumbprint is the certificate's. Both
// base64 alphabets are in use: MSAL's and the one of the standard.
func names(header map[string]any, crt *x509.Certificate) bool {
	long, short := sha256.Sum256(crt.Raw), sha1.Sum(crt.Raw)
	is := func(key string, sum []byte) bool {
		s, _ := header[key].(string)
		s = strings.TrimRight(s, "=")
		return s == base64.RawURLEncoding.EncodeToString(sum) || s == base64.RawStdEncoding.EncodeToString(sum)
	}
	return is("x5t#S256", long[:]) || is("x5t", short[:])
}

// issue signs a token that is valid from now for TokenLife.
func (t *Tenant) issue(c claims) response {
	now := t.now()
	c.Issuer, c.TenantID, c.Version, c.UTI = "https://sts.windows.net/"+t.ID+"/", t.ID, "1.0", t.correlation()
	c.IssuedAt, c.NotBefore, c.ExpiresAt = jwt.NewNumericDate(now), jwt.NewNumericDate(now), jwt.NewNumericDate(now.Add(t.TokenLife))
	t.mu.Lock()
	c.Generation = t.generation
	t.mu.Unlock()
	signed, err := t.signer.sign(c)
	if err != nil {
		return t.noKey(err)
	}
	return tokenResponse(signed, t.TokenLife)
}

func tokenResponse(signed string, life time.Duration) response {
	seconds := int(life.Seconds())
	return jsonResponse(http.StatusOK, map[string]any{
		"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": signed,
	})
}

// refuse writes an Entra ID error as the token endpoint does.
func (t *Tenant) refuse(f refusal) response {
	trace, correlation, at := t.correlation(), t.correlation(), t.now().Format("2006-01-02 15:04:05Z")
	return jsonResponse(f.status, map[string]any{
		"error": f.oauth,
		"error_description": fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s",
			f.code, f.text, trace, correlation, at),
		"error_codes":    []int{f.code},
		"timestamp":      at,
		"trace_id":       trace,
		"correlation_id": correlation,
		"error_uri":      fmt.Sprintf("https://login.microsoftonline.com/error?code=%d", f.code),
	})
}
