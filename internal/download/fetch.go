package download

import (
	"bufio"
	"context"
	"errors"
	"io"
)

// Request says what to download and within which bounds.
type Request struct {
	// Source issues the link. It is called once at the start, and at most once more when the link has expired.
	Source func(ctx context.Context) (string, error)
	// Unpack writes the content of a gzip body instead of the body. Whether a body is gzip is seen by its first bytes;
	// any other body is written as it is.
	Unpack bool
	// Concatenated accepts a gzip body of several members (RFC 1952, section 2.2). Without it such a body is an error,
	// because a service that writes one member and answers with more has answered with something else.
	Concatenated bool
	// MaxBytes limits the body as it is sent; DefaultMaxBytes when zero.
	MaxBytes int64
	// MaxExpanded limits the unpacked content; DefaultMaxExpanded when zero. Nothing beyond it is ever written.
	MaxExpanded int64
	// Progress is called with the raw bytes received so far and their total, -1 when the server has not said it. The
	// calls come in order, from the goroutine that called Fetch; nil for none.
	Progress func(done, total int64)
}

// Result describes a complete download.
type Result struct {
	// Bytes and SHA256 are those of the body as it was sent; the hash is lower-case hex.
	Bytes  int64
	SHA256 string
	// Unpacked says that the body was gzip and that the writer got its content.
	Unpacked bool
	// ContentBytes and ContentSHA256 are those of what was written. Without unpacking they equal Bytes and SHA256.
	ContentBytes  int64
	ContentSHA256 string
	// Resumes is how often a cut body was continued.
	Resumes int
}

// Fetch streams the link's content to w and returns when all of it is written. On any error w holds incomplete content:
// the *Error says how much.
func (c *Client) Fetch(ctx context.Context, w io.Writer, req Request) (Result, error) {
	if req.Source == nil || w == nil {
		return Result{}, &Error{Reason: "a download needs a source of links and a writer"}
	}
	req.MaxBytes, req.MaxExpanded = orDefault(req.MaxBytes, DefaultMaxBytes), orDefault(req.MaxExpanded, DefaultMaxExpanded)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &stream{client: c, ctx: ctx, req: req, total: -1}
	defer s.drop()
	out := &output{ctx: ctx, w: w, progress: s.report}
	result, err := transfer(s, out, req)
	if err != nil {
		return Result{}, s.failure(err, out.written)
	}
	s.report()
	result.Resumes = s.resumes
	return result, nil
}

// transfer moves the body through unpacking, when it is wanted and possible, into out.
func transfer(s *stream, out *output, req Request) (Result, error) {
	if !req.Unpack {
		return plain(s, s, out)
	}
	raw := newTee(s)
	body := bufio.NewReaderSize(raw, bufferSize)
	magic, err := body.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return Result{}, err
	}
	if !isGzip(magic) {
		return plain(s, body, out)
	}
	out.limit = req.MaxExpanded
	content, err := newUnpacker(body, req.Concatenated)
	if err != nil {
		return Result{}, err
	}
	sum, err := out.copyFrom(content)
	if err != nil {
		return Result{}, err
	}
	return Result{Bytes: s.offset, SHA256: raw.sum(), Unpacked: true, ContentBytes: out.written, ContentSHA256: sum}, nil
}

// plain writes the body as it is, which needs one hash only.
func plain(s *stream, body io.Reader, out *output) (Result, error) {
	sum, err := out.copyFrom(body)
	if err != nil {
		return Result{}, err
	}
	return Result{Bytes: s.offset, SHA256: sum, ContentBytes: out.written, ContentSHA256: sum}, nil
}
