package interop

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/tools"
)

// nodeEnv names a folder with package.json's packages installed, and node in PATH.
const nodeEnv = "MDE_TEST_NODE"

func packages(t *testing.T) string {
	t.Helper()
	dir := os.Getenv(nodeEnv)
	if dir == "" {
		t.Skipf("no Node packages (%s): `make clients` installs them and runs this", nodeEnv)
	}
	return filepath.Join(dir, "node_modules")
}

// program builds a command of the project.
func program(t *testing.T, pkg string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), filepath.Base(pkg))
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", out, "github.com/mde-ops/mde-ops/"+pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, string(text))
	return out
}

// sim is a configuration of mde-mcp on a simulated tenant.
func sim(t *testing.T) []string {
	t.Helper()
	return []string{
		"HOME=" + t.TempDir(), "MDE_USER=alice@contoso.com", "MDE_STORE=sqlite:" + filepath.Join(t.TempDir(), "gate.db"),
		"MDE_APPROVER_GROUP=S0ONCALL", "MDE_LOG_LEVEL=ERROR",
	}
}

// served starts a server that prints its address first, and returns that.
func served(t *testing.T, environ []string, path string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), path, args...) // a test's context ends before its clean-up, which would kill it
	cmd.Env, cmd.Stderr = append(os.Environ(), environ...), os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		kill := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		_ = cmd.Process.Signal(os.Interrupt)
		require.NoError(t, cmd.Wait(), "a server that is interrupted ends well")
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if url := regexp.MustCompile(`http://[0-9.:]+/mcp`).FindString(lines.Text()); url != "" {
			go func() {
				for lines.Scan() { // so that it can go on writing
				}
			}()
			return url
		}
	}
	t.Fatal(path, "said no address")
	return ""
}

// check is one finding of the conformance suite.
type check struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	Why    string `json:"errorMessage"`
}

// suite runs the scenarios that a revision of the protocol requires. It returns the findings by scenario, and the scenarios
// that don't count.
func suite(t *testing.T, url, revision string) (found map[string][]check, unscored []string) {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join(packages(t), "@modelcontextprotocol/conformance/dist/index.js"),
		"server", "--url", url, "--requirements", revision, "-o", dir)
	text, _ := cmd.CombinedOutput() // fails when a scenario does; the findings say more
	_, summary, ok := strings.Cut(string(text), "=== SUMMARY ===")
	require.True(t, ok, "the suite did not run to its end: %s", text[:min(len(text), 2000)])
	_, after, _ := strings.Cut(summary, "Not scored")
	for _, m := range regexp.MustCompile(`(?m)^  [✓✗] (\S+) `).FindAllStringSubmatch(after, -1) {
		unscored = append(unscored, m[1])
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "checks.json"))
	require.NoError(t, err)
	require.Contains(t, string(text), fmt.Sprintf("Running requirements %s (%d scenarios)", revision, len(files)), "every scenario has to leave its findings")
	found = map[string][]check{}
	scenario := regexp.MustCompile(`^server-(.+)-\d{4}-\d\d-\d\dT[0-9-]+Z$`)
	for _, file := range files {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		var all []check
		require.NoError(t, json.Unmarshal(b, &all))
		m := scenario.FindStringSubmatch(filepath.Base(filepath.Dir(file)))
		require.NotNil(t, m, file)
		found[m[1]] = append(found[m[1]], all...)
	}
	return found, unscored
}

// expected reads a baseline: a line "scenario/check reason" for each finding that may fail, and why.
func expected(t *testing.T, name string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("baseline", name))
	require.NoError(t, err)
	out := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		what, why, _ := strings.Cut(line, " ")
		require.NotEmpty(t, strings.TrimSpace(why), "%s: %s needs a reason", name, what)
		out[what] = why
	}
	return out
}

