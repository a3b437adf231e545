package policy

import (
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
)

// headcount is how many people groups have together, and false when one of them is no list.
func headcount(groups []approvals.Group) (int, bool) {
	var all []string
	for _, g := range groups {
		if len(g.People) == 0 {
			return 0, false
		}
		all = append(all, g.People...)
	}
	slices.Sort(all)
	return len(slices.Compact(all)), true
}

// groupNames are the names of the groups that a verdict asks.
func groupNames(v *verdict) string {
	all := []string{v.From.Name}
	for _, g := range v.Or {
		all = append(all, g.Name)
	}
	return strings.Join(all, ", ")
}
