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
	// actionRead is Details on a card that can't offer the yes itself: the last page does.
	actionRead = "mde_details_yes"
	actionPage = "mde_page"
)

const timeForm = "2006-01-02 15:04 UTC"

func when(t time.Time) string { return t.UTC().Format(timeForm) }

// renderCard draws a request for its approvers, or says that it can't be shown when what is stored does not verify.
func renderCard(r approvals.Request) message {
	if approvals.Genuine(r) != nil {
		return renderUnverified(r)
	}
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
	if r.State == approvals.Pending {
		c.label(fmt.Sprintf("What is done, in this order (%d)", len(r.Plan.Steps)))
		c.lines(planned(r.Plan)...)
	}
	c.label("Approval")
	c.lines(approval(r)...)
	c.small(fmt.Sprintf("Request %s · %s · risk %s · tenant %s · digest %s", r.ID, r.Plan.Tool, r.Plan.Risk, r.Plan.Tenant, approvals.ShortDigest(r.Digest)))
	return c.message(headline(r)+": "+r.Plan.Preview, cutNote(r), buttons(r, c.cut)...)
}

// renderPlainCard is what is posted when Slack refuses a card: enough to find the request, and nothing to approve with.
// The yes is at the end of the details, as for a card that was cut.
func renderPlainCard(r approvals.Request) message {
	if approvals.Genuine(r) != nil {
		return renderUnverified(r)
	}
	c := newComposer()
	c.header(headline(r))
	c.lines("This request can't be shown here. Press Details to read it." + lastPage(r))
	c.small("Request " + r.ID)
	return c.message(headline(r), "", buttons(r, true)...)
}

func cutNote(r approvals.Request) string {
	return "This card does not hold everything. Press Details to read it all." + lastPage(r)
}

// lastPage says where the yes is that a card can't offer.
func lastPage(r approvals.Request) string {
	if _, label := yesOf(r); label != "" {
		return " The last page there has the " + label + " button."
	}
	return ""
}

// yesOf is the yes that a request asks people for now, and its word on buttons; both are empty when it asks for none.
func yesOf(r approvals.Request) (approvals.Verdict, string) {
	switch {
	case r.State != approvals.Pending:
	case r.Outcome == approvals.Approve:
		return approvals.VerdictApprove, "Approve"
	case r.Outcome == approvals.Confirm:
		return approvals.VerdictConfirm, "Confirm"
	}
	return "", ""
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

// approval says what was asked for, what is there, what is still missing, and until when. What is missing is the ballot's
// own count: policy may by now demand more than when the request was made.
func approval(r approvals.Request) []string {
	lines := []string{}
	switch r.Outcome {
	case approvals.Approve:
		lines = append(lines, needs(r)...)
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
		if r.Message != "" {
			lines = append(lines, "Now: "+r.Message)
		}
		lines = append(lines, "Open until "+when(r.ExpiresAt))
	}
	return lines
}

// needs is one line for each demand. Whose yes counts for which of several is not known here, so the sum stands alone.
func needs(r approvals.Request) []string {
	var lines []string
	for _, q := range r.Quorum {
		lines = append(lines, fmt.Sprintf("Needs %d of group %s, never the requester", q.Count, quote(q.From.Name)))
	}
	switch len(lines) {
	case 0:
		return []string{"Asks for approvers and names none; it can't be approved"}
	case 1:
		return []string{fmt.Sprintf("%s; %d so far", lines[0], yeses(r))}
	}
	return append(lines, fmt.Sprintf("Each of these must be met; %d said yes so far", yeses(r)))
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

// buttons are what may be pressed on a card now. Voting ends with the pending state, and a card that was cut offers no
// yes. Denying needs no full text: a no can only keep things as they are.
func buttons(r approvals.Request, lost bool) []slack.BlockElement {
	value := stamp{r.ID, r.Digest}.String()
	var out []slack.BlockElement
	verdict, label := yesOf(r)
	action := map[approvals.Verdict]string{approvals.VerdictApprove: actionApprove, approvals.VerdictConfirm: actionConfirm}[verdict]
	if action != "" && !lost {
		out = append(out, yesButton(action, label, value, r))
	}
	if verdict == approvals.VerdictApprove {
		out = append(out, button(actionDeny, "Deny", value).WithStyle(slack.StyleDanger))
	}
	if lost && verdict != "" {
		return append(out, button(actionRead, "Details", value))
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
