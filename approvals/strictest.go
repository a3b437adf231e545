package approvals

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Strictness orders outcomes, mildest first. What is not known is as strict as a no.
func (o Outcome) Strictness() int {
	switch o {
	case Allow:
		return 0
	case Confirm:
		return 1
	case Approve:
		return 2
	case Deny:
	}
	return 3
}

// Stricter joins two answers to one call: see Strictest.
func Stricter(a, b Decision) Decision { return Strictest([]Decision{a, b}) }

// Strictest joins answers, at least one, none of which may be overridden by another: the strictest outcome, every quorum
// that any of them demands, the shortest times, the smallest cap, and the earliest reminder. A no is returned as it is.
func Strictest(answers []Decision) Decision {
	worst := slices.MaxFunc(answers, func(a, b Decision) int { return a.Outcome.Strictness() - b.Outcome.Strictness() })
	if worst.Outcome.Strictness() == Deny.Strictness() {
		return worst
	}
	joined := worst
	var rules []string
	var quorums []Quorum
	for _, a := range answers {
		joined.Expires, joined.StartBefore = min(joined.Expires, a.Expires), min(joined.StartBefore, a.StartBefore)
		joined.MaxTargets = min(joined.MaxTargets, a.MaxTargets)
		joined.ReasonRequired = joined.ReasonRequired || a.ReasonRequired
		joined.Terms = joined.Terms.stricter(a.Terms)
		if a.Outcome == worst.Outcome && !slices.Contains(rules, a.Rule) {
			rules = append(rules, a.Rule)
		}
		for _, q := range a.Quorums() {
			quorums = demand(quorums, q)
		}
	}
	joined.Rule = strings.Join(rules, ", ")
	if len(quorums) > 0 {
		joined.Quorum, joined.Also = quorums[0], quorums[1:]
	}
	return joined
}

// demand adds a quorum. Of two quorums of the same groups the larger is enough, because who meets it meets the other.
func demand(all []Quorum, q Quorum) []Quorum {
	i := slices.IndexFunc(all, q.sameGroups)
	if i < 0 {
		return append(all, q)
	}
	all[i].Count = max(all[i].Count, q.Count)
	return all
}

// sameGroups reports whether both ask the same people in the same way, whatever their counts.
func (q Quorum) sameGroups(o Quorum) bool {
	return q.From.equal(o.From) && slices.EqualFunc(q.Or, o.Or, Group.equal) && q.Distinct == o.Distinct &&
		slices.EqualFunc(q.Then, o.Then, func(a, b Escalation) bool { return a.After == b.After && a.To.equal(b.To) })
}

// stricter is the earlier reminder, the narrower waves with the lower tolerance and the longer wait. Both or none are by
// break-glass or by a client's word, because that is asked of the whole call.
func (t Terms) stricter(o Terms) Terms {
	t.RemindAfter = least(t.RemindAfter, o.RemindAfter)
	t.BreakGlass, t.ClientConsent = t.BreakGlass && o.BreakGlass, t.ClientConsent && o.ClientConsent
	switch {
	case t.Wave.Width == 0:
		t.Wave = o.Wave
	case o.Wave.Width != 0:
		t.Wave.Width, t.Wave.StopOver = min(t.Wave.Width, o.Wave.Width), min(t.Wave.StopOver, o.Wave.StopOver)
		t.Wave.Wait = longest(t.Wave.Wait, o.Wave.Wait)
	}
	return t
}

// longest is the longer of two waits for a wave, of which zero means until it ended, however long that takes.
func longest(a, b time.Duration) time.Duration {
	if a <= 0 || b <= 0 {
		return 0
	}
	return max(a, b)
}

// least is the smaller of two durations of which zero means none.
func least(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return cmp.Or(a, b)
	}
	return min(a, b)
}
