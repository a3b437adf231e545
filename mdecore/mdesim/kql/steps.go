package kql

import (
	"iter"
	"slices"
	"strconv"
)

// bind resolves a whole query.
func (r *run) bind(q *query) (flow, error) {
	for _, let := range q.lets {
		e, err := r.expr(let.value, nil, "let")
		if err != nil {
			return flow{}, err
		}
		if !e.constant {
			return flow{}, r.semantic(let.at, "'let' statement: only constant values are understood")
		}
		e.column = ""
		r.lets[let.name] = e
	}
	return r.pipeline(q.pipe)
}

// pipeline resolves a source and the operators behind it.
func (r *run) pipeline(p pipeline) (flow, error) {
	f, err := r.source(p.source)
	if err != nil {
		return flow{}, err
	}
	for _, s := range p.steps {
		if f, err = r.step(s, f); err != nil {
			return flow{}, err
		}
	}
	return f, nil
}

func (r *run) source(s source) (flow, error) {
	if s.union != nil {
		flows, err := r.pipelines(s.union)
		if err != nil {
			return flow{}, err
		}
		return r.union(s.at, flows)
	}
	table, ok := Table{}, false
	if r.opts.Tables != nil {
		table, ok = r.opts.Tables(s.table)
	}
	if !ok {
		return flow{}, r.semantic(s.at, "Failed to resolve table or column expression named '%s'", clip(s.table))
	}
	return flow{columns: table.Columns, rows: table.Rows}, nil
}

func (r *run) pipelines(parts []pipeline) ([]flow, error) {
	flows := make([]flow, 0, len(parts))
	for _, part := range parts {
		f, err := r.pipeline(part)
		if err != nil {
			return nil, err
		}
		flows = append(flows, f)
	}
	return flows, nil
}

// step resolves one operator.
func (r *run) step(s step, in flow) (flow, error) {
	switch s.kind {
	case "where":
		return r.where(s, in)
	case "project", "extend":
		return r.project(s, in)
	case "project-away":
		return r.projectAway(s, in)
	case "distinct":
		return r.distinct(s, in)
	case "take":
		n, err := r.limit(s)
		return flow{in.columns, r.take(in.rows, n)}, err
	case "sort", "top":
		return r.sort(s, in)
	case "summarize":
		return r.summarize(s, in)
	case "union":
		flows, err := r.pipelines(s.union)
		if err != nil {
			return flow{}, err
		}
		return r.union(s.at, append([]flow{in}, flows...))
	default: // count: the parser lets no other through
		return flow{[]Column{{"Count", Long}}, r.count(in.rows)}, nil
	}
}

func (r *run) where(s step, in flow) (flow, error) {
	condition, err := r.expr(s.condition, in.columns, "where")
	if err != nil {
		return flow{}, err
	}
	if condition.typ != Bool {
		return flow{}, r.semantic(s.at, "'where' operator: the condition must be of type bool, not %s", condition.typ)
	}
	return flow{in.columns, func(yield func([]any) bool) {
		for row := range in.rows {
			if !r.spend(2) || condition.eval(row) == true && !yield(row) {
				return
			}
		}
	}}, nil
}

// maxColumns is the most columns that an operator may take and make.
const maxColumns = 1000

// named resolves items into expressions and their columns.
func (r *run) named(items []item, columns []Column, op string) ([]expr, []Column, error) {
	if len(columns)+len(items) > maxColumns {
		return nil, nil, r.semantic(items[0].at, "'%s' operator: more than %d columns", op, maxColumns)
	}
	var exprs []expr
	var out []Column
	for i, it := range items {
		e, err := r.expr(it.value, columns, op)
		if err != nil {
			return nil, nil, err
		}
		title := it.name
		if title == "" {
			title = e.column
		}
		if title == "" {
			title = "Column" + strconv.Itoa(i+1)
		}
		exprs, out = append(exprs, e), append(out, Column{unused(out, title), e.typ})
	}
	return exprs, out, nil
}

// unused is a column's name, with a number behind it when it is taken.
func unused(columns []Column, title string) string {
	taken := make(map[string]bool, len(columns))
	for _, c := range columns {
		taken[c.Name] = true
	}
	name := title
	for i := 1; taken[name]; i++ {
		name = title + strconv.Itoa(i)
	}
	return name
}

