package azpipe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// platformConnect limits the connection to the platform's endpoint in a chain. The endpoint is on the machine or its
// link, so that silence means that there is none, and the next member must get its turn within the token's 30 s.
const platformConnect = 3 * time.Second

// platformClient is the HTTP client for the platform's endpoint. The endpoint gives tokens, in clear, to whoever asks from
// this machine, so that no proxy may come between.
func (c CredentialConfig) platformClient(chained bool) (*http.Client, error) {
	limits := TransportOptions{HeaderTimeout: defaultTokenTimeout}
	if chained {
		limits.ConnectTimeout = platformConnect
	}
	client, err := NewHTTPClient(limits)
	if err != nil {
		return nil, err
	}
	base, ok := client.Transport.(*http.Transport)
	if !ok {
		return nil, errors.New("azpipe: the HTTP client's transport cannot be kept from using a proxy")
	}
	base.Proxy = nil
	if c.dial != nil {
		base.DialContext = c.dial
	}
	return client, nil
}

// managedFactory makes managed identity credentials.
func (c CredentialConfig) managedFactory(chained bool) (factory, error) {
	client, err := c.platformClient(chained)
	if err != nil {
		return nil, err
	}
	return func() (azcore.TokenCredential, error) {
		platform := &platform{client: client, chained: chained}
		opts := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: c.clientOptions(platform)}
		if c.ClientID != "" {
			opts.ID = azidentity.ClientID(c.ClientID)
		}
		cred, err := azidentity.NewManagedIdentityCredential(opts)
		if err != nil {
			return nil, err
		}
		return &managed{cred: cred, platform: platform, asked: map[string]bool{}}, nil
	}, nil
}

// managed is a managed identity. azidentity keeps the tokens of all of them in one cache of the process, which outlives
// the credential, so that a new credential alone would hand the refused token out again: the first request of each
// credential and scope goes past that cache. (The platform has a cache of its own, which nobody can empty.)
type managed struct {
	cred     azcore.TokenCredential
	platform *platform

	mu    sync.Mutex // one request at a time: azidentity would let every waiting caller send its own
	asked map[string]bool
}

// GetToken implements azcore.TokenCredential.
func (m *managed) GetToken(ctx context.Context, opts policy.TokenRequestOptions) (azcore.AccessToken, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	scope := strings.Join(opts.Scopes, " ")
	if !m.asked[scope] && opts.Claims == "" {
		opts.Claims = "{}" // claims lead past the cache; they are not sent to the platform
	}
	m.platform.absent = nil
	token, err := m.cred.GetToken(ctx, opts)
	if err != nil && m.platform.absent != nil {
		return token, azidentity.NewCredentialUnavailableError(m.platform.absent.Error())
	}
	m.asked[scope] = m.asked[scope] || err == nil
	return token, err
}

// platform sends to the machine's identity endpoint. In a chain it notes that nothing is there.
type platform struct {
	client  *http.Client
	chained bool
	absent  error // guarded by managed.mu
}

// Do implements policy.Transporter.
func (p *platform) Do(req *http.Request) (*http.Response, error) {
	resp, err := p.client.Do(req)
	var op *net.OpError
	if p.chained && errors.As(err, &op) && op.Op == "dial" && req.Context().Err() == nil {
		p.absent = &absentError{fmt.Errorf("no managed identity here: nothing answers at %s", req.URL.Host)}
		return nil, p.absent
	}
	return resp, err
}

// absentError keeps azcore from trying again.
type absentError struct{ error }

// NonRetriable tells azcore that trying again changes nothing.
func (*absentError) NonRetriable() {}
