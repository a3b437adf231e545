package mdecore_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
)

func TestFloat(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]mdecore.Float{
		`0`: 0, `340`: 340, `1.1744086343876479`: 1.1744086343876479, `-2.5e3`: -2500, `"9.8"`: 9.8, `" 7 "`: 7, `null`: 0, `""`: 0,
	} {
		var got mdecore.Float
		require.NoError(t, json.Unmarshal([]byte(in), &got), in)
		require.InDelta(t, float64(want), float64(got), 0, in)
	}
	for _, in := range []string{`"NaN"`, `"Inf"`, `"-infinity"`, `"1e999"`, `"high"`, `true`, `[1]`, `{}`} {
		var got mdecore.Float
		require.Error(t, json.Unmarshal([]byte(in), &got), in)
	}
	back, err := json.Marshal(mdecore.Float(33.491554051195706))
	require.NoError(t, err)
	require.Equal(t, "33.491554051195706", string(back))
}

// FuzzScalars holds that what decodes is encoded to something that decodes to the same.
func FuzzScalars(f *testing.F) {
	for _, seed := range []string{`0`, `"9.8"`, `null`, `""`, `1e308`, `"NaN"`, `true`, `"False"`, `-0`, `"0x1p-2"`, `"1_0"`, `"\u0031"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		sameAgain[mdecore.Float](t, data)
	})
}

func sameAgain[T any](t *testing.T, data []byte) {
	t.Helper()
	var first, second T
	if json.Unmarshal(data, &first) != nil {
		return
	}
	text, err := json.Marshal(first)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &second))
	require.Equal(t, first, second)
}
