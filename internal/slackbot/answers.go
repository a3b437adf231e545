package slackbot

import (
	"encoding/json"
	"strings"

	"github.com/mde-ops/mde-ops/tools"
)

// requestAnswer is what the output of every tool that shows a request or a dry run has in common.
type requestAnswer struct {
	RequestID string `json:"request_id"`
	Status    string `json:"status"`
	Policy    string `json:"policy"`
	Next      string `json:"next"`
}

// forPeople is a tool's text with its last line, which tells a program what to call next, in the words of Slack.
func forPeople(res tools.Result) string {
	raw, err := json.Marshal(res.Output)
	if err != nil {
		return res.Text
	}
	var a requestAnswer
	if json.Unmarshal(raw, &a) != nil || a.Next == "" {
		return res.Text
	}
	text, told := strings.CutSuffix(res.Text, "\n"+a.Next)
	if !told {
		return res.Text
	}
	return strings.TrimSpace(text + "\n" + a.nextInSlack())
}

// nextInSlack is what a person does next; what is final needs no word for programs.
func (a requestAnswer) nextInSlack() string {
	switch a.Status {
	case "planned":
		return a.afterDryRun()
	case "pending_approval":
		return "Nothing was done yet: its approvers press Approve on its card. /mde cancel-request " + a.RequestID + " withdraws it."
	case "pending_confirmation":
		return "Nothing was done yet: the requester presses Confirm on its card. /mde cancel-request " + a.RequestID + " withdraws it."
	case "approved", "running":
		return "It is under way; its card shows how far it is."
	case "denied":
		return "An approver said no; nothing was done."
	case "succeeded", "cancelled":
		return "This is final."
	}
	return a.Next
}

func (a requestAnswer) afterDryRun() string {
	if strings.HasPrefix(a.Policy, "denied") {
		return "Policy denies this; asking for it would be refused."
	}
	if strings.HasSuffix(a.Next, "Policy wants a reason.") {
		return "To ask for it, type the same without --dry-run, and end it with because and a reason."
	}
	return "To ask for it, type the same without --dry-run."
}
