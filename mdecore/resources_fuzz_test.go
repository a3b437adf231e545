package mdecore_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
)

// FuzzResources decodes anything into any resource. Whatever is accepted can be written again and reads back as the same
// value: what a tool shows, a store keeps and a log holds is what the service said.
func FuzzResources(f *testing.F) {
	types := contractResources(f)
	types["graph incident"], types["graph alert"] = mdecore.Incident{}, mdecore.AlertV2{}
	names := slices.Sorted(maps.Keys(types))
	for _, name := range names {
		for _, seed := range []string{
			`{}`, `null`, `{"id":null,"value":[]}`, `{"id":5,"name":true,"lastSeen":"2026-01-02 03:04:05","tags":"a, b"}`,
			`{"id":"\ud800","relatedUser":"a\\b","mitreTechniques":"x,y","evidence":[{"processId":"5"}],"commands":[{"index":"0"}]}`,
		} {
			f.Add(name, []byte(seed))
		}
	}
	addSamples(f)
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		into, ok := types[name]
		if !ok {
			return
		}
		value := fresh(into)
		if json.Unmarshal(data, value) != nil {
			return
		}
		again, err := json.Marshal(value)
		if err != nil {
			require.ErrorContains(t, err, "year outside of range")
			return
		}
		second := fresh(into)
		require.NoError(t, json.Unmarshal(again, second), "%s", again)
		third, err := json.Marshal(second)
		require.NoError(t, err)
		require.JSONEq(t, string(again), string(third))
	})
}

// addSamples seeds the target with the documented answers, where they are at hand.
func addSamples(f *testing.F) {
	dir := os.Getenv("MDE_CONTRACT_DIR")
	if dir == "" {
		return
	}
	byType := map[string]string{}
	for name, v := range contractResources(f) {
		byType[typeName(v)] = name
	}
	for id, v := range contractSamples(f) {
		files, err := filepath.Glob(filepath.Join(dir, "samples", id+".*response.json"))
		require.NoError(f, err)
		for _, file := range files {
			data, err := os.ReadFile(file)
			require.NoError(f, err)
			var envelope struct{ Value []json.RawMessage }
			if json.Unmarshal(data, &envelope) == nil && len(envelope.Value) > 0 {
				data = envelope.Value[0]
			}
			f.Add(byType[typeName(v)], data)
		}
	}
}

// typeName is a type's name without its package, whether v is a value or a pointer.
func typeName(v any) string { return reflect.TypeOf(fresh(v)).Elem().Name() }
