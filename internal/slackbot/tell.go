package slackbot

import (
	"context"
	"time"

	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
	"github.com/mde-ops/mde-ops/internal/slackbot/cards"
)

// saying is a message that is posted once.
type saying struct {
	key string
	// at is the channel, and the thread unless its TS is empty.
	at   cards.Place
	what blockkit.Message
	// call says that it calls people to do something. When Slack does not confirm it, it is said again; anything else is not,
	// because what is read twice looks as if it had been done twice.
	call bool
	// courtesy says that it is given up where it can't be posted, because it is elsewhere as well.
	courtesy bool
}

// news posts what the thread has to say and does not yet, in order. Whatever comes before something that was posted is
// left alone: a message never follows a later one.
func (n *Notifier) news(ctx context.Context, s scene, thread cards.Place) (time.Duration, error) {
	list := cards.Thread(s.Request, s.around, s.trail)
	first := 0
	for i, news := range list {
		if m, known := s.seen[news.Key]; known {
			first = i
			if m.TS != "" {
				first = i + 1
			}
		}
	}
	missed := unconfirmed(s, list[:first])
	for _, news := range list[first:] {
		again, err := n.once(ctx, s, saying{key: news.Key, at: thread, what: news.Message(missed...), call: news.Call})
		if again > 0 || err != nil {
			return again, err
		}
		missed = nil
		if s.seen[news.Key].TS == somewhere {
			missed = []string{news.Text}
		}
	}
	return 0, nil
}

// unconfirmed are the texts at the end of a list of which Slack did not say that they were posted.
func unconfirmed(s scene, list []cards.News) (texts []string) {
	for i := len(list) - 1; i >= 0 && s.seen[list[i].Key].TS == somewhere; i-- {
		texts = append([]string{list[i].Text}, texts...)
	}
	return texts
}

// origin tells the channel where it was asked for how it ended, when that is another one than the card's.
func (n *Notifier) origin(ctx context.Context, s scene, thread cards.Place) (time.Duration, error) {
	if !s.State.Terminal() || s.Origin.Channel == thread.Channel || !blockkit.IsChannel(s.Origin.Channel) {
		return 0, nil
	}
	what := cards.FollowUp(s.Request, s.around)
	return n.once(ctx, s, saying{key: "origin:" + string(s.State), at: cards.Place{Channel: s.Origin.Channel}, what: what, courtesy: true})
}

// once posts something under its key, one time whatever happens.
func (n *Notifier) once(ctx context.Context, s scene, what saying) (time.Duration, error) {
	m, known := s.seen[what.key]
	switch {
	case m.TS != "":
		return 0, nil
	case known && n.clock().Sub(m.ReservedAt) < takeOver:
		return soon, nil // somebody is posting it right now
	case known && !what.call:
		return n.abandoned(ctx, s, what)
	}
	if wait := n.pace.turn(methodPost, what.at.Channel, false, n.clock()); wait > 0 {
		return wait, nil
	}
	_, mine, err := n.store.ReserveMessage(ctx, s.ID, what.key, n.clock(), takeOver)
	if err != nil || !mine {
		return soon, err
	}
	if known {
		what.what = cards.Repeated(what.what)
	}
	posted, err := n.slack.post(ctx, what.at.Channel, what.at.TS, what.what)
	n.pace.answered(methodPost, what.at.Channel, err, n.clock())
	if err != nil {
		return n.unsaid(ctx, s, what, err)
	}
	return 0, n.said(ctx, s, what.key, posted)
}

// said remembers where a message is, or that nobody knows.
func (n *Notifier) said(ctx context.Context, s scene, key string, at cards.Place) error {
	m := store.Message{RequestID: s.ID, Key: key, Channel: at.Channel, TS: at.TS, Version: s.Version}
	s.seen[key] = m
	return n.record(ctx, m)
}

// abandoned settles a message of a process that ended before it knew whether it was posted.
func (n *Notifier) abandoned(ctx context.Context, s scene, what saying) (time.Duration, error) {
	_, mine, err := n.store.ReserveMessage(ctx, s.ID, what.key, n.clock(), takeOver)
	if err != nil || !mine {
		return soon, err
	}
	n.log.ErrorContext(ctx, "a process ended while it posted a message; it is not posted again", "request", s.ID, "message", what.key)
	return 0, n.said(ctx, s, what.key, cards.Place{Channel: what.at.Channel, TS: somewhere})
}

// unsaid decides what becomes of a message after a failure: what Slack certainly did not post is tried again, and what it
// may have posted only when it calls people, after a while.
func (n *Notifier) unsaid(ctx context.Context, s scene, what saying, cause error) (time.Duration, error) {
	again := n.wait(ctx, s.ID, cause)
	unknown := cards.Place{Channel: what.at.Channel, TS: somewhere}
	switch {
	case doubtful(cause) && what.call:
		return max(again, takeOver), nil
	case doubtful(cause):
		n.log.ErrorContext(ctx, "Slack did not say whether a message was posted; it is not posted again", "request", s.ID, "message", what.key)
		return 0, n.said(ctx, s, what.key, unknown)
	case what.courtesy && outOfReach(cause):
		return 0, n.said(ctx, s, what.key, unknown)
	}
	return again, n.store.ReleaseMessage(ctx, s.ID, what.key)
}

// wait is when to try again after cause, which is logged: Slack's own wish, soon after an outage, later after a refusal,
// because a person has to mend that first.
func (n *Notifier) wait(ctx context.Context, id string, cause error) time.Duration {
	if d, limited := retryAfter(cause); limited {
		return d
	}
	if code := errorCode(cause); code != "" {
		n.log.ErrorContext(ctx, "Slack refused a message", "request", id, "error", cause, "hint", hint(code))
		return later
	}
	n.log.WarnContext(ctx, "Slack could not be reached", "request", id, "error", cause)
	return soon
}
