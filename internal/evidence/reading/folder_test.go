package reading_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/evidence"
	"github.com/mde-ops/mde-ops/internal/evidence/blobs"
	"github.com/mde-ops/mde-ops/internal/evidence/reading"
)

const device = "1e5bc9d7e413ddd7902c2932e418702b84d0cc07"

// stores are one that writes a folder and one that reads it.
func stores(t *testing.T, dir string) (writer, reader *evidence.Store) {
	t.Helper()
	open := func(folder func(string) (evidence.Bucket, error)) *evidence.Store {
		s, err := evidence.New(evidence.Options{
			Open:    func(context.Context) (evidence.Bucket, error) { return folder(dir) },
			TempDir: t.TempDir(),
		})
		require.NoError(t, err)
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	return open(blobs.Folder), open(reading.Folder)
}

func meta(action string) evidence.Meta {
	return evidence.Meta{
		DeviceID: device, ActionType: "CollectInvestigationPackage", ActionID: action, RequestID: "REQ00001", Requester: "alice@contoso.com",
		Approvers: []string{"bob@contoso.com"}, CollectedAt: time.Now(), Name: "package.zip",
	}
}

func TestWhatTheWorkerWroteIsReadAsItWas(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "evidence")
	writer, reader := stores(t, dir)
	none, err := reader.List(t.Context(), evidence.Query{})
	require.NoError(t, err)
	require.Empty(t, none.Manifests)
	content := strings.Repeat("0123456789abcdef", 3<<16) // more than one part
	want := map[string]bool{}
	var last evidence.Manifest
	for _, action := range []string{"a1", "a2", "a3"} {
		last, err = writer.Put(t.Context(), meta(action), strings.NewReader(content+action))
		require.NoError(t, err)
		want[last.ID] = true
	}
	for _, q := range []evidence.Query{{}, {DeviceID: device}, {RequestID: "REQ00001"}} {
		q.Limit = 2
		got := map[string]bool{}
		for {
			l, err := reader.List(t.Context(), q)
			require.NoError(t, err)
			require.Empty(t, l.Faults)
			for _, m := range l.Manifests {
				got[m.ID] = true
			}
			if q.Page = l.Next; q.Page == "" {
				break
			}
		}
		require.Equal(t, want, got)
	}
	m, err := reader.Manifest(t.Context(), last.ID)
	require.NoError(t, err)
	require.Equal(t, last, m)
	part, err := reader.Range(t.Context(), m, 1<<20-8, 32)
	require.NoError(t, err)
	require.Equal(t, (content + "a3")[1<<20-8:1<<20+24], string(part))
	require.NoError(t, reader.Verify(t.Context(), m))
	_, err = reader.Manifest(t.Context(), "00000000000000000000")
	require.ErrorIs(t, err, evidence.ErrNotFound)
}

func TestAReaderChangesNothing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "evidence")
	writer, reader := stores(t, dir)
	m, err := writer.Put(t.Context(), meta("a1"), strings.NewReader("hello"))
	require.NoError(t, err)
	_, err = reader.Put(t.Context(), meta("a2"), strings.NewReader("other"))
	require.ErrorIs(t, err, reading.ErrReadOnly)
	b, err := reading.Folder(dir)
	require.NoError(t, err)
	require.ErrorIs(t, b.Delete(t.Context(), "content/"+m.SHA256), reading.ErrReadOnly)
	require.NoError(t, b.Close())
	require.NoError(t, reader.Verify(t.Context(), m))
}

