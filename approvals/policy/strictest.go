package policy

import (
	"fmt"
	"slices"

	"github.com/mde-ops/mde-ops/approvals"
)

// strictest joins the answers to the single targets of a call, one each and at least one. A no names the target that
// brought it, when others would have been let through.
func strictest(targets []approvals.Target, answers []approvals.Decision) approvals.Decision {
	i := slices.IndexFunc(answers, func(a approvals.Decision) bool {
		return a.Outcome.Strictness() == approvals.Deny.Strictness()
	})
	if i < 0 {
		return approvals.Strictest(answers)
	}
	d := answers[i]
	if slices.ContainsFunc(answers, func(a approvals.Decision) bool { return a.Rule != d.Rule }) {
		d.Why = fmt.Sprintf("target %s: %s; leave it out", targets[i].ID, d.Why)
	}
	return d
}
