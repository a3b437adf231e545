// Package ballot casts votes. Only a face that authenticates people imports it, because it holds the key that signs
// votes; a test of the whole house keeps it out of the server that assistants talk to.
package ballot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/internal/change"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/failpoint"
)

// Options is what a Box is made of; everything but Switches, Clock and Logger is needed.
type Options struct {
	Store     *store.DB
	Policy    approvals.Policy
	Signer    *approvals.Signer
	Verifier  *approvals.Verifier
	Directory approvals.Directory
	// Switches are asked before the glass is broken; without them nobody breaks it here.
	Switches Switches
	// Clock is time.Now and Logger slog.Default unless set.
	Clock  func() time.Time
	Logger *slog.Logger
}

// Ballot is one authenticated person's verdict on one request, as the face received it.
type Ballot struct {
	RequestID string
	// Digest is the one that the card showed.
	Digest  string
	Voter   approvals.Person
	Verdict approvals.Verdict
	// Reason is the voter's words, when they deny. Untrusted text.
	Reason string
	// Delivery names the delivery, such as a Slack envelope id, so that a redelivered one acts once. Empty when the
	// face has no such name.
	Delivery string
}

// Box takes ballots. It is safe for concurrent use.
type Box struct {
	store    *store.DB
	policy   approvals.Policy
	signer   *approvals.Signer
	tally    *approvals.Tally
	switches Switches
	clock    func() time.Time
	logger   *slog.Logger
}

// New makes a box, and refuses when its own votes would not verify.
func New(o Options) (*Box, error) {
	switch {
	case o.Store == nil:
		return nil, errors.New("the ballot box has no store: no vote could be kept")
	case o.Signer == nil:
		return nil, errors.New("the ballot box has no signer: set the vote signing key")
	}
	tally, err := approvals.NewTally(approvals.TallyOptions{
		Policy: o.Policy, Verifier: o.Verifier, Directory: o.Directory, Activity: o.Store, Clock: o.Clock,
	})
	if err != nil {
		return nil, err
	}
	probe, err := o.Signer.Sign(approvals.Vote{RequestID: "probe"})
	if err != nil {
		return nil, err
	}
	if err := o.Verifier.Verify(probe); err != nil {
		return nil, fmt.Errorf("the vote signing key and the vote verification keys don't belong together: %w", err)
	}
	b := &Box{
		store: o.Store, policy: o.Policy, signer: o.Signer, tally: tally, switches: o.Switches, clock: o.Clock, logger: o.Logger,
	}
	if b.clock == nil {
		b.clock = time.Now
	}
	if b.logger == nil {
		b.logger = slog.Default()
	}
	return b, nil
}

// casAttempts is how often a ballot is counted again when the request moved meanwhile, as when two people press at once.
const casAttempts = 8

// errReplayed ends the transaction of a ballot whose delivery was already counted.
var errReplayed = errors.New("this delivery was already counted")

// errLooked takes back the mark that only looking at a delivery would leave.
var errLooked = errors.New("only looked")

// deliveries is the scope of delivery names in the store.
const deliveries = "ballot"

// Cast counts a ballot, and returns the request as it is afterwards, also beside an error where one is known. A
// redelivered ballot changes nothing and is no error. KindNotVoter when the person's vote can't count, KindConflict when
// it is too late or was already cast, KindTampering when what is stored does not verify, KindNoAnswer when the
// directory can't be asked: nothing was saved then, and the person may press again.
func (b *Box) Cast(ctx context.Context, in Ballot) (approvals.Request, error) {
	for range casAttempts {
		r, events, err := b.open(ctx, in)
		if err != nil && b.replayed(ctx, in) {
			return r, nil // what it had to do was done, and what is now in the way came later
		}
		if err != nil {
			return r, b.refuse(ctx, r, in, err)
		}
		after, moved, err := b.count(ctx, r, events, in)
		if approvals.KindOf(err) == approvals.KindConflict && moved {
			continue // somebody else's vote or withdrawal was faster: look again
		}
		if errors.Is(err, errReplayed) {
			return b.store.Request(ctx, in.RequestID)
		}
		if err != nil {
			return r, b.refuse(ctx, r, in, err)
		}
		return after, nil
	}
	return approvals.Request{}, approvals.Refuse(approvals.KindConflict, nil, "request %s keeps changing; press again", in.RequestID)
}

