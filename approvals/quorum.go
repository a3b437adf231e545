package approvals

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Demand is one thing that must be there before a request may run, and how much of it is.
type Demand struct {
	Outcome Outcome
	// Quorum is set when Outcome is Approve.
	Quorum Quorum
	// Have counts the valid votes of distinct people who are eligible; with distinct groups those who can each stand for
	// another one.
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
	return t.decideAt(ctx, r, at)
}

func (t *Tally) decideAt(ctx context.Context, r Request, at time.Time) (Decision, error) {
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
	if again := plan.Resumes; again != nil {
		call.Tool, call.Risk, call.Args, call.Targets = again.Tool, again.Risk, again.Args, again.Targets
		d = Stricter(d, p.Decide(call))
		if again.TimeBox != nil {
			plan.TimeBox = again.TimeBox
		}
	}
	if plan.TimeBox == nil {
		return d, nil
	}
	call.Tool, call.Risk = plan.TimeBox.Tool, plan.TimeBox.Risk
	return Stricter(d, p.Decide(call)), nil
}

func demandsOf(r Request, now Decision) ([]Demand, error) {
	if err := permitted(r, now); err != nil {
		return nil, err
	}
	all := withCurrent(ownDemands(r), now)
	for _, d := range all {
		if err := d.possible(r, now); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// permitted refuses what policy now says no to, or more of it than policy now allows.
func permitted(r Request, now Decision) error {
	for _, d := range currentDemands(now) {
		if d.Outcome.Strictness() == Deny.Strictness() {
			return d.possible(r, now)
		}
	}
	if now.MaxTargets > 0 && len(r.Plan.Targets) > now.MaxTargets {
		return Refuse(KindDenied, nil, "request %s has %d targets and policy now allows %d (rule %q)",
			r.ID, len(r.Plan.Targets), now.MaxTargets, now.Rule)
	}
	if err := byWord(r); err != nil {
		return err
	}
	return inEmergency(r, now)
}

// inEmergency refuses what says that its requester's own yes stands for everybody's, unless policy says so too, a person
// was proved to have asked for it in Slack, and it contains.
func inEmergency(r Request, now Decision) error {
	switch {
	case !r.Terms.BreakGlass:
		return nil
	case !now.Terms.BreakGlass || now.Outcome != Confirm:
		return Refuse(KindDenied, nil, "policy does not let %s break the glass for request %s (rule %q)", r.Requester.ID, r.ID, now.Rule)
	case r.Outcome != Confirm, !r.Requester.Verified, r.Requester.Via != ViaSlack, r.Requester.Agent != "", r.Plan.Risk != RiskContain:
		return Refuse(KindDenied, nil, "request %s can't be one of break-glass, which a person asks for in Slack and which only contains", r.ID)
	}
	return nil
}

// ownDemands are those of the policy that r was made under.
func ownDemands(r Request) []Demand {
	if len(r.Quorum) == 0 {
		return []Demand{{Outcome: r.Outcome}}
	}
	all := make([]Demand, len(r.Quorum))
	for i, q := range r.Quorum {
		all[i] = Demand{Outcome: r.Outcome, Quorum: q}
	}
	return all
}

// withCurrent adds what policy demands now and r itself does not.
func withCurrent(all []Demand, now Decision) []Demand {
	for _, current := range currentDemands(now) {
		if !slices.ContainsFunc(all, current.equal) {
			all = append(all, current)
		}
	}
	return all
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
		if d.Quorum.Possible() {
			return nil
		}
		return Refuse(KindDenied, nil, "request %s asks for %d approvers of %s, which nobody can satisfy; make the request again",
			r.ID, d.Quorum.Count, d.Quorum.Names())
	case Deny:
		return Refuse(KindDenied, nil, "policy now refuses request %s (rule %q): %s", r.ID, now.Rule, now.Why)
	}
	return Refuse(KindDenied, nil, "policy's answer %q to request %s is not known here; update this program or mend the policy",
		string(d.Outcome), r.ID)
}

func (d Demand) equal(o Demand) bool {
	return d.Outcome == o.Outcome && d.Quorum.Count == o.Quorum.Count && d.Quorum.sameGroups(o.Quorum)
}

// Possible reports whether people could meet q at all: it asks for somebody, of groups that name somebody, and, where the
// groups have to be distinct, of enough of them.
func (q Quorum) Possible() bool {
	return q.Count >= 1 && !slices.ContainsFunc(q.Groups(), Group.Empty) && (!q.Distinct || q.Count <= len(q.seats()))
}

// Names lists the groups that q asks in words: "oncall or leads", or "oncall or leads (of different groups)". Groups that
// count only later are left out.
func (q Quorum) Names() string {
	names := []string{q.From.Name}
	for _, g := range q.Or {
		names = append(names, g.Name)
	}
	text := strings.Join(names, " or ")
	if q.Distinct && q.Count > 1 {
		text += " (of different groups)"
	}
	return text
}

// Empty reports whether the group names nobody.
func (g Group) Empty() bool { return g.Slack == "" && len(g.People) == 0 && g.Role == "" }

func (g Group) equal(o Group) bool {
	return g.Name == o.Name && g.Slack == o.Slack && g.Role == o.Role && slices.Equal(g.People, o.People)
}
