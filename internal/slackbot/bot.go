package slackbot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/slack-go/slack/socketmode"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/ballot"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/gate"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/tools"
)

// Limits of the bot's work.
const (
	defaultConnections = 2
	maxConnections     = 10 // Slack closes the eleventh
	defaultAckDeadline = 2 * time.Second
	maxAckDeadline     = 2800 * time.Millisecond // Slack gives up after 3 s
	commandLimit       = time.Minute
	afterLimit         = 10 * time.Second // for what follows an acknowledgement
	drainLimit         = 10 * time.Second
	workers            = 8
	queueLength        = 64
)

// Options are what a Bot is made of.
type Options struct {
	// APIURL is Slack's Web API unless set, with or without the trailing slash.
	APIURL string
	// BotToken (xoxb-…) is for the Web API, AppToken (xapp-…) with connections:write for Socket Mode.
	BotToken, AppToken string
	// Dispatcher runs the tools behind commands, Gate reads requests, Ballot takes votes, Store remembers deliveries and
	// cards, People tells who pressed. All are needed.
	Dispatcher Dispatcher
	Gate       *gate.Gate
	Ballot     *ballot.Box
	Store      *store.DB
	People     *People
	// Board are the switches that responders press; without one nobody can stop anything here.
	Board *control.Board
	// ResponderGroup are the people who may use commands and Channels the ids of the channels in which they may. While
	// either is empty every command is refused.
	ResponderGroup approvals.Group
	Channels       []string
	// ApprovalChannel is the id of the channel with the cards.
	ApprovalChannel string
	// Connections is how many Socket Mode connections are held: 2 unless set, 10 at most.
	Connections int
	// AckDeadline is how long a vote may take to be saved: 2 s unless set, 2.8 s at most because Slack gives up at 3 s.
	AckDeadline time.Duration
	// Clock is time.Now, Logger slog.Default and HTTPClient one with a limit of 10 s unless set.
	Clock      func() time.Time
	Logger     *slog.Logger
	HTTPClient *http.Client
}

// Dispatcher runs tools; *tools.Dispatcher does.
type Dispatcher interface {
	Tools() []tools.Tool
	Call(ctx context.Context, c tools.Call) (tools.Result, error)
	Plan(ctx context.Context, c tools.Call) (approvals.Plan, error)
}

// The parts of other packages that the bot calls.
type (
	requests interface {
		Get(ctx context.Context, id string) (approvals.Request, error)
		Answer(ctx context.Context, plan approvals.Plan, by approvals.Requester) (approvals.Decision, error)
	}
	ballotBox interface {
		Cast(ctx context.Context, b ballot.Ballot) (approvals.Request, error)
		TurnedAway(ctx context.Context, b ballot.Ballot, refusal error) error
		BreakGlass(ctx context.Context, e ballot.Emergency) (approvals.Request, error)
		GlassTurnedAway(ctx context.Context, e ballot.Emergency, refusal error) error
	}
	memory interface {
		InTx(ctx context.Context, fn func(*store.Tx) error) error
		Message(ctx context.Context, requestID, key string) (store.Message, bool, error)
	}
)

// Bot is the Slack face. Make it with New and run it once.
type Bot struct {
	slack      *client
	sockets    []*socketmode.Client
	people     *People
	grammar    *grammar
	dispatcher Dispatcher
	requests   requests
	box        ballotBox
	memory     memory
	board      switches

	responders      approvals.Group
	channels        []string
	approvalChannel string
	deadline        time.Duration
	clock           func() time.Time
	log             *slog.Logger
	up              []atomic.Bool // which of the sockets are connected
}

