// Package mcpcmd is the command line of mde-mcp: the MCP server over stdio, single tool calls from the shell, and the
// demo.
package mcpcmd

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/mde-ops/mde-ops/internal/cli"
	"github.com/mde-ops/mde-ops/internal/demo"
	"github.com/mde-ops/mde-ops/internal/headstart"
	"github.com/mde-ops/mde-ops/tools"
)

// Run runs mde-mcp.
func Run(ctx context.Context, env cli.Env) error {
	time.AfterFunc(handshake, headstart.Over)
	go func() { _, _ = tools.Catalogue() }() // the handshake needs it, and the settings are read meanwhile
	return cli.Execute(ctx, newCommand(env), env)
}

func newCommand(env cli.Env) *cobra.Command {
	var set cli.Settings
	var surface surfaceFlags
	root := &cobra.Command{
		Use:   "mde-mcp",
		Short: "Microsoft Defender for Endpoint tools over the Model Context Protocol",
		Long: "mde-mcp serves Microsoft Defender for Endpoint tools over the Model Context Protocol on standard input and output.\n" +
			"A tool that would change the tenant only makes a request; people approve it in Slack, and mde-slackbot performs it.\n" +
			"Configuration is by environment variables: docs/configuration.md.",
		Args: cli.NoWords, Version: cli.Version(),
		RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), env, set, surface, "") },
	}
	set.Bind(root)
	surface.bind(root)
	root.AddCommand(serveCommand(env, &set), callCommand(env, &set), toolsCommand(env), demoCommand(env), simulateCommand(env), doctorCommand(env, &set),
		policyCommand(env, &set), auditCommand(env, &set), stopCommand(env, &set), freezeCommand(env, &set), stopsCommand(env, &set), liftCommand(),
		cli.HealthCommand(env, "MDE_HTTP"))
	return root
}

// handshake is how long the start may take before memory is collected as usual; the store is opened after it.
const handshake = 100 * time.Millisecond

func demoCommand(env cli.Env) *cobra.Command {
	o := demo.Options{In: env.Stdin, Out: env.Stdout, Log: env.Stderr}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "tell the whole story on a simulated tenant and workspace",
		Args:  cli.NoWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Serve = o.Serve || o.SignIn
			return demo.Story(cmd.Context(), o)
		},
	}
	cmd.PersistentFlags().BoolVar(&o.Serve, "serve", false, "keep everything up afterwards, for an MCP client of yours")
	cmd.PersistentFlags().BoolVar(&o.SignIn, "http", false, "keep everything up, and let clients over HTTP sign in with the simulated tenant")
	cmd.PersistentFlags().BoolVar(&o.Verbose, "verbose", false, "show the log of every part")
	cmd.AddCommand(&cobra.Command{
		Use:   "nexus",
		Short: "tell how a Nexus cluster's runtime protection is set, used and read",
		Args:  cli.NoWords,
		RunE: func(sub *cobra.Command, _ []string) error {
			o.Nexus = true
			return cmd.RunE(sub, nil)
		},
	})
	return cmd
}
