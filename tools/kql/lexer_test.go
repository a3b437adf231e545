package kql_test

import (
	"errors"
	"strconv"
	"strings"
)

// piece is a token of a query: a literal string with its value, or anything else with its text.
type piece struct {
	literal bool
	text    string
}

// pieces cuts a query as the language's documentation says, written apart from the package so that both can't be wrong in the
// same way: strings in either quote with escapes, verbatim after @, obfuscated after h, of several lines between three
// backticks or tildes, comments to the end of the line. Everything that is no string is cut into words and single characters.
func pieces(query string) ([]piece, error) {
	var out []piece
	for i := 0; i < len(query); {
		rest := query[i:]
		var n int
		var p piece
		var err error
		switch c := query[i]; {
		case strings.HasPrefix(rest, "//"):
			end := strings.IndexAny(rest, "\r\n")
			if end < 0 {
				end = len(rest)
			}
			i += end
			continue
		case strings.HasPrefix(rest, "```"), strings.HasPrefix(rest, "~~~"):
			end := strings.Index(rest[3:], rest[:3])
			if end < 0 {
				return nil, errors.New("a literal of several lines has no end")
			}
			n, p = end+6, piece{true, rest[3 : 3+end]}
		case c == '@' && quoteAt(rest, 1), (c == 'h' || c == 'H') && strings.HasPrefix(rest[1:], "@") && quoteAt(rest, 2):
			at := strings.IndexByte(rest, '@') + 1
			n, p, err = verbatim(rest, at)
		case (c == 'h' || c == 'H') && quoteAt(rest, 1):
			n, p, err = escaped(rest, 1)
		case quoteAt(rest, 0):
			n, p, err = escaped(rest, 0)
		case word(c):
			for n = 1; n < len(rest) && word(rest[n]); n++ {
				continue
			}
			p = piece{false, rest[:n]}
		case c == ' ' || c == '\n' || c == '\t' || c == '\r':
			i++
			continue
		default:
			n, p = 1, piece{false, rest[:1]}
		}
		if err != nil {
			return nil, err
		}
		out = append(out, p)
		i += n
	}
	return out, nil
}

func quoteAt(s string, at int) bool { return at < len(s) && (s[at] == '"' || s[at] == '\'') }

func word(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// verbatim reads a string in which only its doubled quote is special.
func verbatim(s string, at int) (int, piece, error) {
	quote := s[at]
	var value strings.Builder
	for i := at + 1; i < len(s); i++ {
		switch {
		case s[i] == '\n' || s[i] == '\r':
			return 0, piece{}, errors.New("a line ends inside of a string")
		case s[i] != quote:
			value.WriteByte(s[i])
		case i+1 < len(s) && s[i+1] == quote:
			value.WriteByte(quote)
			i++
		default:
			return i + 1, piece{true, value.String()}, nil
		}
	}
	return 0, piece{}, errors.New("a string has no end")
}

// escaped reads a string with backslashes.
func escaped(s string, at int) (int, piece, error) {
	quote := s[at]
	var value strings.Builder
	for i := at + 1; i < len(s); i++ {
		switch {
		case s[i] == '\n' || s[i] == '\r':
			return 0, piece{}, errors.New("a line ends inside of a string")
		case s[i] == quote:
			return i + 1, piece{true, value.String()}, nil
		case s[i] != '\\':
			value.WriteByte(s[i])
		case i+1 == len(s):
			return 0, piece{}, errors.New("a string ends in a backslash")
		default:
			i++
			switch s[i] {
			case 'n':
				value.WriteByte('\n')
			case 't':
				value.WriteByte('\t')
			case 'r':
				value.WriteByte('\r')
			case '\\', '"', '\'':
				value.WriteByte(s[i])
			case 'u':
				if i+5 > len(s) {
					return 0, piece{}, errors.New("an escape is cut off")
				}
				r, err := strconv.ParseUint(s[i+1:i+5], 16, 32)
				if err != nil {
					return 0, piece{}, err
				}
				value.WriteRune(rune(r))
				i += 4
			default:
				return 0, piece{}, errors.New("there is no escape " + s[i:i+1])
			}
		}
	}
	return 0, piece{}, errors.New("a string has no end")
}
