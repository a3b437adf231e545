package nexus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/internal/azpipe"
)

const (
	headerRequestID   = "x-ms-client-request-id"
	headerCorrelation = "x-ms-correlation-request-id"
)

// Error is the one error type of this package's calls.
type Error struct {
	// Op is the method that failed, e.g. "ScanRuntime".
	Op string
	// Status is the HTTP status, or 0 when there was no answer. Code and Message are the service's, without secrets, or
	// ours where there was none.
	Status        int
	Code, Message string
	// Action is the permission that a 403 says is missing, e.g. Microsoft.NetworkCloud/clusters/scanRuntime/action, and Scope
	// where.
	Action, Scope string
	// RequestID is the x-ms-client-request-id that we sent; CorrelationID is Azure's, which its support asks for.
	RequestID, CorrelationID string
	// RetryAfter is how long the service asks to wait; zero when it did not say.
	RetryAfter time.Duration
	// Err is the cause, nil when the service's answer is all there is.
	Err error

	// advice says what the answer means and who can mend it.
	advice string
}

// Error implements error. What to do comes first, because the end may be cut where it is shown.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op + ": ")
	if e.Status >= http.StatusBadRequest {
		fmt.Fprintf(&b, "Azure answered %d", e.Status)
		if e.Code != "" {
			b.WriteString(" " + e.Code)
		}
		b.WriteString(": ")
	}
	text := e.Message
	if e.advice != "" {
		text = e.advice
		if e.Message != "" && e.Action == "" {
			text += " (" + e.Message + ")"
		}
	}
	b.WriteString(text)
	if e.Err != nil && e.Message != e.Err.Error() {
		b.WriteString(": " + e.Err.Error())
	}
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, " (try again in %s)", e.RetryAfter.Round(time.Millisecond))
	}
	if e.CorrelationID != "" {
		b.WriteString(" [correlation " + e.CorrelationID + "]")
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// NotSent reports whether err proves that a call was never accepted: it was stopped before it reached the service, or
// answered with 401 or 429. Such a call may be made again.
func NotSent(err error) bool {
	switch statusOf(err) {
	case http.StatusUnauthorized, http.StatusTooManyRequests:
		return true
	}
	return azpipe.NotSent(err)
}

// Refused reports whether the service gave a definite no (a 4xx), so that nothing was done and asking the same again is
// useless. 401 and 429 are NotSent; 408 and 499 leave open what happened, so they are neither. Of a write, an error that is
// neither NotSent nor Refused may have been done all the same, and must not be sent again.
func Refused(err error) bool {
	status := statusOf(err)
	switch status {
	case http.StatusUnauthorized, http.StatusRequestTimeout, http.StatusTooManyRequests, 499:
		return false
	}
	return status >= 400 && status <= 499
}

// Changed reports that the resource has been changed since it was read (412): nothing was done.
func Changed(err error) bool { return statusOf(err) == http.StatusPreconditionFailed }

// IsNotFound reports whether the service said that the resource does not exist.
func IsNotFound(err error) bool { return statusOf(err) == http.StatusNotFound }

// Unusable reports that a result was refused by this client for what it is: an address that must not be followed, more content
// than is taken, or content that is not what its storage states. To fetch it again gives the same.
func Unusable(err error) bool {
	var refused unusable
	return errors.As(err, &refused)
}

// unusable marks a fault of a result itself.
type unusable struct{ error }

// Unwrap returns the fault.
func (u unusable) Unwrap() error { return u.error }

// RetryAfter returns how long err asks to wait before trying again, or zero.
func RetryAfter(err error) time.Duration {
	var failed *Error
	if errors.As(err, &failed) && failed.RetryAfter > 0 {
		return failed.RetryAfter
	}
	return azpipe.RetryAfterOf(err)
}

// statusOf is the HTTP status of an *Error, 0 for any other.
func statusOf(err error) int {
	var failed *Error
	if errors.As(err, &failed) {
		return failed.Status
	}
	return 0
}

// unsent marks a fault that was found before anything was sent.
type unsent struct{ error }

// Unwrap returns the fault.
func (u unsent) Unwrap() error { return u.error }

// NotSent is always true.
func (unsent) NotSent() bool { return true }

// refuse makes an error of what is wrong with a call's arguments.
func refuse(op string, err error) error {
	return &Error{Op: op, Message: "nothing was sent", Err: unsent{err}}
}

// errorWire is Resource Manager's error, in an answer of its own or in an operation's.
type errorWire struct {
	Code, Message string
	Details       []struct{ Code, Message string }
}

// text is the code and the message; those of the first detail where the error itself says nothing.
func (w errorWire) text() (code, message string) {
	if w.Code == "" && w.Message == "" && len(w.Details) > 0 {
		return word(w.Details[0].Code), line(w.Details[0].Message, maxMessage)
	}
	return word(w.Code), line(w.Message, maxMessage)
}

// responseError makes an *Error of an answer that is no success.
func responseError(what call, resp *http.Response, body []byte) error {
	failed := answered(what.op, resp)
	var parsed struct{ Error errorWire }
	if json.Unmarshal(body, &parsed) == nil {
		failed.Code, failed.Message = parsed.Error.text()
	}
	if failed.Status == http.StatusForbidden {
		failed.Action, failed.Scope = parseForbidden(failed.Message)
	}
	failed.advice = advice(what, failed)
	if failed.advice == "" && failed.Message == "" {
		failed.Message = strings.ToLower(http.StatusText(failed.Status))
	}
	return failed
}

// answered begins an *Error about an answer.
func answered(op string, resp *http.Response) *Error {
	failed := &Error{Op: op, Status: resp.StatusCode, CorrelationID: correlationOf(resp)}
	if resp.Request != nil {
		failed.RequestID = resp.Request.Header.Get(headerRequestID)
	}
	failed.RetryAfter, _ = azpipe.RetryAfter(resp.Header, time.Now())
	return failed
}

// correlationOf is the id by which Azure's support finds a call.
func correlationOf(resp *http.Response) string {
	if id := resp.Header.Get(headerCorrelation); id != "" {
		return word(id)
	}
	return word(azpipe.ServiceRequestID(resp))
}

// unreadable is the error of an answer that can't be used. Of a write it leaves open what was done.
func unreadable(op string, resp *http.Response, cause error) error {
	failed := answered(op, resp)
	failed.Message, failed.Err = "the answer can't be used", cause
	return failed
}

// transportError makes an *Error of a call that got no answer.
func transportError(op string, req *http.Request, err error) error {
	failed := &Error{
		Op: op, Message: "no usable answer from " + req.URL.Host, Err: hide(err, req), RetryAfter: azpipe.RetryAfterOf(err),
		RequestID: req.Header.Get(headerRequestID),
	}
	switch {
	case azpipe.NotSent(err):
		failed.Message = "nothing was sent"
	case errors.Is(err, context.DeadlineExceeded):
		failed.Message = "no answer from " + req.URL.Host + " in the time allowed"
	}
	return failed
}

// hidden replaces an error that printed the query of an address, which can hold a signature. It leads back only to what
// callers ask for.
type hidden struct {
	text  string
	cause error
}

// hide takes a request's query out of an error's text.
func hide(err error, req *http.Request) error {
	if req == nil || req.URL.RawQuery == "" || !strings.Contains(err.Error(), req.URL.RawQuery) {
		return err
	}
	return &hidden{text: strings.ReplaceAll(err.Error(), "?"+req.URL.RawQuery, ""), cause: err}
}

// Error implements error.
func (h *hidden) Error() string { return redact(h.text) }

// Is reports whether the call ended because its context did.
func (h *hidden) Is(target error) bool {
	return (target == context.Canceled || target == context.DeadlineExceeded) && errors.Is(h.cause, target)
}

// NotSent is the cause's.
func (h *hidden) NotSent() bool { return azpipe.NotSent(h.cause) }
