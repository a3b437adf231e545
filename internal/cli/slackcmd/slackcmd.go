// Package slackcmd is the command line of mde-slackbot: the bot, a worker without a face, key making and the demo.
package slackcmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mde-ops/mde-ops/approvals/audit"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/app"
	"github.com/mde-ops/mde-ops/internal/app/slackapp"
	"github.com/mde-ops/mde-ops/internal/cli"
	"github.com/mde-ops/mde-ops/internal/cli/auditcmd"
	"github.com/mde-ops/mde-ops/internal/demo"
	"github.com/mde-ops/mde-ops/internal/evidence"
	"github.com/mde-ops/mde-ops/internal/evidence/azure"
	"github.com/mde-ops/mde-ops/internal/evidence/blobs"
)

// Run runs mde-slackbot.
func Run(ctx context.Context, env cli.Env) error { return cli.Execute(ctx, newCommand(env), env) }

// role is one way to run the app: what its configuration must have, and what it does.
type role struct {
	check func(app.Config) error
	run   func(*slackapp.App, context.Context) error
}

func newCommand(env cli.Env) *cobra.Command {
	var set cli.Settings
	bot := role{app.Config.CheckSlack, (*slackapp.App).RunBot}
	worker := role{app.Config.CheckWorker, (*slackapp.App).RunWorker}
	root := &cobra.Command{
		Use:   "mde-slackbot",
		Short: "Slack face and worker of mde-ops",
		Long: "mde-slackbot connects to Slack by Socket Mode, takes /mde commands and votes, and performs what was approved.\n" +
			"Configuration is by environment variables: docs/configuration.md.",
		Args: cli.NoWords, Version: cli.Version(),
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), env, set, bot) },
	}
	set.Bind(root)
	root.AddCommand(&cobra.Command{
		Use:   "worker",
		Short: "perform what was approved, without taking commands or votes",
		Args:  cli.NoWords,
		RunE:  func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), env, set, worker) },
	}, keygenCommand(env), rolesCommand(env), manifestCommand(env), doctorCommand(env, &set), migrateCommand(env, &set), cli.HealthCommand(env, "MDE_METRICS_ADDR"), demoCommand(env), auditcmd.Command(auditcmd.Program{
		Env: env, Set: &set, Buckets: buckets(),
		Check: func(app.Config) error { return nil },
	}))
	return root
}

// buckets open evidence and checkpoints to write them; containers as whoever performs.
func buckets() app.Buckets {
	return app.Buckets{
		Folder: blobs.Folder,
		Container: func(ctx context.Context, cfg app.Config, url string) (evidence.Bucket, error) {
			cred, err := cfg.StorageCredential()
			if err != nil {
				return nil, err
			}
			return azure.Open(ctx, azure.Options{URL: url, Credential: cred})
		},
	}
}

// run checks the configuration, opens the app and runs it until the context ends.
func run(ctx context.Context, env cli.Env, set cli.Settings, as role) error {
	cfg, log, err := cli.Load(ctx, env, set, as.check)
	if err != nil {
		return err
	}
	if set.CheckConfig {
		notes := cfg.Notes()
		if !cfg.Write.IsSet() && !cfg.Sim {
			notes = append(notes, "MDE_WRITE_* is not set: the worker writes with the reading credential, which then needs the writing roles too")
		}
		cli.SayGood(env, notes...)
		return nil
	}
	if cfg, err = cfg.Measure(ctx, "mde-slackbot", cli.Version(), log); err != nil {
		return err
	}
	defer cfg.EndMeasuring(ctx, log)
	a, err := slackapp.Open(ctx, cfg, slackapp.Options{Log: log, Buckets: buckets()})
	if err != nil {
		return err
	}
	defer a.Close()
	return as.run(a, ctx)
}

func keygenCommand(env cli.Env) *cobra.Command {
	var forAudit bool
	cmd := &cobra.Command{
		Use:   "keygen",
		Short: "make a key pair for signing votes, or with --audit one for the audit's checkpoints",
		Args:  cli.NoWords,
		RunE: func(*cobra.Command, []string) error {
			if forAudit {
				return auditKeys(env)
			}
			private, public, err := app.NewVoteKey()
			if err != nil {
				return err
			}
			fmt.Fprintf(env.Stdout, "# for mde-slackbot only: keep it secret\nMDE_VOTE_SIGNING_KEY=%s\n# for separate workers\nMDE_VOTE_PUBLIC_KEYS=%s\n",
				private, public)
			return nil
		},
	}
	cmd.Flags().BoolVar(&forAudit, "audit", false, "a pair for the checkpoints of the audit")
	return cmd
}

func auditKeys(env cli.Env) error {
	private, public, err := audit.NewKeys()
	if err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "# for mde-slackbot only: keep it secret, and away from the database\nMDE_AUDIT_SIGNING_KEY=%s\n# for whoever verifies the audit\nMDE_AUDIT_PUBLIC_KEYS=%s\n",
		private, public)
	return nil
}

func rolesCommand(env cli.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "roles",
		Short: "print the SQL that makes the PostgreSQL roles of mde-mcp and of the worker",
		Args:  cli.NoWords,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprint(env.Stdout, store.Roles())
			return err
		},
	}
}

func demoCommand(env cli.Env) *cobra.Command {
	o := demo.Options{In: env.Stdin, Out: env.Stdout, Log: env.Stderr, Buckets: buckets()}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "type /mde commands in a simulated workspace, on a simulated tenant",
		Args:  cli.NoWords,
		RunE:  func(cmd *cobra.Command, _ []string) error { return demo.Terminal(cmd.Context(), o) },
	}
	cmd.PersistentFlags().BoolVar(&o.Verbose, "verbose", false, "show the log of every part")
	cmd.AddCommand(&cobra.Command{
		Use:   "nexus",
		Short: "see how people set, use and read a Nexus cluster's runtime protection, and go on from there",
		Args:  cli.NoWords,
		RunE: func(sub *cobra.Command, _ []string) error {
			o.Nexus = true
			return cmd.RunE(sub, nil)
		},
	})
	return cmd
}
