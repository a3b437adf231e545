package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mde-ops/mde-ops/internal/app"
)

// Execute runs a command tree with the given surroundings.
func Execute(ctx context.Context, root *cobra.Command, env Env) error {
	root.SilenceErrors, root.SilenceUsage, root.TraverseChildren = true, true, true
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	root.SetFlagErrorFunc(flagError)
	root.SetArgs(env.Args)
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	return root.ExecuteContext(ctx)
}

// flagError makes a wrong flag the caller's error.
func flagError(cmd *cobra.Command, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	return Usagef("%w; `%s --help` lists the flags", err, cmd.CommandPath())
}

// NoWords refuses words where a command takes none.
func NoWords(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return Usagef("%s has no command %q; `%s --help` lists them", cmd.CommandPath(), args[0], cmd.CommandPath())
}

// TenantConfigured is the tenant that the configuration names; it is what --tenant is when it is not given.
const TenantConfigured = "configured"

// Settings are the flags that both commands have.
type Settings struct {
	Tenant      string
	CheckConfig bool
}

// Bind defines the flags on a root command.
func (s *Settings) Bind(root *cobra.Command) {
	root.PersistentFlags().StringVar(&s.Tenant, "tenant", TenantConfigured, `"sim" starts a simulated tenant and uses it`)
	root.PersistentFlags().BoolVar(&s.CheckConfig, "check-config", false, "check the configuration, report every fault, and end")
	_ = root.RegisterFlagCompletionFunc("tenant", OneOf("sim"))
}

// known refuses a --tenant that means nothing; an empty one too, because it may have been meant to be sim.
func (s *Settings) known() error {
	if s.Tenant != TenantConfigured && s.Tenant != "sim" {
		return Usagef(`--tenant %q is not known: "sim" is, and without the flag MDE_TENANT_ID says which`, s.Tenant)
	}
	return nil
}

// Read reads the configuration for a command that reports itself what is wrong with it.
func Read(ctx context.Context, env Env, set Settings) (cfg app.Config, faults, err error) {
	if err := set.known(); err != nil {
		return app.Config{}, nil, err
	}
	cfg, faults = app.Load(ctx, env.Environ, set.Tenant == "sim")
	return cfg, faults, nil
}

// Load reads the configuration, checks it with check and the policy with it, and makes the log. Every fault is the
// caller's, and all are reported together.
func Load(ctx context.Context, env Env, set Settings, check func(app.Config) error) (app.Config, *slog.Logger, error) {
	if err := set.known(); err != nil {
		return app.Config{}, nil, err
	}
	cfg, err := app.Load(ctx, env.Environ, set.Tenant == "sim")
	err = app.JoinFaults(err, check(cfg))
	if err == nil || cfg.Policy.File != "" { // the default policy can only repeat what is wrong with its settings
		_, wrong := app.LoadPolicy(cfg.Policy)
		err = app.JoinFaults(err, wrong)
	}
	if set.CheckConfig {
		err = app.JoinFaults(err, cfg.Probe())
	}
	if err != nil {
		return app.Config{}, nil, Usage(err)
	}
	return cfg, app.NewLogger(env.Stderr, cfg.Log), nil
}

// LoadStore is Load for commands that only look into the configured store: neither a tenant nor a policy is asked for.
func LoadStore(ctx context.Context, env Env, set Settings, check func(app.Config) error) (app.Config, *slog.Logger, error) {
	if set.Tenant != TenantConfigured {
		return app.Config{}, nil, Usagef("--tenant is not for this command: it looks into the store that MDE_STORE names, and a simulated tenant's store is new and empty")
	}
	cfg, err := app.LoadStore(ctx, env.Environ)
	if err = app.JoinFaults(err, check(cfg)); err != nil {
		return app.Config{}, nil, Usage(err)
	}
	if !cfg.Set["MDE_LOG_LEVEL"] {
		cfg.Log.Level = slog.LevelError // the one who typed gets the answer or the error; the log is for who asks for it
	}
	return cfg, app.NewLogger(env.Stderr, cfg.Log), nil
}

// SayGood ends --check-config of a good configuration, with what its owner may not have meant.
func SayGood(env Env, notes ...string) {
	fmt.Fprintln(env.Stdout, "the configuration is good")
	for _, note := range notes {
		fmt.Fprintln(env.Stdout, "note:", note)
	}
}

// Version is the module's version as the build recorded it.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
