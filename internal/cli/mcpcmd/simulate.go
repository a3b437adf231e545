package mcpcmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mde-ops/mde-ops/internal/cli"
	"github.com/mde-ops/mde-ops/internal/simtenant"
)

func simulateCommand(env cli.Env) *cobra.Command {
	o := simtenant.Defaults()
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "serve a simulated tenant on this machine, for tests and demos",
		Long: "simulate serves a simulated Defender tenant (its sign-in service, the Defender API, Microsoft Graph's security operations and\n" +
			"the storage that links lead to) on a loopback address until it is interrupted, and prints the variables that point mde-mcp\n" +
			"and mde-slackbot at it. Faults can be armed while it runs: POST /mdesim/faults, see the package mdecore/mdesim.",
		Args: cli.NoWords,
		RunE: func(cmd *cobra.Command, _ []string) error { return simtenant.Serve(cmd.Context(), o, env.Stdout) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Listen, "listen", o.Listen, "loopback address to listen on; port 0 is any free one")
	flags.IntVar(&o.Devices, "devices", o.Devices, fmt.Sprintf("how many devices the tenant has, up to %d", simtenant.MaxDevices))
	flags.IntVar(&o.PageSize, "page-size", o.PageSize, "the largest page of a list")
	flags.Uint64Var(&o.Seed, "seed", o.Seed, "varies the generated devices and ids")
	flags.DurationVar(&o.Latency, "latency", o.Latency, "delay before every answer of the API")
	flags.DurationVar(&o.ActionTime, "action-time", o.ActionTime, "how long a machine action takes")
	flags.BoolVar(&o.Throttle, "throttle", o.Throttle, "enforce the documented call limits")
	return cmd
}
