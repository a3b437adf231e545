package tools

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/gate"
	"github.com/mde-ops/mde-ops/internal/evidence"
	"github.com/mde-ops/mde-ops/mdecore"
)

// TokenInfo is what a token says about the application or person it was given to; never the token.
type TokenInfo struct {
	TenantID, AppID string
	// UPN and ObjectID identify a signed-in person; empty for an application.
	UPN, ObjectID string
	// Roles are application permissions, Scopes delegated ones.
	Roles, Scopes []string
	ExpiresAt     time.Time
}

// Options are what a dispatcher is made of.
type Options struct {
	// Reader reads the tenant. It needs no writing permission: a dispatcher never writes to the tenant.
	Reader *mdecore.Client
	// Gate takes in requests.
	Gate *gate.Gate
	// Evidence is the store of collected evidence; nil when there is none.
	Evidence *evidence.Store
	// Nexus reads Nexus clusters; nil when none are configured.
	Nexus *NexusReader
	// Tenant is the Entra tenant id that every plan is for; Cloud the name that whoami shows.
	Tenant, Cloud string
	// TokenInfo inspects the token that Reader sends; nil when that is not known.
	TokenInfo func(context.Context) (TokenInfo, error)
	// Clock defaults to time.Now, Logger to silence, MaxDevices (targets of one call) to 100.
	Clock      func() time.Time
	Logger     *slog.Logger
	MaxDevices int
}

// Dispatcher is the one way to run a tool. It is safe for concurrent use.
type Dispatcher struct {
	house    *house
	consents *consents
	order    []Tool
	byID     map[string]*compiled
}

// house is what every tool function may use.
type house struct {
	reader        *mdecore.Client
	gate          *gate.Gate
	evidence      *evidence.Store
	nexus         *NexusReader
	tenant, cloud string
	tokenInfo     func(context.Context) (TokenInfo, error)
	clock         func() time.Time
	log           *slog.Logger
	maxDevices    int
	weighLimit    time.Duration // of what a plan can do without
	tools         []Tool
	inverses      map[string]string
	reversals     map[string]*reversal
	borrowers     map[string]bool // tools that make plans of other tools
	nodesKnown    directory       // of Nexus, for a while
	hunts         huntResults     // results of hunting queries, for their later pages
}

// session is one call: the house, and who calls.
type session struct {
	*house
	who      approvals.Requester
	progress func(Progress) // nil when nobody listens
	pager    pager          // of a tool that lists
}

// NewDispatcher checks the options and every declaration. It fails when anything that a safe answer needs is missing.
func NewDispatcher(o Options) (*Dispatcher, error) {
	return newDispatcher(o, declarations())
}

