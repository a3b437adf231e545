package download

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/internal/azpipe"
)

// Error says why a download failed and what the writer holds.
type Error struct {
	// Host is where the link led, or "" when there was none.
	Host string
	// Status is the HTTP status that ended the download, or 0.
	Status int
	// Code is the storage service's error code, e.g. "AuthenticationFailed", or "".
	Code string
	// Reason says what was wrong.
	Reason string
	// TooLarge says that there is more than the caller takes, so that another try gives the same.
	TooLarge bool
	// Received counts the bytes that came, Written those the writer took. What was written is incomplete.
	Received, Written int64
	// RetryAfter is how long the service asks to wait, or zero.
	RetryAfter time.Duration
	// Err is the cause: the source's, the writer's, the network's or the context's error; nil when Reason says it all.
	Err error
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("the download")
	if e.Host != "" {
		b.WriteString(" from " + e.Host)
	}
	b.WriteString(" failed: " + e.Reason)
	if e.Err != nil && e.Reason != e.Err.Error() {
		b.WriteString(": " + e.Err.Error())
	}
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, " (try again in %s)", e.RetryAfter.Round(time.Millisecond))
	}
	if e.Written > 0 {
		fmt.Fprintf(&b, "; %d bytes were written and are incomplete", e.Written)
	} else {
		b.WriteString("; nothing was written")
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// RetryDelay is how long the storage, or the service that issues links, asks to wait, or zero.
func (e *Error) RetryDelay() time.Duration {
	if e.RetryAfter == 0 && e.Err != nil {
		return azpipe.RetryAfterOf(e.Err)
	}
	return e.RetryAfter
}

// statusError makes an Error of an answer that is of no use. The body is an XML or JSON text of the service: only its
// code is shown, because the text repeats what was signed.
func statusError(resp *http.Response, reason string) *Error {
	failed := &Error{Status: resp.StatusCode, Code: storageCode(resp), Reason: fmt.Sprintf("%s (status %d", reason, resp.StatusCode)}
	if failed.Code != "" {
		failed.Reason += " " + failed.Code
	}
	failed.Reason += ")"
	failed.RetryAfter, _ = azpipe.RetryAfter(resp.Header, time.Now())
	return failed
}

// hidden replaces an error that printed a part of a link. It leads back only to what callers ask for by identity.
type hidden struct {
	text string
	err  error
}

// Error implements error.
func (e *hidden) Error() string { return e.text }

// Unwrap returns the context's error, if that was the cause.
func (e *hidden) Unwrap() error { return e.err }

// hide takes every part of a link's query, and secrets of any known form, out of an error.
func hide(err error, link *url.URL) error {
	var asURL *url.Error
	if errors.As(err, &asURL) {
		err = asURL.Err // its own text is the whole address
	}
	text := azpipe.Redact(err.Error())
	if link != nil {
		text = strings.NewReplacer(parts(link)...).Replace(text)
	}
	if text == err.Error() {
		return err
	}
	out := &hidden{text: text}
	for _, cause := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, cause) {
			out.err = cause
		}
	}
	return out
}

// parts returns pairs for a replacer: the query and its values, in each of their spellings, longest first.
func parts(link *url.URL) []string {
	if link.RawQuery == "" {
		return nil
	}
	pairs := []string{link.RawQuery, "REDACTED"}
	for _, field := range strings.Split(link.RawQuery, "&") {
		_, raw, _ := strings.Cut(field, "=")
		for _, value := range []string{raw, unescaped(raw)} {
			if len(value) >= 8 { // shorter ones are dates' parts and flags, and would blot out plain words
				pairs = append(pairs, value, "REDACTED")
			}
		}
	}
	return pairs
}

// unescaped decodes a query value, or returns it as it is.
func unescaped(raw string) string {
	if value, err := url.QueryUnescape(raw); err == nil {
		return value
	}
	return raw
}
