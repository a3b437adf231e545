package demo

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/evidence"
	"github.com/mde-ops/mde-ops/internal/evidence/reading"
)

func TestTheDemosFolderKeepsWhatAServersProcessReads(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "evidence")
	open := func(folder func(string) (evidence.Bucket, error)) *evidence.Store {
		s, err := evidence.New(evidence.Options{Open: func(context.Context) (evidence.Bucket, error) { return folder(dir) }, TempDir: t.TempDir()})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	}
	writer, reader := open(openFolder), open(reading.Folder)
	meta := evidence.Meta{
		DeviceID: "d1", ActionType: "CollectInvestigationPackage", ActionID: "a1", RequestID: "REQ00001", Requester: "alice@contoso.com", Approvers: []string{"bob@contoso.com"},
		CollectedAt: time.Now(), Name: "package.zip",
	}
	m, err := writer.Put(t.Context(), meta, strings.NewReader("hello"))
	require.NoError(t, err)
	again, err := writer.Put(t.Context(), meta, strings.NewReader("hello"))
	require.NoError(t, err)
	require.Equal(t, m.ID, again.ID, "what was stored is found by its action")
	require.NoError(t, reader.Verify(t.Context(), m))
	l, err := reader.List(t.Context(), evidence.Query{DeviceID: "d1"})
	require.NoError(t, err)
	require.Equal(t, []evidence.Manifest{m}, l.Manifests)
}

func TestTheDemosFolderKeepsAnObjectWholeOrNot(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "evidence")
	b, err := openFolder(dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, b.Close()) }()
	require.Error(t, b.Write(t.Context(), "content/0a", io.MultiReader(strings.NewReader("half"), iotest.ErrReader(io.ErrUnexpectedEOF)), false))
	_, err = b.Stat(t.Context(), "content/0a")
	require.ErrorIs(t, err, evidence.ErrNotFound)
	left, err := filepath.Glob(dir + "/content/*")
	require.NoError(t, err)
	require.Empty(t, left)
	require.NoError(t, b.Write(t.Context(), "content/0a", strings.NewReader("x"), true))
	require.ErrorIs(t, b.Write(t.Context(), "content/0a", strings.NewReader("y"), true), evidence.ErrExists)
	require.NoError(t, b.Write(t.Context(), "content/0a", strings.NewReader("longer"), false))
	o, err := b.Stat(t.Context(), "content/0a")
	require.NoError(t, err)
	require.EqualValues(t, 6, o.Size)
	require.Error(t, b.Write(t.Context(), "../0a", strings.NewReader("x"), false))
	require.NoError(t, b.Delete(t.Context(), "content/0a"))
	require.NoError(t, b.Delete(t.Context(), "content/0a"))
}
