package approvals

import (
	"encoding/json"
	"strings"
)

// The types of the audit rows of the kill switch and of what goes on again after people said so. Their Detail begins with
// what they are about and a colon: "all: ransomware drill", "response: …". They change no state of a request, and whether
// they count is decided by whoever reads them: a lift, a resumption and an extension only with the approved request that
// their row names.
const (
	EventStopped   = "stopped"   // the kill switch was pressed, or a toolset frozen
	EventLifted    = "lifted"    // … and lifted by the request that the row names
	EventPaused    = "paused"    // the stop rule of a request held it
	EventResumed   = "resumed"   // … and people let it go on; Detail begins with the id of the request that asked them
	EventExtended  = "extended"  // a time-box was extended; Detail begins with the id of the request that asked
	EventAttached  = "attached"  // somebody asked for the same while the request was open; Actor is who
	EventReminded  = "reminded"  // the approvers were reminded, or the next group was asked
	EventPolicy    = "policy"    // a process began to work with another policy; Detail begins with its digest
	EventEscalated = "escalated" // something was held or failed that people must know
)

// The scopes that are no toolset.
const (
	// ScopeAll is what the kill switch is about.
	ScopeAll = "all"
	// ScopeRestore is pressed by the program itself when the database was restored from a backup. It stops everything.
	ScopeRestore = "restore"
)

// The names of the tools that make a request about a switch or about another request.
const (
	ToolLift   = "lift_stop"
	ToolResume = "resume_request"
	ToolExtend = "extend_timebox"
)

// Stop is a stop that may be in force.
type Stop struct {
	// Scope is ScopeAll, ScopeRestore or a toolset.
	Scope string
	// Event is the audit row of the press.
	Event Event
	// Why is the presser's words. Untrusted text.
	Why string
	// Lift is the audit row that claims to lift it, and nil when there is none. Whether it does is for control.Board to say.
	Lift *Event
	// Doubt says why Lift does not count; empty when there is no Lift, or nobody has looked.
	Doubt string
}

// Stops folds the audit rows of the types EventStopped and EventLifted, oldest first, into the last stop of each scope.
func Stops(events []Event) []Stop {
	var all []Stop
	for _, e := range events {
		scope, why, ok := strings.Cut(e.Detail, ": ")
		if !ok {
			scope, why = ScopeAll, e.Detail // a row that can't be read stops more rather than less
		}
		i := 0
		for i < len(all) && all[i].Scope != scope {
			i++
		}
		switch {
		case e.Type == EventStopped && i == len(all):
			all = append(all, Stop{Scope: scope, Event: e, Why: why})
		case e.Type == EventStopped:
			all[i] = Stop{Scope: scope, Event: e, Why: why}
		case e.Type == EventLifted && ok && i < len(all):
			all[i].Lift = &e
		}
	}
	return all
}

// Covers reports whether the stop is about that toolset.
func (s Stop) Covers(toolset string) bool {
	return s.Scope == ScopeAll || s.Scope == ScopeRestore || s.Scope == toolset
}

// Resumed is what goes on when a plan of ToolResume is performed. Policy is asked about it as well, with its own tool,
// risk, arguments and targets, and the stricter of the two answers counts: to go on with something never needs less than
// to begin it.
type Resumed struct {
	Tool    string          `json:"tool"`
	Risk    Risk            `json:"risk"`
	Args    json.RawMessage `json:"args,omitempty"`
	Targets []Target        `json:"targets"`
	// TimeBox is that of what goes on.
	TimeBox *TimeBox `json:"timebox,omitempty"`
}

// Pause is the last time that the stop rule held a request.
type Pause struct {
	// Event is the audit row of the pause, and Why what it says.
	Event Event
	Why   string
	// Asked is the request that asks people whether to go on; empty while nobody was asked.
	Asked string
	// Resumed are the audit rows that claim that people said yes, oldest first. Whether they did is for control.Board to say.
	Resumed []Event
}

// LastPause folds a request's own audit rows, oldest first, into its last pause; false when it was never paused.
func LastPause(events []Event) (p Pause, yes bool) {
	for _, e := range events {
		id, _, named := strings.Cut(e.Detail, ": ")
		switch {
		case e.Type == EventPaused:
			p, yes = Pause{Event: e, Why: e.Detail}, true
		case e.Type == EventEscalated && named && yes && strings.HasSuffix(e.Detail, askedToGoOn):
			p.Asked = id
		case e.Type == EventResumed && named && yes:
			p.Resumed = append(p.Resumed, e)
		}
	}
	return p, yes
}

// askedToGoOn ends the audit row that names the request of a pause.
const askedToGoOn = ": people are asked whether to go on"

// Asked is the Detail of the audit row, of the type EventEscalated, which says that a request asks people whether another
// one may go on.
func Asked(resumeID string) string { return resumeID + askedToGoOn }
