package mcpcmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/app"
	"github.com/mde-ops/mde-ops/internal/app/mcpapp"
	"github.com/mde-ops/mde-ops/internal/cli"
	"github.com/mde-ops/mde-ops/internal/cli/doctorcmd"
	"github.com/mde-ops/mde-ops/internal/doctor"
)

func doctorCommand(env cli.Env, set *cli.Settings) *cobra.Command {
	var surface surfaceFlags
	var listen string
	cmd := doctorcmd.Command(env, func(ctx context.Context, show func(doctor.Finding)) ([]doctor.Finding, error) {
		return examine(ctx, env, *set, surface, listen, show)
	})
	cmd.Short = "look at everything that this server needs, and say what to do about what is wrong"
	cmd.Long = "doctor looks at the configuration, the sign-in, the roles of the token for each toolset, the way to the API, the clock, the call\n" +
		"limits, the store, the worker, the policy, who approves, what is stopped, evidence, the audit, and how HTTP is served. It only\n" +
		"reads: nothing is written to the tenant, the store or the audit. Exit code 1: something can't work."
	surface.bind(cmd)
	cmd.Flags().StringVar(&listen, "http", "", "look at serving on this address too (MDE_HTTP)")
	return cmd
}

// examine looks at what `mde-mcp serve` with the same flags would need.
func examine(ctx context.Context, env cli.Env, set cli.Settings, surface surfaceFlags, listen string, show func(doctor.Finding)) ([]doctor.Finding, error) {
	cfg, settings, err := cli.Read(ctx, env, set)
	if err != nil {
		return nil, err
	}
	if listen != "" {
		cfg.HTTP.Listen = listen
	}
	cfg.Surface = surface.over(cfg.Surface)
	list, err := cfg.Surface.Select()
	if err != nil {
		return nil, cli.Usage(err)
	}
	base, err := app.Prepare(cfg, quiet(env, cfg))
	if err != nil {
		return nil, err
	}
	defer base.Close()
	d := doctor.New(doctor.Options{
		Base: base, Settings: settings, Whole: cfg.CheckServe(), Buckets: mcpapp.Buckets(), Tools: list, Clock: cfg.Clock,
		Identity: func(ctx context.Context) (approvals.Requester, error) {
			caller, err := mcpapp.NewCaller(base.Config, nil)
			if err != nil {
				return approvals.Requester{}, err
			}
			return caller.Requester(ctx, approvals.ViaMCP, "")
		},
	})
	defer d.Close()
	return doctor.Run(ctx, d.Checks(), show), nil
}
