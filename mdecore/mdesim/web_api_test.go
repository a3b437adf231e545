package mdesim_test

import (
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func TestPeopleAndApplicationsGetTokensForAWebAPI(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	scope := policy.TokenRequestOptions{Scopes: []string{"api://" + mdesim.DefaultWebAPIID + "/access_as_user"}}
	alice := r.server.UserCredential("alice@contoso.com")
	_, err := alice.GetToken(t.Context(), scope)
	require.ErrorContains(t, err, "AADSTS70011", "nothing is known of it yet")
	r.SetWebAPI(mdesim.WebAPI{AppID: mdesim.DefaultWebAPIID, Scope: mdesim.DefaultWebAPIScope, Roles: map[string][]string{"alice@contoso.com": {"Lead"}}})
	got, err := alice.GetToken(t.Context(), scope)
	require.NoError(t, err)
	claims := payload(t, got.Token)
	require.Equal(t, r.server.URL+"/"+mdesim.DefaultTenantID+"/v2.0", claims["iss"])
	require.Equal(t, mdesim.DefaultWebAPIID, claims["aud"])
	require.Equal(t, "alice@contoso.com", claims["preferred_username"])
	require.Equal(t, []any{"Lead"}, claims["roles"])
	require.Equal(t, "access_as_user", claims["scp"])

	scope.Scopes = []string{mdesim.DefaultWebAPIID + "/.default"}
	got, err = r.server.AppCredential(mdesim.DefaultAppID, mdesim.DefaultAppSecret).GetToken(t.Context(), scope)
	require.NoError(t, err)
	claims = payload(t, got.Token)
	require.Equal(t, "app", claims["idtyp"])
	require.Equal(t, mdesim.DefaultAppID, claims["azp"])
	require.NotContains(t, claims, "scp")
	require.NotContains(t, claims, "roles")
}

func TestSigningKeysRotate(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	status := func() int { return r.get("/api/machines?$top=1").status }
	require.Equal(t, 200, status())
	require.NoError(t, r.RotateSigningKey(true))
	require.Equal(t, 200, status(), "older keys stay good for a while")
	require.NoError(t, r.RotateSigningKey(false))
	require.Equal(t, 401, status())
}
