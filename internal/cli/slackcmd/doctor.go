package slackcmd

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/mde-ops/mde-ops/internal/app"
	"github.com/mde-ops/mde-ops/internal/cli"
	"github.com/mde-ops/mde-ops/internal/cli/doctorcmd"
	"github.com/mde-ops/mde-ops/internal/doctor"
	"github.com/mde-ops/mde-ops/internal/slackbot"
	"github.com/mde-ops/mde-ops/internal/slackbot/rotation"
)

func doctorCommand(env cli.Env, set *cli.Settings) *cobra.Command {
	var worker bool
	cmd := doctorcmd.Command(env, func(ctx context.Context, show func(doctor.Finding)) ([]doctor.Finding, error) {
		return examine(ctx, env, *set, worker, show)
	})
	cmd.Short = "look at everything that the bot and the worker need, and say what to do about what is wrong"
	cmd.Long = "doctor looks at what `mde-mcp doctor` does, with the writing credential and its roles besides, and asks Slack about the tokens,\n" +
		"their scopes, the workspace, the groups and the channels; with MDE_SLACK_CONFIG_TOKEN it compares the installed app with its\n" +
		"manifest. It only reads: nothing is written to the tenant, the store or the audit, and nothing\n" +
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
			needs := []string{doctor.NeedsPolicy}
			if cfg.Slack.Renews() { // then the token is in the store
				needs = append(needs, doctor.NeedsStore)
			}
			look := workspace(cfg.Slack, worker)
			return []doctor.Check{
				{Name: "Slack", Needs: needs, Run: func(ctx context.Context) []doctor.Finding {
					return look(ctx, d, func(ctx context.Context, o slackbot.Workspace) ([]slackbot.Sight, error) {
						o.ApproverGroups = d.SlackGroups()
						return slackbot.LookAt(ctx, o)
					})
				}},
				{Name: "Slack workspace of the store", Needs: []string{doctor.NeedsStore}, Run: func(ctx context.Context) []doctor.Finding {
					return look(ctx, d, func(ctx context.Context, o slackbot.Workspace) ([]slackbot.Sight, error) {
						s, err := slackbot.LookAtStore(ctx, o, d.Store())
						return []slackbot.Sight{s}, err
					})
				}},
			}
		},
	})
	defer d.Close()
	return doctor.Run(ctx, d.Checks(), show), nil
}

// slackLimit bounds one call to Slack.
const slackLimit = 10 * time.Second

// workspace makes what looks at Slack with the configured tokens, and says what was seen.
func workspace(cfg app.Slack, worker bool) func(context.Context, *doctor.Doctor, sight) []doctor.Finding {
	return func(ctx context.Context, d *doctor.Doctor, look sight) []doctor.Finding {
		o, err := configured(cfg, worker, d)
		if err != nil {
			return []doctor.Finding{doctor.Failure("Slack", err.Error(), "look at the settings MDE_SLACK_*")}
		}
		seen, err := look(ctx, o)
		if err != nil {
			return []doctor.Finding{doctor.Failure("Slack", err.Error(), "look at the settings MDE_SLACK_*")}
		}
		return findings(seen)
	}
}

// sight looks at one or all of the things that are configured.
type sight func(context.Context, slackbot.Workspace) ([]slackbot.Sight, error)

// configured is what the bot is configured with, or a worker, which Slack delivers nothing to.
func configured(cfg app.Slack, worker bool, d *doctor.Doctor) (slackbot.Workspace, error) {
	o := slackbot.Workspace{
		APIURL: cfg.APIURL, BotToken: cfg.BotToken.Reveal(), AppToken: cfg.AppToken.Reveal(), Team: cfg.Team, ResponderGroup: cfg.ResponderGroup,
		Channels: cfg.Channels, ApprovalChannel: cfg.ApprovalChannel,
	}
	if cfg.OverHTTP() || worker {
		o.AppToken = ""
	}
	if !worker {
		o.App = &slackbot.App{OverHTTP: cfg.OverHTTP(), Renews: cfg.Renews(), ConfigToken: cfg.ConfigToken.Reveal()}
	}
	if !cfg.Renews() {
		return o, nil
	}
	tokens, err := rotation.New(rotation.Options{
		APIURL: cfg.APIURL, ClientID: cfg.ClientID, ClientSecret: cfg.ClientSecret.Reveal(), RefreshToken: cfg.RefreshToken.Reveal(),
		Vault: d.Store(), Look: true,
	})
	if err != nil {
		return o, err
	}
	o.BotToken, o.HTTPClient = rotation.Placeholder, tokens.Client(&http.Client{Timeout: slackLimit})
	return o, nil
}

func findings(seen []slackbot.Sight) (found []doctor.Finding) {
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
