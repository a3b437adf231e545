package mdecore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/internal/download"
	"github.com/mde-ops/mde-ops/mdecore/operations"
)

const (
	moduleName    = "mde-ops/mdecore"
	moduleVersion = "v0.1.0"

	defaultReadTimeout  = 5 * time.Minute
	defaultWriteTimeout = 20 * time.Second
)

// Options describe a client. The zero value talks to the public cloud with the documented limits.
type Options struct {
	// Cloud is where to send requests; Public when zero.
	Cloud Cloud
	// CAFile names a PEM file with certificates to trust besides the system's.
	CAFile string
	// HTTPClient replaces the client made from CAFile; redirects are never followed with either. Its transport also
	// fetches signed links, so that it must not add credentials.
	HTTPClient *http.Client
	// Logger receives one debug record per call, without tokens or bodies; nil for none.
	Logger *slog.Logger
	// TenantID and AppID name the account that the service counts calls for.
	TenantID, AppID string
	// Budgets may be shared by clients of the same account; own ones when nil.
	Budgets *Budgets
	// Limit replaces the documented call rates of all operations; the zero Limit switches them off.
	Limit *Limit
	// WriteTimeout limits one send of a write with its answer; 20 s when zero.
	WriteTimeout time.Duration
	// ReadTimeout limits a whole reading call, waits included; 5 min when zero.
	ReadTimeout time.Duration
	// MaxRetries is how often a call is sent again where that is safe; 3 when zero, never when negative.
	MaxRetries int
	// RetryDelay is the first wait when the service names none; 500 ms when zero.
	RetryDelay time.Duration
	// MaxWait is the longest wait taken before a call is handed back with RetryAfter; 60 s when zero.
	MaxWait time.Duration
	// Watch is told of every call, for traces and metrics; nobody is when nil.
	Watch Watch
}

// Client calls the MDE API of one tenant. It is safe for concurrent use.
type Client struct {
	mde, graph   service
	links        *download.Client
	cred         azcore.TokenCredential
	cloud        Cloud
	limit        *Limit
	readTimeout  time.Duration
	writeTimeout time.Duration
	logger       *slog.Logger
	warned       sync.Map // what warnOnce has said
}

// New returns a client that signs in with cred. When cred is a *Credential, a 401 is answered with a really new
// token. Faults of the options are reported here; the network is not touched.
func New(cred azcore.TokenCredential, opts Options) (*Client, error) {
	if opts.Cloud == (Cloud{}) {
		opts.Cloud = Public()
	}
	if opts.Budgets == nil {
		opts.Budgets = azpipe.NewBudgets(opts.MaxWait)
	}
	client := &Client{
		cred: cred, cloud: opts.Cloud, limit: opts.Limit,
		readTimeout: opts.ReadTimeout, writeTimeout: opts.WriteTimeout, logger: opts.Logger,
	}
	if opts.HTTPClient == nil {
		var err error
		if opts.HTTPClient, err = azpipe.NewHTTPClient(azpipe.TransportOptions{CAFile: opts.CAFile}); err != nil {
			return nil, fmt.Errorf("the Defender client cannot be made: %w", err)
		}
	}
	if err := client.connect(opts); err != nil {
		return nil, err
	}
	if client.readTimeout <= 0 {
		client.readTimeout = defaultReadTimeout
	}
	if client.writeTimeout <= 0 {
		client.writeTimeout = defaultWriteTimeout
	}
	return client, nil
}

// connect makes the three ways out: to the Defender API, to Microsoft Graph, and without any credential to signed links.
func (c *Client) connect(opts Options) (err error) {
	if c.mde, err = newService(c.cred, opts, opts.Cloud.Endpoint, opts.Cloud.Scope); err != nil {
		return fmt.Errorf("the Defender client cannot be made: %w", err)
	}
	if graph, scope := opts.Cloud.Graph, opts.Cloud.GraphScope; graph != "" {
		if scope == "" {
			scope = strings.TrimRight(graph, "/") + anyResource
		}
		if c.graph, err = newService(c.cred, opts, graph, scope); err != nil {
			return fmt.Errorf("the Microsoft Graph client cannot be made: %w", err)
		}
	}
	plain := opts.HTTPClient.Transport
	if plain == nil {
		plain = http.DefaultTransport
	}
	c.links, err = download.New(download.Options{CheckLink: opts.Cloud.LinkAllowed, RoundTripper: plain, MaxWait: opts.MaxWait})
	return err
}

