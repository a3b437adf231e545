package azpipe

import (
	"errors"
	"io"
	"net/url"
	"regexp"
	"sync"
)

// redacted stands in place of a secret.
const redacted = "REDACTED"

// secretPattern finds one form of secret and keeps the name of what it hides, so that a reader sees what was there.
type secretPattern struct {
	find    *regexp.Regexp
	replace string
}

// secretPatterns are applied in this order. They are compiled at the first use: that takes longer than anything else of
// ours at the start of a program.
var secretPatterns = sync.OnceValue(func() []secretPattern {
	return []secretPattern{
		// A whole JSON Web Token, wherever it stands.
		{regexp.MustCompile(`eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*){0,3}`), redacted},
		// Authorization header values.
		{regexp.MustCompile(`(?i)\b(Bearer|Basic)(?: |%20|\+)+[A-Za-z0-9._~+/=%:-]{16,}`), "$1 " + redacted},
		// name=value in addresses and forms, also percent-encoded (once or more) inside another address, or after an
		// ampersand that JSON has escaped.
		{regexp.MustCompile(`(?i)(\b|%(?:25)*[0-9a-f]{2}|\\u00[0-9a-f]{2})(sig|signature|client_secret|client_assertion|access_token|refresh_token|id_token|password)(=|%(?:25)*3D|\\u003D)[^\s&"'<>;,)\\]+`), "${1}${2}${3}" + redacted},
		// "name":"value" in JSON, also where the quotes are escaped. Other escapes are part of the value.
		{regexp.MustCompile(`(?i)(\\?"(?:client_?secret|client_?assertion|access_?token|refresh_?token|id_?token|password)\\?"\s*:\s*\\?")(?:[^"\\]|\\[^"])+`), "${1}" + redacted},
	}
})

// Redact returns text with tokens, client secrets and SAS signatures replaced by REDACTED. It is for errors and logs:
// applying it twice changes nothing more.
func Redact(text string) string {
	for _, p := range secretPatterns() {
		text = p.find.ReplaceAllString(text, p.replace)
	}
	return text
}

// scrubError returns err with every secret taken out of its text. The address inside a *url.Error is replaced, because
// that error prints it whole, SAS signature included. An error without a secret stays as it is.
func scrubError(err error) error {
	if err == nil || err == io.EOF { //nolint:errorlint // io.Reader's own sentinel is never wrapped
		return err
	}
	var asURL *url.Error
	if errors.As(err, &asURL) {
		clean := &url.Error{Op: asURL.Op, URL: Redact(asURL.URL), Err: scrubError(asURL.Err)}
		if direct, ok := err.(*url.Error); ok && direct == asURL { //nolint:errorlint // only the outermost error is replaced as it is
			return clean
		}
		return &scrubbedError{text: Redact(err.Error()), err: clean}
	}
	if text := err.Error(); Redact(text) != text {
		return &scrubbedError{text: Redact(text)}
	}
	return err
}

// scrubbedError replaces an error whose text held a secret. It does not lead back to the original, only to its cleaned
// form, so that nobody can print the secret by unwrapping.
type scrubbedError struct {
	text string
	err  error
}

// Error implements error.
func (e *scrubbedError) Error() string { return e.text }

// Unwrap returns the cleaned cause, if there is one.
func (e *scrubbedError) Unwrap() error { return e.err }
