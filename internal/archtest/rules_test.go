package archtest

import (
	"go/ast"
	"go/token"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// rule says which packages of ours a package may import. A name that ends in "/..." stands for a folder and all below it, any
// other for that one package.
type rule struct {
	dir     string
	may     []string
	because string
}

// rules are read from the top: the first that names the package decides.
func rules() []rule {
	return slices.Concat(gateRules(), libraryRules(), faceRules(), []rule{
		{"internal/archtest", nil, "rules only"},
		{"internal/bench/...", everything(), "benchmarks measure the whole house"},
		{"internal/attacks", everything(), "attacks are made on the whole house"},
		{"internal/chaos", everything(), "crash tests drive the whole house"},
		{"internal/demo", everything(), "a demo drives the whole house"},
		{"internal/interop", nil, "other people's suites see programs, not packages"},
		{"internal/interop/npm", nil, "it starts programs and knows nothing of what they are told"},
		{"internal/interop/fixture", everything(), "what a suite is run against is the whole server"},
		{"internal/bundle", []string{"tools"}, "it packs what is built and lists what is offered"},
		{"internal/gen", []string{"internal/slackbot/manifest", "tools", "internal/opdoc", "mdecore/operations", "mdecore/mdesim"}, "generators read declarations"},
	})
}

func everything() []string {
	return []string{"internal/...", "tools/...", "approvals/...", "mdecore/...", "nexus/..."}
}

// gateRules keep the layers of the gate: words and rules, then the store, then what may be done, each without what is above.
func gateRules() []rule {
	return []rule{
		{"approvals", nil, "the gate must be judged without knowing any tool, tenant, face or database"},
		{"approvals/policy", []string{"approvals", "internal/nearest"}, "policy asks nobody: counts and facts are given to it"},
		{"approvals/store", []string{"approvals"}, "the store keeps what it is given and decides nothing"},
		{"approvals/store/storetest", []string{"approvals", "approvals/store"}, "the suite of the stores is about stores"},
		{"approvals/internal/change", []string{"approvals", "approvals/store"}, "a transition is made without knowing who may make it"},
		{"approvals/internal/lab", []string{"approvals/..."}, "the laboratory is the whole gate, for its tests"},
		{"approvals/control", []string{"approvals", "approvals/internal/change", "approvals/store", "internal/failpoint"}, "what only stops things needs nothing that could start them"},
		{"approvals/gate", []string{"approvals", "approvals/control", "approvals/internal/change", "approvals/store", "internal/failpoint"}, "what every face has can't approve, and nothing it imports can"},
		{"approvals/ballot", []string{"approvals", "approvals/control", "approvals/internal/change", "approvals/store", "internal/failpoint"}, "who takes votes sends nothing"},
		{"approvals/worker", []string{"approvals", "approvals/control", "approvals/gate", "approvals/internal/change", "approvals/store", "internal/failpoint"}, "who sends can't vote"},
		{"approvals/audit", []string{"approvals", "approvals/store", "internal/failpoint"}, "it keeps the audit honest from outside its database"},
	}
}

func libraryRules() []rule {
	return []rule{
		{"mdecore", []string{"internal/azpipe", "internal/download", "internal/nearest", "mdecore/operations"}, "the client is a library in its own right"},
		{"internal/simulate", nil, "it knows what all simulated services share, and none of them"},
		{"mdecore/mdesim/...", []string{"mdecore/mdesim/...", "internal/simulate"}, "the simulated tenant is written from the documentation, so that it can't share the client's mistakes"},
		{"mdecore/operations", nil, "the table of operations is data"},
		{"nexus", []string{"internal/azpipe", "internal/download", "internal/nearest"}, "the client is a library in its own right"},
		{"nexus/report", nil, "it reads bytes, wherever they come from"},
		{"nexus/nexussim", []string{"internal/simulate"}, "the simulated clusters are written from the documentation, so that they can't share the client's mistakes"},
		{"internal/download", []string{"internal/azpipe"}, "a download knows links and bytes, not what they mean"},
		{"internal/azpipe", nil, "the pipeline knows nothing of what is sent through it"},
		{"internal/entra", []string{"internal/azpipe", "approvals"}, "it answers who holds a role and knows no face and no tool"},
		{"internal/evidence", nil, "it keeps what it is given and knows nothing of tools, tenant or gate"},
		{"internal/evidence/blobs", []string{"internal/evidence"}, "it opens buckets for the store of evidence"},
		{"internal/evidence/azure", []string{"internal/evidence", "internal/evidence/blobs", "internal/evidence/container"}, "it opens containers for the store of evidence"},
		{"internal/evidence/reading", []string{"internal/evidence", "internal/evidence/container"}, "it reads what the store keeps, and has no driver that writes"},
		{"internal/evidence/container", nil, "it makes clients for whoever reads or writes with them"},
		{"internal/oauth", nil, "it judges tokens and knows neither tools nor faces nor requests"},
		{"internal/headstart", nil, "it is initialised before what it helps"},
		{"internal/nearest", nil, "it compares words and knows nothing of what they mean"},
		{"internal/failpoint", nil, "a named point to die at knows nothing of its surroundings"},
		{"internal/telemetry", nil, "it measures what it is told of and knows nothing of what that is"},
		{"internal/telemetry/telemetrytest", nil, "it reads what was sent as its receiver would, not as its sender"},
		{"internal/simtenant", []string{"mdecore/mdesim", "nexus/nexussim"}, "it only starts the simulated tenant"},
		{"internal/opdoc", nil, "it reads comments"},
		{"internal/leaks", nil, "it judges texts and knows none of their writers"},
	}
}

func faceRules() []rule {
	gate := []string{"approvals", "approvals/control", "approvals/gate", "approvals/store"}
	return []rule{
		{"tools", append([]string{"mdecore", "nexus", "nexus/report", "approvals/worker", "internal/evidence", "internal/nearest", "tools/kql"}, gate...), "a tool plans with the client and acts through the gate"},
		{"tools/kql", nil, "it writes queries as text and asks nobody"},
		{"tools/toolstest", []string{"mdecore/...", "nexus/...", "approvals/...", "internal/evidence/..."}, "it builds what tools need around them, for tests"},
		{"internal/slackbot", append([]string{"tools", "approvals/ballot", "internal/nearest", "internal/slackbot/blockkit", "internal/slackbot/cards", "internal/slackbot/intake", "internal/slackbot/forms", "internal/slackbot/home", "internal/slackbot/sightings", "internal/slackbot/manifest"}, gate...), "an adapter shows tools and takes votes; it never calls the tenant"},
		{"internal/slackbot/blockkit", nil, "how untrusted text is shown safely knows nothing of what is shown"},
		{"internal/slackbot/cards", []string{"approvals", "approvals/store", "internal/slackbot/blockkit"}, "a card is drawn of a request alone, so that any process can draw it again"},
		{"internal/slackbot/forms", []string{"tools", "internal/slackbot/blockkit"}, "a form is drawn of a declaration alone, and calls nothing"},
		{"internal/slackbot/home", []string{"approvals", "internal/slackbot/blockkit", "internal/slackbot/cards"}, "a Home tab is drawn of what was found, and asks nobody"},
		{"internal/slackbot/sightings", nil, "what a text holds is found without asking anybody"},
		{"internal/slackbot/manifest", nil, "what the app must be allowed is declared once, for all who ask"},
		{"internal/slackbot/intake", nil, "what Slack delivers is taken in the same, whatever is done with it"},
		{"internal/slackbot/rotation", []string{"approvals", "approvals/store"}, "it keeps a token fresh, whatever is said with it"},
		{"internal/slackbot/slacksim", nil, "the simulated workspace is written from Slack's documentation"},
		{"internal/mcpserver", []string{"tools", "approvals"}, "an adapter shows tools; it never calls the tenant"},
		{"internal/app", []string{
			"approvals", "approvals/audit", "approvals/gate", "approvals/policy", "approvals/store", "mdecore", "mdecore/mdesim", "nexus", "nexus/nexussim", "tools",
			"internal/azpipe", "internal/evidence", "internal/nearest", "internal/simtenant", "internal/telemetry",
		}, "what both binaries need; neither ballot nor worker is in it"},
		{"internal/app/mcpapp", []string{
			"approvals", "tools", "internal/app", "internal/azpipe", "internal/evidence", "internal/evidence/container",
			"internal/evidence/reading", "internal/mcpserver", "internal/oauth", "internal/telemetry",
		}, "an assistant's process has neither ballot nor worker"},
		{"internal/app/slackapp", []string{
			"approvals", "approvals/audit", "approvals/ballot", "approvals/control", "approvals/worker", "tools",
			"internal/app", "internal/entra", "internal/slackbot", "internal/slackbot/rotation", "internal/telemetry",
		}, "the one place that sees ballot and worker"},
		{"internal/doctor", []string{
			"approvals", "approvals/audit", "approvals/control", "approvals/policy", "approvals/store", "mdecore", "mdecore/operations",
			"nexus", "tools", "internal/app", "internal/azpipe", "internal/entra", "internal/oauth",
		}, "it looks at everything that mde-mcp has, and at nothing that could approve or perform"},
		{"internal/cli/...", []string{"internal/...", "tools", "approvals/..."}, "commands read arguments and call the app"},
		{"cmd/mde-mcp", []string{"internal/cli", "internal/cli/mcpcmd"}, "main is a line"},
		{"cmd/mde-slackbot", []string{"internal/cli", "internal/cli/slackcmd"}, "main is a line"},
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
			if !matches(imp, r.may...) {
				t.Errorf("%s imports %s, but %s", dir, imp, r.because)
			}
		}
	}
}

