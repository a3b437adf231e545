package nexus

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"
)

// statedHashes are the MD5 sums that storage states of a content, in base64. They guard against damage, not against anybody.
type statedHashes struct{ whole, body string }

// take notes what an answer states. Content-MD5 is of the body, so that of a part of the content it says nothing of the
// whole.
func (s *statedHashes) take(resp *http.Response) {
	switch resp.StatusCode {
	case http.StatusOK:
		s.whole, s.body = resp.Header.Get("x-ms-blob-content-md5"), resp.Header.Get("Content-MD5")
	case http.StatusPartialContent:
		if stated := resp.Header.Get("x-ms-blob-content-md5"); stated != "" {
			s.whole = stated
		}
	}
}

// check compares with the sum of what came.
func (s *statedHashes) check(got []byte) error {
	for _, stated := range []string{s.whole, s.body} {
		if stated == "" {
			continue
		}
		want, err := base64.StdEncoding.DecodeString(stated)
		if err != nil || len(want) != md5.Size {
			return unusable{fmt.Errorf("the storage states a hash that can't be read (%q), so that the content can't be checked", word(stated))}
		}
		if string(want) != string(got) {
			return unusable{fmt.Errorf("its hash differs: the storage states the MD5 %s, and what came has %s", hex.EncodeToString(want), hex.EncodeToString(got))}
		}
	}
	return nil
}

// sink passes content on, at most so many bytes, and sums it.
type sink struct {
	w              io.Writer
	sum            hash.Hash
	written, limit int64
}

func newSink(w io.Writer, limit int64) *sink { return &sink{w: w, sum: md5.New(), limit: limit} }

// Write implements io.Writer.
func (s *sink) Write(p []byte) (int, error) {
	if s.written+int64(len(p)) > s.limit {
		return 0, unusable{fmt.Errorf("the result is longer than the %d bytes that are taken", s.limit)}
	}
	n, err := s.w.Write(p)
	s.written += int64(n)
	_, _ = s.sum.Write(p[:n]) // a hash never fails
	return n, err
}

func (s *sink) md5() []byte { return s.sum.Sum(nil) }

// statedKey is the context key under which a download by signature notes what storage states.
type statedKey struct{}

// noting shows answers' headers to whoever asks through the request's context: the package that follows signed links
// returns the content and no headers.
type noting struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (n noting) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := n.next.RoundTrip(req)
	if stated, ok := req.Context().Value(statedKey{}).(*statedHashes); ok && err == nil {
		stated.take(resp)
	}
	return resp, err
}
