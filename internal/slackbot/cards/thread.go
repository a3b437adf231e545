package cards

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
)

// Trail is what the audit says about a request: its own rows, and those of the stops and lifts that its tool heeds, both
// oldest first.
type Trail struct{ Own, Switches []approvals.Event }

// News is one message of a thread.
type News struct {
	// Key is the reservation under which it is posted, once for ever.
	Key string
	// Text is its essence in one line.
	Text string
	// Call says that it asks people to do something, so that saying it twice is better than not at all.
	Call bool
	draw func(c *blockkit.Composer)
	end  string
}

// Message draws the news. missed are the texts of what came before it and may not have arrived.
func (n News) Message(missed ...string) blockkit.Message {
	c := blockkit.New()
	for _, text := range missed {
		c.Lines("Perhaps missing above, because Slack did not confirm it: " + text)
	}
	n.draw(c)
	c.Small(n.end)
	return c.Message(n.Text+" ("+n.end+")", "More than fits here: press Details on the card.")
}

// Repeated is m marked as said before, perhaps.
func Repeated(m blockkit.Message) blockkit.Message {
	c := blockkit.New()
	c.Small("Said again, because Slack did not confirm it the first time.")
	m.Blocks = append(c.Blocks, m.Blocks...)
	return m
}

// Thread lists what the thread of a request's card says, oldest first. It goes by the audit, whose rows are only ever
// added, so that the list only grows at its end: whoever knows the last message that was posted knows what is due, however
// long nothing could be posted. A vote is not in it, because the card shows it.
func Thread(r approvals.Request, a Around, t Trail) []News {
	if approvals.Genuine(r) != nil {
		if r.State.Terminal() {
			return Final(r, a, false)
		}
		return nil
	}
	w := teller{r: r, a: a, waves: newWaves(r), armed: map[int]bool{}, closed: map[int]string{}, held: map[string]approvals.Stop{}}
	own, switches := t.Own, t.Switches
	for len(own) > 0 || len(switches) > 0 {
		if len(own) == 0 || len(switches) > 0 && switches[0].Seq < own[0].Seq {
			w.pressed(switches[0])
			switches = switches[1:]
			continue
		}
		w.happened(own[0], own[1:])
		own = own[1:]
	}
	return w.list
}

// unverifiedNews says of a request that does not verify only that it ended.
func unverifiedNews(r approvals.Request) []News {
	m := renderUnverified(r)
	return []News{{Key: finalKey(r, 1), Text: m.Text, end: "Request " + r.ID, draw: func(c *blockkit.Composer) { c.Blocks = append(c.Blocks, m.Blocks...) }}}
}

// finalKey is the key of a page of the final message; the first has the key that messages of one page always had.
func finalKey(r approvals.Request, page int) string {
	if page == 1 {
		return "thread:" + string(r.State)
	}
	return fmt.Sprintf("thread:%s:%d", r.State, page)
}

// teller makes news of audit rows.
type teller struct {
	r approvals.Request
	a Around

	list    []News
	waves   *waveCount
	running bool
	ended   bool
	// held are the stops that hold the request, by their scope.
	held   map[string]approvals.Stop
	armed  map[int]bool
	closed map[int]string
	// told are the ids of requests whose effect on this one is in the list.
	told []string
}

func (w *teller) add(e approvals.Event, key, text string, more ...string) {
	w.list = append(w.list, News{Key: key, Text: text, end: ending(w.r, e), draw: func(c *blockkit.Composer) { c.Lines(append([]string{text}, more...)...) }})
}

// ending says when it happened, because after an outage that is not when it was posted.
func ending(r approvals.Request, e approvals.Event) string {
	return "Request " + r.ID + " · " + when(e.At)
}

// happened makes news of one of the request's own rows; next are those after it.
func (w *teller) happened(e approvals.Event, next []approvals.Event) {
	switch {
	case e.Type == store.EventTimebox:
		w.box(e)
	case e.Step >= 0:
		if k, over := w.waves.step(e); over {
			w.wave(e, k)
		}
	case e.From != "" && e.To != "":
		w.moved(e)
	default:
		w.noted(e, next)
	}
}

// moved makes news of a transition of the request.
func (w *teller) moved(e approvals.Event) {
	switch to := approvals.State(e.To); {
	case to == approvals.Approved:
		if by := yesBy(w.r); len(by) > 0 {
			w.add(e, "approved", "Approved by "+strings.Join(by, ", ")+". It starts.")
		}
	case to == approvals.Running:
		w.running = true
	case to.Terminal():
		w.ended = true
		for i, page := range Final(w.r, w.a, true) {
			page.end = ending(w.r, e)
			page.Key = finalKey(w.r, i+1)
			w.list = append(w.list, page)
		}
		w.boxesOver(e)
	}
}

