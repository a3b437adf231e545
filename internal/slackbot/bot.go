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
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/ballot"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/gate"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
	"github.com/mde-ops/mde-ops/internal/slackbot/cards"
	"github.com/mde-ops/mde-ops/internal/slackbot/intake"
	"github.com/mde-ops/mde-ops/tools"
)

// Limits of the bot's work.
const (
	defaultConnections = 2
	maxConnections     = 10 // Slack closes the eleventh
	defaultAckDeadline = intake.Deadline
	maxAckDeadline     = 2800 * time.Millisecond // Slack gives up after 3 s
	commandLimit       = time.Minute
	afterLimit         = 10 * time.Second // for what follows an acknowledgement
	drainLimit         = 10 * time.Second
	defaultPromptly    = 150 * time.Millisecond
	// commandWorkers is large because a command may wait for the tenant, whose limits it shares with others.
	commandWorkers = 64
	pressWorkers   = 8
	queueLength    = 256
)

// Options are what a Bot is made of.
type Options struct {
	// APIURL is Slack's Web API unless set, with or without the trailing slash.
	APIURL string
	// BotToken (xoxb-…) is for the Web API, AppToken (xapp-…) with connections:write for Socket Mode.
	BotToken, AppToken string
	// HTTP takes deliveries over signed HTTP instead of Socket Mode, which AppToken and Connections are for.
	HTTP *HTTP
	// Team is the id of the only workspace that is served; what is delivered for another one is refused. Unset, people of
	// other workspaces than the bot token's are refused all the same.
	Team string
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
	// LargePlan is the most targets to which a yes is a press alone; a yes to more is typed, and so is one to what destroys.
	// 5 unless set.
	LargePlan int
	// Connections is how many Socket Mode connections are held: 2 unless set, 10 at most.
	Connections int
	// AckDeadline is how long a vote may take to be saved: 2 s unless set, 2.8 s at most because Slack gives up at 3 s.
	AckDeadline time.Duration
	// Pace is shared with the notifier of the process, so that its messages make way for announcements. Unless set, the bot has
	// one of its own.
	Pace *Pace
	// Promptly is how long the acknowledgement of a command waits for the answer, so that it can carry it: 150 ms unless set.
	Promptly time.Duration
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
		Head(ctx context.Context) (int64, error)
		Requests(ctx context.Context, f store.Filter) ([]approvals.Request, error)
		DueTimeboxes(ctx context.Context, now time.Time) ([]string, error)
		Timeboxes(ctx context.Context, requestID string) ([]store.Timebox, error)
	}
)

// Bot is the Slack face. Make it with New and run it once.
type Bot struct {
	slack      *client
	intake     intake.Intake
	socketMode bool
	team       string
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
	largePlan       int
	pace            *Pace
	promptly        time.Duration
	clock           func() time.Time
	log             *slog.Logger
	offers          offers
	homes           homes
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
		slack: c, socketMode: o.HTTP == nil, team: o.Team, people: o.People, grammar: newGrammar(o.Dispatcher.Tools()),
		dispatcher: o.Dispatcher, requests: o.Gate, box: o.Ballot, memory: o.Store,
		responders: o.ResponderGroup, channels: o.Channels, approvalChannel: o.ApprovalChannel, largePlan: o.LargePlan,
		promptly: o.Promptly, pace: o.Pace, clock: o.Clock, log: o.Logger,
	}
	if o.Board != nil {
		b.board = o.Board
	}
	if b.pace == nil {
		b.pace = PaceFor(c.url)
	}
	if b.intake, err = newIntake(o, c); err != nil {
		return nil, err
	}
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
	bad := tokenKind("the bot token", o.BotToken, "xoxb-")
	need(bad == nil, "bot: %v", bad)
	if o.HTTP == nil {
		bad = tokenKind("the app-level token", o.AppToken, "xapp-")
		need(bad == nil, "app: %v", bad)
	}
	need(o.Team == "" || blockkit.IsTeam(o.Team), "%q is not the id of a workspace (T…)", o.Team)
	need(blockkit.IsChannel(o.ApprovalChannel), "the approval channel %q is not a channel id (C…)", o.ApprovalChannel)
	for _, c := range o.Channels {
		need(blockkit.IsChannel(c), "the channel %q is not a channel id (C…); a name can be taken over by another channel", c)
	}
	need(o.ResponderGroup.Slack == "" || blockkit.IsGroup(o.ResponderGroup.Slack), "the responder group %q is not a user group id (S…)", o.ResponderGroup.Slack)
	need(o.Connections >= 0 && o.Connections <= maxConnections, "%d connections are not between 1 and %d", o.Connections, maxConnections)
	need(o.LargePlan >= 0, "a yes to more than %d targets can't be asked to be typed: the number is negative", o.LargePlan)
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
	if o.LargePlan == 0 {
		o.LargePlan = cards.LargePlan
	}
	if o.AckDeadline == 0 {
		o.AckDeadline = defaultAckDeadline
	}
	if o.Promptly == 0 {
		o.Promptly = defaultPromptly
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
}

// firstTime remembers a command by its delivery and by what is in it, because Slack may deliver the same content under
// a new envelope id. It reports false when either was seen.
func (b *Bot) firstTime(ctx context.Context, team, envelope, trigger string) (bool, error) {
	return b.unseen(ctx, team, map[string]string{"slack-envelope": envelope, "slack-trigger": trigger})
}

// unseen remembers a delivery by the names that it has, by their scopes, and reports whether none of them was seen before.
// What has no name is never taken for new.
func (b *Bot) unseen(ctx context.Context, team string, names map[string]string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, afterLimit)
	defer cancel()
	first := false
	err := b.memory.InTx(ctx, func(tx *store.Tx) error {
		first = false
		named, seen := false, false
		for scope, key := range names {
			if key == "" {
				continue
			}
			unseen, err := tx.FirstTime(ctx, scope, team+"/"+key, b.clock())
			if err != nil {
				return err
			}
			named, seen = true, seen || !unseen
		}
		first = named && !seen
		return nil
	})
	return first && err == nil, err
}

// ephemeral is the payload that answers a command in its acknowledgement.
func ephemeral(m blockkit.Message) any {
	return map[string]any{"response_type": "ephemeral", "text": m.Text, "blocks": m.Blocks, "unfurl_links": false, "unfurl_media": false}
}

// fits reports whether a payload is small enough for an acknowledgement: Slack drops larger ones without a word.
func fits(payload any) bool {
	raw, err := json.Marshal(payload)
	return err == nil && len(raw) < 18_000
}