// New checks the options, all faults together, and makes a bot. It calls nobody; Check does.
func New(o Options) (*Bot, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	c, err := newClient(clientOptions{APIURL: o.APIURL, BotToken: o.BotToken, AppToken: o.AppToken, HTTPClient: o.HTTPClient, Patient: true})
	if err != nil {
		return nil, err
	}
	b := &Bot{
		slack: c, people: o.People, grammar: newGrammar(o.Dispatcher.Tools()),
		dispatcher: o.Dispatcher, requests: o.Gate, box: o.Ballot, memory: o.Store,
		responders: o.ResponderGroup, channels: o.Channels, approvalChannel: o.ApprovalChannel,
		deadline: o.AckDeadline, clock: o.Clock, log: o.Logger,
	}
	if o.Board != nil {
		b.board = o.Board
	}
	for range o.Connections {
		b.sockets = append(b.sockets, newSocket(c))
	}
	b.up = make([]atomic.Bool, len(b.sockets))
	return b, nil
}

// fill checks the options and puts the defaults in.
func (o *Options) fill() error {
	var faults []string
	need := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Sprintf(format, args...))
		}
	}
	need(o.Dispatcher != nil, "no dispatcher")
	need(o.Gate != nil, "no gate")
	need(o.Ballot != nil, "no ballot box")
	need(o.Store != nil, "no store")
	need(o.People != nil, "no directory of people")
	for what, err := range map[string]error{
		"bot": tokenKind("the bot token", o.BotToken, "xoxb-"), "app": tokenKind("the app-level token", o.AppToken, "xapp-"),
	} {
		need(err == nil, "%s: %v", what, err)
	}
	need(channelID().MatchString(o.ApprovalChannel), "the approval channel %q is not a channel id (C…)", o.ApprovalChannel)
	for _, c := range o.Channels {
		need(channelID().MatchString(c), "the channel %q is not a channel id (C…); a name can be taken over by another channel", c)
	}
	need(o.ResponderGroup.Slack == "" || groupID().MatchString(o.ResponderGroup.Slack), "the responder group %q is not a user group id (S…)", o.ResponderGroup.Slack)
	need(o.Connections >= 0 && o.Connections <= maxConnections, "%d connections are not between 1 and %d", o.Connections, maxConnections)
	need(o.AckDeadline >= 0 && o.AckDeadline <= maxAckDeadline, "an acknowledgement deadline of %s is more than %s", o.AckDeadline, maxAckDeadline)
	if len(faults) > 0 {
		slices.Sort(faults)
		return errors.New("the Slack bot can't be made: " + strings.Join(faults, "; "))
	}
	o.defaults()
	return nil
}

func (o *Options) defaults() {
	if o.Connections == 0 {
		o.Connections = defaultConnections
	}
	if o.AckDeadline == 0 {
		o.AckDeadline = defaultAckDeadline
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
}

// firstTime remembers a delivery by its envelope and by what is in it, because Slack may deliver the same content under
// a new envelope id. It reports false when either was seen.
func (b *Bot) firstTime(ctx context.Context, team, envelope, trigger string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, afterLimit)
	defer cancel()
	first := true
	err := b.memory.InTx(ctx, func(tx *store.Tx) error {
		first = true
		for scope, key := range map[string]string{"slack-envelope": envelope, "slack-trigger": trigger} {
			if key == "" {
				continue
			}
			unseen, err := tx.FirstTime(ctx, scope, team+"/"+key, b.clock())
			if err != nil {
				return err
			}
			first = first && unseen
		}
		return nil
	})
	return first && err == nil && (envelope != "" || trigger != ""), err
}

// acknowledge answers an envelope, with a payload unless it is nil. An answer that is too large for the socket is told
// to the caller, who has other ways.
func acknowledge(ctx context.Context, e envelope, payload any) error {
	return e.socket.AckCtx(ctx, e.request.EnvelopeID, payload)
}

// ephemeral is the payload that answers a command in its acknowledgement.
func ephemeral(m message) any {
	return map[string]any{"response_type": "ephemeral", "text": m.text, "blocks": m.blocks, "unfurl_links": false, "unfurl_media": false}
}

// fits reports whether a payload is small enough for an acknowledgement: Slack drops larger ones without a word.
func fits(payload any) bool {
	raw, err := json.Marshal(payload)
	return err == nil && len(raw) < 18_000
}
