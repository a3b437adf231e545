package tools

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxArgs bounds the text of one call's arguments, tables aside.
const maxArgs = 64 << 10

// argsLimit is maxArgs, and room for every table that the tool takes: as many bytes as it may have characters.
func argsLimit(args []Arg) int {
	limit := maxArgs
	for _, a := range args {
		if a.form == formCSV {
			limit += a.Max
		}
	}
	return limit
}

// maxText bounds the text of one argument that states no bound of its own, in characters.
const maxText = 255

// check reads raw as arguments for args. It returns them with defaults filled in, lists made of single strings, and
// everything that is wrong with them.
func check(args []Arg, raw json.RawMessage) (json.RawMessage, Problems) {
	given, problems := object(raw, argsLimit(args))
	if len(problems) > 0 {
		return nil, problems
	}
	values := make(map[string]json.RawMessage, len(args))
	for _, a := range args {
		value, ok := given[a.Name]
		if !ok || string(value) == "null" { // models send null for what they leave out
			if a.Required {
				problems = append(problems, problem(a.Name, "is missing: %s", lowerFirst(a.Description)))
			} else if a.Default != "" {
				values[a.Name] = defaultJSON(a)
			}
			continue
		}
		normal, text := a.check(value)
		if text != "" {
			problems = append(problems, Problem{Arg: a.Name, Text: text})
		}
		values[a.Name] = normal
	}
	problems = append(problems, unknown(args, given)...)
	if len(problems) > 0 {
		return nil, problems
	}
	out, err := json.Marshal(values)
	if err != nil {
		return nil, Problems{problem("", "the arguments can't be written as JSON")}
	}
	return out, nil
}

// object reads raw as one JSON object. A name that is given twice is refused, because two readers could take either.
func object(raw json.RawMessage, limit int) (map[string]json.RawMessage, Problems) {
	if len(bytes.TrimSpace(raw)) == 0 || string(bytes.TrimSpace(raw)) == "null" {
		return nil, nil
	}
	if len(raw) > limit {
		return nil, Problems{problem("", "the arguments have %d bytes, at most %d are taken", len(raw), limit)}
	}
	given := map[string]json.RawMessage{}
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, Problems{problem("", "the arguments must be one JSON object such as {\"devices\": [\"host01\"]}")}
	}
	var problems Problems
	for d.More() {
		name, value, err := member(d)
		if err != nil {
			return nil, Problems{problem("", "the arguments are not valid JSON: %s", jsonFault(err))}
		}
		if _, twice := given[name]; twice {
			problems = append(problems, problem(name, "is given twice"))
		}
		given[name] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, Problems{problem("", "the arguments are not valid JSON: %s", jsonFault(err))}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, Problems{problem("", "there is more after the arguments' closing brace")}
	}
	return given, problems
}

// jsonFault is what the decoder says, made safe to show because it may quote the caller's text.
func jsonFault(err error) string { return clean(err.Error(), 120) }

func member(d *json.Decoder) (string, json.RawMessage, error) {
	t, err := d.Token()
	if err != nil {
		return "", nil, err
	}
	name, ok := t.(string)
	if !ok {
		return "", nil, fmt.Errorf("a name was expected")
	}
	var value json.RawMessage
	return name, value, d.Decode(&value)
}

func unknown(args []Arg, given map[string]json.RawMessage) Problems {
	var problems Problems
	names := make([]string, len(args))
	for i, a := range args {
		names[i] = a.Name
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		switch {
		case slices.Contains(names, name):
		case len(names) == 0:
			problems = append(problems, problem(name, "there is no such argument; this tool takes none"))
		default:
			problems = append(problems, problem(name, "there is no such argument%s It takes %s",
				didYouMean(name, names), strings.Join(names, ", ")))
		}
	}
	return problems
}

// check reads one value; the text says what is wrong with it.
func (a Arg) check(value json.RawMessage) (json.RawMessage, string) {
	switch a.Type {
	case TypeBoolean:
		var v bool
		if json.Unmarshal(value, &v) != nil {
			return nil, "must be true or false, not " + shown(value)
		}
		return value, ""
	case TypeInteger:
		return value, a.checkInteger(value)
	case TypeString:
		var v string
		if json.Unmarshal(value, &v) != nil {
			return nil, "must be a string, not " + shown(value)
		}
		v, text := a.checkText(v)
		return remarshal(v), text
	case TypeStrings:
		return a.checkStrings(value)
	}
	return nil, "has a type that is not known"
}

func (a Arg) checkInteger(value json.RawMessage) string {
	n, err := strconv.Atoi(string(value))
	if err != nil {
		return fmt.Sprintf("must be a whole number from %d to %d, not %s", a.Min, a.Max, shown(value))
	}
	if n < a.Min || n > a.Max {
		return fmt.Sprintf("must be from %d to %d, not %d", a.Min, a.Max, n)
	}
	return ""
}

func (a Arg) checkStrings(value json.RawMessage) (json.RawMessage, string) {
	var many []string
	if json.Unmarshal(value, &many) != nil {
		var one string
		if json.Unmarshal(value, &one) != nil {
			return nil, "must be a list of strings, not " + shown(value)
		}
		many = []string{one}
	}
	if len(many) == 0 {
		return nil, "is an empty list; give at least one"
	}
	var texts []string
	for i, v := range many {
		v, text := a.checkText(v)
		many[i] = v
		if text != "" && len(texts) < 5 { // the first few show what is wrong with all
			texts = append(texts, text)
		}
	}
	return remarshal(many), strings.Join(texts, "; ")
}

// checkText trims v and says what is wrong with it.
func (a Arg) checkText(v string) (string, string) {
	v = strings.TrimSpace(v)
	if a.form == formAny {
		if text := unsafe(v, true); text != "" {
			return v, text
		}
		v = oneLine(v)
	}
	limit := a.Max
	if limit == 0 {
		limit = maxText
	}
	switch n := utf8.RuneCountInString(v); {
	case v == "" && (a.Required || a.form != formAny || len(a.Enum) > 0):
		return v, "is empty"
	case n > limit:
		return v, fmt.Sprintf("has %d characters, at most %d are taken", n, limit)
	case len(a.Enum) > 0 && !slices.Contains(a.Enum, v):
		return v, fmt.Sprintf("%s is not offered; use one of %s", quoted(v, 60), strings.Join(a.Enum, ", "))
	}
	return v, a.form.check(v)
}

// shown names the type of a wrong value, with the value when it is short.
func shown(value json.RawMessage) string {
	var v any
	if json.Unmarshal(value, &v) != nil {
		return "what was given"
	}
	switch v.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case string:
		return "the string " + clean(string(value), 60)
	}
	return clean(string(value), 60)
}

func remarshal(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("null") // strings and lists of strings always marshal
	}
	return b
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
