package download

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func TestFetchStreamsHashesAndReportsProgress(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 2, 3, bufferSize - 1, bufferSize, bufferSize + 1, ringSize*bufferSize + 5, 3_000_000} {
		for _, unpack := range []bool{false, true} {
			content := noise(size)
			s := newStorage(t, blob{content: content}.serve)
			var last int64
			got, result, err := s.fetch(t, Request{Unpack: unpack, Progress: func(done, total int64) {
				require.Greater(t, done, last)
				require.EqualValues(t, size, total)
				last = done
			}})
			require.NoError(t, err)
			require.Equal(t, sum(content), sum(got))
			require.Equal(t, Result{Bytes: int64(size), SHA256: sum(content), ContentBytes: int64(size), ContentSHA256: sum(content)}, result)
			require.EqualValues(t, size, last)
			require.Empty(t, s.asked[0].Get("Authorization"))
			require.Equal(t, "identity", s.asked[0].Get("Accept-Encoding"))
		}
	}
}

func TestProgressWithoutALengthHasNoTotal(t *testing.T) {
	t.Parallel()
	s := newStorage(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "part")
		_ = http.NewResponseController(w).Flush()
		_, _ = io.WriteString(w, "part")
	})
	got, _, err := s.fetch(t, Request{Progress: func(_, total int64) { require.EqualValues(t, -1, total) }})
	require.NoError(t, err)
	require.Equal(t, "partpart", got)
}

func TestMaxBytes(t *testing.T) {
	t.Parallel()
	content := noise(300_000)
	known := newStorage(t, blob{content: content}.serve)
	got, _, err := known.fetch(t, Request{MaxBytes: 299_999})
	require.ErrorContains(t, failed(t, err), "larger than the 299999 bytes allowed; nothing was written")
	require.Empty(t, got)

	_, _, err = known.fetch(t, Request{MaxBytes: 300_000})
	require.NoError(t, err)

	unknown := newStorage(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		for range 30 {
			_, _ = io.WriteString(w, content[:10_000])
			_ = http.NewResponseController(w).Flush()
		}
	})
	got, _, err = unknown.fetch(t, Request{MaxBytes: 299_999})
	require.EqualValues(t, len(got), failed(t, err).Written)
	require.LessOrEqual(t, len(got), 299_999)
}

// An HTTP/1.0 answer without a length ends with the connection, so nobody can tell a cut one.
func TestABodyWithoutAnEndIsRefused(t *testing.T) {
	t.Parallel()
	s := newStorage(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = rw.WriteString("HTTP/1.1 200 OK\r\n\r\nhalf of it")
		_ = rw.Flush()
		_ = conn.Close()
	})
	got, _, err := s.fetch(t, Request{})
	require.ErrorContains(t, failed(t, err), "neither how long the body is")
	require.Empty(t, got)
}

func TestLinksThatAreRefused(t *testing.T) {
	t.Parallel()
	query := "?sig=" + url.QueryEscape(secret)
	for link, want := range map[string]string{
		"http://storage.example" + query:                 "is not https",
		"http://127.0.0.1.example" + query:               "is not https",
		"https://user:" + secret + "@localhost/" + query: "holds a user name",
		"/relative" + query:                              "not an absolute URL",
		"https:storage.example" + query:                  "not an absolute URL",
		"https://storage example/" + query:               "not an absolute URL",
		"https://storage.example/\n" + query:             "not an absolute URL",
		"https://evil.example/" + query:                  "evil.example is no host of ours",
		"ftp://localhost/" + query:                       "is not https",
		"":                                               "not an absolute URL",
	} {
		s := newStorage(t, blob{content: "x"}.serve)
		c := s.client(t, func(o *Options) {
			o.CheckLink = func(u *url.URL) error {
				return errors.New(u.Host + " is no host of ours: " + u.String())
			}
		})
		var out bytes.Buffer
		_, err := c.Fetch(t.Context(), &out, Request{Source: func(context.Context) (string, error) { return link, nil }})
		require.ErrorContains(t, failed(t, err), want)
		require.Empty(t, s.asked, link)
	}
	_, err := New(Options{})
	require.ErrorContains(t, err, "CheckLink")
}

