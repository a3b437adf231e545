package kql

import "slices"

// aggregate is a resolved aggregate function.
type aggregate struct {
	columns []Column
	start   func() accumulator
}

// accumulator gathers the rows of one group.
type accumulator interface {
	add(row []any)
	result() []any
}

// maxSet is the most elements of make_set and make_list; Kusto has the same.
const maxSet = 1 << 20

const aggregateNames = "arg_max, arg_min, avg, count, countif, dcount, make_list, make_set, max, min, sum, take_any"

func isAggregate(name string) bool {
	switch name {
	case "arg_max", "arg_min", "avg", "count", "countif", "dcount", "make_list", "make_set", "max", "min", "sum", "take_any", "any":
		return true
	}
	return false
}

// aggregate resolves one item of summarize.
func (r *run) aggregate(it item, in flow, by []Column) (aggregate, error) {
	c, ok := it.value.(call)
	if !ok || !isAggregate(c.name) {
		return aggregate{}, r.semantic(it.at, "'summarize' operator: an aggregate is needed here, one of %s", aggregateNames)
	}
	if c.name == "arg_max" || c.name == "arg_min" {
		return r.extreme(it, c, in, by)
	}
	if c.star {
		return aggregate{}, r.badAggregate(c)
	}
	b := &binder{run: r, columns: in.columns, op: "summarize"}
	args, err := b.bindAll(c.args...)
	if err != nil {
		return aggregate{}, err
	}
	typ, start, ok := r.accumulator(c.name, args)
	if !ok {
		return aggregate{}, r.badAggregate(c)
	}
	title := it.name
	if title == "" {
		title = aggregateTitle(c.name, args)
	}
	return aggregate{columns: []Column{{title, typ}}, start: start}, nil
}

func (r *run) badAggregate(c call) error {
	return r.semantic(c.at, "'summarize' operator: the aggregate %s() cannot be called with these arguments", c.name)
}

// aggregateTitle is the name of an aggregate's column without a given one.
func aggregateTitle(name string, args []expr) string {
	column := ""
	if len(args) > 0 {
		column = args[0].column
	}
	switch name {
	case "make_set":
		return "set_" + column
	case "make_list":
		return "list_" + column
	case "take_any", "any":
		if column != "" {
			return column
		}
	}
	return name + "_" + column
}

// accumulator finds an aggregate by name; false when its arguments do not fit.
func (r *run) accumulator(name string, args []expr) (Type, func() accumulator, bool) {
	switch name {
	case "count":
		return Long, func() accumulator { return &counter{} }, len(args) == 0
	case "make_set", "make_list":
		limit, ok := setLimit(args)
		return Dynamic, func() accumulator {
			return &collector{run: r, expr: args[0], limit: limit, repeat: name == "make_list", seen: map[string]bool{}}
		}, ok
	}
	if len(args) != 1 {
		return Long, nil, false
	}
	arg := args[0]
	switch name {
	case "countif":
		return Long, func() accumulator { return &counter{condition: arg.eval} }, arg.typ == Bool
	case "dcount":
		return Long, func() accumulator { return &distinctCounter{expr: arg, seen: map[string]bool{}} }, arg.typ != Dynamic
	case "min", "max":
		return arg.typ, func() accumulator { return &best{expr: arg, largest: name == "max"} }, arg.typ != Dynamic
	case "sum":
		return arg.typ, func() accumulator { return &total{expr: arg} }, numeric(arg.typ)
	case "avg":
		return Real, func() accumulator { return &total{expr: arg, mean: true} }, numeric(arg.typ)
	default: // take_any: isAggregate lets no other through
		return arg.typ, func() accumulator { return &best{expr: arg, any: true} }, true
	}
}

// setLimit is the second argument of make_set and make_list.
func setLimit(args []expr) (int64, bool) {
	if len(args) == 1 {
		return maxSet, true
	}
	if len(args) != 2 || !args[1].constant {
		return 0, false
	}
	n, ok := args[1].value().(int64)
	return min(n, maxSet), ok && n > 0
}

// extreme resolves arg_max and arg_min: the row in which an expression is largest
// or smallest, with the columns asked for.
func (r *run) extreme(it item, c call, in flow, by []Column) (aggregate, error) {
	if len(c.args) == 0 || !c.star && len(c.args) < 2 {
		return aggregate{}, r.badAggregate(c)
	}
	items := make([]item, 0, len(c.args))
	for _, arg := range c.args {
		items = append(items, item{at: arg.place(), value: arg})
	}
	items[0].name = it.name
	exprs, columns, err := r.named(items, in.columns, "summarize")
	if err != nil {
		return aggregate{}, err
	}
	if exprs[0].typ == Dynamic {
		return aggregate{}, r.badAggregate(c)
	}
	if c.star {
		for i, col := range in.columns {
			same := func(o Column) bool { return o.Name == col.Name }
			if exprs[0].column != col.Name && !slices.ContainsFunc(columns, same) && !slices.ContainsFunc(by, same) {
				exprs = append(exprs, expr{typ: col.Type, eval: func(row []any) any { return row[i] }})
				columns = append(columns, col)
			}
		}
	}
	return aggregate{columns: columns, start: func() accumulator {
		return &bestRow{exprs: exprs, best: best{expr: exprs[0], largest: c.name == "arg_max"}, values: blank(columns)}
	}}, nil
}
