package slackbot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/mde-ops/mde-ops/internal/slackbot/manifest"
)

// Workspace is what a bot is configured with. Empty fields are not looked at.
type Workspace struct {
	APIURL, BotToken, AppToken string
	HTTPClient                 *http.Client
	Team                       string // the only workspace that is served
	ResponderGroup             string
	ApproverGroups             []string // ids of the Slack groups that policy asks
	Channels                   []string
	ApprovalChannel            string
	App                        *App
}

// App is how a bot is set up to be delivered to, and with what its app can be compared with the manifest.
type App struct {
	OverHTTP, Renews bool
	ConfigToken      string
}

// Sight is what Slack says of one thing. No field shows a token.
type Sight struct {
	What, Said string
	// Doubt is what a person should look at, though the bot can work.
	Doubt string
	// Err says why the bot can't work, or with Partly what of it can't.
	Err    error
	Partly bool
}

// LookAt asks Slack about everything that a bot is configured with. It posts nothing.
func LookAt(ctx context.Context, o Workspace) ([]Sight, error) {
	w, err := newLooker(o)
	if err != nil {
		return nil, err
	}
	return w.look(ctx), nil
}

// LookAtStore compares the workspace of the bot token with the one that a store belongs to. It claims nothing.
func LookAtStore(ctx context.Context, o Workspace, k Keeper) (Sight, error) {
	w, err := newLooker(o)
	if err != nil {
		return Sight{}, err
	}
	s := Sight{What: "workspace of the store"}
	me, err := w.api.AuthTestContext(ctx)
	if err != nil {
		s.Err = explain("the bot token", err)
		return s, nil
	}
	saw, err := k.Kept(ctx, keptWorkspace)
	switch {
	case err != nil:
		s.Err = fmt.Errorf("the store could not be asked which workspace it belongs to: %w", err)
	case saw.Version == 0:
		s.Said = fmt.Sprintf("none yet: the next start writes %s", me.TeamID)
	default:
		s.Said, s.Err = saw.Value, owned(saw.Value, me.TeamID)
	}
	return s, nil
}

// looker asks Slack about what a bot is configured with.
type looker struct {
	Workspace

	api    *slack.Client
	socket bool
}

func newLooker(o Workspace) (looker, error) {
	c, err := newClient(clientOptions{APIURL: o.APIURL, BotToken: o.BotToken, AppToken: o.AppToken, HTTPClient: o.HTTPClient})
	if err != nil {
		return looker{}, err
	}
	o.APIURL = c.url
	return looker{Workspace: o, api: c.api, socket: o.AppToken != ""}, nil
}

func (w looker) look(ctx context.Context) []Sight {
	me, err := w.api.AuthTestContext(ctx)
	if err != nil {
		return []Sight{{What: "bot token", Err: explain("the bot token", err)}}
	}
	seen := []Sight{{What: "bot token", Said: fmt.Sprintf("it is %s of %s", me.User, me.Team)}, w.team(me.TeamID)}
	seen = append(seen, scopes(me.Header.Get("X-Oauth-Scopes"))...)
	if w.socket {
		seen = append(seen, w.lookAtSocket(ctx))
	}
	if w.App != nil {
		seen = append(seen, w.app(ctx, me.BotID)...)
	}
	if w.ResponderGroup != "" {
		seen = append(seen, w.group(ctx, "responder group", w.ResponderGroup))
	}
	for _, id := range w.ApproverGroups {
		seen = append(seen, w.group(ctx, "approver group", id))
	}
	if w.ApprovalChannel != "" {
		seen = append(seen, w.channel(ctx, "approval channel", w.ApprovalChannel))
	}
	for _, id := range w.Channels {
		seen = append(seen, w.channel(ctx, "channel for commands", id))
	}
	return seen
}

func (w looker) team(id string) Sight {
	return Sight{What: "workspace", Said: id, Err: servable(id, w.Team)}
}

// vital are the scopes without which nobody can ask or vote, so that a bot does not start.
func vital() []string {
	return []string{"commands", "chat:write", "users:read", "users:read.email", "usergroups:read"}
}

// scopes compares what the token may do with what the manifest says.
func scopes(header string) []Sight {
	held := strings.FieldsFunc(header, func(r rune) bool { return r == ',' || r == ' ' })
	if len(held) == 0 {
		return []Sight{{What: "scopes", Doubt: "Slack did not say what the bot token may do, so it was not compared with the manifest"}}
	}
	var seen []Sight
	missing, superfluous := manifest.Compare(held)
	for _, s := range missing {
		seen = append(seen, Sight{What: "scopes", Partly: !slices.Contains(vital(), s.Name), Err: fmt.Errorf("the bot token lacks %s: without it, %s; "+
			"add it as `mde-slackbot manifest` has it, reinstall the app and copy the token again", s.Name, s.Lost)})
	}
	if len(superfluous) > 0 {
		seen = append(seen, Sight{What: "scopes", Doubt: fmt.Sprintf("the bot token also has %s, and nothing here uses it: take it from the app and reinstall the app",
			strings.Join(superfluous, ", "))})
	}
	if len(seen) == 0 {
		seen = append(seen, Sight{What: "scopes", Said: "enough and no more: " + strings.Join(held, ", ")})
	}
	return seen
}