// newService makes the pipeline to one API.
func newService(cred azcore.TokenCredential, opts Options, endpoint, scope string) (service, error) {
	pipeline, err := azpipe.New(azpipe.Options{
		Module: moduleName, Version: moduleVersion,
		Endpoint: endpoint, Scope: scope, Credential: cred,
		HTTPClient: opts.HTTPClient,
		MaxRetries: opts.MaxRetries, RetryDelay: opts.RetryDelay, MaxWait: opts.MaxWait,
		Budgets: opts.Budgets, Account: opts.AppID + "@" + opts.TenantID, Watch: opts.Watch,
	})
	return service{pipeline: pipeline, endpoint: strings.TrimRight(endpoint, "/")}, err
}

// Cloud returns where the client sends its requests.
func (c *Client) Cloud() Cloud { return c.cloud }

// TokenInfo returns what the client's token says about its holder: roles, expiry, tenant and application, never the
// token itself. It asks the sign-in service only when there is no token yet.
func (c *Client) TokenInfo(ctx context.Context) (TokenInfo, error) {
	info, err := azpipe.Roles(ctx, c.cred, c.cloud.Scope)
	if err != nil {
		return TokenInfo{}, &Error{Op: "TokenInfo", Message: "the token cannot be shown", Err: err}
	}
	return info, nil
}

// WithoutWaiting returns a context whose calls come back at once where they would otherwise sleep: a 429, a used-up
// budget or a server error is handed to the caller with RetryAfter.
func WithoutWaiting(ctx context.Context) context.Context { return azpipe.WithoutWaiting(ctx) }

// service is one of the two APIs that a client calls.
type service struct {
	pipeline runtime.Pipeline
	endpoint string
}

// get performs a reading call and decodes the answer into out.
func (c *Client) get(ctx context.Context, what call, out any) error {
	ctx, cancel := context.WithTimeout(ctx, c.readTimeout)
	defer cancel()
	return c.do(ctx, what, azpipe.Operation{Reads: true}, out)
}

// write performs a call that changes something and decodes the answer into out; nil when there is nothing to decode.
func (c *Client) write(ctx context.Context, what call, out any) error {
	return c.do(ctx, what, azpipe.Operation{AttemptTimeout: c.writeTimeout}, out)
}

// do sends one call and decodes its answer. Every error it returns is an *Error.
func (c *Client) do(ctx context.Context, what call, op azpipe.Operation, out any) error {
	_, _, err := c.exchange(ctx, what, op, func(resp *http.Response, body []byte) error { return decode(what.op, resp, body, out) })
	return err
}

// exchange sends one call and hands the body of a success to read, whose error is the call's. Every error it returns is
// an *Error.
func (c *Client) exchange(ctx context.Context, what call, op azpipe.Operation, read func(*http.Response, []byte) error) (*http.Response, []byte, error) {
	table, err := what.operation()
	if err == nil && table.Graph && c.cloud.Graph == "" {
		err = invalid("address of Microsoft Graph", "", "the cloud "+strconv.Quote(c.cloud.Name)+" has none: set Cloud.Graph to call operations of Graph")
	}
	if err != nil {
		return nil, nil, refuse(what.op, err)
	}
	req, err := c.request(ctx, what, table)
	if err != nil {
		// The cause may print an address, so it is kept as a text without secrets only.
		return nil, nil, &Error{Op: what.op, Message: "the request could not be made", Err: &azpipe.UnsentError{Err: errors.New(azpipe.Redact(err.Error()))}}
	}
	op.Endpoint, op.Limit = table.Endpoint(), c.limitOf(table)
	if what.upload != nil {
		op.Body, op.BodySize = what.upload.open, what.upload.size()
	}
	req.SetOperationValue(op)
	start := time.Now()
	var body []byte
	resp, err := c.service(table).pipeline.Do(req)
	if err != nil {
		err = transportError(what.op, req.Raw(), err)
	} else if body, err = successBody(what.op, resp); err == nil {
		err = read(resp, body)
	}
	if what.secrets != nil {
		err = hideSecrets(err, what.secrets...)
	}
	c.log(ctx, what.op, op.Endpoint, resp, err, time.Since(start))
	return resp, body, err
}

