package kql

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// operation resolves a binary operator or a sign.
func (b *binder) operation(n operation) (expr, error) {
	if n.left == nil {
		return b.negation(n)
	}
	parts, err := b.bindAll(n.left, n.right)
	if err != nil {
		return expr{}, err
	}
	left, right := parts[0], parts[1]
	var e expr
	var ok bool
	switch {
	case n.op == "and" || n.op == "or":
		e, ok = logical(n.op, left, right)
	case n.op == "=~" || n.op == "!~" || stringOperator(n.op):
		e, ok = b.textual(n.op, left, right)
	case isComparison(n.op):
		e, ok = comparison(n.op, left, right)
	default:
		e, ok = b.arithmetic(n, left, right)
	}
	if !ok {
		return expr{}, b.semantic(n.at, "'%s' operator: cannot apply '%s' to values of types %s and %s. Try adding explicit casts", b.op, n.op, left.typ, right.typ)
	}
	return fold(e, parts...), nil
}

func (b *binder) negation(n operation) (expr, error) {
	e, err := b.bind(n.right)
	if err != nil {
		return expr{}, err
	}
	if !numeric(e.typ) && e.typ != Timespan {
		return expr{}, b.semantic(n.at, "'%s' operator: cannot apply '-' to a value of type %s", b.op, e.typ)
	}
	return fold(expr{typ: e.typ, eval: func(row []any) any {
		switch v := e.eval(row).(type) {
		case int64:
			return -v
		case float64:
			return -v
		case time.Duration:
			return -v
		}
		return nil
	}}, e), nil
}

// logical has three values: null is neither true nor false.
func logical(op string, left, right expr) (expr, bool) {
	decides := op == "or"
	return expr{typ: Bool, eval: func(row []any) any {
		l := left.eval(row)
		if l == decides {
			return decides
		}
		r := right.eval(row)
		if r == decides {
			return decides
		}
		if l == nil || r == nil {
			return nil
		}
		return !decides
	}}, left.typ == Bool && right.typ == Bool
}

// comparison compares; a null equals nothing, and two nulls are neither equal
// nor unequal.
func comparison(op string, left, right expr) (expr, bool) {
	return expr{typ: Bool, eval: func(row []any) any {
		l, r := left.eval(row), right.eval(row)
		if l == nil || r == nil {
			if (l == nil) == (r == nil) || op != "==" && op != "!=" {
				return nil
			}
			return op == "!="
		}
		return holds(op, compareValues(l, r))
	}}, comparableTypes(left.typ, right.typ)
}

func holds(op string, c int) bool {
	switch op {
	case "==":
		return c == 0
	case "!=":
		return c != 0
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	default: // >=: the parser lets no other through
		return c >= 0
	}
}

// textual is an operator on strings; a dynamic value takes part as its text.
func (b *binder) textual(op string, left, right expr) (expr, bool) {
	test := textTest(strings.TrimPrefix(op, "!"))
	not := strings.HasPrefix(op, "!")
	isText := func(t Type) bool { return t == String || t == Dynamic }
	return expr{typ: Bool, eval: func(row []any) any {
		s := textOf(left.eval(row))
		b.spend(size(s))
		return test(s, textOf(right.eval(row))) != not
	}}, isText(left.typ) && isText(right.typ)
}

// textTest returns the test of an operator without its "!".
func textTest(op string) func(s, part string) bool {
	folded := func(test func(s, part string) bool) func(s, part string) bool {
		return func(s, part string) bool { return test(strings.ToLower(s), strings.ToLower(part)) }
	}
	switch op {
	case "~", "=~":
		return strings.EqualFold
	case "has":
		return folded(hasTerm)
	case "has_cs":
		return hasTerm
	case "contains":
		return folded(strings.Contains)
	case "contains_cs":
		return strings.Contains
	case "startswith":
		return folded(strings.HasPrefix)
	case "startswith_cs":
		return strings.HasPrefix
	case "endswith":
		return folded(strings.HasSuffix)
	default: // endswith_cs: the parser lets no other through
		return strings.HasSuffix
	}
}

