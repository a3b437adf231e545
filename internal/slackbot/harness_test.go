package slackbot_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"log/slog"
	"os"
	"path/filepath"
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

// house is the whole slice: a simulated tenant and workspace, a store on SQLite, the gate, and the bot between them.
type house struct {
	*slacksim.Workspace
	slack    *slacksim.Server
	tenant   *mdesim.Tenant
	defender *mdecore.Client
	db       *store.DB
	path     string
	gate     *gate.Gate
	box      *ballot.Box
	board    *control.Board
	policy   approvals.Policy
	verifier *approvals.Verifier
	people   *slackbot.People
	options  slackbot.Options
	log      *journal
}

// plan says what a test wants otherwise than usual.
type plan struct {
	workspace func(*slacksim.Workspace)
	bot       func(*slackbot.Options)
	tenant    func(*mdesim.Tenant)
	approvers int
	policy    approvals.Policy
	// idle makes no bot, and deaf makes no notifier and no worker.
	idle, deaf bool
	// busy is SQLite's busy timeout.
	busy time.Duration
	// groupTTL is how long group members are remembered: hardly at all unless set.
	groupTTL time.Duration
}

// journal keeps the log, for tests of what must and must not be in it.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func newHouse(t testing.TB, p plan) *house {
	t.Helper()
	h := &house{Workspace: &slacksim.Workspace{RedeliverAfter: 10 * time.Millisecond, TriggerLife: time.Minute}, log: &journal{}}
	if p.workspace != nil {
		p.workspace(h.Workspace)
	}
	h.Cast()
	var err error
	h.slack, err = h.Start()
	require.NoError(t, err)
	t.Cleanup(h.slack.Close)
	h.openStore(t, p)
	h.makeGate(t, p)
	h.makeBot(t, p)
	if !p.deaf {
		h.work(t)
	}
	if !p.idle {
		h.run(t)
	}
	return h
}

func (h *house) logger() *slog.Logger { return slog.New(slog.NewTextHandler(h.log, nil)) }

func (h *house) openStore(t testing.TB, p plan) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o700))
	h.path = filepath.Join(dir, "mde.db")
	require.NoError(t, storetest.CopyReady(h.path))
	var err error
	h.db, err = store.Open(t.Context(), store.Options{URL: h.path, BusyTimeout: p.busy, Logger: h.logger()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = h.db.Close() })
}

func (h *house) makeGate(t testing.TB, p plan) {
	t.Helper()
	var err error
	h.policy = p.policy
	if h.policy == nil {
		h.policy = defaultPolicy(t)
	}
	if p.approvers > 0 {
		h.policy = needs{h.policy, p.approvers}
	}
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	signer, err := approvals.NewSigner(key)
	require.NoError(t, err)
	h.verifier, err = approvals.NewVerifier(pub)
	require.NoError(t, err)
	h.people, err = slackbot.NewPeople(slackbot.PeopleOptions{APIURL: h.slack.APIURL(), BotToken: h.Tokens().Bot, GroupTTL: max(p.groupTTL, time.Nanosecond)})
	require.NoError(t, err)
	h.makeBoard(t)
	h.box, err = ballot.New(ballot.Options{
		Store: h.db, Policy: h.policy, Signer: signer, Verifier: h.verifier, Directory: h.people, Switches: h.board, Logger: h.logger(),
	})
	require.NoError(t, err)
	h.gate, err = gate.New(gate.Options{Store: h.db, Policy: h.policy, Poll: 20 * time.Millisecond, Logger: h.logger()})
	require.NoError(t, err)
	t.Cleanup(h.gate.Close)
}

func (h *house) makeBoard(t testing.TB) {
	t.Helper()
	facts, err := tools.Facts()
	require.NoError(t, err)
	tally, err := approvals.NewTally(approvals.TallyOptions{Policy: h.policy, Verifier: h.verifier, Directory: h.people, Activity: h.db})
	require.NoError(t, err)
	h.board, err = control.New(control.Options{Store: h.db, Tools: facts, Tally: tally, Logger: h.logger()})
	require.NoError(t, err)
}

