package mdesim

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
)

// Effect is a write that the tenant accepted and carried out.
type Effect struct {
	Method    string    // HTTP method
	Path      string    // request path without the version
	Type      string    // what was done: an action's type, or one of the Type constants
	MachineID string    // device acted on
	ActionID  string    // machine action created or cancelled
	Scope     string    // what of: isolation or scan type, SHA-1, tag, value or set of tags
	Comment   string    // the caller's comment
	Requestor string    // application or person the token belongs to
	Time      time.Time // when it was accepted
}

// Request names a request in the counts of [Tenant.Requests].
type Request struct {
	Method string
	Path   string // without the version, as in /api/machines/{the id}/isolate
}

// Effects returns every accepted write, in order.
func (t *Tenant) Effects() []Effect {
	t.ready()
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.effects)
}

// Requests returns how often each method and path was asked for, refused and
// faulty requests included.
func (t *Tenant) Requests() map[Request]int {
	t.ready()
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.requests)
}

// Writes returns how many writing requests reached the API, accepted or not.
// Token requests do not count.
func (t *Tenant) Writes() int {
	t.ready()
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.writes
}

func (t *Tenant) count(method, path string, api bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests[Request{method, path}]++
	if api && method != http.MethodGet && method != http.MethodHead {
		t.writes++
	}
}

func guidOf(a, b uint64) string {
	a = a&^0xf000 | 0x4000                               // version 4
	b = b&^0xc000_0000_0000_0000 | 0x8000_0000_0000_0000 // variant 1
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", a>>32, a>>16&0xffff, a&0xffff, b>>48, b&0xffff_ffff_ffff)
}