func ruleFor(dir string) (rule, bool) {
	for _, r := range rules() {
		if matches(dir, r.dir) {
			return r, true
		}
	}
	return rule{}, false
}

// matches reports whether dir is one of the names of a rule.
func matches(dir string, names ...string) bool {
	for _, n := range names {
		if folder, all := strings.CutSuffix(n, "/..."); dir == n || all && below(dir, folder) {
			return true
		}
	}
	return false
}

// What one rule must not let through, because of what the gate promises: a layer of the gate that reaches above itself, and a
// package that nobody made a rule for.
func TestRulesNameOnePackageEach(t *testing.T) {
	t.Parallel()
	for from, to := range map[string]string{
		"approvals": "approvals/store", "approvals/policy": "approvals/store", "approvals/store": "approvals/control",
		"approvals/control": "approvals/gate", "approvals/gate": "approvals/worker", "approvals/ballot": "approvals/worker",
		"approvals/worker": "approvals/ballot", "tools": "approvals/ballot", "internal/mcpserver": "approvals/worker",
		"internal/app": "approvals/worker", "cmd/mde-mcp": "internal/cli/slackcmd",
	} {
		r, found := ruleFor(from)
		require.True(t, found, from)
		require.False(t, matches(to, r.may...), "%s may import %s", from, to)
	}
	_, found := ruleFor("approvals/another")
	require.False(t, found, "a new package of the gate needs a rule of its own")
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
			if below(name, "gocloud.dev", "google.golang.org/grpc", "google.golang.org/api", "cloud.google.com/go",
				"go.opentelemetry.io/otel/exporters", "github.com/prometheus") {
				reached = append(reached, name)
			}
		}
		return reached
	}
	require.NotEmpty(t, packages("mde-slackbot"), "the worker writes with gocloud.dev; if it doesn't any more, this test looks for the wrong names")
	require.Empty(t, packages("mde-mcp"))
}

