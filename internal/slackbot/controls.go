package slackbot

import (
	"context"
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/internal/nearest"
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
}

// stop presses the kill switch or freezes a toolset, and tells the approvers' channel.
func (b *Bot) stop(ctx context.Context, c command, person approvals.Person) (message, error) {
	if b.board == nil {
		return message{}, approvals.Refuse(approvals.KindDenied, nil, "nothing was stopped: this bot was started without its switches; use the operator's command")
	}
	scope, err := b.scope(c.Words)
	if err != nil {
		return message{}, err
	}
	by := approvals.Requester{Person: person, Verified: true, Via: approvals.ViaSlack}
	if err := b.board.Stop(ctx, control.Order{Scope: scope, By: by, Why: c.Reason}); err != nil {
		return message{}, err
	}
	told := fmt.Sprintf("Everybody is told in <#%s>.", b.approvalChannel)
	if _, err := b.slack.post(ctx, b.approvalChannel, "", renderStop(scope, person, c.Reason)); err != nil {
		b.log.ErrorContext(ctx, "a stop could not be announced", "scope", scope, "error", err)
		told = "It could not be announced in the approvers' channel: tell people yourself."
	}
	m := newComposer()
	m.lines(sentence(stoppedWords(scope))+". Nothing more of it is sent, what had not begun is cancelled, and what runs is held between two steps.",
		"Only approvers can lift it: /mde lift "+scope+" because REASON asks them.")
	m.markup(told)
	return m.message(sentence(stoppedWords(scope)), ""), nil
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
func renderStop(scope string, by approvals.Person, why string) message {
	c := newComposer()
	headline := "STOPPED: nothing is done any more"
	if scope != approvals.ScopeAll {
		headline = "FROZEN: the toolset " + scope
	}
	if strings.TrimSpace(why) == "" {
		why = "no reason given"
	}
	c.header(headline)
	c.lines(named(by)+" pressed stop, saying "+quote(why),
		"What had not begun is cancelled; what runs is held between two steps; what was sent already is followed.",
		"Approvers lift it: /mde lift "+scope+" because REASON asks for that.")
	return c.message(headline+", by "+by.ID, "")
}

// answered is a command's answer, or the refusal where there is none.
func (b *Bot) answered(ctx context.Context, cmd slack.SlashCommand, m message, err error) message {
	if err != nil {
		return b.refusal(ctx, cmd, err)
	}
	return m
}
