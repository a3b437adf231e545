package kql

import "strings"

// expression reads: or, and, comparison, sum, product, unary, postfix, primary.
func (p *parser) expression() (node, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	return p.chain(0)
}

// chain reads the left-associative operators of a level and above. Its recursion
// is bounded by the number of levels.
func (p *parser) chain(level int) (node, error) {
	next := func() (node, error) {
		switch level {
		case 1:
			return p.comparison()
		case 3:
			return p.unary()
		}
		return p.chain(level + 1)
	}
	left, err := next()
	if err != nil {
		return nil, err
	}
	for n := 0; p.atOperator(level); n++ {
		if n == maxSteps*10 {
			return nil, fault(Syntax, p.text, p.peek().at, "Query could not be parsed at '%s': the expression is too long", p.peek().text)
		}
		tok := p.advance()
		right, err := next()
		if err != nil {
			return nil, err
		}
		left = operation{at: tok.at, op: tok.text, left: left, right: right}
	}
	return left, nil
}

// atOperator reports whether the next token is an operator of the level.
func (p *parser) atOperator(level int) bool {
	tok := p.peek()
	switch level {
	case 0:
		return tok.kind == tokName && tok.text == "or"
	case 1:
		return tok.kind == tokName && tok.text == "and"
	case 2:
		return p.is("+") || p.is("-")
	default:
		return p.is("*") || p.is("/") || p.is("%")
	}
}

// stringOperators are the word operators that take one string.
func stringOperator(op string) bool {
	switch strings.TrimPrefix(op, "!") {
	case "has", "has_cs", "contains", "contains_cs", "startswith", "startswith_cs", "endswith", "endswith_cs":
		return true
	}
	return false
}

// comparison reads "left operator right"; comparisons do not chain.
func (p *parser) comparison() (node, error) {
	left, err := p.chain(2)
	if err != nil {
		return nil, err
	}
	tok := p.peek()
	switch {
	case tok.kind == tokSymbol && isComparison(tok.text), tok.kind == tokName && stringOperator(tok.text):
		p.at++
		right, err := p.chain(2)
		return operation{at: tok.at, op: tok.text, left: left, right: right}, err
	case p.word("in", "!in", "in~", "!in~", "has_any", "has_all"):
		items, err := p.arguments()
		return membership{at: tok.at, op: tok.text, left: left, items: items}, err
	case p.word("between", "!between"):
		return p.between(tok, left)
	case p.word("matches", "has_ipv4", "hasprefix", "hassuffix"):
		return nil, p.unsupported(tok, "the operator '"+tok.text+"'")
	}
	return left, nil
}

func isComparison(op string) bool {
	switch op {
	case "==", "!=", "=~", "!~", "<", "<=", ">", ">=":
		return true
	}
	return false
}

// arguments reads "(a, b, ...)", which may not be empty.
func (p *parser) arguments() ([]node, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	var out []node
	for {
		value, err := p.expression()
		if err != nil {
			return nil, err
		}
		if p.is("|") {
			return nil, p.unsupported(p.peek(), "a query inside an expression")
		}
		out = append(out, value)
		if !p.take(",") {
			return out, p.expect(")")
		}
	}
}

// between reads "(low .. high)".
func (p *parser) between(tok token, value node) (node, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	low, err := p.expression()
	if err != nil {
		return nil, err
	}
	if err := p.expect(".."); err != nil {
		return nil, err
	}
	high, err := p.expression()
	if err != nil {
		return nil, err
	}
	return between{at: tok.at, value: value, low: low, high: high, not: tok.text == "!between"}, p.expect(")")
}

// unary reads a sign.
func (p *parser) unary() (node, error) {
	tok := p.peek()
	if !p.take("-") && !p.take("+") {
		return p.postfix()
	}
	if p.is("-") || p.is("+") {
		return nil, p.unexpected()
	}
	value, err := p.postfix()
	if err != nil || tok.text == "+" {
		return value, err
	}
	return operation{at: tok.at, op: "-", right: value}, nil
}

// postfix reads a primary with members: a.b, a["b"], a[0].
func (p *parser) postfix() (node, error) {
	value, err := p.primary()
	for n := 0; err == nil && (p.is(".") || p.is("[")); n++ {
		if n == maxDepth {
			return nil, p.unexpected()
		}
		at := p.advance()
		var key node
		if at.text == "." {
			var tok token
			tok, err = p.identifier()
			key = literal{at: tok.at, typ: String, value: tok.text}
		} else {
			if key, err = p.expression(); err == nil {
				err = p.expect("]")
			}
		}
		value = member{at: at.at, value: value, key: key}
	}
	return value, err
}

// primary reads a literal, a name, a call or an expression in parentheses.
func (p *parser) primary() (node, error) {
	tok := p.peek()
	switch tok.kind {
	case tokString:
		p.at++
		return literal{at: tok.at, typ: String, value: tok.value}, nil
	case tokNumber:
		p.at++
		return literal{at: tok.at, typ: typeOf(tok.value), value: tok.value}, nil
	case tokSpan:
		p.at++
		return literal{at: tok.at, typ: Timespan, value: tok.value}, nil
	case tokDate:
		p.at++
		return literal{at: tok.at, typ: DateTime, value: tok.value}, nil
	case tokSymbol:
		if p.take("(") {
			inner, err := p.expression()
			if err != nil {
				return nil, err
			}
			return inner, p.expect(")")
		}
	case tokName:
		return p.named()
	case tokEnd:
	}
	tok, err := p.identifier()
	return name{at: tok.at, name: tok.text}, err
}

// named reads what begins with a word.
func (p *parser) named() (node, error) {
	tok, err := p.identifier()
	if err != nil {
		return nil, err
	}
	if !p.is("(") {
		if tok.text == "true" || tok.text == "false" {
			return literal{at: tok.at, typ: Bool, value: tok.text == "true"}, nil
		}
		return name{at: tok.at, name: tok.text}, nil
	}
	p.at++
	if tok.text == "dynamic" {
		value, err := p.json()
		if err != nil {
			return nil, err
		}
		return literal{at: tok.at, typ: Dynamic, value: value}, p.expect(")")
	}
	return p.call(tok)
}

// call reads the arguments of a function; "*" may be one of them.
func (p *parser) call(tok token) (node, error) {
	c := call{at: tok.at, name: tok.text}
	if p.take(")") {
		return c, nil
	}
	for {
		if p.take("*") {
			c.star = true
		} else {
			value, err := p.expression()
			if err != nil {
				return nil, err
			}
			c.args = append(c.args, value)
		}
		if !p.take(",") {
			return c, p.expect(")")
		}
	}
}
