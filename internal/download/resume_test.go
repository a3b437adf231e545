package download

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestACutBodyIsContinued(t *testing.T) {
	t.Parallel()
	content := noise(700_000)
	for _, at := range []int{0, 1, 131_072, 699_999} {
		s := newStorage(t, blob{content: content, etag: `"v1"`, cut: cutFirst(at)}.serve)
		got, result, err := s.fetch(t, Request{})
		require.NoError(t, err)
		require.Equal(t, sum(content), sum(got))
		require.Equal(t, sum(content), result.SHA256)
		require.Equal(t, 1, result.Resumes)
		require.Len(t, s.asked, 2)
		if at > 0 {
			require.Equal(t, "bytes="+strconv.Itoa(at)+"-", s.asked[1].Get("Range"))
			require.Equal(t, `"v1"`, s.asked[1].Get("If-Range"))
		}
	}
	zip := zipped(t, content)
	s := newStorage(t, blob{content: zip, etag: `"v1"`, cut: cutFirst(300_000)}.serve)
	got, result, err := s.fetch(t, Request{Unpack: true})
	require.NoError(t, err)
	require.Equal(t, sum(content), sum(got))
	require.Equal(t, Result{Bytes: int64(len(zip)), SHA256: sum(zip), Unpacked: true, ContentBytes: 700_000, ContentSHA256: sum(content), Resumes: 1}, result)
}

func TestWithoutAStrongETagACutIsAFailure(t *testing.T) {
	t.Parallel()
	for _, etag := range []string{"", `W/"v1"`, "v1", `"`} {
		s := newStorage(t, blob{content: noise(5000), etag: etag, cut: cutFirst(4000)}.serve)
		got, _, err := s.fetch(t, Request{})
		require.ErrorContains(t, failed(t, err), "cut after 4000 of 5000 bytes, and the server names no ETag")
		require.ErrorContains(t, err, "4000 bytes were written and are incomplete")
		require.Len(t, got, 4000)
		require.Len(t, s.asked, 1)
	}
}

// An answer that is not provably the rest of the same content must end the download: half of one file and half of
// another would be worse than none.
func TestARestThatIsNotTheRestIsRefused(t *testing.T) {
	t.Parallel()
	content := noise(5000)
	answer := func(status int, etag, place string, length int) func(int, http.ResponseWriter, *http.Request) {
		return func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 0 {
				blob{content: content, etag: `"v1"`, cut: cutFirst(4000)}.serve(0, w, r)
				return
			}
			w.Header().Set("ETag", etag)
			if place != "" {
				w.Header().Set("Content-Range", place)
			}
			w.Header().Set("Content-Length", strconv.Itoa(length))
			w.WriteHeader(status)
			_, _ = io.WriteString(w, content[:length])
		}
	}
	for name, c := range map[string]struct {
		serve func(int, http.ResponseWriter, *http.Request)
		want  string
	}{
		"whole again":    {answer(200, `"v2"`, "", 5000), "content has changed, or it cannot be asked for in parts"},
		"other etag":     {answer(206, `"v2"`, "bytes 4000-4999/5000", 1000), "its ETag is another one"},
		"no etag":        {answer(206, "", "bytes 4000-4999/5000", 1000), "its ETag is another one"},
		"weak etag":      {answer(206, `W/"v1"`, "bytes 4000-4999/5000", 1000), "its ETag is another one"},
		"other start":    {answer(206, `"v1"`, "bytes 3999-4999/5000", 1001), "begins at byte 3999 instead of 4000"},
		"other total":    {answer(206, `"v1"`, "bytes 4000-5000/5001", 1001), "5001 bytes long instead of 5000"},
		"other length":   {answer(206, `"v1"`, "bytes 4000-4999/5000", 999), "contradicts its Content-Range"},
		"no place":       {answer(206, `"v1"`, "", 1000), "is not like"},
		"not in range":   {answer(416, `"v1"`, "bytes */5000", 0), "status 416"},
		"failed premise": {answer(412, `"v1"`, "", 0), "status 412"},
	} {
		s := newStorage(t, c.serve)
		got, _, err := s.fetch(t, Request{})
		require.ErrorContains(t, failed(t, err), c.want, name)
		require.Equal(t, content[:4000], got, name)
		require.Len(t, s.asked, 2, name)
	}
}

func TestResumesWithoutProgressAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStorage(t, blob{content: noise(5000), etag: `"v1"`, cut: func(int) int { return 10 }}.serve)
		got, _, err := s.fetch(t, Request{})
		require.ErrorContains(t, failed(t, err), "cut after 40 of 5000 bytes")
		require.Len(t, got, 40)
		require.Len(t, s.asked, 4)
	})
}

// A long download may be cut often, as long as it moves.
func TestProgressMakesRoomForMoreResumes(t *testing.T) {
	t.Parallel()
	content := noise(9 * enoughProgress)
	s := newStorage(t, blob{content: content, etag: `"v1"`, cut: func(int) int { return enoughProgress }}.serve)
	got, result, err := s.fetch(t, Request{})
	require.NoError(t, err)
	require.Equal(t, sum(content), sum(got))
	require.Equal(t, 8, result.Resumes)
}

