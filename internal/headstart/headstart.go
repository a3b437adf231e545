// Package headstart puts the first garbage collection of a process off until its start is over. What the packages make as they
// are initialised is so near the usual limit that some starts would pause for it, and a client waits. It imports nothing of
// the house, so that it is initialised before what it helps; whoever imports it calls Over.
package headstart

import (
	"os"
	"runtime/debug"
)

// How far memory may grow before it is collected, in percent of what is in use: at the start, and as the runtime has it.
const (
	atStart = 400
	usual   = 100
)

// Nothing but its initialisation runs early enough.
var _ = begin()

func begin() int {
	if ownLimit() {
		return 0
	}
	return debug.SetGCPercent(atStart)
}

// Over has memory collected as usual from now on.
func Over() {
	if !ownLimit() {
		debug.SetGCPercent(usual)
	}
}

// ownLimit reports whether somebody has set a limit, which then stays.
func ownLimit() bool { return os.Getenv("GOGC") != "" }
