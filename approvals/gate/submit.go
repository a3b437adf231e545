package gate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/internal/change"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/failpoint"
)

// Submission is a planned call that somebody asks to have done.
type Submission struct {
	Plan      approvals.Plan
	Requester approvals.Requester
	Origin    approvals.Origin
	// Consent says that the requester was shown this plan in their MCP client and said yes there. It confirms what policy
	// wants confirmed, where approvals.Consentable lets it, and counts for nothing else.
	Consent bool
}

// submitAttempts is how often a submission is looked at anew, when its id is taken. Eight characters of base32 hardly
// ever meet.
const submitAttempts = 4

// Submit records a request for a planned call. What policy allows is approved at once and handed to the worker; what
// needs a yes waits for it. Whoever asks for what is asked for already joins that request, and gets it instead of a new one.
// The error is KindInvalid when the call must be mended, KindDenied when policy says no or the person asks too often,
// KindHeld while people have stopped it, and KindConflict when the person can't join what is open.
func (g *Gate) Submit(ctx context.Context, s Submission) (approvals.Request, error) {
	if g.watch == nil {
		return g.take(ctx, s)
	}
	ctx, end := g.watch(ctx, s.Plan.Tool)
	r, err := g.take(ctx, s)
	end(r, err)
	return r, err
}

// take is Submit, with nobody watching.
func (g *Gate) take(ctx context.Context, s Submission) (approvals.Request, error) {
	s, err := g.admitted(s)
	if err != nil {
		return approvals.Request{}, g.refuse(ctx, s, err)
	}
	for range submitAttempts {
		id, err := g.submit(ctx, s)
		if errors.Is(err, errAgain) {
			continue
		}
		if err != nil {
			return approvals.Request{}, g.refuse(ctx, s, err)
		}
		return g.store.Request(ctx, id)
	}
	return approvals.Request{}, approvals.Refuse(approvals.KindConflict, nil, "no free request id was found; try again")
}

// errAgain says that the id is taken.
var errAgain = errors.New("the id is taken")

// submit decides a submission once, and lets it in if nothing has changed when it comes to that.
func (g *Gate) submit(ctx context.Context, s Submission) (id string, err error) {
	clear, d, err := g.decided(ctx, s)
	if err != nil {
		return "", err
	}
	r, err := g.request(s, d)
	if err != nil {
		return "", err
	}
	err = g.store.InTx(ctx, func(tx *store.Tx) error {
		id, err = g.enter(ctx, tx, r, clear)
		return err
	})
	return id, err
}

// decided is policy's answer to a submission that it lets in, with the clearance for its tool.
func (g *Gate) decided(ctx context.Context, s Submission) (control.Clearance, approvals.Decision, error) {
	clear, err := g.board.Clear(ctx, s.Plan.Tool)
	if err != nil {
		return clear, approvals.Decision{}, err
	}
	d, err := approvals.Decide(ctx, g.policy, g.store, s.Plan, s.Requester, approvals.DecideAt{At: g.now()})
	if err != nil {
		return clear, d, err
	}
	return clear, d, permitted(s, d)
}

// AsksClient reports whether s lacks nothing but its requester's own yes, which they may give in their client. Nothing is
// made; a refusal is the one that Submit would give, and is recorded as one.
func (g *Gate) AsksClient(ctx context.Context, s Submission) (bool, error) {
	s, err := g.admitted(s)
	if err != nil {
		return false, g.refuse(ctx, s, err)
	}
	_, d, err := g.decided(ctx, s)
	if err != nil {
		return false, g.refuse(ctx, s, err)
	}
	return d.Outcome == approvals.Confirm && approvals.Consentable(s.Plan, s.Requester), nil
}