func newDispatcher(o Options, declared []declaration) (*Dispatcher, error) {
	switch {
	case o.Reader == nil:
		return nil, errors.New("tools: no client of the tenant (Options.Reader)")
	case o.Gate == nil:
		return nil, errors.New("tools: no gate (Options.Gate); without one nothing may run")
	case strings.TrimSpace(o.Tenant) == "":
		return nil, errors.New("tools: no tenant id (Options.Tenant); a plan must say which tenant it is for")
	case o.MaxDevices < 0:
		return nil, errors.New("tools: Options.MaxDevices is negative")
	}
	all, err := compileAll(declared)
	if err != nil {
		return nil, err
	}
	h := &house{
		reader: o.Reader, gate: o.Gate, evidence: o.Evidence, nexus: o.Nexus, tenant: o.Tenant, cloud: o.Cloud, tokenInfo: o.TokenInfo,
		clock: o.Clock, log: o.Logger, maxDevices: o.MaxDevices, weighLimit: defaultWeighLimit, inverses: map[string]string{}, reversals: map[string]*reversal{},
		borrowers: map[string]bool{},
	}
	if h.clock == nil {
		h.clock = time.Now
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if h.maxDevices == 0 {
		h.maxDevices = 100
	}
	asks, err := newConsents(h.clock)
	if err != nil {
		return nil, err
	}
	d := &Dispatcher{house: h, consents: asks, byID: make(map[string]*compiled, len(all))}
	for _, c := range all {
		d.order = append(d.order, c.tool)
		d.byID[c.tool.Name] = c
		h.borrowers[c.tool.Name] = c.borrows
		if c.undo != "" {
			h.inverses[c.tool.Name], h.reversals[c.tool.Name] = c.undo, c.reverse
		}
	}
	h.tools = d.order
	return d, nil
}

// Tools lists the tools in a stable order.
func (d *Dispatcher) Tools() []Tool { return append([]Tool(nil), d.order...) }

// Call is one call of a tool, as a face understood it.
type Call struct {
	Tool string
	// Args is a JSON object; empty means none.
	Args json.RawMessage
	// Requester is who calls, as the face identified them.
	Requester approvals.Requester
	// Origin is where the answer to a request goes.
	Origin approvals.Origin
	// Progress, when set, is told how far a request has come while the call waits for its end. It is called from the call
	// itself, and must not block.
	Progress func(Progress)
	// MayAsk says that the face can put a question to the person behind its client: Result.Question may be set then. Answer is
	// what they said, in the call that follows.
	MayAsk bool
	Answer *Answer
}

// Result is a tool's answer.
type Result struct {
	Tool string
	// Output is a struct that the tool's output schema describes.
	Output any
	// Text is a short summary; untrusted text in it is made harmless to read, and must still be escaped by the face.
	Text string
	// Tables are those parts of Text, in their order, whose columns only stand under one another in letters of one width.
	Tables []string
	// Request is the request that an acting call made; nil for reading calls and dry runs.
	Request *approvals.Request
	// Joined tells the caller that others asked for the same before, and what follows from that; empty otherwise. The output
	// says it too.
	Joined string
	// Question, when set, is everything that there is: the caller's person is to be asked, and nothing was made.
	Question *Question
}

// Call runs a reading tool that policy allows, or plans an acting one and submits the plan to the gate. Every error is an
// *approvals.Error whose text is for the caller; its cause is for the log.
func (d *Dispatcher) Call(ctx context.Context, c Call) (Result, error) {
	began := time.Now()
	c.Requester.Agent = clean(c.Requester.Agent, 80) // the client's own word, and shown on the card
	res, err := d.call(ctx, c)
	err = refusal(err)
	d.log(ctx, c, err, time.Since(began))
	if err != nil {
		return Result{Tool: c.Tool}, err
	}
	return res, nil
}

func (d *Dispatcher) call(ctx context.Context, c Call) (Result, error) {
	tool, ok := d.byID[c.Tool]
	if !ok {
		return Result{}, approvals.Refuse(approvals.KindInvalid, nil, "there is no tool %s%s", quoted(c.Tool, 60),
			didYouMean(c.Tool, d.names()))
	}
	if strings.TrimSpace(c.Requester.ID) == "" {
		return Result{}, approvals.Refuse(approvals.KindDenied, nil,
			"nobody is known to be calling, and every call needs a person; set the identity of this face")
	}
	args, problems := check(tool.tool.Args, c.Args)
	if err := problems.refusal(c.Tool); err != nil {
		return Result{}, err
	}
	on := &session{house: d.house, who: c.Requester, progress: c.Progress}
	if tool.tool.Acts() {
		return d.submit(ctx, tool, on, args, c)
	}
	if err := on.mayRead(ctx, c.Tool, args); err != nil {
		return Result{}, err
	}
	out, text, err := tool.read(ctx, on, args)
	if err != nil {
		return Result{}, err
	}
	res := Result{Tool: c.Tool, Output: out, Text: text}
	if t, ok := out.(tabled); ok {
		res.Tables = t.tables()
	}
	return res, nil
}

// tabled is an output whose text has tables in it.
type tabled interface{ tables() []string }

// Plan is the plan that a call of an acting tool would submit, with the tool's own checks. Nothing is submitted. It serves
// faces that show a plan before somebody decides how to ask for it, and policy's explanations.
func (d *Dispatcher) Plan(ctx context.Context, c Call) (approvals.Plan, error) {
	tool, ok := d.byID[c.Tool]
	if !ok || !tool.tool.Acts() {
		return approvals.Plan{}, approvals.Refuse(approvals.KindInvalid, nil, "there is no acting tool %s%s", quoted(c.Tool, 60), didYouMean(c.Tool, d.names()))
	}
	args, problems := check(tool.tool.Args, c.Args)
	if err := problems.refusal(c.Tool); err != nil {
		return approvals.Plan{}, err
	}
	on := &session{house: d.house, who: c.Requester}
	if err := on.mayRead(ctx, "get_device", nil); err != nil {
		return approvals.Plan{}, err
	}
	plan, _, err := tool.plan(ctx, on, args)
	return plan, refusal(err)
}

// submit plans and hands the plan to the gate, unless it is a dry run.
func (d *Dispatcher) submit(ctx context.Context, tool *compiled, on *session, args json.RawMessage, c Call) (Result, error) {
	// Planning shows facts about devices, so who may not read them gets no plan either.
	if err := on.mayRead(ctx, "get_device", nil); err != nil {
		return Result{}, err
	}
	var was asked
	var err error
	if c.Answer != nil {
		if was, err = d.answered(c); err != nil {
			return Result{}, err
		}
	}
	plan, dry, err := tool.plan(ctx, on, args)
	if err != nil {
		return Result{}, err
	}
	if dry {
		v, err := on.dryRun(ctx, tool.tool.Name, plan)
		if err != nil {
			return Result{}, err
		}
		return Result{Tool: tool.tool.Name, Output: v, Text: v.text()}, nil
	}
	s := gate.Submission{Plan: plan, Requester: on.who, Origin: c.Origin}
	if ask, err := d.consented(ctx, c, was, &s); err != nil || ask != nil {
		return Result{Tool: tool.tool.Name, Question: ask}, err
	}
	r, err := on.gate.Submit(ctx, s)
	if err != nil {
		return Result{}, err
	}
	v, err := on.describe(ctx, r)
	if err != nil { // the request is there, whatever could not be read about it
		on.log.WarnContext(ctx, "not everything about a new request could be shown", "request", r.ID, "error", err)
		v = on.viewOf(r)
	}
	told := gate.Joined(r, on.who.Person)
	v.Message = strings.TrimSpace(told + " " + v.Message)
	return Result{Tool: tool.tool.Name, Output: v, Text: v.text(), Request: &r, Joined: told}, nil
}

// dryRun draws a plan with what policy would answer.
func (s *session) dryRun(ctx context.Context, tool string, plan approvals.Plan) (requestView, error) {
	v := viewOfPlan(plan, s.who)
	a, err := s.gate.Answer(ctx, plan, s.who)
	if err != nil {
		return requestView{}, err
	}
	v.Policy = inWords(a.Outcome, a.Quorums(), a.Rule, a.Why)
	v.Approvers = viewOfQuorums(a.Quorums())
	v.Next = "Call " + tool + " again without dry_run to ask for it."
	if a.Outcome == approvals.Deny {
		v.Next = "Policy denies this; don't call it without dry_run."
	}
	if a.ReasonRequired && plan.Reason == "" && a.Outcome != approvals.Deny {
		v.Next += " Policy wants a reason."
	}
	return v, nil
}

// mayRead asks policy whether the caller may read through that tool. Anything but allow means no.
func (s *session) mayRead(ctx context.Context, tool string, args json.RawMessage) error {
	a, err := s.gate.Decide(ctx, approvals.Call{Tool: tool, Risk: approvals.RiskRead, Args: args, Requester: s.who})
	if err != nil {
		return err
	}
	if a.Outcome == approvals.Allow {
		return nil
	}
	why := a.Why
	if why == "" {
		why = "policy does not allow this caller to read"
	}
	return approvals.Refuse(approvals.KindDenied, nil, "%s was not called: %s", tool, why)
}

func (d *Dispatcher) names() []string {
	names := make([]string, len(d.order))
	for i, t := range d.order {
		names[i] = t.Name
	}
	return names
}

// log writes one line per call: never the arguments, which may hold what people would not want in a log.
func (d *Dispatcher) log(ctx context.Context, c Call, err error, took time.Duration) {
	attrs := []slog.Attr{
		slog.String("tool", clean(c.Tool, 60)), slog.String("requester", c.Requester.ID), slog.String("via", string(c.Requester.Via)),
		slog.Duration("took", took),
	}
	level := slog.LevelInfo
	if err != nil {
		level = slog.LevelWarn
		attrs = append(attrs, slog.String("kind", string(approvals.KindOf(err))), slog.String("refused", err.Error()))
		if cause := errors.Unwrap(err); cause != nil {
			attrs = append(attrs, slog.String("cause", cause.Error()))
		}
	}
	d.house.log.LogAttrs(ctx, level, "tool call", attrs...)
}
