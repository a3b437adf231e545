package cards

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
)

// FollowUp tells the channel where a request was asked for how it ended. Steps that don't fit are in the card's thread.
func FollowUp(r approvals.Request, a Around) blockkit.Message {
	return Final(r, a, true)[0].Message()
}

// unknownHelp tells a person what a machine must not decide: where to look, and what to look for.
func unknownHelp(r approvals.Request) []string {
	lines := []string{
		"It could not be found out whether this reached Defender. Nothing is sent again by itself. Please look:",
		"1. Open security.microsoft.com, Assets, Devices, the device named below, then its Action center (Actions & submissions).",
		"2. Search the comments of the actions for the text below. If it is there, the action was sent; if not, it was not.",
		"3. If it was not sent and is still wanted, ask for it again as a new request.",
	}
	for _, s := range r.Steps {
		if s.State != approvals.StepUnknown || s.Index < 0 || s.Index >= len(r.Plan.Steps) {
			continue
		}
		id := r.Plan.Steps[s.Index].Target
		t, _ := r.Plan.Target(id)
		lines = append(lines, fmt.Sprintf("• %s (id %s): search for %s", blockkit.Quote(t.Name), id, approvals.Tag(r.ID, s.Index)))
	}
	return lines
}

// mentions calls who asked, and with approvers those who said yes as well, because they can look too. Their ids come from
// Slack and are checked again.
func mentions(r approvals.Request, approvers bool) string {
	people := []approvals.Person{r.Requester.Person}
	for _, v := range r.Votes {
		if approvers {
			people = append(people, v.Voter)
		}
	}
	var out []string
	for _, p := range people {
		_, user, ok := p.Slack()
		if m := "<@" + user + ">"; ok && blockkit.IsUser(user) && len(out) < 20 && !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	return strings.Join(out, " ")
}

func denials(r approvals.Request) []string {
	var out []string
	for _, v := range r.Votes {
		if v.Verdict == approvals.VerdictDeny {
			out = append(out, voteLine(v))
		}
	}
	return out
}
