package mdecore_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
)

// packed is gzipped text.
func packed(t testing.TB, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err := io.WriteString(z, text)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return out.Bytes()
}

// exportOf is an export of files that a service serves under /0, /1 and so on.
func exportOf(s *service, n int) *mdecore.ExportFiles {
	files := &mdecore.ExportFiles{}
	for i := range n {
		files.ExportFiles = append(files.ExportFiles, mdecore.Link(fmt.Sprintf("%s/%d?sig=c2lnbmF0dXJl", s.URL, i)))
	}
	return files
}

// names reads the rows of an export until its end or its failure.
func names(ctx context.Context, c *mdecore.Client, files *mdecore.ExportFiles) (out []string, err error) {
	for row, err := range mdecore.ExportRows[mdecore.AssetSoftware](ctx, c, files, mdecore.DownloadOptions{}) {
		if err != nil {
			return out, err
		}
		out = append(out, row.SoftwareName)
	}
	return out, nil
}

func TestExportRowsReadsEveryFile(t *testing.T) {
	t.Parallel()
	contents := [][]byte{
		packed(t, `{"softwareName":"a"}`+"\n"+`{"softwareName":"b"}`+"\n"), packed(t, ""), packed(t, ` [{"softwareName":"c"},{"softwareName":"d"}]`+"\n"),
		[]byte(`{"softwareName":"e"}`), append(packed(t, `{"softwareName":"f"}`+"\n"), packed(t, `{"softwareName":"g"}`)...), packed(t, " \n"), packed(t, "[]"),
	}
	s := newService(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(contents[r.URL.Path[1]-'0'])
	})
	got, err := names(t.Context(), s.clientOf(t), exportOf(s, len(contents)))
	require.NoError(t, err)
	require.Equal(t, "a b c d e f g", strings.Join(got, " "))
	for _, call := range s.received() {
		require.Empty(t, call.token, "a token has no business at a signed link")
	}
	got, err = names(t.Context(), s.clientOf(t), &mdecore.ExportFiles{})
	require.NoError(t, err)
	require.Empty(t, got)
}

// Whatever is wrong with a file ends in an error: rows that are missing must not pass for an export that has ended.
func TestExportRowsFailsWell(t *testing.T) {
	t.Parallel()
	const good = `{"softwareName":"a"}` + "\n"
	whole := packed(t, strings.Repeat(good, 50))
	body := func(content []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(content) }
	}
	for name, tc := range map[string]struct {
		second http.HandlerFunc
		text   string
	}{
		"not JSON":           {body(packed(t, good+"<html>")), "after 1 rows"},
		"half a row":         {body(packed(t, good+`{"softwareName":`)), "unexpected EOF"},
		"another type":       {body(packed(t, good+`{"softwareName":{}}`)), "softwareName"},
		"array without end":  {body(packed(t, `[{"softwareName":"a"}`)), "after 1 rows"},
		"cut after a comma":  {body(packed(t, `[{"softwareName":"a"},`)), "unexpected EOF"},
		"more after the end": {body(packed(t, `[{"softwareName":"a"}] {}`)), "more after the end"},
		"truncated gzip":     {body(whole[:len(whole)-5]), "file 2 of 3"},
		"expired":            {answer(403, "<Error><Code>AuthenticationFailed</Code></Error>"), "has expired: ask for the export again"},
		"gone":               {answer(404, ""), "file 2 of 3"},
		"a row without end":  {body(packed(t, `{"softwareName":"`+strings.Repeat("x", 17<<20))), "longer than 16 MB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/1" {
					tc.second(w, r)
					return
				}
				body(packed(t, good))(w, r)
			})
			got, err := names(t.Context(), s.clientOf(t), exportOf(s, 3))
			require.ErrorContains(t, err, tc.text)
			require.ErrorContains(t, err, "incomplete, because file 2 of 3")
			require.False(t, mdecore.IsNotFound(err))
			require.NotEmpty(t, got)
			noSignature(t, err)
			for _, call := range s.received() {
				require.NotEqual(t, "/2", call.path, "nothing is read after a failure")
			}
		})
	}
	s := newService(t, answer(200, ""))
	_, err := names(t.Context(), s.clientOf(t), nil)
	var invalid *mdecore.InvalidError
	require.ErrorAs(t, err, &invalid)
	foreign := &mdecore.ExportFiles{ExportFiles: []mdecore.Link{"https://evil.example/x?sig=c2lnbmF0dXJl"}}
	_, err = names(t.Context(), s.clientOf(t), foreign)
	require.ErrorContains(t, err, "file 1 of 1")
	noSignature(t, err)
	require.Empty(t, s.received())
}

// rowsWithoutEnd writes rows until its reader is gone, and says so. A thousand rows are packed once and sent again and
// again, so that little is sent and much is unpacked.
func rowsWithoutEnd(gone chan<- struct{}) http.HandlerFunc {
	var thousand bytes.Buffer
	z := gzip.NewWriter(&thousand)
	_, _ = io.WriteString(z, strings.Repeat(`{"softwareName":"a"}`+"\n", 1000)) // a buffer takes everything
	_ = z.Close()
	return func(w http.ResponseWriter, r *http.Request) {
		defer close(gone)
		for r.Context().Err() == nil {
			if _, err := w.Write(thousand.Bytes()); err != nil {
				return
			}
		}
	}
}

func TestExportRowsStopsItsDownload(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	s := newService(t, rowsWithoutEnd(gone))
	count := 0
	for _, err := range mdecore.ExportRows[mdecore.AssetSoftware](t.Context(), s.clientOf(t), exportOf(s, 2), mdecore.DownloadOptions{}) {
		require.NoError(t, err)
		if count++; count == 5000 {
			break
		}
	}
	<-gone
	require.Len(t, s.received(), 1)

	gone = make(chan struct{})
	s = newService(t, rowsWithoutEnd(gone))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var failed error
	count = 0
	for _, err := range mdecore.ExportRows[mdecore.AssetSoftware](ctx, s.clientOf(t), exportOf(s, 2), mdecore.DownloadOptions{}) {
		cancel()
		count++
		failed = err
	}
	require.ErrorIs(t, failed, context.Canceled)
	require.Less(t, count, 20_000, "what is unpacked already is not worth waiting for")
	<-gone
	require.Len(t, s.received(), 1)
}
