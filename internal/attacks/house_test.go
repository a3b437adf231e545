package attacks_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/ballot"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/gate"
	"github.com/mde-ops/mde-ops/approvals/policy"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/internal/slackbot"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/tools"
)

// patience is how long a test waits for what must come; it decides no test that passes.
const patience = 20 * time.Second

// clock is the real time, moved.
type clock struct {
	mu    sync.Mutex
	moved time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.moved)
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moved += d
}

// house is everything that there is, each part as its process has it. The worker's jobs run when a test runs them, so that
// "nothing is sent" is said of a worker that has looked.
type house struct {
	*slacksim.Workspace
	t      *testing.T
	slack  *slacksim.Server
	tenant *mdesim.Tenant
	server *mdesim.Server
	// reader may only read in the tenant; writer is the worker's.
	reader, writer *mdecore.Client
	url            string
	db             *store.DB
	clock, theirs  *clock // ours, and the tenant's
	policy         approvals.Policy
	signer         *approvals.Signer
	verifier       *approvals.Verifier
	people         *slackbot.People
	gate           *gate.Gate
	board          *control.Board
	box            *ballot.Box
	dispatcher     *tools.Dispatcher
	worker         *worker.Worker
	log            *slog.Logger
}

// plan says what a test wants otherwise than usual.
type plan struct {
	url    string // of the database; a SQLite file of its own unless set
	policy string // the rest of a policy file; the default policy unless set
	tenant func(*mdesim.Tenant)
	// restored is what the worker is told of the database's age.
	restored func(context.Context) (string, error)
	// silent has no bot.
	silent bool
}

func open(t *testing.T, p plan) *house {
	t.Helper()
	h := &house{
		Workspace: &slacksim.Workspace{RedeliverAfter: 10 * time.Millisecond, TriggerLife: time.Minute},
		t:         t, clock: &clock{}, theirs: &clock{}, url: p.url, signer: newSigner(t, 1), log: slog.New(slog.DiscardHandler),
	}
	h.Cast()
	var err error
	h.slack, err = h.Start()
	require.NoError(t, err)
	t.Cleanup(h.slack.Close)
	h.startTenant(p)
	if h.url == "" {
		h.url = storetest.SQLiteReady(t)
	}
	h.policy = parse(t, p.policy)
	h.verifier = verifierOf(t, h.signer)
	h.build(p)
	if !p.silent {
		h.runBot()
	}
	return h
}

func newSigner(t *testing.T, seed byte) *approvals.Signer {
	t.Helper()
	s, err := approvals.NewSigner(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize)))
	require.NoError(t, err)
	return s
}

func verifierOf(t *testing.T, signers ...*approvals.Signer) *approvals.Verifier {
	t.Helper()
	var keys []ed25519.PublicKey
	for _, s := range signers {
		keys = append(keys, s.Public())
	}
	v, err := approvals.NewVerifier(keys...)
	require.NoError(t, err)
	return v
}

// groups are in every policy of these tests.
const groups = `version: 1
groups:
  on-call: {slack: ` + slacksim.OnCall + `}
  responders: {slack: ` + slacksim.Responders + `}
defaults: {from: on-call}
`

func parse(t *testing.T, rules string) approvals.Policy {
	t.Helper()
	if rules == "" {
		p, err := policy.Default(policy.DefaultOptions{ApproverGroup: approvals.Group{Name: "on-call", Slack: slacksim.OnCall}})
		require.NoError(t, err)
		return p
	}
	p, err := policy.Parse("policy.yaml", []byte(groups+rules), policy.Known{Tools: facts(t)})
	require.NoError(t, err)
	return p
}

func facts(t *testing.T) map[string]approvals.ToolInfo {
	t.Helper()
	f, err := toolFacts()
	require.NoError(t, err)
	return f
}

// toolFacts are made once, because that takes long and nobody changes them.
var toolFacts = sync.OnceValues(tools.Facts)

