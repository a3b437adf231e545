package cards

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
)

// waveCount counts the steps of each wave that have not ended.
type waveCount struct {
	width int
	left  []int
	// sent says which waves had a step that was not skipped.
	sent []bool
}

func newWaves(r approvals.Request) *waveCount {
	w := &waveCount{width: r.Terms.Wave.Width}
	if w.width <= 0 {
		return w
	}
	w.left = make([]int, waves(r.Terms.Wave, len(r.Steps)))
	w.sent = make([]bool, len(w.left))
	for i := range r.Steps {
		w.left[i/w.width]++
	}
	return w
}

// step counts the row of a step, and reports the wave that it ended. The last wave is not reported, because the final
// message is, and neither is one of which nothing was sent.
func (w *waveCount) step(e approvals.Event) (k int, over bool) {
	to := approvals.StepState(e.To)
	if w.width <= 0 || e.To == "" || e.From == e.To || !to.Terminal() {
		return 0, false
	}
	if k = e.Step / w.width; k >= len(w.left) {
		return 0, false
	}
	w.left[k]--
	w.sent[k] = w.sent[k] || to != approvals.StepSkipped
	return k, w.left[k] == 0 && w.sent[k] && k+1 < len(w.left)
}

// wave tells how a wave ended, and what of it went wrong.
func (w *teller) wave(e approvals.Event, k int) {
	of := w.r.Steps[k*w.waves.width : (k+1)*w.waves.width]
	var wrong []string
	for _, s := range worstFirst(of) {
		if s.State != approvals.StepSucceeded {
			wrong = append(wrong, clipped(stepLine(w.r, s)))
		}
	}
	text := fmt.Sprintf("Wave %d of %d has ended: %s.", k+1, len(w.waves.left), sums(of))
	w.add(e, fmt.Sprintf("wave:%d", k), text, capped(wrong)...)
}

// maxClipped is how much of a step's line stands in a message that many share; the final message has the whole line.
const maxClipped = 300

func clipped(line string) string {
	if utf8.RuneCountInString(line) <= maxClipped {
		return line
	}
	return string([]rune(line)[:maxClipped]) + "…"
}

// sums counts steps by how they ended.
func sums(steps []approvals.StepStatus) string {
	n := make(map[approvals.StepState]int)
	for _, s := range steps {
		n[s.State]++
	}
	parts := []string{fmt.Sprintf("%d of %d succeeded", n[approvals.StepSucceeded], len(steps))}
	for _, state := range []approvals.StepState{approvals.StepFailed, approvals.StepTimedOut, approvals.StepCancelled, approvals.StepUnknown, approvals.StepSkipped} {
		if n[state] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[state], strings.ReplaceAll(string(state), "_", " ")))
		}
	}
	return strings.Join(parts, ", ")
}

// worstFirst puts first what people must know: what failed and what is not known, then the rest in its order.
func worstFirst(steps []approvals.StepStatus) []approvals.StepStatus {
	rank := func(s approvals.StepStatus) int {
		switch s.State {
		case approvals.StepUnknown:
			return 0
		case approvals.StepFailed, approvals.StepTimedOut, approvals.StepCancelled:
			return 1
		case approvals.StepSkipped, approvals.StepWaiting, approvals.StepSending, approvals.StepAccepted:
			return 2
		case approvals.StepSucceeded:
			return 3
		}
		return 0
	}
	return slices.SortedStableFunc(slices.Values(steps), func(x, y approvals.StepStatus) int { return cmp.Compare(rank(x), rank(y)) })
}

// maxPage is how many runes of steps one page of the final message has. What else is on it has room besides.
const maxPage = 8000

// Final are the pages of the message that a request has ended. All its steps are on them. The first calls who asked.
func Final(r approvals.Request, a Around, call bool) []News {
	if approvals.Genuine(r) != nil {
		return unverifiedNews(r)
	}
	var lines []string
	for _, s := range worstFirst(r.Steps) {
		lines = append(lines, stepLine(r, s))
	}
	pages := paged(lines)
	out := make([]News, len(pages))
	for i, p := range pages {
		text := headline(r, a)
		if len(pages) > 1 {
			text += fmt.Sprintf(" (page %d of %d)", i+1, len(pages))
		}
		first, last := i == 0, i == len(pages)-1
		out[i] = News{Key: finalKey(r, i+1), Text: text, Call: r.State == approvals.Unknown, end: "Request " + r.ID, draw: func(c *blockkit.Composer) {
			c.Lines(text)
			if first {
				opening(c, r, call)
			}
			c.Lines(p...)
			if last {
				closing(c, r, a)
			}
		}}
	}
	return out
}

// paged splits lines into pages, of which there is at least one.
func paged(lines []string) [][]string {
	pages, size := [][]string{nil}, 0
	for _, l := range lines {
		n := min(utf8.RuneCountInString(blockkit.Escape(blockkit.Clean(l))), blockkit.MaxSection)
		if size > 0 && size+n > maxPage {
			pages, size = append(pages, nil), 0
		}
		last := len(pages) - 1
		pages[last] = append(pages[last], l)
		size += n + 1
	}
	return pages
}

// opening is what stands before the steps: who is called, and how it went as a whole.
func opening(c *blockkit.Composer, r approvals.Request, call bool) {
	if who := mentions(r, r.State == approvals.Unknown); call && who != "" {
		c.Markup(who)
	}
	if r.State == approvals.Unknown {
		c.Lines(unknownHelp(r)...)
	}
	if r.Message != "" && r.Message != string(r.State) && !saysStep(r) {
		c.Lines(r.Message)
	}
	c.Lines(fleetLines(r)...)
}

// closing is what stands after the steps.
func closing(c *blockkit.Composer, r approvals.Request, a Around) {
	a.showBoxes(c, r)
	if r.State == approvals.Denied {
		c.Lines(denials(r)...)
	}
	if gave(r) {
		c.Lines("What was collected is kept as evidence. /mde evidence --request-id "+r.ID+" lists it;",
			"/mde fetch EVIDENCE-ID because REASON asks to read one of it.")
	}
}

// evidenceNamed is how a step's message names what it brought into the evidence store.
var evidenceNamed = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\bevidence [0-9a-hjkmnp-tv-z]{20} \(`) })

// gave reports that the request brought something into the evidence store. A device may write such words as well, which is
// why nothing is taken from them but that it is worth a look.
func gave(r approvals.Request) bool {
	return slices.ContainsFunc(r.Steps, func(s approvals.StepStatus) bool { return evidenceNamed().MatchString(s.Message) })
}