func defaultPolicy(t testing.TB) approvals.Policy {
	t.Helper()
	p, err := policy.Default(policy.DefaultOptions{ApproverGroup: approvals.Group{Name: "on-call", Slack: slacksim.OnCall}})
	require.NoError(t, err)
	return p
}

// needs asks for more approvers than the policy it wraps.
type needs struct {
	approvals.Policy
	count int
}

func (n needs) Decide(c approvals.Call) approvals.Decision {
	d := n.Policy.Decide(c)
	if d.Outcome == approvals.Approve {
		d.Quorum.Count = n.count
	}
	return d
}

func (h *house) makeBot(t testing.TB, p plan) {
	t.Helper()
	h.startTenant(t, p)
	d, err := tools.NewDispatcher(tools.Options{Reader: h.defender, Gate: h.gate, Tenant: mdesim.DefaultTenantID, Logger: h.logger()})
	require.NoError(t, err)
	h.options = slackbot.Options{
		APIURL: h.slack.APIURL(), BotToken: h.Tokens().Bot, AppToken: h.Tokens().App,
		Dispatcher: d, Gate: h.gate, Ballot: h.box, Store: h.db, People: h.people, Board: h.board,
		ResponderGroup: approvals.Group{Name: "responders", Slack: slacksim.Responders}, Channels: []string{slacksim.Security},
		ApprovalChannel: slacksim.Security, Logger: h.logger(),
		Promptly: time.Second, // tests read answers where they are first looked for
	}
	if p.bot != nil {
		p.bot(&h.options)
	}
}

// startTenant starts the tenant and makes the client of it.
func (h *house) startTenant(t testing.TB, p plan) {
	t.Helper()
	h.tenant = &mdesim.Tenant{Devices: 60, ActionPending: -1, ActionRunning: -1, Seed: 7}
	if p.tenant != nil {
		p.tenant(h.tenant)
	}
	srv, err := h.tenant.Start()
	require.NoError(t, err)
	t.Cleanup(func() { _ = srv.Close() })
	h.defender, err = mdecore.New(srv.AppCredential(mdesim.DefaultAppID, mdesim.DefaultAppSecret), mdecore.Options{
		Cloud: mdecore.Custom(srv.URL, srv.URL, ""), HTTPClient: srv.Client(),
	})
	require.NoError(t, err)
}

// notifier makes one, as a process of its own would.
func (h *house) notifier(t testing.TB) *slackbot.Notifier {
	t.Helper()
	facts, err := tools.Facts()
	require.NoError(t, err)
	n, err := slackbot.NewNotifier(slackbot.NotifierOptions{
		APIURL: h.slack.APIURL(), BotToken: h.Tokens().Bot, Store: h.db, ApprovalChannel: h.options.ApprovalChannel, Logger: h.logger(),
		Gate: h.gate, Board: h.board, Tools: facts, Tell: []approvals.Group{{Name: "on-call", Slack: slacksim.OnCall}},
	})
	require.NoError(t, err)
	return n
}

func (h *house) work(t testing.TB) {
	t.Helper()
	performer, err := tools.NewPerformer(tools.PerformerOptions{Reader: h.defender, Writer: h.defender, Tenant: mdesim.DefaultTenantID, Board: h.board})
	require.NoError(t, err)
	risks, err := tools.Facts()
	require.NoError(t, err)
	w, err := worker.New(worker.Options{
		Store: h.db, Policy: h.policy, Verifier: h.verifier, Directory: h.people, Performer: performer, Tools: risks,
		Notifier: h.notifier(t), Board: h.board, Gate: h.gate, Timing: worker.Timing{Poll: 30 * time.Millisecond}, Logger: h.logger(),
	})
	require.NoError(t, err)
	require.NoError(t, w.Start(t.Context()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = w.Stop(ctx)
	})
}

