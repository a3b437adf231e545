package cards

import (
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
)

// headline is a card's first line. What was done without other people's yes says so before everything else.
func headline(r approvals.Request, a Around) string {
	line := plainHeadline(r, a)
	if r.Terms.BreakGlass {
		return "BREAK-GLASS · " + line
	}
	return line
}

func plainHeadline(r approvals.Request, a Around) string {
	word := strings.ReplaceAll(r.Plan.Tool, "_", " ")
	switch r.State {
	case approvals.Pending:
		return pendingHeadline(r, a) + word
	case approvals.Approved:
		if a.held() {
			return "Approved, held: " + word
		}
		return "Approved, starting: " + word
	case approvals.Running:
		return runningHeadline(a) + word
	case approvals.Succeeded:
		return "Done: " + word
	case approvals.Partial:
		return "Partly done: " + word
	case approvals.Failed:
		return "Failed: " + word
	case approvals.Unknown:
		return "Unknown, a person must look: " + word
	case approvals.Denied:
		return "Denied: " + word
	case approvals.Expired:
		return "Timed out: " + word
	case approvals.Cancelled:
		if strings.HasPrefix(r.Message, "nobody can approve") {
			return "Nobody can approve: " + word
		}
		return "Cancelled: " + word
	}
	return "Not understood by this version: " + word
}

func pendingHeadline(r approvals.Request, a Around) string {
	open := openYeses(r, a.Asks)
	switch {
	case len(open) > 1:
		return "Approval and confirmation needed: "
	case r.Outcome == approvals.Confirm:
		return "Confirmation needed: "
	}
	return "Approval needed: "
}

func runningHeadline(a Around) string {
	switch {
	case a.held():
		return "Held: "
	case a.Pause != "":
		return "Paused: "
	}
	return "Under way: "
}