// Everything else is instrumented from outside, so that what decides and what acts need no collector to be understood or tested.
func TestOnlyTelemetryKnowsOpenTelemetry(t *testing.T) {
	t.Parallel()
	pkgs, fset := tree(t)
	known := 0
	for _, dir := range sortedDirs(pkgs) {
		for _, f := range pkgs[dir].files {
			for _, imp := range f.Imports {
				switch {
				case !strings.HasPrefix(imp.Path.Value, `"go.opentelemetry.io/`):
				case below(dir, "internal/telemetry"):
					known++
				default:
					t.Errorf("%s: only internal/telemetry may import OpenTelemetry", fset.Position(imp.Pos()))
				}
			}
		}
	}
	require.NotZero(t, known)
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

// What is added to the server past its options is run by no dispatcher: that is for the fixture of other people's suites alone.
func TestOnlyTheFixtureExtendsTheServer(t *testing.T) {
	t.Parallel()
	pkgs, fset := tree(t)
	seen := false
	for _, dir := range sortedDirs(pkgs) {
		if !slices.Contains(pkgs[dir].imports, "internal/mcpserver") {
			continue
		}
		for _, f := range pkgs[dir].files {
			ast.Inspect(f, func(n ast.Node) bool {
				set, _ := n.(*ast.KeyValueExpr)
				var name *ast.Ident
				if set != nil {
					name, _ = set.Key.(*ast.Ident)
				} else if sel, ok := n.(*ast.SelectorExpr); ok {
					name = sel.Sel
				}
				switch {
				case name == nil || name.Name != "Extend":
				case dir == "internal/interop/fixture":
					seen = true
				default:
					t.Errorf("%s: only internal/interop/fixture extends the server", fset.Position(n.Pos()))
				}
				return true
			})
		}
	}
	require.True(t, seen, "the fixture doesn't use Extend any more; if nobody does, take it away")
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
