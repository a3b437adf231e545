package kql

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxString bounds a text, in characters.
const maxString = 4000

// Literal writes a value as a literal of its type. What can't be a value of the type is refused.
func Literal(t Type, value string) (string, error) {
	switch t {
	case String:
		return text(value)
	case Device:
		return hexadecimal(value, "a device id of 40 hexadecimal digits", 40)
	case Hash:
		return hexadecimal(value, "an MD5, SHA-1 or SHA-256 (32, 40 or 64 hexadecimal digits)", 32, 40, 64)
	case IP:
		return address(value)
	case Domain:
		return domain(value)
	case Account:
		name, _, err := splitAccount(value)
		return quote(name), err
	case DateTime:
		return datetime(value)
	case Timespan:
		return timespan(value)
	case Int:
		n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		if err != nil {
			return "", fmt.Errorf("%s is not a whole number", shown(value))
		}
		return strconv.FormatInt(n, 10), nil
	}
	return "", fmt.Errorf("the type %s is not one of %s", shown(string(t)), typeList())
}

// text writes any text. A character that nobody sees and that no escape can stand for is refused.
func text(value string) (string, error) {
	switch {
	case !utf8.ValidString(value):
		return "", errors.New("the value is not valid UTF-8")
	case utf8.RuneCountInString(value) > maxString:
		return "", fmt.Errorf("the value is longer than %d characters", maxString)
	}
	for _, r := range value {
		if r > 0xffff && !unicode.IsPrint(r) {
			return "", fmt.Errorf("the value holds the invisible character U+%04X", r)
		}
	}
	return quote(value), nil
}

// quote writes a string literal in double quotes. The backslash, both quotes, every control character and everything else
// that is not printed become escapes, so that the literal is one line of plain characters whatever is in it. A backtick
// and a tilde need none: only three of them outside of a string begin a literal of several lines.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '\\' || r == '"' || r == '\'':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r <= 0xffff && (!unicode.IsPrint(r) || r == utf8.RuneError):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// hexadecimal writes hexadecimal digits of one of some lengths, in the small letters that the tables have.
func hexadecimal(value, what string, digits ...int) (string, error) {
	value = strings.ToLower(strings.TrimSpace(value))
	for _, n := range digits {
		if len(value) == n && strings.Trim(value, "0123456789abcdef") == "" {
			return quote(value), nil
		}
	}
	return "", fmt.Errorf("%s is not %s", shown(value), what)
}

func address(value string) (string, error) {
	ip, err := netip.ParseAddr(strings.TrimSpace(value))
	if err != nil || ip.Zone() != "" {
		return "", fmt.Errorf("%s is not an IPv4 or IPv6 address", shown(value))
	}
	return quote(ip.Unmap().String()), nil
}

var labelText = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[0-9a-z_]([0-9a-z_-]{0,61}[0-9a-z_])?$`)
})

func domain(value string) (string, error) {
	host := strings.ToLower(strings.TrimSuffix(strings.TrimSpace(value), "."))
	for label := range strings.SplitSeq(host, ".") {
		if !labelText().MatchString(label) || len(host) > 253 {
			return "", fmt.Errorf("%s is not a host name in ASCII: give the host, not the URL, and another alphabet as xn--", shown(value))
		}
	}
	return quote(host), nil
}

// maxAccount is how long the name of an account can be.
const maxAccount = 256

// splitAccount reads name, DOMAIN\name or name@domain. What stands behind @ is left out, because it is not the domain of the
// event tables.
func splitAccount(value string) (name, domain string, err error) {
	name = strings.TrimSpace(value)
	if before, after, ok := strings.Cut(name, `\`); ok {
		domain, name = before, after
	} else {
		name, _, _ = strings.Cut(name, "@")
	}
	forbidden := func(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune(`"/\[]:;|=,+*?<>@`, r) }
	if name == "" || strings.ContainsFunc(name+domain, forbidden) || !utf8.ValidString(value) || utf8.RuneCountInString(value) > maxAccount {
		return "", "", fmt.Errorf(`%s is not an account: name, DOMAIN\name or name@domain`, shown(value))
	}
	return name, domain, nil
}

func datetime(value string) (string, error) {
	at, err := time.Parse(time.RFC3339, strings.TrimSpace(value))
	at = at.UTC()
	if err != nil || at.Year() < 1 || at.Year() > 9999 {
		return "", fmt.Errorf("%s is not a time such as 2026-11-22T08:00:00Z", shown(value))
	}
	return "datetime(" + at.Format("2006-01-02T15:04:05.9999999Z") + ")", nil
}

var spanText = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9]{1,6}[dhms]$`) })

func timespan(value string) (string, error) {
	value = strings.TrimSpace(value)
	if !spanText().MatchString(value) {
		return "", fmt.Errorf("%s is not a length of time such as 90m, 24h or 7d", shown(value))
	}
	return value, nil
}
