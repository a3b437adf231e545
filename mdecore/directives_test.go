package mdecore_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// directive is the machine-read line above a method, with the method's whole comment.
type directive struct {
	method, path, doc string
	roles             []string
}

// directives reads the //mde:op lines of all exported methods of Client.
func directives(t *testing.T) map[string]directive {
	t.Helper()
	found := map[string]directive{}
	set := token.NewFileSet()
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, parser.ParseComments)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Recv == nil || fn.Doc == nil || !fn.Name.IsExported() {
				continue
			}
			for _, line := range fn.Doc.List {
				rest, ok := strings.CutPrefix(line.Text, "//mde:op ")
				if !ok {
					continue
				}
				fields := strings.Fields(rest)
				require.Len(t, fields, 3, fn.Name.Name)
				roles, ok := strings.CutPrefix(fields[2], "roles=")
				require.True(t, ok, fn.Name.Name)
				found[fn.Name.Name] = directive{method: fields[0], path: fields[1], doc: fn.Doc.Text(), roles: strings.Split(roles, ",")}
			}
		}
	}
	return found
}

var placeholder = regexp.MustCompile(`\{[^}]*\}`)

// sameNames drops the names of a path's parameters, which documents choose freely.
func sameNames(path string) string { return placeholder.ReplaceAllString(path, "{}") }

// matches reports whether a request's path fits a template.
func matches(template, path string) bool {
	pattern := regexp.QuoteMeta(sameNames(template))
	pattern = strings.ReplaceAll(pattern, `\{\}`, `[^/]+`)
	return regexp.MustCompile("^" + pattern + "$").MatchString(path)
}

func TestEveryMethodIsListed(t *testing.T) {
	t.Parallel()
	ops := operations(t)
	found := directives(t)
	require.Len(t, found, len(ops))
	for name, d := range found {
		require.Contains(t, ops, name)
		require.Regexp(t, `Documentation page: [a-z0-9_-]+\.md\.`, strings.Join(strings.Fields(d.doc), " "), name)
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
		require.Equal(t, found[name].method, calls[0].method, name)
		require.True(t, matches(found[name].path, calls[0].path), "%s: %s does not fit %s", name, calls[0].path, found[name].path)
		require.Equal(t, op.write, calls[0].method != http.MethodGet, name)
	}
}

func TestDirectivesAgreeWithTheSimulator(t *testing.T) {
	t.Parallel()
	routes := map[string]mdesim.Route{}
	for _, r := range new(mdesim.Tenant).Routes() {
		routes[r.Method+" "+sameNames(r.Path)] = r
	}
	for name, d := range directives(t) {
		route, ok := routes[d.method+" "+sameNames(d.path)]
		require.True(t, ok, "%s: the simulator has no %s %s", name, d.method, d.path)
		require.ElementsMatch(t, route.Roles, d.roles, name)
	}
}
