package slackcmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mde-ops/mde-ops/internal/app"
	"github.com/mde-ops/mde-ops/internal/cli"
)

// migrateCommand makes `migrate`: what the owner of the tables does after every upgrade, before the programs with lesser
// roles start.
func migrateCommand(env cli.Env, set *cli.Settings) *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "bring the store's tables up to date, and on PostgreSQL the rights of its roles",
		Long: "migrate opens the store that MDE_STORE names, which brings its tables up to date, and on PostgreSQL runs what `roles` prints.\n" +
			"Run it as the role that owns the tables, after every upgrade and before the programs start. To run it again changes nothing.",
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
			return nil
		},
	}
}
