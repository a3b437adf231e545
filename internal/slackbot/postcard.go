package slackbot

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
	"github.com/mde-ops/mde-ops/internal/slackbot/cards"
)

// card posts the card once, or brings the posted one up to date.
func (n *Notifier) card(ctx context.Context, s scene, redraw bool) (store.Message, time.Duration, error) {
	m, shown := s.seen[keyCard], s.seen[keyAround]
	mark := s.mark()
	same := shown.TS == mark || (mark == "" && shown.TS == nothingMore)
	var again time.Duration
	var err error
	switch {
	case m.TS == "":
		m, again, err = n.newCard(ctx, s, keyCard)
	case m.Version >= s.Version && same && !redraw:
		return m, 0, nil
	default:
		m, again, err = n.updateCard(ctx, s, m)
	}
	if again > 0 || err != nil || same {
		return m, again, err
	}
	return m, 0, n.record(ctx, store.Message{RequestID: s.ID, Key: keyAround, TS: cmp.Or(mark, nothingMore)})
}

// mark identifies what the card shows besides what the request's own version tells apart: what is around it and, while it runs,
// how far its steps are, which move without it.
func (s scene) mark() string {
	around := s.around.Mark()
	if s.State != approvals.Running {
		return around
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%s", around)
	for _, step := range s.Steps {
		fmt.Fprintf(sum, " %d %s %q %q", step.Index, step.State, step.ActionID, step.Message)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// home is where the card goes: to the approvers, or, for a requester's own confirmation, to where they asked. A
// break-glass is for everybody to see.
func (n *Notifier) home(s scene) string {
	_, closed := s.seen[keyClosed]
	if s.Outcome == approvals.Confirm && !s.Terms.BreakGlass && blockkit.IsChannel(s.Origin.Channel) && !closed {
		return s.Origin.Channel
	}
	return n.channel
}

// keyClosed is under which it is kept that the channel where it was asked for takes no card.
const keyClosed = "closed"

// newCard posts the card under the reservation of key, if it is its turn and nobody else does.
func (n *Notifier) newCard(ctx context.Context, s scene, key string) (store.Message, time.Duration, error) {
	channel := n.home(s)
	if wait := n.pace.turn(methodPost, channel, true, n.clock()); wait > 0 {
		return store.Message{}, wait, nil
	}
	_, mine, err := n.store.ReserveMessage(ctx, s.ID, key, n.clock(), takeOver)
	if err != nil || !mine {
		return store.Message{}, soon, err // somebody is posting it right now
	}
	at, err := n.slack.post(ctx, channel, "", n.draw(ctx, s))
	n.pace.answered(methodPost, channel, err, n.clock())
	if err != nil {
		return n.noCard(ctx, s, key, channel, err)
	}
	m := store.Message{RequestID: s.ID, Key: keyCard, Channel: at.Channel, TS: at.TS, Version: s.Version}
	return m, 0, n.record(ctx, m)
}

// noCard frees the reservation when the post certainly failed, and tries again where another card or another place mends
// it. When it may have been posted the reservation stays, so that a second card is not posted at once.
func (n *Notifier) noCard(ctx context.Context, s scene, key, channel string, cause error) (none store.Message, again time.Duration, err error) {
	again = n.wait(ctx, s.ID, cause)
	if !notPosted(cause) {
		return none, max(again, takeOver), nil
	}
	if err := n.store.ReleaseMessage(ctx, s.ID, key); err != nil {
		return none, 0, err
	}
	switch {
	case unshowable(cause) && !plain(s):
		err = n.plainFrom(ctx, s)
	case outOfReach(cause) && channel != n.channel:
		err = n.closed(ctx, s)
	default:
		return none, again, nil
	}
	if err != nil {
		return none, 0, err
	}
	return n.newCard(ctx, s, key)
}

// closed has the card shown in the approvers' channel, because no other takes it.
func (n *Notifier) closed(ctx context.Context, s scene) error {
	m := store.Message{RequestID: s.ID, Key: keyClosed, TS: somewhere}
	s.seen[keyClosed] = m
	return n.record(ctx, m)
}

// plainFrom has this version shown by a plain card.
func (n *Notifier) plainFrom(ctx context.Context, s scene) error {
	m := store.Message{RequestID: s.ID, Key: keyPlain, TS: somewhere, Version: s.Version}
	s.seen[keyPlain] = m
	return n.record(ctx, m)
}

// plain reports that Slack refused the blocks of this version's card.
func plain(s scene) bool {
	m, refused := s.seen[keyPlain]
	return refused && m.Version == s.Version
}

// draw is the card, or the plain one where Slack refused that. A request that does not verify is logged; its card says so,
// and no more.
func (n *Notifier) draw(ctx context.Context, s scene) blockkit.Message {
	if err := approvals.Genuine(s.Request); err != nil {
		n.log.ErrorContext(ctx, "a request does not verify and is not shown to its approvers", "request", s.ID, "error", err)
	}
	if plain(s) {
		return cards.PlainCard(s.Request, s.around)
	}
	return cards.Card(s.Request, s.around)
}

func (n *Notifier) updateCard(ctx context.Context, s scene, m store.Message) (store.Message, time.Duration, error) {
	if wait := n.pace.turn(methodUpdate, m.Channel, true, n.clock()); wait > 0 {
		return m, wait, nil
	}
	err := n.slack.update(ctx, cards.Place{Channel: m.Channel, TS: m.TS}, n.draw(ctx, s))
	n.pace.answered(methodUpdate, m.Channel, err, n.clock())
	switch {
	case unshowable(err) && !plain(s):
		n.log.ErrorContext(ctx, "Slack refused the card's blocks; a plain one is shown", "request", s.ID, "error", err)
		if err := n.plainFrom(ctx, s); err != nil {
			return m, 0, err
		}
		return n.updateCard(ctx, s, m)
	case errorCode(err) == "message_not_found":
		return n.replaceCard(ctx, s, m)
	case outOfReach(err) && m.Channel != n.channel:
		if err := n.closed(ctx, s); err != nil {
			return m, 0, err
		}
		return n.replaceCard(ctx, s, m)
	case err != nil:
		return m, n.wait(ctx, s.ID, err), nil // an update may be repeated without harm
	}
	m.Version = s.Version
	return m, 0, n.record(ctx, m)
}

// replaceCard posts a new card for one that somebody deleted, or whose channel is no longer the one for cards and can't be
// written to. Only one process does, and only the new card counts.
func (n *Notifier) replaceCard(ctx context.Context, s scene, lost store.Message) (store.Message, time.Duration, error) {
	m, again, err := n.newCard(ctx, s, keyCard+"-after:"+lost.TS)
	if again > 0 || err != nil {
		return lost, again, err
	}
	return m, 0, nil
}
