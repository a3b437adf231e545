package slackbot

import (
	"fmt"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/mde-ops/mde-ops/approvals"
)

// The ids of what people press. They are part of the wire: an old card carries them for as long as it exists.
const (
	actionsBlock  = "mde_actions"
	actionApprove = "mde_approve"
	actionConfirm = "mde_confirm"
	actionDeny    = "mde_deny"
	actionDetails = "mde_details"
	actionPage    = "mde_page"
)

const timeForm = "2006-01-02 15:04 UTC"

func when(t time.Time) string { return t.UTC().Format(timeForm) }

// renderCard draws a request for its approvers.
func renderCard(r approvals.Request) message {
	c := newComposer()
	c.header(headline(r))
	c.lines(r.Plan.Preview)
	if r.State != approvals.Pending {
		c.lines(outcome(r)...)
	}
	c.label("Who asks")
	c.lines(asker(r.Requester)...)
	c.label("Why, in the requester's own words")
	c.lines(reasonOf(r))
	if len(r.Plan.Warnings) > 0 {
		c.label("Know this first")
		c.lines(bullets(r.Plan.Warnings)...)
	}
	c.label(fmt.Sprintf("On what (%d)", len(r.Plan.Targets)))
	c.lines(targets(r.Plan.Targets)...)
	c.label("Approval")
	c.lines(approval(r)...)
	c.small(fmt.Sprintf("Request %s · %s · risk %s · tenant %s · digest %s", r.ID, r.Plan.Tool, r.Plan.Risk, r.Plan.Tenant, approvals.ShortDigest(r.Digest)))
	return c.message(headline(r)+": "+r.Plan.Preview, cutNote(r), buttons(r, c.cut)...)
}

// renderPlainCard is what is posted when Slack refuses a card: enough to find the request, and nothing to approve with.
func renderPlainCard(r approvals.Request) message {
	c := newComposer()
	c.header(headline(r))
	c.lines("This request can't be shown here. Press Details to read it.")
	c.small("Request " + r.ID)
	return c.message(headline(r), "", buttons(r, true)...)
}

func cutNote(r approvals.Request) string {
	if r.State == approvals.Pending {
		return "This card does not hold everything, so it has no Approve button. Press Details to read it all; the last page there can approve."
	}
	return "This card does not hold everything. Press Details to read it all."
}

func headline(r approvals.Request) string {
	word := strings.ReplaceAll(r.Plan.Tool, "_", " ")
	switch r.State {
	case approvals.Pending:
		if r.Outcome == approvals.Confirm {
			return "Confirmation needed: " + word
		}
		return "Approval needed: " + word
	case approvals.Approved:
		return "Approved, starting: " + word
	case approvals.Running:
		return "Under way: " + word
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
		return "Expired: " + word
	case approvals.Cancelled:
		return "Cancelled: " + word
	}
	return "Not understood by this version: " + word
}

// asker says who asks and through what. What an assistant calls itself is its own word, and is marked as that.
func asker(q approvals.Requester) []string {
	who := q.ID
	if q.Name != "" && q.Name != q.ID {
		who = quote(q.Name) + ", " + q.ID
	}
	lines := []string{who + throughWhat(q)}
	if !q.Verified {
		lines = append(lines, "UNVERIFIED: this identity was configured, nobody proved it")
	}
	return lines
}

func throughWhat(q approvals.Requester) string {
	switch {
	case q.Agent != "":
		return fmt.Sprintf(" through an assistant that calls itself %s (%s)", quote(q.Agent), q.Via)
	case q.Via == approvals.ViaSlack:
		return " in Slack"
	}
	return " through " + string(q.Via)
}

func reasonOf(r approvals.Request) string {
	if strings.TrimSpace(r.Plan.Reason) == "" {
		return "(no reason given)"
	}
	return quote(r.Plan.Reason)
}

func bullets(texts []string) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = "• " + t
	}
	return out
}

// targets lists what is acted on: the name, the id that decides, and what an approver weighs. What attackers can write
// stands in quotation marks.
func targets(list []approvals.Target) []string {
	var lines []string
	for i, t := range list {
		lines = append(lines, fmt.Sprintf("%d. %s", i+1, quote(t.Name)), fmt.Sprintf("    %s id %s", t.Kind, t.ID))
		if facts := factsOf(t); facts != "" {
			lines = append(lines, "    "+facts)
		}
	}
	return lines
}

func factsOf(t approvals.Target) string {
	var facts []string
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, name+" "+quote(value))
		}
	}
	add("OS", t.OS)
	add("value", t.Value)
	add("health", t.Health)
	add("risk", t.Risk)
	add("exposure", t.Exposure)
	add("onboarding", t.Onboarding)
	add("group", t.Group)
	if !t.LastSeen.IsZero() {
		facts = append(facts, "last seen "+when(t.LastSeen))
	}
	for _, tag := range t.Tags {
		add("tag", tag)
	}
	return strings.Join(facts, " · ")
}

