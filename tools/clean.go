package tools

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// hidden reports whether r is a character that a reader can't see or that changes how others are seen: controls,
// bidirectional overrides, zero-width characters, tags. Attackers write alert titles and device names with them.
func hidden(r rune) bool {
	switch {
	case r == utf8.RuneError:
		return true
	case unicode.Is(unicode.Cc, r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r):
		return true
	case unicode.Is(unicode.Co, r), unicode.Is(unicode.Variation_Selector, r):
		return true
	}
	return r == '\u115f' || r == '\u1160' || r == '\u3164' || r == '\uffa0' // Hangul fillers are drawn as nothing
}

// clean makes untrusted text safe to read: hidden characters become visible as <U+202E>, runs of white space one space,
// and what is longer than limit runes ends in an ellipsis.
func clean(s string, limit int) string {
	var b strings.Builder
	n, space := 0, false
	for _, r := range s {
		if n >= limit {
			return strings.TrimRight(b.String(), " ") + "…"
		}
		switch {
		case r == '\n' || r == '\t' || r == '\r' || unicode.IsSpace(r):
			space = n > 0
			continue
		case space:
			b.WriteByte(' ')
			n++
			space = false
		}
		if hidden(r) {
			mark := fmt.Sprintf("<U+%04X>", r)
			b.WriteString(mark)
			n += len(mark)
			continue
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}

// quoted is untrusted text for the middle of our own sentence: clean, short and in quotation marks it can't close.
func quoted(s string, limit int) string {
	return `"` + strings.ReplaceAll(clean(s, limit), `"`, `'`) + `"`
}
