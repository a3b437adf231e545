package mdecore

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// rowsIn reads the rows of a text.
func rowsIn(r io.Reader) (out []json.RawMessage, err error) {
	_, err = readRows(r, func(row *json.RawMessage) bool {
		out = append(out, *row)
		return true
	})
	return out, err
}

// FuzzExportRows reads anything as an exported file. What is accepted as rows is accepted as an array of them as well and
// gives the same, however the bytes arrive; and a file that was cut in the middle of a row never passes for a whole one.
func FuzzExportRows(f *testing.F) {
	for _, seed := range []string{
		"", " \n", `{"a":1}`, "{}\n{}\n", "[]", "[{},{}]", "[{}", "[{}]x", "null\n5", `"a" "b"`, "{}{}", "[[]]", "{\n}\n", "<html>", "[{},]", "[{},", "\ufeff{}", "tru", "1 2",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := rowsIn(strings.NewReader(text))
		slow, slowErr := rowsIn(iotest.OneByteReader(strings.NewReader(text)))
		require.Equal(t, err == nil, slowErr == nil)
		require.Equal(t, rows, slow)
		if err != nil {
			return
		}
		joined := make([]string, 0, len(rows))
		for _, row := range rows {
			joined = append(joined, string(row))
		}
		again, err := rowsIn(strings.NewReader("[" + strings.Join(joined, ",") + "]"))
		require.NoError(t, err)
		require.Equal(t, rows, again)
		lost := errors.New("lost")
		_, err = rowsIn(io.MultiReader(strings.NewReader(text), iotest.ErrReader(lost)))
		require.ErrorIs(t, err, lost, "an end that is an error is not the end")
	})
}
