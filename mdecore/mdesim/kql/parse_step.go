package kql

// operator reads an operator's name, which can have a hyphen.
func (p *parser) operator() (token, error) {
	tok := p.peek()
	if tok.kind != tokName {
		return tok, p.unexpected()
	}
	p.at++
	if p.is("-") && p.peek().at == tok.at+len(tok.text) && p.tokens[p.at+1].kind == tokName {
		p.at++
		tail := p.advance()
		tok.text += "-" + tail.text
	}
	return tok, nil
}

// step reads one operator with what it takes.
func (p *parser) step() (step, error) {
	tok, err := p.operator()
	if err != nil {
		return step{}, err
	}
	s := step{at: tok.at, kind: tok.text}
	switch tok.text {
	case "where", "filter":
		s.kind = "where"
		s.condition, err = p.expression()
	case "project", "extend":
		s.items, err = p.items()
	case "project-away":
		s.items, err = p.columns()
	case "distinct":
		if p.take("*") {
			s.star = true
		} else {
			s.items, err = p.items()
		}
	case "take", "limit":
		s.kind = "take"
		s.limit, err = p.expression()
	case "sort", "order":
		s.kind = "sort"
		s.order, err = p.orderings(true)
	case "top":
		if s.limit, err = p.expression(); err == nil {
			s.order, err = p.orderings(false)
		}
	case "summarize":
		err = p.summarize(&s)
	case "union":
		s.union, err = p.unionParts()
	case "count":
	default:
		return step{}, p.unsupported(tok, "the operator '"+tok.text+"'")
	}
	return s, err
}

// items reads expressions, each with or without "name =" before it.
func (p *parser) items() ([]item, error) {
	var out []item
	for {
		it, err := p.item()
		if err != nil {
			return nil, err
		}
		out = append(out, it)
		if !p.take(",") {
			return out, nil
		}
	}
}

func (p *parser) item() (item, error) {
	it := item{at: p.peek().at}
	start := p.at
	if tok, err := p.identifier(); err == nil && p.take("=") {
		it.name = tok.text
	} else {
		p.at = start
	}
	var err error
	it.value, err = p.expression()
	return it, err
}

// columns reads plain column names.
func (p *parser) columns() ([]item, error) {
	var out []item
	for {
		tok, err := p.identifier()
		if err != nil {
			return nil, err
		}
		if p.is("*") {
			return nil, p.unsupported(p.peek(), "a pattern of column names")
		}
		out = append(out, item{at: tok.at, name: tok.text, value: name{at: tok.at, name: tok.text}})
		if !p.take(",") {
			return out, nil
		}
	}
}

// orderings reads "by key asc nulls last, ...".
func (p *parser) orderings(several bool) ([]ordering, error) {
	if !p.word("by") {
		return nil, p.unexpected()
	}
	var out []ordering
	for {
		key, err := p.ordering()
		if err != nil {
			return nil, err
		}
		out = append(out, key)
		if !several || !p.take(",") {
			return out, nil
		}
	}
}

// ordering reads one key; the default is descending with nulls at the end,
// as the language has it.
func (p *parser) ordering() (ordering, error) {
	value, err := p.expression()
	if err != nil {
		return ordering{}, err
	}
	key := ordering{value: value, descending: true}
	if p.word("asc") {
		key.descending = false
	} else {
		p.word("desc")
	}
	key.nullsFirst = !key.descending
	if p.word("nulls") {
		switch {
		case p.word("first"):
			key.nullsFirst = true
		case p.word("last"):
			key.nullsFirst = false
		default:
			return ordering{}, p.unexpected()
		}
	}
	return key, nil
}

// summarize reads "aggregate, ... by group, ...".
func (p *parser) summarize(s *step) error {
	tok := p.peek()
	var err error
	if tok.kind != tokName || tok.text != "by" {
		if s.items, err = p.items(); err != nil {
			return err
		}
	}
	if p.word("by") {
		s.by, err = p.items()
	}
	return err
}
