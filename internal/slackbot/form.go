package slackbot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
	"github.com/mde-ops/mde-ops/internal/slackbot/forms"
	"github.com/mde-ops/mde-ops/internal/slackbot/intake"
	"github.com/mde-ops/mde-ops/tools"
)

// missing are the flags of the arguments that a call must have and has not.
func missing(t tools.Tool, args json.RawMessage) []string {
	given := map[string]json.RawMessage{}
	if err := json.Unmarshal(args, &given); err != nil {
		return nil // the tool says what is wrong with them
	}
	var out, either []string
	named := false
	for _, a := range t.Args {
		_, ok := given[a.Name]
		switch {
		case a.Required && !ok:
			out = append(out, a.Flag())
		case a.Positional && !ok && a.Default == "":
			either = append(either, a.Flag())
		}
		named = named || (ok && a.Name != reasonArgument && a.Type != tools.TypeBoolean)
	}
	if len(out) == 0 && !named && t.Acts() {
		return either // nothing says what the action is about
	}
	return out
}

// offerForm opens the form of a command that lacks something, with what was typed filled in. It reports false when nothing is
// missing, or when Slack did not open the window: then the tool itself says what is missing.
func (b *Bot) offerForm(ctx context.Context, cmd slack.SlashCommand, c command) (blockkit.Message, bool) {
	v, ok := b.grammar.tool(c.Tool)
	lacks := missing(v.tool, c.Args)
	if !ok || len(lacks) == 0 || cmd.TriggerID == "" {
		return blockkit.Message{}, false
	}
	f := forms.Form{Tool: v.tool, Args: c.Args, Origin: forms.Origin{Channel: cmd.ChannelID}}
	if _, err := b.slack.api.OpenViewContext(ctx, cmd.TriggerID, f.View()); err != nil {
		b.log.WarnContext(ctx, "a form was not opened", "tool", c.Tool, "user", cmd.UserID, "error", err)
		return blockkit.Message{}, false
	}
	return blockkit.Text(fmt.Sprintf("%s is missing: a form for /mde %s is open. Nothing is done before you submit it.",
		sentence(strings.Join(lacks, ", ")), v.word)), true
}

// openMenu shows the menu of tools to a responder.
func (b *Bot) openMenu(ctx context.Context, e intake.Delivery, ic slack.InteractionCallback) {
	b.ack(ctx, e, nil)
	ctx, cancel := context.WithTimeout(ctx, afterLimit)
	defer cancel()
	v := forms.Menu(b.grammar.tools(), forms.Origin{})
	if _, err := b.responder(ctx, teamOf(ic), ic.User.ID); err != nil {
		v = b.refusalNote(ctx, ic, err)
	}
	if _, err := b.slack.api.OpenViewContext(ctx, ic.TriggerID, v); err != nil {
		b.log.WarnContext(ctx, "the menu was not opened", "user", ic.User.ID, "error", err)
	}
}

// refusalNote is the window that says why nothing was done. The cause goes to the log only.
func (b *Bot) refusalNote(ctx context.Context, ic slack.InteractionCallback, err error) slack.ModalViewRequest {
	b.log.InfoContext(ctx, "a window was refused", "user", ic.User.ID, "error", err, "cause", errors.Unwrap(err))
	return forms.Note("MDE", sayRefused(err), "Nothing was done.")
}

// submitMenu goes on to the form of the tool that was chosen.
func (b *Bot) submitMenu(ctx context.Context, e intake.Delivery, ic slack.InteractionCallback) {
	v, known := b.grammar.tool(forms.Chosen(ic.View.State))
	origin, err := forms.ReadOrigin(ic.View.PrivateMetadata)
	if !known || err != nil {
		b.ack(ctx, e, nil)
		return
	}
	next := forms.Form{Tool: v.tool, Origin: origin}.View()
	if _, err := b.responder(e.Due, teamOf(ic), ic.User.ID); err != nil {
		next = b.refusalNote(ctx, ic, err)
	}
	b.ack(ctx, e, slack.NewUpdateViewSubmissionResponse(&next))
}

