package cards

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
)

// Around is what a card shows besides its request: what may change while the request itself does not. Its zero value
// shows nothing more.
type Around struct {
	// Asks is what policy asks for now; empty when that is not known, or does not matter any more.
	Asks approvals.Outcome
	// Tell are the groups to call to a break-glass.
	Tell []approvals.Group
	// Stops are in force, and about the request's tool.
	Stops []approvals.Stop
	// Pause says why the stop rule holds the request, and resume is the request that asks whether it may go on.
	Pause, Resume string
	// Boxes are the time-boxes of its steps.
	Boxes []Box
}

// held reports whether people have stopped what the request does.
func (a Around) held() bool { return len(a.Stops) > 0 }

// Mark identifies what a shows, and is empty when that is nothing: a card that shows it already needs no new drawing.
func (a Around) Mark() string {
	if a.Asks == "" && a.Pause == "" && len(a.Stops)+len(a.Boxes) == 0 {
		return ""
	}
	b, err := json.Marshal([]any{a.Asks, a.Stops, a.Pause, a.Resume, boxLines(a.Boxes, approvals.Plan{}), relatives(approvals.Request{}, a)})
	if err != nil {
		return "" // texts and times always marshal
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// holds say why nothing more is sent for now, and what it takes to go on.
func (a Around) holds() []string {
	var lines []string
	for _, s := range a.Stops {
		lines = append(lines, stopLine(s)+". Nothing more of this is sent until that is lifted: /mde lift "+s.Scope)
	}
	if a.Pause == "" {
		return lines
	}
	line := "Paused by its stop rule: " + a.Pause + ". Nothing more of it is sent until people say so"
	if a.Resume != "" {
		line += ": request " + a.Resume + " asks them"
	}
	return append(lines, line)
}

// stopLine says who stopped what, since when, and why. Who and why are other people's words.
func stopLine(s approvals.Stop) string {
	line := fmt.Sprintf("HELD: %s since %s by %s, saying %s", StoppedWords(s.Scope), when(s.Event.At), blockkit.Quote(s.Event.Actor), blockkit.Quote(s.Why))
	if s.Doubt != "" {
		line += "; its lift does not count: " + s.Doubt
	}
	return line
}

// StoppedWords says what a stop of that scope stops.
func StoppedWords(scope string) string {
	switch scope {
	case approvals.ScopeAll:
		return "everything is stopped"
	case approvals.ScopeRestore:
		return "everything is stopped because the database was restored,"
	}
	return "the toolset " + blockkit.Quote(scope) + " is frozen"
}

// relatives name the requests that belong to this one.
func relatives(r approvals.Request, a Around) []string {
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
	for _, b := range a.Boxes {
		if b.Child != "" && !seen[b.Child] {
			seen[b.Child] = true
			lines = append(lines, "Its time-box is ended by request "+b.Child)
		}
	}
	return lines
}

// The kinds of target that are shown in a way of their own.
const (
	kindRequest = "request"
	kindDevice  = "device"
	kindSwitch  = "switch"
)

// date is a moment in Slack's markup, which every reader sees in their own zone.
func date(t time.Time) string {
	return fmt.Sprintf("<!date^%d^{date_short_pretty} {time}|%s>", t.Unix(), when(t))
}
