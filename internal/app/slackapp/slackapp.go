// Package slackapp builds the Slack face and the worker: what holds the signing key, knows who may approve, and writes to
// the tenant.
package slackapp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/audit"
	"github.com/mde-ops/mde-ops/approvals/ballot"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/internal/app"
	"github.com/mde-ops/mde-ops/internal/entra"
	"github.com/mde-ops/mde-ops/internal/slackbot"
	"github.com/mde-ops/mde-ops/tools"
)

// App is a bot with its worker, or a worker alone.
type App struct {
	*app.Base
	Bot    *slackbot.Bot // nil without a signing key
	Worker *worker.Worker

	buckets  app.Buckets
	people   *slackbot.People
	pace     *slackbot.Pace
	board    *control.Board
	keeper   *audit.Keeper   // nil when no checkpoints are configured
	exporter *audit.Exporter // nil when no export is configured
}

// Options are what is not configuration.
type Options struct {
	Log *slog.Logger
	// Buckets open where evidence and checkpoints are written.
	Buckets app.Buckets
}

// Open opens the store, checks the policy and builds the worker, and the bot when there is a key to sign votes with.
func Open(ctx context.Context, cfg app.Config, o Options) (*App, error) {
	if o.Buckets.Folder == nil {
		return nil, errors.New("slackapp: Options.Buckets.Folder is not set: without it no evidence can be kept")
	}
	base, err := app.Open(ctx, cfg, o.Log)
	if err != nil {
		return nil, err
	}
	a := &App{Base: base, buckets: o.Buckets}
	err = a.build(ctx)
	if err == nil {
		err = a.Gate.NotePolicy(ctx, "mde-slackbot")
	}
	if err != nil {
		base.Close()
		return nil, err
	}
	a.measure()
	return a, nil
}

func (a *App) build(ctx context.Context) error {
	signer, verifier, err := a.Config.Votes.SignerKeys()
	if err != nil {
		return err
	}
	roles, err := a.roles()
	if err != nil {
		return err
	}
	token, err := a.slackToken()
	if err != nil {
		return err
	}
	mapped, err := app.ReadPeople(a.Config.Slack.PeopleFile)
	if err != nil {
		return err
	}
	people, err := slackbot.NewPeople(slackbot.PeopleOptions{
		APIURL: a.Config.Slack.APIURL, BotToken: token.text, HTTPClient: token.client, Team: a.Config.Slack.Team, Keeper: a.Store,
		Roles: roles, Mapped: mapped, Clock: a.Config.Clock,
	})
	if err != nil {
		return err
	}
	a.people, a.pace = people, slackbot.PaceFor(a.Config.Slack.APIURL)
	if a.board, err = a.buildBoard(people, verifier); err != nil {
		return err
	}
	if err := a.OpenEvidence(a.buckets); err != nil {
		return err
	}
	if err := a.buildAudit(ctx); err != nil {
		return err
	}
	if a.Worker, err = a.buildWorker(people, verifier, token); err != nil {
		return err
	}
	if signer == nil {
		return nil
	}
	a.Bot, err = a.buildBot(people, signer, verifier, token)
	return err
}

// roles looks up app roles in Entra ID with the reading credential; nil where there is no Microsoft Graph to ask or no
// application whose roles could be meant, and then nobody can be shown to hold one.
func (a *App) roles() (slackbot.Roles, error) {
	cloud, app := a.Config.Tenant.Cloud(), a.Config.Policy.RoleAppID
	if app == "" {
		app = a.Config.Read.ClientID
	}
	if cloud.Graph == "" || app == "" {
		return nil, nil
	}
	cred, err := a.Config.ReadCredential()
	if err != nil {
		return nil, err
	}
	return entra.New(entra.Options{Graph: cloud.Graph, Scope: cloud.GraphScope, Credential: cred, AppID: app, CAFile: a.Config.Tenant.CAFile})
}

// buildBoard makes the switches, which believe a lift only with the votes behind it.
func (a *App) buildBoard(people *slackbot.People, verifier *approvals.Verifier) (*control.Board, error) {
	tally, err := approvals.NewTally(approvals.TallyOptions{Policy: a.Policy, Verifier: verifier, Directory: people, Activity: a.Store, Clock: a.Config.Clock})
	if err != nil {
		return nil, err
	}
	facts, err := tools.Facts()
	if err != nil {
		return nil, err
	}
	return control.New(control.Options{Store: a.Store, Tools: facts, Tally: tally, Logger: a.Log, Clock: a.Config.Clock})
}

