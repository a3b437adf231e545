package kql

import "strings"

const (
	// maxDepth limits nesting, because every level is a call on the stack.
	maxDepth = 64
	// maxSteps limits the operators of one pipeline.
	maxSteps = 200
)

// parser reads tokens.
type parser struct {
	text   string
	tokens []token
	at     int
	depth  int
}

// parse reads a whole query.
func parse(text string) (*query, error) {
	tokens, err := lex(text)
	if err != nil {
		return nil, err
	}
	p := &parser{text: text, tokens: tokens}
	parsed := new(query)
	for p.word("let") {
		let, err := p.let()
		if err != nil {
			return nil, err
		}
		parsed.lets = append(parsed.lets, let)
	}
	if parsed.pipe, err = p.pipeline(); err != nil {
		return nil, err
	}
	p.take(";")
	if p.peek().kind != tokEnd {
		return nil, p.unexpected()
	}
	return parsed, nil
}

func (p *parser) peek() token { return p.tokens[p.at] }

// advance returns the next token; the last one, the end, is never passed.
func (p *parser) advance() token {
	tok := p.tokens[p.at]
	if tok.kind != tokEnd {
		p.at++
	}
	return tok
}

// unexpected is the fault of the next token.
func (p *parser) unexpected() error {
	tok := p.peek()
	return fault(Syntax, p.text, tok.at, "Query could not be parsed at '%s'", clip(tok.text))
}

// unsupported is the fault of something that the language has and the package
// has not.
func (p *parser) unsupported(tok token, what string) error {
	return fault(Syntax, p.text, tok.at, "Query could not be parsed at '%s': %s is not in the subset of KQL that this tenant understands", clip(tok.text), what)
}

// clip shortens what an error repeats of a query.
func clip(s string) string {
	if runes := []rune(s); len(runes) > 40 {
		return string(runes[:40]) + "..."
	}
	return s
}

func (p *parser) is(symbol string) bool {
	tok := p.peek()
	return tok.kind == tokSymbol && tok.text == symbol
}

// take passes a symbol when it is next.
func (p *parser) take(symbol string) bool {
	if !p.is(symbol) {
		return false
	}
	p.at++
	return true
}

// expect passes a symbol or fails.
func (p *parser) expect(symbol string) error {
	if !p.take(symbol) {
		return p.unexpected()
	}
	return nil
}

// word passes one of some words when it is next.
func (p *parser) word(words ...string) bool {
	tok := p.peek()
	if tok.kind != tokName {
		return false
	}
	for _, w := range words {
		if tok.text == w {
			p.at++
			return true
		}
	}
	return false
}

// identifier reads a name, plain or as ['name'].
func (p *parser) identifier() (token, error) {
	tok := p.peek()
	if tok.kind == tokName && !strings.HasPrefix(tok.text, "!") && !strings.HasSuffix(tok.text, "~") {
		return p.advance(), nil
	}
	if p.is("[") && p.tokens[p.at+1].kind == tokString {
		p.at++
		quoted := p.advance()
		return token{kind: tokName, text: quoted.value.(string), at: tok.at}, p.expect("]")
	}
	return token{}, p.unexpected()
}

// enter counts a level of nesting.
func (p *parser) enter() error {
	if p.depth++; p.depth > maxDepth {
		return fault(Syntax, p.text, p.peek().at, "Query could not be parsed at '%s': it is nested more than %d levels deep", clip(p.peek().text), maxDepth)
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

// let reads "name = value;".
func (p *parser) let() (letStatement, error) {
	tok, err := p.identifier()
	if err != nil {
		return letStatement{}, err
	}
	if err := p.expect("="); err != nil {
		return letStatement{}, err
	}
	value, err := p.expression()
	if err != nil {
		return letStatement{}, err
	}
	return letStatement{at: tok.at, name: tok.text, value: value}, p.expect(";")
}

// pipeline reads a source and the operators behind it.
func (p *parser) pipeline() (pipeline, error) {
	if err := p.enter(); err != nil {
		return pipeline{}, err
	}
	defer p.leave()
	src, err := p.source()
	if err != nil {
		return pipeline{}, err
	}
	pipe := pipeline{source: src}
	for p.take("|") {
		if len(pipe.steps) == maxSteps {
			return pipeline{}, fault(Syntax, p.text, p.peek().at, "Query could not be parsed at '%s': more than %d operators", clip(p.peek().text), maxSteps)
		}
		next, err := p.step()
		if err != nil {
			return pipeline{}, err
		}
		pipe.steps = append(pipe.steps, next)
	}
	return pipe, nil
}

// source reads a table's name, a union, or a pipeline in parentheses.
func (p *parser) source() (source, error) {
	at := p.peek().at
	if p.word("union") {
		parts, err := p.unionParts()
		return source{at: at, union: parts}, err
	}
	if p.take("(") {
		inner, err := p.pipeline()
		if err != nil {
			return source{}, err
		}
		return source{at: at, union: []pipeline{inner}}, p.expect(")")
	}
	tok, err := p.identifier()
	if err != nil {
		return source{}, err
	}
	if p.is("(") || p.is("*") {
		return source{}, p.unsupported(tok, "a function or a pattern as a table")
	}
	return source{at: at, table: tok.text}, nil
}

// unionParts reads the tables of a union: names, or pipelines in parentheses.
func (p *parser) unionParts() ([]pipeline, error) {
	var parts []pipeline
	for {
		tok := p.peek()
		var part pipeline
		if p.take("(") {
			inner, err := p.pipeline()
			if err != nil {
				return nil, err
			}
			if err := p.expect(")"); err != nil {
				return nil, err
			}
			part = inner
		} else {
			id, err := p.identifier()
			if err != nil {
				return nil, err
			}
			if p.is("=") || p.is("*") {
				return nil, p.unsupported(tok, "a parameter or a pattern of union")
			}
			part = pipeline{source: source{at: id.at, table: id.text}}
		}
		parts = append(parts, part)
		if !p.take(",") {
			return parts, nil
		}
	}
}