// approval says what is needed, what is there, and until when.
func approval(r approvals.Request) []string {
	lines := []string{}
	switch r.Outcome {
	case approvals.Approve:
		for _, q := range r.Quorum {
			lines = append(lines, fmt.Sprintf("Needs %d of group %s, never the requester; %d so far", q.Count, quote(q.From.Name), yeses(r)))
		}
	case approvals.Confirm:
		lines = append(lines, "Needs the requester's own confirmation")
	case approvals.Allow:
		lines = append(lines, "Policy allows this without approval")
	case approvals.Deny:
		lines = append(lines, "Policy does not allow this")
	default:
		lines = append(lines, "Policy gave an answer that this version does not know; it can't be approved")
	}
	lines = append(lines, "Rule "+quote(r.Rule))
	for _, v := range r.Votes {
		lines = append(lines, voteLine(v))
	}
	if r.State == approvals.Pending {
		lines = append(lines, "Open until "+when(r.ExpiresAt))
	}
	return lines
}

func voteLine(v approvals.Vote) string {
	line := fmt.Sprintf("%s: %s at %s", v.Voter.ID, verdictWord(v.Verdict), when(v.At))
	if v.Reason != "" {
		line += ", saying " + quote(v.Reason)
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

// outcome says how far a decided request has come, step by step.
func outcome(r approvals.Request) []string {
	var lines []string
	if r.Message != "" && r.Message != string(r.State) {
		lines = append(lines, r.Message)
	}
	for _, s := range r.Steps {
		lines = append(lines, stepLine(r, s))
	}
	return lines
}

func stepLine(r approvals.Request, s approvals.StepStatus) string {
	name := fmt.Sprintf("step %d", s.Index+1)
	if s.Index >= 0 && s.Index < len(r.Plan.Steps) {
		name = r.Plan.Steps[s.Index].Summary
		if t, ok := r.Plan.Target(r.Plan.Steps[s.Index].Target); ok {
			name = r.Plan.Steps[s.Index].Action + " " + quote(t.Name)
		}
	}
	line := fmt.Sprintf("%s %s: %s", mark(s.State), name, strings.ReplaceAll(string(s.State), "_", " "))
	if s.ActionID != "" && !strings.Contains(s.Message, s.ActionID) {
		line += ", action " + s.ActionID
	}
	if s.Message != "" {
		line += ", " + s.Message
	}
	return line
}

func mark(s approvals.StepState) string {
	switch s {
	case approvals.StepSucceeded:
		return "✔"
	case approvals.StepFailed, approvals.StepTimedOut, approvals.StepCancelled:
		return "✘"
	case approvals.StepUnknown:
		return "?"
	case approvals.StepSkipped:
		return "–"
	case approvals.StepWaiting, approvals.StepSending, approvals.StepAccepted:
		return "…"
	}
	return "?"
}

// buttons are what may be pressed on a card now. Voting ends with the pending state, and a card that was cut offers no
// yes. Denying needs no full text: a no can only keep things as they are.
func buttons(r approvals.Request, lost bool) []slack.BlockElement {
	value := stamp{r.ID, r.Digest}.String()
	var out []slack.BlockElement
	if r.State == approvals.Pending {
		switch {
		case r.Outcome == approvals.Approve:
			if !lost {
				out = append(out, yesButton(actionApprove, "Approve", value, r))
			}
			out = append(out, button(actionDeny, "Deny", value).WithStyle(slack.StyleDanger))
		case r.Outcome == approvals.Confirm && !lost:
			out = append(out, yesButton(actionConfirm, "Confirm", value, r))
		}
	}
	return append(out, button(actionDetails, "Details", value))
}

func button(action, label, value string) *slack.ButtonBlockElement {
	obj, _ := plain(label, 75)
	return slack.NewButtonBlockElement(action, value, obj)
}

// yesButton asks once more before it is pressed, because thumbs slip on phones. Its words are all ours.
func yesButton(action, label, value string, r approvals.Request) *slack.ButtonBlockElement {
	title, _ := plain(label+" this request?", 100)
	text, _ := plain(fmt.Sprintf("%s %s: %d step(s) on %d target(s), exactly as the card shows.", label, r.ID, len(r.Plan.Steps), len(r.Plan.Targets)), 300)
	yes, _ := plain(label, 30)
	no, _ := plain("Back", 30)
	return button(action, label, value).WithStyle(slack.StylePrimary).WithConfirm(slack.NewConfirmationBlockObject(title, text, yes, no))
}
