package kql

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// function is a scalar function.
type function struct {
	// arguments tells whether types are accepted; their number is theirs to check.
	arguments func(types []Type) bool
	result    func(types []Type) Type
	eval      func(args []any) any
}

// functionNames are the functions there are, for the error about an unknown one.
const functionNames = "ago, array_length, bin, coalesce, iff, isempty, isnotempty, isnotnull, isnull, not, now, parse_json, startofday, " +
	"strcat, strlen, tobool, todatetime, todouble, tolong, tolower, tostring, toupper"

// call resolves a scalar function.
func (b *binder) call(n call) (expr, error) {
	f, ok := b.function(n.name)
	if !ok {
		if isAggregate(n.name) {
			return expr{}, b.semantic(n.at, "'%s' operator: the aggregate '%s' can only stand in summarize", b.op, n.name)
		}
		return expr{}, b.semantic(n.at, "'%s' operator: Unknown function: '%s'. This tenant understands %s", b.op, clip(n.name), functionNames)
	}
	parts, err := b.bindAll(n.args...)
	if err != nil {
		return expr{}, err
	}
	types := make([]Type, len(parts))
	for i, part := range parts {
		types[i] = part.typ
	}
	if n.star || !f.arguments(types) {
		return expr{}, b.semantic(n.at, "'%s' operator: the function %s() cannot be called with these arguments: %s", b.op, n.name, clip(joinTypes(types)))
	}
	e := expr{typ: f.result(types), eval: func(row []any) any {
		args := make([]any, len(parts))
		work := 0
		for i, part := range parts {
			args[i] = part.eval(row)
			work += size(args[i])
		}
		v := f.eval(args)
		b.spend(work + size(v))
		return v
	}}
	if n.name == "bin" || n.name == "tostring" {
		e.column = parts[0].column
	}
	return fold(e, parts...), nil
}

// size is how much work a value counts for: long texts are read and copied.
func size(v any) int {
	if s, ok := v.(string); ok {
		return len(s) / 4
	}
	return 0
}

func joinTypes(types []Type) string {
	if len(types) == 0 {
		return "none"
	}
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.String()
	}
	return strings.Join(names, ", ")
}

// takes accepts as many arguments as there are lists, each of one of its types;
// an empty list means any type.
func takes(lists ...[]Type) func([]Type) bool {
	return func(types []Type) bool {
		if len(types) != len(lists) {
			return false
		}
		for i, t := range types {
			if len(lists[i]) > 0 && !slices.Contains(lists[i], t) {
				return false
			}
		}
		return true
	}
}

func gives(t Type) func([]Type) Type { return func([]Type) Type { return t } }

func first(types []Type) Type { return types[0] }

// conversion makes a function of one argument that has a fixed result type.
func conversion(t Type, eval func(v any) any) (function, bool) {
	return function{takes(nil), gives(t), func(args []any) any { return eval(args[0]) }}, true
}

// function finds a scalar function by name.
func (b *binder) function(name string) (function, bool) {
	switch name {
	case "now", "ago", "startofday", "bin":
		return b.timeFunction(name)
	case "tolower":
		return textFunction(func(s string) any { return strings.ToLower(s) }, String)
	case "toupper":
		return textFunction(func(s string) any { return strings.ToUpper(s) }, String)
	case "strlen":
		return textFunction(func(s string) any { return int64(utf8.RuneCountInString(s)) }, Long)
	case "strcat":
		return function{func(types []Type) bool { return len(types) > 0 }, gives(String), b.concatenate}, true
	case "tostring":
		return conversion(String, func(v any) any { return textOf(v) })
	case "tolong", "toint":
		return conversion(Long, toLong)
	case "todouble", "toreal":
		return conversion(Real, toReal)
	case "tobool":
		return conversion(Bool, toBool)
	case "todatetime":
		return conversion(DateTime, toDate)
	}
	return conditional(name)
}

