package kql

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// unclosed is the fault of a string without an end.
func (l *lexer) unclosed(start int) error {
	return fault(Syntax, l.text, start, "Query could not be parsed at the string that begins here: its closing quote is missing")
}

// quoted reads a string with escapes; l.at stands on its quote.
func (l *lexer) quoted(start int) (token, error) {
	quote := l.text[l.at]
	l.at++
	var value strings.Builder
	for l.at < len(l.text) {
		c := l.text[l.at]
		switch c {
		case quote:
			l.at++
			return token{kind: tokString, text: l.text[start:l.at], value: value.String(), at: start}, nil
		case '\n', '\r':
			return token{}, l.unclosed(start)
		case '\\':
			if err := l.escape(&value); err != nil {
				return token{}, err
			}
		default:
			value.WriteByte(c)
			l.at++
		}
	}
	return token{}, l.unclosed(start)
}

// escape reads one backslash sequence.
func (l *lexer) escape(value *strings.Builder) error {
	at := l.at
	if at+1 >= len(l.text) {
		return l.unclosed(at)
	}
	l.at += 2
	switch c := l.text[at+1]; c {
	case '\\', '\'', '"':
		value.WriteByte(c)
	case 'n':
		value.WriteByte('\n')
	case 't':
		value.WriteByte('\t')
	case 'r':
		value.WriteByte('\r')
	case 'u':
		return l.codePoint(at, value)
	default:
		return fault(Syntax, l.text, at, "Query could not be parsed at '\\%c': write \\\\ for a backslash, or @ before the string", rune(c))
	}
	return nil
}

// codePoint reads the four digits of \u1234.
func (l *lexer) codePoint(at int, value *strings.Builder) error {
	if l.at+4 <= len(l.text) {
		if n, err := strconv.ParseUint(l.text[l.at:l.at+4], 16, 32); err == nil && utf8.ValidRune(rune(n)) {
			l.at += 4
			value.WriteRune(rune(n))
			return nil
		}
	}
	return fault(Syntax, l.text, at, "Query could not be parsed at '\\u': four hexadecimal digits of a character must follow")
}

// verbatim reads @'...', in which only a doubled quote is special.
func (l *lexer) verbatim(start int) (token, error) {
	quote := l.text[l.at]
	l.at++
	var value strings.Builder
	for l.at < len(l.text) {
		c := l.text[l.at]
		l.at++
		if c != quote {
			value.WriteByte(c)
			continue
		}
		if l.at >= len(l.text) || l.text[l.at] != quote {
			return token{kind: tokString, text: l.text[start:l.at], value: value.String(), at: start}, nil
		}
		value.WriteByte(quote)
		l.at++
	}
	return token{}, l.unclosed(start)
}
