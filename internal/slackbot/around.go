package slackbot

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
)

// around is what a card shows besides its request: what may change while the request itself does not. Its zero value
// shows nothing more.
type around struct {
	// asks is what policy asks for now; empty when that is not known, or does not matter any more.
	asks approvals.Outcome
	// tell are the groups to call to a break-glass.
	tell []approvals.Group
	// stops are in force, and about the request's tool.
	stops []approvals.Stop
	// pause says why the stop rule holds the request, and resume is the request that asks whether it may go on.
	pause, resume string
	// boxes are the time-boxes of its steps.
	boxes []box
}

// held reports whether people have stopped what the request does.
func (a around) held() bool { return len(a.stops) > 0 }

// mark identifies what a shows, and is empty when that is nothing: a card that shows it already needs no new drawing.
func (a around) mark() string {
	if a.asks == "" && a.pause == "" && len(a.stops)+len(a.boxes) == 0 {
		return ""
	}
	b, err := json.Marshal([]any{a.asks, a.stops, a.pause, a.resume, boxLines(a.boxes, approvals.Plan{}), relatives(approvals.Request{}, a)})
	if err != nil {
		return "" // texts and times always marshal
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// holds say why nothing more is sent for now, and what it takes to go on.
func (a around) holds() []string {
	var lines []string
	for _, s := range a.stops {
		lines = append(lines, stopLine(s)+". Nothing more of this is sent until that is lifted: /mde lift "+s.Scope)
	}
	if a.pause == "" {
		return lines
	}
	line := "Paused by its stop rule: " + a.pause + ". Nothing more of it is sent until people say so"
	if a.resume != "" {
		line += ": request " + a.resume + " asks them"
	}
	return append(lines, line)
}

// stopLine says who stopped what, since when, and why. Who and why are other people's words.
func stopLine(s approvals.Stop) string {
	line := fmt.Sprintf("HELD: %s since %s by %s, saying %s", stoppedWords(s.Scope), when(s.Event.At), quote(s.Event.Actor), quote(s.Why))
	if s.Doubt != "" {
		line += "; its lift does not count: " + s.Doubt
	}
	return line
}

func stoppedWords(scope string) string {
	switch scope {
	case approvals.ScopeAll:
		return "everything is stopped"
	case approvals.ScopeRestore:
		return "everything is stopped because the database was restored,"
	}
	return "the toolset " + quote(scope) + " is frozen"
}

// relatives name the requests that belong to this one.
func relatives(r approvals.Request, a around) []string {
	var lines []string
	if r.Parent != "" {
		lines = append(lines, "Ends the time-box of request "+r.Parent)
	}
	for _, t := range r.Plan.Targets[:min(len(r.Plan.Targets), 1)] {
		if t.Kind == kindRequest {
			lines = append(lines, "About request "+t.ID)
		}
	}
	seen := map[string]bool{}
	for _, b := range a.boxes {
		if b.child != "" && !seen[b.child] {
			seen[b.child] = true
			lines = append(lines, "Its time-box is ended by request "+b.child)
		}
	}
	return lines
}

// kindRequest is the kind of a target that is a request.
const kindRequest = "request"

// date is a moment in Slack's markup, which every reader sees in their own zone.
func date(t time.Time) string {
	return fmt.Sprintf("<!date^%d^{date_short_pretty} {time}|%s>", t.Unix(), when(t))
}