func (h *house) startTenant(p plan) {
	h.t.Helper()
	h.tenant = &mdesim.Tenant{Devices: 60, ActionPending: -1, ActionRunning: -1, Seed: 7, Clock: h.theirs.Now}
	if p.tenant != nil {
		p.tenant(h.tenant)
	}
	var err error
	h.server, err = h.tenant.Start()
	require.NoError(h.t, err)
	h.t.Cleanup(func() { _ = h.server.Close() })
	h.reader = h.client(mdesim.DefaultReaderID, mdesim.DefaultReaderSecret)
	h.writer = h.client(mdesim.DefaultAppID, mdesim.DefaultAppSecret)
}

func (h *house) client(id, secret string) *mdecore.Client {
	h.t.Helper()
	c, err := mdecore.New(h.server.AppCredential(id, secret), mdecore.Options{
		Cloud: mdecore.Custom(h.server.URL, h.server.URL, ""), HTTPClient: h.server.Client(),
	})
	require.NoError(h.t, err)
	return c
}

// build makes what has the database, as a start of the processes does.
func (h *house) build(p plan) {
	h.t.Helper()
	t := h.t
	db, err := store.Open(t.Context(), store.Options{URL: h.url, Clock: h.clock.Now, Logger: h.log})
	require.NoError(t, err)
	h.db = db
	t.Cleanup(func() { _ = db.Close() })
	h.people, err = slackbot.NewPeople(slackbot.PeopleOptions{APIURL: h.slack.APIURL(), BotToken: h.Tokens().Bot, GroupTTL: time.Nanosecond})
	require.NoError(t, err)
	tally, err := approvals.NewTally(approvals.TallyOptions{
		Policy: h.policy, Verifier: h.verifier, Directory: h.people, Activity: h.db, Clock: h.clock.Now,
	})
	require.NoError(t, err)
	h.board, err = control.New(control.Options{Store: h.db, Tools: facts(t), Tally: tally, Clock: h.clock.Now, Logger: h.log})
	require.NoError(t, err)
	h.box, err = ballot.New(ballot.Options{
		Store: h.db, Policy: h.policy, Signer: h.signer, Verifier: h.verifier, Directory: h.people, Switches: h.board,
		Clock: h.clock.Now, Logger: h.log,
	})
	require.NoError(t, err)
	h.gate = h.newGate(h.db)
	h.dispatcher = h.newDispatcher(h.gate)
	h.worker = h.newWorker(p)
}

func (h *house) newGate(db *store.DB) *gate.Gate {
	h.t.Helper()
	g, err := gate.New(gate.Options{Store: db, Policy: h.policy, Tools: facts(h.t), Clock: h.clock.Now, Poll: 20 * time.Millisecond, Logger: h.log})
	require.NoError(h.t, err)
	h.t.Cleanup(g.Close)
	return g
}

func (h *house) newDispatcher(g *gate.Gate) *tools.Dispatcher {
	h.t.Helper()
	d, err := tools.NewDispatcher(tools.Options{Reader: h.reader, Gate: g, Tenant: mdesim.DefaultTenantID, Cloud: "simulated", Clock: h.clock.Now})
	require.NoError(h.t, err)
	return d
}

func (h *house) newWorker(p plan) *worker.Worker {
	h.t.Helper()
	performer, err := tools.NewPerformer(tools.PerformerOptions{
		Reader: h.writer, Writer: h.writer, Tenant: mdesim.DefaultTenantID, Board: h.board, Origins: h.gate, Clock: h.clock.Now,
	})
	require.NoError(h.t, err)
	notifier, err := slackbot.NewNotifier(slackbot.NotifierOptions{
		APIURL: h.slack.APIURL(), BotToken: h.Tokens().Bot, Store: h.db, ApprovalChannel: slacksim.Security, Logger: h.log,
		Gate: h.gate, Board: h.board, Tools: facts(h.t), Clock: h.clock.Now,
	})
	require.NoError(h.t, err)
	w, err := worker.New(worker.Options{
		Store: h.db, Policy: h.policy, Verifier: h.verifier, Directory: h.people, Performer: performer, Tools: facts(h.t),
		Notifier: notifier, Board: h.board, Gate: h.gate, Restored: p.restored, Clock: h.clock.Now, Logger: h.log,
	})
	require.NoError(h.t, err)
	return w
}

// again makes everything that has the database anew, as a restart with another policy, other keys or another database does.
// The bot stays the old one.
func (h *house) again(p plan) {
	h.t.Helper()
	h.gate.Close()
	require.NoError(h.t, h.db.Close())
	h.build(p)
}

