package bench

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}` + "\n"

// BenchmarkStart measures from starting the process to the answer of initialize, for a bare mcp-go server and for
// mde-mcp, by turns. It reports both medians and their ratio.
func BenchmarkStart(b *testing.B) {
	dir := b.TempDir()
	bare, ours := filepath.Join(dir, "bare"), filepath.Join(dir, "mde-mcp")
	build(b, bare, "./internal/bench/bare")
	build(b, ours, "./cmd/mde-mcp")
	environ := unreachable(dir)
	start(b, ours, environ) // the first start makes the store
	var floor, mine []time.Duration
	for b.Loop() {
		floor = append(floor, start(b, bare, nil))
		mine = append(mine, start(b, ours, environ))
	}
	b.ReportMetric(float64(median(floor).Microseconds())/1000, "bare-ms")
	b.ReportMetric(float64(median(mine).Microseconds())/1000, "mde-mcp-ms")
	b.ReportMetric(float64(median(mine))/float64(median(floor)), "ratio")
	b.ReportMetric(0, "ns/op")
}

// unreachable configures mde-mcp with a tenant that it can't reach, and with its store in dir.
func unreachable(dir string) []string {
	return []string{
		"HOME=" + dir, "MDE_TENANT_ID=" + mdesim.DefaultTenantID, "MDE_BASE_URL=https://127.0.0.1:1", "MDE_AUTHORITY=https://127.0.0.1:1",
		"MDE_CLIENT_ID=" + mdesim.DefaultReaderID, "MDE_CLIENT_SECRET=bench", "MDE_USER=bench@contoso.com",
		"MDE_STORE=sqlite:" + filepath.Join(dir, "gate.db"), "MDE_LOG_LEVEL=ERROR",
	}
}

func build(b *testing.B, out, pkg string) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, pkg)
	cmd.Dir = moduleRoot(b)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	text, err := cmd.CombinedOutput()
	require.NoError(b, err, string(text))
}

// start runs a server until it has answered initialize, and returns how long that took.
func start(b *testing.B, path string, environ []string) time.Duration {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path)
	cmd.Env = environ
	in, err := cmd.StdinPipe()
	require.NoError(b, err)
	out, err := cmd.StdoutPipe()
	require.NoError(b, err)
	began := time.Now()
	require.NoError(b, cmd.Start())
	_, err = fmt.Fprint(in, initialize)
	require.NoError(b, err)
	line, err := bufio.NewReader(out).ReadString('\n')
	took := time.Since(began)
	require.NoError(b, err)
	require.Contains(b, line, "serverInfo")
	require.NoError(b, in.Close())
	_ = cmd.Wait()
	return took
}

func median[N cmp.Ordered](of []N) N {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}

func moduleRoot(b *testing.B) string {
	b.Helper()
	dir, err := os.Getwd()
	require.NoError(b, err)
	return filepath.Join(dir, "..", "..")
}
