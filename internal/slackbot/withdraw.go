package slackbot

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
	"github.com/mde-ops/mde-ops/internal/slackbot/intake"
	"github.com/mde-ops/mde-ops/tools"
)

// withdrawTool is what the button does, with the same rules as the command of that name.
const withdrawTool = "cancel_request"

// pressWithdraw takes a request back for who asked for it. Everybody else's press is refused, and recorded, by the gate.
func (b *Bot) pressWithdraw(ctx context.Context, e intake.Delivery, p press) {
	b.ack(ctx, e, nil)
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	m, err := b.withdraw(ctx, e, p)
	if err != nil {
		b.log.InfoContext(ctx, "a request was not withdrawn", "request", p.stamp.ID, "user", p.user, "error", err, "cause", errors.Unwrap(err))
		m = blockkit.Text(sayRefused(err))
	}
	b.tell(ctx, p.to, m)
}

func (b *Bot) withdraw(ctx context.Context, e intake.Delivery, p press) (blockkit.Message, error) {
	who, err := b.people.Identify(ctx, p.team, p.user)
	if err != nil {
		return blockkit.Message{}, err
	}
	r, err := b.pressed(ctx, p)
	if err != nil {
		return blockkit.Message{}, err
	}
	first, err := b.firstTime(ctx, p.team, e.ID, p.trigger)
	if err != nil {
		return blockkit.Message{}, err
	}
	if !first {
		return blockkit.Text(seenBefore), nil
	}
	args, err := json.Marshal(map[string]string{"id": r.ID})
	if err != nil {
		return blockkit.Message{}, err
	}
	res, err := b.dispatcher.Call(ctx, tools.Call{Tool: withdrawTool, Args: args, Requester: inSlack(who)})
	if err != nil {
		return blockkit.Message{}, err
	}
	return b.result(asked{}, res), nil
}
