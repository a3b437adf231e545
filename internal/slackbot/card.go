package slackbot

import (
	"fmt"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
)

const timeForm = "2006-01-02 15:04 UTC"

func when(t time.Time) string { return t.UTC().Format(timeForm) }

// renderCard draws a request for its approvers, or says that it can't be shown when what is stored does not verify.
func renderCard(r approvals.Request, a around) message {
	if approvals.Genuine(r) != nil {
		return renderUnverified(r)
	}
	c := newComposer()
	c.header(headline(r, a))
	c.mention(a.tell)
	c.lines(r.Plan.Preview)
	c.lines(relatives(r, a)...)
	c.lines(a.holds()...)
	if r.State != approvals.Pending {
		c.lines(outcome(r)...)
		a.showBoxes(c, r)
	}
	c.label("Who asks")
	c.lines(asker(r)...)
	c.label("Why, in the requester's own words")
	c.lines(reasonOf(r))
	if len(r.Plan.Warnings) > 0 {
		c.label("Know this first")
		c.lines(bullets(r.Plan.Warnings)...)
	}
	c.label(fmt.Sprintf("On what (%d)", len(r.Plan.Targets)))
	c.lines(targets(r.Plan.Targets)...)
	if on := r.Plan.Resumes; on != nil {
		c.label(behind(r.Plan))
		c.lines(targets(on.Targets)...)
	}
	if r.State == approvals.Pending {
		c.label(fmt.Sprintf("What is done, in this order (%d)", len(r.Plan.Steps)))
		c.lines(planned(r.Plan)...)
	}
	if more := included(r); len(more) > 0 {
		c.label("What a yes includes")
		c.lines(bullets(more)...)
	}
	c.label("Approval")
	c.lines(approval(r)...)
	c.small(fmt.Sprintf("Request %s · %s · risk %s · tenant %s · digest %s", r.ID, r.Plan.Tool, r.Plan.Risk, r.Plan.Tenant, approvals.ShortDigest(r.Digest)))
	return c.message(headline(r, a)+": "+r.Plan.Preview, cutNote(r, a), buttons(r, a, c.cut)...)
}

// renderPlainCard is what is posted when Slack refuses a card: enough to find the request, and nothing to approve with.
// The yes is at the end of the details, as for a card that was cut.
func renderPlainCard(r approvals.Request, a around) message {
	if approvals.Genuine(r) != nil {
		return renderUnverified(r)
	}
	c := newComposer()
	c.header(headline(r, a))
	c.mention(a.tell)
	c.lines("This request can't be shown here. Press Details to read it." + lastPage(r, a))
	c.small("Request " + r.ID)
	return c.message(headline(r, a), "", buttons(r, a, true)...)
}

func cutNote(r approvals.Request, a around) string {
	return "This card does not hold everything. Press Details to read it all." + lastPage(r, a)
}

// lastPage says where the yes is that a card can't offer.
func lastPage(r approvals.Request, a around) string {
	open := openYeses(r, a.asks)
	switch len(open) {
	case 0:
		return ""
	case 1:
		return " The last page there has the " + open[0].label + " button."
	}
	return " The last page there has the Confirm button for the requester, and the Approve button for everybody else."
}
