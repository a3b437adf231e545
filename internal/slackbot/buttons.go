package slackbot

import (
	"fmt"
	"slices"

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

// yes is one kind of yes that a request asks people for.
type yes struct {
	verdict approvals.Verdict
	// label is its word on buttons, and action the button's id.
	label, action string
}

// openYeses are the kinds of yes that a pending request asks for: the one that it was made with and, when policy has
// changed, also the one that policy asks for now. Each must be given, so without both buttons a request could get stuck.
func openYeses(r approvals.Request, now approvals.Outcome) []yes {
	if r.State != approvals.Pending || r.Terms.BreakGlass {
		return nil
	}
	var open []yes
	asked := []approvals.Outcome{r.Outcome, now}
	if slices.Contains(asked, approvals.Approve) {
		open = append(open, yes{approvals.VerdictApprove, "Approve", actionApprove})
	}
	if slices.Contains(asked, approvals.Confirm) {
		open = append(open, yes{approvals.VerdictConfirm, "Confirm", actionConfirm})
	}
	return open
}

// yesFor is the yes that one person could give, its verdict empty when they could give none. The requester's own is the
// confirmation; who is nobody's alias gets the other.
func yesFor(r approvals.Request, now approvals.Outcome, who approvals.Person) yes {
	open := openYeses(r, now)
	if len(open) > 1 && who.Same(r.Requester.Person) {
		return open[1]
	}
	if len(open) == 0 {
		return yes{}
	}
	return open[0]
}

// buttons are what may be pressed on a card now. Voting ends with the pending state, and a card that was cut offers no
// yes. Denying needs no full text: a no can only keep things as they are.
func buttons(r approvals.Request, a around, lost bool) []slack.BlockElement {
	value := stamp{r.ID, r.Digest}.String()
	open := openYeses(r, a.asks)
	var out []slack.BlockElement
	for _, y := range open {
		if !lost {
			out = append(out, yesButton(y, value, r))
		}
	}
	if slices.ContainsFunc(open, func(y yes) bool { return y.verdict == approvals.VerdictApprove }) {
		out = append(out, button(actionDeny, "Deny", value).WithStyle(slack.StyleDanger))
	}
	if lost && len(open) > 0 {
		return append(out, button(actionRead, "Details", value))
	}
	return append(out, button(actionDetails, "Details", value))
}

func button(action, label, value string) *slack.ButtonBlockElement {
	obj, _ := plain(label, 75)
	return slack.NewButtonBlockElement(action, value, obj)
}

// yesButton asks once more before it is pressed, because thumbs slip on phones. Its words are all ours.
func yesButton(y yes, value string, r approvals.Request) *slack.ButtonBlockElement {
	title, _ := plain(y.label+" this request?", 100)
	text, _ := plain(fmt.Sprintf("%s %s: %d step(s) on %d target(s), exactly as the card shows.", y.label, r.ID, len(r.Plan.Steps), len(r.Plan.Targets)), 300)
	ok, _ := plain(y.label, 30)
	back, _ := plain("Back", 30)
	return button(y.action, y.label, value).WithStyle(slack.StylePrimary).WithConfirm(slack.NewConfirmationBlockObject(title, text, ok, back))
}
