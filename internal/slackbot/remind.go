package slackbot

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// nearly is how much too early a job for a reminder may come, from a machine with another clock, and still be the one that
// leads to it: it is then called again at the right time.
const nearly = time.Minute

// call is one message by which people are called to a request that waits.
type call struct {
	// key is the reservation under which it is posted, once for ever.
	key    string
	at     time.Time
	groups []approvals.Group
	text   string
}

// calls are the reminder and the escalations of a pending request, due or not.
func calls(r approvals.Request) []call {
	var list []call
	if after := r.Terms.RemindAfter; after > 0 {
		at := r.CreatedAt.Add(after)
		list = append(list, call{key: "reminder", at: at, groups: r.VotersAt(at), text: "Reminder: this still waits for a yes."})
	}
	for i, e := range r.Escalations() {
		list = append(list, call{
			key: fmt.Sprintf("escalation:%d", i), at: r.CreatedAt.Add(e.After), groups: []approvals.Group{e.To},
			text: fmt.Sprintf("Nobody has decided for %s. From now on members of group %s may approve as well.", span(e.After), quote(e.To.Name)),
		})
	}
	return list
}

// remind posts what is due of the reminder and the escalations of a request that waits, each once, in its card's thread. A
// positive time asks to be called again then.
func (n *Notifier) remind(ctx context.Context, r approvals.Request, card store.Message) (time.Duration, error) {
	now := n.clock()
	if !waits(r, now) {
		return 0, nil
	}
	var again time.Duration
	for _, c := range calls(r) {
		if wait := c.at.Sub(now); wait > 0 {
			if wait <= nearly {
				again = sooner(again, wait)
			}
			continue
		}
		later, err := n.once(ctx, r, c.key, place{Channel: card.Channel, TS: card.TS}, renderCall(r, c))
		if err != nil {
			return 0, err
		}
		again = sooner(again, later)
	}
	return again, nil
}

// waits reports whether people can still decide r, and what it says of them can be believed.
func waits(r approvals.Request, now time.Time) bool {
	return r.State == approvals.Pending && approvals.AsOf(r, now).State == approvals.Pending && approvals.Genuine(r) == nil
}

// sooner is the smaller of two waiting times of which zero means none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// renderCall is a reminder or an escalation.
func renderCall(r approvals.Request, c call) message {
	m := newComposer()
	m.mention(c.groups)
	m.lines(c.text, r.Plan.Preview)
	if r.Message != "" {
		m.lines("Now: " + r.Message)
	}
	m.markup("Open until " + date(r.ExpiresAt))
	m.small("Request " + r.ID + ": its card is at the top of this thread")
	return m.message(c.text+" "+r.Plan.Preview, "More than fits here: press Details on the card.")
}

// renderPointer tells the approvers' channel of a card that is elsewhere, because its request needed no approvers when it was
// made and does now.
func renderPointer(r approvals.Request, channel string) message {
	c := newComposer()
	text := "Policy has changed, and this waits for approvers now: " + r.Plan.Preview
	c.lines(text)
	if channelID().MatchString(channel) {
		c.markup("Its card is in <#" + channel + ">")
	}
	c.small("Request " + r.ID)
	return c.message(text, "More than fits here: see its card.")
}

// mentionable splits groups into what calls the Slack user groups among them, in Slack's markup, and those that have no
// Slack id. Ids come from policy and are checked again, because whatever stands in a mention is not escaped.
func mentionable(groups []approvals.Group) (called string, others []approvals.Group) {
	var parts []string
	for _, g := range groups {
		if !groupID().MatchString(g.Slack) {
			others = append(others, g)
			continue
		}
		if m := "<!subteam^" + g.Slack + ">"; !slices.Contains(parts, m) {
			parts = append(parts, m)
		}
	}
	return strings.Join(parts, " "), others
}
