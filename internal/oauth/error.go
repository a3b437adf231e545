package oauth

import (
	"errors"
	"net/http"
	"time"
)

// kind is what a refusal is, in the words of RFC 6750 where it has one.
type kind string

const (
	noToken     kind = ""                   // nothing was presented: 401 without an error, as the RFC wants it
	badRequest  kind = "invalid_request"    // presented in a way that isn't taken: 400
	badToken    kind = "invalid_token"      // 401
	noScope     kind = "insufficient_scope" // 403
	notAllowed  kind = "access_denied"      // a good token of somebody who may not: 403
	unavailable kind = "temporarily_unavailable"
)

// Refusal says why a request is not answered. Its text is for whoever sent it and holds nothing of the token.
type Refusal struct {
	kind  kind
	text  string
	cause error
	retry time.Duration
}

// Error is the text and, for the log, its cause.
func (r *Refusal) Error() string {
	if r.cause != nil {
		return r.text + ": " + r.cause.Error()
	}
	return r.text
}

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.cause }

// Status is the HTTP status of the refusal.
func (r *Refusal) Status() int {
	switch r.kind {
	case noToken, badToken:
		return http.StatusUnauthorized
	case badRequest:
		return http.StatusBadRequest
	case unavailable:
		return http.StatusServiceUnavailable
	case noScope, notAllowed:
	}
	return http.StatusForbidden
}

// Forbid is the refusal of somebody who is known and may not call.
func Forbid(text string) *Refusal { return refuse(notAllowed, text) }

func refuse(k kind, text string) *Refusal { return &Refusal{kind: k, text: text} }

// asRefusal finds the refusal in an error; an error without one says nothing about what went wrong, so it is a bad token.
func asRefusal(err error) *Refusal {
	var r *Refusal
	if errors.As(err, &r) {
		return r
	}
	return refuse(badToken, "the token is not valid")
}
