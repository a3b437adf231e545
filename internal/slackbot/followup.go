package slackbot

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/mde-ops/mde-ops/approvals"
)

// slackUser is what a user id looks like; anything else must not be written into a mention.
var slackUser = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[UW][A-Z0-9]{2,30}$`) })

// renderFollowUp is the message in the card's thread when a request has reached its final state.
func renderFollowUp(r approvals.Request, a around) message {
	if approvals.Genuine(r) != nil {
		return renderUnverified(r)
	}
	c := newComposer()
	c.lines(headline(r, a))
	if r.State == approvals.Unknown {
		if who := mentions(r); who != "" {
			c.markup(who)
		}
		c.lines(unknownHelp(r)...)
	}
	c.lines(outcome(r)...)
	a.showBoxes(c, r)
	if r.State == approvals.Denied {
		c.lines(denials(r)...)
	}
	c.small("Request " + r.ID)
	return c.message(headline(r, a)+" (request "+r.ID+")", "More than fits here: press Details on the card.")
}

// unknownHelp tells a person what a machine must not decide: where to look, and what to look for.
func unknownHelp(r approvals.Request) []string {
	lines := []string{
		"It could not be found out whether this reached Defender. Nothing is sent again by itself. Please look:",
		"1. Open security.microsoft.com, Assets, Devices, the device named below, then its Action center (Actions & submissions).",
		"2. Search the comments of the actions for the text below. If it is there, the action was sent; if not, it was not.",
		"3. If it was not sent and is still wanted, ask for it again as a new request.",
	}
	for _, s := range r.Steps {
		if s.State != approvals.StepUnknown || s.Index < 0 || s.Index >= len(r.Plan.Steps) {
			continue
		}
		id := r.Plan.Steps[s.Index].Target
		t, _ := r.Plan.Target(id)
		lines = append(lines, fmt.Sprintf("• %s (id %s): search for %s", quote(t.Name), id, approvals.Tag(r.ID, s.Index)))
	}
	return lines
}

// mentions calls the people who can look: who asked and who approved. Their ids come from Slack and are checked again.
func mentions(r approvals.Request) string {
	people := []approvals.Person{r.Requester.Person}
	for _, v := range r.Votes {
		people = append(people, v.Voter)
	}
	var out []string
	for _, p := range people {
		if _, user, ok := p.Slack(); ok && slackUser().MatchString(user) && len(out) < 20 {
			out = append(out, "<@"+user+">")
		}
	}
	return strings.Join(out, " ")
}

func denials(r approvals.Request) []string {
	var out []string
	for _, v := range r.Votes {
		if v.Verdict == approvals.VerdictDeny {
			out = append(out, voteLine(v))
		}
	}
	return out
}
