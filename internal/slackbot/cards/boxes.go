package cards

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
)

// Box is the time-box of one step, as a card shows it.
type Box struct {
	Step int
	Due  time.Time
	// Open says that the step is not undone yet; state is the store's word for how far that is.
	Open  bool
	State string
	// Child is the request that undoes it; empty before.
	Child string
	// Trouble is a word for what is in the way of what is due; empty while nothing is.
	Trouble string
	// Note says what is in the way, or how it ended.
	Note string
}

// BoxesOf is what a card shows of the store's time-boxes.
func BoxesOf(rows []store.Timebox) []Box {
	out := make([]Box, len(rows))
	for i, t := range rows {
		b := Box{Step: t.Index, Due: t.Due, Open: t.Open(), Child: t.ReleaseID, Trouble: t.Trouble, State: "its time runs"}
		switch {
		case !b.Open:
			b.State, b.Note = "undone or closed", t.Message
		case t.State == store.TimeboxReleasing:
			b.State = "being undone"
		}
		if b.Open && b.Trouble != "" {
			b.State, b.Note = "NOT undone yet", t.Message
		}
		out[i] = b
	}
	return out
}

// maxBoxes is how many time-boxes a card lists; the sum stands before them.
const maxBoxes = 20

// showBoxes says when what was done is undone: the next moment in the reader's own zone, then each.
func (a Around) showBoxes(c *blockkit.Composer, r approvals.Request) {
	if len(a.Boxes) == 0 {
		return
	}
	open := slices.DeleteFunc(slices.Clone(a.Boxes), func(b Box) bool { return !b.Open })
	if len(open) > 0 {
		next := slices.MinFunc(open, func(x, y Box) int { return x.Due.Compare(y.Due) })
		c.Markup(fmt.Sprintf("*Time-box:* %d of %d still to be undone, the next %s", len(open), len(a.Boxes), date(next.Due)))
	}
	c.Lines(boxLines(a.Boxes, r.Plan)...)
}

// boxLines lists time-boxes, those first that need people, then by their time.
func boxLines(boxes []Box, p approvals.Plan) []string {
	sorted := slices.SortedStableFunc(slices.Values(boxes), func(x, y Box) int {
		return cmp.Or(Troubled(y)-Troubled(x), x.Due.Compare(y.Due))
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

// Troubled is 1 when what is due to be undone is not, and 0 otherwise.
func Troubled(b Box) int {
	if b.Open && b.Trouble != "" {
		return 1
	}
	return 0
}

// TroubleCall calls whoever asked and approved, and the groups that may approve, to what could not be undone.
func TroubleCall(r approvals.Request, boxes []Box) blockkit.Message {
	c := blockkit.New()
	if who := mentions(r, true); who != "" {
		c.Markup(who)
	}
	callGroups(c, r.VotersAt(r.ExpiresAt))
	headline := fmt.Sprintf("A time-box is over and %d of its steps could not be undone. It is tried again until it is.", len(boxes))
	c.Lines(headline)
	c.Lines(boxLines(boxes, r.Plan)...)
	c.Small("Request " + r.ID)
	return c.Message(headline+" (request "+r.ID+")", "More than fits here: press Details on the card.")
}

func boxLine(b Box, p approvals.Plan) string {
	name := fmt.Sprintf("step %d", b.Step+1)
	if b.Step >= 0 && b.Step < len(p.Steps) {
		if t, ok := p.Target(p.Steps[b.Step].Target); ok {
			name = blockkit.Quote(t.Name)
		}
	}
	line := fmt.Sprintf("⏱ %s: %s", name, b.State)
	if b.Open {
		line += ", due " + when(b.Due)
	}
	if b.Note != "" {
		line += ", " + b.Note
	}
	return line
}
