package approvals

import (
	"context"
	"slices"
	"time"
)

// Identified returns r with every name that the directory has for its requester and for the people attached to it, so
// that a person who asks under one name and votes under another is seen to be one. A requester whom the directory doesn't
// know could be anybody with a vote: their request counts as unverified from here on, which policy answers with a further
// approver. KindNoAnswer when the directory can't be asked.
func (t *Tally) Identified(ctx context.Context, r Request) (Request, error) {
	known, ok, err := t.known(ctx, r.Requester.Person)
	if err != nil {
		return r, err
	}
	if !ok {
		r.Requester.Verified = false
	}
	r.Requester.Aliases = append(slices.Clone(r.Requester.Aliases), known.names()...)
	r.Attached = slices.Clone(r.Attached)
	for i, p := range r.Attached {
		if known, _, err = t.known(ctx, p); err != nil {
			return r, err
		}
		r.Attached[i].Aliases = append(slices.Clone(p.Aliases), known.names()...)
	}
	return r, nil
}

// known is who the directory says has one of p's names; nobody, with false, when it knows none.
func (t *Tally) known(ctx context.Context, p Person) (Person, bool, error) {
	known, ok, err := t.directory.Known(ctx, p)
	if err != nil {
		return Person{}, false, Refuse(KindNoAnswer, err, "who %s is could not be looked up; nothing was done, try again", p.ID)
	}
	if !ok {
		return Person{}, false, nil
	}
	return known, true, nil
}

