package nexus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/mde-ops/mde-ops/internal/azpipe"
)

const routeOperation = "/subscriptions/{subscriptionId}/providers/Microsoft.NetworkCloud/locations/{location}/operationStatuses/{operationId}"

// maxOperation is the longest address of an operation that is taken; a signed one has some 3,000 characters.
const maxOperation = 8 << 10

var operationPath = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)^/subscriptions/(` + guidText + `)/providers/Microsoft\.NetworkCloud/locations/[\w-]{1,64}/operationStatuses/[a-z0-9](?:[\w*-]|%2a){0,199}$`)
})

var versionPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\d{4}-\d{2}-\d{2}(?:-[a-z]{1,20})?$`)
})

// signaturePattern is what a value of Resource Manager's signature of an address looks like.
var signaturePattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[\w.+/=~-]+$`)
})

// parseOperation reads the path and query of an operation's address, and returns them in one spelling, with the
// subscription. Of the query it keeps api-version and the signature that Resource Manager puts on such addresses (t, c, s
// and h), without which it may not answer; anything else, such as a signature of storage, is dropped.
func parseOperation(text string) (operation, subscription string, err error) {
	u, err := url.Parse(text)
	if err != nil || len(text) > maxOperation || u.Scheme != "" || u.Host != "" || u.User != nil || u.Fragment != "" {
		return "", "", errors.New("it is not a path and query")
	}
	m := operationPath().FindStringSubmatch(u.EscapedPath())
	if m == nil {
		return "", "", fmt.Errorf("its path %q is not one of an operation of %s", word(u.EscapedPath()), provider)
	}
	given, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "", "", errors.New("its query can't be read")
	}
	kept := url.Values{"api-version": {versionBase}}
	for name, pattern := range map[string]*regexp.Regexp{
		"api-version": versionPattern(), "t": signaturePattern(), "c": signaturePattern(), "s": signaturePattern(), "h": signaturePattern(),
	} {
		switch value := given.Get(name); {
		case value == "":
		case !pattern.MatchString(value):
			return "", "", fmt.Errorf("its query's %s is not what it should be", name)
		default:
			kept.Set(name, value)
		}
	}
	return u.EscapedPath() + "?" + kept.Encode(), m[1], nil
}

// OperationName is the part of [Accepted.Operation] that may be shown: its path, without the signature that Azure Resource
// Manager may have put on it.
func OperationName(operation string) string {
	name, _, _ := strings.Cut(operation, "?")
	return name
}

// start sends a call that begins a long operation.
func (c *Client) start(ctx context.Context, what call, on ID) (Accepted, error) {
	resp, body, err := c.write(ctx, what)
	if err != nil {
		return Accepted{}, err
	}
	if done, stated, err := c.accepted(what, on, resp); stated {
		return done, err
	}
	// A 200 is documented to hold the operation itself.
	w, err := decode[statusWire](what, resp, body)
	if err != nil {
		return Accepted{}, err
	}
	operation, subscription, err := parseOperation(w.ID)
	if err != nil || !strings.EqualFold(subscription, on.Subscription) {
		return Accepted{}, unfollowed(what.op, resp, "the answer names no address of the operation")
	}
	return Accepted{Operation: operation, RetryAfter: retryAfter(resp)}, nil
}

// accepted reads the address of an operation out of an answer's header. stated is false when there is none and the answer
// does not need one.
func (c *Client) accepted(what call, on ID, resp *http.Response) (done Accepted, stated bool, err error) {
	address := resp.Header.Get("Azure-AsyncOperation")
	if address == "" {
		address = resp.Header.Get("Location")
	}
	if address == "" {
		if resp.StatusCode == http.StatusAccepted {
			return Accepted{}, true, unfollowed(what.op, resp, "the answer names no address of the operation")
		}
		return Accepted{}, false, nil
	}
	operation, err := c.operationAt(address, on)
	if err != nil {
		return Accepted{}, true, unfollowed(what.op, resp, err.Error())
	}
	return Accepted{Operation: operation, RetryAfter: retryAfter(resp)}, true, nil
}

// operationAt is the operation at an address that the service named for a call on a resource.
func (c *Client) operationAt(address string, on ID) (string, error) {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || u.Opaque != "" {
		return "", errors.New("the address of the operation can't be followed: it is not an address")
	}
	u = c.endpoint.ResolveReference(u)
	if origin(u) != origin(c.endpoint) || u.User != nil {
		return "", fmt.Errorf("the address of the operation can't be followed: it leads to %s instead of %s", word(u.Host), c.endpoint.Host)
	}
	operation, subscription, err := parseOperation((&url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}).String())
	if err != nil {
		return "", fmt.Errorf("the address of the operation can't be followed: %w", err)
	}
	if !strings.EqualFold(subscription, on.Subscription) {
		return "", fmt.Errorf("the address of the operation can't be followed: it is of subscription %s instead of %s", subscription, on.Subscription)
	}
	return operation, nil
}

// unfollowed is the error of a call that was accepted and whose end can't be seen. It is neither NotSent nor Refused.
func unfollowed(op string, resp *http.Response, why string) error {
	failed := answered(op, resp)
	failed.Message = "accepted, but " + why
	return failed
}

func retryAfter(resp *http.Response) time.Duration {
	wait, _ := azpipe.RetryAfter(resp.Header, time.Now())
	return wait
}

// OperationStatus looks at an operation once, by its path and query. An operation that the service no longer knows is an
// error for which [IsNotFound] holds; an operation that failed is no error. Operation operationStatuses, as documented with
// each call that begins one.
func (c *Client) OperationStatus(ctx context.Context, operation string) (*OperationStatus, error) {
	status, _, err := c.status(ctx, "OperationStatus", operation)
	return status, err
}

// status looks at an operation and returns the address of its result as well, which must not leave this package.
func (c *Client) status(ctx context.Context, op, operation string) (*OperationStatus, string, error) {
	path, _, err := parseOperation(operation)
	if err != nil {
		return nil, "", refuse(op, fmt.Errorf("%q is not the path and query of an operation: %w", word(OperationName(operation)), err))
	}
	what := call{
		op: op, method: http.MethodGet, route: routeOperation, path: path, permission: permitReadOperations,
		missing: "the operation is no longer known to the service, so that its outcome can't be told from it",
	}
	resp, body, err := c.read(ctx, what)
	if err != nil {
		return nil, "", err
	}
	w := &statusWire{}
	if len(bytes.TrimSpace(body)) > 0 {
		if w, err = decode[statusWire](what, resp, body); err != nil {
			return nil, "", err
		}
	}
	status, link := w.status(resp)
	return status, link, nil
}

// statusWire is what is read of an OperationStatusResult, or of whatever else a Location ends in.
type statusWire struct {
	ID, ResourceID, Status string
	StartTime, EndTime     moment
	Error                  *errorWire
	Properties             *struct {
		ExitCode                         loose
		OutputHead, ResultRef, ResultURL string
		ProvisioningState                string
	}
}

// status makes an OperationStatus, and the address of the result.
func (w *statusWire) status(resp *http.Response) (*OperationStatus, string) {
	out := &OperationStatus{
		Status: word(w.Status), ResourceID: line(w.ResourceID, maxMessage), Start: w.StartTime.Time, End: w.EndTime.Time, RetryAfter: retryAfter(resp),
	}
	link := ""
	if p := w.Properties; p != nil {
		if out.Status == "" {
			out.Status = word(p.ProvisioningState) // a Location can end in the resource
		}
		out.ExitCode, out.OutputHead = word(string(p.ExitCode)), clean(p.OutputHead, maxHead)
		if link = p.ResultURL; link == "" {
			link = p.ResultRef
		}
		out.HasResult = link != ""
	}
	if w.Error != nil {
		out.Code, out.Message = w.Error.text()
	}
	out.State = stateOf(out.Status, resp.StatusCode)
	return out, link
}

// stateOf reads a status word. Without one, a 202 is an operation that runs, and a 200 the end of one that is followed by
// its Location.
func stateOf(status string, code int) OperationState {
	switch strings.ToLower(status) {
	case "succeeded", "completed":
		return Succeeded
	case "failed":
		return Failed
	case "canceled", "cancelled":
		return Canceled
	case "":
		if code != http.StatusAccepted {
			return Succeeded
		}
	}
	return Running
}
