package slackcmd

import (
	"context"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/mde-ops/mde-ops/internal/app"
	"github.com/mde-ops/mde-ops/internal/cli"
	"github.com/mde-ops/mde-ops/internal/cli/doctorcmd"
	"github.com/mde-ops/mde-ops/internal/doctor"
	"github.com/mde-ops/mde-ops/internal/slackbot"
)

func doctorCommand(env cli.Env, set *cli.Settings) *cobra.Command {
	var worker bool
	cmd := doctorcmd.Command(env, func(ctx context.Context, show func(doctor.Finding)) ([]doctor.Finding, error) {
		return examine(ctx, env, *set, worker, show)
	})
	cmd.Short = "look at everything that the bot and the worker need, and say what to do about what is wrong"
	cmd.Long = "doctor looks at what `mde-mcp doctor` does, with the writing credential and its roles besides, and asks Slack about the tokens,\n" +
		"their scopes, the groups and the channels. It only reads: nothing is written to the tenant, the store or the audit, and nothing\n" +
		"is posted. Exit code 1: something can't work."
	cmd.Flags().BoolVar(&worker, "worker", false, "look at what `mde-slackbot worker` needs")
	return cmd
}

func examine(ctx context.Context, env cli.Env, set cli.Settings, worker bool, show func(doctor.Finding)) ([]doctor.Finding, error) {
	cfg, settings, err := cli.Read(ctx, env, set)
	if err != nil {
		return nil, err
	}
	check := app.Config.CheckSlack
	if worker {
		check = app.Config.CheckWorker
	}
	if !cfg.Set["MDE_LOG_LEVEL"] {
		cfg.Log.Level = slog.LevelError // who typed gets the findings; the log is for who asks for it
	}
	list, err := app.Surface{Toolsets: []string{"all"}}.Select()
	if err != nil {
		return nil, err
	}
	base, err := app.Prepare(cfg, app.NewLogger(env.Stderr, cfg.Log))
	if err != nil {
		return nil, err
	}
	defer base.Close()
	d := doctor.New(doctor.Options{
		Base: base, Settings: settings, Whole: check(cfg), Buckets: buckets(), Tools: list, Writer: true, Clock: cfg.Clock,
		More: func(d *doctor.Doctor) []doctor.Check {
			return []doctor.Check{{Name: "Slack", Needs: []string{doctor.NeedsPolicy}, Run: func(ctx context.Context) []doctor.Finding {
				return workspace(ctx, cfg.Slack, d.SlackGroups())
			}}}
		},
	})
	defer d.Close()
	return doctor.Run(ctx, d.Checks(), show), nil
}

// workspace says what Slack says of everything that is configured.
func workspace(ctx context.Context, cfg app.Slack, approvers []string) (found []doctor.Finding) {
	seen, err := slackbot.LookAt(ctx, slackbot.Workspace{
		APIURL: cfg.APIURL, BotToken: cfg.BotToken.Reveal(), AppToken: cfg.AppToken.Reveal(), ResponderGroup: cfg.ResponderGroup,
		ApproverGroups: approvers, Channels: cfg.Channels, ApprovalChannel: cfg.ApprovalChannel,
	})
	if err != nil {
		return []doctor.Finding{doctor.Failure("Slack", err.Error(), "look at the settings MDE_SLACK_*")}
	}
	for _, s := range seen {
		what := "Slack " + s.What
		switch {
		case s.Err != nil:
			found = append(found, doctor.Failure(what, s.Err.Error(), ""))
		case s.Doubt != "":
			found = append(found, doctor.Warning(what, s.Doubt, ""))
		default:
			found = append(found, doctor.Good(what, s.Said))
		}
	}
	return found
}
