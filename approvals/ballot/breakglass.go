package ballot

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/internal/change"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// Switches says what people have stopped; a *control.Board does.
type Switches interface {
	// Clear is KindHeld when the tool may not act now, and else gives what to look at again in the transaction that acts.
	Clear(ctx context.Context, tool string) (control.Clearance, error)
}

// Emergency is what a person filled in and sent in the dialog that breaks the glass.
type Emergency struct {
	Plan approvals.Plan
	// Requester is who the face authenticated; their own yes is all that there will be.
	Requester approvals.Requester
	// Typed are the names that the person typed, one for each target of the plan, in any order.
	Typed  []string
	Origin approvals.Origin
	// Delivery names the delivery, such as a Slack view's id; a delivery acts once, however often it comes.
	Delivery string
}

// BreakGlass makes a request that its requester alone approved, where policy names them and the tool for that, and hands
// it to the worker. A request for the same that still waits is cancelled for it. A redelivered emergency returns the
// request that the first one made. KindDenied when policy has no such way for this person and tool, KindInvalid when
// something was typed wrong, KindHeld while acting is stopped, KindConflict when the same is approved or running already.
// Every refusal is in the audit.
func (b *Box) BreakGlass(ctx context.Context, in Emergency) (approvals.Request, error) {
	in, err := kept(in)
	if err != nil {
		return approvals.Request{}, b.refuseEmergency(ctx, in, err)
	}
	r, err := b.declare(ctx, in)
	made, again := b.madeBefore(ctx, in)
	if again {
		return made, nil
	}
	if err == nil {
		err = approvals.Refuse(approvals.KindStore, nil, "request %s can't be read back; look at the list of requests", r.ID)
	}
	return approvals.Request{}, b.refuseEmergency(ctx, in, err)
}

// declare decides an emergency and stores it, unless its tool is stopped, be it in between.
func (b *Box) declare(ctx context.Context, in Emergency) (approvals.Request, error) {
	if err := in.check(); err != nil {
		return approvals.Request{}, err
	}
	if b.switches == nil {
		return approvals.Request{}, denied("this process can't tell whether acting is stopped, so that the glass can't be broken here")
	}
	clear, err := b.switches.Clear(ctx, in.Plan.Tool)
	if err != nil {
		return approvals.Request{}, err
	}
	r, err := b.emergency(ctx, in)
	if err != nil {
		return r, err
	}
	return r, b.insert(ctx, r, clear)
}

// madeBefore finds the request that this delivery made.
func (b *Box) madeBefore(ctx context.Context, in Emergency) (approvals.Request, bool) {
	if in.Delivery == "" {
		return approvals.Request{}, false
	}
	r, err := b.store.Request(ctx, emergencyID(in.Delivery))
	same := err == nil && r.Terms.BreakGlass && r.Key == in.Plan.Key() && r.Requester.Same(in.Requester.Person)
	return r, same
}

// emergency builds the request with its vote, where policy and its count allow that.
func (b *Box) emergency(ctx context.Context, in Emergency) (approvals.Request, error) {
	now := b.now()
	d, err := approvals.Decide(ctx, b.policy, b.store, in.Plan, in.Requester, approvals.DecideAt{At: now, BreakGlass: true})
	if err != nil {
		return approvals.Request{}, err
	}
	if d.Outcome != approvals.Confirm || !d.Terms.BreakGlass {
		return approvals.Request{}, denied("policy has no break-glass for %s and %s (rule %q): %s", in.Requester.ID, in.Plan.Tool, d.Rule, d.Why)
	}
	r, err := b.emergencyRequest(in, d, now)
	if err != nil {
		return approvals.Request{}, err
	}
	return r, b.stands(ctx, r)
}

// stands counts the request as the worker will, and wants its requester to be known to the directory.
func (b *Box) stands(ctx context.Context, r approvals.Request) error {
	standing, err := b.tally.Count(ctx, r)
	if err != nil {
		return err
	}
	if !standing.Met() {
		return denied("breaking the glass is not enough here: it needs %s as well", standing.Missing())
	}
	return nil
}

