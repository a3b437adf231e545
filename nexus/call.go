package nexus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"github.com/mde-ops/mde-ops/internal/azpipe"
)

// call describes one request to Resource Manager.
type call struct {
	// op is the client's method, under which errors and logs speak of the call.
	op string
	// method and route are what the service documents, e.g. "/subscriptions/{subscriptionId}/…"; path is the route filled.
	method, route, path string
	// version is the api-version; the path holds its own query when it is empty.
	version string
	// link is an absolute address, used instead of path and version.
	link string
	body any
	// header is set on the request.
	header map[string]string
	// permission is the action that the call needs.
	permission string
	// missing says what a 404 means.
	missing string
}

// address is where a call is sent.
func (what call) address(endpoint string) string {
	switch {
	case what.link != "":
		return what.link
	case what.version == "":
		return endpoint + what.path
	}
	return endpoint + what.path + "?api-version=" + url.QueryEscape(what.version)
}

// read performs a call that changes nothing.
func (c *Client) read(ctx context.Context, what call) (*http.Response, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.ReadTimeout)
	defer cancel()
	return c.exchange(ctx, what, azpipe.Operation{})
}

// write performs a call that changes something. It is sent again after a 429 only.
func (c *Client) write(ctx context.Context, what call) (*http.Response, []byte, error) {
	return c.exchange(ctx, what, azpipe.Operation{AttemptTimeout: c.opts.WriteTimeout})
}

// exchange sends a call and returns a success with its body. Its errors are *Error.
func (c *Client) exchange(ctx context.Context, what call, op azpipe.Operation) (*http.Response, []byte, error) {
	req, err := what.request(ctx, origin(c.endpoint))
	if err != nil {
		return nil, nil, refuse(what.op, errors.New("the request can't be made: "+azpipe.Redact(err.Error())))
	}
	op.Endpoint = what.method + " " + what.route
	req.SetOperationValue(op)
	start := time.Now()
	resp, err := c.arm.Do(req)
	var body []byte
	if err != nil {
		err = transportError(what.op, req.Raw(), err)
	} else if body, err = azpipe.Bytes(resp); err != nil {
		err = unreadable(what.op, resp, err)
	} else if resp.StatusCode < 200 || resp.StatusCode > 299 {
		err = responseError(what, resp, body)
	}
	c.log(ctx, what.op, op.Endpoint, resp, err, time.Since(start))
	return resp, body, err
}

// request builds the HTTP request.
func (what call) request(ctx context.Context, endpoint string) (*policy.Request, error) {
	req, err := runtime.NewRequest(ctx, what.method, what.address(endpoint))
	if err != nil {
		return nil, err
	}
	req.Raw().Header.Set("Accept", "application/json")
	for name, value := range what.header {
		req.Raw().Header.Set(name, value)
	}
	if what.body == nil {
		return req, nil
	}
	return req, runtime.MarshalAsJSON(req, what.body)
}

// decode reads the body of a success. An answer without one, or one that the service can't have written, such as a
// proxy's sign-in page, is an error.
func decode[T any](what call, resp *http.Response, body []byte) (*T, error) {
	var out *T
	err := json.Unmarshal(body, &out)
	switch {
	case len(bytes.TrimSpace(body)) == 0, err == nil && out == nil:
		return nil, unreadable(what.op, resp, errors.New("it is empty"))
	case err != nil:
		return nil, unreadable(what.op, resp, fmt.Errorf("it isn't the service's JSON: %w", err))
	}
	return out, nil
}

// log writes one debug record about a call: what, how it ended and the ids to find it by.
func (c *Client) log(ctx context.Context, op, endpoint string, resp *http.Response, err error, took time.Duration) {
	logger := c.opts.Logger
	if logger == nil || !logger.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{slog.String("op", op), slog.String("endpoint", endpoint), slog.Duration("took", took)}
	if resp != nil {
		attrs = append(attrs, slog.Int("status", resp.StatusCode), slog.String("correlation", correlationOf(resp)))
	}
	var failed *Error
	switch {
	case errors.As(err, &failed):
		attrs = append(attrs, slog.String("error", failed.Error()), slog.String("request_id", failed.RequestID))
	case resp != nil && resp.Request != nil:
		attrs = append(attrs, slog.String("request_id", resp.Request.Header.Get(headerRequestID)))
	}
	logger.LogAttrs(ctx, slog.LevelDebug, "nexus call", attrs...)
}
