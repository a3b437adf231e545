package gate

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// Options is what a Gate is made of.
type Options struct {
	// Store and Policy are needed: without them there is no gate, and so no action.
	Store  *store.DB
	Policy approvals.Policy
	// Tools are what plans may name: a plan of another tool, or with another risk than the tool states, is refused. Without
	// them nothing is compared, and every stop counts as one of every tool.
	Tools map[string]approvals.ToolInfo
	// Clock is time.Now unless set.
	Clock func() time.Time
	// Logger is slog.Default unless set.
	Logger *slog.Logger
	// Poll is how often the audit's head is read while somebody waits; 200 ms unless set.
	Poll time.Duration
	// NewID makes request ids; eight random Crockford base32 characters unless set.
	NewID func() string
	// Watch is told of every submission of a tool's plan, and what it returns of what became of it; nobody is when nil.
	Watch func(ctx context.Context, tool string) (context.Context, func(approvals.Request, error))
}

// Gate lets planned calls in and says how far they have come. It is safe for concurrent use.
type Gate struct {
	store  *store.DB
	policy approvals.Policy
	tools  map[string]approvals.ToolInfo
	board  *control.Board
	clock  func() time.Time
	logger *slog.Logger
	newID  func() string
	watch  func(ctx context.Context, tool string) (context.Context, func(approvals.Request, error))
	feed   *feed
}

// New makes a gate. Close it to end its background reading.
func New(o Options) (*Gate, error) {
	switch {
	case o.Store == nil:
		return nil, errors.New("the gate has no store: without one no request can be kept and nothing may run")
	case o.Policy == nil:
		return nil, errors.New("the gate has no policy: without one nothing may run")
	}
	g := &Gate{store: o.Store, policy: o.Policy, tools: o.Tools, clock: o.Clock, logger: o.Logger, newID: o.NewID, watch: o.Watch}
	if g.clock == nil {
		g.clock = time.Now
	}
	if g.logger == nil {
		g.logger = slog.Default()
	}
	if g.newID == nil {
		g.newID = randomID
	}
	if o.Poll <= 0 {
		o.Poll = 200 * time.Millisecond
	}
	var err error
	if g.board, err = control.New(control.Options{Store: g.store, Tools: g.tools, Clock: g.clock, Logger: g.logger}); err != nil {
		return nil, err
	}
	g.feed = newFeed(o.Store.Head, o.Poll, g.logger)
	return g, nil
}

// Close ends the background reading; waiters return what they know.
func (g *Gate) Close() { g.feed.close() }

// Decide is policy's answer to a call now, without recording anything. A call without a moment is asked about for now.
// KindNoAnswer when what was done lately can't be counted.
func (g *Gate) Decide(ctx context.Context, c approvals.Call) (approvals.Decision, error) {
	if c.At.IsZero() {
		c.At = g.now()
	}
	if windows := g.policy.Windows(); len(windows) > 0 {
		recent, err := g.store.Recent(ctx, approvals.RecentQuery{Windows: windows, At: c.At, Requester: c.Requester.Person})
		if err != nil {
			return approvals.Decision{}, approvals.Refuse(approvals.KindNoAnswer, err, "what was done lately could not be counted; nothing was done, try again")
		}
		c.Recent = recent
	}
	return g.policy.Decide(c), nil
}

// Answer is policy's answer to a plan as Submit would get it now, without recording anything.
func (g *Gate) Answer(ctx context.Context, plan approvals.Plan, by approvals.Requester) (approvals.Decision, error) {
	return approvals.Decide(ctx, g.policy, g.store, plan, by, approvals.DecideAt{At: g.now()})
}

// Get returns a request as it is now: one that is overdue is expired. Only the ballot box and a worker write that down,
// because the clock of a process that only reads must not end other people's requests.
func (g *Gate) Get(ctx context.Context, id string) (approvals.Request, error) {
	r, err := g.store.Request(ctx, id)
	if err != nil {
		return approvals.Request{}, err
	}
	return approvals.AsOf(r, g.now()), nil
}

// List returns requests, newest first, each as it is now. One whose stored content can't be understood is left out.
func (g *Gate) List(ctx context.Context, f store.Filter) ([]approvals.Request, error) {
	rows, err := g.store.Requests(ctx, f)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		rows[i] = approvals.AsOf(rows[i], g.now())
	}
	return rows, nil
}

// Stops lists the stops in force, as far as this gate can tell: it believes a lift that the audit tells of, and a worker looks
// at the votes behind it.
func (g *Gate) Stops(ctx context.Context) ([]approvals.Stop, error) { return g.board.InForce(ctx) }

// VerifyAudit checks the audit's chain and that every stored state is what its last row says.
func (g *Gate) VerifyAudit(ctx context.Context) (approvals.AuditReport, error) {
	return g.store.VerifyAudit(ctx)
}

// now is the clock in the store's resolution: a digest is computed over milliseconds.
func (g *Gate) now() time.Time { return g.clock().UTC().Truncate(time.Millisecond) }
