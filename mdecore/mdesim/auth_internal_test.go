package mdesim

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTokenNamesItsTenant gives two tenants one signing key, so that only the
// tenant id in the token keeps them apart.
func TestTokenNamesItsTenant(t *testing.T) {
	t.Parallel()
	home, abroad := &Tenant{}, &Tenant{ID: "99999999-0d7b-4c0e-9f52-3b6d3f7a1c99"}
	home.ready()
	abroad.ready()
	key, err := home.signer.current()
	require.NoError(t, err)
	abroad.signer.keys = []signingKey{key}
	token := func(tn *Tenant) string {
		c := claims{AppID: DefaultAppID, IDType: "app", Roles: WriterRoles()}
		c.Aud = audience
		var body struct {
			Token string `json:"access_token"`
		}
		require.NoError(t, json.Unmarshal(tn.issue(c).body, &body))
		return body.Token
	}
	ask := func(bearer string) int {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/machines?$top=1", nil)
		req.Header.Set("Authorization", "Bearer "+bearer)
		rec := httptest.NewRecorder()
		home.ServeHTTP(rec, req)
		return rec.Code
	}
	require.Equal(t, 200, ask(token(home)))
	require.Equal(t, 401, ask(token(abroad)))
}
