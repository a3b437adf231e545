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

// Demand is one thing that must be there before a request may run, and how much of it is.
type Demand struct {
	Outcome Outcome
	// Quorum is set when Outcome is Approve.
	Quorum Quorum
	// Have counts the valid votes of distinct people who are eligible now.
	Have int
}

// Met reports whether the demand is satisfied. A demand that asks for nobody is never met.
func (d Demand) Met() bool {
	switch d.Outcome {
	case Allow:
		return true
	case Confirm:
		return d.Have >= 1
	case Approve:
		return d.Quorum.Count >= 1 && d.Have >= d.Quorum.Count
	case Deny:
		return false
	}
	return false
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
			parts = append(parts, itoa(d.Quorum.Count-d.Have)+" more of "+d.Quorum.From.Name)
		}
	}
	return strings.Join(parts, " and ")
}

// Count computes where r stands. The error is KindTampering when something stored does not verify, KindDenied when an
// approver or policy says no, and KindNoAnswer when the directory can't be asked.
func (t *Tally) Count(ctx context.Context, r Request) (Standing, error) {
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
		if s.Demands[i].Have, err = t.have(ctx, r, s.Demands[i]); err != nil {
			return Standing{}, err
		}
	}
	return s, nil
}

// Identified returns r with every name that the directory has for its requester, so that a person who asks under one
// name and votes under another is seen to be one. Whom the directory doesn't know could be anybody with a vote: their
// request counts as unverified from here on, which policy answers with a further approver. KindNoAnswer when the
// directory can't be asked.
func (t *Tally) Identified(ctx context.Context, r Request) (Request, error) {
	known, ok, err := t.directory.Known(ctx, r.Requester.Person)
	if err != nil {
		return r, Refuse(KindNoAnswer, err, "who %s is could not be looked up; nothing was done, try again", r.Requester.ID)
	}
	if !ok {
		r.Requester.Verified = false
		return r, nil
	}
	r.Requester.Aliases = append(slices.Clone(r.Requester.Aliases), known.names()...)
	return r, nil
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

// Demands lists what r needs: policy's answer when it was made and policy's answer now. KindDenied when either is a no,
// or an answer that this version does not know.
func (t *Tally) Demands(ctx context.Context, r Request) ([]Demand, error) {
	now, err := t.decide(ctx, r)
	if err != nil {
		return nil, err
	}
	return demandsOf(r, now)
}

// decide is policy's answer to r now. Once r has begun it is policy's answer as of its approval, so that the hour of the
// day and what others do meanwhile don't stop it half way. KindNoAnswer when recent activity can't be counted.
func (t *Tally) decide(ctx context.Context, r Request) (Decision, error) {
	at := t.clock()
	if r.Begun() {
		at = r.lastVote()
	}
	return Decide(ctx, t.policy, t.activity, r.Plan, r.Requester, DecideAt{At: at, Except: r.ID, BreakGlass: r.Terms.BreakGlass})
}

// DecideAt says as of when, and without which request, a plan is decided.
type DecideAt struct {
	At         time.Time
	Except     string
	BreakGlass bool
}

// Decide asks policy about a plan, with what was done lately. A plan with a time-box is also asked about as the tool that
// ends it, and the stricter of the two answers counts. KindNoAnswer when recent activity can't be counted.
func Decide(ctx context.Context, p Policy, a Activity, plan Plan, by Requester, o DecideAt) (Decision, error) {
	var recent Recent
	if windows := p.Windows(); len(windows) > 0 {
		var err error
		recent, err = a.Recent(ctx, RecentQuery{Windows: windows, At: o.At, Requester: by.Person, Except: o.Except})
		if err != nil {
			return Decision{}, Refuse(KindNoAnswer, err, "what was done lately could not be counted; nothing was done, try again")
		}
	}
	call := Call{
		Tool: plan.Tool, Risk: plan.Risk, Args: plan.Args, Targets: plan.Targets, Requester: by,
		At: o.At, Recent: recent, BreakGlass: o.BreakGlass,
	}
	d := p.Decide(call)
	if plan.TimeBox == nil {
		return d, nil
	}
	call.Tool, call.Risk = plan.TimeBox.Tool, plan.TimeBox.Risk
	return Stricter(d, p.Decide(call)), nil
}

func demandsOf(r Request, now Decision) ([]Demand, error) {
	if now.MaxTargets > 0 && len(r.Plan.Targets) > now.MaxTargets {
		return nil, Refuse(KindDenied, nil, "request %s has %d targets and policy now allows %d (rule %q)",
			r.ID, len(r.Plan.Targets), now.MaxTargets, now.Rule)
	}
	var all []Demand
	for _, q := range r.Quorum {
		all = append(all, Demand{Outcome: r.Outcome, Quorum: q})
	}
	if len(r.Quorum) == 0 {
		all = append(all, Demand{Outcome: r.Outcome})
	}
	for _, current := range currentDemands(now) {
		if !slices.ContainsFunc(all, current.equal) {
			all = append(all, current)
		}
	}
	for _, d := range all {
		if err := d.possible(r, now); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func currentDemands(now Decision) []Demand {
	quorums := now.Quorums()
	if len(quorums) == 0 {
		return []Demand{{Outcome: now.Outcome}}
	}
	all := make([]Demand, len(quorums))
	for i, q := range quorums {
		all[i] = Demand{Outcome: now.Outcome, Quorum: q}
	}
	return all
}

// possible refuses what no vote could satisfy, so that an empty quorum can't count as a full one.
func (d Demand) possible(r Request, now Decision) error {
	switch d.Outcome {
	case Allow:
		return nil
	case Confirm:
		if !r.Requester.Verified {
			return Refuse(KindDenied, nil, "request %s needs its requester's own yes, and who that is was not verified", r.ID)
		}
		return nil
	case Approve:
		if d.Quorum.Count >= 1 && !d.Quorum.From.Empty() {
			return nil
		}
		return Refuse(KindDenied, nil, "request %s asks for %d approvers of group %q, which nobody can satisfy; make the request again",
			r.ID, d.Quorum.Count, d.Quorum.From.Name)
	case Deny:
		return Refuse(KindDenied, nil, "policy now refuses request %s (rule %q): %s", r.ID, now.Rule, now.Why)
	}
	return Refuse(KindDenied, nil, "policy's answer %q to request %s is not known here; update this program or mend the policy",
		string(d.Outcome), r.ID)
}

func (d Demand) equal(o Demand) bool {
	return d.Outcome == o.Outcome && d.Quorum.Count == o.Quorum.Count && d.Quorum.sameGroups(o.Quorum)
}

// Empty reports whether the group names nobody.
func (g Group) Empty() bool { return g.Slack == "" && len(g.People) == 0 && g.Role == "" }

func (g Group) equal(o Group) bool {
	return g.Name == o.Name && g.Slack == o.Slack && g.Role == o.Role && slices.Equal(g.People, o.People)
}

// validVote refuses a vote that was not signed by a known face for exactly this request while it was open. One bad
// vote spoils the request, because somebody wrote it where only the gate may write.
func (t *Tally) validVote(r Request, v Vote) error {
	bad := func(what string, cause error) error {
		return Refuse(KindTampering, cause, "a stored vote of %s on request %s %s; make the request again", v.Voter.ID, r.ID, what)
	}
	if err := t.verifier.Verify(v); err != nil {
		return bad("does not verify", err)
	}
	switch {
	case v.RequestID != r.ID:
		return bad("is for another request", nil)
	case v.Digest != r.Digest:
		return bad("is for another version of it", nil)
	case !v.Verdict.Valid():
		return bad("says something unknown", nil)
	case v.At.Before(r.CreatedAt) || !v.At.Before(r.ExpiresAt):
		return bad("was cast outside its time", nil)
	case v.Verdict == VerdictApprove && v.Voter.Same(r.Requester.Person):
		return bad("is the requester's own", nil)
	}
	return nil
}

// votedInTime refuses a vote that came later than policy allows now, whatever the request says of its own time: a row
// could have been written with a longer one than the gate would have given it.
func votedInTime(r Request, v Vote, now Decision) error {
	if v.Verdict == VerdictDeny || v.At.Before(r.CreatedAt.Add(now.Expires)) {
		return nil
	}
	return Refuse(KindDenied, nil, "%s voted %v after request %s was made, and policy now gives %v for that; make the request again",
		v.Voter.ID, v.At.Sub(r.CreatedAt), r.ID, now.Expires)
}

func noDenial(votes []Vote) error {
	for _, v := range votes {
		if v.Verdict == VerdictDeny {
			return Refuse(KindDenied, nil, "%s denied request %s", v.Voter.ID, v.RequestID)
		}
	}
	return nil
}

// have counts the distinct people whose votes count towards d now.
func (t *Tally) have(ctx context.Context, r Request, d Demand) (int, error) {
	var counted []Person
	for _, v := range r.Votes {
		if slices.ContainsFunc(counted, v.Voter.Same) {
			continue
		}
		ok, err := t.counts(ctx, r, d, v)
		if err != nil {
			return 0, err
		}
		if ok {
			counted = append(counted, v.Voter)
		}
	}
	return len(counted), nil
}

func (t *Tally) counts(ctx context.Context, r Request, d Demand, v Vote) (bool, error) {
	switch {
	case d.Outcome == Confirm && v.Verdict == VerdictConfirm:
		return v.Voter.Same(r.Requester.Person), nil
	case d.Outcome == Approve && v.Verdict == VerdictApprove:
		return t.Eligible(ctx, d.Quorum.From, v.Voter)
	}
	return false, nil
}

// Eligible asks the directory about one person; KindNoAnswer when it can't be asked.
func (t *Tally) Eligible(ctx context.Context, g Group, p Person) (bool, error) {
	ok, err := t.directory.Eligible(ctx, g, p)
	if err != nil {
		return false, Refuse(KindNoAnswer, err, "whether %s is in group %q could not be looked up; nothing was done, try again", p.ID, g.Name)
	}
	return ok, nil
}
