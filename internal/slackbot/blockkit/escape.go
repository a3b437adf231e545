package blockkit

import (
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/slack-go/slack"
)

// replacement stands for every rune that a person could not see, or that would change how its neighbours are read.
const replacement = '\uFFFD'

// maxMarks is how many combining marks may follow one letter; more of them would paint over the neighbouring lines.
const maxMarks = 3

// Clean makes untrusted text safe to look at, on one line: line breaks become a visible arrow, everything invisible
// becomes a visible replacement. It keeps what a person needs to recognise a name, so letters of any script stay.
func Clean(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	marks := 0
	for _, r := range strings.ReplaceAll(s, "\r\n", "\n") {
		if r >= ' ' && r <= '~' { // most text is nothing else
			b.WriteByte(byte(r))
			marks = 0
			continue
		}
		if unicode.In(r, unicode.Mn, unicode.Me) {
			marks++
		} else {
			marks = 0
		}
		switch {
		case r == '\n' || r == '\r' || r == '\u2028' || r == '\u2029':
			b.WriteRune('⏎')
		case unicode.IsSpace(r) || unicode.Is(unicode.Zs, r):
			b.WriteByte(' ')
		case invisible(r) || marks > maxMarks:
			b.WriteRune(replacement)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// cleanLines is clean for text whose own line breaks may stay because nothing follows it in the same block.
func cleanLines(s string) string {
	lines := strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
	for i := range lines {
		lines[i] = Clean(lines[i])
	}
	return strings.Join(lines, "\n")
}

// invisible reports runes that are not drawn or that reorder others: controls, format characters (bidirectional
// overrides, zero-width ones, tags), private and surrogate code points, fillers and variation selectors.
func invisible(r rune) bool {
	switch r {
	case '\u034F', '\u115F', '\u1160', '\u17B4', '\u17B5', '\u2800', '\u3164', '\uFFA0', utf8.RuneError:
		return true
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Variation_Selector) || r > unicode.MaxRune
}

// Escape replaces the three characters with which Slack marks mentions, links and dates.
func Escape(s string) string { return escaper.Replace(s) }

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// Cut shortens escaped text to limit runes, marking the cut with an ellipsis and never ending inside an entity, because
// half an entity would show the reader something that was not there. It reports whether anything was lost.
func Cut(escaped string, limit int) (string, bool) {
	if utf8.RuneCountInString(escaped) <= limit {
		return escaped, false
	}
	runes := []rune(escaped)[:max(limit-1, 0)]
	for back := 1; back <= 5 && back <= len(runes); back++ {
		r := runes[len(runes)-back]
		if r == ';' {
			break
		}
		if r == '&' {
			runes = runes[:len(runes)-back]
			break
		}
	}
	return string(runes) + "…", true
}

// Plain makes a plain_text object of untrusted text on one line and reports whether it had to be cut.
func Plain(s string, limit int) (*slack.TextBlockObject, bool) {
	return PlainEscaped(Escape(Clean(s)), limit)
}

// PlainEscaped makes a plain_text object of text that is clean and escaped already. Slack refuses empty texts, so an
// empty one becomes a dash.
func PlainEscaped(s string, limit int) (*slack.TextBlockObject, bool) {
	if strings.TrimSpace(s) == "" {
		s = "-"
	}
	text, lost := Cut(s, limit)
	return slack.NewTextBlockObject(slack.PlainTextType, text, false, false), lost
}

// bareAddress is where Slack would begin a link without being asked to.
var bareAddress = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?i)(https?|mailto|ftp|file|slack|tel):`) })

// notification makes the text that phones show instead of the blocks. Slack reads this one field as its markup, where a
// bare address would become a link, so addresses are broken up too.
func notification(s string) string {
	text, _ := Cut(bareAddress().ReplaceAllString(Escape(Clean(s)), "$1[:]"), 300)
	if text == "" {
		return "-"
	}
	return text
}

// Chunks splits untrusted text into escaped pieces of at most limit runes, losing nothing and splitting no entity. A line is
// split only when it is longer than a piece, because half an id on one page and half on the next is read by nobody.
func Chunks(s string, limit int) []string {
	var out []string
	var b strings.Builder
	size := 0
	add := func(piece string) {
		n := utf8.RuneCountInString(piece)
		if size+n > limit && size > 0 {
			out = append(out, b.String())
			b.Reset()
			size = 0
		}
		b.WriteString(piece)
		size += n
	}
	for line := range strings.Lines(cleanLines(s)) {
		if text := Escape(line); utf8.RuneCountInString(text) <= limit {
			add(text)
			continue
		}
		for _, r := range line {
			add(Escape(string(r)))
		}
	}
	return append(out, b.String())
}