// A bucket answers as the one that writes does, object by object.
func TestBothBucketsOfAFolderGiveTheSameAnswers(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "evidence")
	writer, err := blobs.Folder(dir)
	require.NoError(t, err)
	reader, err := reading.Folder(dir)
	require.NoError(t, err)
	for _, key := range []string{
		"content/0a", "content/0b", "device/d-1/x", "device/d.1/x", "device/d1/x", "device/d_1/y", "device/d1x", "manifest/a.json", "note-1.txt",
	} {
		require.NoError(t, writer.Write(t.Context(), key, bytes.NewBufferString("of "+key), false))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "content", "0c.18ab"+evidence.Unfinished), nil, 0o600))
	for _, prefix := range []string{"", "content/", "device/", "device/d1/", "manifest/", "nothing/"} {
		require.Equal(t, all(t, writer, prefix, 1000), all(t, reader, prefix, 1000), prefix)
		require.Equal(t, all(t, reader, prefix, 1000), all(t, reader, prefix, 1), prefix)
	}
	for _, key := range []string{"content/0a", "content/0z", "content", "device/d1"} {
		want, wantErr := writer.Stat(t.Context(), key)
		got, err := reader.Stat(t.Context(), key)
		require.Equal(t, want, got, key)
		require.Equal(t, wantErr, err, key)
		for _, part := range [][2]int64{{0, -1}, {3, -1}, {3, 4}, {0, 0}, {2, 1000}} {
			want, wantErr := text(t, writer, key, part)
			got, err := text(t, reader, key, part)
			require.Equal(t, want, got, key)
			require.Equal(t, wantErr, err, key)
		}
	}
}

func all(t *testing.T, b evidence.Bucket, prefix string, limit int) (out []evidence.Object) {
	t.Helper()
	for token := ""; ; {
		page, next, err := b.List(t.Context(), prefix, token, limit)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page), limit)
		out = append(out, page...)
		if token = next; token == "" {
			return out
		}
	}
}

func text(t *testing.T, b evidence.Bucket, key string, part [2]int64) (string, error) {
	t.Helper()
	r, err := b.Open(t.Context(), key, part[0], part[1])
	if err != nil {
		return "", err
	}
	defer func() { require.NoError(t, r.Close()) }()
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(got), nil
}

func TestAKeyThatWouldBeKeptUnderAnotherNameOrElsewhereIsRefused(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "evidence")
	b, err := reading.Folder(dir)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(dir), "secret"), []byte("SECRET"), 0o600))
	for _, key := range []string{
		"", ".", "/content/x", "../secret", "content/../../secret", "content//x", "content/", "content/a../x", `content\x`, "content/a__0x2f__b", "content/ä", "content/a b", "content/\x00",
	} {
		_, err := b.Open(t.Context(), key, 0, -1)
		require.ErrorContains(t, err, "is not the key", key)
		_, err = b.Stat(t.Context(), key)
		require.ErrorContains(t, err, "is not the key", key)
		if key != "" && key != "content/" {
			_, _, err = b.List(t.Context(), key, "", 10)
			require.Error(t, err, key)
		}
	}
}

func TestLinksOutOfTheFolderAndWhatIsNoFileAreNotRead(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "evidence")
	b, err := reading.Folder(dir)
	require.NoError(t, err)
	outside := filepath.Join(filepath.Dir(dir), "secret")
	require.NoError(t, os.WriteFile(outside, []byte("SECRET"), 0o600))
	require.NoError(t, os.Mkdir(dir+"/content", 0o700))
	require.NoError(t, os.Symlink(outside, dir+"/content/0a"))
	require.NoError(t, os.Symlink(filepath.Dir(dir), dir+"/content/up"))
	for _, key := range []string{"content/0a", "content/up/secret"} {
		_, err = b.Open(t.Context(), key, 0, -1)
		require.ErrorContains(t, err, "escapes", key)
	}
	_, err = b.Open(t.Context(), "content", 0, -1)
	require.ErrorIs(t, err, evidence.ErrNotFound)
	require.Empty(t, all(t, b, "", 10))
}

func TestAFolderOfOthersIsRefusedForReadingToo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/evidence"
	require.NoError(t, os.MkdirAll(dir+"/content", 0o700))
	require.NoError(t, os.Symlink(dir, dir+"-link"))
	b, err := reading.Folder(dir)
	require.NoError(t, err)
	require.NoError(t, b.Close())
	_, err = reading.Folder(dir + "-link")
	require.ErrorContains(t, err, "link to elsewhere")
	for _, part := range []string{"/content", ""} {
		require.NoError(t, os.Chmod(dir+part, 0o750)) //nolint:gosec // the fault that is looked for
		_, err = reading.Folder(dir)
		require.ErrorContains(t, err, "chmod 700")
		require.NoError(t, os.Chmod(dir+part, 0o700)) //nolint:gosec // a folder
	}
}
