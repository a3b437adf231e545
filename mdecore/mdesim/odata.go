package mdesim

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of a $filter, because it is text from outside.
const (
	maxFilter = 8192
	maxDepth  = 32
)

// kind is the type of a filterable property.
type kind int

const (
	kindString  kind = iota
	kindEnum         // a string out of a documented list; any other value is refused
	kindGUID         // bare or quoted, compared without regard to case
	kindBool         // bare true or false; its value is that word
	kindInt          // bare or quoted
	kindFloat        // bare or quoted, with or without a fraction
	kindTime         // bare or quoted
	kindStrings      // a collection: name/any(x:x eq 'value')
)

// propertyType is what the parser must know about a property.
type propertyType struct {
	kind kind
	enum []string
}

// node is a parsed $filter. get returns a property's value: string, int64,
// float64, time.Time, []string, or nil for null.
type node interface {
	match(get func(name string) any) bool
}

type (
	andNode struct{ left, right node }
	orNode  struct{ left, right node }
	notNode struct{ inner node }
	// compareNode is "name op value".
	compareNode struct {
		name, op string
		value    any
	}
	prefixNode struct{ name, prefix string }
	// anyNode is "name/any(x:x eq 'value')" or with startswith.
	anyNode struct {
		name, value string
		prefix      bool
	}
)

func (n andNode) match(get func(string) any) bool { return n.left.match(get) && n.right.match(get) }
func (n orNode) match(get func(string) any) bool  { return n.left.match(get) || n.right.match(get) }
func (n notNode) match(get func(string) any) bool { return !n.inner.match(get) }

func (n prefixNode) match(get func(string) any) bool {
	s, ok := get(n.name).(string)
	return ok && strings.HasPrefix(s, n.prefix)
}

func (n anyNode) match(get func(string) any) bool {
	list, _ := get(n.name).([]string)
	return slices.ContainsFunc(list, func(s string) bool {
		return s == n.value || n.prefix && strings.HasPrefix(s, n.value)
	})
}

func (n compareNode) match(get func(string) any) bool {
	have := get(n.name)
	if have == nil || n.value == nil {
		// Null equals null only, and is not ordered.
		return (n.op == "eq" && have == n.value) || (n.op == "ne" && have != n.value)
	}
	c := compare(have, n.value)
	switch n.op {
	case "eq":
		return c == 0
	case "ne":
		return c != 0
	case "gt":
		return c > 0
	case "ge":
		return c >= 0
	case "lt":
		return c < 0
	default: // le: the parser lets no other through
		return c <= 0
	}
}

// compare orders two values of the same kind.
func compare(a, b any) int {
	switch a := a.(type) {
	case time.Time:
		return a.Compare(b.(time.Time))
	case int64:
		return int(min(1, max(-1, a-b.(int64))))
	case float64:
		return cmp.Compare(a, b.(float64))
	default:
		return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
	}
}

// parseFilter reads a $filter of the documented subset: eq, ne, gt, ge, lt, le,
// and, or, not, startswith(), any() on collections, and parentheses. Only the
// properties that lookup knows are accepted.
func parseFilter(text string, lookup func(string) (propertyType, bool)) (node, error) {
	if len(text) > maxFilter {
		return nil, fmt.Errorf("the filter is longer than %d characters", maxFilter)
	}
	tokens, err := lex(text)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens, lookup: lookup}
	n, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if tok := p.peek(); tok.kind != tokenEnd {
		return nil, fmt.Errorf("unexpected %q at position %d", tok.text, tok.at)
	}
	return n, nil
}

// literal reads a token as a value of the property's type.
func (pt propertyType) literal(name, op string, tok token) (any, error) {
	if tok.kind == tokenBare && tok.text == "null" {
		if op != "eq" && op != "ne" {
			return nil, fmt.Errorf("null cannot be compared with %s", op)
		}
		return nil, nil
	}
	ordered := pt.kind == kindInt || pt.kind == kindFloat || pt.kind == kindTime
	if !ordered && op != "eq" && op != "ne" {
		return nil, fmt.Errorf("the operator %s cannot be used with the property '%s'", op, name)
	}
	switch pt.kind {
	case kindTime:
		return parseTime(tok.text)
	case kindInt:
		n, err := strconv.ParseInt(tok.text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a whole number, as '%s' is", tok.text, name)
		}
		return n, nil
	case kindFloat:
		n, err := strconv.ParseFloat(tok.text, 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return nil, fmt.Errorf("%q is not a number, as '%s' is", tok.text, name)
		}
		return n, nil
	case kindGUID:
		return strings.ToLower(tok.text), nil
	case kindBool:
		if tok.kind == tokenString || tok.text != "true" && tok.text != "false" {
			return nil, fmt.Errorf("%q is not true or false without quotes, as '%s' is", tok.text, name)
		}
		return tok.text, nil
	case kindString, kindEnum: // in quotes, below
	case kindStrings:
		return nil, fmt.Errorf("'%s' is a collection: use %s/any(x:x eq 'value')", name, name)
	}
	if tok.kind != tokenString {
		return nil, fmt.Errorf("the value %q of '%s' must be in single quotes", tok.text, name)
	}
	if pt.kind == kindEnum && !slices.Contains(pt.enum, tok.text) {
		return nil, fmt.Errorf("'%s' is not a value of '%s': use one of %s", tok.text, name, strings.Join(pt.enum, ", "))
	}
	return tok.text, nil
}

// parseTime reads the documented forms of a date: a day, a day with Z, and a full
// time with or without fractions.
func parseTime(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02", "2006-01-02Z", "2006-01-02T15:04Z07:00"} {
		if at, err := time.Parse(layout, s); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a date such as 2026-11-22T10:00:00Z", s)
}
