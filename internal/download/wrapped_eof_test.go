package download

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// broken is a transport whose bodies begin well and end with an error, after which there is no answer any more.
type broken struct{ end, then error }

func (b *broken) RoundTrip(*http.Request) (*http.Response, error) {
	if b.end == nil {
		return nil, b.then
	}
	body := io.NopCloser(io.MultiReader(strings.NewReader("content"), failing{b.end}))
	b.end = nil
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Etag": {`"1"`}}, Body: body, ContentLength: -1}, nil
}

// failing is a reader that fails.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// A wrapper around a transport may dress up io.EOF. Only the bare one is the end of a body whose length nobody named.
func TestAWrappedEndIsNoEnd(t *testing.T) {
	wrapped := fmt.Errorf("connection reset: %w", io.EOF)
	for name, tc := range map[string]struct {
		end, then error
		whole     bool
	}{
		"end":                  {io.EOF, nil, true},
		"wrapped":              {wrapped, wrapped, false},
		"cut, then closed":     {io.ErrUnexpectedEOF, io.EOF, false},
		"cut, then wrapped":    {io.ErrUnexpectedEOF, wrapped, false},
		"wrapped, then closed": {wrapped, io.EOF, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, err := New(Options{RoundTripper: &broken{tc.end, tc.then}, CheckLink: func(*url.URL) error { return nil }})
				require.NoError(t, err)
				var out bytes.Buffer
				_, err = c.Fetch(t.Context(), &out, Request{Source: func(context.Context) (string, error) { return "http://localhost/x?sig=" + url.QueryEscape(secret), nil }})
				require.Equal(t, "content", out.String())
				if tc.whole {
					require.NoError(t, err)
					return
				}
				require.EqualValues(t, 7, failed(t, err).Written)
			})
		})
	}
}
