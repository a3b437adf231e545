package mdecore

// Cloud says where a tenant's API and its sign-in service are.
type Cloud struct {
	// Name is for people, e.g. "public".
	Name string
	// Endpoint is the API's base address without "/api", e.g. https://api.security.microsoft.com.
	Endpoint string
	// Scope is what tokens are asked for. It names another host than Endpoint: tokens for the API's own host are refused
	// by some operations.
	Scope string
	// Authority is the sign-in service, e.g. https://login.microsoftonline.com.
	Authority string
}

const (
	publicEndpoint  = "https://api.security.microsoft.com"
	publicScope     = "https://api.securitycenter.microsoft.com/.default"
	publicAuthority = "https://login.microsoftonline.com"
)

// Public is the worldwide cloud (exposed-apis-list.md).
func Public() Cloud {
	return Cloud{Name: "public", Endpoint: publicEndpoint, Scope: publicScope, Authority: publicAuthority}
}

// Custom is a cloud at another address, e.g. a regional host or a simulator. An empty authority or scope means the
// public one.
func Custom(endpoint, authority, scope string) Cloud {
	cloud := Cloud{Name: "custom", Endpoint: endpoint, Scope: scope, Authority: authority}
	if cloud.Scope == "" {
		cloud.Scope = publicScope
	}
	if cloud.Authority == "" {
		cloud.Authority = publicAuthority
	}
	return cloud
}
