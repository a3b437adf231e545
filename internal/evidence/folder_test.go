package evidence_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/evidence"
	"github.com/mde-ops/mde-ops/internal/evidence/blobs"
)

func inFolder(t testing.TB, dir string) *room {
	t.Helper()
	b, err := blobs.Folder(dir)
	require.NoError(t, err)
	return over(t, b, evidence.Options{})
}

// It changes the umask of the whole process, so that it must not run beside others.
func TestAFolderIsForItsOwnerOnlyWhateverTheUmask(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	dir := filepath.Join(t.TempDir(), "state", "evidence")
	for range 2 { // the second time is a restart
		r := inFolder(t, dir)
		m := r.put(t, of("1"), "hello")
		r.put(t, of("2"), "again")
		b, err := r.get(t, m.ID)
		require.NoError(t, err)
		require.Equal(t, "hello", string(b))
		files := 0
		require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			require.NoError(t, err)
			info, err := d.Info()
			require.NoError(t, err)
			want := fs.FileMode(0o600)
			if d.IsDir() {
				want = 0o700
			} else {
				files++
			}
			require.Equal(t, want, info.Mode().Perm(), path)
			return nil
		}))
		require.NotZero(t, files)
		require.NoError(t, r.Close())
	}
}

func TestAFolderOfOthersIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open, file, link, inner, linked := dir+"/open", dir+"/file", dir+"/link", dir+"/inner", dir+"/linked"
	require.NoError(t, os.Mkdir(open, 0o750))
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	private := dir + "/private"
	require.NoError(t, os.Mkdir(private, 0o700))
	require.NoError(t, os.Symlink(private, link))
	for _, d := range []string{inner, linked} {
		require.NoError(t, os.Mkdir(d, 0o700))
	}
	require.NoError(t, os.Mkdir(inner+"/content", 0o700))
	require.NoError(t, os.Chmod(inner+"/content", 0o777)) //nolint:gosec // the fault that is looked for
	require.NoError(t, os.Symlink(private, linked+"/manifest"))
	for path, text := range map[string]string{open: "chmod 700", file: "", link: "link to elsewhere", inner: "chmod 700", linked: "link to elsewhere"} {
		_, err := blobs.Folder(path)
		require.ErrorContains(t, err, text, path)
	}
	_, err := blobs.Folder(private)
	require.NoError(t, err)
}

func TestFilesThatDeadWritersLeftAreNotSeenAndAreRemoved(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "evidence")
	r := inFolder(t, dir)
	m := r.put(t, of("1"), "hello")
	left := []string{"content/" + m.SHA256 + ".18ab.tmp", "manifest/" + m.ID + ".json.18ab.tmp", ".spool-1"}
	for _, name := range left {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	l, err := r.List(t.Context(), evidence.Query{Limit: 1})
	require.NoError(t, err)
	require.Len(t, l.Manifests, 1)
	_, err = r.Sweep(t.Context(), 0)
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(dir, left[0]))
	r.Add(25 * time.Hour)
	_, err = r.Sweep(t.Context(), 0)
	require.NoError(t, err)
	for _, name := range left {
		require.NoFileExists(t, filepath.Join(dir, name))
	}
	_, err = r.get(t, m.ID)
	require.NoError(t, err)
}

func TestAWriteThatFailsLeavesNoFile(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "evidence")
	r := inFolder(t, dir)
	r.bucket.full("content/")
	_, err := r.Put(t.Context(), of("1"), strings.NewReader("hello"))
	require.ErrorIs(t, err, errFull)
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		require.True(t, d.IsDir(), path)
		return nil
	}))
}

func TestWhereEvidenceIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for where, text := range map[string]string{
		"": "name a folder", "s3://bucket?key=SECRET": `"s3"`, "azblob://c?sig=SECRET": "can't open Azure", "file://host/x": "path",
		"file:///x?sig=SECRET": "path",
	} {
		_, err := evidence.Opener(where, blobs.Folder, nil)
		require.ErrorContains(t, err, text, where)
		require.NotContains(t, err.Error(), "SECRET")
	}
	for _, where := range []string{dir + "/a", "file://" + dir + "/b"} {
		open, err := evidence.Opener(where, blobs.Folder, nil)
		require.NoError(t, err)
		require.NoDirExists(t, strings.TrimPrefix(where, "file://"), "nothing is made before it is needed")
		b, err := open(t.Context())
		require.NoError(t, err)
		require.NoError(t, b.Close())
		require.DirExists(t, strings.TrimPrefix(where, "file://"))
	}
}
