package cards

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
)

// The modals and their parts.
const (
	ViewDeny    = "mde_deny_view"
	ViewDetails = "mde_details_view"
	BlockReason = "mde_reason"
	InputReason = "mde_reason_text"

	MaxReason       = 500
	sectionsPerPage = 20
)

// DenyView asks for the reason of a no.
func DenyView(t Ticket, id string) slack.ModalViewRequest {
	label, _ := blockkit.Plain("Why not? The requester and the channel will read this.", 200)
	hint, _ := blockkit.Plain("A denial is final; the requester can ask again with a better plan.", 200)
	input := slack.NewPlainTextInputBlockElement(nil, InputReason).WithMultiline(true).WithMaxLength(MaxReason)
	v := modal("Deny "+id, ViewDeny, t, slack.NewInputBlock(BlockReason, label, hint, input))
	v.Submit, _ = blockkit.Plain("Deny", 24)
	return v
}

func modal(title, callback string, t Ticket, blocks ...slack.Block) slack.ModalViewRequest {
	v := slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: callback, PrivateMetadata: t.String(), Blocks: slack.Blocks{BlockSet: blocks},
	}
	v.Title, _ = blockkit.Plain(title, 24)
	v.Close, _ = blockkit.Plain("Close", 24)
	return v
}

// DetailsView shows one page of everything about a request. Where the card can't offer the yes, because it was cut or
// because Slack refused it, the last page does: there the person has had the whole text before them.
func DetailsView(r approvals.Request, card Place, page int, offered Yes) slack.ModalViewRequest {
	pieces := blockkit.Chunks(details(r), blockkit.MaxSection)
	pages := (len(pieces) + sectionsPerPage - 1) / sectionsPerPage
	page = min(max(page, 0), pages-1)
	shown := pieces[page*sectionsPerPage : min((page+1)*sectionsPerPage, len(pieces))]
	blocks := make([]slack.Block, 0, len(shown)+2)
	for _, p := range shown {
		obj, _ := blockkit.PlainEscaped(p, blockkit.MaxSection)
		blocks = append(blocks, slack.NewSectionBlock(obj, nil, nil))
	}
	t := Ticket{Stamp: Stamp{r.ID, r.Digest}.String(), Card: card, Page: page, Pages: pages}
	if pages > 1 {
		obj, _ := blockkit.Plain(fmt.Sprintf("Page %d of %d", page+1, pages), 100)
		blocks = append(blocks, slack.NewContextBlock("", obj), slack.NewActionBlock(blockkit.ActionsBlock, pageButtons(t)...))
	}
	if approvals.Genuine(r) != nil {
		offered = Yes{}
	}
	t.Verdict = offered.Verdict
	last := page == pages-1
	if offered.Verdict != "" && !last {
		obj, _ := blockkit.Plain("Read to the last page: the "+offered.Label+" button is there.", 200)
		blocks = append(blocks, slack.NewContextBlock("", obj))
	}
	if offered.Verdict != "" && last && offered.Typing.Needed() {
		blocks = append(blocks, offered.Typing.field(offered))
	}
	v := modal("Request "+r.ID, ViewDetails, t, blocks...)
	if offered.Verdict != "" && last {
		v.Submit, _ = blockkit.Plain(offered.Label, 24)
	}
	return v
}

func pageButtons(t Ticket) []slack.BlockElement {
	var out []slack.BlockElement
	if t.Page > 0 {
		out = append(out, blockkit.Button(ActionPage+"_back", "Back", fmt.Sprint(t.Page-1)))
	}
	if t.Page < t.Pages-1 {
		out = append(out, blockkit.Button(ActionPage+"_next", "Next", fmt.Sprint(t.Page+1)))
	}
	return out
}

// details is everything about a request as lines of text, nothing left out; nothing of it when it does not verify.
func details(r approvals.Request) string {
	if approvals.Genuine(r) != nil {
		return blockkit.Clean(strings.Join(unverified(r), " "))
	}
	lines := []string{
		headline(r, Around{}), r.Plan.Preview, "", "Request " + r.ID, "Digest " + r.Digest,
		"Tool " + r.Plan.Tool + ", risk " + string(r.Plan.Risk), "Tenant " + r.Plan.Tenant, "",
	}
	lines = append(append(lines, "Who asks:"), asker(r)...)
	lines = append(lines, "", "Why, in the requester's own words:", reasonOf(r), "")
	if len(r.Plan.Warnings) > 0 {
		lines = append(append(lines, "Know this first:"), Bullets(r.Plan.Warnings)...)
	}
	lines = append(append(lines, fmt.Sprintf("On what (%d):", len(r.Plan.Targets))), Targets(r.Plan.Targets, r.Plan.Risk)...)
	if on := r.Plan.Resumes; on != nil {
		lines = append(append(lines, "", behind(r.Plan)+":"), Targets(on.Targets, on.Risk)...)
		if len(on.Args) > 0 {
			lines = append(lines, "With "+oneLine(on.Args))
		}
	}
	lines = append(lines, "", fmt.Sprintf("Steps, in this order (%d):", len(r.Plan.Steps)))
	for i, s := range r.Plan.Steps {
		lines = append(lines, fmt.Sprintf("%d. %s %s: %s", i+1, s.Action, s.Target, blockkit.Quote(s.Summary)))
		if len(s.Args) > 0 {
			lines = append(lines, "    "+oneLine(s.Args))
		}
	}
	lines = append(lines, "", "Arguments as they were given:", oneLine(r.Plan.Args))
	if more := included(r); len(more) > 0 {
		lines = append(append(lines, "", "What a yes includes:"), Bullets(more)...)
	}
	// What changes while people vote comes last, so that it never moves a step onto a page that was read already.
	lines = append(append(lines, "", "Approval:"), Approval(r)...)
	if r.State != approvals.Pending {
		lines = append(append(lines, "", "What happened:"), outcome(r)...)
	}
	for i := range lines {
		lines[i] = blockkit.Clean(lines[i])
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
