package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/tools"
)

func TestToolsPageIsFresh(t *testing.T) {
	t.Parallel()
	want, err := page()
	require.NoError(t, err)
	have, err := os.ReadFile("../../docs/tools.md")
	require.NoError(t, err)
	require.Equal(t, want, string(have), "docs/tools.md is stale: run `make generate`")
}

func TestTheCatalogueIsFresh(t *testing.T) {
	t.Parallel()
	want, err := tools.Generate()
	require.NoError(t, err)
	have, err := os.ReadFile("../../tools/catalogue_generated.go")
	require.NoError(t, err)
	require.Equal(t, string(want), string(have), "tools/catalogue_generated.go is stale: run `make generate`")
}

func TestTheCatalogueIsWhatIsDerived(t *testing.T) {
	t.Parallel()
	want, err := tools.Derive()
	require.NoError(t, err)
	have, err := tools.Catalogue()
	require.NoError(t, err)
	require.Equal(t, want, have)
}

func TestRunNeedsAFile(t *testing.T) {
	t.Parallel()
	require.Error(t, run(nil))
	require.Error(t, run([]string{t.TempDir()})) // it has no folders docs and tools
}

func TestCoverageIsFreshAndWhole(t *testing.T) {
	t.Parallel()
	want, err := coverage("../../mdecore")
	require.NoError(t, err)
	have, err := os.ReadFile("../../docs/coverage.md")
	require.NoError(t, err)
	require.Equal(t, want, string(have), "docs/coverage.md is stale: run `make generate`")
	require.Contains(t, want, "**113 of 113**")
	require.Contains(t, want, "Graph: **7 of 7**")
	require.NotContains(t, want, "| missing |")
}

func TestAnOperationWithoutItsMethodIsMissing(t *testing.T) {
	t.Parallel()
	page, err := coverage(t.TempDir())
	require.NoError(t, err)
	require.Contains(t, page, "**0 of 113**")
	require.Contains(t, page, "| missing |")
}