func TestNoRedirectIsFollowed(t *testing.T) {
	t.Parallel()
	reached := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer other.Close()
	server := httptest.NewServer(http.RedirectHandler(other.URL+"?sig="+secret, http.StatusFound))
	defer server.Close()
	for _, transport := range []http.RoundTripper{nil, &http.Transport{}} {
		c, err := New(Options{CheckLink: func(*url.URL) error { return nil }, RoundTripper: transport})
		require.NoError(t, err)
		_, err = c.Fetch(t.Context(), io.Discard, Request{Source: func(context.Context) (string, error) { return server.URL, nil }})
		require.ErrorContains(t, failed(t, err), "redirect was refused")
		require.False(t, reached)
		c.Close()
	}
}

func TestTheNetworksErrorsHoldNoQuery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStorage(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = conn.Close()
			}
		})
		_, _, err := s.fetch(t, Request{})
		require.ErrorContains(t, failed(t, err), "no answer: EOF; nothing was written")
		require.Len(t, s.asked, 4, "the first try and three more")
		require.Equal(t, 1, s.issued)
	})
	link, err := url.Parse("https://x.example/a?token=" + url.QueryEscape(secret) + "&sp=r")
	require.NoError(t, err)
	for _, text := range []string{link.String(), link.RawQuery, secret, `Get "` + link.String() + `": lost`} {
		got := hide(errors.New(text), link)
		require.NotContains(t, got.Error(), secret)
		require.NotContains(t, got.Error(), url.QueryEscape(secret))
	}
	canceled := hide(&url.Error{Op: "Get", URL: link.String(), Err: context.Canceled}, link)
	require.ErrorIs(t, canceled, context.Canceled)
}

func TestTheWritersErrorEndsIt(t *testing.T) {
	t.Parallel()
	full := errors.New("no space left")
	for name, w := range map[string]io.Writer{"error": brokenWriter{full}, "short": brokenWriter{}} {
		s := newStorage(t, blob{content: noise(500_000), etag: `"a"`}.serve)
		_, err := s.client(t, nil).Fetch(t.Context(), w, Request{Source: s.source})
		got := failed(t, err)
		require.ErrorContains(t, got, "cannot be written", name)
		require.EqualValues(t, 7, got.Written)
		require.Len(t, s.asked, 1)
	}
	s := newStorage(t, blob{content: "x"}.serve)
	_, err := s.client(t, nil).Fetch(t.Context(), brokenWriter{full}, Request{Source: s.source})
	require.ErrorIs(t, err, full)
}

// brokenWriter takes seven bytes of what it gets.
type brokenWriter struct{ err error }

func (b brokenWriter) Write([]byte) (int, error) { return 7, b.err }

func TestCancelling(t *testing.T) {
	t.Parallel()
	s := newStorage(t, blob{content: noise(2_000_000), etag: `"a"`}.serve)
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	_, err := s.client(t, nil).Fetch(ctx, &out, Request{Source: s.source, Progress: func(int64, int64) { cancel() }})
	require.ErrorIs(t, err, context.Canceled)
	require.EqualValues(t, out.Len(), failed(t, err).Written)
	require.Len(t, s.asked, 1)
	require.Positive(t, out.Len())
}

func TestAFailingSourceIsToldAsItIs(t *testing.T) {
	t.Parallel()
	cause := errors.New("no permission")
	s := newStorage(t, blob{}.serve)
	_, _, err := s.fetch(t, Request{Source: func(context.Context) (string, error) { return "", cause }})
	require.ErrorIs(t, err, cause)
	require.ErrorContains(t, failed(t, err), "no link was issued: no permission; nothing was written")
	_, err = s.client(t, nil).Fetch(t.Context(), io.Discard, Request{})
	require.ErrorContains(t, err, "needs a source")
}

func TestOtherAnswersAreRefusedAtOnce(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		http.StatusNotFound:       "does not give the content (status 404 BlobNotFound)",
		http.StatusGone:           "(status 410 BlobNotFound)",
		http.StatusPartialContent: "(status 206",
		http.StatusNoContent:      "(status 204",
	} {
		s := newStorage(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>BlobNotFound</Code><Message>"+strings.Repeat("x", 100)+"</Message></Error>")
		})
		got, _, err := s.fetch(t, Request{})
		require.ErrorContains(t, failed(t, err), want)
		require.NotContains(t, err.Error(), "xxx")
		require.Empty(t, got)
		require.Len(t, s.asked, 1)
	}
}
