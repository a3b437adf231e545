package mdecore_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
)

// halfOnly answers the first request with half of a file that it announces whole, and closes the connection on every
// other, which net/http reports as a bare io.EOF.
type halfOnly struct {
	file  []byte
	half  int
	asked int
}

func (h *halfOnly) RoundTrip(*http.Request) (*http.Response, error) {
	if h.asked++; h.asked > 1 {
		return nil, io.EOF
	}
	broken := io.MultiReader(bytes.NewReader(h.file[:h.half]), errReader{io.ErrUnexpectedEOF})
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Etag": {`"1"`}}, Body: io.NopCloser(broken), ContentLength: int64(len(h.file)),
	}, nil
}

// errReader fails.
type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// What ends a connection looks like what ends a file: the rows before the cut must not pass for all.
func TestACutExportIsAnError(t *testing.T) {
	rows := strings.Repeat(`{"softwareName":"a"}`+"\n", 100)
	for name, file := range map[string]*halfOnly{
		"between two rows": {file: []byte(rows), half: len(rows) / 2},
		"inside of a row":  {file: []byte(rows), half: len(rows)/2 + 5},
		"array":            {file: []byte("[" + strings.ReplaceAll(strings.TrimSpace(rows), "\n", ",") + "]"), half: len(rows)/2 + 1},
		"gzip":             {file: packed(t, rows), half: 30},
		"gzip's end":       {file: packed(t, rows), half: len(packed(t, rows)) - 1},
		"a second member":  {file: append(packed(t, rows), packed(t, rows)...), half: len(packed(t, rows))},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, err := mdecore.New(&fakeCred{}, mdecore.Options{Cloud: mdecore.Custom("http://localhost", "", ""), HTTPClient: &http.Client{Transport: file}})
				require.NoError(t, err)
				got, err := names(t.Context(), c, &mdecore.ExportFiles{ExportFiles: []mdecore.Link{"http://localhost/0?sig=c2lnbmF0dXJl"}})
				require.ErrorContains(t, err, "the export is incomplete")
				require.Greater(t, file.asked, 1, "the rest was asked for")
				require.LessOrEqual(t, len(got), 100)
				var failed *mdecore.DownloadError
				require.True(t, errors.As(err, &failed))
			})
		})
	}
}