// enter joins r to the open request that does the same, or inserts it, and returns the id of what there is now. Nobody
// else can enter or press a switch until the transaction ends.
func (g *Gate) enter(ctx context.Context, tx *store.Tx, r approvals.Request, clear control.Clearance) (string, error) {
	if err := tx.LockSubmissions(ctx); err != nil {
		return "", err
	}
	if err := clear.Still(ctx, tx); err != nil {
		return "", err
	}
	twin, ok, err := g.twin(ctx, tx, r)
	if err != nil {
		return "", err
	}
	if ok {
		return twin.ID, g.join(ctx, tx, twin, r)
	}
	if err := g.limited(ctx, tx, r); err != nil {
		return "", err
	}
	if err := insert(ctx, tx, r); err != nil {
		return r.ID, err
	}
	failpoint.Hit(failpoint.DuringSubmit)
	return r.ID, nil
}

// admitted refuses what no policy could let in, whatever is stored.
func (g *Gate) admitted(s Submission) (Submission, error) {
	s, err := frozen(s)
	if err != nil {
		return s, err
	}
	if err := g.known(s.Plan.Tool, s.Plan.Risk); err != nil {
		return s, err
	}
	if box := s.Plan.TimeBox; box != nil {
		if err := g.known(box.Tool, box.Risk); err != nil {
			return s, err
		}
	}
	if s.Consent && !approvals.Consentable(s.Plan, s.Requester) {
		return s, approvals.Refuse(approvals.KindDenied, nil,
			"a yes in the client is only its word, which is enough for annotations over MCP by somebody who proved who they are, and not for %s (risk %s)", s.Plan.Tool, s.Plan.Risk)
	}
	if s.Plan.Tool == approvals.ToolLift && (s.Requester.Via != approvals.ViaSlack || !s.Requester.Verified) {
		return s, approvals.Refuse(approvals.KindDenied, nil, "a stop is lifted in Slack only, by people who are signed in there")
	}
	return s, nil
}

// known compares a plan's word about a tool with the tool's own. The worker does so again.
func (g *Gate) known(tool string, risk approvals.Risk) error {
	if len(g.tools) == 0 {
		return nil
	}
	info, ok := g.tools[tool]
	switch {
	case !ok:
		return invalid("there is no tool %q", tool)
	case !info.States(risk):
		return invalid("the plan says that tool %s has risk %q, and the tool says %s", tool, risk, info.InWords())
	}
	return nil
}

// frozen checks the submission and brings it into the form that the store gives back, so that a digest computed now is
// the digest of what is read later (text that is not UTF-8 changes when it becomes JSON).
func frozen(s Submission) (Submission, error) {
	if err := s.Plan.Check(); err != nil {
		return s, err
	}
	if err := validRequester(s.Requester); err != nil {
		return s, err
	}
	kept, err := change.Kept(change.Asked{Plan: s.Plan, Requester: s.Requester, Origin: s.Origin})
	s.Plan, s.Requester, s.Origin = kept.Plan, kept.Requester, kept.Origin
	return s, err
}

func validRequester(r approvals.Requester) error {
	if err := r.CheckID(); err != nil {
		return err
	}
	switch r.Via {
	case approvals.ViaMCP, approvals.ViaSlack, approvals.ViaShell:
		return nil
	}
	return invalid("the call came through %q, which is no face of this program", r.Via)
}

// permitted applies policy's answer. Only the four known answers lead anywhere.
func permitted(s Submission, d approvals.Decision) error {
	switch d.Outcome {
	case approvals.Allow, approvals.Confirm, approvals.Approve:
	case approvals.Deny:
		return approvals.Refuse(approvals.KindDenied, nil, "policy refuses %s (rule %q): %s", s.Plan.Tool, d.Rule, d.Why)
	default:
		return approvals.Refuse(approvals.KindDenied, nil, "policy answered %q to %s (rule %q), which is not known here; nothing was done",
			string(d.Outcome), s.Plan.Tool, d.Rule)
	}
	switch {
	case d.Terms.BreakGlass:
		return approvals.Refuse(approvals.KindDenied, nil, "policy's rule %q answers as in an emergency, which is only declared in the Slack dialog", d.Rule)
	case d.MaxTargets > 0 && len(s.Plan.Targets) > d.MaxTargets:
		return invalid("%d targets are more than the %d that one call may have (rule %q); split the call", len(s.Plan.Targets), d.MaxTargets, d.Rule)
	case d.ReasonRequired && strings.TrimSpace(s.Plan.Reason) == "":
		return invalid("a reason is needed for %s (rule %q): say why in `reason`", s.Plan.Tool, d.Rule)
	case d.StartBefore <= 0 || (d.Outcome != approvals.Allow && d.Expires <= 0):
		return approvals.Refuse(approvals.KindDenied, nil, "policy's rule %q gives %s no time to be approved or started; mend the policy", d.Rule, s.Plan.Tool)
	}
	for _, q := range d.Quorums() {
		if q.Count < 1 || q.From.Empty() {
			return approvals.Refuse(approvals.KindDenied, nil, "policy's rule %q asks for %d approvers of group %q, which is nobody; mend the policy",
				d.Rule, q.Count, q.From.Name)
		}
	}
	return nil
}

