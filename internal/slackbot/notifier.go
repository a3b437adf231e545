package slackbot

import (
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
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
	"github.com/mde-ops/mde-ops/internal/slackbot/cards"
)

const (
	keyCard = "card"
	// keyAround is under which the mark is kept of what else the card shows; nothingMore stands for an empty mark.
	keyAround   = "around"
	nothingMore = "nothing"
	// keyPlain is under which the version is kept whose card Slack refused to show.
	keyPlain = "plain"
	// somewhere is the place of a message that Slack did not confirm, and of one that is none.
	somewhere = "?"
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
	ReserveMessage(ctx context.Context, requestID, key string, now time.Time, takeOver time.Duration) (store.Message, bool, error)
	PostedMessage(ctx context.Context, m store.Message) error
	ReleaseMessage(ctx context.Context, requestID, key string) error
	Messages(ctx context.Context, requestID string) (map[string]store.Message, error)
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
	// Pace is shared with whatever else of the process posts. Unless set, the notifier has one of its own with Slack's rates,
	// or without any when Slack is simulated on this machine.
	Pace *Pace
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
	pace    *Pace
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
	case !blockkit.IsChannel(o.ApprovalChannel):
		return nil, errors.New("the approval channel is not a Slack channel id; copy it from the channel's details, it begins with C or G")
	}
	c, err := newClient(clientOptions{APIURL: o.APIURL, BotToken: o.BotToken, HTTPClient: o.HTTPClient})
	if err != nil {
		return nil, err
	}
	n := &Notifier{
		slack: c, store: o.Store, channel: o.ApprovalChannel, tools: o.Tools, tell: o.Tell, pace: o.Pace,
		clock: o.Clock, log: o.Logger, unsaved: map[string][]store.Message{},
	}
	if o.Gate != nil {
		n.gate = o.Gate
	}
	if o.Board != nil {
		n.board = o.Board
	}
	if n.pace == nil {
		n.pace = PaceFor(c.url)
	}
	if n.clock == nil {
		n.clock = time.Now
	}
	if n.log == nil {
		n.log = slog.Default()
	}
	return n, nil
}

// Notify brings card and thread to the request's latest state. What is due is not queued anywhere: it follows from what is
// stored of the request, less what is stored of its messages, so that nothing is told before its commit and nothing is
// lost. A positive time asks to be called again then, because it is not yet the turn of what is due, Slack asked to wait,
// or could not be reached. Calling it again at any time changes nothing that is right already.
func (n *Notifier) Notify(ctx context.Context, requestID string) (time.Duration, error) {
	if err := n.settle(ctx, requestID); err != nil {
		return 0, err
	}
	if again := n.probe(ctx, requestID); again > 0 {
		return again, nil
	}
	for pass := range redraws {
		s, err := n.read(ctx, requestID)
		if err != nil {
			return 0, err
		}
		// After the first pass the request has moved while its card was drawn. Another process may have drawn the newer
		// state before this one's older drawing arrived, so it is drawn again whatever version is stored.
		due, again, err := n.bring(ctx, s, pass > 0)
		if again > 0 || err != nil {
			return again, err
		}
		latest, err := n.read(ctx, requestID)
		if err != nil {
			return 0, err
		}
		if latest.Version == s.Version && latest.mark() == s.mark() {
			return due, nil
		}
	}
	return soon, nil
}

// probe asks whether Slack is there again after it could not be reached. A post whose answer is lost can't be taken back, so
// that none is sent on trial: of a whole outage only those are in doubt that were under way when it began.
func (n *Notifier) probe(ctx context.Context, requestID string) time.Duration {
	if !n.pace.shaky() {
		return 0
	}
	if wait := n.pace.turn(methodTest, "", true, n.clock()); wait > 0 {
		return wait
	}
	err := n.slack.there(ctx)
	n.pace.answered(methodTest, "", err, n.clock())
	if err != nil {
		return n.wait(ctx, requestID, err)
	}
	return 0
}

// bring draws the card and posts what belongs into its thread, in this order, and nothing before what is due before it. due
// is when there will be more to say; again when this must be tried again.
func (n *Notifier) bring(ctx context.Context, s scene, redraw bool) (due, again time.Duration, err error) {
	card, again, err := n.card(ctx, s, redraw)
	if again > 0 || err != nil {
		return 0, again, err
	}
	if s.around.Asks == approvals.Approve && card.Channel != n.channel {
		what := saying{key: "pointer", at: cards.Place{Channel: n.channel}, call: true, what: cards.Pointer(s.Request, card.Channel)}
		if again, err = n.once(ctx, s, what); again > 0 || err != nil {
			return 0, again, err
		}
	}
	thread := cards.Place{Channel: card.Channel, TS: card.TS}
	if due, again, err = n.remind(ctx, s, thread); again > 0 || err != nil {
		return 0, again, err
	}
	for _, step := range []func(context.Context, scene, cards.Place) (time.Duration, error){n.news, n.origin, n.escalate} {
		if again, err = step(ctx, s, thread); again > 0 || err != nil {
			return due, again, err
		}
	}
	return due, 0, nil
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
