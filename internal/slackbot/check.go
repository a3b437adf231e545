package slackbot

import (
	"context"
	"fmt"
	"strings"
)

// hint says what to do about one of Slack's error codes, for whoever runs the bot.
func hint(code string) string {
	switch code {
	case "invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive":
		return "the token is not valid: it was revoked, replaced or mistyped; copy it again from the app's settings"
	case "not_allowed_token_type":
		return "the token is of the wrong kind: the bot token begins with xoxb-, the app-level token with xapp-"
	case "missing_scope":
		return "the app lacks a scope; compare it with what `mde-slackbot manifest` prints, reinstall the app and copy the token again"
	case "app_not_found", "invalid_app_id", "app_not_eligible", "no_permission":
		return "the app configuration token is of a person, or for a workspace, that does not manage this app"
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
// token, the responder group and every channel. All faults are reported together; none shows a token. What works only in part
// is logged, because a bot with which people can still stop things is better than none.
func (b *Bot) Check(ctx context.Context) error {
	w := looker{api: b.slack.api, Workspace: Workspace{
		ResponderGroup: b.responders.Slack, Channels: b.channels, ApprovalChannel: b.approvalChannel,
	}, socket: b.socketMode}
	seen := w.look(ctx)
	if len(seen) == 1 && seen[0].Err != nil {
		return seen[0].Err // without its token nothing else could be asked
	}
	var faults []string
	for _, s := range seen {
		switch {
		case s.Err != nil && s.Partly:
			b.log.WarnContext(ctx, s.Err.Error(), "what", s.What)
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
