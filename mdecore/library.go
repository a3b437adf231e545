package mdecore

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime/multipart"
	"strconv"
	"strings"

	"github.com/mde-ops/mde-ops/internal/azpipe"
)

// maxLibraryFile is the documented 20 MB.
const maxLibraryFile = 20 << 20

// ListLibraryFiles iterates over the files of the live response library. Documentation page: list-library-files.md.
//
//mde:op GET /api/libraryfiles roles=Library.Manage
func (c *Client) ListLibraryFiles(ctx context.Context) iter.Seq2[*LibraryFile, error] {
	return list[LibraryFile](ctx, c, call{op: "ListLibraryFiles"}, Page{})
}

// UploadLibraryFile puts a file into the live response library. The content is streamed from its source, after a first
// reading has found that it has at most 20 MB; it is sent again, from its source, only after a 401 or 429. An answer
// with another SHA-256 than the content's is an error of uncertain outcome. Documentation page: upload-library.md.
//
//mde:op POST /api/libraryfiles roles=Library.Manage
func (c *Client) UploadLibraryFile(ctx context.Context, req UploadLibraryFileRequest) (*LibraryFile, error) {
	const op = "UploadLibraryFile"
	if err := req.check(); err != nil {
		return nil, refuse(op, err)
	}
	content, err := measure(ctx, req.File)
	if err != nil {
		return nil, refuse(op, err)
	}
	form, err := req.form(content)
	if err != nil {
		return nil, refuse(op, err)
	}
	out, err := send[LibraryFile](ctx, c, call{op: op, upload: &form})
	if err != nil {
		return nil, err
	}
	if !strings.EqualFold(out.FileName, req.FileName) {
		return nil, &Error{Op: op, Message: "uploaded " + req.FileName + ", but the service answered about " + shorten(out.FileName) + ": look at the library"}
	}
	if out.SHA256 != "" && !strings.EqualFold(out.SHA256, content.sum) {
		return nil, &Error{Op: op, Message: "the library holds " + req.FileName + " with SHA-256 " + shorten(out.SHA256) + ", but " + content.sum +
			" was read before the upload: look at the library, and upload again a file that nobody is changing"}
	}
	return out, nil
}

// DeleteLibraryFile removes a file from the live response library. Documentation page: delete-library.md.
//
//mde:op DELETE /api/libraryfiles/{file_name} roles=Library.Manage
func (c *Client) DeleteLibraryFile(ctx context.Context, fileName string) error {
	return c.write(ctx, call{op: "DeleteLibraryFile", args: args{arg{fileName, checkFileName("file name", fileName)}}}, nil)
}

// check refuses what the service would refuse or misread.
func (r UploadLibraryFileRequest) check() error {
	if err := checkFileName("file name", r.FileName); err != nil {
		return err
	}
	if r.File == nil {
		return invalid("file", r.FileName, "there is no source of its content")
	}
	if r.ParametersDescription != "" && !r.HasParameters {
		return invalid("parameters description", r.ParametersDescription, "it is given, but HasParameters is false")
	}
	if err := checkPlain("description", r.Description); err != nil {
		return err
	}
	return checkPlain("parameters description", r.ParametersDescription)
}

// measured is content that was read once.
type measured struct {
	open func() (io.ReadCloser, error)
	size int64
	sum  string
}

// measure reads the content to its end, or to the first byte too many.
func measure(ctx context.Context, open func() (io.ReadCloser, error)) (measured, error) {
	file, err := open()
	if err != nil {
		return measured{}, &azpipe.UnsentError{Err: fmt.Errorf("the file cannot be opened: %w", err)}
	}
	defer func() { _ = file.Close() }()
	hash := sha256.New()
	n, err := io.Copy(hash, io.LimitReader(&cancelReader{ctx, file}, maxLibraryFile+1))
	switch {
	case err != nil:
		return measured{}, &azpipe.UnsentError{Err: fmt.Errorf("the file cannot be read: %w", err)}
	case n > maxLibraryFile:
		return measured{}, invalid("file", "", "it is larger than the 20 MB that the library takes")
	case n == 0:
		return measured{}, invalid("file", "", "it is empty")
	}
	return measured{open: open, size: n, sum: hex.EncodeToString(hash.Sum(nil))}, nil
}

// cancelReader stops reading when its context ends.
type cancelReader struct {
	ctx context.Context
	src io.Reader
}

// Read implements io.Reader.
func (r *cancelReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.src.Read(p)
}

// form is a multipart body around content that stays where it is.
type form struct {
	contentType string
	head, tail  []byte
	content     measured
}

// form writes everything but the content. The file comes last, so that the service knows what it is for.
func (r UploadLibraryFileRequest) form(content measured) (form, error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	err := w.SetBoundary("mde-ops-" + rand.Text())
	for _, field := range [][2]string{
		{"Description", r.Description},
		{"ParametersDescription", r.ParametersDescription},
		{"HasParameters", strconv.FormatBool(r.HasParameters)},
		{"OverrideIfExists", strconv.FormatBool(r.OverrideIfExists)},
	} {
		if field[1] != "" {
			err = errors.Join(err, w.WriteField(field[0], field[1]))
		}
	}
	_, fileErr := w.CreateFormFile("File", r.FileName)
	head := b.Len()
	err = errors.Join(err, fileErr, w.Close())
	return form{contentType: w.FormDataContentType(), head: b.Bytes()[:head], tail: b.Bytes()[head:], content: content}, err
}

// open gives the body from its beginning.
func (f form) open() (io.ReadCloser, error) {
	file, err := f.content.open()
	if err != nil {
		return nil, fmt.Errorf("the file cannot be opened again: %w", err)
	}
	exact := &exactReader{src: file, left: f.content.size}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(f.head), exact, bytes.NewReader(f.tail)), file}, nil
}

// size is the length of the whole body.
func (f form) size() int64 { return int64(len(f.head)) + f.content.size + int64(len(f.tail)) }

// exactReader fails when its source does not have the length that was measured: a form cut short or too long would be
// taken for another file.
type exactReader struct {
	src  io.Reader
	left int64
}

// errChanged says that a source gave other content than before.
var errChanged = errors.New("the file has another length than when it was measured: somebody is changing it")

// Read implements io.Reader.
func (r *exactReader) Read(p []byte) (int, error) {
	n, err := r.src.Read(p)
	r.left -= int64(n)
	if r.left < 0 || (errors.Is(err, io.EOF) && r.left > 0) {
		return 0, errChanged
	}
	return n, err
}
