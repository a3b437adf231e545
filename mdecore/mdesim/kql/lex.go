package kql

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxQuery is the longest query in bytes.
const maxQuery = 64 << 10

// tokenKind is what a token is.
type tokenKind int

const (
	tokEnd    tokenKind = iota
	tokName             // identifiers, keywords and word operators such as !has and in~
	tokString           // value is the text without quotes and escapes
	tokNumber           // value is an int64 or a float64
	tokSpan             // value is a time.Duration
	tokDate             // value is a time.Time or nil
	tokSymbol
)

// token is a piece of a query.
type token struct {
	kind  tokenKind
	text  string
	value any
	at    int
}

// lexer cuts a query into tokens.
type lexer struct {
	text string
	at   int
}

// lex cuts a whole query.
func lex(text string) ([]token, error) {
	if len(text) > maxQuery {
		return nil, fault(Syntax, "", 0, "The query is longer than %d characters", maxQuery)
	}
	if !utf8.ValidString(text) {
		return nil, fault(Syntax, "", 0, "The query is not valid UTF-8")
	}
	l := &lexer{text: text}
	var out []token
	for {
		tok, err := l.next()
		if err != nil {
			return nil, err
		}
		out = append(out, tok)
		if tok.kind == tokEnd {
			return out, nil
		}
	}
}

func (l *lexer) rest() string { return l.text[l.at:] }

func (l *lexer) unexpected(at int) error {
	r, _ := utf8.DecodeRuneInString(l.text[at:])
	return fault(Syntax, l.text, at, "Query could not be parsed at %q", string(r))
}

// blank skips white space and comments.
func (l *lexer) blank() {
	for {
		trimmed := strings.TrimLeftFunc(l.rest(), unicode.IsSpace)
		l.at = len(l.text) - len(trimmed)
		if !strings.HasPrefix(trimmed, "//") {
			return
		}
		if end := strings.IndexByte(trimmed, '\n'); end >= 0 {
			l.at += end + 1
		} else {
			l.at = len(l.text)
		}
	}
}

// next cuts one token.
func (l *lexer) next() (token, error) {
	l.blank()
	start := l.at
	if start == len(l.text) {
		return token{kind: tokEnd, text: "end of query", at: start}, nil
	}
	c := l.text[start]
	switch {
	case c == '\'' || c == '"':
		return l.quoted(start)
	case (c == '@' || c == 'h' || c == 'H') && quoteAt(l.text, start+1):
		l.at++
		if c == '@' {
			return l.verbatim(start)
		}
		return l.quoted(start)
	case c >= '0' && c <= '9':
		return l.number(start)
	case nameStart(c):
		return l.name(start)
	case c == '!' && start+1 < len(l.text) && nameStart(l.text[start+1]):
		l.at++
		return l.name(start)
	}
	return l.symbol(start)
}

func quoteAt(text string, at int) bool {
	return at < len(text) && (text[at] == '\'' || text[at] == '"')
}

