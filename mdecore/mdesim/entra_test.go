package mdesim_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

const (
	aliceOID  = "a11ce000-0000-4000-8000-000000000001"
	bobOID    = "b0b00000-0000-4000-8000-000000000002"
	aGroup    = "99999999-0000-4000-8000-000000000001"
	aRole     = "aaaaaaaa-0000-4000-8000-000000000001"
	principal = "/v1.0/servicePrincipals(appId='" + mdesim.DefaultAppID + "')"
)

// directory is a client of Graph with these application permissions.
func directory(t *testing.T, roles ...string) *rig {
	r := serve(t, &mdesim.Tenant{PageSize: 2, Apps: []mdesim.App{{ID: mdesim.DefaultAppID, Secret: mdesim.DefaultAppSecret, Roles: roles}}})
	return r.graph()
}

func directoryRefused(t *testing.T, a answer, status int, code, text string) {
	t.Helper()
	require.Equal(t, status, a.status, string(a.raw))
	require.Equal(t, code, a.code())
	require.Contains(t, string(a.raw), text)
	require.Contains(t, string(a.raw), `"innerError"`)
}

func TestTheDirectoryHasAppRoles(t *testing.T) {
	t.Parallel()
	r := directory(t, mdesim.RoleReadApplications, mdesim.RoleReadGroups, mdesim.RoleReadUsers)
	require.Empty(t, r.get(principal).body["appRoles"])
	r.SetAppRoles(mdesim.DefaultAppID, mdesim.AppRole{ID: aRole, Value: "Approver"}, mdesim.AppRole{ID: aGroup, Value: "Old", Disabled: true, AppsOnly: true})
	got := r.get(principal)
	require.Equal(t, 200, got.status, string(got.raw))
	require.Equal(t, mdesim.DefaultAppID, got.str("appId"))
	roles := got.body["appRoles"].([]any)
	require.Equal(t, map[string]any{
		"id": aRole, "value": "Approver", "displayName": "Approver", "isEnabled": true, "allowedMemberTypes": []any{"User"},
	}, roles[0])
	require.Equal(t, false, roles[1].(map[string]any)["isEnabled"])

	r.SetGroup(aGroup, aliceOID, bobOID, "91740000-0000-4000-8000-000000000003", "nobody")
	for _, p := range []string{aliceOID, aGroup, bobOID} {
		r.AssignAppRole(mdesim.DefaultAppID, aRole, p)
	}
	first := r.get("/v1.0/servicePrincipals/" + got.str("id") + "/appRoleAssignedTo")
	require.Len(t, first.values(), 2)
	require.Equal(t, "Group", first.values()[1]["principalType"])
	second := r.get(first.str("@odata.nextLink"))
	require.Equal(t, bobOID, second.values()[0]["principalId"])
	require.Equal(t, got.str("id"), second.values()[0]["resourceId"])
	require.Empty(t, second.str("@odata.nextLink"))
	require.Len(t, r.get("/v1.0/groups/"+aGroup+"/members").values(), 2)
	require.Equal(t, "#microsoft.graph.user", r.get("/v1.0/groups/" + aGroup + "/members").values()[0]["@odata.type"])
}

func TestTheDirectoryHasUsers(t *testing.T) {
	t.Parallel()
	r := directory(t, mdesim.RoleReadUsers)
	for _, name := range []string{"alice@contoso.com", "ALICE@contoso.com", aliceOID} {
		require.Equal(t, aliceOID, r.get("/v1.0/users/"+url.PathEscape(name)).str("id"))
	}
	r.SetAccount(mdesim.Account{OID: aliceOID, UPN: "alice@contoso.com", Mail: "a@contoso.com", Disabled: true, Guest: true})
	got := r.get("/v1.0/users/alice@contoso.com")
	require.Equal(t, map[string]any{
		"id": aliceOID, "userPrincipalName": "alice@contoso.com", "mail": "a@contoso.com", "accountEnabled": false, "userType": "Guest",
	}, got.body)
	require.Len(t, r.get("/v1.0/users?$filter="+url.QueryEscape("mail eq 'A@contoso.com'")).values(), 1)
	require.Empty(t, r.get("/v1.0/users?$filter="+url.QueryEscape("mail eq 'x''y'")).values())
	directoryRefused(t, r.get("/v1.0/users?$filter="+url.QueryEscape("displayName eq 'a'")), 400, "Request_UnsupportedQuery", "simulated")
}

func TestTheDirectoryRefuses(t *testing.T) {
	t.Parallel()
	r := directory(t, mdesim.RoleReadApplications)
	directoryRefused(t, r.get("/v1.0/users/alice@contoso.com"), 403, "Authorization_RequestDenied", "Insufficient privileges")
	directoryRefused(t, r.get("/v1.0/groups/"+aGroup+"/members"), 403, "Authorization_RequestDenied", "Insufficient privileges")
	directoryRefused(t, r.get("/v1.0/servicePrincipals(appId='"+aGroup+"')"), 404, "Request_ResourceNotFound", aGroup)
	directoryRefused(t, r.get("/v1.0/servicePrincipals/"+aGroup+"/appRoleAssignedTo"), 404, "Request_ResourceNotFound", aGroup)
	directoryRefused(t, r.send(http.MethodPost, principal, "{}"), 405, "Request_BadRequest", "method")
	directoryRefused(t, r.get("/v1.0/me"), 400, "BadRequest", "segment")
	tok, err := r.server.AppCredential(mdesim.DefaultAppID, mdesim.DefaultAppSecret).
		GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{scope}})
	require.NoError(t, err)
	r.token = tok.Token
	directoryRefused(t, r.get(principal), 401, "Unauthorized", "another resource")
}
