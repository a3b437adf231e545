// Package npm runs, for tests, what other people wrote in JavaScript: the packages that internal/interop/package.json pins.
// `make clients` installs them; without them a test that asks for one is skipped and says so.
package npm

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Env names the folder in which the packages are installed. node must be in PATH.
const Env = "MDE_TEST_NODE"

// Folder is where the packages are installed; without it the test is skipped.
func Folder(t testing.TB) string {
	t.Helper()
	dir := os.Getenv(Env)
	if dir == "" {
		t.Skipf("no Node packages (%s): `make clients` installs them and runs this", Env)
	}
	return dir
}

// Guest is a program of internal/interop/node that does what it is told, one line of JSON at a time, and answers with one.
type Guest struct {
	in     io.Writer
	out    *bufio.Reader
	stderr *bytes.Buffer
}

// Start starts a program, which ends with the test.
func Start(t testing.TB, script string) *Guest {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join(Folder(t), "node", script))
	g := &Guest{stderr: new(bytes.Buffer)}
	cmd.Stderr = g.stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start(), "is node in PATH?")
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s said on stderr: %s", script, g.stderr)
		}
	})
	g.in, g.out = in, bufio.NewReader(out)
	return g
}

// Ask gives an order and reads the answer into out. What the program could not do fails the test.
func (g *Guest) Ask(t testing.TB, order map[string]any, out any) {
	t.Helper()
	if failed := g.Try(t, order, out); failed != "" {
		t.Fatalf("%v: %s", order["do"], failed)
	}
}

// Try is Ask for what may fail: it returns why it did, empty when it did not.
func (g *Guest) Try(t testing.TB, order map[string]any, out any) string {
	t.Helper()
	line, err := json.Marshal(order)
	require.NoError(t, err)
	_, err = g.in.Write(append(line, '\n'))
	require.NoError(t, err)
	line, err = g.out.ReadBytes('\n')
	require.NoError(t, err, "it gave no answer to %v", order["do"])
	var answer struct {
		Failed string          `json:"failed"`
		Result json.RawMessage `json:"result"`
	}
	require.NoError(t, json.Unmarshal(line, &answer), string(line))
	if answer.Failed == "" && out != nil {
		require.NoError(t, json.Unmarshal(answer.Result, out), string(line))
	}
	return answer.Failed
}

// TypeCheck has the TypeScript compiler look at a source, as strictly as it can, and returns its findings, one a line.
// Slack's packages can be imported in it.
func TypeCheck(t testing.TB, source string) []string {
	t.Helper()
	modules, dir := filepath.Join(Folder(t), "node_modules"), t.TempDir()
	config, err := json.Marshal(map[string]any{
		"compilerOptions": map[string]any{
			"strict": true, "exactOptionalPropertyTypes": true, "skipLibCheck": true, "noEmit": true, "target": "es2022", "module": "nodenext", "types": []string{},
			"paths": map[string][]string{"@slack/*": {filepath.Join(modules, "@slack", "*")}},
		},
		"files": []string{"source.ts"},
	})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tsconfig.json"), config, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "source.ts"), []byte(source), 0o600))
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join(modules, "typescript", "bin", "tsc"), "--pretty", "false", "-p", dir)
	cmd.Dir = dir
	said, err := cmd.Output()
	if err == nil {
		return nil
	}
	found := strings.Split(strings.TrimSpace(string(said)), "\n")
	require.Contains(t, found[0], "source.ts(", "the compiler did not get to the source: %s %v", said, err)
	return found
}
