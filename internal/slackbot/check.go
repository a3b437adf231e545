package slackbot

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/slack-go/slack"
)

var (
	channelID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[CGD][A-Z0-9]{2,30}$`) })
	groupID   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^S[A-Z0-9]{2,30}$`) })
)

// hint says what to do about one of Slack's error codes, for whoever runs the bot.
func hint(code string) string {
	switch code {
	case "invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive":
		return "the token is not valid: it was revoked, replaced or mistyped; copy it again from the app's settings"
	case "not_allowed_token_type":
		return "the token is of the wrong kind: the bot token begins with xoxb-, the app-level token with xapp-"
	case "missing_scope":
		return "the app lacks a scope; compare it with the manifest and reinstall the app"
	case "channel_not_found":
		return "there is no such channel, or it is private and the app was not invited"
	case "not_in_channel":
		return "invite the app to the channel"
	case "is_archived":
		return "the channel is archived; choose another"
	case "no_such_subteam", "subteam_not_found", "invalid_usergroup":
		return "there is no such user group; copy the id (S…) from the group's details"
	case "plan_upgrade_required", "paid_only", "paid_teams_only":
		return "user groups need a paid Slack plan; list the people in the policy instead"
	case "invalid_blocks", "msg_blocks_too_long":
		return "Slack refused the message's content; please report this with the request id"
	}
	return "see the error's page in Slack's documentation"
}

func explain(what string, err error) error {
	code := errorCode(err)
	if code == "" {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: Slack answered %s: %s", what, code, hint(code))
}

// Check asks Slack whether everything that the bot is configured with exists and is allowed: the bot token, the app-level
// token, the responder group and every channel. All faults are reported together; none shows a token.
func (b *Bot) Check(ctx context.Context) error {
	w := workspace{api: b.slack.api, responders: b.responders.Slack, channels: b.channels, approvals: b.approvalChannel, socket: true}
	seen := w.look(ctx)
	if len(seen) == 1 && seen[0].Err != nil {
		return seen[0].Err // without its token nothing else could be asked
	}
	var faults []string
	for _, s := range seen {
		switch {
		case s.Err != nil:
			faults = append(faults, s.Err.Error())
		case s.Doubt != "":
			b.log.WarnContext(ctx, s.Doubt, "what", s.What)
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("slack is not set up: %s", strings.Join(faults, "; "))
	}
	return nil
}

// Workspace is what a bot is configured with. Empty fields are not looked at.
type Workspace struct {
	APIURL, BotToken, AppToken string
	ResponderGroup             string
	ApproverGroups             []string // ids of the Slack groups that policy asks
	Channels                   []string
	ApprovalChannel            string
}

// Sight is what Slack says of one thing. No field shows a token.
type Sight struct {
	What, Said string
	// Doubt is what a person should look at, though the bot can work.
	Doubt string
	// Err says why the bot can't work.
	Err error
}

// LookAt asks Slack about everything that a bot is configured with. It posts nothing.
func LookAt(ctx context.Context, o Workspace) ([]Sight, error) {
	c, err := newClient(clientOptions{APIURL: o.APIURL, BotToken: o.BotToken, AppToken: o.AppToken})
	if err != nil {
		return nil, err
	}
	w := workspace{
		api: c.api, responders: o.ResponderGroup, approvers: o.ApproverGroups, channels: o.Channels, approvals: o.ApprovalChannel,
		socket: o.AppToken != "",
	}
	return w.look(ctx), nil
}

// workspace asks Slack about what a bot is configured with.
type workspace struct {
	api        *slack.Client
	responders string
	approvers  []string
	channels   []string
	approvals  string
	socket     bool
}

func (w workspace) look(ctx context.Context) []Sight {
	me, err := w.api.AuthTestContext(ctx)
	if err != nil {
		return []Sight{{What: "bot token", Err: explain("the bot token", err)}}
	}
	seen := []Sight{{What: "bot token", Said: fmt.Sprintf("it is %s of %s", me.User, me.Team)}}
	if s, known := scopes(me.Header.Get("X-Oauth-Scopes")); known {
		seen = append(seen, s)
	}
	if w.socket {
		seen = append(seen, w.lookAtSocket(ctx))
	}
	if w.responders != "" {
		seen = append(seen, w.group(ctx, "responder group", w.responders))
	}
	for _, id := range w.approvers {
		seen = append(seen, w.group(ctx, "approver group", id))
	}
	if w.approvals != "" {
		seen = append(seen, w.channel(ctx, "approval channel", w.approvals))
	}
	for _, id := range w.channels {
		seen = append(seen, w.channel(ctx, "channel for commands", id))
	}
	return seen
}

// needed are the scopes without which the bot can't do its work.
func needed() []string {
	return []string{"commands", "chat:write", "users:read", "users:read.email", "usergroups:read"}
}

// scopes compares what the token may do with what the bot needs; false when Slack did not say.
func scopes(header string) (Sight, bool) {
	if header == "" {
		return Sight{}, false
	}
	var held, missing []string
	for s := range strings.SplitSeq(header, ",") {
		held = append(held, strings.TrimSpace(s))
	}
	for _, s := range needed() {
		if !slices.Contains(held, s) {
			missing = append(missing, s)
		}
	}
	if len(missing) > 0 {
		return Sight{What: "scopes", Err: fmt.Errorf("the bot token lacks %s: %s", strings.Join(missing, ", "), hint("missing_scope"))}, true
	}
	return Sight{What: "scopes", Said: "enough: " + strings.Join(needed(), ", ")}, true
}

// lookAtSocket asks for an address to connect to, as a bot does at its start. Nothing connects there.
func (w workspace) lookAtSocket(ctx context.Context) Sight {
	if _, _, err := w.api.StartSocketModeContext(ctx); err != nil {
		return Sight{What: "app-level token", Err: explain("the app-level token", err)}
	}
	return Sight{What: "app-level token", Said: "Slack gives an address to connect to"}
}

func (w workspace) group(ctx context.Context, what, id string) Sight {
	members, err := w.api.GetUserGroupMembersContext(ctx, id)
	switch {
	case err != nil:
		return Sight{What: what, Err: explain("the "+what+" "+id, err)}
	case len(members) == 0:
		return Sight{What: what, Doubt: fmt.Sprintf("nobody is in %s: add people to the user group", id)}
	}
	return Sight{What: what, Said: fmt.Sprintf("%s has %d people", id, len(members))}
}

func (w workspace) channel(ctx context.Context, what, id string) Sight {
	s := Sight{What: what}
	info, err := w.api.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: id})
	switch {
	case errorCode(err) == "missing_scope": // posting does not need the scope
		s.Doubt = fmt.Sprintf("%s can't be checked without the scope channels:read (groups:read for a private channel)", id)
	case err != nil:
		s.Err = explain("the "+what+" "+id, err)
	case info.IsArchived:
		s.Err = fmt.Errorf("the %s %s: %s", what, id, hint("is_archived"))
	case id == w.approvals && !info.IsMember && !info.IsIM:
		s.Err = fmt.Errorf("the %s %s: %s", what, id, hint("not_in_channel"))
	default:
		s.Said = id + " can be used"
	}
	return s
}
