package kql

// json reads the value inside dynamic(...): JSON, with either kind of quotes.
func (p *parser) json() (any, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	tok := p.peek()
	switch {
	case tok.kind == tokString, tok.kind == tokNumber:
		p.at++
		return tok.value, nil
	case p.take("-"):
		return p.negative()
	case p.word("null"):
		return nil, nil
	case p.word("true"):
		return true, nil
	case p.word("false"):
		return false, nil
	case p.take("["):
		return p.array()
	case p.take("{"):
		return p.object()
	}
	return nil, p.unexpected()
}

func (p *parser) negative() (any, error) {
	tok := p.peek()
	switch n := tok.value.(type) {
	case int64:
		p.at++
		return -n, nil
	case float64:
		p.at++
		return -n, nil
	}
	return nil, p.unexpected()
}

func (p *parser) array() (any, error) {
	out := []any{}
	if p.take("]") {
		return out, nil
	}
	for {
		value, err := p.json()
		if err != nil {
			return nil, err
		}
		out = append(out, value)
		if !p.take(",") {
			return out, p.expect("]")
		}
	}
}

func (p *parser) object() (any, error) {
	out := map[string]any{}
	if p.take("}") {
		return out, nil
	}
	for {
		key := p.peek()
		if key.kind != tokString {
			return nil, p.unexpected()
		}
		p.at++
		if err := p.expect(":"); err != nil {
			return nil, err
		}
		value, err := p.json()
		if err != nil {
			return nil, err
		}
		out[key.value.(string)] = value
		if !p.take(",") {
			return out, p.expect("}")
		}
	}
}
