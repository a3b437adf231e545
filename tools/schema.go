package tools

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// An input's fields carry the tags json (name; omitempty makes it optional), jsonschema (description), enum
// ("A,B"), default, range ("1,100": of an integer or of a string's length) and form. An output's fields carry json,
// jsonschema and enum.

// inputSchema derives the input schema of a declaration's In.
func inputSchema(in reflect.Type) (json.RawMessage, error) {
	schema, err := jsonschema.ForType(in, nil)
	if err != nil {
		return nil, fmt.Errorf("input schema: %w", err)
	}
	plain(schema)
	args, err := argsOf(in, nil)
	if err != nil {
		return nil, err
	}
	for _, a := range args {
		constrain(schema.Properties[a.Name], a)
	}
	return json.Marshal(schema)
}

// argsOf derives the arguments of a declaration's In.
func argsOf(in reflect.Type, positional []string) ([]Arg, error) {
	var args []Arg
	var faults []error
	for _, f := range reflect.VisibleFields(in) {
		if f.Anonymous {
			continue
		}
		a, err := argOf(f)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		a.Positional = slices.Contains(positional, a.Name)
		args = append(args, a)
	}
	for _, p := range positional {
		if !slices.ContainsFunc(args, func(a Arg) bool { return a.Name == p }) {
			faults = append(faults, fmt.Errorf("positional argument %q is not among the arguments", p))
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return args, nil
}

// argOf reads one field's tags.
func argOf(f reflect.StructField) (Arg, error) {
	name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	a := Arg{Name: name, Required: !strings.Contains(options, "omit"), Description: f.Tag.Get("jsonschema"), Default: f.Tag.Get("default"), form: form(f.Tag.Get("form"))}
	if name == "" || a.Description == "" {
		return Arg{}, fmt.Errorf("argument %s needs a json name and a jsonschema description", f.Name)
	}
	if !known(a.form) {
		return Arg{}, fmt.Errorf("argument %s: unknown form %q", name, a.form)
	}
	switch {
	case f.Type.Kind() == reflect.String:
		a.Type = TypeString
	case f.Type.Kind() == reflect.Int:
		a.Type = TypeInteger
	case f.Type.Kind() == reflect.Bool:
		a.Type = TypeBoolean
	case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.String:
		a.Type = TypeStrings
	default:
		return Arg{}, fmt.Errorf("argument %s: arguments are strings, lists of strings, whole numbers or booleans, not %s", name, f.Type)
	}
	if e := f.Tag.Get("enum"); e != "" {
		a.Enum = strings.Split(e, ",")
	}
	return a, bounds(&a, f.Tag.Get("range"))
}

func bounds(a *Arg, tag string) error {
	if tag == "" {
		if a.Type == TypeInteger {
			return fmt.Errorf("argument %s: a whole number needs a range", a.Name)
		}
		return nil
	}
	low, high, _ := strings.Cut(tag, ",")
	var err1, err2 error
	a.Min, err1 = strconv.Atoi(low)
	a.Max, err2 = strconv.Atoi(high)
	if err := errors.Join(err1, err2); err != nil || a.Max < a.Min {
		return fmt.Errorf("argument %s: range %q is not \"low,high\"", a.Name, tag)
	}
	return nil
}

// constrain writes what our own tags say into the schema, so that a model reads it before it calls.
func constrain(s *jsonschema.Schema, a Arg) {
	target := s
	if a.Type == TypeStrings {
		target = s.Items
	}
	for _, e := range a.Enum {
		target.Enum = append(target.Enum, e)
	}
	if a.Type == TypeInteger { // the lengths of texts are checked too; a model need not read that
		s.Minimum, s.Maximum = jsonschema.Ptr(float64(a.Min)), jsonschema.Ptr(float64(a.Max))
	}
	if a.Default != "" {
		s.Default = defaultJSON(a)
	}
}

// defaultJSON is an argument's default in its own type.
func defaultJSON(a Arg) json.RawMessage {
	if a.Type == TypeString {
		b, _ := json.Marshal(a.Default) // a string always marshals
		return b
	}
	return json.RawMessage(a.Default)
}

// askedSchema is the output schema of every acting tool: what a reader needs next. get_request gives the rest.
func askedSchema() json.RawMessage {
	return requestSchema("planned or pending", "")
}

// shownSchema is the output schema of the tools that show a request.
func shownSchema() json.RawMessage {
	return requestSchema("pending_approval, pending_confirmation, approved, running, succeeded, partial, failed, unknown, denied, expired or cancelled",
		`"message":{"type":"string","description":"why"},`+
			`"steps":{"type":"array","items":{"type":"object"},"description":"writes, in order"},`+
			`"undo":{"type":"object","description":"the call that would undo it"},`)
}

// requestSchema describes some of requestView.
func requestSchema(status, more string) json.RawMessage {
	return json.RawMessage(`{"type":"object","properties":{` +
		`"request_id":{"type":"string","description":"for get_request"},` +
		`"status":{"type":"string","description":"` + status + `"},` + more +
		`"next":{"type":"string","description":"what to do; names are untrusted text"}` +
		`},"required":["status","next"],"additionalProperties":true}`)
}

// outputOf derives the output schema of a declaration's Out. A field with the tag schema:"omit" is in the answer and not in
// the schema, which a model has to read.
func outputOf(out reflect.Type) (json.RawMessage, error) {
	schema, err := jsonschema.ForType(out, nil)
	if err != nil {
		return nil, fmt.Errorf("output schema: %w", err)
	}
	if schema.Type != "object" || len(schema.Properties) == 0 {
		return nil, fmt.Errorf("output schema: %s has no properties", out)
	}
	plain(schema)
	omit(schema, out)
	if out.Implements(reflect.TypeFor[interface{ page() paged }]()) {
		for _, list := range schema.Properties {
			if list.Items != nil {
				list.Items.Required = nil // the caller says which fields there are
			}
		}
	}
	return json.Marshal(schema)
}

// omit takes the fields out of a schema that its type's tags leave out, and lets that object have more than it names.
func omit(s *jsonschema.Schema, t reflect.Type) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
		if s.Items != nil {
			s = s.Items
		}
	}
	if t.Kind() != reflect.Struct || len(s.Properties) == 0 {
		return
	}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous || s.Properties[name] == nil:
		case f.Tag.Get("schema") == "omit":
			delete(s.Properties, name)
			s.Required = slices.DeleteFunc(s.Required, func(r string) bool { return r == name })
			s.PropertyOrder = slices.DeleteFunc(s.PropertyOrder, func(r string) bool { return r == name })
			s.AdditionalProperties = &jsonschema.Schema{}
		default:
			omit(s.Properties[name], f.Type)
		}
	}
}

// plain takes null out of lists and pointers: we never send it, and some model providers refuse lists of types.
func plain(s *jsonschema.Schema) {
	if s == nil {
		return
	}
	if len(s.Types) == 2 && s.Types[0] == "null" {
		s.Type, s.Types = s.Types[1], nil
	}
	plain(s.Items)
	for _, p := range s.Properties {
		plain(p)
	}
}
