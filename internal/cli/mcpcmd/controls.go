package mcpcmd

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/app"
	"github.com/mde-ops/mde-ops/internal/app/mcpapp"
	"github.com/mde-ops/mde-ops/internal/cli"
	"github.com/mde-ops/mde-ops/internal/cli/auditcmd"
	"github.com/mde-ops/mde-ops/tools"
)

func auditCommand(env cli.Env, set *cli.Settings) *cobra.Command {
	return auditcmd.Command(auditcmd.Program{Env: env, Set: set, Buckets: mcpapp.Buckets(), Check: app.Config.CheckLook})
}

// press is what somebody typed to stop things.
type press struct {
	scope, reason, as string
}

func (p *press) flags(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().StringVar(&p.reason, "reason", "", "why, for everyone who asks")
	cmd.Flags().StringVar(&p.as, "as", "", "who stops it (an e-mail address); by default MDE_USER or the Azure CLI's signed-in user")
	return cmd
}

func stopCommand(env cli.Env, set *cli.Settings) *cobra.Command {
	p := press{scope: approvals.ScopeAll}
	return p.flags(&cobra.Command{
		Use:   "stop --reason WHY",
		Short: "stop all acting now: what waits is cancelled, what runs is held",
		Long: "stop presses the kill switch: nothing is sent to the tenant any more, what is pending or approved is cancelled, and what runs\n" +
			"is held between two steps. It needs the store (MDE_STORE) and nothing else. There is no command that lifts it: approvers do\n" +
			"that in Slack, with `/mde lift`, by the quorum of destructive tools.",
		Example: "  mde-mcp stop --reason \"the assistant isolates the wrong devices\"",
		Args:    cli.NoWords,
		RunE:    func(cmd *cobra.Command, _ []string) error { return stop(cmd.Context(), env, *set, p) },
	})
}

func freezeCommand(env cli.Env, set *cli.Settings) *cobra.Command {
	var p press
	return p.flags(&cobra.Command{
		Use:     "freeze TOOLSET --reason WHY",
		Short:   "stop the tools of one toolset now; `mde-mcp tools` names the tools",
		Long:    "freeze is `mde-mcp stop` for the tools of one toolset. Approvers lift it in Slack, with `/mde lift TOOLSET`.",
		Example: "  mde-mcp freeze response --reason \"change window of the network team\"",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			return cli.FirstOf(toolsetNames()...)(cmd, args, word)
		},
		RunE: func(cmd *cobra.Command, words []string) error {
			if len(words) != 1 {
				return cli.Usagef("freeze needs exactly one toolset; to stop everything use `mde-mcp stop`")
			}
			if p.scope = strings.ToLower(strings.TrimSpace(words[0])); p.scope == "" || p.scope == approvals.ScopeAll {
				return cli.Usagef("%q is no toolset; to stop everything use `mde-mcp stop`", words[0])
			}
			return stop(cmd.Context(), env, *set, p)
		},
	})
}

// switches opens the store and its switches.
func switches(ctx context.Context, env cli.Env, set cli.Settings) (app.Config, *store.DB, *control.Board, error) {
	cfg, log, err := cli.LoadStore(ctx, env, set, app.Config.CheckLook)
	if err != nil {
		return cfg, nil, nil, err
	}
	db, err := auditcmd.OpenStore(ctx, cfg, log)
	if err != nil {
		return cfg, nil, nil, err
	}
	facts, err := tools.Facts()
	if err != nil {
		return cfg, nil, nil, err
	}
	board, err := control.New(control.Options{Store: db, Tools: facts, Logger: log})
	return cfg, db, board, err
}