func nameStart(c byte) bool {
	return c == '_' || c == '$' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func nameByte(c byte) bool { return nameStart(c) || c >= '0' && c <= '9' }

// symbol cuts an operator or a bracket.
func (l *lexer) symbol(start int) (token, error) {
	for _, s := range []string{"==", "!=", "=~", "!~", "<=", ">=", ".."} {
		if strings.HasPrefix(l.rest(), s) {
			l.at += len(s)
			return token{kind: tokSymbol, text: s, at: start}, nil
		}
	}
	if !strings.ContainsRune("<>=+-*/%()[]{},;|.:", rune(l.text[start])) {
		return token{}, l.unexpected(start)
	}
	l.at++
	return token{kind: tokSymbol, text: l.text[start:l.at], at: start}, nil
}

// name cuts a word; datetime(...) becomes its value, because what stands inside
// is no expression.
func (l *lexer) name(start int) (token, error) {
	for l.at < len(l.text) && nameByte(l.text[l.at]) {
		l.at++
	}
	word := l.text[start:l.at]
	if (word == "in" || word == "!in") && strings.HasPrefix(l.rest(), "~") {
		l.at++
		word += "~"
	}
	if word == "datetime" && strings.HasPrefix(l.rest(), "(") {
		return l.date(start)
	}
	return token{kind: tokName, text: word, at: start}, nil
}

// date reads datetime(2026-11-22T10:00:00Z), with or without quotes inside.
func (l *lexer) date(start int) (token, error) {
	end := strings.IndexByte(l.rest(), ')')
	if end < 0 {
		return token{}, fault(Syntax, l.text, start, "Query could not be parsed at 'datetime(': the closing parenthesis is missing")
	}
	inner := strings.TrimSpace(l.text[l.at+1 : l.at+end])
	l.at += end + 1
	tok := token{kind: tokDate, text: l.text[start:l.at], at: start}
	if len(inner) > 1 && (inner[0] == '"' || inner[0] == '\'') && inner[len(inner)-1] == inner[0] {
		inner = inner[1 : len(inner)-1]
	}
	if inner == "null" {
		return tok, nil
	}
	at, ok := parseDate(inner)
	if !ok {
		return token{}, fault(Syntax, l.text, start, "Query could not be parsed at '%s': it is not a date such as 2026-11-22T10:00:00Z", tok.text)
	}
	tok.value = at
	return tok, nil
}

// parseDate reads the usual forms of a date; without a zone it is UTC.
func parseDate(s string) (time.Time, bool) {
	for _, layout := range []string{
		time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04Z07:00",
		"2006-01-02 15:04:05Z07:00", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02",
	} {
		if at, err := time.Parse(layout, s); err == nil {
			return at.UTC(), true
		}
	}
	return time.Time{}, false
}

// number cuts a number, or a time span such as 7d.
func (l *lexer) number(start int) (token, error) {
	digits := func() {
		for l.at < len(l.text) && l.text[l.at] >= '0' && l.text[l.at] <= '9' {
			l.at++
		}
	}
	digits()
	if l.at+1 < len(l.text) && l.text[l.at] == '.' && l.text[l.at+1] >= '0' && l.text[l.at+1] <= '9' {
		l.at++
		digits()
	}
	figure := l.text[start:l.at]
	unit := l.at
	for l.at < len(l.text) && nameByte(l.text[l.at]) {
		l.at++
	}
	tok := token{kind: tokNumber, text: l.text[start:l.at], at: start}
	var ok bool
	if suffix := l.text[unit:l.at]; suffix == "" {
		tok.value, ok = parseNumber(figure)
	} else {
		tok.kind = tokSpan
		tok.value, ok = parseSpan(figure, suffix)
	}
	if !ok {
		return token{}, fault(Syntax, l.text, start, "Query could not be parsed at '%s'", tok.text)
	}
	return tok, nil
}

func parseNumber(s string) (any, bool) {
	if !strings.Contains(s, ".") {
		n, err := strconv.ParseInt(s, 10, 64)
		return n, err == nil
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

// parseSpan reads a figure with a unit of time.
func parseSpan(figure, suffix string) (any, bool) {
	var unit time.Duration
	switch suffix {
	case "d", "day", "days":
		unit = 24 * time.Hour
	case "h", "hr", "hrs", "hour", "hours":
		unit = time.Hour
	case "m", "min", "minute", "minutes":
		unit = time.Minute
	case "s", "sec", "second", "seconds":
		unit = time.Second
	case "ms", "millisecond", "milliseconds":
		unit = time.Millisecond
	case "microsecond", "microseconds":
		unit = time.Microsecond
	default:
		return nil, false
	}
	f, err := strconv.ParseFloat(figure, 64)
	if err != nil || f*float64(unit) > float64(1<<62) {
		return nil, false
	}
	if n, err := strconv.ParseInt(figure, 10, 64); err == nil {
		return time.Duration(n) * unit, true
	}
	return time.Duration(f * float64(unit)), true
}