// yesBy are the approvers.
func yesBy(r approvals.Request) (ids []string) {
	for _, v := range r.Votes {
		if v.Verdict == approvals.VerdictApprove && !slices.Contains(ids, v.Voter.ID) {
			ids = append(ids, v.Voter.ID)
		}
	}
	return ids
}

// noted makes news of a row that changes no state.
func (w *teller) noted(e approvals.Event, next []approvals.Event) {
	id, words, _ := strings.Cut(e.Detail, ": ")
	key := fmt.Sprintf("%s:%d", e.Type, e.Seq)
	switch e.Type {
	case approvals.EventPaused:
		more := "Nothing more of it is sent until people say so."
		if p, _ := approvals.LastPause(append([]approvals.Event{e}, untilPause(next)...)); p.Asked != "" {
			more = "Nothing more of it is sent until people say so: request " + p.Asked + " asks them."
		}
		w.add(e, key, "Paused by its stop rule: "+e.Detail, more)
	case approvals.EventResumed:
		if w.first(e.Type + id) {
			w.add(e, key, "It goes on: request "+id+" was approved.")
		}
	case approvals.EventExtended:
		if w.first(e.Type + id) {
			w.add(e, key, "Its time-box was extended by request "+id+": "+words)
		}
	case approvals.EventWithdrawn:
		if w.first(e.Type) {
			w.add(e, key, "Withdrawn while it ran: "+e.Detail, "Nothing more of it is sent. What was sent already is followed.")
		}
	}
}

// first reports that what has not been told yet; a row that says the same again is no news.
func (w *teller) first(what string) bool {
	if slices.Contains(w.told, what) {
		return false
	}
	w.told = append(w.told, what)
	return true
}

func untilPause(events []approvals.Event) []approvals.Event {
	if i := slices.IndexFunc(events, func(e approvals.Event) bool { return e.Type == approvals.EventPaused }); i >= 0 {
		return events[:i]
	}
	return events
}

// pressed makes news of a stop or a lift while the request runs. A lift that does not count is none.
func (w *teller) pressed(e approvals.Event) {
	if !w.running || w.ended {
		return
	}
	scope, why, found := strings.Cut(e.Detail, ": ")
	if !found {
		scope, why = approvals.ScopeAll, e.Detail
	}
	stop, held := w.held[scope]
	switch {
	case e.Type == approvals.EventStopped:
		s := approvals.Stop{Scope: scope, Event: e, Why: why}
		w.held[scope] = s // the last press is the one to be lifted
		if held {
			return
		}
		w.add(e, fmt.Sprintf("held:%d", e.Seq), stopLine(s), "Nothing more of this is sent until that is lifted: /mde lift "+scope)
	case e.Type == approvals.EventLifted && held && !w.inForce(stop):
		delete(w.held, scope)
		text := "It goes on: the stop was lifted by request " + e.RequestID + "."
		if len(w.held) > 0 {
			text = "A stop was lifted by request " + e.RequestID + ", and another one still holds this."
		}
		w.add(e, fmt.Sprintf("lifted:%d", e.Seq), text)
	}
}

// inForce reports that the board does not believe a stop to be lifted, whatever its row says.
func (w *teller) inForce(s approvals.Stop) bool {
	return slices.ContainsFunc(w.a.Stops, func(now approvals.Stop) bool { return now.Event.Seq == s.Event.Seq })
}

// box follows the time-boxes by their rows.
func (w *teller) box(e approvals.Event) {
	state, why, _ := strings.Cut(e.Detail, ": ")
	switch store.TimeboxState(state) {
	case store.TimeboxArmed:
		w.armed[e.Step] = true
	case store.TimeboxClosed:
		w.closed[e.Step] = why
		w.boxesOver(e)
	case store.TimeboxReleasing:
	}
}

// maxListed is how many steps a message lists beside its sum.
const maxListed = 20

// boxesOver says, once, that nothing is left to be undone. Before the end of the request more may come to be.
func (w *teller) boxesOver(e approvals.Event) {
	if !w.ended || len(w.armed) == 0 || len(w.closed) < len(w.armed) {
		return
	}
	var lines []string
	for i := range w.r.Steps {
		if why, ok := w.closed[i]; ok {
			lines = append(lines, stepName(w.r, i)+": "+why)
		}
	}
	w.add(e, "timebox:over", "Its time-box is over: nothing is left to be undone.", capped(lines)...)
}

// capped is lines with a sum in the place of what would be too many.
func capped(lines []string) []string {
	if len(lines) <= maxListed {
		return lines
	}
	return append(slices.Clone(lines[:maxListed]), fmt.Sprintf("… and %d more", len(lines)-maxListed))
}

// stepName names a step by its device where that is known.
func stepName(r approvals.Request, i int) string {
	if i >= 0 && i < len(r.Plan.Steps) {
		if t, ok := r.Plan.Target(r.Plan.Steps[i].Target); ok {
			return blockkit.Quote(t.Name)
		}
	}
	return fmt.Sprintf("step %d", i+1)
}
