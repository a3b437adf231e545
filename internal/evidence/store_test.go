package evidence_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/evidence"
)

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func TestWhatIsPutIsGotWithItsManifest(t *testing.T) {
	t.Parallel()
	r := open(t, evidence.Options{})
	m := r.put(t, of("1"), "hello")
	require.Equal(t, sum([]byte("hello")), m.SHA256)
	require.EqualValues(t, 5, m.Size)
	require.True(t, evidence.ValidID(m.ID))
	again, err := r.Manifest(t.Context(), m.ID)
	require.NoError(t, err)
	require.Equal(t, m, again)
	b, err := r.get(t, m.ID)
	require.NoError(t, err)
	require.Equal(t, "hello", string(b))
	require.NoError(t, r.Verify(t.Context(), m))
	empty := r.put(t, of("2"), "")
	b, err = r.get(t, empty.ID)
	require.NoError(t, err)
	require.Empty(t, b)
}

func TestTheSameContentIsStoredOnceWithAManifestForEachCollection(t *testing.T) {
	t.Parallel()
	r := open(t, evidence.Options{})
	a, b := r.put(t, of("1"), "same"), r.put(t, of("2"), "same")
	require.NotEqual(t, a.ID, b.ID)
	require.Equal(t, []string{"content/" + a.SHA256}, keys(t, r.bucket, "content/"))
	require.Equal(t, a, r.put(t, of("1"), "same"), "a collection that is put again after a crash is the same collection")
	require.Len(t, keys(t, r.bucket, "manifest/"), 2)
}

func TestAMetaThatSaysTooLittleOrLeadsElsewhereIsRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*evidence.Meta){
		"no device": func(m *evidence.Meta) { m.DeviceID = "" }, "path": func(m *evidence.Meta) { m.DeviceID = "../../etc" },
		"slash": func(m *evidence.Meta) { m.RequestID = "A/B" }, "no requester": func(m *evidence.Meta) { m.Requester = " " },
		"no time": func(m *evidence.Meta) { m.CollectedAt = time.Time{} }, "long": func(m *evidence.Meta) { m.ActionID = strings.Repeat("a", 200) },
		"no action": func(m *evidence.Meta) { m.ActionType = "" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := open(t, evidence.Options{})
			m := of("1")
			change(&m)
			_, err := r.Put(t.Context(), m, strings.NewReader("x"))
			require.Error(t, err)
			require.Empty(t, keys(t, r.bucket, ""))
		})
	}
}

func TestAnAlteredContentIsSaidToBe(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{"other": "hallo", "longer": "hello!", "shorter": "hell", "empty": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := open(t, evidence.Options{})
			m := r.put(t, of("1"), "hello")
			overwrite(t, r.bucket, "content/"+m.SHA256, content)
			_, err := r.get(t, m.ID)
			var altered *evidence.AlteredError
			require.ErrorAs(t, err, &altered)
			require.ErrorAs(t, r.Verify(t.Context(), m), &altered)
			if got, err := r.Range(t.Context(), m, 0, 5); name == "longer" {
				require.Equal(t, "hello", string(got), "what is returned was verified, whatever follows it")
			} else {
				require.ErrorAs(t, err, &altered)
			}
		})
	}
}

func TestAMissingContentIsSaidToBe(t *testing.T) {
	t.Parallel()
	r := open(t, evidence.Options{})
	m := r.put(t, of("1"), "hello")
	require.NoError(t, r.bucket.Delete(t.Context(), "content/"+m.SHA256))
	_, err := r.get(t, m.ID)
	require.ErrorContains(t, err, "missing")
	_, err = r.Range(t.Context(), m, 0, 5)
	require.ErrorContains(t, err, "missing")
}

func TestAnAlteredManifestIsNotTrusted(t *testing.T) {
	t.Parallel()
	r := open(t, evidence.Options{})
	m := r.put(t, of("1"), "hello")
	for name, text := range map[string]string{
		"no JSON": "{", "another format": `{"format":2,"id":"` + m.ID + `"}`, "another id": `{"format":1,"id":"x","sha256":"` + m.SHA256 + `","part_size":1}`,
		"unknown field": `{"format":1,"link":"https://x"}`, "no parts": `{"format":1,"id":"` + m.ID + `","sha256":"` + m.SHA256 + `","size":5,"part_size":1048576}`,
	} {
		overwrite(t, r.bucket, "manifest/"+m.ID+".json", text)
		_, err := r.Manifest(t.Context(), m.ID)
		var altered *evidence.AlteredError
		require.ErrorAs(t, err, &altered, name)
		l, err := r.List(t.Context(), evidence.Query{})
		require.NoError(t, err)
		require.Empty(t, l.Manifests)
		require.Len(t, l.Faults, 1, name)
	}
}

