package approvals

import (
	"context"
	"slices"
	"strings"
)

// Stood says whether r was rightly approved, whatever its state is now and however long ago that was: nil when every
// demand of r itself, and of policy as of the last vote, is met by signed votes that were in time, and nobody said no.
// Whether the approvers still are some is not asked again: what groups they were in when they voted is part of what was
// signed. Without votes only policy's answer of this moment counts. It does not look at the audit; the caller does.
// KindTampering when something stored does not verify, KindDenied when r did not stand, KindNoAnswer when recent activity
// can't be counted.
func (t *Tally) Stood(ctx context.Context, r Request) error {
	if err := Genuine(r); err != nil {
		return err
	}
	if err := t.signed(r); err != nil {
		return err
	}
	at := r.lastVote()
	if len(r.Votes) == 0 {
		at = t.clock() // nobody signed when r was made, so that the row's own word for it is worth nothing
	}
	then, err := t.decideAt(ctx, r, at)
	if err != nil {
		return err
	}
	demands, err := demandsOf(r, then)
	if err != nil {
		return err
	}
	return met(ctx, r, demands, then)
}

// Agreed says whether people gave r what it asked for when it was made, by what they signed: nil when they did, whatever
// policy asks for now. It is for what keeps things as they are and was done already, so that a policy that changed since
// does not undo it early. What nobody signed was agreed to by nobody. KindTampering when something stored does not verify,
// KindDenied when people did not agree.
func (t *Tally) Agreed(ctx context.Context, r Request) error {
	if err := Genuine(r); err != nil {
		return err
	}
	if err := t.signed(r); err != nil {
		return err
	}
	if votes := len(r.Votes); votes == 0 {
		return Refuse(KindDenied, nil, "nobody signed a yes to request %s", r.ID)
	}
	return met(ctx, r, ownDemands(r), Decision{Expires: r.ExpiresAt.Sub(r.CreatedAt)})
}

// signed verifies the votes of a request that has an approval of its own.
func (t *Tally) signed(r Request) error {
	if r.Parent != "" {
		return Refuse(KindDenied, nil, "request %s was approved with request %s and has no approval of its own", r.ID, r.Parent)
	}
	for _, v := range r.Votes {
		if err := t.validVote(r, v); err != nil {
			return err
		}
	}
	return noDenial(r.Votes)
}

// met says whether the demands were met by what was signed.
func met(ctx context.Context, r Request, demands []Demand, then Decision) error {
	for _, v := range r.Votes {
		if err := votedInTime(r, v, then); err != nil {
			return err
		}
	}
	var err error
	for i := range demands {
		if demands[i].Have, err = demands[i].have(ctx, r, wasIn); err != nil {
			return err
		}
	}
	if s := (Standing{Demands: demands}); !s.Met() {
		return Refuse(KindDenied, nil, "request %s was not rightly approved: it lacks %s", r.ID, s.Missing())
	}
	return nil
}

// Permits says whether policy would let r be asked for now: nil when its answer is no no and r keeps to its caps. Whose
// yes it wants is not asked. It is for what was approved as part of something else. KindDenied when policy says no,
// KindTampering when r is not what it was, KindNoAnswer when recent activity can't be counted.
func (t *Tally) Permits(ctx context.Context, r Request) error {
	if err := Genuine(r); err != nil {
		return err
	}
	now, err := t.decide(ctx, r)
	if err != nil {
		return err
	}
	return permitted(r, now)
}

// Reachable says whether enough people exist to meet what r still needs: KindDenied when certainly not, because a group is
// empty or unknown, or has too few members besides those who asked; KindNoAnswer when the directory can't be asked. That
// policy now refuses r is not its business.
func (t *Tally) Reachable(ctx context.Context, r Request) error {
	if err := Genuine(r); err != nil {
		return err
	}
	r, err := t.Identified(ctx, r)
	if err != nil {
		return err
	}
	now, err := t.decide(ctx, r)
	if err != nil {
		return err
	}
	demands := ownDemands(r)
	if permitted(r, now) == nil {
		demands = withCurrent(demands, now)
	}
	for _, d := range demands {
		if err := t.reach(ctx, r, d, now); err != nil {
			return err
		}
	}
	return nil
}

// reach says whether one demand can be met. A person in two groups is counted in both, so that a doubt is no reason to
// give up.
func (t *Tally) reach(ctx context.Context, r Request, d Demand, now Decision) error {
	if err := d.possible(r, now); err != nil {
		return err
	}
	if d.Outcome != Approve {
		return nil
	}
	people, groups := 0, 0
	var sizes []string
	for _, s := range d.Quorum.seats() {
		if !s.open(r, r.ExpiresAt.Add(-1)) {
			continue // it begins to count when it is too late
		}
		n, err := t.others(ctx, r, s.group)
		if err != nil {
			return err
		}
		people += n
		groups += min(n, 1)
		sizes = append(sizes, s.group.inWords(n))
	}
	switch {
	case d.Quorum.Distinct && groups < d.Quorum.Count:
		return unreachable(r, "it takes people of "+itoa(d.Quorum.Count)+" different groups, and ", sizes)
	case people < d.Quorum.Count:
		return unreachable(r, "it takes "+itoa(d.Quorum.Count)+", and ", sizes)
	}
	return nil
}

func (g Group) inWords(n int) string {
	if n == 0 {
		return "group " + g.Name + " is empty or unknown, or has only those who asked"
	}
	return "group " + g.Name + " has " + itoa(n) + " besides those who asked"
}

func unreachable(r Request, what string, sizes []string) error {
	return Refuse(KindDenied, nil, "nobody can approve request %s: %s%s; mend the group or the policy, and ask again",
		r.ID, what, strings.Join(sizes, "; "))
}

// others is how many members of g could approve r: all but those who asked for it.
func (t *Tally) others(ctx context.Context, r Request, g Group) (int, error) {
	n, err := t.directory.Size(ctx, g)
	if err != nil {
		return 0, Refuse(KindNoAnswer, err, "how many people are in group %q could not be looked up; try again", g.Name)
	}
	asked := append([]Person{r.Requester.Person}, r.Attached...)
	for i, p := range asked {
		if n == 0 || slices.ContainsFunc(asked[:i], p.Same) {
			continue
		}
		in, err := t.Eligible(ctx, g, p)
		if err != nil {
			return 0, err
		}
		if in {
			n--
		}
	}
	return n, nil
}
