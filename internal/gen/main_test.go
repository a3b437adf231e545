package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestToolsPageIsFresh(t *testing.T) {
	t.Parallel()
	want, err := page()
	require.NoError(t, err)
	have, err := os.ReadFile("../../docs/tools.md")
	require.NoError(t, err)
	require.Equal(t, want, string(have), "docs/tools.md is stale: run `make generate`")
}

func TestRunNeedsAFile(t *testing.T) {
	t.Parallel()
	require.Error(t, run(nil))
	require.Error(t, run([]string{t.TempDir()})) // a folder can't be written
}