// service is where an operation lives.
func (c *Client) service(o operations.Operation) service {
	if o.Graph {
		return c.graph
	}
	return c.mde
}

// limitOf is the call rate kept for an operation: the options' one, otherwise the documented one. The usual one is kept as
// well where a page states none: no evidence says that such calls are free.
func (c *Client) limitOf(o operations.Operation) Limit {
	if c.limit != nil {
		return *c.limit
	}
	minute, hour := o.Limits()
	if limit := (Limit{PerMinute: minute, PerHour: hour}); limit != (Limit{}) {
		return limit
	}
	return DefaultLimit()
}

// request builds the HTTP request of a call.
func (c *Client) request(ctx context.Context, what call, table operations.Operation) (*policy.Request, error) {
	address := what.link
	if address == "" {
		address = what.address(c.service(table).endpoint, table.Path)
	}
	req, err := runtime.NewRequest(ctx, table.Method, address)
	if err != nil {
		return nil, err
	}
	req.Raw().Header.Set("Accept", "application/json")
	if what.upload != nil {
		req.Raw().Header.Set("Content-Type", what.upload.contentType)
	}
	if what.body != nil {
		return req, runtime.MarshalAsJSON(req, what.body)
	}
	return req, nil
}

// successBody is the body of a success, or an *Error of anything else.
func successBody(op string, resp *http.Response) ([]byte, error) {
	body, err := azpipe.Bytes(resp)
	if err != nil {
		return nil, responseError(op, resp, nil, err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, responseError(op, resp, body, nil)
	}
	return body, nil
}

// decode reads the body of a success into out; nil for an answer that says nothing.
func decode(op string, resp *http.Response, body []byte, out any) error {
	if out == nil {
		if len(bytes.TrimSpace(body)) > 0 && !json.Valid(body) {
			return responseError(op, resp, body, errForeign)
		}
		return nil
	}
	if len(body) == 0 {
		return responseError(op, resp, body, errEmpty)
	}
	if err := json.Unmarshal(body, out); err != nil {
		return responseError(op, resp, body, fmt.Errorf("the answer cannot be read: %w", err))
	}
	return nil
}

// errEmpty is the fault of an answer that should say something.
var errEmpty = errors.New("the answer is empty")

// errForeign is the fault of a success that the service cannot have written, such as a proxy's sign-in page.
var errForeign = errors.New("the answer is not the service's: it is no JSON")

// log writes one debug record about a call: what, how it ended and the ids to find it by.
func (c *Client) log(ctx context.Context, op, endpoint string, resp *http.Response, err error, took time.Duration) {
	if c.logger == nil || !c.logger.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{slog.String("op", op), slog.String("endpoint", endpoint), slog.Duration("took", took)}
	if resp != nil {
		attrs = append(attrs, slog.Int("status", resp.StatusCode))
		if id := azpipe.ServiceRequestID(resp); id != "" {
			attrs = append(attrs, slog.String("service_request_id", id))
		}
	}
	var failed *Error
	switch {
	case errors.As(err, &failed):
		attrs = append(attrs, slog.String("error", failed.Error()), slog.String("request_id", failed.RequestID))
	case resp != nil && resp.Request != nil:
		attrs = append(attrs, slog.String("request_id", resp.Request.Header.Get("x-ms-client-request-id")))
	}
	c.logger.LogAttrs(ctx, slog.LevelDebug, "mde call", attrs...)
}

// warnOnce writes a warning once in the client's life: about what the service has retired, for those who still use it.
func (c *Client) warnOnce(ctx context.Context, about, message string, attrs ...slog.Attr) {
	if c.logger == nil {
		return
	}
	if _, said := c.warned.LoadOrStore(about, true); !said {
		c.logger.LogAttrs(ctx, slog.LevelWarn, message, attrs...)
	}
}
