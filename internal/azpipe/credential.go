package azpipe

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// The kinds of credential that CredentialConfig.Kind names.
const (
	KindSecret      = "secret"      // an application with a client secret
	KindCertificate = "certificate" // an application with a certificate
	KindCLI         = "cli"         // the person signed in to the Azure CLI
)

// CredentialConfig says who we are to the tenant.
type CredentialConfig struct {
	// Kind is KindSecret, KindCertificate or KindCLI.
	Kind string
	// TenantID is the tenant's GUID or a domain of it; optional for KindCLI.
	TenantID string
	// ClientID is the application's GUID; unused by KindCLI.
	ClientID string
	// ClientSecret is for KindSecret.
	ClientSecret string
	// CertificateFile is for KindCertificate: PEM or PFX with certificate and private key.
	CertificateFile string
	// CertificatePassword opens a PFX file.
	CertificatePassword string
	// Authority replaces https://login.microsoftonline.com, e.g. for a government cloud or a simulator.
	Authority string
	// CAFile names a PEM file with certificates to trust for the authority besides the system's.
	CAFile string
}

// NewCredential checks the whole configuration, reports all its faults together, and returns a credential. Nothing is
// asked of the network yet.
func NewCredential(cfg CredentialConfig) (*Renewable, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	factory, err := cfg.factory()
	if err != nil {
		return nil, err
	}
	cred, err := NewRenewable(factory)
	if err != nil {
		return nil, fmt.Errorf("the %s credential is refused: %s", cfg.Kind, cfg.hide(Redact(err.Error())))
	}
	for _, secret := range []string{cfg.ClientSecret, cfg.CertificatePassword} {
		// A secret can come back percent-encoded, as it stood in the form.
		if secret != "" {
			cred.secrets = append(cred.secrets, secret, url.QueryEscape(secret))
		}
	}
	return cred, nil
}

// check returns every fault that can be seen without the network.
func (c CredentialConfig) check() error {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	known := c.Kind == KindSecret || c.Kind == KindCertificate || c.Kind == KindCLI
	fault(!known, "credential kind %q is unknown: use %s, %s or %s", c.Kind, KindSecret, KindCertificate, KindCLI)
	app := c.Kind == KindSecret || c.Kind == KindCertificate
	fault(app && c.TenantID == "", "the tenant id is missing: it is the Directory (tenant) ID on the tenant's overview page")
	fault(c.TenantID != "" && (!tenantPattern.MatchString(c.TenantID) || len(c.TenantID) > 253), "the tenant id %q is neither a GUID nor a domain name", c.TenantID)
	fault(app && c.ClientID == "", "the client id is missing: it is the Application (client) ID of the app registration")
	fault(c.ClientID != "" && !guidPattern.MatchString(c.ClientID), "the client id %q is not a GUID like 11111111-2222-3333-4444-555555555555", c.ClientID)
	fault(c.Kind == KindSecret && c.ClientSecret == "", "the client secret is missing")
	fault(c.ClientSecret != strings.TrimSpace(c.ClientSecret), "the client secret begins or ends with white space: was a line end copied with it?")
	fault(c.Kind == KindCertificate && c.CertificateFile == "", "the certificate file is missing: a PEM or PFX file with certificate and private key")
	if c.Authority != "" {
		u, err := ParseEndpoint(c.Authority)
		fault(err != nil, "authority: %w", err)
		fault(err == nil && u.Scheme != "https", "the authority %q is refused: secrets are sent over https only", c.Authority)
	}
	return errors.Join(faults...)
}

var (
	guidPattern   = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	tenantPattern = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.-]*$`) // a bound in it would be slow to compile
)

// factory returns the function that makes the credential, with all files read.
func (c CredentialConfig) factory() (func() (azcore.TokenCredential, error), error) {
	if c.Kind == KindCLI {
		return func() (azcore.TokenCredential, error) {
			return azidentity.NewAzureCLICredential(&azidentity.AzureCLICredentialOptions{TenantID: c.TenantID})
		}, nil
	}
	client, err := NewHTTPClient(TransportOptions{CAFile: c.CAFile, HeaderTimeout: defaultTokenTimeout})
	if err != nil {
		return nil, err
	}
	if c.Kind == KindSecret {
		return c.secretFactory(client), nil
	}
	return c.certificateFactory(client)
}

// secretFactory makes client secret credentials.
func (c CredentialConfig) secretFactory(client *http.Client) func() (azcore.TokenCredential, error) {
	return func() (azcore.TokenCredential, error) {
		return azidentity.NewClientSecretCredential(c.TenantID, c.ClientID, c.ClientSecret, &azidentity.ClientSecretCredentialOptions{
			ClientOptions:            c.clientOptions(client),
			DisableInstanceDiscovery: c.Authority != "",
		})
	}
}

// certificateFactory reads the certificate once and makes credentials with it.
func (c CredentialConfig) certificateFactory(client *http.Client) (func() (azcore.TokenCredential, error), error) {
	data, err := os.ReadFile(c.CertificateFile)
	if err != nil {
		return nil, fmt.Errorf("the certificate file cannot be read: %w", err)
	}
	certs, key, err := azidentity.ParseCertificates(data, []byte(c.CertificatePassword))
	if err != nil {
		return nil, fmt.Errorf("the certificate file %s cannot be used: %s (PEM or PFX with certificate and private key is wanted; a PFX may need its password)",
			c.CertificateFile, c.hide(err.Error()))
	}
	return func() (azcore.TokenCredential, error) {
		return azidentity.NewClientCertificateCredential(c.TenantID, c.ClientID, certs, key, &azidentity.ClientCertificateCredentialOptions{
			ClientOptions:            c.clientOptions(client),
			DisableInstanceDiscovery: c.Authority != "",
			// The chain lets an authority check the certificate by subject and issuer as well.
			SendCertificateChain: true,
		})
	}, nil
}

// clientOptions point azidentity at the authority.
func (c CredentialConfig) clientOptions(client *http.Client) azcore.ClientOptions {
	opts := azcore.ClientOptions{
		Transport: client,
		Retry:     policy.RetryOptions{MaxRetries: 2},
	}
	if c.Authority != "" {
		opts.Cloud = cloud.Configuration{ActiveDirectoryAuthorityHost: c.Authority}
	}
	return opts
}

// hide removes the configured secrets from a text.
func (c CredentialConfig) hide(text string) string {
	for _, secret := range []string{c.ClientSecret, c.CertificatePassword} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, redacted)
		}
	}
	return text
}
