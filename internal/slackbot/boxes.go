package slackbot

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
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
	// note says what is in the way, or how it ended.
	note string
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
	if b.open && b.note != "" {
		return 1
	}
	return 0
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
