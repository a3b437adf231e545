package slackcmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/app"
	"github.com/mde-ops/mde-ops/internal/cli"
	"github.com/mde-ops/mde-ops/internal/slackbot"
)

// migrateCommand makes `migrate`: what the owner of the tables does after every upgrade, before the programs with lesser
// roles start.
func migrateCommand(env cli.Env, set *cli.Settings) *cobra.Command {
	var team string
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "bring the store's tables up to date, and on PostgreSQL the rights of its roles",
		Long: "migrate opens the store that MDE_STORE names, which brings its tables up to date, and on PostgreSQL runs what `roles` prints.\n" +
			"Run it as the role that owns the tables, after every upgrade and before the programs start. To run it again changes nothing.\n" +
			"With --slack-team it also gives the store to another Slack workspace: end what is open and stop every process before.",
		Args: cli.NoWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, log, err := cli.LoadStore(cmd.Context(), env, *set, func(app.Config) error { return nil })
			if err != nil {
				return err
			}
			db, err := app.OpenStore(cmd.Context(), cfg, log)
			if err != nil {
				return err
			}
			defer db.Close() //nolint:errcheck // what was written is committed
			granted, err := db.Grant(cmd.Context())
			if err != nil {
				return err
			}
			fmt.Fprintln(env.Stdout, "the tables are up to date")
			if granted {
				fmt.Fprintln(env.Stdout, "the roles mde_mcp and mde_worker have the rights that they need, and no others")
			}
			return giveStore(cmd.Context(), env, db, team)
		},
	}
	cmd.Flags().StringVar(&team, "slack-team", "", "give the store to the Slack workspace with this id (T…)")
	return cmd
}

// giveStore makes the store belong to another workspace, where one is named.
func giveStore(ctx context.Context, env cli.Env, db *store.DB, team string) error {
	if team == "" {
		return nil
	}
	before, err := slackbot.GiveStore(ctx, db, team)
	if err != nil {
		return err
	}
	if before == "" {
		before = "no workspace"
	}
	fmt.Fprintf(env.Stdout, "the store belongs to the Slack workspace %s; before, to %s\n", team, before)
	return nil
}
