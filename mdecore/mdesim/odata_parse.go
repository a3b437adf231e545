package mdesim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

type tokenKind int

const (
	tokenEnd    tokenKind = iota
	tokenBare             // name, operator, number, date
	tokenString           // quoted, already unquoted
	tokenPunct            // ( ) ,
)

type token struct {
	kind tokenKind
	text string
	at   int // byte offset, for messages
}

// lex splits a filter into tokens, the last of which is tokenEnd.
func lex(text string) ([]token, error) {
	var out []token
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == ' ' || c == '\t':
			i++
		case strings.IndexByte("(),", c) >= 0:
			out = append(out, token{tokenPunct, text[i : i+1], i})
			i++
		case c == '\'':
			s, n, err := unquote(text[i:])
			if err != nil {
				return nil, fmt.Errorf("%w at position %d", err, i)
			}
			out = append(out, token{tokenString, s, i})
			i += n
		default:
			n := strings.IndexAny(text[i:], " \t(),'")
			if n < 0 {
				n = len(text) - i
			}
			out = append(out, token{tokenBare, text[i : i+n], i})
			i += n
		}
	}
	return append(out, token{kind: tokenEnd, text: "end of filter", at: len(text)}), nil
}

// unquote reads a single-quoted string at the start of s, in which a quote is
// written twice, and returns it with the length it took.
func unquote(s string) (string, int, error) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] != '\'':
			b.WriteByte(s[i])
		case i+1 < len(s) && s[i+1] == '\'':
			b.WriteByte('\'')
			i++
		default:
			return b.String(), i + 1, nil
		}
	}
	return "", 0, errors.New("unterminated string literal")
}

// parser is a recursive-descent parser; every level carries its depth.
type parser struct {
	tokens []token
	pos    int
	lookup func(string) (propertyType, bool)
}

func (p *parser) peek() token { return p.tokens[p.pos] }

func (p *parser) next() token {
	tok := p.tokens[p.pos]
	if tok.kind != tokenEnd {
		p.pos++
	}
	return tok
}

// word consumes the bare token w when it comes next.
func (p *parser) word(w string) bool {
	if tok := p.peek(); tok.kind == tokenBare && tok.text == w {
		p.pos++
		return true
	}
	return false
}

func (p *parser) expect(kind tokenKind, text string) (token, error) {
	tok := p.next()
	if tok.kind != kind || text != "" && tok.text != text {
		want := orDefault(text, map[tokenKind]string{tokenBare: "a name", tokenString: "a quoted string"}[kind])
		return tok, fmt.Errorf("expected %s at position %d, found %q", want, tok.at, tok.text)
	}
	return tok, nil
}

func (p *parser) or(depth int) (node, error) {
	left, err := p.and(depth)
	for err == nil && p.word("or") {
		var right node
		if right, err = p.and(depth); err == nil {
			left = orNode{left, right}
		}
	}
	return left, err
}

func (p *parser) and(depth int) (node, error) {
	left, err := p.unary(depth)
	for err == nil && p.word("and") {
		var right node
		if right, err = p.unary(depth); err == nil {
			left = andNode{left, right}
		}
	}
	return left, err
}

func (p *parser) unary(depth int) (node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("the filter is nested deeper than %d levels", maxDepth)
	}
	if p.word("not") {
		inner, err := p.unary(depth + 1)
		return notNode{inner}, err
	}
	if tok := p.peek(); tok.kind == tokenPunct && tok.text == "(" {
		p.pos++
		inner, err := p.or(depth + 1)
		if err == nil {
			_, err = p.expect(tokenPunct, ")")
		}
		return inner, err
	}
	name, err := p.expect(tokenBare, "")
	if err != nil {
		return nil, err
	}
	if name.text == "startswith" {
		return p.startsWith()
	}
	if base, ok := strings.CutSuffix(name.text, "/any"); ok {
		return p.any(base)
	}
	return p.comparison(name)
}

// property looks a name up; an unknown one is refused by name.
func (p *parser) property(name string) (propertyType, error) {
	pt, ok := p.lookup(name)
	if !ok {
		return pt, fmt.Errorf("the property '%s' cannot be used in the $filter query option", name)
	}
	return pt, nil
}

func (p *parser) comparison(name token) (node, error) {
	pt, err := p.property(name.text)
	if err != nil {
		return nil, err
	}
	op, err := p.expect(tokenBare, "")
	if err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"eq", "ne", "gt", "ge", "lt", "le"}, op.text) {
		return nil, fmt.Errorf("unknown operator %q at position %d", op.text, op.at)
	}
	tok := p.next()
	if tok.kind != tokenBare && tok.kind != tokenString {
		return nil, fmt.Errorf("expected a value at position %d, found %q", tok.at, tok.text)
	}
	value, err := pt.literal(name.text, op.text, tok)
	if err != nil {
		return nil, err
	}
	return compareNode{name: name.text, op: op.text, value: value}, nil
}

// arguments reads "(name,'text')".
func (p *parser) arguments() (name, text string, err error) {
	if _, err = p.expect(tokenPunct, "("); err != nil {
		return "", "", err
	}
	n, err := p.expect(tokenBare, "")
	if err == nil {
		_, err = p.expect(tokenPunct, ",")
	}
	if err != nil {
		return "", "", err
	}
	s, err := p.expect(tokenString, "")
	if err == nil {
		_, err = p.expect(tokenPunct, ")")
	}
	return n.text, s.text, err
}

func (p *parser) startsWith() (node, error) {
	name, prefix, err := p.arguments()
	if err != nil {
		return nil, err
	}
	pt, err := p.property(name)
	if err != nil {
		return nil, err
	}
	if pt.kind != kindString {
		return nil, fmt.Errorf("startswith cannot be used with the property '%s'", name)
	}
	return prefixNode{name, prefix}, nil
}

// any reads "(x:x eq 'value')" or "(x:startswith(x,'value'))".
func (p *parser) any(name string) (node, error) {
	pt, err := p.property(name)
	if err != nil {
		return nil, err
	}
	if pt.kind != kindStrings {
		return nil, fmt.Errorf("'%s' is not a collection: any() cannot be used with it", name)
	}
	if _, err := p.expect(tokenPunct, "("); err != nil {
		return nil, err
	}
	head, err := p.expect(tokenBare, "")
	if err != nil {
		return nil, err
	}
	variable, first, ok := strings.Cut(head.text, ":")
	if !ok || variable == "" {
		return nil, fmt.Errorf("expected x:x eq 'value' at position %d, found %q", head.at, head.text)
	}
	if first == "" {
		tok, err := p.expect(tokenBare, "")
		if err != nil {
			return nil, err
		}
		first = tok.text
	}
	n, err := p.anyBody(name, variable, first)
	if err == nil {
		_, err = p.expect(tokenPunct, ")")
	}
	return n, err
}

func (p *parser) anyBody(name, variable, first string) (node, error) {
	if first == "startswith" {
		arg, text, err := p.arguments()
		if err == nil && arg != variable {
			err = fmt.Errorf("unknown variable %q in any()", arg)
		}
		return anyNode{name: name, value: text, prefix: true}, err
	}
	if first != variable {
		return nil, fmt.Errorf("unknown variable %q in any()", first)
	}
	if _, err := p.expect(tokenBare, "eq"); err != nil {
		return nil, err
	}
	tok, err := p.expect(tokenString, "")
	return anyNode{name: name, value: tok.text}, err
}
