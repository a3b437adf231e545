package approvals

import "strings"

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

// ScopeAll is what the kill switch is about; any other scope is the name of a toolset.
const ScopeAll = "all"

// Stop is a stop that may be in force.
type Stop struct {
	// Scope is ScopeAll or a toolset.
	Scope string
	// Event is the audit row of the press.
	Event Event
	// Why is the presser's words. Untrusted text.
	Why string
	// Lift is the audit row that claims to lift it, and nil when there is none. Whether it does is for Tally.Lifted to say.
	Lift *Event
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
func (s Stop) Covers(toolset string) bool { return s.Scope == ScopeAll || s.Scope == toolset }
