package mdecore

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

// maxErrorBody is how much of an answer an Error keeps.
const maxErrorBody = 64 << 10

// Error is the one error type of this package's calls.
type Error struct {
	// Op is the method that failed, e.g. "IsolateMachine".
	Op string
	// Status is the HTTP status, or 0 when there was no answer.
	Status int
	// Code is the service's error code, e.g. "ResourceNotFound", or "".
	Code string
	// Message is the service's text, or ours when there was none. It may hold text that others wrote.
	Message string
	// RequestID is the x-ms-client-request-id that we sent.
	RequestID string
	// Target is the service's correlation id: Microsoft's support asks for it.
	Target string
	// RetryAfter is how long the service, or our own budget, asks to wait; zero when nothing was said.
	RetryAfter time.Duration
	// Body is the answer as it came, at most 64 KB, with secrets taken out.
	Body []byte
	// Err is the cause, nil when the service's answer is all there is.
	Err error
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	b.WriteString(": ")
	if e.Status != 0 {
		fmt.Fprintf(&b, "the service answered %d", e.Status)
		if e.Code != "" {
			b.WriteString(" " + e.Code)
		}
		b.WriteString(": ")
	}
	b.WriteString(e.Message)
	if e.Err != nil && e.Message != e.Err.Error() {
		b.WriteString(": " + e.Err.Error())
	}
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, " (try again in %s)", e.RetryAfter.Round(time.Millisecond))
	}
	if e.Target != "" {
		b.WriteString(" [correlation " + e.Target + "]")
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// NotSent reports whether err proves that a call was never accepted: it was stopped before it reached the service, or
// answered with 401 or 429. Such a call may be made again.
func NotSent(err error) bool {
	var failed *Error
	if errors.As(err, &failed) && (failed.Status == http.StatusUnauthorized || failed.Status == http.StatusTooManyRequests) {
		return true
	}
	return azpipe.NotSent(err)
}

// Refused reports whether the service gave a definite no (a 4xx), so that nothing was done and asking the same again is
// useless. 401 and 429 are NotSent; 408 and 499 leave open what happened, so they are neither.
func Refused(err error) bool {
	var failed *Error
	if !errors.As(err, &failed) || failed.Status < 400 || failed.Status > 499 {
		return false
	}
	switch failed.Status {
	case http.StatusUnauthorized, http.StatusRequestTimeout, http.StatusTooManyRequests, 499:
		return false
	}
	return true
}

// Uncertain reports whether a failed write may have been done all the same: no answer, a server error, or an answer that
// cannot be read. The caller must look for its effect and must not send it again.
func Uncertain(err error) bool {
	return err != nil && !NotSent(err) && !Refused(err)
}

// IsNotFound reports whether the service said that the resource does not exist.
func IsNotFound(err error) bool {
	var failed *Error
	return errors.As(err, &failed) && failed.Status == http.StatusNotFound
}

// RetryAfter returns how long err asks to wait before trying again, or zero.
func RetryAfter(err error) time.Duration {
	var failed *Error
	if errors.As(err, &failed) && failed.RetryAfter > 0 {
		return failed.RetryAfter
	}
	return azpipe.RetryAfterOf(err)
}

// InvalidError says that an argument was refused before anything was sent.
type InvalidError struct {
	// Field is the argument, e.g. "machine id".
	Field string
	// Value is what was given, shortened.
	Value string
	// Reason says what is wrong and what is wanted.
	Reason string
}

// Error implements error.
func (e *InvalidError) Error() string {
	return fmt.Sprintf("%s %q is invalid: %s", e.Field, e.Value, e.Reason)
}

// NotSent is always true: nothing was sent.
func (e *InvalidError) NotSent() bool { return true }

// errorBody is the documented shape of an error answer.
type errorBody struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Target  string `json:"target"`
	} `json:"error"`
}

// The most bytes of the service's words that an error shows: a text, and a code or id.
const (
	maxMessage = 4 << 10
	maxWord    = 200
)

// tidy is a text of the service's without secrets and not too long. Only what may be shown, and some of what follows, is
// searched for secrets: half a secret at the end would not be recognised.
func tidy(text string, most int) string {
	text = azpipe.Redact(text[:min(len(text), maxErrorBody)])
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}

// responseError makes an Error of an answer. cause says what is wrong with the answer itself, if anything.
func responseError(op string, resp *http.Response, body []byte, cause error) *Error {
	failed := &Error{
		Op: op, Status: resp.StatusCode, Err: cause,
		Body:   []byte(azpipe.Redact(string(body[:min(len(body), maxErrorBody)]))),
		Target: firstHeader(resp.Header, "x-ms-correlation-request-id", "x-ms-request-id", "request-id"),
	}
	if resp.Request != nil {
		failed.RequestID = resp.Request.Header.Get("x-ms-client-request-id")
	}
	failed.RetryAfter, _ = azpipe.RetryAfter(resp.Header, time.Now())
	var parsed errorBody
	if cause == nil && json.Unmarshal(body, &parsed) == nil {
		failed.Code, failed.Message = tidy(parsed.Error.Code, maxWord), tidy(parsed.Error.Message, maxMessage)
		if parsed.Error.Target != "" {
			failed.Target = tidy(parsed.Error.Target, maxWord)
		}
	}
	if failed.Message == "" {
		failed.Message = advice(failed)
	}
	return failed
}

// advice says what an answer without a text means.
func advice(failed *Error) string {
	switch status := failed.Status; {
	case failed.Err != nil:
		return failed.Err.Error()
	case status == http.StatusUnauthorized:
		return "the token was refused, also a fresh one: check tenant, application and token scope"
	case status == http.StatusForbidden:
		return "the application or person lacks a permission for this (see the roles of its token)"
	case status == http.StatusNotFound:
		return "there is no such resource, or the API's address is wrong"
	case status == http.StatusTooManyRequests:
		return "too many calls"
	case status >= 300 && status < 400:
		return "a redirect was refused: the API's address is probably wrong"
	}
	return http.StatusText(failed.Status)
}

// transportError makes an Error of a call that got no answer.
func transportError(op string, req *http.Request, err error) *Error {
	failed := &Error{
		Op: op, Message: "no usable answer from " + req.URL.Host, Err: err, RetryAfter: azpipe.RetryAfterOf(err),
		RequestID: req.Header.Get("x-ms-client-request-id"),
	}
	switch {
	case azpipe.NotSent(err):
		failed.Message = "nothing was sent"
	case errors.Is(err, context.DeadlineExceeded):
		failed.Message = "no answer from " + req.URL.Host + " in the time allowed"
	}
	return failed
}

// firstHeader returns the first of the headers that is set.
func firstHeader(header http.Header, names ...string) string {
	for _, name := range names {
		if v := header.Get(name); v != "" {
			return v
		}
	}
	return ""
}

// refuse wraps a fault of the arguments as a call's error.
func refuse(op string, err error) error {
	return &Error{Op: op, Message: "nothing was sent", Err: err}
}

// otherEntity is the error of an answer about something else than was asked for.
func otherEntity(op, kind, asked, got string) error {
	return &Error{Op: op, Message: "asked for " + kind + " " + asked + ", but the service answered with " + kind + " \"" + shorten(got) + "\""}
}
