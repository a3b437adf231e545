package simtenant

import (
	"fmt"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// WebAPI stands for an MCP server in the tenant's directory. Its people have a role each, for MDE_HTTP_ROLES.
func WebAPI() mdesim.WebAPI {
	return mdesim.WebAPI{AppID: mdesim.DefaultWebAPIID, Scope: mdesim.DefaultWebAPIScope, Roles: map[string][]string{
		"alice@contoso.com": {"Responder"}, "bob@contoso.com": {"Lead"}, "rita@contoso.com": {"Reader"},
	}}
}

// SignInEnviron makes mde-mcp's callers over HTTP sign in with the tenant, which must have been given WebAPI.
func (r *Running) SignInEnviron() []string {
	return []string{"MDE_HTTP_AUDIENCE=api://" + mdesim.DefaultWebAPIID}
}

// SignIn is what to type in a shell to get somebody's token and to give it to a client of the server at an address.
func (r *Running) SignIn(person, address string) string {
	return fmt.Sprintf(`MDE_SIM_PASSWORD=%s
TOKEN=$(curl -s --cacert %s %s/%s/oauth2/v2.0/token -d grant_type=password -d client_id=%s \
  -d username=%s -d password=$MDE_SIM_PASSWORD -d scope=api://%s/%s | sed 's/.*access_token...\([^"]*\).*/\1/')
claude mcp add --transport http mde %s --header "Authorization: Bearer $TOKEN"`,
		mdesim.DefaultUserPassword, r.CAFile, r.Server.URL, mdesim.DefaultTenantID, mdesim.AzureCLIAppID, person,
		mdesim.DefaultWebAPIID, mdesim.DefaultWebAPIScope, address)
}
