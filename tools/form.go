package tools

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// form names what the text of an argument must look like. A declaration states it in the tag `form`.
type form string

// The forms.
const (
	formAny     form = ""        // a word or sentence without hidden characters
	formDevice  form = "device"  // a reference to a device
	formGUID    form = "guid"    // the id of a machine action
	formAlert   form = "alert"   // the id of an alert
	formRequest form = "request" // the id of one of our requests
	formWord    form = "word"    // ASCII letters, digits, '.', '-', '_'
	formAge     form = "age"     // a duration such as 24h or 7d, or a date
	formSpan    form = "span"    // how long a time-box is, such as 4h
	formSHA1    form = "sha1"    // the SHA-1 of a file
	formText    form = "text"    // a text whose lines and spaces count, such as a query
	formCSV     form = "csv"     // lines of a table; its own reader checks them
	formLine    form = "line"    // one line whose spaces count, such as a path on a device
	formBase64  form = "base64"  // bytes
	formAzure   form = "azure"   // the name or resource id of something in Azure
)

// forms lists the known forms, so that a slip in a tag refuses to start.
func forms() []form {
	return []form{formAny, formDevice, formGUID, formAlert, formRequest, formWord, formAge, formSpan, formSHA1, formText, formCSV, formLine, formBase64, formAzure}
}

var (
	guidText = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)
	})
	deviceText  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-fA-F]{40}$`) })
	wordText    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9A-Za-z._-]+$`) })
	azureText   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9A-Za-z._()/-]+$`) })
	alertText   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9A-Za-z_-]+$`) })
	requestText = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9A-Za-z]{8}$`) })
)

// check says what is wrong with s as this form, or returns "".
func (f form) check(s string) string {
	if text := unsafe(s, f == formAny || f == formText || f == formCSV); text != "" {
		return text
	}
	switch f {
	case formAny, formText, formCSV, formLine:
		return ""
	case formBase64:
		_, err := base64.StdEncoding.DecodeString(s)
		return unless(err == nil, s, "is not base64 (RFC 4648, with padding, in one line)")
	case formDevice:
		if _, err := parseRef(s); err != nil {
			return err.Error()
		}
		return ""
	case formGUID:
		return unless(guidText().MatchString(s), s, "is not a machine action id (8-4-4-4-12 hex digits)")
	case formAlert:
		return unless(alertText().MatchString(s) && len(s) <= 100, s, "is not an alert id; list_alerts gives them")
	case formRequest:
		return unless(requestText().MatchString(s), s, "is not a request id (8 letters and digits); list_requests gives them")
	case formWord:
		return unless(wordText().MatchString(s), s, "may hold only ASCII letters, digits, '.', '-' and '_'")
	case formAzure:
		return unless(azureText().MatchString(s), s, "is neither a name in Azure nor a resource id: they hold ASCII letters, digits, '.', '-', '_', '(', ')' and '/'")
	case formAge:
		_, err := parseAge(s, time.Unix(0, 0))
		return unless(err == nil, s, "is neither an age such as 24h or 7d nor a time such as 2026-11-22T08:00:00Z")
	case formSpan:
		_, err := parseSpan(s)
		return unless(err == nil, s, "is not a time from 15m to 168h, such as 90m, 4h or 2d")
	case formSHA1:
		return unless(deviceText().MatchString(s), s, "is not a SHA-1 (40 hex digits)")
	}
	return "has a form that is not known"
}

func unless(ok bool, s, text string) string {
	if ok {
		return ""
	}
	return quoted(s, 60) + " " + text
}

// unsafe refuses what has no place in any argument: text that is not UTF-8 and characters that a reader can't see.
func unsafe(s string, sentence bool) string {
	if !utf8.ValidString(s) {
		return "is not valid UTF-8"
	}
	for _, r := range s {
		joiner := r == '\u200c' || r == '\u200d' || r == '\ufe0f' // some scripts and emoji need them
		if sentence && (r == '\n' || r == '\t' || r == '\r' || joiner) {
			continue
		}
		if hidden(r) {
			return fmt.Sprintf("holds the control or invisible character U+%04X; remove it", r)
		}
	}
	return ""
}

// parseAge reads how far back to look: 90m, 24h, 7d or a time in RFC 3339.
func parseAge(s string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UTC(), nil
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t.UTC(), nil
	}
	var n int
	var unit string
	if _, err := fmt.Sscanf(s, "%d%s", &n, &unit); err != nil {
		return time.Time{}, fmt.Errorf("not an age: %s", quoted(s, 40))
	}
	units := map[string]time.Duration{"m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}
	if units[unit] == 0 || n < 1 || n > 10_000 || s != fmt.Sprintf("%d%s", n, unit) {
		return time.Time{}, fmt.Errorf("not an age: %s", quoted(s, 40))
	}
	return now.Add(-time.Duration(n) * units[unit]).UTC(), nil
}

// oneLine joins the lines of a sentence, because it is shown and sent as one.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func known(f form) bool { return slices.Contains(forms(), f) }