func (g *Gate) request(s Submission, d approvals.Decision) (approvals.Request, error) {
	now := g.now()
	r := approvals.Request{
		ID: g.newID(), Plan: s.Plan, Requester: s.Requester, Origin: s.Origin,
		Outcome: d.Outcome, Rule: d.Rule, PolicyDigest: g.policy.Digest(),
		CreatedAt: now, ExpiresAt: now.Add(d.Expires.Truncate(time.Millisecond)), StartWithin: d.StartBefore.Truncate(time.Millisecond),
		State: approvals.Pending, Message: "waits for approval", Terms: d.Terms,
	}
	r.Terms.ClientConsent = false // no policy's to say
	switch d.Outcome {
	case approvals.Approve:
		r.Quorum = d.Quorums()
		r.Message = "waits for " + inWords(r.Quorum)
	case approvals.Confirm:
		r.Message = "waits for the requester's own yes"
		if r.Terms.ClientConsent = s.Consent; s.Consent {
			r.State, r.DecidedAt = approvals.Approved, now
			r.Message = fmt.Sprintf("confirmed by %s: consent by the client's word", s.Requester.ID)
		}
	case approvals.Allow:
		r.State, r.DecidedAt, r.Message = approvals.Approved, now, fmt.Sprintf("allowed by rule %q", d.Rule)
	case approvals.Deny: // never gets here: permitted refused it
	}
	return change.Made(r)
}

func inWords(quorums []approvals.Quorum) string {
	parts := make([]string, len(quorums))
	for i, q := range quorums {
		parts[i] = fmt.Sprintf("%d of %s", q.Count, q.From.Name)
	}
	return strings.Join(parts, " and ")
}

// insert writes the request, its audit row and the jobs that carry it on. errAgain when its id is taken.
func insert(ctx context.Context, tx *store.Tx, r approvals.Request) error {
	by := change.By{At: r.CreatedAt, Actor: r.Requester.ID, Detail: r.Message}
	err := tx.Insert(ctx, r, change.Note(r.ID, approvals.EventSubmitted, by))
	if approvals.KindOf(err) == approvals.KindConflict {
		return errAgain
	}
	if err != nil {
		return err
	}
	return change.Clocks(ctx, tx, r)
}

// refuse records an attempt that policy or the gate turned away. The refusal stands even when it can't be recorded. That an
// answer could not be had is no refusal, and goes to the log of whoever asked.
func (g *Gate) refuse(ctx context.Context, s Submission, refusal error) error {
	switch approvals.KindOf(refusal) {
	case approvals.KindStore, approvals.KindNoAnswer, "":
		return refusal
	case approvals.KindNotFound, approvals.KindDenied, approvals.KindInvalid, approvals.KindConflict,
		approvals.KindNotVoter, approvals.KindTampering, approvals.KindHeld:
	}
	by := change.By{At: g.now(), Actor: s.Requester.ID, Detail: s.Plan.Tool + ": " + refusal.Error()}
	return change.Refused(ctx, g.store, g.logger, "", by, refusal)
}

func invalid(format string, args ...any) error {
	return approvals.Refuse(approvals.KindInvalid, nil, format, args...)
}

// randomID is 40 random bits as eight characters that a person can read out.
func randomID() string {
	var b [5]byte
	_, _ = rand.Read(b[:]) // never fails: the runtime ends the program instead
	return change.ID(b)
}
