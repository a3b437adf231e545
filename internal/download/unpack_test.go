package download

import (
	"bytes"
	"compress/gzip"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUnpack(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("the content of a file\n", 50_000)
	zip := zipped(t, content)
	s := newStorage(t, blob{content: zip}.serve)
	got, result, err := s.fetch(t, Request{Unpack: true})
	require.NoError(t, err)
	require.Equal(t, content, got)
	require.Equal(t, Result{
		Bytes: int64(len(zip)), SHA256: sum(zip), Unpacked: true, ContentBytes: int64(len(content)), ContentSHA256: sum(content),
	}, result)

	// Without being asked, a gzip body is a file like any other.
	got, result, err = s.fetch(t, Request{})
	require.NoError(t, err)
	require.Equal(t, zip, got)
	require.False(t, result.Unpacked)
}

func TestGzipThatIsNotWhatItShouldBe(t *testing.T) {
	t.Parallel()
	content := noise(200_000)
	zip := zipped(t, content)
	damaged := []byte(zip)
	damaged[len(damaged)-5]++ // in the checksum
	for name, c := range map[string]struct{ body, want string }{
		"truncated":       {zip[:len(zip)/2], "the gzip content is truncated"},
		"no trailer":      {zip[:len(zip)-8], "the gzip content is truncated"},
		"half a trailer":  {zip[:len(zip)-3], "the gzip content is truncated"},
		"header only":     {zip[:5], "the gzip content is truncated"},
		"wrong checksum":  {string(damaged), "the gzip content is damaged: its checksum"},
		"garbage after":   {zip + "x", "belong to nothing"},
		"zeros after":     {zip + "\x00\x00\x00\x00", "belong to nothing"},
		"two members":     {zip + zip, "several gzip members"},
		"broken deflate":  {zip[:10] + "\xff\xff\xff\xff\xff\xff", "the gzip content is damaged"},
		"cut second head": {zip + "\x1f\x8b", "belong to nothing"},
	} {
		s := newStorage(t, blob{content: c.body}.serve)
		got, _, err := s.fetch(t, Request{Unpack: true})
		require.ErrorContains(t, failed(t, err), c.want, name)
		require.EqualValues(t, len(got), failed(t, err).Written, name)
		require.True(t, strings.HasPrefix(content, got), name)
		require.Len(t, s.asked, 1, name)
	}
}

func TestConcatenatedMembers(t *testing.T) {
	t.Parallel()
	one, two := noise(200_000), noise(10)
	s := newStorage(t, blob{content: zipped(t, one) + zipped(t, "") + zipped(t, two)}.serve)
	got, _, err := s.fetch(t, Request{Unpack: true, Concatenated: true})
	require.NoError(t, err)
	require.Equal(t, sum(one+two), sum(got))

	s = newStorage(t, blob{content: zipped(t, one) + zipped(t, two)[:20]}.serve)
	_, _, err = s.fetch(t, Request{Unpack: true, Concatenated: true})
	require.ErrorContains(t, failed(t, err), "truncated")
}

// A few kilobytes that unpack to gigabytes must not fill the disk.
func TestExpansionStopsBeforeTheLimitIsPassed(t *testing.T) {
	t.Parallel()
	var bomb bytes.Buffer
	w, err := gzip.NewWriterLevel(&bomb, gzip.BestSpeed)
	require.NoError(t, err)
	_, err = io.CopyN(w, zeros{}, 16<<20)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	s := newStorage(t, blob{content: bomb.String()}.serve)
	for limit, ok := range map[int64]bool{1: false, 1 << 20: false, 16<<20 - 1: false, 16 << 20: true} {
		var out counter
		_, err := s.client(t, nil).Fetch(t.Context(), &out, Request{Source: s.source, Unpack: true, MaxExpanded: limit})
		require.LessOrEqual(t, int64(out), limit)
		if ok {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, failed(t, err), "unpacks to more than the")
		require.EqualValues(t, out, failed(t, err).Written)
	}
}

func TestMemoryStaysFlat(t *testing.T) {
	content := strings.Repeat("x", 64<<20)
	s := newStorage(t, blob{content: content}.serve)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := s.client(t, nil).Fetch(t.Context(), io.Discard, Request{Source: s.source})
	require.NoError(t, err)
	runtime.ReadMemStats(&after)
	// The test's own server copies the content once.
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20+8<<20))
}

// zeros is an endless source of nothing.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// counter counts what is written.
type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }
