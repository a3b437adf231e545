//go:build failpoints

package failpoint

import (
	"os"
	"strconv"
	"strings"
	"sync"
)

// Enabled says whether this build obeys failpoints.
const Enabled = true

// counter counts the hits of one point in this process.
type counter struct {
	mu   sync.Mutex
	hits map[string]int
}

// counts is shared by all callers because a point is a place in the process, not in a value.
var counts = counter{hits: map[string]int{}}

// Hit kills this process, as a power cut would, when MDE_FAILPOINT is "name" or "name:N" and this is the Nth hit of name.
func Hit(name string) {
	want, nth := target(os.Getenv("MDE_FAILPOINT"))
	if want != name {
		return
	}
	counts.mu.Lock()
	counts.hits[name]++
	now := counts.hits[name] == nth
	counts.mu.Unlock()
	if now {
		die()
	}
}

// target splits "name:N"; a missing or wrong N is the first hit.
func target(env string) (string, int) {
	name, n, found := strings.Cut(env, ":")
	if !found {
		return name, 1
	}
	nth, err := strconv.Atoi(n)
	if err != nil || nth < 1 {
		return name, 1
	}
	return name, nth
}

// die ends the process at once: no deferred function runs and nothing is flushed (SIGKILL where signals exist).
func die() {
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		_ = p.Kill() // when even this fails, the loop below keeps the point from being passed
	}
	select {}
}
