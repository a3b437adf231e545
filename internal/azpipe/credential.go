package azpipe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// The kinds of credential that CredentialConfig.Kind names.
const (
	KindSecret      = "secret"      // an application with a client secret
	KindCertificate = "certificate" // an application with a certificate
	KindWorkload    = "workload"    // an application that trusts the platform's own tokens (workload identity federation)
	KindManaged     = "managed"     // the managed identity of the machine or service that we run on
	KindCLI         = "cli"         // the person signed in to the Azure CLI
)

// CredentialConfig says who we are to the tenant.
type CredentialConfig struct {
	// Kind is one of the kinds above, or several in the order in which they are to be tried, e.g. "workload,managed,cli".
	// The next of several is tried only when one is not available here, never when it is refused; the first that gives
	// a token is kept.
	Kind string
	// TenantID is the tenant's GUID or a domain of it. KindCLI and KindManaged may do without; KindWorkload
	// takes AZURE_TENANT_ID when it is empty. A GUID also refuses tokens of another tenant, which the machine's own
	// identity may be of.
	TenantID string
	// ClientID is the application's GUID. For KindManaged it is the user-assigned identity's, or empty for the
	// system-assigned one. KindWorkload takes AZURE_CLIENT_ID when it is empty; KindCLI uses none.
	ClientID string
	// ClientSecret is for KindSecret.
	ClientSecret string
	// CertificateFile is for KindCertificate: PEM or PFX with certificate and private key.
	CertificateFile string
	// CertificatePassword opens a PFX file.
	CertificatePassword string
	// TokenFile is for KindWorkload: the file in which the platform keeps its token for us, AZURE_FEDERATED_TOKEN_FILE
	// when empty. It is read anew for every token request, because the platform replaces it.
	TokenFile string
	// Authority replaces https://login.microsoftonline.com, e.g. for a government cloud or a simulator.
	Authority string
	// CAFile names a PEM file with certificates to trust for the authority besides the system's.
	CAFile string

	// dial replaces the connection to a managed identity's endpoint, which has a fixed address, in tests.
	dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Format implements fmt.Formatter, so that no verb prints a secret.
func (c CredentialConfig) Format(f fmt.State, verb rune) {
	type plain CredentialConfig
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), plain(c.shown()))
}

// LogValue implements slog.LogValuer with what Format shows.
func (c CredentialConfig) LogValue() slog.Value { return slog.StringValue(fmt.Sprintf("%+v", c)) }

// MarshalJSON implements json.Marshaler with what Format shows.
func (c CredentialConfig) MarshalJSON() ([]byte, error) {
	type plain CredentialConfig
	return json.Marshal(plain(c.shown()))
}

// shown is the configuration with its secrets hidden.
func (c CredentialConfig) shown() CredentialConfig {
	for _, secret := range []*string{&c.ClientSecret, &c.CertificatePassword} {
		if *secret != "" {
			*secret = redacted
		}
	}
	return c
}

// factory makes a credential, at the start and for every renewal.
type factory func() (azcore.TokenCredential, error)

