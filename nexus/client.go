package nexus

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/internal/download"
)

const (
	moduleName    = "mde-ops/nexus"
	moduleVersion = "v0.1.0"

	defaultReadTimeout  = 5 * time.Minute
	defaultWriteTimeout = 20 * time.Second
	defaultMaxResult    = 64 << 20

	// maxAnswer bounds an answer of Resource Manager: a page of nodes is some hundred kilobytes.
	maxAnswer = 32 << 20
)

// Options describe a client. The zero value talks to the public cloud.
type Options struct {
	// Cloud is where to send requests; Public when zero.
	Cloud Cloud
	// CAFile names a PEM file with certificates to trust besides the system's.
	CAFile string
	// HTTPClient replaces the client made from CAFile; redirects are never followed with either. Its transport also
	// fetches signed results, so that it must not add credentials.
	HTTPClient *http.Client
	// Logger receives one debug record per call, without tokens or bodies; nil for none.
	Logger *slog.Logger
	// WriteTimeout limits one send of a write with its answer; 20 s when zero. ReadTimeout limits a whole reading call; 5 min.
	// Neither limits the body of a result, which may be slow and must not be silent.
	WriteTimeout, ReadTimeout time.Duration
	// RetryDelay is the first wait when the service names none; 500 ms when zero. MaxWait is the longest wait taken before a
	// call is handed back with RetryAfter; 60 s when zero.
	RetryDelay, MaxWait time.Duration
	// MaxResult is the largest result taken, in bytes as they are sent; 64 MB when zero.
	MaxResult int64
	// Watch is told of every call; nobody is when nil.
	Watch azpipe.Watch
}

// Client calls Azure Resource Manager and reads results. It is safe for concurrent use.
type Client struct {
	cred     azcore.TokenCredential
	opts     Options
	endpoint *url.URL
	arm      runtime.Pipeline
	links    *download.Client
	// dated are the subscriptions, in lower case, whose service does not take the newest api-version.
	dated sync.Map
	// storage holds a pipeline for each origin of customers' containers.
	storageMu sync.Mutex
	storage   map[string]runtime.Pipeline
}

// New returns a client that signs in with cred. When cred can be renewed, a 401 is answered with a really new token.
// Faults of the options are reported here; the network is not touched.
func New(cred azcore.TokenCredential, o Options) (*Client, error) {
	c := &Client{cred: cred, opts: withDefaults(o), storage: map[string]runtime.Pipeline{}}
	if err := c.connect(); err != nil {
		return nil, fmt.Errorf("the client of Nexus clusters can't be made: %w", err)
	}
	return c, nil
}

func withDefaults(o Options) Options {
	if o.Cloud == (Cloud{}) {
		o.Cloud = Public()
	}
	if o.ReadTimeout <= 0 {
		o.ReadTimeout = defaultReadTimeout
	}
	if o.WriteTimeout <= 0 {
		o.WriteTimeout = defaultWriteTimeout
	}
	if o.MaxResult <= 0 {
		o.MaxResult = defaultMaxResult
	}
	return o
}

// connect makes the ways out: to Resource Manager, and without any credential to signed results. Those to customers'
// containers are made when a result is in one.
func (c *Client) connect() (err error) {
	cloud := c.opts.Cloud
	if c.endpoint, err = azpipe.ParseEndpoint(cloud.Endpoint); err != nil {
		return err
	}
	if c.endpoint.Path != "" {
		return fmt.Errorf("the address %q of Azure Resource Manager must end with the host", cloud.Endpoint)
	}
	if cloud.StorageScope == "" || cloud.Storage == "" && !azpipe.IsLoopback(c.endpoint.Hostname()) {
		return fmt.Errorf("the cloud %q names no storage of results: set Storage and StorageScope", cloud.Name)
	}
	if c.opts.HTTPClient == nil {
		if c.opts.HTTPClient, err = azpipe.NewHTTPClient(azpipe.TransportOptions{CAFile: c.opts.CAFile}); err != nil {
			return err
		}
	}
	if c.arm, err = c.pipeline(cloud.Endpoint, cloud.Scope); err != nil {
		return err
	}
	plain := c.opts.HTTPClient.Transport
	if plain == nil {
		plain = http.DefaultTransport
	}
	c.links, err = download.New(download.Options{
		CheckLink: cloud.resultAllowed, RoundTripper: noting{plain}, MaxWait: c.opts.MaxWait,
	})
	return err
}

// pipeline makes the way to one host with tokens of one scope.
func (c *Client) pipeline(endpoint, scope string) (runtime.Pipeline, error) {
	return azpipe.New(azpipe.Options{
		Module: moduleName, Version: moduleVersion, Endpoint: endpoint, Scope: scope, Credential: c.cred,
		HTTPClient: c.opts.HTTPClient, MaxBody: maxAnswer, RetryDelay: c.opts.RetryDelay, MaxWait: c.opts.MaxWait,
		Watch: c.opts.Watch,
	})
}

// Cloud returns where the client sends its requests.
func (c *Client) Cloud() Cloud { return c.opts.Cloud }

// origin is scheme and host of an address in one spelling: lower case, without the scheme's default port.
func origin(u *url.URL) string {
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	return scheme + "://" + host
}
