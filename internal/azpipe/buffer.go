package azpipe

import (
	"bytes"
	"fmt"
	"io"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// defaultMaxBody is far above a full page of 10,000 devices and far below what would hurt.
const defaultMaxBody = 256 << 20

// bufferPolicy reads answers into memory with a limit; azcore's own reader has none. It stands inside the retry policy,
// so a body that is cut off counts as a failed send.
type bufferPolicy struct{ maxBody int64 }

// Do implements policy.Policy.
func (p bufferPolicy) Do(req *policy.Request) (*http.Response, error) {
	runtime.SkipBodyDownload(req)
	resp, err := req.Next()
	if err != nil || (operationOf(req).Stream && resp.StatusCode < http.StatusBadRequest) {
		return resp, err
	}
	body, err := readBody(resp, p.maxBody)
	if err != nil {
		return nil, err
	}
	resp.Body = &bufferedBody{Reader: bytes.NewReader(body), data: body}
	return resp, nil
}

// readBody reads a whole body, at most limit bytes, in one buffer when its length is known.
func readBody(resp *http.Response, limit int64) ([]byte, error) {
	defer func() { _ = resp.Body.Close() }()
	if resp.ContentLength > limit {
		return nil, &BodyTooLargeError{Limit: limit}
	}
	var buffer bytes.Buffer
	if resp.ContentLength > 0 && resp.ContentLength < 1<<20 {
		buffer.Grow(int(resp.ContentLength) + bytes.MinRead)
	}
	n, err := buffer.ReadFrom(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("the answer (status %d) broke off after %d bytes: %w", resp.StatusCode, n, err)
	}
	if n > limit {
		return nil, &BodyTooLargeError{Limit: limit}
	}
	return buffer.Bytes(), nil
}

// bufferedBody is a body that is in memory already.
type bufferedBody struct {
	*bytes.Reader
	data []byte
}

// Close implements io.Closer; there is nothing to release.
func (*bufferedBody) Close() error { return nil }

// Bytes returns the body of an answer that came through a pipeline of this package. The slice must not be changed.
func Bytes(resp *http.Response) ([]byte, error) {
	if b, ok := resp.Body.(*bufferedBody); ok {
		return b.data, nil
	}
	return runtime.Payload(resp)
}

// BodyTooLargeError says that an answer was larger than the client accepts.
type BodyTooLargeError struct{ Limit int64 }

// Error implements error.
func (e *BodyTooLargeError) Error() string {
	return fmt.Sprintf("the answer is larger than %d bytes: ask for less at once (a filter, or a smaller top)", e.Limit)
}

// NonRetriable is there because the same answer would come again.
func (*BodyTooLargeError) NonRetriable() {}
