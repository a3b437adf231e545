package azpipe

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// maxAssertion is more than any platform's token needs; a larger file is not one.
const maxAssertion = 64 << 10

// workload returns the configuration with what is empty taken from the variables that a platform such as Kubernetes
// sets. Only a credential of KindWorkload looks at them.
func (c CredentialConfig) workload() CredentialConfig {
	c.TenantID = firstOf(c.TenantID, os.Getenv("AZURE_TENANT_ID"))
	c.ClientID = firstOf(c.ClientID, os.Getenv("AZURE_CLIENT_ID"))
	c.TokenFile = firstOf(c.TokenFile, os.Getenv("AZURE_FEDERATED_TOKEN_FILE"))
	return c
}

// workloadFaults returns what is wrong with a workload identity. As a member of a chain it may be absent, because a
// chain is for running in several places.
func (c CredentialConfig) workloadFaults(chained bool) faultList {
	var faults faultList
	faults.add(c.ClientID == "" && !chained, "the client id is missing: configure it, or let the platform set AZURE_CLIENT_ID")
	if c.TokenFile == "" {
		faults.add(!chained, "the token file is missing: configure it, or let the platform set AZURE_FEDERATED_TOKEN_FILE")
		return faults
	}
	if _, err := c.assertion(); err != nil && (!chained || !errors.Is(err, fs.ErrNotExist)) {
		faults = append(faults, err)
	}
	return faults
}

// assertion reads the platform's token. Its errors never hold any of it.
func (c CredentialConfig) assertion() (string, error) {
	data, err := os.ReadFile(c.TokenFile)
	if err != nil {
		return "", fmt.Errorf("the token file cannot be read: %w", err)
	}
	text := strings.TrimSpace(string(data))
	switch {
	case text == "":
		return "", fmt.Errorf("the token file %s is empty", c.TokenFile)
	case len(data) > maxAssertion:
		return "", fmt.Errorf("the token file %s holds %d bytes: a token is at most %d long", c.TokenFile, len(data), maxAssertion)
	}
	return text, nil
}

// workloadFactory makes credentials that show the platform's token to the authority.
func (c CredentialConfig) workloadFactory(client *http.Client, chained bool) factory {
	if missing := c.workloadMissing(); missing != "" {
		// Not known here, so it is not known later either: the environment of a process does not change.
		return func() (azcore.TokenCredential, error) { return absent(missing), nil }
	}
	read := func(context.Context) (string, error) {
		text, err := c.assertion()
		if chained && errors.Is(err, fs.ErrNotExist) {
			return "", azidentity.NewCredentialUnavailableError(err.Error())
		}
		return text, err
	}
	return func() (azcore.TokenCredential, error) {
		return azidentity.NewClientAssertionCredential(c.TenantID, c.ClientID, read, &azidentity.ClientAssertionCredentialOptions{
			ClientOptions:            c.clientOptions(client),
			DisableInstanceDiscovery: c.Authority != "",
		})
	}
}

// workloadMissing says why there is no workload identity here, or nothing when there may be one.
func (c CredentialConfig) workloadMissing() string {
	switch {
	case c.TokenFile == "":
		return "no token file is configured and AZURE_FEDERATED_TOKEN_FILE is not set"
	case c.ClientID == "":
		return "no client id is configured and AZURE_CLIENT_ID is not set"
	}
	return ""
}
