package cards

import (
	"fmt"
	"slices"

	"github.com/slack-go/slack"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
)

// The ids of what people press. They are part of the wire: an old card carries them for as long as it exists.
const (
	ActionApprove = "mde_approve"
	ActionConfirm = "mde_confirm"
	ActionDeny    = "mde_deny"
	ActionDetails = "mde_details"
	// ActionRead is Details on a card that can't offer the yes itself: the last page does.
	ActionRead = "mde_details_yes"
	ActionPage = "mde_page"
	// ActionWithdraw takes a request back; only who made it can.
	ActionWithdraw = "mde_withdraw"
)

// Yes is one kind of yes that a request asks people for.
type Yes struct {
	Verdict approvals.Verdict
	// Label is its word on buttons, and action the button's id.
	Label, Action string
	// Typing is what must be typed with it.
	Typing Typing
}

// openYeses are the kinds of yes that a pending request asks for: the one that it was made with and, when policy has
// changed, also the one that policy asks for now. Each must be given, so without both buttons a request could get stuck.
func openYeses(r approvals.Request, now approvals.Outcome) []Yes {
	if r.State != approvals.Pending || r.Terms.BreakGlass {
		return nil
	}
	var open []Yes
	asked := []approvals.Outcome{r.Outcome, now}
	if slices.Contains(asked, approvals.Approve) {
		open = append(open, Yes{Verdict: approvals.VerdictApprove, Label: "Approve", Action: ActionApprove})
	}
	if slices.Contains(asked, approvals.Confirm) {
		open = append(open, Yes{Verdict: approvals.VerdictConfirm, Label: "Confirm", Action: ActionConfirm})
	}
	return open
}

// YesFor is the yes that one person could give, its verdict empty when they could give none. The requester's own is the
// confirmation; who is nobody's alias gets the other.
func YesFor(r approvals.Request, now approvals.Outcome, who approvals.Person) Yes {
	open := openYeses(r, now)
	if len(open) > 1 && who.Same(r.Requester.Person) {
		return open[1]
	}
	if len(open) == 0 {
		return Yes{}
	}
	return open[0]
}

// YesOf is the yes of that verdict, when people are asked for it; its verdict is empty otherwise.
func YesOf(r approvals.Request, now approvals.Outcome, v approvals.Verdict) Yes {
	for _, y := range openYeses(r, now) {
		if y.Verdict == v {
			return y
		}
	}
	return Yes{}
}

// buttons are what may be pressed on a card now. Voting ends with the pending state, and a card that was cut offers no
// yes. Denying needs no full text: a no can only keep things as they are.
func buttons(r approvals.Request, a Around, lost bool) []slack.BlockElement {
	value := Stamp{r.ID, r.Digest}.String()
	open := openYeses(r, a.Asks)
	var out []slack.BlockElement
	for _, y := range open {
		if !lost {
			out = append(out, yesButton(y, value, r))
		}
	}
	if slices.ContainsFunc(open, func(y Yes) bool { return y.Verdict == approvals.VerdictApprove }) {
		out = append(out, blockkit.Button(ActionDeny, "Deny", value).WithStyle(slack.StyleDanger))
	}
	details := ActionDetails
	if lost && len(open) > 0 {
		details = ActionRead
	}
	out = append(out, blockkit.Button(details, "Details", value))
	if slices.Contains([]approvals.State{approvals.Pending, approvals.Approved, approvals.Running}, r.State) {
		out = append(out, withdrawButton(value, r))
	}
	return out
}

// withdrawButton is on a card for everybody, because a card looks the same to all; who pressed it is looked up then.
func withdrawButton(value string, r approvals.Request) *slack.ButtonBlockElement {
	text := "Only who asked for it can take it back, and that is final."
	if r.State == approvals.Running {
		text += " What was sent already goes on."
	}
	return askAgain(blockkit.Button(ActionWithdraw, "Withdraw", value), "Withdraw request "+r.ID+"?", text, "Withdraw")
}

// yesButton asks once more before it is pressed, because thumbs slip on phones; what certainly opens a window to type in
// needs that no more. Its words are all ours.
func yesButton(y Yes, value string, r approvals.Request) *slack.ButtonBlockElement {
	b := blockkit.Button(y.Action, y.Label, value).WithStyle(slack.StylePrimary)
	if Destructive(r.Plan) {
		return b
	}
	return askAgain(b, y.Label+" this request?",
		fmt.Sprintf("%s %s: %d step(s) on %d target(s), exactly as the card shows.", y.Label, r.ID, len(r.Plan.Steps), len(r.Plan.Targets)), y.Label)
}

// askAgain has Slack ask before a button is pressed.
func askAgain(b *slack.ButtonBlockElement, heading, words, yes string) *slack.ButtonBlockElement {
	title, _ := blockkit.Plain(heading, 100)
	text, _ := blockkit.Plain(words, 300)
	ok, _ := blockkit.Plain(yes, 30)
	back, _ := blockkit.Plain("Back", 30)
	return b.WithConfirm(slack.NewConfirmationBlockObject(title, text, ok, back))
}