// kept brings an emergency into the form that the store gives back, so that its digest stays the same.
func kept(in Emergency) (Emergency, error) {
	asked, err := change.Kept(change.Asked{Plan: in.Plan, Requester: in.Requester, Origin: in.Origin})
	in.Plan, in.Requester, in.Origin = asked.Plan, asked.Requester, asked.Origin
	return in, err
}

// check refuses what no policy could let through.
func (in Emergency) check() error {
	if err := in.Plan.Check(); err != nil {
		return err
	}
	if err := in.Requester.CheckID(); err != nil {
		return err
	}
	_, _, slack := in.Requester.Slack()
	switch {
	case in.Requester.Via != approvals.ViaSlack, in.Requester.Agent != "", !in.Requester.Verified, !slack:
		return denied("the glass is broken by a person in Slack's dialog only")
	case in.Plan.Risk != approvals.RiskContain:
		return denied("%s is a tool of risk %s; breaking the glass only contains", in.Plan.Tool, in.Plan.Risk)
	case in.Delivery == "":
		return invalid("the dialog has no delivery name, so that it could act twice; open it again")
	case strings.TrimSpace(in.Plan.Reason) == "":
		return invalid("a reason is needed to break the glass")
	}
	return in.typedRight()
}

// typedRight wants the name of each target, typed as it is. Letters of other alphabets look alike, so that a name with one
// is not taken here at all: the ordinary way shows its id to a second person.
func (in Emergency) typedRight() error {
	if len(in.Typed) != len(in.Plan.Targets) {
		return invalid("%d names were typed for %d targets; type the name of each", len(in.Typed), len(in.Plan.Targets))
	}
	typed := make(map[string]bool, len(in.Typed))
	for _, text := range in.Typed {
		typed[lowerASCII(strings.TrimSpace(text))] = true
	}
	named := make(map[string]bool, len(in.Plan.Targets))
	for _, t := range in.Plan.Targets {
		name := lowerASCII(t.Name)
		switch {
		case !plainName(name):
			return invalid("the name %q of target %s has characters that can be mistaken for others; ask for it in the ordinary way", t.Name, t.ID)
		case named[name]:
			return invalid("two targets are called %q, so that the name does not say which; ask for them in the ordinary way", t.Name)
		case !typed[name]:
			return invalid("what was typed is not the name of the target, %q; nothing was done", t.Name)
		}
		named[name] = true
	}
	return nil
}

// lowerASCII lowers A to Z and nothing else: other letters fold into these, such as the Kelvin sign into k.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// plainName reports whether a lowered name has the characters of host names only.
func plainName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-._") == ""
}

// emergencyRequest is the approved request with the requester's signed yes.
func (b *Box) emergencyRequest(in Emergency, d approvals.Decision, now time.Time) (approvals.Request, error) {
	if d.Expires <= 0 || d.StartBefore <= 0 {
		return approvals.Request{}, denied("policy's rule %q gives %s no time to start; mend the policy", d.Rule, in.Plan.Tool)
	}
	r := approvals.Request{
		ID: emergencyID(in.Delivery), Plan: in.Plan, Requester: in.Requester, Origin: in.Origin,
		Outcome: d.Outcome, Rule: d.Rule, PolicyDigest: b.policy.Digest(), Terms: d.Terms,
		CreatedAt: now, ExpiresAt: now.Add(d.Expires.Truncate(time.Millisecond)), StartWithin: d.StartBefore.Truncate(time.Millisecond),
		State: approvals.Approved, DecidedAt: now, Message: "break-glass: " + in.Requester.ID + " alone decided",
	}
	r, err := change.Made(r)
	if err != nil {
		return r, err
	}
	vote, err := b.signer.Sign(approvals.Vote{
		RequestID: r.ID, Digest: r.Digest, Voter: r.Requester.Person, Verdict: approvals.VerdictConfirm, At: now,
	})
	r.Votes = []approvals.Vote{vote}
	return r, err
}