// conditional finds the functions about null, truth and dynamic values.
func conditional(name string) (function, bool) {
	switch name {
	case "isempty":
		return conversion(Bool, func(v any) any { return empty(v) })
	case "isnotempty":
		return conversion(Bool, func(v any) any { return !empty(v) })
	case "isnull":
		return conversion(Bool, func(v any) any { return v == nil })
	case "isnotnull":
		return conversion(Bool, func(v any) any { return v != nil })
	case "not":
		return function{takes([]Type{Bool}), gives(Bool), func(args []any) any {
			if v, ok := args[0].(bool); ok {
				return !v
			}
			return nil
		}}, true
	case "iff", "iif":
		return function{func(types []Type) bool {
			return len(types) == 3 && types[0] == Bool && types[1] == types[2]
		}, func(types []Type) Type { return types[1] }, func(args []any) any {
			if args[0] == true {
				return args[1]
			}
			return args[2]
		}}, true
	case "coalesce":
		return function{func(types []Type) bool {
			return len(types) > 1 && !slices.ContainsFunc(types, func(t Type) bool { return t != types[0] })
		}, first, func(args []any) any {
			if i := slices.IndexFunc(args, func(v any) bool { return !empty(v) }); i >= 0 {
				return args[i]
			}
			return args[len(args)-1]
		}}, true
	case "parse_json", "todynamic":
		return conversion(Dynamic, parseJSON)
	case "array_length":
		return function{takes([]Type{Dynamic}), gives(Long), func(args []any) any {
			if list, ok := args[0].([]any); ok {
				return int64(len(list))
			}
			return nil
		}}, true
	}
	return function{}, false
}

// timeFunction finds the functions about time.
func (b *binder) timeFunction(name string) (function, bool) {
	now := b.opts.Now.UTC()
	switch name {
	case "now":
		return function{takes(), gives(DateTime), func([]any) any { return now }}, true
	case "ago":
		return function{takes([]Type{Timespan}), gives(DateTime), func(args []any) any {
			if d, ok := args[0].(time.Duration); ok {
				return now.Add(-d)
			}
			return nil
		}}, true
	case "startofday":
		return function{takes([]Type{DateTime}), gives(DateTime), func(args []any) any { return bin(args[0], 24*time.Hour) }}, true
	}
	return function{func(types []Type) bool {
		return len(types) == 2 && (types[0] == Long && types[1] == Long ||
			(types[0] == DateTime || types[0] == Timespan) && types[1] == Timespan)
	}, first, func(args []any) any { return bin(args[0], args[1]) }}, true
}

// bin rounds down to a multiple of a size.
func bin(v, size any) any {
	switch size := size.(type) {
	case int64:
		if n, ok := v.(int64); ok && size > 0 {
			return n - ((n%size)+size)%size
		}
	case time.Duration:
		if size <= 0 {
			return nil
		}
		switch v := v.(type) {
		case time.Time:
			return v.UTC().Truncate(size)
		case time.Duration:
			return v - ((v%size)+size)%size
		}
	}
	return nil
}

// textFunction is a function of one string.
func textFunction(eval func(s string) any, result Type) (function, bool) {
	return function{takes([]Type{String, Dynamic}), gives(result), func(args []any) any { return eval(textOf(args[0])) }}, true
}

// concatenate joins the texts of its arguments. Its length is limited, because a
// query could double a string in every step.
func (b *binder) concatenate(args []any) any {
	var out strings.Builder
	for _, v := range args {
		s := textOf(v)
		if out.Len()+len(s) > maxText {
			b.fail("Query execution has exceeded the allowed limits: a string is longer than 1 MB")
			return ""
		}
		out.WriteString(s)
	}
	return out.String()
}

func toLong(v any) any {
	switch v := v.(type) {
	case int64:
		return v
	case float64:
		if v > -1<<63 && v < 1<<63 {
			return int64(v)
		}
	case bool:
		return int64(number(v))
	case string:
		if n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); err == nil {
			return n
		}
	}
	return nil
}

func toReal(v any) any {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	case string:
		if f, ok := parseNumber(strings.TrimSpace(v)); ok {
			return toReal(f)
		}
	}
	return nil
}

func toBool(v any) any {
	switch v := v.(type) {
	case bool:
		return v
	case int64:
		return v != 0
	case string:
		if b, err := strconv.ParseBool(strings.ToLower(v)); err == nil {
			return b
		}
	}
	return nil
}

func toDate(v any) any {
	switch v := v.(type) {
	case time.Time:
		return v
	case string:
		if at, ok := parseDate(strings.TrimSpace(v)); ok {
			return at
		}
	}
	return nil
}

// parseJSON reads a string as JSON; whole numbers stay whole, and what is no JSON
// stays the string that it is, as in the language.
func parseJSON(v any) any {
	s, ok := v.(string)
	if !ok {
		return v
	}
	decoder := json.NewDecoder(strings.NewReader(s))
	decoder.UseNumber()
	var out any
	if err := decoder.Decode(&out); err != nil || decoder.More() {
		return s
	}
	return plain(out)
}

// plain replaces json.Number by the package's numbers.
func plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil {
			return f
		}
		return v.String()
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = plain(v[k])
		}
	}
	return v
}
