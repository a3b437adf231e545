package slackbot

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/gate"
	"github.com/mde-ops/mde-ops/approvals/store"
)

const (
	keyCard = "card"
	// keyAround is under which the mark is kept of what else the card shows; nothingMore stands for an empty mark.
	keyAround   = "around"
	nothingMore = "nothing"
	// takeOver is how long a reserved post may stay without an answer before another process posts. The press of a
	// button on a card that is not the stored one is refused, so a lost answer can lead to a spare card, not to a vote.
	takeOver = 30 * time.Second
	// soon and later are when a job is tried again: after a short outage, and after something that a person must mend.
	soon  = 2 * time.Second
	later = time.Minute
	// redraws is how often one job follows a request that keeps moving before it makes way for others.
	redraws = 5
)

// messageStore is the part of the store that remembers what was posted.
type messageStore interface {
	Request(ctx context.Context, id string) (approvals.Request, error)
	ReserveMessage(ctx context.Context, requestID, key string, now time.Time, takeOver time.Duration) (store.Message, bool, error)
	PostedMessage(ctx context.Context, m store.Message) error
	ReleaseMessage(ctx context.Context, requestID, key string) error
	Message(ctx context.Context, requestID, key string) (store.Message, bool, error)
	lookups
}

// NotifierOptions are what a Notifier is made of.
type NotifierOptions struct {
	// APIURL is Slack's unless set; BotToken (xoxb-…) needs chat:write.
	APIURL, BotToken string
	// HTTPClient has a time limit of 10 s unless set.
	HTTPClient *http.Client
	// Store remembers what was posted where.
	Store *store.DB
	// ApprovalChannel is the id of the channel for cards (C… or G…).
	ApprovalChannel string
	// Gate answers what policy asks for now, so that a card offers every kind of yes that is needed. Without one a card
	// offers the one that its request was made with.
	Gate *gate.Gate
	// Board says what is stopped, and Tools which toolset a tool is in. Without a board no card says that it is held.
	Board *control.Board
	Tools map[string]approvals.ToolInfo
	// Tell are the groups that are called when somebody does without other people's yes.
	Tell []approvals.Group
	// Clock is time.Now unless set; Logger slog.Default unless set.
	Clock  func() time.Time
	Logger *slog.Logger
}

// Notifier keeps a request's card and its thread in step with the request. It implements worker.Notifier.
type Notifier struct {
	slack   *client
	store   messageStore
	channel string
	gate    answerer
	board   board
	tools   map[string]approvals.ToolInfo
	tell    []approvals.Group
	clock   func() time.Time
	log     *slog.Logger

	mu sync.Mutex
	// unsaved are messages that were posted and could not be recorded, by request; they are recorded at the next call.
	unsaved map[string][]store.Message
}

// NewNotifier makes a notifier.
func NewNotifier(o NotifierOptions) (*Notifier, error) {
	switch {
	case o.Store == nil:
		return nil, errors.New("the Slack notifier has no store: it could not remember what it posted")
	case !channelID().MatchString(o.ApprovalChannel):
		return nil, errors.New("the approval channel is not a Slack channel id; copy it from the channel's details, it begins with C or G")
	}
	c, err := newClient(clientOptions{APIURL: o.APIURL, BotToken: o.BotToken, HTTPClient: o.HTTPClient})
	if err != nil {
		return nil, err
	}
	n := &Notifier{
		slack: c, store: o.Store, channel: o.ApprovalChannel, tools: o.Tools, tell: o.Tell,
		clock: o.Clock, log: o.Logger, unsaved: map[string][]store.Message{},
	}
	if o.Gate != nil {
		n.gate = o.Gate
	}
	if o.Board != nil {
		n.board = o.Board
	}
	if n.clock == nil {
		n.clock = time.Now
	}
	if n.log == nil {
		n.log = slog.Default()
	}
	return n, nil
}

