package cli_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/cli"
	"github.com/mde-ops/mde-ops/internal/cli/mcpcmd"
)

func TestExitCodes(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name string
		ctx  context.Context
		err  error
		want int
	}{
		{"success", t.Context(), nil, cli.ExitOK},
		{"asked to end", ended, fmt.Errorf("serving: %w", context.Canceled), cli.ExitOK},
		{"cancelled by something else", t.Context(), context.Canceled, cli.ExitRuntime},
		{"a fault while ending", ended, errors.New("disk full"), cli.ExitRuntime},
		{"out of time", ended, context.DeadlineExceeded, cli.ExitRuntime},
		{"a fault", t.Context(), errors.New("disk full"), cli.ExitRuntime},
		{"a wrong argument", t.Context(), fmt.Errorf("call: %w", cli.Usagef("no %q", "x")), cli.ExitArgument},
		{"a wrong argument, wrapped", t.Context(), cli.Usage(errors.New("x")), cli.ExitArgument},
		{"no usage error", t.Context(), cli.Usage(nil), cli.ExitOK},
	} {
		require.Equal(t, c.want, cli.ExitCode(c.ctx, c.err), c.name)
	}
}

// A command sees nothing of the process but what its Env says, so that tests and other programs can run it.
func TestACommandUsesItsEnvOnly(t *testing.T) {
	t.Setenv("MDE_TENANT_ID", "from the process")
	var out, errs bytes.Buffer
	env := cli.Env{Args: []string{"--check-config"}, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs}
	require.ErrorContains(t, mcpcmd.Run(t.Context(), env), "MDE_TENANT_ID is not set")
	require.Empty(t, out.String()+errs.String())
}