// TestConformance plays the suite against the fixture, which has the tools that its scenarios name, behind our HTTP server.
// Every finding of a scored scenario has to be good, but for those in the baseline, which have to fail: what is mended is
// taken out.
func TestConformance(t *testing.T) {
	packages(t)
	url := served(t, nil, program(t, "internal/interop/fixture"))
	for revision, least := range map[string]int{"2025-11-25": 65, "2026-07-28": 110} {
		t.Run(revision, func(t *testing.T) {
			found, unscored := suite(t, url, revision)
			may, good := expected(t, revision+".txt"), 0
			for scenario, checks := range found {
				if slices.Contains(unscored, scenario) {
					continue
				}
				for _, c := range checks {
					what := scenario + "/" + c.ID
					_, known := may[what]
					switch c.Status {
					case "SUCCESS":
						good++
						require.False(t, known, "%s is good now: take it out of the baseline", what)
					case "INFO":
					default: // FAILURE; what was skipped or warned of was not good either
						require.True(t, known, "%s: %s: %s", what, c.Status, c.Why)
						delete(may, what)
					}
				}
			}
			require.Empty(t, may, "the baseline names what the suite does not check any more")
			require.GreaterOrEqual(t, good, least, "the suite looked at less than it used to")
			t.Logf("conformance %s: %d scenarios, %d checks good", revision, len(found), good)
		})
	}
}

// generic are the scenarios that need no tool of the suite's own: mde-mcp itself has to pass them.
var generic = map[string][]string{
	"2025-11-25": {"server-initialize", "ping", "tools-list", "resources-list", "prompts-list", "server-sse-multiple-streams", "dns-rebinding-protection", "server-session-lifecycle"},
	"2026-07-28": {
		"server-stateless", "tools-list", "resources-list", "prompts-list", "caching", "dns-rebinding-protection", "http-header-validation", "input-required-result-unsupported-methods",
	},
}

// TestConformanceOfTheProgram plays the scenarios that need no fixture against mde-mcp.
func TestConformanceOfTheProgram(t *testing.T) {
	packages(t)
	url := served(t, sim(t), program(t, "cmd/mde-mcp"), "serve", "--tenant", "sim", "--http", "127.0.0.1:0")
	for revision, scenarios := range generic {
		t.Run(revision, func(t *testing.T) {
			found, _ := suite(t, url, revision)
			for _, scenario := range scenarios {
				good := 0
				for _, c := range found[scenario] {
					switch {
					case c.Status == "SUCCESS" && c.ID != "wire-schema-valid":
						good++
					case c.Status == "FAILURE" && !strings.HasPrefix(c.Why, "Not testable"), c.Status == "WARNING":
						t.Errorf("%s/%s: %s", scenario, c.ID, c.Why)
					}
				}
				require.Positive(t, good, "%s: nothing was checked", scenario)
			}
			t.Logf("mde-mcp, %s: %d scenarios good", revision, len(scenarios))
		})
	}
}

// TestInspector lets the Inspector look at the schemas of every tool, by both transports and in both eras: it may find no error
// and no warning. Then it calls a tool.
func TestInspector(t *testing.T) {
	inspector := filepath.Join(packages(t), ".bin", "mcp-inspector")
	mcp := program(t, "cmd/mde-mcp")
	all, err := tools.Catalogue()
	require.NoError(t, err)
	var names []string
	for _, tool := range all {
		names = append(names, tool.Name)
	}
	every := strings.Join(names, ",") // those that are off by default as well
	url := served(t, sim(t), mcp, "serve", "--tenant", "sim", "--tools", every, "--http", "127.0.0.1:0")
	stdio := []string{"--", mcp, "--tenant", "sim", "--tools", every}
	for _, pair := range sim(t) {
		stdio = slices.Insert(stdio, 0, "-e", pair)
	}
	for name, way := range map[string][]string{
		"http/legacy":  {"--protocol-era", "legacy", "--transport", "http", "--server-url", url},
		"http/modern":  {"--protocol-era", "modern", "--transport", "http", "--server-url", url},
		"stdio/legacy": append([]string{"--protocol-era", "legacy"}, stdio...),
		"stdio/modern": append([]string{"--protocol-era", "modern"}, stdio...),
	} {
		t.Run(name, func(t *testing.T) {
			out, said := inspect(t, inspector, []string{"--method", "tools/list", "--strict"}, way)
			require.Empty(t, said, "the Inspector found something")
			require.Equal(t, len(all), strings.Count(out, `"inputSchema"`), "every tool is looked at")
			out, _ = inspect(t, inspector, []string{"--method", "tools/call", "--tool-name", "get_device", "--tool-arg", "device=host01"}, way)
			require.Contains(t, out, "host01.contoso.com")
		})
	}
}

// inspect runs the Inspector's CLI, which has to end with exit code 0.
func inspect(t *testing.T, inspector string, what, way []string) (out, said string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", append(append([]string{inspector, "--cli", "--format", "json"}, what...), way...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Run(), "%s", stderr.String())
	return stdout.String(), strings.TrimSpace(stderr.String())
}