// run runs the bot until the test ends and waits for its connections.
func (h *house) run(t testing.TB) {
	t.Helper()
	b, err := slackbot.New(h.options)
	require.NoError(t, err)
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
	h.wait(t, func(s slacksim.Snapshot) bool { return s.Connections == 2 })
}

func (h *house) wait(t testing.TB, ok func(slacksim.Snapshot) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := h.WaitFor(ctx, ok); err != nil {
		require.NoError(t, err, h.heard()+h.log.String())
	}
}

// heard is everything anybody was told in private, for tests that fail.
func (h *house) heard() string {
	var b strings.Builder
	for user, list := range h.Snapshot().Ephemerals {
		for _, m := range list {
			b.WriteString(user + ": " + shown(m) + "\n")
		}
	}
	return b.String()
}

// typed types a command in #security and waits for its answer.
func (h *house) typed(t testing.TB, user, text string) slacksim.Outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	before := len(h.Ephemerals(user))
	out, err := h.Command(ctx, user, slacksim.Security, "/mde", text)
	require.NoError(t, err)
	if out.Reply != "" {
		return out
	}
	// On a busy machine the answer comes after the acknowledgement.
	h.wait(t, func(s slacksim.Snapshot) bool { return len(s.Ephemerals[user]) > before })
	out.Ephemerals = h.Ephemerals(user)[before:]
	out.Reply = out.Ephemerals[0].Text
	return out
}

// shown is everything that a message shows, as a person would read it.
func shown(m slacksim.Message) string {
	return slacksim.RenderText(m, slacksim.RenderOptions{Width: 400})
}

// told is the newest thing that only user sees, once something matching want is among it.
func (h *house) told(t testing.TB, user, want string) string {
	t.Helper()
	var found string
	h.wait(t, func(s slacksim.Snapshot) bool {
		for _, m := range s.Ephemerals[user] {
			if text := shown(m); strings.Contains(text, want) {
				found = text
				return true
			}
		}
		return false
	})
	return found
}

// card waits for a card in #security whose text has want in it.
func (h *house) card(t testing.TB, want string) slacksim.Message {
	t.Helper()
	var card slacksim.Message
	h.wait(t, func(s slacksim.Snapshot) bool {
		for _, m := range s.Messages[slacksim.Security] {
			if m.ThreadTS == "" && strings.Contains(shown(m), want) {
				card = m
				return true
			}
		}
		return false
	})
	h.noted(t, card)
	return card
}

// noted waits until the place of a request's card is stored, which is a moment after Slack shows it: a press is taken from
// then on.
func (h *house) noted(t testing.TB, card slacksim.Message) {
	t.Helper()
	found := requestWord.FindStringSubmatch(shown(card))
	if found == nil {
		return
	}
	require.Eventually(t, func() bool {
		m, _, err := h.db.Message(t.Context(), found[1], "card")
		return err == nil && m.TS != ""
	}, patience, 5*time.Millisecond, "the card's place is stored")
}

func (h *house) press(t testing.TB, user string, m slacksim.Message, button string) slacksim.Outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := h.Click(ctx, user, m.Channel, m.TS, button)
	require.NoError(t, err)
	return out
}

var requestWord = regexp.MustCompile(`Request ([0-9A-Z]{8})\b`)

// requestOn is the id of the request that a card is for.
func requestOn(t testing.TB, m slacksim.Message) string {
	t.Helper()
	found := requestWord.FindStringSubmatch(shown(m))
	require.Len(t, found, 2, shown(m))
	return found[1]
}

// isolate asks for host01 as alice and returns its card.
func (h *house) isolate(t testing.TB) (slacksim.Message, string) {
	t.Helper()
	h.typed(t, slacksim.Alice, "isolate "+mdesim.NameHost+" because beaconing to a known C2")
	card := h.card(t, "Approval needed")
	id := requestOn(t, card)
	return card, id
}

func (h *house) state(t testing.TB, id string) approvals.Request {
	t.Helper()
	r, err := h.gate.Get(t.Context(), id)
	require.NoError(t, err)
	return r
}
