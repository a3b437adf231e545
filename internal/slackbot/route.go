package slackbot

import (
	"context"
	"slices"
	"strings"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"

	"github.com/mde-ops/mde-ops/internal/slackbot/cards"
	"github.com/mde-ops/mde-ops/internal/slackbot/forms"
	"github.com/mde-ops/mde-ops/internal/slackbot/home"
	"github.com/mde-ops/mde-ops/internal/slackbot/intake"
	"github.com/mde-ops/mde-ops/internal/slackbot/manifest"
)

// onInteraction hands what people press, submit and choose to what it belongs to. What nobody knows is acknowledged and
// ignored: it may be from an older or a newer version of a message.
func (b *Bot) onInteraction(ctx context.Context, e intake.Delivery) {
	ic, ok := e.Data.(slack.InteractionCallback)
	if !ok {
		return
	}
	switch ic.Type {
	case slack.InteractionTypeBlockActions:
		b.onPress(ctx, e, ic)
	case slack.InteractionTypeViewSubmission:
		b.onSubmit(ctx, e, ic)
	case slack.InteractionTypeShortcut, slack.InteractionTypeMessageAction:
		b.onShortcut(ctx, e, ic)
	default:
		b.ack(ctx, e, nil)
	}
}

// onShortcut routes a shortcut by its callback id.
func (b *Bot) onShortcut(ctx context.Context, e intake.Delivery, ic slack.InteractionCallback) {
	switch ic.CallbackID {
	case manifest.ShortcutAsk:
		b.openMenu(ctx, e, ic)
	case manifest.ShortcutLookUp:
		b.lookUpMessage(ctx, e, ic)
	default:
		b.ack(ctx, e, nil)
	}
}

// callsTool reports whether an interaction calls a tool as a command does.
func callsTool(ic slack.InteractionCallback) bool {
	if ic.Type == slack.InteractionTypeBlockActions {
		return slices.ContainsFunc(ic.ActionCallback.BlockActions, func(a *slack.BlockAction) bool {
			return strings.HasPrefix(a.ActionID, actionLookUp) || a.ActionID == actionWhole || a.ActionID == actionMore
		})
	}
	return ic.Type == slack.InteractionTypeViewSubmission && ic.View.CallbackID == forms.ViewForm
}

// onPress routes a press by the id of what was pressed.
func (b *Bot) onPress(ctx context.Context, e intake.Delivery, ic slack.InteractionCallback) {
	if len(ic.ActionCallback.BlockActions) != 1 {
		b.ack(ctx, e, nil)
		return
	}
	action := ic.ActionCallback.BlockActions[0]
	switch {
	case action.ActionID == actionWhole:
		b.sendWhole(ctx, e, ic, action.Value)
	case action.ActionID == actionMore:
		b.sendMore(ctx, e, ic, action.Value)
	case strings.HasPrefix(action.ActionID, actionLookUp):
		b.pressLookUp(ctx, e, ic, action)
	case strings.HasPrefix(action.ActionID, home.Prefix):
		b.pressHome(ctx, e, ic, action)
	case strings.HasPrefix(action.ActionID, cards.ActionPage):
		b.ack(ctx, e, nil)
		b.turnPage(ctx, ic, action.Value)
	default:
		b.pressCard(ctx, e, ic, action)
	}
}

// onSubmit routes the submission of a modal by its callback id.
func (b *Bot) onSubmit(ctx context.Context, e intake.Delivery, ic slack.InteractionCallback) {
	switch ic.View.CallbackID {
	case viewGlass:
		b.submitGlass(ctx, e, ic)
	case home.ViewStop:
		b.submitStop(ctx, e, ic)
	case forms.ViewForm:
		b.submitForm(ctx, e, ic)
	case forms.ViewMenu:
		b.submitMenu(ctx, e, ic)
	default:
		b.submitCard(ctx, e, ic)
	}
}

// onOptions answers what a menu offers for what was typed into it. A menu that nobody knows offers nothing.
func (b *Bot) onOptions(ctx context.Context, e intake.Delivery) {
	if ic, ok := e.Data.(slack.InteractionCallback); ok && ic.ActionID == forms.ActionPick {
		b.pickDevice(ctx, e, ic)
		return
	}
	b.ack(ctx, e, noOptions())
}

// noOptions is the answer of a menu that has nothing to offer. Slack wants the list all the same, and slack.OptionsResponse
// leaves an empty one out.
func noOptions() map[string]any { return map[string]any{"options": []any{}} }

// onEvent acts on an event once, however often it is delivered. While nobody can say whether it was seen it is not
// acknowledged, so that it comes again.
func (b *Bot) onEvent(ctx context.Context, e intake.Delivery) {
	ev, ok := e.Data.(slackevents.EventsAPIEvent)
	outer, callback := ev.Data.(*slackevents.EventsAPICallbackEvent)
	if !ok || !callback {
		b.ack(ctx, e, nil)
		return
	}
	first, err := b.unseen(e.Due, ev.TeamID, map[string]string{"slack-event": outer.EventID})
	if err != nil {
		b.log.WarnContext(ctx, "an event was not taken: it is not known whether it came before", "type", ev.InnerEvent.Type, "error", err)
		return
	}
	b.ack(ctx, e, nil)
	if first {
		b.happened(ctx, ev)
	}
}

// happened routes an event by its kind.
func (b *Bot) happened(ctx context.Context, ev slackevents.EventsAPIEvent) {
	switch inner := ev.InnerEvent.Data.(type) {
	case *slackevents.AppHomeOpenedEvent:
		if inner.Tab == "home" {
			b.openedHome(ctx, ev.TeamID, inner.User)
		}
	case *slackevents.AppUninstalledEvent:
		b.log.ErrorContext(ctx, "the app was removed from the workspace: nobody can ask or vote; install it again", "team", ev.TeamID)
	case *slackevents.TokensRevokedEvent:
		b.log.ErrorContext(ctx, "tokens of the app were revoked; where the bot's is one of them, install the app again and give the bot its new token",
			"team", ev.TeamID, "bots", len(inner.Tokens.Bot), "people", len(inner.Tokens.Oauth))
	}
}