// replayed reports whether the delivery was already counted, without marking it.
func (b *Box) replayed(ctx context.Context, in Ballot) bool {
	if in.Delivery == "" {
		return false
	}
	err := b.store.InTx(ctx, func(tx *store.Tx) error {
		if first, err := tx.FirstTime(ctx, deliveries, in.Delivery, b.now()); err != nil || !first {
			return errors.Join(err, errReplayed)
		}
		return errLooked
	})
	return errors.Is(err, errReplayed) && approvals.KindOf(err) == ""
}

// open reads the request with its audit rows and refuses what is wrong without asking anybody.
func (b *Box) open(ctx context.Context, in Ballot) (approvals.Request, []approvals.Event, error) {
	r, events, err := b.store.History(ctx, in.RequestID)
	if err != nil {
		return approvals.Request{}, nil, err
	}
	now, err := change.Expire(ctx, b.store, r, b.now())
	if err != nil {
		return now, nil, err
	}
	if now.Version != r.Version {
		if r, events, err = b.store.History(ctx, in.RequestID); err != nil {
			return now, nil, err
		}
	}
	if err := b.checkOpen(r, in); err != nil {
		return r, nil, err
	}
	return r, events, approvals.Genuine(r)
}

func (b *Box) checkOpen(r approvals.Request, in Ballot) error {
	conflict := func(format string, args ...any) error {
		return approvals.Refuse(approvals.KindConflict, nil, format, args...)
	}
	if i := slices.IndexFunc(r.Votes, func(v approvals.Vote) bool { return v.Voter.Same(in.Voter) }); i >= 0 {
		return conflict("your %s on request %s is already counted; it is %s (%s)", r.Votes[i].Verdict, r.ID, r.State, r.Message)
	}
	switch {
	case r.State != approvals.Pending:
		return conflict("request %s is already %s: %s", r.ID, r.State, r.Message)
	case in.Digest != r.Digest:
		return conflict("this card shows another version of request %s; open its newest card", r.ID)
	case b.now().Before(r.CreatedAt):
		return conflict("request %s was made in the future: the clocks of two machines differ; set them right and press again", r.ID)
	case !in.Verdict.Valid():
		return approvals.Refuse(approvals.KindInvalid, nil, "verdict %q is not known", in.Verdict)
	case strings.TrimSpace(in.Voter.ID) == "":
		return notVoter("nobody could be told to have pressed; a vote needs a person")
	}
	return nil
}

// ownOnce refuses a second vote of the requester's, who may have more names than either vote shows.
func ownOnce(r approvals.Request, voter approvals.Person) error {
	if !r.Requester.Same(voter) {
		return nil
	}
	for _, v := range r.Votes {
		if r.Requester.Same(v.Voter) {
			return approvals.Refuse(approvals.KindConflict, nil, "your %s on request %s is already counted, under another of your names", v.Verdict, r.ID)
		}
	}
	return nil
}

// count looks up what has to be looked up, then commits the vote with whatever follows from it, and returns what the
// request is then. moved says that a conflict is the request's, so that counting again makes sense.
func (b *Box) count(ctx context.Context, r approvals.Request, events []approvals.Event, in Ballot) (after approvals.Request, moved bool, err error) {
	if err := change.Agrees(r, events); err != nil {
		return r, true, err
	}
	asked, err := b.tally.Identified(ctx, r)
	if err != nil {
		return r, false, err
	}
	if err := ownOnce(asked, in.Voter); err != nil {
		return r, false, err
	}
	demands, err := b.tally.Demands(ctx, asked)
	if err != nil && in.Verdict != approvals.VerdictDeny {
		return r, false, err
	}
	groups, err := b.mayVote(ctx, asked, demands, in)
	if err != nil {
		return r, false, err
	}
	at := b.now() // after the look-ups, which may have been slow
	if !at.Before(r.ExpiresAt) {
		return r, true, tooLate(r)
	}
	vote, err := b.signer.Sign(approvals.Vote{
		RequestID: r.ID, Digest: r.Digest, Voter: in.Voter, Verdict: in.Verdict, Reason: in.Reason, At: at,
		Groups: groups,
	})
	if err != nil {
		return r, false, err
	}
	next, err := b.result(ctx, r, vote)
	if err != nil {
		return r, false, err
	}
	after, err = b.commit(ctx, r, vote, next, in.Delivery)
	return after, true, err
}