func TestAnExpiredLinkIsIssuedOnceMore(t *testing.T) {
	t.Parallel()
	content := noise(5000)
	expired := func(w http.ResponseWriter) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `<?xml version="1.0"?><Error><Code>AuthenticationFailed</Code><AuthenticationErrorDetail>Signed expiry time; sig=`+secret+`</AuthenticationErrorDetail></Error>`)
	}
	atFirst := newStorage(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/blob1" {
			expired(w)
			return
		}
		blob{content: content}.serve(n, w, r)
	})
	got, _, err := atFirst.fetch(t, Request{})
	require.NoError(t, err)
	require.Equal(t, content, got)
	require.Equal(t, 2, atFirst.issued)

	inTheMiddle := newStorage(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 1 {
			expired(w)
			return
		}
		blob{content: content, etag: `"v1"`, cut: cutFirst(100)}.serve(n, w, r)
	})
	got, _, err = inTheMiddle.fetch(t, Request{})
	require.NoError(t, err)
	require.Equal(t, content, got)
	require.Equal(t, 2, inTheMiddle.issued)

	for _, status := range []int{http.StatusForbidden, http.StatusUnauthorized} {
		always := newStorage(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("x-ms-error-code", "AuthenticationFailed")
			w.WriteHeader(status)
		})
		_, _, err = always.fetch(t, Request{})
		require.Equal(t, "AuthenticationFailed", failed(t, err).Code)
		require.ErrorContains(t, err, fmt.Sprintf("also a newly issued one (status %d AuthenticationFailed)", status))
		require.Equal(t, 2, always.issued)
		require.Len(t, always.asked, 2)
	}
}

func TestRetryAfterOfTheStorage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status  int
		header  string
		waits   time.Duration
		refused string
	}{
		{503, "7", 7 * time.Second, ""},
		{429, "60", time.Minute, ""},
		{429, "61", 0, "try again in 1m1s"},
		{500, "", 0, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newStorage(t, func(n int, w http.ResponseWriter, r *http.Request) {
				if n == 0 {
					w.Header().Set("Retry-After", c.header)
					w.WriteHeader(c.status)
					return
				}
				blob{content: "content"}.serve(n, w, r)
			})
			start := time.Now()
			_, _, err := s.fetch(t, Request{})
			require.Equal(t, c.waits, time.Since(start))
			if c.refused == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, failed(t, err), c.refused)
			require.Equal(t, 61*time.Second, failed(t, err).RetryDelay())
		})
	}
}

// A wait that the deadline would cut short is not begun: the caller learns what to wait for instead.
func TestAWaitBeyondTheDeadlineIsNotBegun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStorage(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "30")
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		_, err := s.client(t, nil).Fetch(ctx, io.Discard, Request{Source: s.source})
		require.ErrorContains(t, failed(t, err), "try again in 30s")
		require.Zero(t, time.Since(start))
	})
}

func TestSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStorage(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "5000")
			_, _ = io.WriteString(w, "some")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		start := time.Now()
		_, _, err := s.fetch(t, Request{})
		require.ErrorContains(t, failed(t, err), "the server sent nothing for 30s")
		require.Equal(t, 30*time.Second, time.Since(start))
	})
	synctest.Test(t, func(t *testing.T) {
		s := newStorage(t, func(_ int, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		start := time.Now()
		c := s.client(t, func(o *Options) { o.MaxRetries = -1 })
		_, err := c.Fetch(t.Context(), io.Discard, Request{Source: s.source})
		require.ErrorContains(t, failed(t, err), "the server sent nothing for 1m0s")
		require.Equal(t, time.Minute, time.Since(start))
	})
}

// A body that moves is never cut, however long it takes, and a slow writer is no silence of the server.
func TestSlownessIsNoSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStorage(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			for range 100 {
				time.Sleep(29 * time.Second)
				_, _ = io.WriteString(w, "x")
				_ = http.NewResponseController(w).Flush()
			}
		})
		start := time.Now()
		var out bytes.Buffer
		_, err := s.client(t, nil).Fetch(t.Context(), &out, Request{Source: s.source})
		require.NoError(t, err)
		require.Equal(t, 2900*time.Second, time.Since(start))

		fast := newStorage(t, blob{content: noise(400_000)}.serve)
		_, err = fast.client(t, nil).Fetch(t.Context(), sleepyWriter{}, Request{Source: fast.source})
		require.NoError(t, err)
	})
}

// sleepyWriter takes ten minutes for each piece.
type sleepyWriter struct{}

func (sleepyWriter) Write(p []byte) (int, error) { time.Sleep(10 * time.Minute); return len(p), nil }

// Whatever is cut wherever, the content is either whole and right, or an error says how much of its beginning was
// written.
func TestAnyCutEndsRightOrClean(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			content := noise(1 + r.IntN(100_000))
			body, unpack := content, r.IntN(2) == 0
			if unpack {
				body = zipped(t, content)
			}
			etag := []string{"", `"v1"`}[r.IntN(2)]
			s := newStorage(t, blob{content: body, etag: etag, cut: func(int) int { return r.IntN(2*len(body)) - len(body)/4 }}.serve)
			got, result, err := s.fetch(t, Request{Unpack: unpack})
			if err != nil {
				require.EqualValues(t, len(got), failed(t, err).Written)
				require.Equal(t, sum(content[:len(got)]), sum(got))
				return
			}
			require.Equal(t, sum(content), sum(got))
			require.Equal(t, sum(content), result.ContentSHA256)
			require.Equal(t, sum(body), result.SHA256)
		})
	}
}

// A server may give less than the rest. That is a cut like another one, not the end.
func TestLessThanTheRestIsNotTheEnd(t *testing.T) {
	t.Parallel()
	content := noise(5000)
	s := newStorage(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n != 1 {
			blob{content: content, etag: `"v1"`, cut: cutFirst(1000)}.serve(n, w, r)
			return
		}
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Content-Range", "bytes 1000-2999/5000")
		w.WriteHeader(http.StatusPartialContent)
		_, _ = io.WriteString(w, content[1000:3000])
	})
	got, result, err := s.fetch(t, Request{})
	require.NoError(t, err)
	require.Equal(t, sum(content), sum(got))
	require.Equal(t, 2, result.Resumes)
}
