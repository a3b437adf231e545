package cards

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
)

// Call is one message by which people are called to a request that waits.
type Call struct {
	// Key is the reservation under which it is posted, once for ever.
	Key    string
	At     time.Time
	Groups []approvals.Group
	Text   string
}

// Calls are the reminder and the escalations of a pending request, due or not, by their times.
func Calls(r approvals.Request) []Call {
	var list []Call
	if after := r.Terms.RemindAfter; after > 0 {
		at := r.CreatedAt.Add(after)
		list = append(list, Call{Key: "reminder", At: at, Groups: r.VotersAt(at), Text: "Reminder: this still waits for a yes."})
	}
	for i, e := range r.Escalations() {
		list = append(list, Call{
			Key: fmt.Sprintf("escalation:%d", i), At: r.CreatedAt.Add(e.After), Groups: []approvals.Group{e.To},
			Text: fmt.Sprintf("Nobody has decided for %s. From now on members of group %s may approve as well.", span(e.After), blockkit.Quote(e.To.Name)),
		})
	}
	slices.SortStableFunc(list, func(x, y Call) int { return x.At.Compare(y.At) })
	return list
}

// Waits reports whether people can still decide r, and what it says of them can be believed.
func Waits(r approvals.Request, now time.Time) bool {
	return r.State == approvals.Pending && approvals.AsOf(r, now).State == approvals.Pending && approvals.Genuine(r) == nil
}

// Calling is a reminder or an escalation.
func Calling(r approvals.Request, c Call) blockkit.Message {
	m := blockkit.New()
	callGroups(m, c.Groups)
	m.Lines(c.Text, r.Plan.Preview)
	if r.Message != "" {
		m.Lines("Now: " + r.Message)
	}
	m.Markup("Open until " + date(r.ExpiresAt))
	m.Small("Request " + r.ID + ": its card is at the top of this thread")
	return m.Message(c.Text+" "+r.Plan.Preview, "More than fits here: press Details on the card.")
}

// Pointer tells the approvers' channel of a card that is elsewhere, because its request needed no approvers when it was
// made and does now.
func Pointer(r approvals.Request, channel string) blockkit.Message {
	c := blockkit.New()
	text := "Policy has changed, and this waits for approvers now: " + r.Plan.Preview
	c.Lines(text)
	if blockkit.IsChannel(channel) {
		c.Markup("Its card is in <#" + channel + ">")
	}
	c.Small("Request " + r.ID)
	return c.Message(text, "More than fits here: see its card.")
}

// mentionable splits groups into what calls the Slack user groups among them, in Slack's markup, and those that have no
// Slack id. Ids come from policy and are checked again, because whatever stands in a mention is not escaped.
func mentionable(groups []approvals.Group) (called string, others []approvals.Group) {
	var parts []string
	for _, g := range groups {
		if !blockkit.IsGroup(g.Slack) {
			others = append(others, g)
			continue
		}
		if m := "<!subteam^" + g.Slack + ">"; !slices.Contains(parts, m) {
			parts = append(parts, m)
		}
	}
	return strings.Join(parts, " "), others
}

// callGroups calls the groups that Slack can call, and names the others.
func callGroups(c *blockkit.Composer, groups []approvals.Group) {
	called, others := mentionable(groups)
	if called != "" {
		c.Markup(called)
	}
	if len(others) > 0 {
		c.Lines("For group " + groupNames(others, " and "))
	}
}
