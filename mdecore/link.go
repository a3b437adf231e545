package mdecore

import (
	"fmt"
	"log/slog"
	"net/url"
	"strings"
)

// Link is a signed download link. Whoever holds one can read what it leads to, without signing in, until it expires: it
// is a secret. So everything that prints or encodes a Link, JSON included, shows where it leads without the query that
// makes it work. Reveal is the one way to the whole of it.
type Link string

// Reveal returns the whole link, for whoever is about to download.
func (l Link) Reveal() string { return string(l) }

// String returns scheme, host and path; nothing of a link that cannot be read is shown.
func (l Link) String() string {
	if l == "" {
		return ""
	}
	address, err := url.Parse(strings.TrimSpace(string(l)))
	if err != nil || address.Host == "" {
		return "REDACTED"
	}
	shown := url.URL{Scheme: address.Scheme, Host: address.Host, Path: address.Path, RawPath: address.RawPath}
	if address.RawQuery == "" && address.Fragment == "" && address.User == nil {
		return shown.String()
	}
	return shown.String() + "?REDACTED"
}

// Format implements fmt.Formatter, so that no verb prints a signature.
func (l Link) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(l.String())) }

// GoString implements fmt.GoStringer.
func (l Link) GoString() string { return l.String() }

// LogValue implements slog.LogValuer.
func (l Link) LogValue() slog.Value { return slog.StringValue(l.String()) }

// MarshalText implements encoding.TextMarshaler with what String shows: an answer that is passed on as JSON, to a log or
// to a model, must not pass the signature on with it.
func (l Link) MarshalText() ([]byte, error) { return []byte(l.String()), nil }
