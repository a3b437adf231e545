package tools

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/mdecore/operations"
)

// tenantAsked is what the tenant was asked for each tool, in all sessions.
type tenantAsked struct {
	mu           sync.Mutex
	reads, works map[string]map[string]bool
	played       atomic.Int64
}

func (a *tenantAsked) note(by map[string]map[string]bool, tool string, op operations.Operation) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if by[tool] == nil {
		by[tool] = map[string]bool{}
	}
	by[tool][op.Client] = true
}

// play plays one session, looking at what each word asks of the tenant.
func (a *tenantAsked) play(t *testing.T, file string, o *office) {
	s := &sitting{office: o}
	words := s.words()
	a.played.Add(1)
	look := func(by map[string]map[string]bool, tool func(*testscript.TestScript, []string) string, play word) word {
		return func(ts *testscript.TestScript, neg bool, args []string) {
			before := s.Tenant.Requests()
			play(ts, neg, args)
			for r, n := range s.Tenant.Requests() {
				if op, ok := operationOf(r); ok && n > before[r] {
					a.note(by, tool(ts, args), op)
				}
			}
		}
	}
	requested := func(ts *testscript.TestScript, _ []string) string {
		r, err := s.Gate.Get(t.Context(), ts.Getenv("REQUEST"))
		ts.Check(err)
		return r.Plan.Tool
	}
	words["call"] = look(a.reads, func(_ *testscript.TestScript, args []string) string { return args[0] }, words["call"])
	words["send"] = look(a.works, requested, words["send"])
	for _, name := range []string{"work", "until"} {
		words[name] = look(a.works, requested, words[name])
	}
	testscript.Run(t, testscript.Params{Files: []string{file}, Cmds: words, RequireUniqueNames: true})
}

// operationOf finds the operation that a request is of: of several paths that fit, the one with most of it written out.
func operationOf(r mdesim.Request) (best operations.Operation, ok bool) {
	path := strings.TrimSuffix(r.Path, "/$count") // a count needs what its list needs
	parameter := regexp.MustCompile(`\{[^}]*\}`)
	fixed := func(o operations.Operation) int { return len(parameter.ReplaceAllString(o.Path, "")) }
	for _, o := range operations.All() {
		if o.Method == r.Method && fitsPath(o.Path, path) && (!ok || fixed(o) > fixed(best)) {
			best, ok = o, true
		}
	}
	return best, ok
}

func fitsPath(template, path string) bool {
	want, have := strings.Split(strings.ToLower(template), "/"), strings.Split(strings.ToLower(path), "/")
	return slices.EqualFunc(want, have, func(w, h string) bool {
		fixed, _, parameter := strings.Cut(w, "{")
		return w == h || parameter && strings.HasPrefix(h, fixed)
	})
}

// compare holds what the tools say that they ask against what the tenant was asked: nothing needs a permission that its tool
// does not name, and nothing is named for nothing.
func (a *tenantAsked) compare(t *testing.T) {
	t.Helper()
	if t.Failed() {
		return
	}
	all, err := Catalogue()
	require.NoError(t, err)
	known := map[string]bool{}
	for _, tool := range all {
		known[tool.Name] = true
		if tool.Name == "mde_get" { // asks whatever a call names
			continue
		}
		says, _ := AsksOf(tool.Name)
		sameAsks(t, tool.Name+" reads", says.Reading(), a.reads[tool.Name])
		if tool.Name != "offboard_devices" { // the policy of the sessions denies it
			sameAsks(t, tool.Name+" works", says.Working(), a.works[tool.Name])
		}
	}
	for name := range operationsAsked() {
		require.True(t, known[name], "%s is no tool", name)
	}
}

func sameAsks(t *testing.T, what string, says []string, asked map[string]bool) {
	t.Helper()
	var permissions []string
	for _, method := range says {
		o, ok := operations.ByClient(method)
		require.True(t, ok, "%s: %s is no operation", what, method)
		permissions = append(permissions, o.Roles)
		require.True(t, asked[method], "%s %s, it says, and no session asks that of the tenant", what, method)
	}
	for method := range asked {
		o, _ := operations.ByClient(method)
		require.Contains(t, permissions, o.Roles, "%s %s, and does not say that it needs any of %s", what, method, o.Roles)
	}
}
