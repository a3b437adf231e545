package approvals_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	// livesProcessesEnv is how many processes share the lives, with a processor each. Within one process SQLite's allocator
	// makes them wait for one another.
	livesProcessesEnv = "MDE_TEST_LIVES_PROCESSES"
	// livesCountedEnv is the file in which such a process writes what it reached.
	livesCountedEnv = "MDE_TEST_LIVES_COUNTED"
)

// livesInProcesses has this test run by processes of their own, a share of the lives each, and adds up what they reached.
func livesInProcesses(t *testing.T, lives, processes int, seen *counters) {
	t.Helper()
	require.Positive(t, processes, livesProcessesEnv)
	program, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	var all sync.WaitGroup
	for i := range processes {
		share := lives/processes + min(1, max(0, lives%processes-i))
		counted := filepath.Join(dir, strconv.Itoa(i)+".json")
		cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestRandomLives$", "-test.parallel=1")
		cmd.Env = append(os.Environ(), "GOMAXPROCS=1", livesProcessesEnv+"=", livesCountedEnv+"="+counted, livesEnv+"="+strconv.Itoa(share))
		all.Go(func() {
			out, err := cmd.CombinedOutput()
			if assert.NoError(t, err, string(out[max(0, len(out)-20_000):])) {
				assert.NoError(t, seen.read(counted))
			}
		})
	}
	all.Wait()
	require.False(t, t.Failed())
	require.Equal(t, lives, seen.reached["lives"], "all of them were lived")
}

func (c *counters) write(t *testing.T, file string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	raw, err := json.Marshal(c.reached)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, raw, 0o600))
}

func (c *counters) read(file string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var reached map[string]int
	if err := json.Unmarshal(raw, &reached); err != nil {
		return err
	}
	c.add(reached)
	return nil
}
