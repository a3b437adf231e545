package operations_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/operations"
)

func TestTheTableIsWellFormed(t *testing.T) {
	t.Parallel()
	ids, clients, endpoints := map[string]bool{}, map[string]bool{}, map[string]bool{}
	mde := 0
	for _, o := range operations.All() {
		require.False(t, ids[o.ID], "%s stands twice", o.ID)
		require.False(t, clients[o.Client], "%s stands twice", o.Client)
		ids[o.ID], clients[o.Client] = true, true
		require.Regexp(t, `^[a-z0-9_]+$`, o.ID)
		require.Regexp(t, `^[A-Z][A-Za-z0-9]+$`, o.Client)
		require.Contains(t, []string{"GET", "POST", "PATCH", "DELETE"}, o.Method)
		require.Regexp(t, `\.md$`, o.Doc)
		require.NotEmpty(t, o.Family)
		require.NotEmpty(t, o.RoleNames(), o.ID)
		require.Contains(t, []string{"", "prerelease-notice", "preview", "legacy", "deprecated"}, o.State)
		want := `^/api/`
		if o.Graph {
			want = `^/v1\.0/security/`
		}
		require.Regexp(t, want, o.Path)
		require.LessOrEqual(t, len(regexp.MustCompile(`\{[a-z_]+\}`).FindAllString(o.Path, -1)), 2, "the client fills at most two parameters")
		if !o.Graph {
			mde++
			endpoints[strings.ToLower(o.Endpoint())] = true
		}
	}
	require.Equal(t, 114, mde, "documented operations")
	require.Len(t, endpoints, 113, "one path serves two documented exports")
}

func TestByClient(t *testing.T) {
	t.Parallel()
	o, ok := operations.ByClient("IsolateMachine")
	require.True(t, ok)
	require.Equal(t, "POST /api/machines/{machine_id}/isolate", o.Endpoint())
	require.True(t, o.Destructive)
	require.False(t, o.Deprecated())
	_, ok = operations.ByClient("Nothing")
	require.False(t, ok)
	all := operations.All()
	all[0].Client = "Changed"
	require.NotEqual(t, "Changed", operations.All()[0].Client, "All gives a copy")
}

func TestRowsOfOneEndpointHaveTheStricterLimits(t *testing.T) {
	t.Parallel()
	shared := 0
	for _, o := range operations.All() {
		minute, hour := o.Limits()
		if strings.EqualFold(o.Path, "/api/machines/InfoGatheringExport") {
			shared++
			require.Equal(t, [2]int{5, 20}, [2]int{minute, hour}, o.ID)
			continue
		}
		require.Equal(t, [2]int{o.PerMinute, o.PerHour}, [2]int{minute, hour}, o.ID)
	}
	require.Equal(t, 2, shared)
	minute, hour := operations.Operation{Method: "GET", Path: "/elsewhere", PerMinute: 3}.Limits()
	require.Equal(t, [2]int{3, 0}, [2]int{minute, hour})
}
