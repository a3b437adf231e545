package slackbot

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// box is the time-box of one step, as a card shows it.
type box struct {
	step int
	due  time.Time
	// open says that the step is not undone yet; state is the store's word for how far that is.
	open  bool
	state string
	// child is the request that undoes it; empty before.
	child string
	// trouble is a word for what is in the way of what is due; empty while nothing is.
	trouble string
	// note says what is in the way, or how it ended.
	note string
}

// boxesOf is what a card shows of the store's time-boxes.
func boxesOf(rows []store.Timebox) []box {
	out := make([]box, len(rows))
	for i, t := range rows {
		b := box{step: t.Index, due: t.Due, open: t.Open(), child: t.ReleaseID, trouble: t.Trouble, state: "its time runs"}
		switch {
		case !b.open:
			b.state, b.note = "undone or closed", t.Message
		case t.State == store.TimeboxReleasing:
			b.state = "being undone"
		}
		if b.open && b.trouble != "" {
			b.state, b.note = "NOT undone yet", t.Message
		}
		out[i] = b
	}
	return out
}

// maxBoxes is how many time-boxes a card lists; the sum stands before them.
const maxBoxes = 20

// showBoxes says when what was done is undone: the next moment in the reader's own zone, then each.
func (a around) showBoxes(c *composer, r approvals.Request) {
	if len(a.boxes) == 0 {
		return
	}
	open := slices.DeleteFunc(slices.Clone(a.boxes), func(b box) bool { return !b.open })
	if len(open) > 0 {
		next := slices.MinFunc(open, func(x, y box) int { return x.due.Compare(y.due) })
		c.markup(fmt.Sprintf("*Time-box:* %d of %d still to be undone, the next %s", len(open), len(a.boxes), date(next.due)))
	}
	c.lines(boxLines(a.boxes, r.Plan)...)
}

// boxLines lists time-boxes, those first that need people, then by their time.
func boxLines(boxes []box, p approvals.Plan) []string {
	sorted := slices.SortedStableFunc(slices.Values(boxes), func(x, y box) int {
		return cmp.Or(troubled(y)-troubled(x), x.due.Compare(y.due))
	})
	var lines []string
	for i, b := range sorted {
		if i == maxBoxes {
			return append(lines, fmt.Sprintf("… and %d more", len(sorted)-i))
		}
		lines = append(lines, boxLine(b, p))
	}
	return lines
}

func troubled(b box) int {
	if b.open && b.trouble != "" {
		return 1
	}
	return 0
}

// escalate calls people into the thread when something that is due can't be undone: once for each kind of trouble, because
// it is tried again for as long as it takes.
func (n *Notifier) escalate(ctx context.Context, r approvals.Request, a around, card store.Message) (time.Duration, error) {
	byTrouble := map[string][]box{}
	for _, b := range a.boxes {
		if troubled(b) > 0 {
			byTrouble[b.trouble] = append(byTrouble[b.trouble], b)
		}
	}
	for _, word := range slices.Sorted(maps.Keys(byTrouble)) {
		thread := place{Channel: card.Channel, TS: card.TS}
		if again, err := n.once(ctx, r, "timebox:"+word, thread, renderTrouble(r, byTrouble[word])); again > 0 || err != nil {
			return again, err
		}
	}
	return 0, nil
}

// renderTrouble calls whoever asked and approved, and the groups that may approve, to what could not be undone.
func renderTrouble(r approvals.Request, boxes []box) message {
	c := newComposer()
	if who := mentions(r); who != "" {
		c.markup(who)
	}
	c.mention(r.VotersAt(r.ExpiresAt))
	headline := fmt.Sprintf("A time-box is over and %d of its steps could not be undone. It is tried again until it is.", len(boxes))
	c.lines(headline)
	c.lines(boxLines(boxes, r.Plan)...)
	c.small("Request " + r.ID)
	return c.message(headline+" (request "+r.ID+")", "More than fits here: press Details on the card.")
}

func boxLine(b box, p approvals.Plan) string {
	name := fmt.Sprintf("step %d", b.step+1)
	if b.step >= 0 && b.step < len(p.Steps) {
		if t, ok := p.Target(p.Steps[b.step].Target); ok {
			name = quote(t.Name)
		}
	}
	line := fmt.Sprintf("⏱ %s: %s", name, b.state)
	if b.open {
		line += ", due " + when(b.due)
	}
	if b.note != "" {
		line += ", " + b.note
	}
	return line
}
