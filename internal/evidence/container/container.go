// Package container makes clients of containers in Azure Blob Storage, with tokens of Entra ID only: account keys and shared
// access signatures (SAS) are not taken.
package container

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// Options say which container to open and as whom.
type Options struct {
	// URL is azblob://container?storage_account=name.
	URL string
	// Credential gets tokens of Entra ID.
	Credential azcore.TokenCredential
	// Domain is the storage domain of the cloud; blob.core.windows.net unless set.
	Domain string
	// Transport sends requests; the SDK's own unless set.
	Transport policy.Transporter
}

var (
	accountText   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-z]+$`) })
	containerText = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-z]+(-[0-9a-z]+)*$`) })
)

// New makes a client of the container. Nothing is asked of it yet. Errors don't show the URL's query.
func New(o Options) (*container.Client, error) {
	if o.Credential == nil {
		return nil, errors.New("azure: no credential (Options.Credential); evidence is reached with tokens of Entra ID only")
	}
	if o.Domain == "" {
		o.Domain = "blob.core.windows.net"
	}
	name, account, err := parse(o.URL)
	if err != nil {
		return nil, err
	}
	opts := &container.ClientOptions{}
	opts.Transport = o.Transport
	client, err := container.NewClient("https://"+account+"."+o.Domain+"/"+name, o.Credential, opts)
	if err != nil {
		return nil, fmt.Errorf("the evidence container can't be opened: %w", err)
	}
	return client, nil
}

// parse reads the container and the account. It names parameters and never their values.
func parse(text string) (name, account string, err error) {
	const want = "; it has to be azblob://container?storage_account=name"
	u, err := url.Parse(text)
	if err != nil {
		return "", "", errors.New("the evidence URL can't be read" + want)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil || u.Scheme != "azblob" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.Fragment != "" || u.Opaque != "" {
		return "", "", errors.New("the evidence URL holds more than a container and an account, or can't be read" + want)
	}
	for key := range query {
		switch {
		case key == "storage_account":
		case slices.Contains([]string{"sas_token", "sig", "se", "sp", "sv", "sr", "st"}, strings.ToLower(key)):
			return "", "", errors.New("the evidence URL holds a shared access signature, which is not taken; give the program's identity " +
				"the role Storage Blob Data Contributor on the container, and revoke the signature")
		default:
			return "", "", fmt.Errorf("the evidence URL holds the parameter %.20q%s", key, want)
		}
	}
	name, account = u.Host, query.Get("storage_account")
	if len(query["storage_account"]) != 1 || len(account) < 3 || len(account) > 24 || !accountText().MatchString(account) {
		return "", "", errors.New("the evidence URL names no storage account (3 to 24 lower-case letters and digits)" + want)
	}
	if len(name) < 3 || len(name) > 63 || !containerText().MatchString(name) {
		return "", "", errors.New("the evidence URL names no container (3 to 63 lower-case letters, digits and single hyphens)" + want)
	}
	return name, account, nil
}