// runBot runs the bot until the test ends and waits for its connections.
func (h *house) runBot() {
	t := h.t
	t.Helper()
	b, err := slackbot.New(slackbot.Options{
		APIURL: h.slack.APIURL(), BotToken: h.Tokens().Bot, AppToken: h.Tokens().App,
		Dispatcher: h.dispatcher, Gate: h.gate, Ballot: h.box, Store: h.db, People: h.people, Board: h.board,
		ResponderGroup: approvals.Group{Name: "responders", Slack: slacksim.Responders}, Channels: []string{slacksim.Security, elsewhere},
		ApprovalChannel: slacksim.Security, Clock: h.clock.Now, Logger: h.log,
	})
	require.NoError(t, err)
	h.AddChannel(elsewhere, "ir-one", slacksim.Alice, slacksim.Bob, slacksim.Carol)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			require.NoError(t, err)
		case <-time.After(patience):
			t.Error("the bot did not end")
		}
	})
	h.wait(func(s slacksim.Snapshot) bool { return s.Connections == 2 })
}

// elsewhere is a second channel in which commands work.
const elsewhere = "C0IRONE"

func (h *house) wait(ok func(slacksim.Snapshot) bool) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	require.NoError(h.t, h.WaitFor(ctx, ok))
}

// shown is everything that a message shows, as a person would read it.
func shown(m slacksim.Message) string {
	return slacksim.RenderText(m, slacksim.RenderOptions{Width: 400})
}

// heard does something as a person, and returns the next thing that only they are told.
func (h *house) heard(user string, do func() error) string {
	h.t.Helper()
	before := len(h.Ephemerals(user))
	require.NoError(h.t, do())
	var text string
	h.wait(func(s slacksim.Snapshot) bool {
		all := s.Ephemerals[user]
		if len(all) <= before {
			return false
		}
		text = shown(all[before])
		return true
	})
	return text
}

// typed types a command in #security, and returns the answer.
func (h *house) typed(user, text string) string {
	h.t.Helper()
	return h.typedIn(slacksim.Security, user, text)
}

func (h *house) typedIn(channel, user, text string) string {
	h.t.Helper()
	return h.heard(user, func() error {
		_, err := h.Command(h.t.Context(), user, channel, "/mde", text)
		return err
	})
}

// requestWord is how a request is named to people.
var requestWord = regexp.MustCompile(`[Rr]equest ([0-9A-Z]{8})\b`)

func requestIn(t *testing.T, text string) string {
	t.Helper()
	found := requestWord.FindStringSubmatch(text)
	require.Len(t, found, 2, text)
	return found[1]
}

// asked is the request that alice asks for in Slack, with its card posted.
func (h *house) asked(device string) (string, slacksim.Message) {
	h.t.Helper()
	id := requestIn(h.t, h.typed(slacksim.Alice, "isolate "+device+" because beaconing to a known C2"))
	return id, h.card(id)
}

// card has a request's card posted or brought up to date, and returns it.
func (h *house) card(id string) slacksim.Message {
	h.t.Helper()
	for range 5 {
		again, err := h.worker.Handle(h.t.Context(), store.Job{Kind: store.Notify, RequestID: id})
		require.NoError(h.t, err)
		if again <= 0 {
			break
		}
		h.clock.move(again)
	}
	m, ok, err := h.db.Message(h.t.Context(), id, "card")
	require.NoError(h.t, err)
	require.True(h.t, ok, "the card's place is stored")
	card, ok := h.Message(m.Channel, m.TS)
	require.True(h.t, ok)
	return card
}

// pressed presses a button of a card as it was, and returns what the person is told.
func (h *house) pressed(user string, card slacksim.Message, button string) string {
	h.t.Helper()
	return h.heard(user, func() error {
		_, err := h.ClickStale(h.t.Context(), user, card, button)
		return err
	})
}

// typedYes presses Approve and types what the window asks for.
func (h *house) typedYes(user string, card slacksim.Message, typed string) {
	h.t.Helper()
	_, err := h.ClickStale(h.t.Context(), user, card, "Approve")
	require.NoError(h.t, err)
	h.wait(func(s slacksim.Snapshot) bool { return len(s.Views[user]) > 0 })
	views := h.Views(user)
	out, err := h.Submit(h.t.Context(), user, views[len(views)-1].ID, map[string]string{"mde_typed": typed})
	require.NoError(h.t, err)
	require.Empty(h.t, out.Errors)
}

