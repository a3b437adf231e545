package policy

import (
	"fmt"

	"github.com/mde-ops/mde-ops/approvals"
)

// verdict looks whether enough people could say yes. Only lists can be counted here; who is in a group of Slack or has a
// role is asked when a request is made.
func (v *review) verdict(at place, what string, x *verdict, s settings) {
	if x.Outcome != approvals.Approve || x.From.Empty() {
		return
	}
	for _, e := range s.Escalate {
		if e.To.Name == x.From.Name {
			v.say(at, SeverityWarning, "%s escalates to %q, which it asks from the start", what, e.To.Name)
		}
	}
	groups := append([]approvals.Group{x.From}, x.Or...)
	if x.Distinct && matching(groups, "") < x.Count {
		v.say(at, SeverityError, "%s asks for %d people of distinct groups, and the lists of %s have too few people who differ", what, x.Count, groupNames(x))
		return
	}
	people, listed := headcount(groups)
	if !listed || len(s.Escalate) > 0 {
		return
	}
	can := func(without string) int {
		if x.Distinct {
			return matching(groups, without)
		}
		n := people
		for _, g := range groups {
			for _, p := range g.People {
				if p == without {
					return n - 1
				}
			}
		}
		return n
	}
	if who := v.stuck(groups, x.Count, can); who != "" {
		v.say(at, SeverityWarning, "%s: nobody can approve what %s asks for, because %s", what, who,
			fmt.Sprintf("a requester never counts and then %d of %s are left for %d", can(who), groupNames(x), x.Count))
	} else if people < x.Count+v.content.Extra {
		v.say(at, SeverityWarning, "%s: nobody can approve what an unverified requester asks for: that takes %d of %s, which has %d people",
			what, x.Count+v.content.Extra, groupNames(x), people)
	}
}

// stuck is a person without whom the others are too few, and "" when there is none.
func (v *review) stuck(groups []approvals.Group, count int, can func(string) int) string {
	for _, g := range groups {
		for _, p := range g.People {
			if can(p) < count {
				return p
			}
		}
	}
	return ""
}

// matching is how many groups can be given a person each, no person for two. A group that is no list has always one more.
func matching(groups []approvals.Group, without string) int {
	n, given := 0, map[string]int{}
	var seat func(i int, tried map[string]bool) bool
	seat = func(i int, tried map[string]bool) bool {
		for _, p := range groups[i].People {
			if p == without || tried[p] {
				continue
			}
			tried[p] = true
			if j, taken := given[p]; !taken || seat(j, tried) {
				given[p] = i
				return true
			}
		}
		return false
	}
	for i, g := range groups {
		if len(g.People) == 0 || seat(i, map[string]bool{}) {
			n++
		}
	}
	return n
}
