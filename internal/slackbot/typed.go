package slackbot

import (
	"context"
	"errors"

	"github.com/slack-go/slack"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
	"github.com/mde-ops/mde-ops/internal/slackbot/cards"
	"github.com/mde-ops/mde-ops/internal/slackbot/intake"
)

// errUntyped is a yes without what has to be typed with it.
var errUntyped = errors.New("a yes came without its typed confirmation")

// typed refuses a yes to what is destructive or large when what was typed with it is not what was asked for. Every yes comes
// through here, whatever button or window it is said to come from.
func (b *Bot) typed(p press, r approvals.Request, verdict approvals.Verdict) error {
	t := cards.TypingFor(r.Plan, b.largePlan)
	if verdict == approvals.VerdictDeny || t.Met(p.typed) {
		return nil
	}
	return approvals.Refuse(approvals.KindInvalid, errUntyped, "type %s", t.Label)
}

// offer is the yes that a person could give from the details.
func (b *Bot) offer(r approvals.Request, now approvals.Outcome, who approvals.Person) cards.Yes {
	return b.withTyping(r, cards.YesFor(r, now, who))
}

func (b *Bot) withTyping(r approvals.Request, y cards.Yes) cards.Yes {
	if y.Verdict != "" {
		y.Typing = cards.TypingFor(r.Plan, b.largePlan)
	}
	return y
}

// askTyping opens the window in which the yes that was pressed is typed, or the whole details where it would not hold all.
func (b *Bot) askTyping(ctx context.Context, p press, verdict approvals.Verdict) {
	b.open(ctx, p, func(ctx context.Context, who approvals.Person, r approvals.Request) (slack.ModalViewRequest, error) {
		now, err := b.mayRead(ctx, who, p.user, r)
		if err != nil {
			return slack.ModalViewRequest{}, err
		}
		y := b.withTyping(r, cards.YesOf(r, now, verdict))
		if y.Verdict == "" {
			return slack.ModalViewRequest{}, approvals.Refuse(approvals.KindConflict, nil, "request %s is %s; nothing was counted", r.ID, r.State)
		}
		if v, whole := cards.TypedView(r, p.card, y); whole {
			return v, nil
		}
		return cards.DetailsView(r, p.card, 0, y), nil
	})
}

// submitYes takes the yes at the end of the details, or the one that was typed. What is wrong with a typed one is shown beside
// its field while the window stays open.
func (b *Bot) submitYes(ctx context.Context, e intake.Delivery, ic slack.InteractionCallback, p press, verdict approvals.Verdict) {
	p.typed = filledIn(ic.View, cards.BlockTyped, cards.InputTyped)
	answer, err := b.vote(e.Due, p, verdict, "")
	if err != nil && hasField(ic.View, cards.BlockTyped) {
		b.ack(ctx, e, fieldError(cards.BlockTyped, answer))
		return
	}
	b.ack(ctx, e, nil)
	b.tell(ctx, p.to, blockkit.Text(answer))
}

func hasField(v slack.View, block string) bool {
	if v.State == nil {
		return false
	}
	_, ok := v.State.Values[block]
	return ok
}
