package slackbot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
	"github.com/mde-ops/mde-ops/internal/slackbot/cards"
	"github.com/mde-ops/mde-ops/internal/slackbot/intake"
	"github.com/mde-ops/mde-ops/tools"
)

// onCommand answers a slash command: in the acknowledgement when the answer is ready at once, otherwise afterwards. A tenant
// that is slow must not keep anybody waiting for a sign that the command arrived.
func (b *Bot) onCommand(ctx context.Context, e intake.Delivery) {
	cmd, ok := e.Data.(slack.SlashCommand)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	answer := make(chan blockkit.Message, 1)
	go func() { answer <- b.command(ctx, cmd, e.ID) }()
	var m blockkit.Message
	select {
	case m = <-answer:
		if payload := ephemeral(m); fits(payload) {
			b.ack(ctx, e, payload)
			return
		}
		b.ack(ctx, e, nil)
	case <-time.After(b.promptly):
		b.ack(ctx, e, nil)
		m = <-answer
	}
	b.tell(ctx, listener{responseURL: cmd.ResponseURL, channel: cmd.ChannelID, user: cmd.UserID}, m)
}

// ack acknowledges and logs when it could not; what was done stays done and a redelivery changes nothing.
func (b *Bot) ack(ctx context.Context, e intake.Delivery, payload any) {
	if err := e.Ack(ctx, payload); err != nil {
		b.log.WarnContext(ctx, "a Slack delivery could not be acknowledged", "type", string(e.Kind), "error", err)
	}
}

// listener is one person in one place.
type listener struct{ responseURL, channel, user string }

// tell shows m to one person. That it could not be shown changes nothing that was done.
func (b *Bot) tell(ctx context.Context, to listener, m blockkit.Message) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterLimit)
	defer cancel()
	if err := b.slack.whisper(ctx, to.responseURL, to.channel, to.user, m); err != nil {
		b.log.WarnContext(ctx, "a person could not be answered", "user", to.user, "error", err)
	}
}

// seenBefore is the answer to a delivery that came again: the first answer may have been lost with its connection.
const seenBefore = "This command arrived more than once and was taken once. If you saw no other answer, /mde requests shows what became of it."

// command does what was typed and returns the answer. A panic in it is an answer too, so that nobody waits for ever.
func (b *Bot) command(ctx context.Context, cmd slack.SlashCommand, envelopeID string) (m blockkit.Message) {
	defer func() {
		if p := recover(); p != nil {
			b.log.ErrorContext(ctx, "a command failed", "user", cmd.UserID, "panic", p)
			m = blockkit.Text(sayRefused(nil))
		}
	}()
	c, misspelt := b.grammar.parse(cmd.Text)
	// To stop is what every responder can do from wherever they are; all else has its channels.
	person, err := b.admit(ctx, cmd, misspelt == nil && c.Control == wordStop)
	if err != nil {
		return b.refusal(ctx, cmd, err)
	}
	if misspelt != nil {
		return b.refusal(ctx, cmd, misspelt)
	}
	if c.Help {
		return blockkit.Text(b.grammar.help(c.HelpOn))
	}
	first, err := b.firstTime(ctx, cmd.TeamID, envelopeID, cmd.TriggerID)
	if err != nil {
		return b.refusal(ctx, cmd, err)
	}
	if !first {
		b.log.InfoContext(ctx, "a command was delivered again and not repeated", "user", cmd.UserID)
		return blockkit.Text(seenBefore)
	}
	m, err = b.do(ctx, cmd, c, person)
	return b.answered(ctx, cmd, m, err)
}

// do does a command that arrived for the first time, and returns its answer.
func (b *Bot) do(ctx context.Context, cmd slack.SlashCommand, c command, person approvals.Person) (blockkit.Message, error) {
	switch c.Control {
	case wordStop:
		return b.stop(ctx, c, person)
	case wordBreakGlass:
		return b.offerGlass(ctx, cmd, c, person)
	}
	if m, opened := b.offerForm(ctx, cmd, c); opened {
		return m, nil
	}
	args, err := b.wholeIDs(ctx, c.Tool, c.Args)
	if err != nil {
		return blockkit.Message{}, err
	}
	c.Args = args
	res, err := b.dispatcher.Call(ctx, tools.Call{
		Tool: c.Tool, Args: c.Args,
		Requester: approvals.Requester{Person: person, Verified: true, Via: approvals.ViaSlack},
		Origin:    approvals.Origin{Channel: cmd.ChannelID},
	})
	if err != nil {
		return blockkit.Message{}, err
	}
	return b.result(asked{c.Tool, c.Args}, res), nil
}

