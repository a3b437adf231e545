package kql

import (
	"iter"
	"slices"
	"strings"
)

// keys resolves the columns that rows are grouped by.
func (r *run) keys(items []item, in flow, op string) ([]expr, []Column, error) {
	exprs, columns, err := r.named(items, in.columns, op)
	if err != nil {
		return nil, nil, err
	}
	for i, e := range exprs {
		if e.typ == Dynamic {
			return nil, nil, r.semantic(items[i].at, "'%s' operator: cannot group by a value of type dynamic; tostring() makes a string of it", op)
		}
	}
	return exprs, columns, nil
}

// groupKey computes a row's keys and one text for all of them.
func groupKey(exprs []expr, row []any) ([]any, string) {
	values := make([]any, len(exprs))
	var key strings.Builder
	for i, e := range exprs {
		values[i] = e.eval(row)
		part := keyOf(values[i])
		// Lengths keep ("a", "b:c") and ("a:b", "c") apart.
		key.WriteString(textOf(int64(len(part))))
		key.WriteByte(' ')
		key.WriteString(part)
	}
	return values, key.String()
}

func (r *run) distinct(s step, in flow) (flow, error) {
	if s.star {
		for _, c := range in.columns {
			s.items = append(s.items, item{at: s.at, value: name{at: s.at, name: c.Name}})
		}
	}
	exprs, columns, err := r.keys(s.items, in, "distinct")
	if err != nil {
		return flow{}, err
	}
	return flow{columns, func(yield func([]any) bool) {
		seen := map[string]bool{}
		for row := range in.rows {
			if !r.spend(1 + len(exprs)) {
				return
			}
			values, key := groupKey(exprs, row)
			if seen[key] {
				continue
			}
			seen[key] = true
			if !yield(values) {
				return
			}
		}
	}}, nil
}

// summarize groups rows and aggregates each group.
func (r *run) summarize(s step, in flow) (flow, error) {
	exprs, columns, err := r.keys(s.by, in, "summarize")
	if err != nil {
		return flow{}, err
	}
	var aggregates []aggregate
	for _, it := range s.items {
		a, err := r.aggregate(it, in, columns[:len(exprs)])
		if err != nil {
			return flow{}, err
		}
		for j := range a.columns {
			a.columns[j].Name = unused(columns, a.columns[j].Name)
			columns = append(columns, a.columns[j])
		}
		aggregates = append(aggregates, a)
	}
	return flow{columns, r.grouped(in.rows, exprs, aggregates)}, nil
}

// group is the rows that have the same keys.
type group struct {
	keys    []any
	running []accumulator
}

func newGroup(keys []any, aggregates []aggregate) *group {
	g := &group{keys: keys}
	for _, a := range aggregates {
		g.running = append(g.running, a.start())
	}
	return g
}

// row is the group's row of the answer.
func (g *group) row() []any {
	out := slices.Clone(g.keys)
	for _, a := range g.running {
		out = append(out, a.result()...)
	}
	return out
}

// grouped gives a row for each group, in the order in which they were first seen.
// Without keys there is one group, even of no rows.
func (r *run) grouped(rows iter.Seq[[]any], exprs []expr, aggregates []aggregate) iter.Seq[[]any] {
	return func(yield func([]any) bool) {
		groups := map[string]*group{}
		var order []*group
		open := func(key string, values []any) *group {
			g := newGroup(values, aggregates)
			groups[key] = g
			order = append(order, g)
			return g
		}
		if len(exprs) == 0 {
			open("", nil)
		}
		for row := range rows {
			if !r.spend(1 + len(exprs) + len(aggregates)) {
				return
			}
			values, key := groupKey(exprs, row)
			g, ok := groups[key]
			if !ok {
				g = open(key, values)
			}
			for _, a := range g.running {
				a.add(row)
			}
		}
		for _, g := range order {
			if !yield(g.row()) {
				return
			}
		}
	}
}
