package archtest

import (
	"go/ast"
	"go/token"
	"os/exec"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// rule says which packages of ours the packages below a folder may import.
type rule struct {
	dir     string
	may     []string
	because string
}

// rules are read from the top: the first whose folder holds the package decides.
func rules() []rule {
	return []rule{
		{"approvals", []string{"approvals", "internal/failpoint", "internal/nearest"}, "the gate must be judged without knowing any tool, tenant or face"},
		{"mdecore/mdesim", []string{"mdecore/mdesim"}, "the simulated tenant is written from the documentation, so that it can't share the client's mistakes"},
		{"mdecore/operations", nil, "the table of operations is data"},
		{"mdecore", []string{"internal/azpipe", "internal/download", "internal/nearest", "mdecore/operations"}, "the client is a library in its own right"},
		{"internal/download", []string{"internal/azpipe"}, "a download knows links and bytes, not what they mean"},
		{"internal/azpipe", nil, "the pipeline knows nothing of what is sent through it"},
		{"internal/entra", []string{"internal/azpipe", "approvals"}, "it answers who holds a role and knows no face and no tool"},
		{"internal/nearest", nil, "it compares words and knows nothing of what they mean"},
		{"internal/failpoint", nil, "a named point to die at knows nothing of its surroundings"},
		{"internal/evidence/container", nil, "it makes clients for whoever reads or writes with them"},
		{"internal/evidence/reading", []string{"internal/evidence"}, "it reads what the store keeps"},
		{"internal/evidence", []string{"internal/evidence"}, "it keeps what it is given and knows nothing of tools, tenant or gate"},
		{"tools", []string{"mdecore", "approvals", "internal/evidence", "internal/failpoint", "internal/nearest"}, "a tool plans with the client and acts through the gate"},
		{"internal/slackbot/slacksim", nil, "the simulated workspace is written from Slack's documentation"},
		{"internal/slackbot", []string{"tools", "approvals", "internal/nearest"}, "an adapter shows tools and takes votes; it never calls the tenant"},
		{"internal/mcpserver", []string{"tools", "approvals"}, "an adapter shows tools; it never calls the tenant"},
		{"internal/app", []string{"approvals", "mdecore", "internal/azpipe", "internal/entra", "internal/evidence", "internal/mcpserver", "internal/slackbot", "internal/nearest", "internal/simtenant", "tools", "internal/app"}, "the one place that sees everything"},
		{"internal/demo", []string{"internal", "tools", "approvals", "mdecore"}, "a demo drives the whole house"},
		{"internal/cli", []string{"internal", "tools", "approvals"}, "commands read arguments and call the app"},
		{"internal/archtest", nil, "rules only"},
		{"internal/bench", []string{"internal", "tools", "approvals", "mdecore"}, "benchmarks measure the whole house"},
		{"internal/attacks", []string{"internal", "tools", "approvals", "mdecore"}, "attacks are made on the whole house"},
		{"internal/chaos", []string{"internal", "tools", "approvals", "mdecore"}, "crash tests drive the whole house"},

		{"internal/gen", []string{"tools", "internal/opdoc", "mdecore"}, "generators read declarations"},
		{"internal/simtenant", []string{"mdecore/mdesim"}, "it only starts the simulated tenant"},
		{"internal/opdoc", nil, "it reads comments"},
		{"internal/leaks", nil, "it judges texts and knows none of their writers"},
		{"cmd", []string{"internal/cli"}, "main is a line"},
	}
}

func TestImports(t *testing.T) {
	t.Parallel()
	pkgs, _ := tree(t)
	for _, dir := range sortedDirs(pkgs) {
		r, found := ruleFor(dir)
		if !found {
			t.Errorf("package %s has no import rule: say in rules() what it may import, and why", dir)
			continue
		}
		for _, imp := range pkgs[dir].imports {
			if !below(imp, r.may...) {
				t.Errorf("%s imports %s, but %s", dir, imp, r.because)
			}
		}
	}
}

func ruleFor(dir string) (rule, bool) {
	for _, r := range rules() {
		if below(dir, r.dir) {
			return r, true
		}
	}
	return rule{}, false
}

// Votes are made in one package. Only the face that authenticates people may reach it.
func TestOnlySlackReachesTheBallot(t *testing.T) {
	t.Parallel()
	pkgs, _ := tree(t)
	require.Contains(t, pkgs, "approvals/ballot")
	for _, dir := range sortedDirs(pkgs) {
		for _, imp := range pkgs[dir].imports {
			if imp == "approvals/ballot" && !below(dir, "internal/slackbot", "internal/app/slackapp", "approvals/internal/lab") {
				t.Errorf("%s imports approvals/ballot: only the Slack face may take votes", dir)
			}
		}
	}
	for _, dir := range []string{"internal/mcpserver", "internal/app/mcpapp", "tools", "internal/app"} {
		require.Contains(t, pkgs, dir)
		reached := reach(pkgs, dir)
		for _, forbidden := range []string{"approvals/ballot", "internal/slackbot", "internal/app/slackapp"} {
			require.False(t, reached[forbidden], "%s reaches %s: an assistant's process would have a way to approve", dir, forbidden)
		}
	}
}

// The drivers of buckets cost time at the start, so that only the program that writes evidence imports them.
func TestOnlyTheWorkersProgramReachesTheDriversOfBuckets(t *testing.T) {
	t.Parallel()
	pkgs, _ := tree(t)
	for _, dir := range sortedDirs(pkgs) {
		if below(dir, "internal/evidence/azure", "internal/cli/slackcmd", "cmd/mde-slackbot", "tools/toolstest", "internal/bench") {
			continue
		}
		reached := reach(pkgs, dir)
		for _, driver := range []string{"internal/evidence/blobs", "internal/evidence/azure"} {
			require.Contains(t, pkgs, driver)
			require.False(t, reached[driver], "%s reaches %s: hand in app.Buckets from internal/cli/slackcmd", dir, driver)
		}
	}
}

// A client waits for the start of mde-mcp. What these packages initialise would be a third of it.
func TestTheServersBinaryHasNoCloudDrivers(t *testing.T) {
	t.Parallel()
	packages := func(cmd string) (reached []string) {
		list := exec.CommandContext(t.Context(), "go", "list", "-deps", "./cmd/"+cmd)
		list.Dir = moduleRoot(t)
		out, err := list.Output()
		require.NoError(t, err)
		for _, name := range strings.Fields(string(out)) {
			if below(name, "gocloud.dev", "google.golang.org/grpc", "google.golang.org/api", "cloud.google.com/go") {
				reached = append(reached, name)
			}
		}
		return reached
	}
	require.NotEmpty(t, packages("mde-slackbot"), "the worker writes with gocloud.dev; if it doesn't any more, this test looks for the wrong names")
	require.Empty(t, packages("mde-mcp"))
}

// In mde-mcp only the demo, which starts a whole simulated house, may reach the bot.
func TestOnlyTheDemoBringsTheBotIntoTheServersBinary(t *testing.T) {
	t.Parallel()
	pkgs, _ := tree(t)
	for _, imp := range pkgs["internal/cli/mcpcmd"].imports {
		if imp == "internal/demo" {
			continue
		}
		reached := reach(pkgs, imp)
		require.False(t, reached["approvals/ballot"] || imp == "approvals/ballot", "mde-mcp reaches the ballot through %s", imp)
	}
}

// What writes to a tenant is made in one place: the worker's.
func TestOnlyTheWorkerIsGivenAPerformer(t *testing.T) {
	t.Parallel()
	pkgs, fset := tree(t)
	for _, dir := range sortedDirs(pkgs) {
		if below(dir, "internal/app/slackapp", "tools") {
			continue
		}
		for _, f := range pkgs[dir].files {
			ast.Inspect(f, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok && (sel.Sel.Name == "NewPerformer" || sel.Sel.Name == "PerformerOptions") {
					t.Errorf("%s: only internal/app/slackapp makes a performer, because it writes to the tenant", fset.Position(n.Pos()))
				}
				return true
			})
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	t.Parallel()
	pkgs, _ := tree(t)
	for _, dir := range sortedDirs(pkgs) {
		said := false
		for _, f := range pkgs[dir].files {
			said = said || (f.Doc != nil && len(strings.Fields(f.Doc.Text())) > 5)
		}
		if !said {
			t.Errorf("package %s has no package comment", dir)
		}
	}
}

func TestNoInitFunctions(t *testing.T) {
	t.Parallel()
	pkgs, fset := tree(t)
	for _, dir := range sortedDirs(pkgs) {
		for _, f := range pkgs[dir].files {
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					t.Errorf("%s: init() hides when things happen; pass values instead", fset.Position(fn.Pos()))
				}
			}
		}
	}
}

