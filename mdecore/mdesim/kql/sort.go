package kql

import (
	"iter"
	"slices"
)

// sortKey is a resolved key of a sort.
type sortKey struct {
	expr
	ordering
}

// compare orders two values of a key, nulls included.
func (k sortKey) compare(a, b any) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil || b == nil:
		if (a == nil) == k.nullsFirst {
			return -1
		}
		return 1
	}
	if k.descending {
		a, b = b, a
	}
	return compareValues(a, b)
}

// sort puts rows in order; top keeps the first of them.
func (r *run) sort(s step, in flow) (flow, error) {
	keys := make([]sortKey, 0, len(s.order))
	for _, o := range s.order {
		e, err := r.expr(o.value, in.columns, s.kind)
		if err != nil {
			return flow{}, err
		}
		if e.typ == Dynamic {
			return flow{}, r.semantic(o.value.place(), "'%s' operator: a key cannot be of type dynamic; tostring() makes a string of it", s.kind)
		}
		keys = append(keys, sortKey{e, o})
	}
	sorted := r.sorted(in.rows, keys)
	if s.kind == "sort" {
		return flow{in.columns, sorted}, nil
	}
	n, err := r.limit(s)
	return flow{in.columns, r.take(sorted, n)}, err
}

func (r *run) sorted(rows iter.Seq[[]any], keys []sortKey) iter.Seq[[]any] {
	type entry struct{ row, keys []any }
	return func(yield func([]any) bool) {
		var all []entry
		for row := range rows {
			if !r.spend(2 + len(keys)) {
				return
			}
			values := make([]any, len(keys))
			for i, k := range keys {
				values[i] = k.eval(row)
			}
			all = append(all, entry{row, values})
		}
		slices.SortStableFunc(all, func(a, b entry) int {
			for i, k := range keys {
				if c := k.compare(a.keys[i], b.keys[i]); c != 0 {
					return c
				}
			}
			return 0
		})
		for _, e := range all {
			if !yield(e.row) {
				return
			}
		}
	}
}
