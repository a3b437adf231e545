package mdecore_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

// filled counts the fields of a struct that are not zero.
func filled(v any) (n int) {
	value := reflect.Indirect(reflect.ValueOf(v))
	for i := range value.NumField() {
		if !value.Field(i).IsZero() {
			n++
		}
	}
	return n
}

// TestContractAssessments decodes the documented answers: every property that the samples show comes back.
func TestContractAssessments(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(contractDir(t), "samples")
	for name, into := range assessmentSamples() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(filepath.Join(dir, name+".response.json"))
			require.NoError(t, err)
			for _, item := range items(t, data, into) {
				roundTrip(t, item, into)
				got := fresh(into)
				require.NoError(t, json.Unmarshal(item, got))
				require.Positive(t, filled(got))
				var fields map[string]any
				require.NoError(t, json.Unmarshal(item, &fields))
				delete(fields, "@odata.context")
				delete(fields, "@odata.nextLink")
				for field := range fields {
					_, claimed := fieldOf(reflect.TypeOf(into).Elem(), field)
					require.True(t, claimed, "%s is in the sample", field)
				}
			}
		})
	}
}