// Notify brings card and thread to the request's latest state. A positive time asks to be called again then, because
// Slack asked to wait or could not be reached. Calling it again at any time changes nothing that is right already.
func (n *Notifier) Notify(ctx context.Context, requestID string) (time.Duration, error) {
	if err := n.settle(ctx, requestID); err != nil {
		return 0, err
	}
	for pass := range redraws {
		r, a, err := n.read(ctx, requestID)
		if err != nil {
			return 0, err
		}
		// After the first pass the request has moved while its card was drawn. Another process may have drawn the newer
		// state before this one's older drawing arrived, so it is drawn again whatever version is stored.
		due, again, err := n.bring(ctx, r, a, pass > 0)
		if again > 0 || err != nil {
			return again, err
		}
		latest, then, err := n.read(ctx, requestID)
		if err != nil {
			return 0, err
		}
		if latest.Version == r.Version && then.mark() == a.mark() {
			return due, nil
		}
	}
	return soon, nil
}

// bring draws the card and posts what belongs into its thread. due is when there will be more to say; again when this must
// be tried again because Slack did not take it.
func (n *Notifier) bring(ctx context.Context, r approvals.Request, a around, redraw bool) (due, again time.Duration, err error) {
	card, again, err := n.card(ctx, r, a, redraw)
	if again > 0 || err != nil {
		return 0, again, err
	}
	if a.asks == approvals.Approve && card.Channel != n.channel {
		if again, err = n.once(ctx, r, "pointer", place{Channel: n.channel}, renderPointer(r, card.Channel)); again > 0 || err != nil {
			return 0, again, err
		}
	}
	if due, err = n.remind(ctx, r, card); err != nil {
		return 0, 0, err
	}
	if again, err = n.follow(ctx, r, a, card); again > 0 || err != nil {
		return due, again, err
	}
	again, err = n.escalate(ctx, r, a, card)
	return due, again, err
}

// record remembers where a message is. When the store can't be written now the place is kept until the next call, because
// otherwise the message would be posted again and the first one be nobody's.
func (n *Notifier) record(ctx context.Context, m store.Message) error {
	err := n.store.PostedMessage(ctx, m)
	if err != nil {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.unsaved[m.RequestID] = append(n.unsaved[m.RequestID], m)
	}
	return err
}

// settle records what could not be recorded before.
func (n *Notifier) settle(ctx context.Context, requestID string) error {
	n.mu.Lock()
	list := n.unsaved[requestID]
	delete(n.unsaved, requestID)
	n.mu.Unlock()
	for i, m := range list {
		if err := n.record(ctx, m); err != nil {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.unsaved[requestID] = append(n.unsaved[requestID], list[i+1:]...)
			return err
		}
	}
	return nil
}

// card posts the card once, or brings the posted one up to date.
func (n *Notifier) card(ctx context.Context, r approvals.Request, a around, redraw bool) (store.Message, time.Duration, error) {
	m, mine, err := n.store.ReserveMessage(ctx, r.ID, keyCard, n.clock(), takeOver)
	if err != nil {
		return m, 0, err
	}
	shown, _, err := n.store.Message(ctx, r.ID, keyAround)
	if err != nil {
		return m, 0, err
	}
	same := shown.TS == a.mark() || (a.mark() == "" && shown.TS == nothingMore)
	var again time.Duration
	switch {
	case mine:
		m, again, err = n.postCard(ctx, r, a, keyCard)
	case m.TS == "":
		return m, soon, nil // somebody is posting it right now
	case m.Version >= r.Version && same && !redraw:
		return m, 0, nil
	default:
		m, again, err = n.updateCard(ctx, r, a, m)
	}
	if again > 0 || err != nil || same {
		return m, again, err
	}
	return m, 0, n.record(ctx, store.Message{RequestID: r.ID, Key: keyAround, TS: cmp.Or(a.mark(), nothingMore)})
}

// cardChannel is where the card goes: to the approvers, or, for a requester's own confirmation, to where they asked. A
// break-glass is for everybody to see.
func (n *Notifier) cardChannel(r approvals.Request) string {
	if r.Outcome == approvals.Confirm && !r.Terms.BreakGlass && channelID().MatchString(r.Origin.Channel) {
		return r.Origin.Channel
	}
	return n.channel
}

// replaceCard posts a new card for one that somebody deleted. Only one process does, and only the new card counts.
func (n *Notifier) replaceCard(ctx context.Context, r approvals.Request, a around, deleted store.Message) (store.Message, time.Duration, error) {
	key := keyCard + "-after:" + deleted.TS
	_, mine, err := n.store.ReserveMessage(ctx, r.ID, key, n.clock(), takeOver)
	if err != nil || !mine {
		return deleted, soon, err
	}
	return n.postCard(ctx, r, a, key)
}