// NewCredential checks the whole configuration, reports all its faults together, and returns a credential. Nothing is
// asked of the network yet.
func NewCredential(cfg CredentialConfig) (*Renewable, error) {
	kinds, err := ParseKinds(cfg.Kind)
	faults := append([]error{err}, cfg.commonFaults(kinds)...)
	factories := make([]factory, len(kinds))
	for i, kind := range kinds {
		own := cfg.kindFaults(kind, len(kinds) > 1)
		if len(own) == 0 {
			factories[i], err = cfg.factory(kind, len(kinds) > 1)
			own = []error{err}
		}
		faults = append(faults, own...)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	build := factories[0]
	if len(kinds) > 1 {
		build = chainFactory(kinds, factories, cfg.secrets())
	}
	cred, err := NewRenewable(build)
	if err != nil {
		return nil, fmt.Errorf("the %s credential is refused: %s", cfg.Kind, cfg.hide(Redact(err.Error())))
	}
	cred.secrets = cfg.secrets()
	if guidPattern().MatchString(cfg.TenantID) {
		cred.tenant = cfg.TenantID
	}
	return cred, nil
}

// ParseKinds reads one kind of credential, or several in order, separated by commas. An unknown one, an empty one and
// one that is named twice are refused.
func ParseKinds(text string) ([]string, error) {
	var kinds []string
	for kind := range strings.SplitSeq(text, ",") {
		kind = strings.TrimSpace(kind)
		switch kind {
		case KindSecret, KindCertificate, KindWorkload, KindManaged, KindCLI:
		default:
			return nil, fmt.Errorf("credential kind %q is unknown: use %s, %s, %s, %s or %s, or several in order, such as workload,managed,cli",
				kind, KindSecret, KindCertificate, KindWorkload, KindManaged, KindCLI)
		}
		if slices.Contains(kinds, kind) {
			return nil, fmt.Errorf("credential kind %q is named twice", kind)
		}
		kinds = append(kinds, kind)
	}
	return kinds, nil
}

// faultList collects what is wrong.
type faultList []error

// add notes a fault if there is one.
func (l *faultList) add(bad bool, format string, args ...any) {
	if bad {
		*l = append(*l, fmt.Errorf(format, args...))
	}
}

// commonFaults returns what is wrong with the settings that several kinds share.
func (c CredentialConfig) commonFaults(kinds []string) faultList {
	var faults faultList
	app := slices.ContainsFunc(kinds, func(kind string) bool { return kind != KindManaged && kind != KindCLI })
	tenant, client := c.TenantID, c.ClientID
	if slices.Contains(kinds, KindWorkload) {
		tenant, client = c.workload().TenantID, c.workload().ClientID
	}
	faults.add(app && tenant == "", "the tenant id is missing: it is the Directory (tenant) ID on the tenant's overview page")
	faults.add(tenant != "" && (!tenantPattern.MatchString(tenant) || len(tenant) > 253), "the tenant id %q is neither a GUID nor a domain name", tenant)
	faults.add(client != "" && !guidPattern().MatchString(client), "the client id %q is not a GUID like 11111111-2222-3333-4444-555555555555", client)
	faults.add(c.ClientSecret != strings.TrimSpace(c.ClientSecret), "the client secret begins or ends with white space: was a line end copied with it?")
	if c.Authority != "" {
		u, err := ParseEndpoint(c.Authority)
		faults.add(err != nil, "authority: %w", err)
		faults.add(err == nil && u.Scheme != "https", "the authority %q is refused: secrets are sent over https only", c.Authority)
	}
	return faults
}

// kindFaults returns what one kind lacks.
func (c CredentialConfig) kindFaults(kind string, chained bool) faultList {
	var faults faultList
	switch kind {
	case KindSecret, KindCertificate:
		faults.add(c.ClientID == "", "the client id is missing: it is the Application (client) ID of the app registration")
		faults.add(kind == KindSecret && c.ClientSecret == "", "the client secret is missing")
		faults.add(kind == KindCertificate && c.CertificateFile == "", "the certificate file is missing: a PEM or PFX file with certificate and private key")
	case KindWorkload:
		faults = c.workload().workloadFaults(chained)
	}
	return faults
}

var (
	guidPattern = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	})
	tenantPattern = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.-]*$`) // a bound in it would be slow to compile
)

// factory returns the function that makes credentials of one kind, with all files read that do not change.
func (c CredentialConfig) factory(kind string, chained bool) (factory, error) {
	switch kind {
	case KindCLI:
		return c.cliFactory(), nil
	case KindManaged:
		return c.managedFactory(chained)
	}
	client, err := NewHTTPClient(TransportOptions{CAFile: c.CAFile, HeaderTimeout: defaultTokenTimeout})
	if err != nil {
		return nil, err
	}
	switch kind {
	case KindSecret:
		return c.secretFactory(client), nil
	case KindCertificate:
		return c.certificateFactory(client)
	case KindWorkload:
		return c.workload().workloadFactory(client, chained), nil
	}
	return nil, fmt.Errorf("credential kind %q is unknown", kind)
}

// clientOptions point azidentity at the authority.
func (c CredentialConfig) clientOptions(client policy.Transporter) azcore.ClientOptions {
	opts := azcore.ClientOptions{
		Transport: client,
		Retry:     policy.RetryOptions{MaxRetries: 2},
	}
	if c.Authority != "" {
		opts.Cloud = cloud.Configuration{ActiveDirectoryAuthorityHost: c.Authority}
	}
	return opts
}

// secrets are the configured secrets, plain and percent-encoded: they can come back as they stood in the form.
func (c CredentialConfig) secrets() []string {
	var all []string
	for _, secret := range []string{c.ClientSecret, c.CertificatePassword} {
		if secret != "" {
			all = append(all, secret, url.QueryEscape(secret))
		}
	}
	return all
}

// hide removes the configured secrets from a text.
func (c CredentialConfig) hide(text string) string {
	for _, secret := range c.secrets() {
		text = strings.ReplaceAll(text, secret, redacted)
	}
	return text
}
