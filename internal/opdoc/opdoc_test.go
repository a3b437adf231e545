package opdoc_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/opdoc"
)

func read(t *testing.T, source string) (map[string]opdoc.Method, error) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.go"), []byte("package a\n\ntype C struct{}\n\n"+source), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a_test.go"), []byte("not Go"), 0o600))
	return opdoc.Read(dir)
}

func TestRead(t *testing.T) {
	t.Parallel()
	found, err := read(t, "// Get gets. Documentation page: get.md.\n//\n// Deprecated: use another.\n//\n//mde:op GET /api/a/{id} roles=A.Read,B.Read\nfunc (C) Get() {}\n\n// Not says nothing.\nfunc (C) Not() {}\n\n"+
		"//mde:op GET /x roles=A\nfunc free() {}\n")
	require.NoError(t, err)
	require.Len(t, found, 1)
	got := found["Get"]
	require.Equal(t, "GET /api/a/{id}", got.Endpoint())
	require.Equal(t, []string{"A.Read", "B.Read"}, got.Roles)
	require.Equal(t, "a.go", got.File)
	require.True(t, got.Deprecated())
	require.Contains(t, got.Doc, "Documentation page: get.md.")
}

func TestReadRefusesAnUnreadableLine(t *testing.T) {
	t.Parallel()
	_, err := read(t, "// Get gets.\n//\n//mde:op GET /api/a\nfunc (C) Get() {}\n")
	require.ErrorContains(t, err, "a.go: Get: the line")
	_, err = read(t, "func (")
	require.ErrorContains(t, err, "can't be read")
	_, err = opdoc.Read("[")
	require.Error(t, err)
}
