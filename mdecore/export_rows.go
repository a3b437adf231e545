package mdecore

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
)

// maxRow bounds one row of an exported file, because a row is held in memory. The largest documented ones are of 1 KB.
const maxRow = 16 << 20

// ExportRows downloads the files of an export one after the other and iterates over their rows, with flat memory however
// large they are. T is the type that the method that asked for the files names, e.g. AssetSoftware. opts bound each file;
// unpacking is always on. A failure is yielded once, with a nil row, and ends the iteration: whoever sees no error has
// seen every row. opts.Progress is called by another goroutine than the one that iterates. Links are not renewed, because a new export may hold other rows: when one has expired, ask anew.
//
//	files, err := client.ExportSoftwareInventoryAssessmentFiles(ctx, mdecore.ExportFilesOptions{})
//	...
//	for row, err := range mdecore.ExportRows[mdecore.AssetSoftware](ctx, client, files, mdecore.DownloadOptions{}) {
func ExportRows[T any](ctx context.Context, c *Client, files *ExportFiles, opts DownloadOptions) iter.Seq2[*T, error] {
	opts.Unpack, opts.Concatenated = true, true
	return func(yield func(*T, error) bool) {
		if files == nil {
			yield(nil, refuse("ExportRows", invalid("export", "", "there are no files: ask for the export first")))
			return
		}
		for i, link := range files.ExportFiles {
			rows := 0
			stopped, err := readExported(ctx, c, link, opts, func(row *T) bool {
				rows++
				return yield(row, nil)
			})
			if stopped {
				return
			}
			if err != nil {
				yield(nil, &Error{
					Op: "ExportRows", Err: err, RetryAfter: RetryAfter(err),
					Message: fmt.Sprintf("the export is incomplete, because file %d of %d failed after %d rows", i+1, len(files.ExportFiles), rows),
				})
				return
			}
		}
	}
}

// readExported downloads one file and gives its rows to visit, until that says no.
func readExported[T any](ctx context.Context, c *Client, link Link, opts DownloadOptions, visit func(*T) bool) (stopped bool, err error) {
	content, into := io.Pipe()
	// The rows that are on their way when the caller gives up are not worth waiting for.
	defer context.AfterFunc(ctx, func() { _ = into.CloseWithError(ctx.Err()) })()
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, err := c.download(ctx, "ExportRows", once(link), into, opts)
		_ = into.CloseWithError(err)
	}()
	defer func() {
		// A reader that stops early ends the download, and nothing of it outlives the iteration.
		cancel()
		_ = content.Close()
		<-ended
	}()
	return readRows(content, visit)
}

// once issues a link one time. Being asked again means that it has expired.
func once(link Link) func(context.Context) (Link, error) {
	issued := false
	return func(context.Context) (Link, error) {
		if issued {
			return "", errors.New("the link has expired: ask for the export again, and for a longer life of its links")
		}
		issued = true
		return link, nil
	}
}

// readRows decodes JSON objects, one a line as the pages say or in an array, and gives them to visit, until that says no.
func readRows[T any](r io.Reader, visit func(*T) bool) (stopped bool, err error) {
	bounded := &rowReader{r: r, left: maxRow}
	buffered := bufio.NewReader(bounded)
	array, err := beginsArray(buffered)
	if err != nil {
		return false, ended(err)
	}
	dec := json.NewDecoder(buffered)
	if array {
		if _, err := dec.Token(); err != nil {
			return false, err
		}
	}
	for !array || dec.More() {
		bounded.left = maxRow
		row := new(T)
		if err := dec.Decode(row); err != nil {
			if array && err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return false, ended(err)
		}
		if !visit(row) {
			return true, nil
		}
	}
	if _, err := dec.Token(); err != nil {
		return false, fmt.Errorf("the rows do not end: %w", err)
	}
	if _, err := dec.Token(); err != nil {
		return false, ended(err)
	}
	return false, errors.New("there is more after the end of the rows")
}

// ended takes the bare end of the content for what it is. A failed download can wrap io.EOF, and is no end.
func ended(err error) error {
	if err == io.EOF { //nolint:errorlint // only the bare sentinel is a good end
		return nil
	}
	return err
}

// beginsArray reports whether the first thing in r that is no space opens an array; nothing of it is consumed.
func beginsArray(r *bufio.Reader) (bool, error) {
	for {
		b, err := r.ReadByte()
		if err != nil {
			return false, err
		}
		switch b {
		case ' ', '\t', '\r', '\n':
		default:
			return b == '[', r.UnreadByte()
		}
	}
}

// rowReader stops a row that has no end.
type rowReader struct {
	r    io.Reader
	left int
}

// Read implements io.Reader.
func (r *rowReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, fmt.Errorf("a row is longer than %d MB", maxRow>>20)
	}
	n, err := r.r.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}