func TestADigestIsForOneManifestAndOutlivesItsRemoval(t *testing.T) {
	t.Parallel()
	r := open(t, evidence.Options{})
	m := r.put(t, of("1"), "hello")
	first, err := m.Digest()
	require.NoError(t, err)
	m.Removed = &evidence.Removal{By: "x"}
	same, err := m.Digest()
	require.NoError(t, err)
	require.Equal(t, first, same)
	m.Parts[0] = strings.Repeat("0", 64)
	other, err := m.Digest()
	require.NoError(t, err)
	require.NotEqual(t, first, other)
}

func TestARangeIsVerifiedPartByPart(t *testing.T) {
	t.Parallel()
	r := open(t, evidence.Options{})
	content := make([]byte, 3<<20+17)
	noise := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // test data
	for i := range content {
		content[i] = byte(noise.Uint32())
	}
	m, err := r.Put(t.Context(), of("1"), bytes.NewReader(content))
	require.NoError(t, err)
	require.Len(t, m.Parts, 4)
	for _, w := range [][2]int64{{0, 10}, {1<<20 - 3, 7}, {1 << 20, 1 << 20}, {5, 3 << 20}, {3 << 20, 1 << 40}, {int64(len(content)) - 1, 5}} {
		got, err := r.Range(t.Context(), m, w[0], w[1])
		require.NoError(t, err)
		require.Equal(t, content[w[0]:min(w[0]+w[1], int64(len(content)))], got)
	}
	for _, w := range [][2]int64{{int64(len(content)), 5}, {-1, 5}, {0, 0}, {1 << 60, 1 << 60}} {
		got, err := r.Range(t.Context(), m, w[0], w[1])
		require.NoError(t, err)
		require.Empty(t, got)
	}
	content[2<<20+5] ^= 1
	overwrite(t, r.bucket, "content/"+m.SHA256, string(content))
	_, err = r.Range(t.Context(), m, 0, 10)
	require.NoError(t, err)
	_, err = r.Range(t.Context(), m, 2<<20, 1)
	require.ErrorContains(t, err, "altered")
}

func zipped(t testing.TB, files map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, content := range files {
		f, err := w.Create(name)
		require.NoError(t, err)
		_, err = io.WriteString(f, content)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.String()
}

func gzipped(t testing.TB, name, content string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Name = name
	_, err := io.WriteString(w, content)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

func TestWhatAnArchiveOfOneFileHoldsIsHashed(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 4000)
	whole := sum([]byte("inside"))
	cut := zipped(t, map[string]string{"a": "inside"})
	for name, c := range map[string]struct {
		content string
		want    *evidence.Unpacked
	}{
		"plain":           {"PK but no archive", nil},
		"short":           {"PK", nil},
		"gzip":            {gzipped(t, "../../x", "inside"), &evidence.Unpacked{Archive: "gzip", Name: "x", SHA256: whole, Size: 6}},
		"zip":             {zipped(t, map[string]string{"dir/../a.txt": "inside"}), &evidence.Unpacked{Archive: "zip", Name: "a.txt", SHA256: whole, Size: 6}},
		"two files":       {zipped(t, map[string]string{"a": "1", "b": "2"}), &evidence.Unpacked{Archive: "zip", Note: "it holds 2 files; only one file is unpacked"}},
		"expanding gzip":  {gzipped(t, "", long), &evidence.Unpacked{Archive: "gzip", Note: "it unpacks to more than 1000 bytes; it was not hashed"}},
		"expanding zip":   {zipped(t, map[string]string{"a": long}), &evidence.Unpacked{Archive: "zip", Name: "a", Note: "it unpacks to more than 1000 bytes; it was not hashed"}},
		"exactly as much": {gzipped(t, "", long[:1000]), &evidence.Unpacked{Archive: "gzip", SHA256: sum([]byte(long[:1000])), Size: 1000}},
		"cut gzip":        {gzipped(t, "", "inside")[:20], &evidence.Unpacked{Archive: "gzip", Note: "it can't be unpacked: it is damaged"}},
		"cut zip":         {cut[:len(cut)-30], &evidence.Unpacked{Archive: "zip", Note: "it can't be unpacked: its directory is damaged, larger than the limit or of the 64-bit form"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := open(t, evidence.Options{MaxUnpacked: 1000})
			m := r.put(t, of("1"), c.content)
			require.Equal(t, c.want, m.Unpacked)
			require.Equal(t, sum([]byte(c.content)), m.SHA256, "the raw hash is of the content as it came")
		})
	}
}

func TestAPutThatFailsLeavesNothingVisible(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"content/", "holds/", "device/", "request/", "manifest/"} {
		t.Run(strings.TrimSuffix(where, "/"), func(t *testing.T) {
			t.Parallel()
			r := open(t, evidence.Options{})
			r.bucket.when(func(key string) error {
				if strings.HasPrefix(key, where) {
					return errFull
				}
				return nil
			})
			_, err := r.Put(t.Context(), of("1"), strings.NewReader("hello"))
			require.ErrorIs(t, err, errFull)
			for _, q := range []evidence.Query{{}, {DeviceID: device}, {RequestID: "REQ1"}} {
				l, err := r.List(t.Context(), q)
				require.NoError(t, err)
				require.Empty(t, l.Manifests)
				require.Empty(t, l.Faults)
			}
			r.bucket.when(nil)
			m := r.put(t, of("1"), "hello")
			b, err := r.get(t, m.ID)
			require.NoError(t, err)
			require.Equal(t, "hello", string(b))
		})
	}
}