// lookAtSocket asks for an address to connect to, as a bot does at its start. Nothing connects there.
func (w looker) lookAtSocket(ctx context.Context) Sight {
	s := Sight{What: "app-level token", Said: "Slack gives an address to connect to"}
	_, _, err := w.api.StartSocketModeContext(ctx)
	switch {
	case errorCode(err) == "missing_scope":
		lost := manifest.AppScopes()[0]
		s.Err = fmt.Errorf("the app-level token lacks %s: without it, %s; make another one under Basic Information, App-Level Tokens", lost.Name, lost.Lost)
	case err != nil:
		s.Err = explain("the app-level token", err)
	}
	return s
}

// app compares the installed app with the manifest, where there is a token that may read it.
func (w looker) app(ctx context.Context, bot string) []Sight {
	if w.App.ConfigToken == "" {
		return []Sight{{What: "app", Doubt: "its command, shortcuts, events and the way in which Slack delivers were not compared with the manifest: " +
			"only an app configuration token may read them (MDE_SLACK_CONFIG_TOKEN, for this one run)"}}
	}
	got, err := w.compare(ctx, bot)
	if err != nil {
		return []Sight{{What: "app", Partly: true, Err: fmt.Errorf("the app could not be compared with the manifest: %w", err)}}
	}
	var seen []Sight
	for _, d := range got.Differences {
		s := Sight{What: "app", Doubt: d.Says}
		if d.Lost != "" {
			s.Doubt, s.Err = "", fmt.Errorf("%s: %s; mend it as `mde-slackbot manifest` has it, and reinstall the app", d.Says, d.Lost)
		}
		seen = append(seen, s)
	}
	if len(seen) > 0 {
		return seen
	}
	said := "it is as its manifest"
	if got.Base != "" {
		said += ", and Slack posts to " + got.Base
	}
	return []Sight{{What: "app", Said: said}}
}

// compare asks for the app's manifest with the configuration token, which goes nowhere else.
func (w looker) compare(ctx context.Context, bot string) (manifest.Comparison, error) {
	token := w.App.ConfigToken
	if err := tokenKind("MDE_SLACK_CONFIG_TOKEN", token, "xoxe.xoxp-"); err != nil {
		return manifest.Comparison{}, err
	}
	info, err := w.api.GetBotInfoContext(ctx, slack.GetBotInfoParameters{Bot: bot})
	switch {
	case err != nil:
		return manifest.Comparison{}, explain("which app it is", err)
	case info.AppID == "":
		return manifest.Comparison{}, errors.New("Slack did not say which app it is") //nolint:staticcheck // Slack is a name
	}
	plain := slack.New("", slack.OptionAPIURL(w.APIURL), slack.OptionHTTPClient(&http.Client{Timeout: callTimeout}))
	raw, err := plain.ExportManifestRawContext(ctx, token, info.AppID)
	switch code := errorCode(err); {
	case code == "token_expired" || code == "invalid_auth":
		return manifest.Comparison{}, fmt.Errorf("the app configuration token: Slack answered %s: such a token ends after 12 hours; make another one", code)
	case err != nil:
		return manifest.Comparison{}, explain("the app configuration token", err)
	}
	return manifest.Installed{Manifest: raw, OverHTTP: w.App.OverHTTP, Rotates: w.App.Renews}.Compare()
}

func (w looker) group(ctx context.Context, what, id string) Sight {
	members, err := w.api.GetUserGroupMembersContext(ctx, id)
	switch {
	case err != nil:
		return Sight{What: what, Err: explain("the "+what+" "+id, err)}
	case len(members) == 0:
		return Sight{What: what, Doubt: fmt.Sprintf("nobody is in %s: add people to the user group", id)}
	}
	return Sight{What: what, Said: fmt.Sprintf("%s has %d people", id, len(members))}
}

func (w looker) channel(ctx context.Context, what, id string) Sight {
	s := Sight{What: what}
	info, err := w.api.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: id})
	switch {
	case errorCode(err) == "missing_scope": // posting does not need the scope
		s.Doubt = fmt.Sprintf("%s can't be looked at without the scope channels:read, or groups:read for a private channel: "+
			"make the app with `mde-slackbot manifest --looks`, or see to it that the channel exists and the app is in it", id)
	case err != nil:
		s.Err = explain("the "+what+" "+id, err)
	case info.IsArchived:
		s.Err = fmt.Errorf("the %s %s: %s", what, id, hint("is_archived"))
	case id == w.ApprovalChannel && !info.IsMember && !info.IsIM:
		s.Err = fmt.Errorf("the %s %s: %s", what, id, hint("not_in_channel"))
	default:
		s.Said = id + " can be used"
	}
	return s
}