// buildWorker makes the worker. It acts with the writing credential; where none is configured the reading one serves,
// and the tenant refuses what it may not do.
func (a *App) buildWorker(people *slackbot.People, verifier *approvals.Verifier, token slackToken) (*worker.Worker, error) {
	facts, err := tools.Facts()
	if err != nil {
		return nil, err
	}
	notifier, err := slackbot.NewNotifier(slackbot.NotifierOptions{
		APIURL: a.Config.Slack.APIURL, BotToken: token.text, HTTPClient: token.client,
		Store: a.Store, ApprovalChannel: a.Config.Slack.ApprovalChannel, Logger: a.Log, Clock: a.Config.Clock,
		Gate: a.Gate, Board: a.board, Tools: facts, Tell: a.tell(), Pace: a.pace,
	})
	if err != nil {
		return nil, err
	}
	client, _, err := a.Client(a.Config.Writing())
	if err != nil {
		return nil, err
	}
	looks, err := a.NexusClient(a.Config.Read)
	if err != nil {
		return nil, err
	}
	changes, err := a.NexusClient(a.Config.Writing())
	if err != nil {
		return nil, err
	}
	acts, err := tools.NewPerformer(tools.PerformerOptions{
		Reader: client, Writer: client, NexusReader: looks, NexusWriter: changes, Tenant: a.Config.Tenant.ID, Board: a.board, Evidence: a.Evidence, Origins: a.Gate, Clock: a.Config.Clock,
	})
	if err != nil {
		return nil, err
	}
	t := a.Config.Timing
	return worker.New(worker.Options{
		Store: a.Store, Policy: a.Policy, Verifier: verifier, Directory: people,
		Performer: &performer{acts, a.Config.Meter}, Tools: facts, Notifier: notifier, Logger: a.Log, Clock: a.Config.Clock,
		Board: a.board, Gate: a.Gate, Restored: a.restored(),
		Timing: worker.Timing{
			Poll: t.Poll, Grace: t.Grace, SendLimit: t.SendLimit, WriteTimeout: t.WriteTimeout,
			SweepEvery: t.SweepEvery, Recovery: t.Recovery, Rescue: t.Rescue, JobTimeout: t.JobTimeout, RunLimit: t.RunLimit,
		},
	})
}

// tell are the groups that policy has called when somebody breaks the glass.
func (a *App) tell() []approvals.Group {
	p, ok := a.Policy.(interface {
		BreakGlass() (tools []string, tell []approvals.Group, ok bool)
	})
	if !ok {
		return nil
	}
	_, tell, _ := p.BreakGlass()
	return tell
}

func (a *App) buildBot(people *slackbot.People, signer *approvals.Signer, verifier *approvals.Verifier, token slackToken) (*slackbot.Bot, error) {
	box, err := ballot.New(ballot.Options{
		Store: a.Store, Policy: a.Policy, Signer: signer, Verifier: verifier, Directory: people, Logger: a.Log,
		Switches: a.board, Clock: a.Config.Clock,
	})
	if err != nil {
		return nil, err
	}
	dispatcher, err := a.Dispatcher(a.Config.Read)
	if err != nil {
		return nil, err
	}
	slack := a.Config.Slack
	return slackbot.New(slackbot.Options{
		APIURL: slack.APIURL, BotToken: token.text, HTTPClient: token.client, AppToken: slack.AppToken.Reveal(), HTTP: overHTTP(slack), Team: slack.Team,
		Dispatcher: &commands{dispatcher, a.Config.Meter, app.Toolsets()}, Gate: a.Gate, Ballot: box, Store: a.Store, People: people, Board: a.board,
		ResponderGroup: approvals.Group{Name: "responders", Slack: slack.ResponderGroup}, Channels: slack.Channels, ApprovalChannel: slack.ApprovalChannel,
		LargePlan: slack.TypedAbove, Pace: a.pace, Logger: a.Log, Clock: a.Config.Clock,
	})
}

// RunWorker performs what was approved until ctx ends.
func (a *App) RunWorker(ctx context.Context) error {
	if err := a.rightWorkspace(ctx); err != nil {
		return err
	}
	if err := a.Worker.Start(ctx); err != nil {
		return fmt.Errorf("the worker can't start: %w", err)
	}
	stopAudit := a.startAudit(ctx)
	if err := a.startAdmin(ctx); err != nil {
		err = errors.Join(err, a.stopWorker(ctx))
		stopAudit()
		return err
	}
	a.Log.Info("the worker runs")
	<-ctx.Done()
	err := a.stopWorker(ctx)
	stopAudit()
	return err
}

// stopWorker lets jobs that run come to their end, for a limited time.
func (a *App) stopWorker(ctx context.Context) error {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), app.StopTimeout)
	defer cancel()
	return a.Worker.Stop(limited)
}

// RunBot checks the workspace, connects to it and performs what was approved until ctx ends.
func (a *App) RunBot(ctx context.Context) error {
	if a.Bot == nil {
		return errors.New("there is no vote signing key, so nobody could vote: set MDE_VOTE_SIGNING_KEY or run `mde-slackbot worker`")
	}
	if err := a.Bot.Check(ctx); err != nil {
		return err
	}
	if err := a.rightWorkspace(ctx); err != nil {
		return err
	}
	if err := a.startAdmin(ctx); err != nil {
		return err
	}
	if err := a.Worker.Start(ctx); err != nil {
		return fmt.Errorf("the worker can't start: %w", err)
	}
	stopAudit := a.startAudit(ctx)
	err := a.Bot.Run(ctx)
	err = errors.Join(err, a.stopWorker(ctx))
	stopAudit()
	return err
}