// postCard posts the card under the reservation of key.
func (n *Notifier) postCard(ctx context.Context, r approvals.Request, a around, key string) (store.Message, time.Duration, error) {
	n.suspect(ctx, r)
	at, err := n.slack.post(ctx, n.cardChannel(r), "", renderCard(r, a))
	if unshowable(err) {
		n.log.ErrorContext(ctx, "Slack refused the card's blocks; a plain one is posted", "request", r.ID, "error", err)
		at, err = n.slack.post(ctx, n.cardChannel(r), "", renderPlainCard(r, a))
	}
	if err != nil {
		again, err := n.notPosted(ctx, r.ID, key, err)
		return store.Message{}, again, err
	}
	m := store.Message{RequestID: r.ID, Key: keyCard, Channel: at.Channel, TS: at.TS, Version: r.Version}
	return m, 0, n.record(ctx, m)
}

// suspect logs a request that does not verify; its card says so, and no more.
func (n *Notifier) suspect(ctx context.Context, r approvals.Request) {
	if err := approvals.Genuine(r); err != nil {
		n.log.ErrorContext(ctx, "a request does not verify and is not shown to its approvers", "request", r.ID, "error", err)
	}
}

func (n *Notifier) updateCard(ctx context.Context, r approvals.Request, a around, m store.Message) (store.Message, time.Duration, error) {
	n.suspect(ctx, r)
	at := place{Channel: m.Channel, TS: m.TS}
	err := n.slack.update(ctx, at, renderCard(r, a))
	if unshowable(err) {
		err = n.slack.update(ctx, at, renderPlainCard(r, a))
	}
	if errorCode(err) == "message_not_found" {
		return n.replaceCard(ctx, r, a, m)
	}
	if err != nil {
		return m, n.wait(ctx, r.ID, err), nil // an update may be repeated without harm
	}
	m.Version = r.Version
	return m, 0, n.record(ctx, m)
}

// follow posts what a final state means, once: in the card's thread, and in the channel where it was asked for when that
// is another one.
func (n *Notifier) follow(ctx context.Context, r approvals.Request, a around, card store.Message) (time.Duration, error) {
	if !r.State.Terminal() {
		return 0, nil
	}
	thread := place{Channel: card.Channel, TS: card.TS}
	if again, err := n.once(ctx, r, "thread:"+string(r.State), thread, renderFollowUp(r, a)); again > 0 || err != nil {
		return again, err
	}
	if r.Origin.Channel == card.Channel || !channelID().MatchString(r.Origin.Channel) {
		return 0, nil
	}
	return n.once(ctx, r, "origin:"+string(r.State), place{Channel: r.Origin.Channel}, renderFollowUp(r, a))
}

// once posts something under a key, one time whatever happens. at.TS is the thread, or empty.
func (n *Notifier) once(ctx context.Context, r approvals.Request, key string, at place, what message) (time.Duration, error) {
	m, mine, err := n.store.ReserveMessage(ctx, r.ID, key, n.clock(), takeOver)
	switch {
	case err != nil:
		return 0, err
	case !mine && m.TS == "":
		return soon, nil
	case !mine:
		return 0, nil
	}
	posted, err := n.slack.post(ctx, at.Channel, at.TS, what)
	if err != nil {
		return n.notPosted(ctx, r.ID, key, err)
	}
	return 0, n.record(ctx, store.Message{RequestID: r.ID, Key: key, Channel: posted.Channel, TS: posted.TS, Version: r.Version})
}

// notPosted frees the reservation when the post certainly failed. When it may have been posted the reservation stays, so
// that a second message is not posted at once.
func (n *Notifier) notPosted(ctx context.Context, id, key string, cause error) (time.Duration, error) {
	again := n.wait(ctx, id, cause)
	if !notPosted(cause) {
		return max(again, takeOver), nil
	}
	return again, n.store.ReleaseMessage(ctx, id, key)
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

// unshowable reports that Slack refused the content, so that other content may succeed.
func unshowable(err error) bool {
	switch errorCode(err) {
	case "invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long":
		return true
	}
	return false
}
