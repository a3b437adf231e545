package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
)

// strictness orders outcomes. What is not known is as strict as a no.
func strictness(o approvals.Outcome) int {
	switch o {
	case approvals.Allow:
		return 0
	case approvals.Confirm:
		return 1
	case approvals.Approve:
		return 2
	case approvals.Deny:
	}
	return 3
}

// strictest joins the answers to the single targets of a call, one each and at least one: the strictest outcome, every
// quorum that any of them demands, and the shortest times and smallest cap.
func strictest(targets []approvals.Target, answers []approvals.Decision) approvals.Decision {
	worst := slices.MaxFunc(answers, func(a, b approvals.Decision) int { return strictness(a.Outcome) - strictness(b.Outcome) })
	if strictness(worst.Outcome) == strictness(approvals.Deny) {
		return denied(targets, answers)
	}
	joined := worst
	var rules []string
	var quorums []approvals.Quorum
	for _, a := range answers {
		joined.Expires, joined.StartBefore = min(joined.Expires, a.Expires), min(joined.StartBefore, a.StartBefore)
		joined.MaxTargets = min(joined.MaxTargets, a.MaxTargets)
		joined.ReasonRequired = joined.ReasonRequired || a.ReasonRequired
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

// demand adds a quorum. Of two quorums of one group the larger is enough, because who meets it meets the other.
func demand(all []approvals.Quorum, q approvals.Quorum) []approvals.Quorum {
	i := slices.IndexFunc(all, func(o approvals.Quorum) bool {
		return o.From.Name == q.From.Name && o.From.Slack == q.From.Slack && slices.Equal(o.From.People, q.From.People)
	})
	if i < 0 {
		return append(all, q)
	}
	all[i].Count = max(all[i].Count, q.Count)
	return all
}

// denied is the first no, which says whose it is when other targets are answered by other rules.
func denied(targets []approvals.Target, answers []approvals.Decision) approvals.Decision {
	no := func(a approvals.Decision) bool { return strictness(a.Outcome) == strictness(approvals.Deny) }
	i := slices.IndexFunc(answers, no)
	d := answers[i]
	if slices.ContainsFunc(answers, func(a approvals.Decision) bool { return a.Rule != d.Rule }) {
		d.Why = fmt.Sprintf("target %s: %s; leave it out", targets[i].ID, d.Why)
	}
	return d
}
