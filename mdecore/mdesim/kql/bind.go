package kql

import "time"

// expr is an expression with its names resolved.
type expr struct {
	typ  Type
	eval func(row []any) any
	// constant expressions do not look at the row.
	constant bool
	// column is the name that the expression has without being given one; empty
	// when it has none of its own.
	column string
}

// value is the value of a constant expression.
func (e expr) value() any { return e.eval(nil) }

// constantOf makes an expression of a value.
func constantOf(typ Type, v any) expr {
	return expr{typ: typ, constant: true, eval: func([]any) any { return v }}
}

// fold computes a constant expression once instead of for every row.
func fold(e expr, parts ...expr) expr {
	for _, part := range parts {
		if !part.constant {
			return e
		}
	}
	folded := constantOf(e.typ, e.value())
	folded.column = e.column
	return folded
}

// expr resolves an expression against the columns of a table. op is the operator
// it stands in, for error texts.
func (r *run) expr(n node, columns []Column, op string) (expr, error) {
	b := &binder{run: r, columns: columns, op: op}
	return b.bind(n)
}

// binder resolves expressions of one operator.
type binder struct {
	*run
	columns []Column
	op      string
}

// bindAll resolves several expressions.
func (b *binder) bindAll(nodes ...node) ([]expr, error) {
	out := make([]expr, 0, len(nodes))
	for _, n := range nodes {
		e, err := b.bind(n)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

func (b *binder) bind(n node) (expr, error) {
	switch n := n.(type) {
	case literal:
		return constantOf(n.typ, n.value), nil
	case name:
		return b.name(n)
	case operation:
		return b.operation(n)
	case membership:
		return b.membership(n)
	case between:
		return b.between(n)
	case member:
		return b.member(n)
	case call:
		return b.call(n)
	}
	return expr{}, b.semantic(n.place(), "the expression is not known")
}

// name resolves a column, or a let name that no column hides.
func (b *binder) name(n name) (expr, error) {
	for i, c := range b.columns {
		if c.Name == n.name {
			return expr{typ: c.Type, column: c.Name, eval: func(row []any) any { return row[i] }}, nil
		}
	}
	if e, ok := b.lets[n.name]; ok {
		return e, nil
	}
	return expr{}, b.semantic(n.at, "'%s' operator: Failed to resolve column or scalar expression named '%s'", b.op, clip(n.name))
}

// between is true for low <= value <= high, and null when one of them is.
func (b *binder) between(n between) (expr, error) {
	parts, err := b.bindAll(n.value, n.low, n.high)
	if err != nil {
		return expr{}, err
	}
	value, low, high := parts[0], parts[1], parts[2]
	// between (start .. 1h) means until an hour after the start.
	span := value.typ == DateTime && low.typ == DateTime && high.typ == Timespan
	if !comparableTypes(value.typ, low.typ) || !comparableTypes(value.typ, high.typ) && !span {
		return expr{}, b.semantic(n.at, "'between' operator: cannot compare values of types %s, %s and %s. Try adding explicit casts", value.typ, low.typ, high.typ)
	}
	return fold(expr{typ: Bool, eval: func(row []any) any {
		v, lo, hi := value.eval(row), low.eval(row), high.eval(row)
		if v == nil || lo == nil || hi == nil {
			return nil
		}
		if span {
			hi = lo.(time.Time).Add(hi.(time.Duration))
		}
		return (compareValues(v, lo) >= 0 && compareValues(v, hi) <= 0) != n.not
	}}, parts...), nil
}

// member reads a key or an index of a dynamic value; what is not there is null.
func (b *binder) member(n member) (expr, error) {
	parts, err := b.bindAll(n.value, n.key)
	if err != nil {
		return expr{}, err
	}
	value, key := parts[0], parts[1]
	if value.typ != Dynamic || key.typ != String && key.typ != Long {
		return expr{}, b.semantic(n.at, "'%s' operator: a value of type %s has no members; parse_json() makes one of a string", b.op, value.typ)
	}
	e := fold(expr{typ: Dynamic, eval: func(row []any) any {
		return memberOf(value.eval(row), key.eval(row))
	}}, parts...)
	if last, ok := n.key.(literal); ok && last.typ == String && value.column != "" {
		e.column = value.column + "_" + last.value.(string)
	}
	return e, nil
}

func memberOf(value, key any) any {
	switch key := key.(type) {
	case string:
		if object, ok := value.(map[string]any); ok {
			return object[key]
		}
	case int64:
		list, ok := value.([]any)
		if !ok {
			return nil
		}
		if key < 0 {
			key += int64(len(list))
		}
		if key >= 0 && key < int64(len(list)) {
			return list[key]
		}
	}
	return nil
}
