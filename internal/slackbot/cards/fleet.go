package cards

import (
	"fmt"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
)

// fleetLines say how far a request of several steps is, in one or two lines before the steps themselves.
func fleetLines(r approvals.Request) []string {
	total := len(r.Steps)
	if total < 2 || r.State == approvals.Pending {
		return nil
	}
	n := make(map[approvals.StepState]int)
	for _, s := range r.Steps {
		n[s.State]++
	}
	failed := n[approvals.StepFailed] + n[approvals.StepTimedOut] + n[approvals.StepCancelled]
	unsent := n[approvals.StepWaiting] + n[approvals.StepSkipped]
	parts := []string{fmt.Sprintf("%d of %d succeeded", n[approvals.StepSucceeded], total)}
	add := func(count int, what string) {
		if count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count, what))
		}
	}
	add(failed, "failed")
	add(n[approvals.StepUnknown], "unknown")
	add(n[approvals.StepSending]+n[approvals.StepAccepted], "under way")
	add(unsent, "not sent")
	lines := []string{"Progress: " + strings.Join(parts, ", ")}
	if w := r.Terms.Wave; w.Width > 0 && r.State == approvals.Running {
		sent := max(total-unsent, 1)
		lines = append(lines, fmt.Sprintf("Wave %d of %d, %d at a time", waves(w, sent), waves(w, total), w.Width))
	}
	return lines
}
