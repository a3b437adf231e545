package cards

import (
	"fmt"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
)

const timeForm = "2006-01-02 15:04 UTC"

func when(t time.Time) string { return t.UTC().Format(timeForm) }

// fewSteps is how many steps a card shows one by one before everything else; the list of more of them comes after.
const fewSteps = 5

// Card draws a request for its approvers, or says that it can't be shown when what is stored does not verify. Where it
// stands comes first and long lists come last, so that the first screen of a phone says what matters.
func Card(r approvals.Request, a Around) blockkit.Message {
	if approvals.Genuine(r) != nil {
		return renderUnverified(r)
	}
	c := blockkit.New()
	c.Header(headline(r, a))
	callGroups(c, a.Tell)
	c.Lines(r.Plan.Preview)
	c.Lines(relatives(r, a)...)
	c.Lines(a.holds()...)
	if r.State == approvals.Pending {
		standing(c, r)
	} else {
		happened(c, r, a)
	}
	asked(c, r)
	c.Label("Approval")
	c.Lines(agreed(r)...)
	if r.State != approvals.Pending && len(r.Steps) > fewSteps {
		c.Label(fmt.Sprintf("What happened (%d)", len(r.Steps)))
		c.Lines(stepLines(r)...)
	}
	acts(c, r.Plan, r.State == approvals.Pending)
	yesIncludes(c, r)
	c.Small(fmt.Sprintf("Request %s · %s · risk %s · tenant %s · digest %s", r.ID, r.Plan.Tool, r.Plan.Risk, r.Plan.Tenant, approvals.ShortDigest(r.Digest)))
	return c.Message(headline(r, a)+": "+r.Plan.Preview, cutNote(r, a), buttons(r, a, c.Cut)...)
}

// standing is where a pending request stands, its end in the reader's own zone.
func standing(c *blockkit.Composer, r approvals.Request) {
	if r.Message != "" {
		c.Lines("Now: " + r.Message)
	}
	c.Markup("Open until " + date(r.ExpiresAt))
}

// happened says what became of a decided request: each of few steps, or of many the first that went wrong.
func happened(c *blockkit.Composer, r approvals.Request, a Around) {
	c.Lines(sum(r)...)
	if len(r.Steps) <= fewSteps {
		c.Lines(stepLines(r)...)
	} else {
		c.Lines(wentWrong(r)...)
	}
	a.showBoxes(c, r)
}

// asked says what to know first, who asks, and why.
func asked(c *blockkit.Composer, r approvals.Request) {
	if len(r.Plan.Warnings) > 0 {
		c.Label("Know this first")
		c.Lines(Bullets(r.Plan.Warnings)...)
	}
	c.Label("Who asks")
	c.Lines(asker(r)...)
	c.Label("Why, in the requester's own words")
	c.Lines(reasonOf(r))
}

// acts says on what a plan acts and, where that is still to come, what is done.
func acts(c *blockkit.Composer, p approvals.Plan, planned bool) {
	c.Label(fmt.Sprintf("On what (%d)", len(p.Targets)))
	c.Lines(Targets(p.Targets, p.Risk)...)
	if on := p.Resumes; on != nil {
		c.Label(behind(p))
		c.Lines(Targets(on.Targets, on.Risk)...)
	}
	if planned {
		c.Label(fmt.Sprintf("What is done, in this order (%d)", len(p.Steps)))
		c.Lines(Planned(p)...)
	}
}

func yesIncludes(c *blockkit.Composer, r approvals.Request) {
	if more := included(r); len(more) > 0 {
		c.Label("What a yes includes")
		c.Lines(Bullets(more)...)
	}
}

// PlainCard is what is posted when Slack refuses a card: enough to find the request, and nothing to approve with.
// The yes is at the end of the details, as for a card that was cut.
func PlainCard(r approvals.Request, a Around) blockkit.Message {
	if approvals.Genuine(r) != nil {
		return renderUnverified(r)
	}
	c := blockkit.New()
	c.Header(headline(r, a))
	callGroups(c, a.Tell)
	c.Lines("This request can't be shown here. Press Details to read it." + lastPage(r, a))
	c.Small("Request " + r.ID)
	return c.Message(headline(r, a), "", buttons(r, a, true)...)
}

func cutNote(r approvals.Request, a Around) string {
	return "This card does not hold everything. Press Details to read it all." + lastPage(r, a)
}

// lastPage says where the yes is that a card can't offer.
func lastPage(r approvals.Request, a Around) string {
	open := openYeses(r, a.Asks)
	switch len(open) {
	case 0:
		return ""
	case 1:
		return " The last page there has the " + open[0].Label + " button."
	}
	return " The last page there has the Confirm button for the requester, and the Approve button for everybody else."
}
