package approvals

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// Directory answers whether a person is, now, a member of a group who may approve. Assistants, bots, guests, deleted
// and unknown accounts are not. An error means that nobody could be asked, which is never a yes.
type Directory interface {
	Eligible(ctx context.Context, g Group, p Person) (bool, error)
	// Size is how many people could count as members of a group who may approve now. Zero means that nobody can approve: an
	// empty or unknown group; an error that nobody could be asked.
	Size(ctx context.Context, g Group) (int, error)
	// Known finds the person of the directory who has one of p's names, with all the names that the directory has for
	// them; false when nobody has.
	Known(ctx context.Context, p Person) (Person, bool, error)
}

// TallyOptions is what a Tally decides with; all of it is needed, but Activity only when the policy has windows.
type TallyOptions struct {
	Policy    Policy
	Verifier  *Verifier
	Directory Directory
	Activity  Activity
	// Clock is time.Now unless set.
	Clock func() time.Time
}

// Tally says whether an approval holds now. It trusts no stored answer: not the state, not the count, not the outcome.
type Tally struct {
	policy    Policy
	verifier  *Verifier
	directory Directory
	activity  Activity
	clock     func() time.Time
}

// NewTally makes a Tally, and refuses to make one that could not answer.
func NewTally(o TallyOptions) (*Tally, error) {
	switch {
	case o.Policy == nil:
		return nil, errors.New("no policy: without one nothing may be approved")
	case o.Verifier == nil:
		return nil, errors.New("no vote verifier: set the public key of the face that signs votes")
	case o.Directory == nil:
		return nil, errors.New("no directory: without one nobody can be shown to be an approver")
	}
	if o.Activity == nil && len(o.Policy.Windows()) > 0 {
		return nil, errors.New("no activity: the policy counts what was done lately, and nobody could say")
	}
	t := &Tally{policy: o.Policy, verifier: o.Verifier, directory: o.Directory, activity: o.Activity, clock: o.Clock}
	if t.clock == nil {
		t.clock = time.Now
	}
	return t, nil
}

// Standing is where a request's approval stands.
type Standing struct {
	// Demands are those of the policy that the request was made under and, when that has changed, of the policy now.
	// Each must be met on its own, so that a change can only ask for more.
	Demands []Demand
	// Since is when the last vote was cast, or when the request was made if nobody voted. The time to start runs from
	// here: it is signed, where the stored time of the decision is not.
	Since time.Time
	// StartWithin is how long an approval stays good for starting: the shorter of what the request says and what policy
	// says now.
	StartWithin time.Duration
}

// Met reports whether every demand is met.
func (s Standing) Met() bool {
	return len(s.Demands) > 0 && !slices.ContainsFunc(s.Demands, func(d Demand) bool { return !d.Met() })
}

// Missing says in words whose yes is still needed; empty when nothing is.
func (s Standing) Missing() string {
	var parts []string
	for _, d := range s.Demands {
		switch {
		case d.Met():
		case d.Outcome == Confirm:
			parts = append(parts, "the requester's own yes")
		default:
			parts = append(parts, itoa(d.Quorum.Count-d.Have)+" more of "+d.Quorum.Names())
		}
	}
	return strings.Join(parts, " and ")
}

// Count computes where r stands. The error is KindTampering when something stored does not verify, KindDenied when an
// approver or policy says no, and KindNoAnswer when the directory can't be asked.
func (t *Tally) Count(ctx context.Context, r Request) (Standing, error) {
	return t.CountWith(ctx, r, nil)
}

// CountWith is Count that asks policy also about the plan as somebody found it, where somebody has looked up what it acts on.
// The plan's own words for that are those of whoever asked.
func (t *Tally) CountWith(ctx context.Context, r Request, found *Plan) (Standing, error) {
	if err := Genuine(r); err != nil {
		return Standing{}, err
	}
	r, err := t.Identified(ctx, r)
	if err != nil {
		return Standing{}, err
	}
	now, err := t.decide(ctx, r)
	if err != nil {
		return Standing{}, err
	}
	if found != nil {
		seen := r
		seen.Plan = *found
		again, err := t.decide(ctx, seen)
		if err != nil {
			return Standing{}, err
		}
		now = Stricter(now, again)
	}
	demands, err := demandsOf(r, now)
	if err != nil {
		return Standing{}, err
	}
	s := Standing{Demands: demands, Since: r.CreatedAt, StartWithin: min(r.StartWithin, now.StartBefore)}
	for _, v := range r.Votes {
		if err := t.validVote(r, v); err != nil {
			return Standing{}, err
		}
		if err := votedInTime(r, v, now); err != nil {
			return Standing{}, err
		}
		if v.At.After(s.Since) {
			s.Since = v.At
		}
	}
	if err := noDenial(r.Votes); err != nil {
		return Standing{}, err
	}
	for i := range s.Demands {
		if s.Demands[i].Have, err = s.Demands[i].have(ctx, r, t.isIn); err != nil {
			return Standing{}, err
		}
	}
	return s, nil
}

// Genuine reports whether r is still what its digest says, and its plan one that could have been let in; KindTampering
// when not. What is not genuine must not be offered for a vote.
func Genuine(r Request) error {
	digest, err := Digest(r)
	if err != nil {
		return Refuse(KindTampering, err, "request %s can't be verified; make the request again", r.ID)
	}
	if r.Digest == "" || digest != r.Digest {
		return Refuse(KindTampering, nil, "request %s was altered after it was made (digest %s, stored %s); make the request again",
			r.ID, ShortDigest(digest), ShortDigest(r.Digest))
	}
	if err := r.Plan.Check(); err != nil {
		return Refuse(KindTampering, err, "request %s was not let in by the gate: %v", r.ID, err)
	}
	return nil
}