// insert writes the request, its vote and its audit rows, and hands it over, or nothing of it. Nobody can enter a request or
// press a switch until its transaction ends.
func (b *Box) insert(ctx context.Context, r approvals.Request, clear control.Clearance) error {
	by := change.By{At: r.CreatedAt, Actor: r.Requester.ID, Detail: r.Message}
	return b.store.InTx(ctx, func(tx *store.Tx) error {
		if err := tx.LockSubmissions(ctx); err != nil {
			return err
		}
		if err := clear.Still(ctx, tx); err != nil {
			return err
		}
		if err := b.supersede(ctx, tx, r); err != nil {
			return err
		}
		if err := tx.Insert(ctx, r, change.Note(r.ID, approvals.EventSubmitted, by)); err != nil {
			return err
		}
		by.Detail = fmt.Sprintf("%s on %s: %s", r.Plan.Tool, names(r.Plan.Targets), r.Plan.Reason)
		if err := tx.Note(ctx, change.Note(r.ID, approvals.EventBreakGlass, by)); err != nil {
			return err
		}
		by.Detail = string(approvals.VerdictConfirm)
		if err := tx.AddVote(ctx, r.Votes[0], change.Note(r.ID, approvals.EventVote, by)); err != nil {
			return err
		}
		if err := b.handOver(ctx, tx, r, r.State); err != nil {
			return err
		}
		return change.Notify(ctx, tx, r.ID, "break-glass")
	})
}

// supersede ends open requests for the same, so that their approval later does not act a second time.
func (b *Box) supersede(ctx context.Context, tx *store.Tx, r approvals.Request) error {
	twins, err := change.Twins(ctx, tx, r.Key)
	if err != nil {
		return err
	}
	for _, twin := range twins {
		to, by := approvals.Cancelled, change.By{At: r.CreatedAt, Actor: r.Requester.ID, Detail: "break-glass request " + r.ID + " does the same"}
		if why, due := approvals.Overdue(twin, r.CreatedAt); due {
			to, by.Actor, by.Detail = approvals.Expired, change.Clock, why
		} else if twin.State != approvals.Pending {
			return approvals.Refuse(approvals.KindConflict, nil, "request %s for the same is %s already: %s", twin.ID, twin.State, twin.Message)
		}
		if err := tx.Move(ctx, change.Request(twin, to, by)); err != nil {
			return err
		}
		if err := change.Notify(ctx, tx, twin.ID, "superseded"); err != nil {
			return err
		}
	}
	return nil
}

// names lists the first targets by name.
func names(targets []approvals.Target) string {
	const most = 5
	var list []string
	for _, t := range targets[:min(len(targets), most)] {
		list = append(list, t.Name)
	}
	if more := len(targets) - most; more > 0 {
		list = append(list, fmt.Sprintf("%d more", more))
	}
	return strings.Join(list, ", ")
}

// GlassTurnedAway records that the face itself turned away an emergency, as of somebody who is no responder or who typed
// another name, and returns the refusal. Of in only the tool and the requester need be known.
func (b *Box) GlassTurnedAway(ctx context.Context, in Emergency, refusal error) error {
	return b.refuseEmergency(ctx, in, refusal)
}

// refuseEmergency records an attempt that was turned away. The refusal stands even when it can't be recorded.
func (b *Box) refuseEmergency(ctx context.Context, in Emergency, refusal error) error {
	by := change.By{At: b.now(), Actor: in.Requester.ID, Detail: "break-glass with " + in.Plan.Tool + ": " + refusal.Error()}
	return change.Refused(ctx, b.store, b.logger, "", by, refusal)
}

// emergencyID is the request id of a delivery: eight characters that a person can read out, the same each time it comes.
func emergencyID(delivery string) string {
	sum := sha256.Sum256([]byte("break-glass " + delivery))
	return change.ID([5]byte(sum[:5]))
}

func denied(format string, args ...any) error {
	return approvals.Refuse(approvals.KindDenied, nil, format, args...)
}

func invalid(format string, args ...any) error {
	return approvals.Refuse(approvals.KindInvalid, nil, format, args...)
}
