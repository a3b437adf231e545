package slacksim

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// checker collects what Slack would complain about, each with a JSON pointer.
type checker struct {
	messages []string
	focused  int // focused is how many elements want the focus at first: one may.
}

func (c *checker) fail(pointer, format string, args ...any) {
	c.messages = append(c.messages, fmt.Sprintf("[ERROR] %s [json-pointer:%s]", fmt.Sprintf(format, args...), pointer))
}

// A rule complains about one value of a JSON document, as encoding/json reads it.
type rule func(c *checker, pointer string, v any)

// fields are the rules of an object's fields by name.
type fields map[string]rule

// with returns the fields and more of them.
func (f fields) with(more ...fields) fields {
	out := maps.Clone(f)
	for _, m := range more {
		maps.Copy(out, m)
	}
	return out
}

// object is a rule for an object that has all fields of need, perhaps those of may, and no others.
func object(need, may fields) rule {
	return func(c *checker, p string, v any) {
		obj, ok := v.(map[string]any)
		if !ok {
			c.fail(p, "must provide an object")
			return
		}
		for _, key := range slices.Sorted(maps.Keys(obj)) {
			switch check := need[key]; {
			case check != nil:
				check(c, p+"/"+key, obj[key])
			case may[key] != nil:
				may[key](c, p+"/"+key, obj[key])
			default:
				c.fail(p, "invalid additional property: %s", key)
			}
		}
		for _, key := range slices.Sorted(maps.Keys(need)) {
			if _, given := obj[key]; !given {
				c.fail(p, "missing required field: %s", key)
			}
		}
	}
}

// kinds is a rule for an object whose type says which rule it follows.
func kinds(by map[string]rule) rule {
	return func(c *checker, p string, v any) {
		obj, ok := v.(map[string]any)
		if !ok {
			c.fail(p, "must provide an object")
			return
		}
		name, _ := obj["type"].(string)
		if check := by[name]; check != nil {
			check(c, p, v)
			return
		}
		c.fail(p+"/type", "unsupported type: %v; allowed: %s", obj["type"], strings.Join(slices.Sorted(maps.Keys(by)), ", "))
	}
}

// some picks rules by name.
func some(all map[string]rule, names ...string) map[string]rule {
	out := map[string]rule{}
	for _, name := range names {
		out[name] = all[name]
	}
	return out
}

// anything is a rule for what another rule has looked at already.
func anything(*checker, string, any) {}

// str is a rule for a string of so many characters.
func str(least, most int) rule {
	return func(c *checker, p string, v any) {
		s, ok := v.(string)
		switch n := utf8.RuneCountInString(s); {
		case !ok:
			c.fail(p, "must provide a string")
		case n < least:
			c.fail(p, "must be more than %d characters", least-1)
		case n > most:
			c.fail(p, "must be less than %d characters", most+1)
		}
	}
}

// flag is a rule for true or false.
func flag(c *checker, p string, v any) {
	if _, ok := v.(bool); !ok {
		c.fail(p, "must provide a boolean")
	}
}

// whole is a rule for a whole number.
func whole(least, most float64) rule {
	return func(c *checker, p string, v any) {
		n, ok := v.(float64)
		if !ok || n != math.Trunc(n) || n < least || n > most {
			c.fail(p, "must be a whole number between %.0f and %.0f", least, most)
		}
	}
}

// word is a rule for one of some strings.
func word(allowed ...string) rule {
	return func(c *checker, p string, v any) {
		if s, ok := v.(string); !ok || !slices.Contains(allowed, s) {
			c.fail(p, "must be one of: %s", strings.Join(allowed, ", "))
		}
	}
}

// list is a rule for an array of so many items that follow another rule.
func list(least, most int, item rule) rule {
	return func(c *checker, p string, v any) {
		items, ok := v.([]any)
		switch {
		case !ok:
			c.fail(p, "must provide an array")
			return
		case len(items) < least:
			c.fail(p, "no fewer than %d items allowed", least)
		case len(items) > most:
			c.fail(p, "no more than %d items allowed", most)
		}
		for i, v := range items {
			item(c, fmt.Sprintf("%s/%d", p, i), v)
		}
	}
}

// also is several rules for one value.
func also(rules ...rule) rule {
	return func(c *checker, p string, v any) {
		for _, r := range rules {
			r(c, p, v)
		}
	}
}

// field returns a field of an object, nil where there is none.
func field(v any, key string) any {
	obj, _ := v.(map[string]any)
	return obj[key]
}

func itemsOf(v any, key string) []any {
	items, _ := field(v, key).([]any)
	return items
}
