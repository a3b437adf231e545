package simtenant

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// MaxDevices is the largest tenant that the simulator is measured with.
const MaxDevices = 50_000

// Options describe a tenant that is served as a process of its own.
type Options struct {
	// Listen is a loopback address; port 0 is any free one.
	Listen string
	// Devices, PageSize and Seed are the tenant's.
	Devices, PageSize int
	Seed              uint64
	// Latency delays every answer of the API; ActionTime is how long a machine action takes.
	Latency, ActionTime time.Duration
	// Throttle enforces the documented call limits.
	Throttle bool
}

// Defaults are the options that nobody has changed.
func Defaults() Options {
	return Options{
		Listen: "127.0.0.1:0", Devices: mdesim.DefaultDevices, PageSize: mdesim.DefaultPageSize, ActionTime: mdesim.DefaultActionRunning,
	}
}

func (o Options) check() error {
	if o.Devices < 0 || o.Devices > MaxDevices {
		return fmt.Errorf("--devices %d: want 0 to %d", o.Devices, MaxDevices)
	}
	if o.PageSize < 1 || o.PageSize > mdesim.DefaultPageSize {
		return fmt.Errorf("--page-size %d: want 1 to %d", o.PageSize, mdesim.DefaultPageSize)
	}
	return nil
}

// Serve serves a simulated tenant until ctx ends. It writes what it is and the variables that point the programs at it.
func Serve(ctx context.Context, o Options, out io.Writer) error {
	if err := o.check(); err != nil {
		return err
	}
	tenant := &mdesim.Tenant{
		Devices: o.Devices, PageSize: o.PageSize, Seed: o.Seed, Latency: o.Latency, ActionRunning: o.ActionTime,
		Throttle: mdesim.Throttle{On: o.Throttle}, Control: true,
	}
	if o.Devices == 0 {
		tenant.Devices = -1 // zero means the default there
	}
	tenant.SetWebAPI(WebAPI())
	running, err := Start(tenant, o.Listen)
	if err != nil {
		return err
	}
	defer running.Close()
	fmt.Fprintf(out, "%s\nIt serves %s until Ctrl-C.\n", Notice, running.Server.URL)
	printExports(out, "for mde-mcp and mde-slackbot", running.Environ())
	printExports(out, "for mde-slackbot only: mde-mcp refuses to start where these are set", running.WriteEnviron())
	printExports(out, "for `mde-mcp serve --http 127.0.0.1:8080` whose callers sign in", running.SignInEnviron())
	fmt.Fprintf(out, "\n# a caller's token, and a client with it; bob and rita can sign in as well\n%s\n", running.SignIn("alice@contoso.com", "http://127.0.0.1:8080/mcp"))
	<-ctx.Done()
	return nil
}

// printExports writes variables as a shell reads them, under a comment that says whose they are.
func printExports(out io.Writer, whose string, lines []string) {
	fmt.Fprintf(out, "\n# %s\n", whose)
	for _, line := range lines {
		fmt.Fprintf(out, "export %s\n", line)
	}
}
