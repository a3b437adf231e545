package slackbot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/slack-go/slack"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
	"github.com/mde-ops/mde-ops/internal/slackbot/intake"
	"github.com/mde-ops/mde-ops/tools"
)

const (
	// actionWhole asks for a whole answer. It is part of the wire.
	actionWhole = "mde_whole"
	// actionMore asks for the next page of a list.
	actionMore = "mde_more"
	// muchMore is by how many bytes an answer has to be longer than what was shown of it, to be offered whole.
	muchMore = 6000
	// maxQuestion is what a button can carry.
	maxQuestion = 2000
)

// asked is the call behind an answer, as its button carries it.
type asked struct {
	Tool string          `json:"tool"`
	Args json.RawMessage `json:"args"`
}

// offerWhole adds a button to an answer that shows only the beginning. Collected evidence is never offered: it stays in the
// evidence store.
func (b *Bot) offerWhole(c *blockkit.Composer, call asked, res tools.Result) []slack.BlockElement {
	v, ok := b.grammar.tool(call.Tool)
	if !ok || !readable(v.tool) {
		return nil
	}
	all, err := json.Marshal(res.Output)
	value, bad := json.Marshal(call)
	if err != nil || bad != nil || len(value) > maxQuestion || (len(all) < len(res.Text)+muchMore && !c.Cut) {
		return nil
	}
	return []slack.BlockElement{blockkit.Button(actionWhole, "Whole answer as a file", string(value))}
}

// readable reports whether an answer may be asked for again by a press: of tools that read, and nothing of the collected
// evidence.
func readable(t tools.Tool) bool {
	return !t.Acts() && t.Annotations.ReadOnly && t.Toolset != tools.Evidence
}

// offerMore adds a button for the next page of a list.
func (b *Bot) offerMore(call asked, res tools.Result) []slack.BlockElement {
	var page struct {
		Cursor string `json:"cursor"`
	}
	args := map[string]any{}
	raw, err := json.Marshal(res.Output)
	if v, ok := b.grammar.tool(call.Tool); !ok || !readable(v.tool) {
		return nil
	}
	if err != nil || json.Unmarshal(raw, &page) != nil || page.Cursor == "" || json.Unmarshal(call.Args, &args) != nil {
		return nil
	}
	args["cursor"] = page.Cursor
	if call.Args, err = json.Marshal(args); err != nil {
		return nil
	}
	value, err := json.Marshal(call)
	if err != nil || len(value) > maxQuestion {
		return nil
	}
	return []slack.BlockElement{blockkit.Button(actionMore, "More", string(value))}
}

// sendMore answers with the next page.
func (b *Bot) sendMore(ctx context.Context, e intake.Delivery, ic slack.InteractionCallback, value string) {
	b.ack(ctx, e, nil)
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	call, res, err := b.askAgain(ctx, ic, value)
	m := blockkit.Text(sayRefused(err))
	if err == nil {
		m = b.result(call, res)
	} else {
		b.log.InfoContext(ctx, "a next page was not shown", "user", ic.User.ID, "error", err, "cause", errors.Unwrap(err))
	}
	b.tell(ctx, listener{responseURL: ic.ResponseURL, channel: ic.Container.ChannelID, user: ic.User.ID}, m)
}

// sendWhole asks the same again and sends all of the answer to whoever pressed, as a file that nobody else sees.
func (b *Bot) sendWhole(ctx context.Context, e intake.Delivery, ic slack.InteractionCallback, value string) {
	b.ack(ctx, e, nil)
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	to := listener{responseURL: ic.ResponseURL, channel: ic.Container.ChannelID, user: ic.User.ID}
	say := "The whole answer is in your direct messages with this app."
	if err := b.upload(ctx, ic, value); err != nil {
		b.log.InfoContext(ctx, "a whole answer was not sent", "user", ic.User.ID, "error", err, "cause", errors.Unwrap(err))
		say = sayRefused(err)
	}
	b.tell(ctx, to, blockkit.Text(say))
}

// askAgain makes the call behind a button of an answer, as whoever presses. Only what reads can be asked so.
func (b *Bot) askAgain(ctx context.Context, ic slack.InteractionCallback, value string) (call asked, res tools.Result, err error) {
	if err := json.Unmarshal([]byte(value), &call); err != nil {
		return call, res, invalid("this button does not say what was asked; type the command again")
	}
	v, known := b.grammar.tool(call.Tool)
	if !known || !readable(v.tool) {
		return call, res, invalid("this button does not belong to an answer; type the command again")
	}
	person, err := b.responder(ctx, teamOf(ic), ic.User.ID)
	if err != nil {
		return call, res, err
	}
	res, err = b.dispatcher.Call(ctx, tools.Call{
		Tool: call.Tool, Args: call.Args, Requester: approvals.Requester{Person: person, Verified: true, Via: approvals.ViaSlack},
	})
	return call, res, err
}

func (b *Bot) upload(ctx context.Context, ic slack.InteractionCallback, value string) error {
	call, res, err := b.askAgain(ctx, ic, value)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(res.Output)
	if err != nil {
		return err
	}
	var whole bytes.Buffer
	if err := json.Indent(&whole, raw, "", "  "); err != nil {
		return err
	}
	name := fmt.Sprintf("%s-%s.json", call.Tool, b.clock().UTC().Format("20060102T150405Z"))
	if err := b.slack.sendFile(ctx, ic.User.ID, name, whole.String()); err != nil {
		return noAnswer(err, "Slack did not take the file (%s); ask for less, or ask your administrator whether the app has files:write and im:write", errorCode(err))
	}
	return nil
}

// sendFile shares a file with one person, in the direct messages with them.
func (c *client) sendFile(ctx context.Context, user, name, content string) error {
	im, _, _, err := c.api.OpenConversationContext(ctx, &slack.OpenConversationParameters{Users: []string{user}})
	if err != nil {
		return fmt.Errorf("conversations.open: %w", err)
	}
	_, err = c.api.UploadFileContext(ctx, slack.UploadFileParameters{Filename: name, Title: name, Content: content, FileSize: len(content), Channel: im.ID})
	return err
}
