package mdecore_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/opdoc"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	table "github.com/mde-ops/mde-ops/mdecore/operations"
)

// directives reads the //mde:op lines of all exported methods of Client.
func directives(t *testing.T) map[string]opdoc.Method {
	t.Helper()
	found, err := opdoc.Read(".")
	require.NoError(t, err)
	return found
}

var placeholder = regexp.MustCompile(`\{[^}]*\}`)

// matches reports whether a request's path fits a template.
func matches(template, path string) bool {
	pattern := regexp.QuoteMeta(placeholder.ReplaceAllString(template, "{}"))
	pattern = strings.ReplaceAll(pattern, `\{\}`, `[^/]+`)
	return regexp.MustCompile("^" + pattern + "$").MatchString(path)
}

func TestEveryMethodIsListed(t *testing.T) {
	t.Parallel()
	ops := operations(t)
	found := directives(t)
	for name, m := range found {
		require.Contains(t, ops, name)
		require.Regexp(t, `Documentation page: [A-Za-z0-9_-]+\.md\.`, strings.Join(strings.Fields(m.Doc), " "), name)
	}
	require.Len(t, ops, len(found))
}

func TestEveryOperationHasItsMethod(t *testing.T) {
	t.Parallel()
	found := directives(t)
	endpoints := map[string][]string{}
	for _, o := range table.All() {
		m, ok := found[o.Client]
		if !ok {
			t.Errorf("%s: there is no method %s with a //mde:op line", o.ID, o.Client)
			continue
		}
		endpoints[o.Endpoint()] = o.RoleNames()
		require.Equal(t, o.Endpoint(), m.Endpoint(), o.Client)
		require.ElementsMatch(t, o.RoleNames(), m.Roles, o.Client)
		require.Contains(t, m.Doc, o.Doc, "%s must name its page", o.Client)
		require.Equal(t, o.Deprecated(), m.Deprecated(), "%s: deprecated in the table and in its comment", o.Client)
	}
	for name, m := range found {
		roles, ok := endpoints[m.Endpoint()]
		require.True(t, ok, "%s: %s is not in the table of operations", name, m.Endpoint())
		require.ElementsMatch(t, roles, m.Roles, name)
	}
}

func TestDirectivesSayWhatIsSent(t *testing.T) {
	t.Parallel()
	found := directives(t)
	for name, op := range operations(t) {
		s := newService(t, op.answer)
		require.NoError(t, op.good(t.Context(), s.clientOf(t)), name)
		calls := s.received()
		require.Len(t, calls, 1, name)
		require.Equal(t, found[name].HTTP, calls[0].method, name)
		require.True(t, matches(found[name].Path, calls[0].path), "%s: %s does not fit %s", name, calls[0].path, found[name].Path)
		require.False(t, op.write && calls[0].method == http.MethodGet, "%s: a GET changes nothing", name)
	}
}

// beyondTheTable are simulated routes that the documentation shows in samples only.
func beyondTheTable() []string { return []string{"count_machine_alerts"} }

func TestEveryOperationHasItsRoute(t *testing.T) {
	t.Parallel()
	routes := map[string]mdesim.Route{}
	byID := map[string]bool{}
	for _, r := range new(mdesim.Tenant).Routes() {
		routes[strings.ToLower(r.Method+" "+r.Path)] = r
		byID[r.Op] = true
	}
	known := map[string]bool{}
	for _, o := range table.All() {
		known[o.ID] = true
		r, ok := routes[strings.ToLower(o.Endpoint())]
		if !ok {
			t.Errorf("%s: the simulator has no route %s", o.ID, o.Endpoint())
			continue
		}
		require.ElementsMatch(t, o.RoleNames(), r.Roles, o.ID)
		require.ElementsMatch(t, o.DelegatedNames(), r.Delegated, o.ID)
		if r.Op != o.ID {
			continue // two documented operations share this path: the route has the other's page and limits
		}
		require.Equal(t, o.Doc, r.Doc, o.ID)
		if o.PerMinute+o.PerHour > 0 {
			require.Equal(t, [2]int{o.PerMinute, o.PerHour}, [2]int{r.PerMinute, r.PerHour}, "%s: calls a minute and an hour", o.ID)
		}
	}
	for _, extra := range beyondTheTable() {
		known[extra] = true
	}
	for id := range byID {
		require.True(t, known[id], "the simulator's route %s is not in the table of operations", id)
	}
}