// hasTerm reports whether part occurs in s as whole terms, which are runs of
// letters and digits.
func hasTerm(s, part string) bool {
	if part == "" {
		return true
	}
	first, _ := utf8.DecodeRuneInString(part)
	last, _ := utf8.DecodeLastRuneInString(part)
	for from := 0; from <= len(s); {
		i := strings.Index(s[from:], part)
		if i < 0 {
			return false
		}
		start := from + i
		before, _ := utf8.DecodeLastRuneInString(s[:start])
		after, _ := utf8.DecodeRuneInString(s[start+len(part):])
		begins := !inTerm(first) || !inTerm(before)
		if begins && (!inTerm(last) || !inTerm(after)) {
			return true
		}
		_, size := utf8.DecodeRuneInString(s[start:])
		from = start + size
	}
	return false
}

// inTerm reports whether a character is part of a term.
func inTerm(c rune) bool {
	return c != utf8.RuneError && (unicode.IsLetter(c) || unicode.IsDigit(c))
}

// membership is in, has_any and their kin. A dynamic list counts as its elements.
func (b *binder) membership(n membership) (expr, error) {
	left, err := b.bind(n.left)
	if err != nil {
		return expr{}, err
	}
	items, err := b.bindAll(n.items...)
	if err != nil {
		return expr{}, err
	}
	terms := strings.HasPrefix(n.op, "has_")
	for i, item := range items {
		if !listable(left.typ, item.typ, terms) {
			return expr{}, b.semantic(n.items[i].place(), "'%s' operator: cannot compare values of types %s and %s. Try adding explicit casts", n.op, left.typ, item.typ)
		}
	}
	if terms {
		return b.hasList(n.op == "has_all", left, items), nil
	}
	return b.in(n.op, left, items), nil
}

// listable reports whether values of a type can be looked for in a list's item.
func listable(left, item Type, terms bool) bool {
	if terms && left != String && left != Dynamic {
		return false
	}
	return item == Dynamic || comparableTypes(left, item) || left == Dynamic && item == String
}

// in compares with a set, which is built once when it is constant.
func (b *binder) in(op string, left expr, items []expr) expr {
	not := strings.HasPrefix(op, "!")
	key := keyOf
	if strings.HasSuffix(op, "~") {
		key = func(v any) string { return strings.ToLower(keyOf(v)) }
	}
	set := func(row []any) map[string]bool {
		out := map[string]bool{}
		for _, v := range elements(items, row) {
			b.spend(1)
			out[key(v)] = true
		}
		return out
	}
	if allConstant(items) {
		fixed := set(nil)
		set = func([]any) map[string]bool { return fixed }
	}
	return fold(expr{typ: Bool, eval: func(row []any) any {
		v := left.eval(row)
		if v == nil {
			return not
		}
		return set(row)[key(v)] != not
	}}, append(items, left)...)
}

// hasList is has_any, or has_all.
func (b *binder) hasList(all bool, left expr, items []expr) expr {
	return fold(expr{typ: Bool, eval: func(row []any) any {
		s := strings.ToLower(textOf(left.eval(row)))
		for _, v := range elements(items, row) {
			if !b.spend(1+size(s)) || hasTerm(s, strings.ToLower(textOf(v))) != all {
				return !all
			}
		}
		return all
	}}, append(items, left)...)
}

// elements are the values of a list's items, dynamic lists taken apart.
func elements(items []expr, row []any) []any {
	var out []any
	for _, item := range items {
		v := item.eval(row)
		if list, ok := v.([]any); ok {
			out = append(out, list...)
		} else {
			out = append(out, v)
		}
	}
	return out
}

func allConstant(items []expr) bool {
	for _, e := range items {
		if !e.constant {
			return false
		}
	}
	return true
}
