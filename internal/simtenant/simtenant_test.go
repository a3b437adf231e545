package simtenant_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/simtenant"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func TestStartServesAndCloseLeavesNothing(t *testing.T) {
	t.Parallel()
	r, err := simtenant.Start(&mdesim.Tenant{}, "")
	require.NoError(t, err)
	t.Cleanup(r.Close)
	require.FileExists(t, r.CAFile)
	require.True(t, strings.HasPrefix(r.Server.URL, "https://127.0.0.1:"))
	require.Contains(t, r.Environ(), "MDE_BASE_URL="+r.Server.URL)
	for _, line := range r.Environ() {
		require.NotContains(t, line, "MDE_WRITE_", "who reads is not given what writes")
	}
	require.Contains(t, r.WriteEnviron(), "MDE_WRITE_CLIENT_ID="+mdesim.DefaultAppID)
	r.Close()
	require.NoFileExists(t, r.CAFile)
	_, err = os.Stat(r.CAFile)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestStartRefusesTheNetwork(t *testing.T) {
	t.Parallel()
	for _, listen := range []string{"0.0.0.0:0", "192.0.2.1:8443", "example.com:1", "nonsense"} {
		_, err := simtenant.Start(&mdesim.Tenant{}, listen)
		require.ErrorContains(t, err, listen)
	}
}

// words is a writer that tells what was written.
type words chan string

func (w words) Write(p []byte) (int, error) {
	w <- string(p)
	return len(p), nil
}

func TestServeSaysFirstThatItIsSimulated(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	out, ended := make(words, 100), make(chan error, 1)
	o := simtenant.Defaults()
	o.Devices = 3
	go func() { ended <- simtenant.Serve(ctx, o, out) }()
	first, _, _ := strings.Cut(<-out, "\n")
	require.Equal(t, simtenant.Notice, first)
	require.Equal(t, "\n# for mde-mcp and mde-slackbot\n", <-out)
	require.Contains(t, <-out, "export MDE_TENANT_ID=")
	for range 7 {
		require.NotContains(t, <-out, "MDE_WRITE_")
	}
	require.Contains(t, <-out, "for mde-slackbot only")
	require.Contains(t, <-out, "export MDE_WRITE_CLIENT_ID=")
	<-out
	require.Contains(t, <-out, "whose callers sign in")
	require.Contains(t, <-out, "export MDE_HTTP_AUDIENCE=api://")
	require.Contains(t, <-out, "claude mcp add")
	stop()
	require.NoError(t, <-ended)
	for _, bad := range []simtenant.Options{{Devices: -1}, {Devices: simtenant.MaxDevices + 1}, {PageSize: 0}, {PageSize: 20000}, {PageSize: 1, Listen: "0.0.0.0:0"}} {
		require.Error(t, simtenant.Serve(ctx, bad, out))
	}
}
