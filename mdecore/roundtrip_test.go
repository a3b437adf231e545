package mdecore_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
)

// roundTrip decodes data into a new value of into's type, encodes that, and requires that nothing is lost which the type
// claims: every field of data that the type knows is there again with the same meaning.
func roundTrip(t *testing.T, data []byte, into any) {
	t.Helper()
	value := fresh(into)
	require.NoError(t, json.Unmarshal(data, value))
	again, err := json.Marshal(value)
	require.NoError(t, err)
	second := fresh(into)
	require.NoError(t, json.Unmarshal(again, second))
	require.Equal(t, value, second, "decoding what was encoded gives the same value")
	var want, got any
	require.NoError(t, decodeNumbers(data, &want))
	require.NoError(t, decodeNumbers(again, &got))
	compare(t, reflect.TypeOf(value).Elem().Name(), reflect.TypeOf(value).Elem(), want, got)
}

func fresh(into any) any {
	typ := reflect.TypeOf(into)
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	return reflect.New(typ).Interface()
}

func decodeNumbers(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode(into)
}

// compare walks the sample; a field that the type does not claim is left out.
func compare(t *testing.T, path string, typ reflect.Type, want, got any) {
	t.Helper()
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if typ.Kind() == reflect.Map || !ok {
			require.True(t, ok, "%s: an object became %v", path, got)
		}
		for name, inner := range want {
			field, claimed := fieldOf(typ, name)
			if !claimed {
				continue
			}
			compare(t, path+"."+name, field, inner, valueOf(object, name))
		}
	case []any:
		list, ok := got.([]any)
		require.True(t, ok || (got == nil && len(want) == 0), "%s: a list became %v", path, got)
		require.Len(t, list, len(want), path)
		if typ.Kind() != reflect.Slice {
			return
		}
		for i := range want {
			compare(t, fmt.Sprintf("%s[%d]", path, i), typ.Elem(), want[i], list[i])
		}
	default:
		require.True(t, same(want, got), "%s: %v became %v", path, want, got)
	}
}

// fieldOf finds the field that reads a JSON name.
func fieldOf(typ reflect.Type, name string) (reflect.Type, bool) {
	if typ.Kind() == reflect.Map {
		return typ.Elem(), true
	}
	if typ.Kind() != reflect.Struct {
		return nil, false
	}
	for i := range typ.NumField() {
		field := typ.Field(i)
		if field.Anonymous {
			inner := field.Type
			for inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			if found, ok := fieldOf(inner, name); ok {
				return found, true
			}
			continue
		}
		if tag, _, _ := strings.Cut(field.Tag.Get("json"), ","); strings.EqualFold(tag, name) {
			return field.Type, true
		}
	}
	return nil, false
}

// valueOf finds a value whatever the case of its name.
func valueOf(object map[string]any, name string) any {
	if v, ok := object[name]; ok {
		return v
	}
	for key, v := range object {
		if strings.EqualFold(key, name) {
			return v
		}
	}
	return nil
}

// same compares two plain values by their meaning: times by the instant, numbers and truths whether quoted or not, and
// null, "" and nothing as the same absence. The zero of a type stands for null too.
func same(want, got any) bool {
	a, b := plain(want), plain(got)
	if a == b || (a == "" && (b == "0" || b == "false")) {
		return true
	}
	x, errX := mdecore.ParseTime(a)
	y, errY := mdecore.ParseTime(b)
	if errX == nil && (errY == nil || b == "") {
		return x.Equal(y) // the year 1 is how the service writes that there is no time
	}
	var n, m float64
	if json.Unmarshal([]byte(a), &n) == nil && json.Unmarshal([]byte(b), &m) == nil {
		return n == m
	}
	if list, ok := got.([]any); ok { // a single string that the type reads as a list
		var parts []string
		for _, v := range list {
			parts = append(parts, plain(v))
		}
		return strings.ReplaceAll(a, " ", "") == strings.ReplaceAll(strings.Join(parts, ","), " ", "")
	}
	return strings.EqualFold(a, b) && (a == "true" || a == "false" || b == "true" || b == "false")
}

func plain(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}
