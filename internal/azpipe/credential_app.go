package azpipe

import (
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// cliFactory makes credentials of the person signed in to the Azure CLI.
func (c CredentialConfig) cliFactory() factory {
	return func() (azcore.TokenCredential, error) {
		return azidentity.NewAzureCLICredential(&azidentity.AzureCLICredentialOptions{TenantID: c.TenantID})
	}
}

// secretFactory makes client secret credentials.
func (c CredentialConfig) secretFactory(client *http.Client) factory {
	return func() (azcore.TokenCredential, error) {
		return azidentity.NewClientSecretCredential(c.TenantID, c.ClientID, c.ClientSecret, &azidentity.ClientSecretCredentialOptions{
			ClientOptions:            c.clientOptions(client),
			DisableInstanceDiscovery: c.Authority != "",
		})
	}
}

// certificateFactory reads the certificate once and makes credentials with it.
func (c CredentialConfig) certificateFactory(client *http.Client) (factory, error) {
	data, err := os.ReadFile(c.CertificateFile)
	if err != nil {
		return nil, fmt.Errorf("the certificate file cannot be read: %w", err)
	}
	certs, key, err := azidentity.ParseCertificates(data, []byte(c.CertificatePassword))
	if err != nil {
		return nil, fmt.Errorf("the certificate file %s cannot be used: %s (%s)", c.CertificateFile, c.hide(err.Error()), certificateHint(err))
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

// certificateHint says how a certificate file can be mended.
func certificateHint(err error) string {
	if strings.Contains(err.Error(), "algorithm") {
		return "a PFX with AES encryption cannot be read here: turn it into PEM with `openssl pkcs12 -in FILE.pfx -out FILE.pem -nodes`, or export it with 3DES and SHA-1"
	}
	return "PEM or PFX with certificate and private key is wanted; a PFX may need its password"
}