// Asked reports whether p, by any of their names, asked for r: as its requester, or for the same while it was open. Nobody
// who asked counts as approver.
func (r Request) Asked(p Person) bool {
	return p.Same(r.Requester.Person) || slices.ContainsFunc(r.Attached, p.Same)
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

// membership says whether the person who cast a vote is, or was, in a group.
type membership func(context.Context, Group, Vote) (bool, error)

// isIn asks the directory, now.
func (t *Tally) isIn(ctx context.Context, g Group, v Vote) (bool, error) {
	return t.Eligible(ctx, g, v.Voter)
}

// wasIn is what the face that took the vote found then, and signed.
func wasIn(_ context.Context, g Group, v Vote) (bool, error) { return v.votedAs(g), nil }

// have counts the distinct people whose votes count towards d; where d wants distinct groups, the most of them that
// can each stand for another group.
func (d Demand) have(ctx context.Context, r Request, in membership) (int, error) {
	if d.Outcome == Confirm && r.consented() {
		return 1, nil
	}
	seats := d.Quorum.seats()
	var may [][]bool // for each person who counts, the seats that they may take
	for _, votes := range byPerson(r.Votes) {
		switch {
		case d.Outcome == Confirm && slices.ContainsFunc(votes, r.confirmedBy):
			return 1, nil
		case d.Outcome != Approve, slices.ContainsFunc(votes, func(v Vote) bool { return r.Asked(v.Voter) }):
			continue
		}
		taken, err := d.seatsOf(ctx, r, seats, votes, in)
		if err != nil {
			return 0, err
		}
		if slices.Contains(taken, true) {
			may = append(may, taken)
		}
	}
	if d.Quorum.Distinct {
		return matching(may, len(seats)), nil
	}
	return len(may), nil
}

// confirmedBy reports whether v is the requester's own yes.
func (r Request) confirmedBy(v Vote) bool {
	return v.Verdict == VerdictConfirm && v.Voter.Same(r.Requester.Person)
}

// seatsOf says which of the seats one person may take with their votes. Without distinct groups one seat is enough, and
// the others are not asked about.
func (d Demand) seatsOf(ctx context.Context, r Request, seats []seat, votes []Vote, in membership) ([]bool, error) {
	may := make([]bool, len(seats))
	for i, s := range seats {
		for _, v := range votes {
			if v.Verdict != VerdictApprove || !s.open(r, v.At) || may[i] {
				continue
			}
			var err error
			if may[i], err = in(ctx, s.group, v); err != nil {
				return nil, err
			}
		}
		if may[i] && !d.Quorum.Distinct {
			break
		}
	}
	return may, nil
}

// byPerson sorts votes by human: votes with a name in common, also by way of a third vote, are of one.
func byPerson(votes []Vote) [][]Vote {
	var people [][]Vote
	for _, v := range votes {
		mine, others := []Vote{v}, [][]Vote(nil)
		for _, p := range people {
			if slices.ContainsFunc(p, func(o Vote) bool { return o.Voter.Same(v.Voter) }) {
				mine = append(mine, p...)
			} else {
				others = append(others, p)
			}
		}
		people = append(others, mine)
	}
	return people
}

// seat is one group of a quorum, and how long after the request was made its members begin to count.
type seat struct {
	group Group
	after time.Duration
}

// open reports whether a vote of that time counts for the seat.
func (s seat) open(r Request, at time.Time) bool { return !at.Before(r.CreatedAt.Add(s.after)) }

// seats are the groups of q, each once under whatever names, with the earliest time at which it counts.
func (q Quorum) seats() []seat {
	var all []seat
	add := func(g Group, after time.Duration) {
		if i := slices.IndexFunc(all, func(s seat) bool { return s.group.sameMembers(g) }); i >= 0 {
			all[i].after = min(all[i].after, after)
			return
		}
		all = append(all, seat{g, after})
	}
	add(q.From, 0)
	for _, g := range q.Or {
		add(g, 0)
	}
	for _, e := range q.Then {
		add(e.To, max(e.After, 0))
	}
	return all
}

// sameMembers reports whether both groups are defined as the same people, whatever they are called.
func (g Group) sameMembers(o Group) bool {
	return g.Slack == o.Slack && g.Role == o.Role && slices.Equal(g.People, o.People)
}

// Capacity is as whose member a person may vote on one quorum.
type Capacity struct {
	// Marks are those of the groups that count already; none means that the person's yes would not count.
	Marks []string
	// Later is when the first group of theirs begins to count; zero when there is none such.
	Later time.Time
}

// CapacityOf asks the directory in which of q's groups p is: in all of them where they have to be distinct, otherwise until
// one is found that counts at that time already. KindNoAnswer when the directory can't be asked.
func (t *Tally) CapacityOf(ctx context.Context, r Request, q Quorum, p Person, at time.Time) (Capacity, error) {
	var c Capacity
	for _, s := range q.seats() {
		if len(c.Marks) > 0 && !q.Distinct {
			break
		}
		in, err := t.Eligible(ctx, s.group, p)
		if err != nil {
			return Capacity{}, err
		}
		from := r.CreatedAt.Add(s.after)
		switch {
		case in && s.open(r, at):
			c.Marks = append(c.Marks, s.group.Marks()...)
		case in && (c.Later.IsZero() || from.Before(c.Later)):
			c.Later = from
		}
	}
	return c, nil
}

// matching is how many people can take a seat each, no seat twice, when may says who may take which: a maximum matching,
// found by letting people who sit already move over.
func matching(may [][]bool, seats int) int {
	sitting := make([]int, seats) // the person on each seat, counted from 1
	var sit func(person int, tried []bool) bool
	sit = func(person int, tried []bool) bool {
		for s := range seats {
			if !may[person][s] || tried[s] {
				continue
			}
			tried[s] = true
			if sitting[s] == 0 || sit(sitting[s]-1, tried) {
				sitting[s] = person + 1
				return true
			}
		}
		return false
	}
	n := 0
	for person := range may {
		if sit(person, make([]bool, seats)) {
			n++
		}
	}
	return n
}

// Eligible asks the directory about one person; KindNoAnswer when it can't be asked.
func (t *Tally) Eligible(ctx context.Context, g Group, p Person) (bool, error) {
	ok, err := t.directory.Eligible(ctx, g, p)
	if err != nil {
		return false, Refuse(KindNoAnswer, err, "whether %s is in group %q could not be looked up; nothing was done, try again", p.ID, g.Name)
	}
	return ok, nil
}
