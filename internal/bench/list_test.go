package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// lists is how often the list of tools is asked for in one life of a process.
const lists = 20

// BenchmarkList measures how long the answer to tools/list takes over stdio and what memory the process has afterwards, with
// its store open, for a bare mcp-go server and for mde-mcp, by turns. It reports medians.
func BenchmarkList(b *testing.B) {
	dir := b.TempDir()
	bare, ours := filepath.Join(dir, "bare"), filepath.Join(dir, "mde-mcp")
	build(b, bare, "./internal/bench/bare")
	build(b, ours, "./cmd/mde-mcp")
	var floor, mine []time.Duration
	var floorKB, mineKB []int
	for b.Loop() {
		took, kb := listed(b, bare, nil)
		floor, floorKB = append(floor, took...), append(floorKB, kb)
		took, kb = listed(b, ours, unreachable(dir))
		mine, mineKB = append(mine, took...), append(mineKB, kb)
	}
	b.ReportMetric(float64(median(floor).Microseconds())/1000, "bare-list-ms")
	b.ReportMetric(float64(median(mine).Microseconds())/1000, "list-ms")
	b.ReportMetric(float64(median(floorKB))/1024, "bare-RSS-MB")
	b.ReportMetric(float64(median(mineKB))/1024, "RSS-MB")
	b.ReportMetric(0, "ns/op")
}

// listed starts a server, asks it for its tools again and again, and returns how long each answer took and the memory
// that the process has a second after the start.
func listed(b *testing.B, path string, environ []string) (took []time.Duration, kb int) {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path)
	cmd.Env, cmd.Stderr = environ, os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(b, err)
	out, err := cmd.StdoutPipe()
	require.NoError(b, err)
	began := time.Now()
	require.NoError(b, cmd.Start())
	answers := bufio.NewReader(out)
	said(b, in, answers, initialize)
	_, err = io.WriteString(in, `{"jsonrpc":"2.0","method":"notifications/initialized"}`+"\n")
	require.NoError(b, err)
	for i := range lists {
		asked := time.Now()
		line := said(b, in, answers, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/list"}`+"\n", i+2))
		took = append(took, time.Since(asked))
		require.Contains(b, line, `"inputSchema"`)
	}
	time.Sleep(time.Until(began.Add(time.Second)))
	kb = resident(b, cmd.Process.Pid)
	require.NoError(b, in.Close())
	_ = cmd.Wait()
	return took, kb
}

// said sends a message and returns the answer.
func said(b *testing.B, in io.Writer, answers *bufio.Reader, message string) string {
	b.Helper()
	_, err := io.WriteString(in, message)
	require.NoError(b, err)
	line, err := answers.ReadString('\n')
	require.NoError(b, err)
	return line
}
