package azpipe

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// Options describe a pipeline to one service.
type Options struct {
	// Module and Version name the client in the User-Agent header.
	Module, Version string
	// Endpoint is the only place requests may go to, e.g. https://api.security.microsoft.com.
	Endpoint string
	// Scope is what tokens are asked for, e.g. https://api.securitycenter.microsoft.com/.default.
	Scope string
	// Credential gives the tokens. When it is a *Renewable, a 401 yields a really new one.
	Credential azcore.TokenCredential
	// HTTPClient replaces the client that Transport describes. Its redirects are switched off.
	HTTPClient *http.Client
	// Transport describes the client to make when HTTPClient is nil.
	Transport TransportOptions
	// BodyIdle limits silence inside an answer's body; 30 s when zero.
	BodyIdle time.Duration
	// MaxBody limits answers that are read into memory; 256 MB when zero.
	MaxBody int64
	// MaxRetries is how often a request is sent again; 3 when zero, never when negative.
	MaxRetries int
	// RetryDelay is the first wait when the service names none; 500 ms when zero.
	RetryDelay time.Duration
	// MaxWait is the longest wait taken without asking the caller; 60 s when zero.
	MaxWait time.Duration
	// Budgets counts calls; own ones when nil.
	Budgets *Budgets
	// Account is the application and tenant that the service counts calls for.
	Account string
	// Watch is told of every call; nobody is when nil.
	Watch Watch
}

// New returns a pipeline with all policies of the package. Its requests may carry an Operation.
func New(opts Options) (runtime.Pipeline, error) {
	if opts.Credential == nil {
		return runtime.Pipeline{}, errors.New("azpipe: no credential given")
	}
	if opts.Scope == "" {
		return runtime.Pipeline{}, errors.New("azpipe: no token scope given")
	}
	endpoint, err := ParseEndpoint(opts.Endpoint)
	if err != nil {
		return runtime.Pipeline{}, err
	}
	client, err := clientOf(opts)
	if err != nil {
		return runtime.Pipeline{}, err
	}
	if opts.Budgets == nil {
		opts.Budgets = NewBudgets(opts.MaxWait)
	}
	var watched []policy.Policy
	if opts.Watch != nil {
		watched = []policy.Policy{watchPolicy{opts.Watch}}
	}
	return runtime.NewPipeline(opts.Module, opts.Version, runtime.PipelineOptions{
		// All of ours stand before azcore's retry policy, which would replace their errors by the context's.
		PerCall: append(watched,
			runtime.NewRequestIDPolicy(),
			newRetryPolicy(opts),
			hostPin{want: origin(endpoint)},
			renewPolicy{cred: opts.Credential},
			budgetPolicy{budgets: opts.Budgets, account: opts.Account},
			runtime.NewBearerTokenPolicy(&tokenGuard{cred: opts.Credential}, []string{opts.Scope}, &policy.BearerTokenOptions{
				// The pin has let the request through, so http can only be the configured loopback address.
				InsecureAllowCredentialWithHTTP: endpoint.Scheme == "http",
			}),
			attemptPolicy{},
			bufferPolicy{maxBody: maxBodyOf(opts)},
		),
	}, &policy.ClientOptions{
		// azcore's retry policy is switched off: it would send writes again.
		Retry:     policy.RetryOptions{MaxRetries: -1},
		Transport: &transport{client: client, idle: orDefault(opts.BodyIdle, defaultIdleTimeout)},
	}), nil
}

// newRetryPolicy fills in the defaults.
func newRetryPolicy(opts Options) *retryPolicy {
	p := &retryPolicy{
		maxRetries: opts.MaxRetries,
		delay:      orDefault(opts.RetryDelay, defaultRetryDelay),
		maxWait:    orDefault(opts.MaxWait, defaultMaxWait),
	}
	if p.maxRetries == 0 {
		p.maxRetries = defaultMaxRetries
	}
	return p
}

// maxBodyOf returns the size limit of buffered answers.
func maxBodyOf(opts Options) int64 {
	if opts.MaxBody <= 0 {
		return defaultMaxBody
	}
	return opts.MaxBody
}

// clientOf returns the HTTP client to use. A given one is copied, so that switching off redirects does not change it for
// its owner.
func clientOf(opts Options) (*http.Client, error) {
	if opts.HTTPClient == nil {
		client, err := NewHTTPClient(opts.Transport)
		if err != nil {
			return nil, fmt.Errorf("cannot make the HTTP client: %w", err)
		}
		return client, nil
	}
	client := *opts.HTTPClient
	client.CheckRedirect = NoRedirect
	return &client, nil
}
