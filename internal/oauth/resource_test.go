package oauth_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/oauth"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

const known = "https://mde.example.com/mcp"

func resource(t *testing.T) (*issuer, *oauth.Resource) {
	t.Helper()
	i := newIssuer(t)
	return i, &oauth.Resource{Verifier: i.verifier(t), URL: func(*http.Request) string { return known }, Name: "mde-ops"}
}

// answer is what a request with these headers gets, and whether it was let in.
func answer(t *testing.T, p *oauth.Resource, address string, tokens ...string) (*httptest.ResponseRecorder, bool) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, address, nil)
	for _, token := range tokens {
		r.Header.Add("Authorization", token)
	}
	w := httptest.NewRecorder()
	_, err := p.Authenticate(r)
	if err != nil {
		p.Refuse(w, r, err)
	}
	return w, err == nil
}

func TestAClientIsToldHowToSignIn(t *testing.T) {
	t.Parallel()
	_, p := resource(t)
	w, in := answer(t, p, "/mcp")
	require.False(t, in)
	require.Equal(t, http.StatusUnauthorized, w.Code)
	require.Equal(t, `Bearer resource_metadata="https://mde.example.com/.well-known/oauth-protected-resource/mcp", scope="api://`+mdesim.DefaultWebAPIID+`/access_as_user"`,
		w.Header().Get("WWW-Authenticate"), "without an error, because nothing was wrong yet")
}

func TestARefusalSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	i, p := resource(t)
	good := "Bearer " + i.sign(t, i.alice())
	for name, c := range map[string]struct {
		address string
		tokens  []string
		status  int
		want    string // in WWW-Authenticate; "" when it is let in
	}{
		"good":                      {"/mcp", []string{good}, 200, ""},
		"the scheme in small":       {"/mcp", []string{"bearer " + good[7:]}, 200, ""},
		"in the address":            {"/mcp?access_token=" + good[7:], nil, 400, `error="invalid_request"`},
		"in the address beside one": {"/mcp?Access_Token=x", []string{good}, 400, `error="invalid_request"`},
		"two headers":               {"/mcp", []string{good, good}, 400, `error="invalid_request"`},
		"another scheme":            {"/mcp", []string{"Basic YWxpY2U6eA=="}, 400, `error="invalid_request"`},
		"two words":                 {"/mcp", []string{good + " x"}, 400, `error="invalid_request"`},
		"expired":                   {"/mcp", []string{"Bearer " + i.sign(t, i.with(map[string]any{"exp": 1}))}, 401, `error="invalid_token", error_description="the token is expired"`},
		"another scope":             {"/mcp", []string{"Bearer " + i.sign(t, i.with(map[string]any{"scp": "x"}))}, 403, `error="insufficient_scope"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, in := answer(t, p, c.address, c.tokens...)
			require.Equal(t, c.want == "", in)
			require.Equal(t, c.status, w.Code)
			require.Contains(t, w.Header().Get("WWW-Authenticate"), c.want)
			require.NotContains(t, w.Body.String()+w.Header().Get("WWW-Authenticate"), good[7:])
		})
	}
}

func TestAnIssuerThatIsDownIsNotTheClientsFault(t *testing.T) {
	t.Parallel()
	i, p := resource(t)
	i.down.Store(true)
	w, in := answer(t, p, "/mcp", "Bearer "+i.sign(t, i.alice()))
	require.False(t, in)
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Equal(t, "30", w.Header().Get("Retry-After"))
	require.Empty(t, w.Header().Get("WWW-Authenticate"), "signing in again would change nothing")
	require.NotContains(t, w.Body.String(), "deadline", "causes are for the log")
}

func TestSomebodyKnownWhoMayNotIsForbidden(t *testing.T) {
	t.Parallel()
	_, p := resource(t)
	w := httptest.NewRecorder()
	p.Refuse(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/mcp", nil), oauth.Forbid("no role"))
	require.Equal(t, http.StatusForbidden, w.Code)
	require.JSONEq(t, `{"error":"access_denied","error_description":"no role"}`, w.Body.String())
}

func TestMetadataSaysWhereToSignIn(t *testing.T) {
	t.Parallel()
	i, p := resource(t)
	w := httptest.NewRecorder()
	p.Metadata(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, oauth.MetadataPath+"/mcp", nil))
	require.Equal(t, http.StatusOK, w.Code)
	var got map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
	require.Equal(t, map[string]any{
		"resource": known, "authorization_servers": []any{i.name}, "scopes_supported": []any{"api://" + mdesim.DefaultWebAPIID + "/access_as_user"},
		"bearer_methods_supported": []any{"header"}, "resource_name": "mde-ops",
	}, got)
	w = httptest.NewRecorder()
	p.Metadata(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, oauth.MetadataPath, nil))
	require.Equal(t, http.StatusMethodNotAllowed, w.Code)
}
