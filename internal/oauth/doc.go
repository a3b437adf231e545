// Package oauth is the resource server's part of OAuth 2.1 for tokens of Microsoft Entra ID: it says who a bearer token
// proves, what a client must know to get one (RFC 9728), and why a request is refused (RFC 6750).
//
// A token is taken only when everything about it is as configured: an RS256 signature by a published key of the issuer, the
// issuer, the audience, the tenant, its times, the scope. No text of this package holds a token or a part of one.
package oauth
