package kql

// counter is count and countif.
type counter struct {
	condition func(row []any) any
	n         int64
}

func (c *counter) add(row []any) {
	if c.condition == nil || c.condition(row) == true {
		c.n++
	}
}

func (c *counter) result() []any { return []any{c.n} }

// distinctCounter is dcount, exact instead of estimated.
type distinctCounter struct {
	expr expr
	seen map[string]bool
}

func (d *distinctCounter) add(row []any) {
	if v := d.expr.eval(row); v != nil {
		d.seen[keyOf(v)] = true
	}
}

func (d *distinctCounter) result() []any { return []any{int64(len(d.seen))} }

// best is min, max and take_any.
type best struct {
	expr    expr
	largest bool
	any     bool
	value   any
}

// better takes a row's value when it is the best so far, and reports that.
func (b *best) better(row []any) bool {
	v := b.expr.eval(row)
	switch {
	case v == nil:
		return false
	case b.value == nil:
	case b.any, b.largest && compareValues(v, b.value) <= 0, !b.largest && compareValues(v, b.value) >= 0:
		return false
	}
	b.value = v
	return true
}

func (b *best) add(row []any) { b.better(row) }

func (b *best) result() []any {
	if b.value == nil && b.expr.typ == String {
		return []any{""}
	}
	return []any{b.value}
}

// bestRow is arg_max and arg_min.
type bestRow struct {
	best   best
	exprs  []expr
	values []any
}

func (b *bestRow) add(row []any) {
	if !b.best.better(row) {
		return
	}
	for i, e := range b.exprs {
		b.values[i] = e.eval(row)
	}
}

func (b *bestRow) result() []any { return b.values }

// total is sum and avg.
type total struct {
	expr  expr
	mean  bool
	whole int64
	real  float64
	n     int64
}

func (t *total) add(row []any) {
	switch v := t.expr.eval(row).(type) {
	case int64:
		t.whole += v
		t.real += float64(v)
		t.n++
	case float64:
		t.real += v
		t.n++
	}
}

func (t *total) result() []any {
	switch {
	case t.mean && t.n == 0:
		return []any{nil}
	case t.mean:
		return []any{reals("/", t.real, float64(t.n))}
	case t.expr.typ == Long:
		return []any{t.whole}
	}
	return []any{reals("+", t.real, 0)}
}

// collector is make_set and make_list; nulls are left out.
type collector struct {
	run    *run
	expr   expr
	limit  int64
	repeat bool
	seen   map[string]bool
	values []any
}

func (c *collector) add(row []any) {
	v := c.expr.eval(row)
	if v == nil || int64(len(c.values)) >= c.limit {
		return
	}
	if !c.repeat {
		key := keyOf(v)
		if c.seen[key] {
			return
		}
		c.seen[key] = true
	}
	c.run.spend(1)
	c.values = append(c.values, v)
}

func (c *collector) result() []any {
	if c.values == nil {
		return []any{[]any{}}
	}
	return []any{c.values}
}