// mayVote refuses people whose vote can't count, and says in which groups they were found.
func (b *Box) mayVote(ctx context.Context, r approvals.Request, demands []approvals.Demand, in Ballot) ([]string, error) {
	own := in.Voter.Same(r.Requester.Person)
	asked := slices.ContainsFunc(demands, func(d approvals.Demand) bool { return d.Outcome == approvals.Confirm })
	switch {
	case in.Verdict == approvals.VerdictConfirm && r.Terms.BreakGlass:
		return nil, notVoter("request %s was made by breaking the glass; only the dialog that asks for the device's name makes that yes", r.ID)
	case in.Verdict == approvals.VerdictConfirm && !asked:
		return nil, notVoter("request %s does not ask for its requester's own yes", r.ID)
	case in.Verdict == approvals.VerdictConfirm && !own:
		return nil, notVoter("only %s, who asked for this, can confirm it", r.Requester.ID)
	case in.Verdict == approvals.VerdictConfirm:
		return nil, nil
	case in.Verdict == approvals.VerdictDeny && own && (asked || r.Outcome == approvals.Confirm):
		return nil, nil // the requester's no to their own question
	case own && in.Verdict == approvals.VerdictApprove:
		return nil, notVoter("you asked for this; someone else must approve")
	case own:
		return nil, notVoter("you asked for this; withdraw it instead")
	case r.Asked(in.Voter):
		return nil, notVoter("you asked for the same, so that your vote can't count; someone else must decide")
	}
	return b.inGroup(ctx, r, demands, in)
}

// inGroup requires membership of one of the groups whose yes is asked for, and returns the marks of those found. When
// policy now refuses the request there are no demands, and the groups of the request itself may still deny it. A no is
// heard from groups that count only later, too: it only stops.
func (b *Box) inGroup(ctx context.Context, r approvals.Request, demands []approvals.Demand, in Ballot) ([]string, error) {
	var quorums []approvals.Quorum
	for _, d := range demands {
		if d.Outcome == approvals.Approve {
			quorums = append(quorums, d.Quorum)
		}
	}
	if len(demands) == 0 {
		quorums = r.Quorum
	}
	var names, marks []string
	var later time.Time
	at := b.now()
	for _, q := range quorums {
		c, err := b.tally.CapacityOf(ctx, r, q, in.Voter, at)
		if err != nil {
			return nil, err
		}
		marks = append(marks, c.Marks...)
		if !c.Later.IsZero() && (later.IsZero() || c.Later.Before(later)) {
			later = c.Later
		}
		if !slices.Contains(names, q.Names()) {
			names = append(names, q.Names())
		}
	}
	slices.Sort(marks)
	switch {
	case len(marks) > 0, in.Verdict == approvals.VerdictDeny && !later.IsZero():
		return slices.Compact(marks), nil
	case !later.IsZero():
		return nil, notVoter("your group is asked from %s on; until then members of %s decide", later.UTC().Format("15:04 MST"), strings.Join(names, " or "))
	case len(names) == 0:
		return nil, notVoter("request %s does not ask for approvers", r.ID)
	}
	return nil, notVoter("you are not an approver for this: members of %s are", strings.Join(names, " or "))
}

// outcome is what a vote makes of its request.
type outcome struct {
	state   approvals.State
	message string
}