// user is somebody of the workspace.
func (h *house) user(id string) slacksim.User {
	h.t.Helper()
	u, err := h.User(id)
	require.NoError(h.t, err)
	return u
}

func (h *house) state(id string) approvals.Request {
	h.t.Helper()
	r, err := h.db.Request(h.t.Context(), id)
	require.NoError(h.t, err)
	return r
}

// work runs a request's job until it wants to wait, and returns how long.
func (h *house) work(id string) time.Duration {
	h.t.Helper()
	for range 200 {
		again, err := h.worker.Handle(h.t.Context(), store.Job{Kind: store.Advance, RequestID: id})
		require.NoError(h.t, err)
		if again >= 0 {
			return again
		}
	}
	require.Fail(h.t, "the job wants to run again for ever")
	return 0
}

// settle works a request to its end.
func (h *house) settle(id string) approvals.Request {
	h.t.Helper()
	for range 50 {
		again := h.work(id)
		if r := h.state(id); r.State.Terminal() {
			return r
		}
		h.pass(max(again, time.Second))
	}
	require.Fail(h.t, "the request never ends")
	return approvals.Request{}
}

// pass lets time pass, here and there.
func (h *house) pass(d time.Duration) {
	h.clock.move(d)
	h.theirs.move(d)
}

// head is the last row of the audit.
func (h *house) head() int64 {
	h.t.Helper()
	rows := h.rows(0)
	if len(rows) == 0 {
		return 0
	}
	return rows[len(rows)-1].Seq
}

func (h *house) rows(after int64) []approvals.Event {
	h.t.Helper()
	rows, err := h.db.Events(h.t.Context(), store.Query{After: after})
	require.NoError(h.t, err)
	return rows
}

// recorded requires one row of a type, after a place of the audit, that says want of an actor.
func (h *house) recorded(after int64, kind, actor, want string) {
	h.t.Helper()
	var all []string
	for _, e := range h.rows(after) {
		if e.Type == kind && strings.EqualFold(e.Actor, actor) && strings.Contains(e.Detail, want) {
			return
		}
		all = append(all, e.Type+" "+e.Actor+": "+e.Detail)
	}
	require.Fail(h.t, "not in the audit", "%s of %s with %q; there is:\n%s", kind, actor, want, strings.Join(all, "\n"))
}

// refused is recorded for refusals.
func (h *house) refused(after int64, actor, want string) {
	h.t.Helper()
	h.recorded(after, approvals.EventRefused, actor, want)
}

// sent has the worker look at every request that there is, and requires exactly so many writing requests to have reached
// the tenant by then.
func (h *house) sent(n int) {
	h.t.Helper()
	_, err := h.worker.Handle(h.t.Context(), store.Job{Kind: store.Sweep})
	require.NoError(h.t, err)
	all, err := h.db.Requests(h.t.Context(), store.Filter{})
	require.NoError(h.t, err)
	for _, r := range all {
		h.work(r.ID)
	}
	require.Equal(h.t, n, h.tenant.Writes(), "writing requests that reached the tenant: %v", h.tenant.Effects())
}

// sound requires the audit to verify: nobody wrote behind the gate's back.
func (h *house) sound() {
	h.t.Helper()
	report, err := h.gate.VerifyAudit(h.t.Context())
	require.NoError(h.t, err)
	require.Empty(h.t, report.Faults)
}

// write changes rows behind the gate's back, as an intruder with the database would.
func (h *house) write(sql string, args ...any) {
	h.t.Helper()
	require.NotZero(h.t, storetest.Exec(h.t, storetest.Raw(h.t, h.url), sql, args...), "the intruder changed nothing: %s", sql)
}

// each runs an attack on every database at hand: SQLite always, PostgreSQL when the environment names one.
func each(t *testing.T, fn func(t *testing.T, url string)) {
	t.Helper()
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		fn(t, storetest.SQLiteReady(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		fn(t, storetest.Postgres(t))
	})
}
