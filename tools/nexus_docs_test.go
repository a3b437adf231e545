package tools

import (
	"encoding/json"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/tools/toolstest"
)

// The roles that administrators copy from docs/nexus.md allow what the tools need, and nothing else.
func TestTheRolesInTheDocsAreWhatTheToolsNeed(t *testing.T) {
	t.Parallel()
	var reads, works []string
	all, err := Catalogue()
	require.NoError(t, err)
	for _, tool := range all {
		r, w := AzureActions(tool.Name)
		reads, works = append(reads, r...), append(works, w...)
		require.Equal(t, tool.Toolset == Nexus, len(r) > 0, tool.Name)
		require.Equal(t, tool.Toolset == Nexus && tool.Acts(), len(w) > 0, tool.Name)
	}
	text := toolstest.Read(t, "../docs/nexus.md")
	var roles [][]string
	for _, block := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(text, -1) {
		var role struct {
			Name             string
			IsCustom         bool
			Actions          []string
			DataActions      []string
			AssignableScopes []string
		}
		require.NoError(t, json.Unmarshal([]byte(block[1]), &role))
		require.True(t, role.IsCustom && len(role.AssignableScopes) == 1 && len(role.DataActions) == 0, role.Name)
		roles = append(roles, role.Actions)
	}
	require.Len(t, roles, 2)
	set := func(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }
	require.Equal(t, set(reads), set(roles[0]), "the reading application")
	require.Equal(t, set(works), set(roles[1]), "the writing application")
}
