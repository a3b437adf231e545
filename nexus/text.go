package nexus

import (
	"encoding/json"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/mde-ops/mde-ops/internal/azpipe"
)

// The most bytes that are kept of the service's and of nodes' texts.
const (
	maxWord    = 200
	maxMessage = 2 << 10
	maxHead    = 2 << 10
	// maxSearched is how much of a text is searched for secrets, so that one that is cut at the end is recognised.
	maxSearched = 64 << 10
)

// addressSignature finds the parameters with which Resource Manager signs the addresses of operations.
var addressSignature = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`([?&](?:t|c|s|h)=)[^&\s"'<>]+`)
})

// redact takes secrets out of a text.
func redact(text string) string {
	return addressSignature().ReplaceAllString(azpipe.Redact(text), "${1}REDACTED")
}

// word is a short text of the service's, made harmless.
func word(text string) string { return line(text, maxWord) }

// line makes one line, without secrets and of at most so many bytes, of a text that others wrote.
func line(text string, most int) string {
	return strings.TrimSpace(strings.Join(strings.Fields(clean(text, most)), " "))
}

// clean takes out of a text what moves a terminal's cursor or hides and turns other text: control and format characters.
// Line breaks and tabs stay. Secrets are taken out first, because a cut one would not be recognised.
func clean(text string, most int) string {
	text = redact(strings.ToValidUTF8(text[:min(len(text), maxSearched)], ""))
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\u2028' || r == '\u2029':
			return '\n'
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, text)
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most-len("…")], "") + "…"
	}
	return text
}

// moment is a time that may be empty, null or no time at all, which all mean that it is not stated.
type moment struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler.
func (m *moment) UnmarshalJSON(data []byte) error {
	var text string
	_ = json.Unmarshal(data, &text) // anything but a text is not stated either
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		m.Time = at.UTC()
	}
	return nil
}

// loose is a text that may also be written as a number.
type loose string

// UnmarshalJSON implements json.Unmarshaler.
func (l *loose) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		*l = loose(text) // null leaves it empty
		return nil
	}
	var number json.Number
	if err := json.Unmarshal(data, &number); err != nil {
		return err
	}
	*l = loose(number.String())
	return nil
}
