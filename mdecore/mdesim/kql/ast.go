package kql

// query is a parsed query.
type query struct {
	lets []letStatement
	pipe pipeline
}

// letStatement is "let name = value;".
type letStatement struct {
	at    int
	name  string
	value node
}

// pipeline is a source and the operators behind it.
type pipeline struct {
	source source
	steps  []step
}

// source is a table's name, or a union of pipelines.
type source struct {
	at    int
	table string
	union []pipeline
}

// step is an operator of a pipeline.
type step struct {
	at   int
	kind string
	// what the operator takes; each uses some of these
	condition node
	items     []item
	by        []item
	order     []ordering
	limit     node
	union     []pipeline
	star      bool
}

// item is an expression with the name it is to have, if it was given one.
type item struct {
	at    int
	name  string
	value node
}

// ordering is one key of a sort.
type ordering struct {
	value      node
	descending bool
	nullsFirst bool
}

// node is a parsed expression.
type node interface{ place() int }

type (
	// literal is a constant.
	literal struct {
		at    int
		typ   Type
		value any
	}
	// name is a column or a let name.
	name struct {
		at   int
		name string
	}
	// call is a function or an aggregate.
	call struct {
		at   int
		name string
		args []node
		star bool
	}
	// operation is a binary operator, or a unary one without left.
	operation struct {
		at          int
		op          string
		left, right node
	}
	// membership is "left op (items)".
	membership struct {
		at    int
		op    string
		left  node
		items []node
	}
	// between is "value between (low .. high)".
	between struct {
		at               int
		value, low, high node
		not              bool
	}
	// member is "value.key" or "value[key]".
	member struct {
		at    int
		value node
		key   node
	}
)

func (n literal) place() int    { return n.at }
func (n name) place() int       { return n.at }
func (n call) place() int       { return n.at }
func (n operation) place() int  { return n.at }
func (n membership) place() int { return n.at }
func (n between) place() int    { return n.at }
func (n member) place() int     { return n.at }
