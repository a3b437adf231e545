package cards

import (
	"fmt"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
)

// rowTargets is how many targets a row names.
const rowTargets = 3

// Row is a request in two lines, for lists: what and how far, then on what, who asked and when. A request that does not
// verify is named and nothing else.
func Row(r approvals.Request) []string {
	if approvals.Genuine(r) != nil {
		return []string{"Request " + r.ID + " does not verify. Tell your administrators."}
	}
	facts := []string{}
	if on := names(r.Plan.Targets); on != "" {
		facts = append(facts, on)
	}
	facts = append(facts, "asked by "+r.Requester.ID, "request "+r.ID, rowTime(r))
	return []string{headline(r, Around{}), strings.Join(facts, " · ")}
}

func names(list []approvals.Target) string {
	var out []string
	for i, t := range list {
		if i == rowTargets {
			out = append(out, fmt.Sprintf("and %d more", len(list)-i))
			break
		}
		out = append(out, blockkit.Quote(t.Name))
	}
	return strings.Join(out, ", ")
}

func rowTime(r approvals.Request) string {
	switch {
	case r.State == approvals.Pending:
		return "open until " + when(r.ExpiresAt)
	case r.State.Terminal() && !r.FinishedAt.IsZero():
		return "ended " + when(r.FinishedAt)
	}
	return "asked " + when(r.CreatedAt)
}

// BoxRow is the next open time-box of a request in one line; false when none is open.
func BoxRow(r approvals.Request, boxes []Box) (string, bool) {
	open := 0
	var next Box
	for _, b := range boxes {
		if !b.Open {
			continue
		}
		if open == 0 || b.Due.Before(next.Due) || Troubled(b) > Troubled(next) {
			next = b
		}
		open++
	}
	if open == 0 || approvals.Genuine(r) != nil {
		return "", false
	}
	return fmt.Sprintf("%s · %d of %d still to be undone · request %s", boxLine(next, r.Plan), open, len(boxes), r.ID), true
}

// StopRow says who stopped what, since when and why.
func StopRow(s approvals.Stop) string { return stopLine(s) }
