package download

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzContentRange(f *testing.F) {
	for _, seed := range []string{
		"bytes 0-99/1000", "bytes 0-99/*", "Bytes 5-5/6", "bytes */1000", "bytes 10-5/100", "bytes 0-100/100", "", "bytes", "bytes 0-99",
		"items 0-1/2", "bytes +1-2/3", "bytes -1-2/3", "bytes 1-2/-3", "bytes 0-9223372036854775808/9223372036854775809", "bytes  0-1/2", "bytes 1-2/3/4",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		r, err := parseContentRange(value)
		if err != nil {
			return
		}
		require.True(t, 0 <= r.first && r.first <= r.last && (r.total == -1 || r.last < r.total), value)
		total := "*"
		if r.total >= 0 {
			total = fmt.Sprint(r.total)
		}
		again, err := parseContentRange(fmt.Sprintf("bytes %d-%d/%s", r.first, r.last, total))
		require.NoError(t, err)
		require.Equal(t, r, again)
	})
}

func TestParseContentRange(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]contentRange{
		"bytes 0-99/1000": {0, 99, 1000}, "bytes 7-7/8": {7, 7, 8}, "bytes 5-9/*": {5, 9, -1},
	} {
		got, err := parseContentRange(value)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, value := range []string{"bytes */1000", "bytes 10-5/100", "bytes 0-100/100", "", "items 0-1/2", "bytes +1-2/3", "bytes 0-1/", "bytes 0-1/2x"} {
		_, err := parseContentRange(value)
		require.Error(t, err, value)
	}
}

func FuzzStorageError(f *testing.F) {
	for _, seed := range []string{
		"<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>AuthenticationFailed</Code><Message>text</Message></Error>",
		"\ufeff<Error><Code>BlobNotFound</Code></Error>", "<Error><Code>a b</Code></Error>", "<Error/>", "<html><body>no</body></html>", "",
		"<Error><Code><Code>x</Code></Code></Error>", "<Error><Code>" + strings.Repeat("a", 100) + "</Code></Error>", "{\"error\":{}}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if code := parseStorageError(body); code != "" {
			require.Regexp(t, "^[A-Za-z0-9]{1,64}$", code)
		}
	})
}

// Whatever a body holds, unpacking ends, stays within its limit and counts what was written.
func FuzzUnpack(f *testing.F) {
	whole := zipped(f, "some content, some content")
	for _, seed := range []string{whole, whole + whole, whole[:12], whole + "x", "plain", "\x1f\x8b\x08", "\x1f\x8b", ""} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, concatenated bool) {
		s := &stream{
			client: &Client{}, ctx: t.Context(), total: int64(len(body)), req: Request{MaxBytes: DefaultMaxBytes},
			body: &idleBody{body: io.NopCloser(strings.NewReader(string(body))), watch: testWatch(t)},
		}
		var out counter
		o := &output{ctx: t.Context(), w: &out, progress: s.report}
		result, err := transfer(s, o, Request{Unpack: true, Concatenated: concatenated, MaxExpanded: 1 << 20})
		require.LessOrEqual(t, int64(out), int64(max(1<<20, len(body))))
		require.EqualValues(t, out, o.written)
		if err == nil {
			require.Equal(t, sum(string(body)), result.SHA256)
			require.EqualValues(t, len(body), result.Bytes)
		}
	})
}

// testWatch is a watch that never strikes.
func testWatch(t *testing.T) *idleWatch {
	_, w := watchIdle(t.Context(), &Client{header: 1 << 60, idle: 1 << 60})
	t.Cleanup(w.end)
	return w
}
