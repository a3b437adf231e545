package cards

import (
	"fmt"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
)

// Approval says what was asked for, what is there, what is still missing, and until when. What is missing is the ballot's
// own count: policy may by now demand more than when the request was made.
func Approval(r approvals.Request) []string {
	lines := agreed(r)
	if r.State == approvals.Pending {
		if r.Message != "" {
			lines = append(lines, "Now: "+r.Message)
		}
		lines = append(lines, "Open until "+when(r.ExpiresAt))
	}
	return lines
}

// agreed is Approval without where a pending request stands, which a card says before everything else.
func agreed(r approvals.Request) []string {
	lines := append(demanded(r), ruleLine(r))
	for _, v := range r.Votes {
		lines = append(lines, voteLine(v))
	}
	if r.State == approvals.Pending {
		lines = append(lines, timetable(r)...)
	}
	return lines
}

// ruleLine names the rule of the policy that gave the answer.
func ruleLine(r approvals.Request) string {
	asks := r.Outcome == approvals.Approve || r.Outcome == approvals.Confirm
	if asks && !r.Terms.BreakGlass && r.Parent == "" {
		return "Rule " + blockkit.Quote(r.Rule) + " asks for this"
	}
	return "Rule " + blockkit.Quote(r.Rule)
}

func demanded(r approvals.Request) []string {
	switch {
	case r.Parent != "":
		return []string{"Approved together with request " + r.Parent + ", whose time-box this ends"}
	case r.Terms.BreakGlass:
		return []string{"BREAK-GLASS: nobody else was asked. The requester's own yes stands for everybody's"}
	}
	if r.Terms.ClientConsent {
		return []string{"Confirmed by the requester in their MCP client: the client's word, no vote"}
	}
	switch r.Outcome {
	case approvals.Approve:
		return needs(r)
	case approvals.Confirm:
		return []string{"Needs the requester's own confirmation"}
	case approvals.Allow:
		return []string{"Policy allows this without approval"}
	case approvals.Deny:
		return []string{"Policy does not allow this"}
	}
	return []string{"Policy gave an answer that this version does not know; it can't be approved"}
}

// needs is one line for each demand. Whose yes counts for which of several is not known here, so the sum stands alone.
func needs(r approvals.Request) []string {
	var lines []string
	for _, q := range r.Quorum {
		lines = append(lines, fmt.Sprintf("Needs %s, never the requester", quorumWords(q)))
	}
	switch len(lines) {
	case 0:
		return []string{"Asks for approvers and names none; it can't be approved"}
	case 1:
		return []string{fmt.Sprintf("%s; %d so far", lines[0], yeses(r))}
	}
	return append(lines, fmt.Sprintf("Each of these must be met; %d said yes so far", yeses(r)))
}

// quorumWords says who may say yes from the beginning, and how many of them must.
func quorumWords(q approvals.Quorum) string {
	groups := append([]approvals.Group{q.From}, q.Or...)
	if len(groups) == 1 {
		return fmt.Sprintf("%d of group %s", q.Count, blockkit.Quote(q.From.Name))
	}
	if q.Distinct {
		return fmt.Sprintf("%d people, each for another one of the groups %s", q.Count, groupNames(groups, " and "))
	}
	return fmt.Sprintf("%d of the groups %s", q.Count, groupNames(groups, " or "))
}

func groupNames(groups []approvals.Group, join string) string {
	names := make([]string, len(groups))
	for i, g := range groups {
		names[i] = blockkit.Quote(g.Name)
	}
	return strings.Join(names, join)
}

// timetable says when approvers are reminded, and from when further groups may approve as well.
func timetable(r approvals.Request) []string {
	var lines []string
	if after := r.Terms.RemindAfter; after > 0 {
		lines = append(lines, "Its approvers are reminded at "+when(r.CreatedAt.Add(after)))
	}
	for _, e := range r.Escalations() {
		lines = append(lines, fmt.Sprintf("From %s also members of group %s may approve", when(r.CreatedAt.Add(e.After)), blockkit.Quote(e.To.Name)))
	}
	return lines
}

func voteLine(v approvals.Vote) string {
	line := fmt.Sprintf("%s: %s at %s", v.Voter.ID, verdictWord(v.Verdict), when(v.At))
	if v.Reason != "" {
		line += ", saying " + blockkit.Quote(v.Reason)
	}
	return line
}

func verdictWord(v approvals.Verdict) string {
	switch v {
	case approvals.VerdictApprove:
		return "approved"
	case approvals.VerdictConfirm:
		return "confirmed"
	case approvals.VerdictDeny:
		return "denied"
	}
	return "said something this version does not know"
}

func yeses(r approvals.Request) int {
	n := 0
	for _, v := range r.Votes {
		if v.Verdict == approvals.VerdictApprove {
			n++
		}
	}
	return n
}

// included is what a yes to the plan lets happen besides its steps, and how they are sent. All of it is part of the digest.
func included(r approvals.Request) []string {
	var lines []string
	if box := r.Plan.TimeBox; box != nil {
		lines = append(lines, fmt.Sprintf("Each is undone again %s after it succeeded (%s, risk %s), without anybody being asked again",
			span(box.For), box.Tool, box.Risk))
	}
	if w := r.Terms.Wave; w.Width > 0 && len(r.Plan.Steps) > 1 {
		lines = append(lines, waveWords(w, len(r.Plan.Steps)))
	}
	return lines
}

func waveWords(w approvals.Wave, steps int) string {
	line := fmt.Sprintf("Sent in %d waves of %d", waves(w, steps), w.Width)
	if w.Wait > 0 {
		line += fmt.Sprintf(", each when the one before has ended, or %s after it was sent", span(w.Wait))
	}
	return line + fmt.Sprintf("; more than %d %% without success stops it until people say so", w.StopOver)
}

func waves(w approvals.Wave, steps int) int { return (steps + w.Width - 1) / w.Width }

// span is a duration for people: "4 h", "1 h 30 min", "20 min"; what is no whole number of minutes is exact all the same.
func span(d time.Duration) string {
	if d < time.Minute || d%time.Minute != 0 {
		return d.String()
	}
	h, m := d/time.Hour, d%time.Hour/time.Minute
	switch {
	case h == 0:
		return fmt.Sprintf("%d min", m)
	case m == 0:
		return fmt.Sprintf("%d h", h)
	}
	return fmt.Sprintf("%d h %d min", h, m)
}
