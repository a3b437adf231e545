package mdecore

import "github.com/mde-ops/mde-ops/internal/azpipe"

// The kinds of credential that CredentialConfig.Kind names, alone or several in order, e.g. "workload,managed,cli".
const (
	CredentialSecret      = azpipe.KindSecret      // an application with a client secret
	CredentialCertificate = azpipe.KindCertificate // an application with a certificate
	CredentialWorkload    = azpipe.KindWorkload    // an application that trusts the platform's own tokens
	CredentialManaged     = azpipe.KindManaged     // the managed identity of the machine or service that the program runs on
	CredentialCLI         = azpipe.KindCLI         // the person signed in to the Azure CLI
)

// CredentialConfig says who the program is to the tenant. Kind names the kind, or several to try in order. TenantID and
// ClientID are the tenant's and the application's GUIDs; ClientSecret, CertificateFile with CertificatePassword, and
// TokenFile are for the kinds of their names. Authority is the cloud's sign-in service when it is not the public one, and
// CAFile names certificates to trust for it besides the system's.
type CredentialConfig = azpipe.CredentialConfig

// Credential signs in for a client. Unlike azidentity's own, it can be thrown away and made anew, which is what a client
// does after a 401: azidentity would give the refused token again.
type Credential = azpipe.Renewable

// TokenError says that no token was issued: sign-in failed, or the sign-in service could not be reached. It shows the
// service's reason and no secret.
type TokenError = azpipe.TokenError

// TokenInfo is what a token says about its holder: TenantID, AppID, UPN, ObjectID, Roles (application permissions), Scopes
// (delegated ones) and ExpiresOn.
type TokenInfo = azpipe.TokenInfo

// NewCredential checks the whole configuration and reports all its faults together. The network is not touched. One
// credential may be shared by any number of clients; New also takes any other azcore.TokenCredential.
func NewCredential(cfg CredentialConfig) (*Credential, error) { return azpipe.NewCredential(cfg) }