// result is what r becomes with vote: denied by one no, approved when every demand is met.
func (b *Box) result(ctx context.Context, r approvals.Request, vote approvals.Vote) (outcome, error) {
	if vote.Verdict == approvals.VerdictDeny {
		return outcome{approvals.Denied, "denied by " + vote.Voter.ID}, nil
	}
	r.Votes = append(slices.Clone(r.Votes), vote)
	standing, err := b.tally.Count(ctx, r)
	if err != nil {
		return outcome{}, err
	}
	if !standing.Met() {
		return outcome{approvals.Pending, "waits for " + standing.Missing()}, nil
	}
	// What was signed has to be enough by itself, because only that is left when a time-box ends or a lift is looked at again:
	// whoever joined a group after their vote does not count for it.
	err = b.tally.Stood(ctx, r)
	if approvals.KindOf(err) == approvals.KindDenied {
		return outcome{approvals.Pending, "waits for one more vote: a group has changed since some of these were cast"}, nil
	}
	if err != nil {
		return outcome{}, err
	}
	return outcome{approvals.Approved, "approved by " + yeses(r.Votes)}, nil
}

func yeses(votes []approvals.Vote) string {
	var ids []string
	for _, v := range votes {
		if v.Verdict != approvals.VerdictDeny {
			ids = append(ids, v.Voter.ID)
		}
	}
	return strings.Join(ids, ", ")
}

// commit stores the vote and what follows from it in one transaction, or nothing of it, and returns the request as it is
// with that.
func (b *Box) commit(ctx context.Context, r approvals.Request, vote approvals.Vote, next outcome, delivery string) (after approvals.Request, err error) {
	by := change.By{At: vote.At, Actor: vote.Voter.ID, Detail: next.message}
	err = b.store.InTx(ctx, func(tx *store.Tx) error {
		if delivery != "" {
			first, err := tx.FirstTime(ctx, deliveries, delivery, vote.At)
			if err != nil {
				return err
			}
			if !first {
				return errReplayed
			}
		}
		if now := b.now(); !now.Before(r.ExpiresAt) {
			return tooLate(r)
		}
		said := by
		said.Detail = string(vote.Verdict)
		if err := tx.AddVote(ctx, vote, change.Note(r.ID, approvals.EventVote, said)); err != nil {
			return err
		}
		failpoint.Hit(failpoint.DuringVote)
		move := change.Touch(r, vote.At)
		move.Message = next.message
		if next.state != approvals.Pending {
			move = change.Request(r, next.state, by)
		}
		if err := tx.Move(ctx, move); err != nil {
			return err
		}
		if err := b.handOver(ctx, tx, r, next.state); err != nil {
			return err
		}
		if err := change.Notify(ctx, tx, r.ID, fmt.Sprintf("vote-%d", len(r.Votes)+1)); err != nil {
			return err
		}
		after, err = tx.Request(ctx, r.ID)
		return err
	})
	return after, err
}

func (b *Box) handOver(ctx context.Context, tx *store.Tx, r approvals.Request, state approvals.State) error {
	if state != approvals.Approved {
		return nil
	}
	return tx.Enqueue(ctx, store.Job{Kind: store.Advance, RequestID: r.ID}, time.Time{})
}

// refuse records an attempt that was turned away. The refusal stands even when it can't be recorded.
func (b *Box) refuse(ctx context.Context, r approvals.Request, in Ballot, refusal error) error {
	if r.ID == "" {
		return refusal // nothing to hang it on
	}
	by := change.By{At: b.now(), Actor: in.Voter.ID, Detail: string(in.Verdict) + " by " + in.Voter.ID + ": " + refusal.Error()}
	return change.Refused(ctx, b.store, b.logger, r.ID, by, refusal)
}

// TurnedAway records that the face itself turned away an attempt to vote, as of somebody who is no member or on what is not
// the request's own card, and returns the refusal. What names no request is not recorded.
func (b *Box) TurnedAway(ctx context.Context, in Ballot, refusal error) error {
	r, err := b.store.Request(ctx, in.RequestID)
	if err != nil && approvals.KindOf(err) != approvals.KindTampering {
		return refusal
	}
	r.ID = in.RequestID // also of one that can't be understood any more
	return b.refuse(ctx, r, in, refusal)
}

// now is the clock in the store's resolution: votes are signed over milliseconds.
func (b *Box) now() time.Time { return b.clock().UTC().Truncate(time.Millisecond) }

func tooLate(r approvals.Request) error {
	return approvals.Refuse(approvals.KindConflict, nil, "request %s expired while your vote was checked", r.ID)
}

func notVoter(format string, args ...any) error {
	return approvals.Refuse(approvals.KindNotVoter, nil, format, args...)
}
