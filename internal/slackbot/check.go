package slackbot

import (
	"context"
	"fmt"
	"regexp"
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
	if _, err := b.slack.api.AuthTestContext(ctx); err != nil {
		return explain("the bot token", err)
	}
	var faults []string
	note := func(err error) {
		if err != nil {
			faults = append(faults, err.Error())
		}
	}
	if _, _, err := b.slack.api.StartSocketModeContext(ctx); err != nil {
		note(explain("the app-level token", err))
	}
	if group := b.responders.Slack; group != "" {
		if _, err := b.slack.api.GetUserGroupMembersContext(ctx, group); err != nil {
			note(explain("the responder group "+group, err))
		}
	}
	note(b.checkChannel(ctx, "the approval channel", b.approvalChannel))
	for _, c := range b.channels {
		note(b.checkChannel(ctx, "the channel for commands", c))
	}
	if len(faults) > 0 {
		return fmt.Errorf("slack is not set up: %s", strings.Join(faults, "; "))
	}
	return nil
}

func (b *Bot) checkChannel(ctx context.Context, what, id string) error {
	info, err := b.slack.api.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: id})
	switch {
	case errorCode(err) == "missing_scope":
		b.log.WarnContext(ctx, "the channel can't be checked without the scope channels:read (groups:read for a private one)", "channel", id)
		return nil // posting does not need the scope
	case err != nil:
		return explain(what+" "+id, err)
	case info.IsArchived:
		return fmt.Errorf("%s %s: %s", what, id, hint("is_archived"))
	case id == b.approvalChannel && !info.IsMember && !info.IsIM:
		return fmt.Errorf("%s %s: %s", what, id, hint("not_in_channel"))
	}
	return nil
}
