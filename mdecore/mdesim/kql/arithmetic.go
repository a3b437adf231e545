package kql

import (
	"math"
	"time"
)

// arithmetic resolves + - * / % on numbers, dates and time spans.
func (b *binder) arithmetic(n operation, left, right expr) (expr, bool) {
	typ, ok := arithmeticType(n.op, left.typ, right.typ)
	return expr{typ: typ, eval: func(row []any) any {
		l, r := left.eval(row), right.eval(row)
		if l == nil || r == nil {
			return nil
		}
		return calculate(n.op, l, r)
	}}, ok
}

// arithmeticType is the type of an operation's result.
func arithmeticType(op string, left, right Type) (Type, bool) {
	switch {
	case left == Long && right == Long:
		return Long, true
	case numeric(left) && numeric(right):
		return Real, true
	case left == DateTime && right == DateTime:
		return Timespan, op == "-"
	case left == DateTime && right == Timespan:
		return DateTime, op == "+" || op == "-"
	case left == Timespan && right == Timespan:
		if op == "/" {
			return Real, true
		}
		return Timespan, op == "+" || op == "-"
	case left == Timespan && numeric(right):
		return Timespan, op == "*" || op == "/"
	}
	return String, false
}

// calculate computes one operation; what cannot be computed is null.
func calculate(op string, left, right any) any {
	switch l := left.(type) {
	case time.Time:
		switch r := right.(type) {
		case time.Time:
			return l.Sub(r)
		case time.Duration:
			if op == "-" {
				r = -r
			}
			return l.Add(r)
		}
	case time.Duration:
		if r, ok := right.(time.Duration); ok {
			return spans(op, l, r)
		}
		f, ok := reals(op, float64(l), asReal(right)).(float64)
		if !ok || math.Abs(f) >= 1<<63 {
			return nil
		}
		return time.Duration(f)
	case int64:
		if r, ok := right.(int64); ok {
			return whole(op, l, r)
		}
	}
	return reals(op, asReal(left), asReal(right))
}

func asReal(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	}
	return math.NaN()
}

func spans(op string, l, r time.Duration) any {
	switch op {
	case "+":
		return l + r
	case "-":
		return l - r
	}
	return reals(op, float64(l), float64(r))
}

func whole(op string, l, r int64) any {
	switch op {
	case "+":
		return l + r
	case "-":
		return l - r
	case "*":
		return l * r
	}
	if r == 0 || l == math.MinInt64 && r == -1 {
		return nil
	}
	if op == "/" {
		return l / r
	}
	return l % r
}

func reals(op string, l, r float64) any {
	var f float64
	switch op {
	case "+":
		f = l + r
	case "-":
		f = l - r
	case "*":
		f = l * r
	case "/":
		f = l / r
	default:
		f = math.Mod(l, r)
	}
	// JSON has no spelling for these.
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	return f
}
