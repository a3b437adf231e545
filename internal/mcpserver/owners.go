package mcpserver

import (
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"sync"

	"github.com/mark3labs/mcp-go/server"
)

// maxSessions is how many legacy sessions one principal may have: the oldest is ended for a new one.
const maxSessions = 100

// errNoSession is what the library answers with 404: the client may begin a new session.
var errNoSession = errors.New("there is no such session")

// owners know whose each legacy session is. A session that is over is not there any more.
type owners struct {
	end func(id string) // ends a session in the library

	mu       sync.Mutex
	owner    map[string]string
	sessions map[string][]string // by owner, oldest first
}

func newOwners() *owners {
	return &owners{owner: map[string]string{}, sessions: map[string][]string{}}
}

// ResolveSessionIdManager implements the library's resolver: what manages sessions on behalf of who sent r. The library
// passes nil when it ends sessions that were not used for long.
func (o *owners) ResolveSessionIdManager(r *http.Request) server.SessionIdManager { //nolint:revive // the library's name
	if r == nil {
		return &owned{owners: o, any: true}
	}
	p, _ := PrincipalFrom(r.Context())
	return &owned{owners: o, key: p.Key}
}

func (o *owners) begin(key string) string {
	id := "mcp-" + rand.Text()
	o.mu.Lock()
	o.owner[id] = key
	o.sessions[key] = append(o.sessions[key], id)
	var oldest string
	if len(o.sessions[key]) > maxSessions {
		oldest = o.sessions[key][0]
	}
	o.mu.Unlock()
	if oldest != "" {
		o.forget(oldest)
		o.end(oldest)
	}
	return id
}

// has reports whether a session is there and whose principal's it is.
func (o *owners) has(key, id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	owner, ok := o.owner[id]
	return ok && owner == key
}

func (o *owners) forget(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	key, ok := o.owner[id]
	if !ok {
		return
	}
	delete(o.owner, id)
	o.sessions[key] = slices.DeleteFunc(o.sessions[key], func(s string) bool { return s == id })
	if len(o.sessions[key]) == 0 {
		delete(o.sessions, key)
	}
}

// owned is a principal's view of sessions: those of others don't exist.
type owned struct {
	*owners
	key string
	any bool
}

// Generate begins a session.
func (v *owned) Generate() string { return v.begin(v.key) }

// Validate refuses a session that is not there or not the principal's.
func (v *owned) Validate(id string) (bool, error) {
	if !v.has(v.key, id) {
		return false, errNoSession
	}
	return false, nil
}

// Terminate ends a session of the principal.
func (v *owned) Terminate(id string) (bool, error) {
	if !v.any && !v.has(v.key, id) {
		return false, errNoSession
	}
	v.forget(id)
	return false, nil
}