// project computes columns; extend keeps those of the table that get no new value.
func (r *run) project(s step, in flow) (flow, error) {
	exprs, columns, err := r.named(s.items, in.columns, s.kind)
	if err != nil {
		return flow{}, err
	}
	if s.kind == "extend" {
		var kept []expr
		var names []Column
		for i, c := range in.columns {
			if !slices.ContainsFunc(columns, func(o Column) bool { return o.Name == c.Name }) {
				kept = append(kept, expr{typ: c.Type, eval: func(row []any) any { return row[i] }})
				names = append(names, c)
			}
		}
		exprs, columns = append(kept, exprs...), append(names, columns...)
	}
	return flow{columns, r.compute(in.rows, exprs)}, nil
}

// compute makes rows of expressions.
func (r *run) compute(rows iter.Seq[[]any], exprs []expr) iter.Seq[[]any] {
	return func(yield func([]any) bool) {
		for row := range rows {
			if !r.spend(1 + len(exprs)) {
				return
			}
			out := make([]any, len(exprs))
			for i, e := range exprs {
				out[i] = e.eval(row)
			}
			if !yield(out) {
				return
			}
		}
	}
}

func (r *run) projectAway(s step, in flow) (flow, error) {
	for _, it := range s.items {
		if _, err := r.expr(it.value, in.columns, s.kind); err != nil {
			return flow{}, err
		}
	}
	var exprs []expr
	var columns []Column
	for i, c := range in.columns {
		if !slices.ContainsFunc(s.items, func(it item) bool { return it.name == c.Name }) {
			exprs = append(exprs, expr{typ: c.Type, eval: func(row []any) any { return row[i] }})
			columns = append(columns, c)
		}
	}
	return flow{columns, r.compute(in.rows, exprs)}, nil
}

// limit is the number of take and top.
func (r *run) limit(s step) (int64, error) {
	e, err := r.expr(s.limit, nil, s.kind)
	if err != nil {
		return 0, err
	}
	n, ok := e.value().(int64)
	if !ok || n < 0 {
		return 0, r.semantic(s.limit.place(), "'%s' operator: the number of rows must be a whole number that is not negative", s.kind)
	}
	return n, nil
}

func (r *run) take(rows iter.Seq[[]any], n int64) iter.Seq[[]any] {
	return func(yield func([]any) bool) {
		if n == 0 {
			return
		}
		left := n
		for row := range rows {
			left--
			if !r.spend(1) || !yield(row) || left == 0 {
				return
			}
		}
	}
}

func (r *run) count(rows iter.Seq[[]any]) iter.Seq[[]any] {
	return func(yield func([]any) bool) {
		n := int64(0)
		for range rows {
			if !r.spend(1) {
				return
			}
			n++
		}
		yield([]any{n})
	}
}

// union puts tables one behind the other; columns go together by name.
func (r *run) union(at int, flows []flow) (flow, error) {
	if len(flows) == 1 {
		return flows[0], nil
	}
	var columns []Column
	places := make([][]int, len(flows))
	for i, f := range flows {
		for _, c := range f.columns {
			j := slices.IndexFunc(columns, func(o Column) bool { return o.Name == c.Name })
			if j < 0 {
				j = len(columns)
				columns = append(columns, c)
			}
			if columns[j].Type != c.Type {
				return flow{}, r.semantic(at, "'union' operator: the column '%s' is of type %s in one table and of type %s in another", clip(c.Name), columns[j].Type, c.Type)
			}
			places[i] = append(places[i], j)
		}
	}
	return flow{columns, func(yield func([]any) bool) {
		for i, f := range flows {
			for row := range f.rows {
				out := blank(columns)
				for k, v := range row {
					out[places[i][k]] = v
				}
				if !r.spend(1+len(columns)) || !yield(out) {
					return
				}
			}
		}
	}}, nil
}

// blank is a row of nothing: null, or an empty string, because strings are never null.
func blank(columns []Column) []any {
	out := make([]any, len(columns))
	for i, c := range columns {
		if c.Type == String {
			out[i] = ""
		}
	}
	return out
}
