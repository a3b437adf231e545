//go:build failpoints

package failpoint

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestKillsAtTheNthHit runs itself as a child that must be killed by its second hit and not by its first.
func TestKillsAtTheNthHit(t *testing.T) {
	if os.Getenv("MDE_FAILPOINT") != "" {
		Hit(BetweenSteps)
		Hit(DuringFollow)
		_, _ = os.Stdout.WriteString("first hit passed\n")
		Hit(BetweenSteps)
		os.Exit(0)
	}
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestKillsAtTheNthHit$")
	cmd.Env = append(os.Environ(), "MDE_FAILPOINT="+BetweenSteps+":2")
	out, err := cmd.Output()
	var exit *exec.ExitError
	require.True(t, errors.As(err, &exit))
	status, ok := exit.Sys().(syscall.WaitStatus)
	require.True(t, ok)
	require.True(t, status.Signaled())
	require.Equal(t, syscall.SIGKILL, status.Signal())
	require.Contains(t, string(out), "first hit passed")
}
