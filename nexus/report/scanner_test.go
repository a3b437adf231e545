package report

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// check passes one value and wants nothing after it.
func check(r io.Reader) error {
	s := newScanner(r)
	if err := s.skip(); err != nil {
		return err
	}
	if c, err := s.peek(); err == nil {
		return s.unexpected(c, "the end")
	}
	return nil
}

// FuzzSkip compares what is passed unread with encoding/json: a section that nobody looks at is still checked.
func FuzzSkip(f *testing.F) {
	for _, text := range []string{
		`{}`, `[]`, `{"a":[1,-2.5e+10,0.1E-2,true,false,null,"x\"\\\/\b\f\n\r\t\u00e9",{"":{}}]}`, ` [ 1 , 2 ] `, `"` + "\xff" + `"`,
		`[1,]`, `{,}`, `{"a"}`, `{"a":}`, `{"a" 1}`, `[1 2]`, `01`, `-`, `1.`, `.5`, `1e`, `+1`, `tru`, `nulll`, `"\x"`, `"\u12"`, "\"\x1f\"", `"`, `]`, `{]`, `[}`, ``,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		err := check(bytes.NewReader(data))
		if err != nil && strings.Contains(err.Error(), "nested deeper") {
			return
		}
		require.Equal(t, json.Valid(data), err == nil, "%q: %v", data, err)
		slow := check(iotest.OneByteReader(bytes.NewReader(data)))
		require.Equal(t, err, slow)
		if err == nil {
			checkValue(t, data)
		}
	})
}

// checkValue compares a value that is kept with the one that encoding/json makes compact.
func checkValue(t *testing.T, data []byte) {
	t.Helper()
	s := newScanner(iotest.HalfReader(bytes.NewReader(data)))
	v, err := s.value()
	require.NoError(t, err)
	var compact bytes.Buffer
	require.NoError(t, json.Compact(&compact, data))
	want := compact.Bytes()
	require.Equal(t, len(want) <= maxRaw, v.whole)
	require.Equal(t, string(want[:min(len(want), maxRaw)]), string(v.raw))
	if v.raw[0] != '"' {
		return
	}
	var text string
	require.NoError(t, json.Unmarshal(want, &text))
	got, clipped, ok := v.text(100)
	require.True(t, ok)
	require.True(t, strings.HasPrefix(text, got))
	require.Equal(t, clipped, got != text)
}

func TestTokensAcrossTheWindow(t *testing.T) {
	text := `{"key\u00e9": "` + strings.Repeat(`\\\ud83d\ude00é`, 3) + `", "n": -12345.678e-90, "w": [true, false, null]}`
	for shift := range len(text) + 2 {
		padded := strings.Repeat(" ", window-shift) + text
		require.NoError(t, check(strings.NewReader(padded)))
		s := newScanner(strings.NewReader(padded))
		v, err := s.value()
		require.NoError(t, err)
		require.JSONEq(t, text, string(v.raw))
	}
}

func TestTheBeginningOfALongText(t *testing.T) {
	for _, unit := range []string{"x", `\n`, `\u00e9`, `\ud83d\ude00`, "é", `\\`, `\"`} {
		for shift := range 13 {
			quoted := `"` + strings.Repeat("-", shift) + strings.Repeat(unit, maxRaw) + `"`
			s := newScanner(strings.NewReader(quoted))
			v, err := s.value()
			require.NoError(t, err)
			require.False(t, v.whole)
			var whole string
			require.NoError(t, json.Unmarshal([]byte(quoted), &whole))
			for _, limit := range []int{10, 1 << 10, 4 << 10} {
				text, clipped, ok := v.text(limit)
				require.True(t, ok && clipped)
				require.Greater(t, len(text), min(limit, 2000)-10, "%q", unit)
				if limit == 4<<10 && strings.HasPrefix(unit, `\u`) {
					text = strings.TrimSuffix(text, "\ufffd") // half of a pair of escapes
				}
				require.True(t, strings.HasPrefix(whole, text), "%q", unit)
				require.LessOrEqual(t, len(text), limit)
				if unit == "x" {
					require.Len(t, text, limit)
				}
			}
		}
	}
}

func TestNamesAreFolded(t *testing.T) {
	require.Equal(t, "starttime", fold("startTime"))
	require.Equal(t, "starttime", fold("start_time"))
	require.Equal(t, "starttime", fold("START_TIME"))
	require.Equal(t, "__", fold("__"), "different names stay different")
	require.Equal(t, "quarantineList", documented(fold("quarantine_list")))
}
