package mdesim

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// fault400 is a refusal of a write, with a documented code.
type fault400 struct{ code, message string }

func (c *call) bad(f *fault400) response {
	return c.t.problem(http.StatusBadRequest, f.code, f.message)
}

// object reads a JSON object with no other properties than the known ones. Names
// are compared exactly, because the API's body parameters are case-sensitive and
// encoding/json's are not. No body at all is an empty object.
func (c *call) object(known ...string) (map[string]json.RawMessage, *fault400) {
	raw := map[string]json.RawMessage{}
	dec := json.NewDecoder(bytes.NewReader(c.body))
	if err := dec.Decode(&raw); err != nil && err != io.EOF {
		return nil, &fault400{"InvalidRequestBody", "The request body is not a JSON object"}
	}
	if dec.More() {
		return nil, &fault400{"InvalidRequestBody", "The request body is more than one JSON value"}
	}
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		if !slices.Contains(known, name) {
			return nil, &fault400{"InvalidRequestBody", "The property '" + name + "' does not exist in the request; names are case-sensitive: " + strings.Join(known, ", ")}
		}
	}
	return raw, nil
}

// fields reads a JSON object of strings.
func (c *call) fields(known ...string) (map[string]string, *fault400) {
	raw, bad := c.object(known...)
	if bad != nil {
		return nil, bad
	}
	out := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		var s string
		if bad := property400(raw, name, &s, "a string"); bad != nil {
			return nil, bad
		}
		out[name] = s
	}
	return out, nil
}

// property400 decodes one property of an object, if it is there, and says what it
// must be when it is something else.
func property400(raw map[string]json.RawMessage, name string, into any, what string) *fault400 {
	if len(raw[name]) == 0 || json.Unmarshal(raw[name], into) == nil {
		return nil
	}
	return &fault400{"InvalidRequestBody", "The property '" + name + "' must be " + what}
}