// admit lets in responders in listed channels, or anywhere. Nothing that is unset or unanswered lets anybody in.
func (b *Bot) admit(ctx context.Context, cmd slack.SlashCommand, anywhere bool) (approvals.Person, error) {
	if b.responders.Empty() || (len(b.channels) == 0 && !anywhere) {
		b.log.ErrorContext(ctx, "a command was refused: set the responder group and the channels for commands")
		return approvals.Person{}, approvals.Refuse(approvals.KindDenied, nil, "commands are switched off: the administrator has not set who may use them, and where")
	}
	if !anywhere && !slices.Contains(b.channels, cmd.ChannelID) {
		return approvals.Person{}, approvals.Refuse(approvals.KindDenied, nil, "/mde does not work in this channel; use it in one that your administrator has listed")
	}
	return b.responder(ctx, cmd.TeamID, cmd.UserID)
}

// responder identifies somebody now, and refuses who is no responder.
func (b *Bot) responder(ctx context.Context, team, user string) (approvals.Person, error) {
	person, err := b.people.Identify(ctx, team, user)
	if err != nil {
		return approvals.Person{}, err
	}
	in, err := b.people.member(ctx, b.responders, person, user)
	if err != nil {
		return approvals.Person{}, err
	}
	if !in {
		return approvals.Person{}, approvals.Refuse(approvals.KindDenied, nil, "only members of the responder group can use /mde; ask your administrator to add you")
	}
	return person, nil
}

// refusal is the answer when nothing was done. The cause goes to the log only.
func (b *Bot) refusal(ctx context.Context, cmd slack.SlashCommand, err error) blockkit.Message {
	b.log.InfoContext(ctx, "a command was refused", "user", cmd.UserID, "channel", cmd.ChannelID, "error", err, "cause", errors.Unwrap(err))
	return blockkit.Text(sayRefused(err))
}

// sayRefused is what a person reads when nothing was done.
func sayRefused(err error) string {
	if approvals.KindOf(err) == "" {
		return "Something went wrong inside mde-ops; its log says more. Look at /mde requests before you try again."
	}
	return sentence(err.Error())
}

// sentence begins a text with a capital letter.
func sentence(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// compose adds a text whose tables stand in letters of one width.
func compose(c *blockkit.Composer, text string, tables []string) {
	for _, table := range tables {
		before, after, found := strings.Cut(text, table)
		if table == "" || !found {
			continue
		}
		c.Lines(linesOf(before)...)
		c.Table(strings.Split(table, "\n")...)
		text = after
	}
	c.Lines(linesOf(text)...)
}

// linesOf are the lines of a text without empty ones around it; none of an empty text.
func linesOf(text string) []string {
	if text = strings.Trim(text, "\n"); text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// result is the answer to a call. A gated one says what is waited for, where its card is and what can be typed next.
func (b *Bot) result(call asked, res tools.Result) blockkit.Message {
	c := blockkit.New()
	if r := res.Request; r != nil {
		c.Lines(fmt.Sprintf("Request %s is %s: %s.", r.ID, r.State, r.Plan.Preview))
		if res.Joined != "" {
			c.Lines(res.Joined)
		}
		c.Lines(cards.Approval(*r)...)
		if len(r.Plan.Warnings) > 0 {
			c.Lines(cards.Bullets(r.Plan.Warnings)...)
		}
		where := fmt.Sprintf("The card is in <#%s>. `/mde request %s` shows how far it is, `/mde cancel-request %s` withdraws it.", b.approvalChannel, r.ID, r.ID)
		c.Add(len(where), slack.NewContextBlock("", slack.NewTextBlockObject(slack.MarkdownType, where, false, true)))
		return c.Message(fmt.Sprintf("Request %s is %s: %s", r.ID, r.State, r.Plan.Preview), "There is more on the card.")
	}
	compose(c, strings.TrimSpace(forPeople(res)), res.Tables)
	return c.Message(res.Text, "The answer was longer than a message can be.", append(b.offerMore(call, res), b.offerWhole(c, call, res)...)...)
}