func stop(ctx context.Context, env cli.Env, set cli.Settings, p press) error {
	if strings.TrimSpace(p.reason) == "" {
		return cli.Usagef("--reason is not given: say why, for those who have to lift it")
	}
	cfg, db, board, err := switches(ctx, env, set)
	if err != nil && cli.ExitCode(ctx, err) == cli.ExitRuntime {
		return fmt.Errorf("NOT stopped: %w. To stop without the store, end every mde-slackbot process: nothing is sent without one", err)
	}
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // the press is committed
	who, err := presser(ctx, cfg, p.as)
	if err != nil {
		return err
	}
	err = board.Stop(ctx, control.Order{Scope: p.scope, By: who, Why: p.reason})
	if approvals.KindOf(err) == approvals.KindInvalid {
		return cli.Usage(err)
	}
	if err != nil {
		return fmt.Errorf("NOT stopped: %w", err)
	}
	what := "everything is"
	if p.scope != approvals.ScopeAll {
		what = "the toolset " + p.scope + " is"
	}
	fmt.Fprintf(env.Stdout, "%s stopped by %s: nothing more is sent, what waited is cancelled, what runs is held.\n"+
		"Only approvers lift it, in Slack: %s\n", what, who.ID, lifting(p.scope))
	return nil
}

// lifting is what people type in Slack; without a scope they would ask for "all".
func lifting(scope string) string { return "/mde lift " + scope + " because …" }

// presser is who stops things. Whoever can run this command may: what only stops things needs no proof.
func presser(ctx context.Context, cfg app.Config, as string) (approvals.Requester, error) {
	if as != "" {
		who := approvals.Requester{Person: approvals.Person{ID: strings.ToLower(strings.TrimSpace(as))}, Via: approvals.ViaShell}
		return who, cli.Usage(who.CheckID())
	}
	if cfg.Identity.Source == "config" && cfg.Identity.User == "" {
		return approvals.Requester{}, cli.Usagef("who stops it? Give --as with an e-mail address, or set MDE_USER")
	}
	caller, err := mcpapp.NewCaller(cfg, nil)
	if err != nil {
		return approvals.Requester{}, err
	}
	who, err := caller.Requester(ctx, approvals.ViaShell, "")
	if err != nil {
		return who, fmt.Errorf("%w; give --as with an e-mail address to stop it without a sign-in", err)
	}
	return who, nil
}

func stopsCommand(env cli.Env, set *cli.Settings) *cobra.Command {
	return &cobra.Command{
		Use:   "stops",
		Short: "show what is stopped, by whom and why",
		Args:  cli.NoWords,
		RunE:  func(cmd *cobra.Command, _ []string) error { return stops(cmd.Context(), env, *set) },
	}
}

func stops(ctx context.Context, env cli.Env, set cli.Settings) error {
	_, db, board, err := switches(ctx, env, set)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing was written
	list, err := board.InForce(ctx)
	if err != nil {
		return err
	}
	for _, s := range list {
		fmt.Fprintf(env.Stdout, "%s stopped since %s by %s: %s\n", s.Scope, s.Event.At.UTC().Format(time.RFC3339), auditcmd.Harmless(s.Event.Actor), auditcmd.Harmless(s.Why))
		fmt.Fprintf(env.Stdout, "  only approvers lift it, in Slack: %s\n", lifting(s.Scope))
		if s.Doubt != "" {
			fmt.Fprintf(env.Stdout, "  its lift does not count: %s\n", auditcmd.Harmless(s.Doubt))
		}
	}
	if len(list) == 0 {
		fmt.Fprintln(env.Stdout, "nothing is stopped, as the audit says; the worker believes a lift only with the votes behind it")
	}
	return nil
}

// liftCommand is for whoever looks here for the way back.
func liftCommand() *cobra.Command {
	return &cobra.Command{Use: "lift", Aliases: []string{"unfreeze", "unstop", "resume"}, Hidden: true, RunE: func(*cobra.Command, []string) error {
		return cli.Usagef("nothing is lifted from the shell: approvers do that in Slack, with `/mde lift SCOPE because …`; `mde-mcp stops` names the scopes")
	}}
}
