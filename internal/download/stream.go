package download

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// stream is the body of one download as one io.Reader, whatever happens to the connections below.
type stream struct {
	client *Client
	ctx    context.Context // the stream lives as long as one call of Fetch
	req    Request

	link     *url.URL // nil when one has to be issued
	reissued bool

	body    *idleBody // nil when there is no connection
	etag    string    // strong, or ""
	offset  int64     // raw bytes handed on
	total   int64     // raw bytes of the whole, -1 when unknown
	resumes int

	failures int   // in a row
	mark     int64 // offset at the last failure
	reported int64
	failed   error // what ended the stream
}

// enoughProgress is what has to come between two failures for them not to count as in a row. One byte is not enough:
// a server that cuts after each would be asked for ever.
const enoughProgress = 1 << 20

// errBroken is what readers of a stream see of its failures. The failure itself can wrap io.EOF, which a reader between
// would take for a good end.
var errBroken = errors.New("the stream is broken")

// Read implements io.Reader. A failure is final and kept in s.failed.
func (s *stream) Read(p []byte) (int, error) {
	if s.failed != nil {
		return 0, errBroken
	}
	n, err := s.read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // only the bare sentinel is a good end
		s.failed = err
		return 0, errBroken
	}
	return n, err
}

// read returns io.EOF, bare, at the proven end of the body only.
func (s *stream) read(p []byte) (int, error) {
	for {
		if s.body == nil {
			if err := s.connect(); err != nil {
				return 0, err
			}
		}
		n, err := s.body.Read(p)
		s.offset += int64(n)
		if s.offset > s.req.MaxBytes {
			return 0, s.tooLarge()
		}
		switch {
		case err == nil || n > 0:
			return n, nil // an error comes again at the next call
		case err == io.EOF && (s.total < 0 || s.offset == s.total): //nolint:errorlint // a failure can wrap io.EOF
			return 0, io.EOF
		case errors.Is(err, io.EOF):
			err = io.ErrUnexpectedEOF
		}
		if err := s.cut(err); err != nil {
			return 0, err
		}
	}
}

// cut ends a broken connection and says whether the download can go on: nil when it can.
func (s *stream) cut(cause error) error {
	s.drop()
	if err := s.ctx.Err(); err != nil {
		return err
	}
	cause = hide(cause, s.link)
	where := fmt.Sprintf("the body was cut after %d of %s bytes", s.offset, sizeText(s.total))
	if s.offset > 0 && s.etag == "" {
		return &Error{Reason: where + ", and the server names no ETag by which the rest could be asked for", Err: cause}
	}
	s.resumes++
	return s.pause(&Error{Reason: where, Err: cause})
}

// drop closes the current connection.
func (s *stream) drop() {
	if s.body != nil {
		_ = s.body.Close()
		s.body = nil
	}
}

// report tells the caller about progress, once for every new state.
func (s *stream) report() {
	if s.req.Progress != nil && s.offset != s.reported {
		s.reported = s.offset
		s.req.Progress(s.offset, s.total)
	}
}

// tooLarge says that the body is larger than the caller accepts.
func (s *stream) tooLarge() error {
	return &Error{Reason: fmt.Sprintf("the body is larger than the %d bytes allowed", s.req.MaxBytes), TooLarge: true}
}

// failure completes an error with the place and the counts.
func (s *stream) failure(err error, written int64) error {
	if s.failed != nil {
		err = s.failed
	}
	failed := &Error{Reason: err.Error(), Err: err}
	var own *Error
	if errors.As(err, &own) {
		failed = own
	}
	var writing *writeError
	if errors.As(err, &writing) {
		failed = &Error{Reason: "the content cannot be written", Err: writing.err}
	}
	if s.link != nil {
		failed.Host = s.link.Host
	}
	failed.Received, failed.Written = s.offset, written
	return failed
}

// connect makes the first request, or one for the rest, and tries again where that makes sense.
func (s *stream) connect() error {
	for {
		if err := s.issue(); err != nil {
			return err
		}
		resp, body, err := s.send()
		if err == nil {
			err = s.accept(resp)
		}
		if err == nil {
			s.body = body
			return nil
		}
		if body != nil {
			drain(resp.Body)
			_ = body.Close()
		}
		if err = s.again(resp, err); err != nil {
			return err
		}
	}
}

// issue gets a link when there is none.
func (s *stream) issue() error {
	if s.link != nil {
		return nil
	}
	text, err := s.req.Source(s.ctx)
	if err != nil {
		return &Error{Reason: "no link was issued", Err: err}
	}
	s.link, err = s.client.parseLink(text)
	return err
}

// send asks for the body, or for what is missing of it.
func (s *stream) send() (*http.Response, *idleBody, error) {
	ctx, watch := watchIdle(s.ctx, s.client)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.link.String(), nil)
	if err != nil {
		watch.end()
		return nil, nil, errors.New("the request could not be made")
	}
	// Without this net/http would unpack by itself, and neither the length nor the hash would be the body's.
	req.Header.Set("Accept-Encoding", "identity")
	if s.offset > 0 {
		req.Header.Set("Range", "bytes="+strconv.FormatInt(s.offset, 10)+"-")
		req.Header.Set("If-Range", s.etag)
	}
	resp, err := s.client.http.Do(req)
	if err != nil {
		err = watch.explain(hide(err, s.link))
		watch.end()
		return nil, nil, err
	}
	watch.resume() // an answer that is no content has this long to come whole
	return resp, &idleBody{body: resp.Body, watch: watch}, nil
}

// sizeText writes a size that may be unknown.
func sizeText(n int64) string {
	if n < 0 {
		return "an unknown number of"
	}
	return strconv.FormatInt(n, 10)
}