// A package variable that can change is state that no test controls. Sentinel errors, compiled patterns and embedded
// files never change.
func TestNoMutablePackageVariables(t *testing.T) {
	t.Parallel()
	pkgs, fset := tree(t)
	for _, dir := range sortedDirs(pkgs) {
		for name, f := range pkgs[dir].files {
			if dir == "internal/failpoint" && name == "on.go" {
				continue // only in builds for crash tests, where it counts the times a point was met
			}
			for _, d := range f.Decls {
				gen, ok := d.(*ast.GenDecl)
				if !ok || gen.Tok != token.VAR {
					continue
				}
				for _, s := range gen.Specs {
					spec := s.(*ast.ValueSpec)
					if !immutable(gen, spec) {
						t.Errorf("%s: package variable %s can change; make it a function or a field", fset.Position(spec.Pos()), spec.Names[0].Name)
					}
				}
			}
		}
	}
}

func immutable(gen *ast.GenDecl, spec *ast.ValueSpec) bool {
	if spec.Names[0].Name == "_" {
		return true // an interface check
	}
	for _, doc := range []*ast.CommentGroup{gen.Doc, spec.Doc} {
		if doc == nil {
			continue
		}
		for _, c := range doc.List {
			if strings.HasPrefix(c.Text, "//go:embed") {
				return true
			}
		}
	}
	if len(spec.Values) != 1 {
		return false
	}
	call, ok := spec.Values[0].(*ast.CallExpr)
	if !ok {
		return false
	}
	fn, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	from, ok := fn.X.(*ast.Ident)
	if !ok {
		return false
	}
	switch path.Join(from.Name, fn.Sel.Name) {
	case "errors/New", "regexp/MustCompile", "strings/NewReplacer", "fmt/Errorf", "sync/OnceValue", "sync/OnceValues":
		return true
	}
	return false
}
