package slackbot

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"github.com/mde-ops/mde-ops/approvals"
)

// The modals and their parts.
const (
	viewDeny    = "mde_deny_view"
	viewDetails = "mde_details_view"
	blockReason = "mde_reason"
	inputReason = "mde_reason_text"

	maxDenyReason   = 500
	sectionsPerPage = 20
)

// denyView asks for the reason of a no.
func denyView(t ticket, id string) slack.ModalViewRequest {
	label, _ := plain("Why not? The requester and the channel will read this.", 200)
	hint, _ := plain("A denial is final; the requester can ask again with a better plan.", 200)
	input := slack.NewPlainTextInputBlockElement(nil, inputReason).WithMultiline(true).WithMaxLength(maxDenyReason)
	v := modal("Deny "+id, viewDeny, t, slack.NewInputBlock(blockReason, label, hint, input))
	v.Submit, _ = plain("Deny", 24)
	return v
}

func modal(title, callback string, t ticket, blocks ...slack.Block) slack.ModalViewRequest {
	v := slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: callback, PrivateMetadata: t.String(), Blocks: slack.Blocks{BlockSet: blocks},
	}
	v.Title, _ = plain(title, 24)
	v.Close, _ = plain("Close", 24)
	return v
}

// detailsView shows one page of everything about a request. Where the card can't offer the yes, because it was cut or
// because Slack refused it, the last page does: there the person has had the whole text before them.
func detailsView(r approvals.Request, card place, page int, offered yes) slack.ModalViewRequest {
	pieces := chunks(details(r), maxSection)
	pages := (len(pieces) + sectionsPerPage - 1) / sectionsPerPage
	page = min(max(page, 0), pages-1)
	shown := pieces[page*sectionsPerPage : min((page+1)*sectionsPerPage, len(pieces))]
	blocks := make([]slack.Block, 0, len(shown)+2)
	for _, p := range shown {
		obj, _ := plainEscaped(p, maxSection)
		blocks = append(blocks, slack.NewSectionBlock(obj, nil, nil))
	}
	t := ticket{Stamp: stamp{r.ID, r.Digest}.String(), Card: card, Page: page, Pages: pages}
	if pages > 1 {
		obj, _ := plain(fmt.Sprintf("Page %d of %d", page+1, pages), 100)
		blocks = append(blocks, slack.NewContextBlock("", obj), slack.NewActionBlock(actionsBlock, pageButtons(t)...))
	}
	if approvals.Genuine(r) != nil {
		offered = yes{}
	}
	t.Verdict = offered.verdict
	v := modal("Request "+r.ID, viewDetails, t, blocks...)
	if offered.verdict != "" && page == pages-1 {
		v.Submit, _ = plain(offered.label, 24)
	}
	return v
}

func pageButtons(t ticket) []slack.BlockElement {
	var out []slack.BlockElement
	if t.Page > 0 {
		out = append(out, button(actionPage+"_back", "Back", fmt.Sprint(t.Page-1)))
	}
	if t.Page < t.Pages-1 {
		out = append(out, button(actionPage+"_next", "Next", fmt.Sprint(t.Page+1)))
	}
	return out
}

// details is everything about a request as lines of text, nothing left out; nothing of it when it does not verify.
func details(r approvals.Request) string {
	if approvals.Genuine(r) != nil {
		return clean(strings.Join(unverified(r), " "))
	}
	lines := []string{
		headline(r, around{}), r.Plan.Preview, "", "Request " + r.ID, "Digest " + r.Digest,
		"Tool " + r.Plan.Tool + ", risk " + string(r.Plan.Risk), "Tenant " + r.Plan.Tenant, "",
	}
	lines = append(append(lines, "Who asks:"), asker(r)...)
	lines = append(lines, "", "Why, in the requester's own words:", reasonOf(r), "")
	if len(r.Plan.Warnings) > 0 {
		lines = append(append(lines, "Know this first:"), bullets(r.Plan.Warnings)...)
	}
	lines = append(append(lines, fmt.Sprintf("On what (%d):", len(r.Plan.Targets))), targets(r.Plan.Targets)...)
	if on := r.Plan.Resumes; on != nil {
		lines = append(append(lines, "", behind(r.Plan)+":"), targets(on.Targets)...)
		if len(on.Args) > 0 {
			lines = append(lines, "With "+oneLine(on.Args))
		}
	}
	lines = append(lines, "", fmt.Sprintf("Steps, in this order (%d):", len(r.Plan.Steps)))
	for i, s := range r.Plan.Steps {
		lines = append(lines, fmt.Sprintf("%d. %s %s: %s", i+1, s.Action, s.Target, quote(s.Summary)))
		if len(s.Args) > 0 {
			lines = append(lines, "    "+oneLine(s.Args))
		}
	}
	lines = append(lines, "", "Arguments as they were given:", oneLine(r.Plan.Args))
	if more := included(r); len(more) > 0 {
		lines = append(append(lines, "", "What a yes includes:"), bullets(more)...)
	}
	// What changes while people vote comes last, so that it never moves a step onto a page that was read already.
	lines = append(append(lines, "", "Approval:"), approval(r)...)
	if r.State != approvals.Pending {
		lines = append(append(lines, "", "What happened:"), outcome(r)...)
	}
	for i := range lines {
		lines[i] = clean(lines[i])
	}
	return strings.Join(lines, "\n")
}

// oneLine is JSON without the spaces that don't matter.
func oneLine(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return b.String()
}
