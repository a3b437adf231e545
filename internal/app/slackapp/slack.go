package slackapp

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/app"
	"github.com/mde-ops/mde-ops/internal/slackbot"
	"github.com/mde-ops/mde-ops/internal/slackbot/rotation"
)

// slackCall bounds one call to Slack.
const slackCall = 10 * time.Second

// slackToken is the bot token, or what stands for one that is renewed and the client that puts the present one in.
type slackToken struct {
	text   string
	client *http.Client
}

// slackToken is the one source of the bot token, for all who call Slack.
func (a *App) slackToken() (slackToken, error) {
	s := a.Config.Slack
	if !s.Renews() {
		return slackToken{s.BotToken.Reveal(), &http.Client{Timeout: slackCall}}, nil
	}
	tokens, err := rotation.New(rotation.Options{
		APIURL: s.APIURL, ClientID: s.ClientID, ClientSecret: s.ClientSecret.Reveal(), RefreshToken: s.RefreshToken.Reveal(),
		Vault: a.Store, Clock: a.Config.Clock, Logger: a.Log,
	})
	if err != nil {
		return slackToken{}, err
	}
	return slackToken{rotation.Placeholder, tokens.Client(&http.Client{Timeout: slackCall})}, nil
}

// overHTTP is where requests of Slack are taken; nil with Socket Mode.
func overHTTP(s app.Slack) *slackbot.HTTP {
	if !s.OverHTTP() {
		return nil
	}
	return &slackbot.HTTP{Addr: s.HTTPAddr, SigningSecret: s.SigningSecret.Reveal()}
}

// rightWorkspace refuses to start where the token is of another workspace than the store's. While Slack can't be asked the
// work goes on: without it nobody counts as an approver, and what was approved before was approved here.
func (a *App) rightWorkspace(ctx context.Context) error {
	team, err := a.people.Workspace(ctx)
	switch {
	case approvals.KindOf(err) == approvals.KindNoAnswer:
		a.Log.WarnContext(ctx, "it is not known yet which Slack workspace this is", "error", err)
		return nil
	case err != nil:
		return fmt.Errorf("the Slack workspace can't be served: %w", err)
	}
	a.Log.InfoContext(ctx, "the Slack workspace is the store's", "team", team)
	return nil
}
