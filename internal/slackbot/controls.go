package slackbot

import (
	"context"
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/internal/nearest"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
	"github.com/mde-ops/mde-ops/internal/slackbot/cards"
)

// The words that are no tool's. They come before the tools' words, so that no tool can take one over.
const (
	wordStop       = "stop"
	wordBreakGlass = "break-glass"
	// wordLift belongs to the tool that asks for a stop to be lifted, whatever other tools are called.
	wordLift = "lift"
)

// controls lists the forms of the words that are no tool's, and what they do.
func controls() []verb {
	return []verb{
		{word: wordStop, form: "/mde stop [TOOLSET] because REASON", brief: "Stop all acting at once, or freeze one toolset. Any responder may; only approvers lift it"},
		{word: wordBreakGlass, form: "/mde break-glass DEVICE", brief: "Isolate a device at once without other people's yes, in an emergency, if policy names you. Everybody is told"},
	}
}

// control makes a command of the words after one of those words.
func (v verb) control(words []string, reason string) (command, error) {
	switch {
	case v.word == wordStop && len(words) > 1:
		return command{}, invalid("Nothing was stopped: /mde stop takes one toolset, or nothing to stop everything. Put your reason after the word because.")
	case v.word == wordBreakGlass && len(words) != 1:
		return command{}, invalid("Name exactly one device: /mde break-glass DEVICE.")
	}
	return command{Control: v.word, Words: words, Reason: reason}, nil
}

// switches is the board as the bot presses it.
type switches interface {
	Stop(ctx context.Context, o control.Order) error
	InForce(ctx context.Context) ([]approvals.Stop, error)
}

// stop presses the kill switch or freezes a toolset, and tells the approvers' channel.
func (b *Bot) stop(ctx context.Context, c command, person approvals.Person) (blockkit.Message, error) {
	if b.board == nil {
		return blockkit.Message{}, approvals.Refuse(approvals.KindDenied, nil, "nothing was stopped: this bot was started without its switches; use the operator's command")
	}
	scope, err := b.scope(c.Words)
	if err != nil {
		return blockkit.Message{}, err
	}
	by := approvals.Requester{Person: person, Verified: true, Via: approvals.ViaSlack}
	if err := b.board.Stop(ctx, control.Order{Scope: scope, By: by, Why: c.Reason}); err != nil {
		return blockkit.Message{}, err
	}
	told := fmt.Sprintf("Everybody is told in <#%s>.", b.approvalChannel)
	if err := b.announce(ctx, renderStop(scope, person, c.Reason)); err != nil {
		b.log.ErrorContext(ctx, "a stop could not be announced", "scope", scope, "error", err)
		told = "It could not be announced in the approvers' channel: tell people yourself."
	}
	m := blockkit.New()
	m.Lines(sentence(cards.StoppedWords(scope))+". Nothing more of it is sent, what had not begun is cancelled, and what runs is held between two steps.",
		"Only approvers can lift it: /mde lift "+scope+" because REASON asks them.")
	m.Markup(told)
	return m.Message(sentence(cards.StoppedWords(scope)), ""), nil
}

// announce posts in the approvers' channel at once; everything else that is posted there makes way.
func (b *Bot) announce(ctx context.Context, m blockkit.Message) error {
	b.pace.ahead(b.approvalChannel, b.clock())
	_, err := b.slack.post(ctx, b.approvalChannel, "", m)
	return err
}

// scope reads what to stop: nothing, all and everything mean everything.
func (b *Bot) scope(words []string) (string, error) {
	if len(words) == 0 {
		return approvals.ScopeAll, nil
	}
	word := strings.ToLower(words[0])
	if word == approvals.ScopeAll || word == "everything" {
		return approvals.ScopeAll, nil
	}
	sets := b.grammar.toolsets()
	for _, s := range sets {
		if s == word {
			return s, nil
		}
	}
	offer := ""
	if near, ok := nearest.Word(word, sets); ok {
		offer = fmt.Sprintf(" Did you mean /mde stop %s?", near)
	}
	return "", invalid("Nothing was stopped: there is no toolset %q; there are %s.%s /mde stop alone stops everything.",
		words[0], strings.Join(sets, ", "), offer)
}

// renderStop tells the approvers' channel that something was stopped.
func renderStop(scope string, by approvals.Person, why string) blockkit.Message {
	c := blockkit.New()
	headline := "STOPPED: nothing is done any more"
	if scope != approvals.ScopeAll {
		headline = "FROZEN: the toolset " + scope
	}
	if strings.TrimSpace(why) == "" {
		why = "no reason given"
	}
	c.Header(headline)
	c.Lines(cards.Named(by)+" pressed stop, saying "+blockkit.Quote(why),
		"What had not begun is cancelled; what runs is held between two steps; what was sent already is followed.",
		"Approvers lift it: /mde lift "+scope+" because REASON asks for that.")
	return c.Message(headline+", by "+by.ID, "")
}

// answered is a command's answer, or the refusal where there is none.
func (b *Bot) answered(ctx context.Context, cmd slack.SlashCommand, m blockkit.Message, err error) blockkit.Message {
	if err != nil {
		return b.refusal(ctx, cmd, err)
	}
	return m
}