// submitted is what somebody sent with a form.
type submitted struct {
	tool   tools.Tool
	origin forms.Origin
	args   json.RawMessage
	to     listener
}

// submitForm makes the call that a form stands for, with the same checks as typed words. What is wrong is shown in the form,
// which stays open; an answer that takes longer than Slack waits is told afterwards.
func (b *Bot) submitForm(ctx context.Context, e intake.Delivery, ic slack.InteractionCallback) {
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	origin, err := forms.ReadOrigin(ic.View.PrivateMetadata)
	v, known := b.grammar.tool(origin.Tool)
	if err != nil || !known {
		b.ack(ctx, e, nil)
		return
	}
	s := submitted{tool: v.tool, origin: origin, to: listener{channel: origin.Channel, user: ic.User.ID}}
	if s.args, err = forms.Args(v.tool, ic.View.State); err != nil {
		b.ack(ctx, e, nil)
		return
	}
	type answer struct {
		m   blockkit.Message
		err error
	}
	done := make(chan answer, 1)
	go func() {
		m, err := b.callForm(ctx, e, ic, s)
		done <- answer{m, err}
	}()
	select {
	case a := <-done:
		if a.err != nil {
			b.ack(ctx, e, b.formRefused(ctx, ic, s, a.err))
			return
		}
		b.ack(ctx, e, nil)
		b.tell(ctx, s.to, a.m)
	case <-e.Due.Done():
		b.ack(ctx, e, nil)
		a := <-done
		if a.err != nil {
			a.m = blockkit.Text(sayRefused(a.err))
		}
		b.tell(ctx, s.to, a.m)
	}
}

// callForm checks who submits and calls the tool, once however often the submission is delivered.
func (b *Bot) callForm(ctx context.Context, e intake.Delivery, ic slack.InteractionCallback, s submitted) (m blockkit.Message, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			b.log.ErrorContext(ctx, "a form failed", "tool", s.tool.Name, "user", ic.User.ID, "panic", fault)
			err = errors.New("a form failed")
		}
	}()
	person, err := b.responder(ctx, teamOf(ic), ic.User.ID)
	if err != nil {
		return blockkit.Message{}, err
	}
	first, err := b.firstTime(ctx, ic.Team.ID, e.ID, ic.TriggerID)
	if err != nil {
		return blockkit.Message{}, err
	}
	if !first {
		return blockkit.Text(seenBefore), nil
	}
	res, err := b.dispatcher.Call(ctx, tools.Call{
		Tool: s.tool.Name, Args: s.args,
		Requester: approvals.Requester{Person: person, Verified: true, Via: approvals.ViaSlack},
		Origin:    approvals.Origin{Channel: s.origin.Channel},
	})
	if err != nil {
		return blockkit.Message{}, err
	}
	return b.result(asked{s.tool.Name, s.args}, res), nil
}

// formRefused shows what is wrong: beside the fields where they are named, above them otherwise.
func (b *Bot) formRefused(ctx context.Context, ic slack.InteractionCallback, s submitted, err error) *slack.ViewSubmissionResponse {
	b.log.InfoContext(ctx, "a form was refused", "tool", s.tool.Name, "user", ic.User.ID, "error", err, "cause", errors.Unwrap(err))
	notes := []string{sayRefused(err)}
	var problems tools.Problems
	if errors.As(err, &problems) {
		beside, rest := forms.Beside(s.tool, problems)
		if len(beside) > 0 && len(rest) == 0 {
			return slack.NewErrorsViewSubmissionResponse(beside)
		}
	}
	v := forms.Form{Tool: s.tool, Origin: s.origin, Args: s.args, Notes: notes}.View()
	return slack.NewUpdateViewSubmissionResponse(&v)
}