func TestADiskThatIsFullInTheMiddleLeavesNoHalfContent(t *testing.T) {
	t.Parallel()
	r := open(t, evidence.Options{})
	r.bucket.full("content/")
	_, err := r.Put(t.Context(), of("1"), strings.NewReader("hello"))
	require.ErrorIs(t, err, errFull)
	require.Empty(t, keys(t, r.bucket, ""))
}

func TestASourceThatBreaksOrIsTooLongStoresNothing(t *testing.T) {
	t.Parallel()
	r := open(t, evidence.Options{MaxSize: 10})
	_, err := r.Put(t.Context(), of("1"), io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(io.ErrUnexpectedEOF)))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	_, err = r.Put(t.Context(), of("1"), strings.NewReader("12345678901"))
	require.ErrorContains(t, err, "more than 10 bytes")
	require.Empty(t, keys(t, r.bucket, ""))
	r.put(t, of("1"), "1234567890")
}

func TestPutsOfTheSameContentAtTheSameTime(t *testing.T) {
	t.Parallel()
	r := open(t, evidence.Options{})
	var wg sync.WaitGroup
	ids := make([]string, 8)
	for i := range ids {
		wg.Go(func() {
			m, err := r.Put(t.Context(), of(string(rune('A'+i))), strings.NewReader("same"))
			if err == nil {
				ids[i] = m.ID
			}
		})
	}
	wg.Wait()
	require.Len(t, keys(t, r.bucket, "content/"), 1)
	for _, id := range ids {
		b, err := r.get(t, id)
		require.NoError(t, err)
		require.Equal(t, "same", string(b))
	}
}

func TestAnAlteredContentIsStoredAnewWhenItIsCollectedAgain(t *testing.T) {
	t.Parallel()
	r := open(t, evidence.Options{})
	m := r.put(t, of("1"), "hello")
	overwrite(t, r.bucket, "content/"+m.SHA256, "hallo")
	r.put(t, of("2"), "hello")
	b, err := r.get(t, m.ID)
	require.NoError(t, err)
	require.Equal(t, "hello", string(b))
}

// zeros gives so many zero bytes.
type zeros struct{ left int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), z.left)
	clear(p[:n])
	z.left -= n
	return int(n), nil
}

func TestMemoryDoesNotGrowWithTheContent(t *testing.T) {
	r := inFolder(t, t.TempDir()+"/evidence")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m, err := r.Put(t.Context(), of("1"), &zeros{64 << 20})
	require.NoError(t, err)
	require.NoError(t, r.Verify(t.Context(), m))
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8<<20), "64 MiB went through")
}
