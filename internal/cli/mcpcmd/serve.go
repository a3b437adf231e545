package mcpcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/mde-ops/mde-ops/internal/app"
	"github.com/mde-ops/mde-ops/internal/app/mcpapp"
	"github.com/mde-ops/mde-ops/internal/cli"
	"github.com/mde-ops/mde-ops/internal/mcpserver"
)

func serveCommand(env cli.Env, set *cli.Settings) *cobra.Command {
	var surface surfaceFlags
	var listen string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "serve the tools: on standard input and output, or over HTTP",
		Long: "serve speaks the Model Context Protocol on standard input and output, as mde-mcp does without a command, or with --http\n" +
			"over Streamable HTTP at /mcp. Without MDE_HTTP_AUDIENCE nobody is asked who they are and only a loopback address is served;\n" +
			"with it callers sign in with Microsoft Entra ID, and each call is theirs. /healthz and /readyz answer probes.",
		Args: cli.NoWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), env, *set, surface, listen)
		},
	}
	surface.bind(cmd)
	cmd.Flags().StringVar(&listen, "http", "", "listen on this address, such as 127.0.0.1:8080 (MDE_HTTP)")
	return cmd
}

// serve speaks MCP. The handshake doesn't wait for the store or the tenant: they open in the background. A configuration or
// policy that doesn't parse ends the process first, because then no call could ever be decided.
func serve(ctx context.Context, env cli.Env, set cli.Settings, surface surfaceFlags, listen string) error {
	with := func(cfg app.Config) app.Config {
		if listen != "" {
			cfg.HTTP.Listen = listen
		}
		return cfg
	}
	cfg, log, err := cli.Load(ctx, env, set, func(cfg app.Config) error { return with(cfg).CheckServe() })
	if err != nil {
		return err
	}
	cfg = with(cfg)
	cfg.Surface = surface.over(cfg.Surface)
	if _, err := cfg.Surface.Select(); err != nil {
		return cli.Usage(err)
	}
	if set.CheckConfig {
		cli.SayGood(env, cfg.Notes()...)
		return nil
	}
	if cfg, err = cfg.Measure(ctx, "mde-mcp", cli.Version(), log); err != nil {
		return err
	}
	defer cfg.EndMeasuring(ctx, log)
	opened, cancel := context.WithCancel(context.WithoutCancel(ctx)) // calls may go on for a while after the end was asked for
	opening := mcpapp.Begin(opened, cfg, mcpapp.Options{Log: log})
	defer opening.Close()
	defer cancel() // an opening that still runs ends before it is waited for
	if err := numbers(ctx, cfg, opening, log); err != nil {
		return err
	}
	if cfg.HTTP.Listen != "" {
		return overHTTP(ctx, env, cfg, opening, log)
	}
	stop := context.AfterFunc(ctx, cancel)
	defer stop()
	server, err := opening.Server(cli.Version(), log)
	if err != nil {
		return err
	}
	err = server.Serve(ctx, env.Stdin, env.Stdout)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// numbers answers scrapes and probes until ctx ends, where that is configured. On standard input and output there may be many
// of this process on a machine, one for each window of a client: there all but the first do without.
func numbers(ctx context.Context, cfg app.Config, opening *mcpapp.Opening, log *slog.Logger) error {
	admin, err := opening.Admin(ctx, cfg, log)
	switch {
	case err != nil && cfg.HTTP.Listen == "":
		log.WarnContext(ctx, "numbers and probes are not answered by this process", "error", err)
		return nil
	case err != nil || admin == nil:
		return err
	}
	go admin.Serve(ctx)
	return nil
}

// overHTTP serves until ctx is done. Standard output gets one line: where.
func overHTTP(ctx context.Context, env cli.Env, cfg app.Config, opening *mcpapp.Opening, log *slog.Logger) error {
	web, err := opening.Web(cfg, mcpapp.WebOptions{Version: cli.Version(), Log: log})
	if err != nil {
		return cli.Usage(err)
	}
	on, err := mcpserver.Listen(ctx, cfg.HTTP.Listen, cfg.HTTP.TLSCert, cfg.HTTP.TLSKey, log)
	if err != nil {
		return err
	}
	scheme, who := "http", "nobody is asked to sign in, so every call counts as that of whom this process is configured for"
	if cfg.HTTP.TLSCert != "" {
		scheme = "https"
	}
	if cfg.HTTP.Signed() {
		who = "callers sign in with " + cfg.HTTPIssuer()
	}
	fmt.Fprintf(env.Stdout, "MCP is served at %s://%s%s; %s\n", scheme, on.Addr(), mcpserver.Path, who)
	return web.Serve(ctx, on)
}
