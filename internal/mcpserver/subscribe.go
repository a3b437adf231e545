package mcpserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/mde-ops/mde-ops/approvals"
)

// subKey tells subscriptions apart.
type subKey struct {
	session server.ClientSession
	listen  string // the request whose stream it is; empty in the legacy era, where it is the session's
	uri     string
}

// subscription is a client's wish to be told of changes of one resource.
type subscription struct {
	owner string
	meta  map[string]any
	watch *watch
	timer *time.Timer // ends it: soon while it is only asked for, later with the proof of who asked
	live  bool        // the library has taken it
}

const (
	sessionSubs = 32
	ownerSubs   = 128
	allSubs     = 1000
	// leaseLife is how long a subscription is kept for the library to take it; goneLife how long a session that ended is known
	// to have, because a request of it may still be under way.
	leaseLife = 30 * time.Second
	goneLife  = 2 * answerLimit
	// acknowledged is what the first message of a stream needs to be on its way: the library drops it when the last one overtakes it.
	acknowledged = 20 * time.Millisecond
)

// watches are all subscriptions of a server and what serves them.
type watches struct {
	s *Server

	mu   sync.Mutex
	live map[watchKey]*watch
	subs map[subKey]*subscription
	gone map[server.ClientSession]bool
}

func newWatches(s *Server) *watches {
	return &watches{s: s, live: map[watchKey]*watch{}, subs: map[subKey]*subscription{}, gone: map[server.ClientSession]bool{}}
}

// hook attaches to the library. It asks about every request first, which is where a subscription can be refused; takes a
// subscription next, which is where a stream's life is known; and tells of sessions that end.
func (ws *watches) hook(hooks *server.Hooks) {
	hooks.AddOnRequestInitialization(ws.admit)
	hooks.AddBeforeSubscribe(func(ctx context.Context, _ any, req *mcp.SubscribeRequest) {
		ws.begin(ctx, func(k subKey) bool { return k.listen == "" && k.uri == req.Params.URI })
	})
	hooks.AddBeforeUnsubscribe(func(ctx context.Context, _ any, req *mcp.UnsubscribeRequest) {
		of := server.ClientSessionFromContext(ctx)
		ws.leave(func(k subKey) bool { return k.session == of && k.listen == "" && k.uri == req.Params.URI })
	})
	hooks.AddBeforeSubscriptionsListen(func(ctx context.Context, id any, _ *mcp.SubscriptionsListenRequest) {
		of, listen := server.ClientSessionFromContext(ctx), idText(id)
		ws.begin(ctx, func(k subKey) bool { return k.listen == listen })
		context.AfterFunc(ctx, func() { ws.leave(func(k subKey) bool { return k.session == of && k.listen == listen }) })
	})
	hooks.AddAfterSubscriptionsListen(func(ctx context.Context, _ any, _ *mcp.SubscriptionsListenRequest, _ *mcp.SubscriptionsListenResult) {
		pause(ctx, acknowledged) // where nothing was granted the stream ends at once
	})
	hooks.AddOnRegisterSession(func(_ context.Context, session server.ClientSession) { ws.unbury(session) }) // stdio has one for ever
	hooks.AddOnUnregisterSession(func(_ context.Context, session server.ClientSession) { ws.bury(session) })
}

func idText(id any) string {
	b, _ := json.Marshal(id) // it came as JSON
	return string(b)
}

// admit looks at a request before the library does, and refuses subscriptions that can't be served.
func (ws *watches) admit(ctx context.Context, id, message any) error {
	raw, _ := message.(json.RawMessage)
	if !bytes.Contains(raw, []byte("subscri")) { // what is spelt otherwise is served by nobody
		return nil
	}
	var m struct {
		Method mcp.MCPMethod `json:"method"`
		Params struct {
			URI           string                     `json:"uri"`
			Notifications mcp.SubscriptionFilter     `json:"notifications"`
			Meta          map[string]json.RawMessage `json:"_meta"`
		} `json:"params"`
	}
	session := server.ClientSessionFromContext(ctx)
	if err := json.Unmarshal(raw, &m); err != nil || session == nil {
		return nil //nolint:nilerr // the library refuses it
	}
	key, uris := subKey{session: session}, []string{m.Params.URI}
	var meta map[string]any
	switch m.Method {
	case mcp.MethodResourcesSubscribe:
		if m.Params.Meta[mcp.MetaKeyProtocolVersion] != nil {
			return nil // the newer era has no such method, which the library says
		}
	case mcp.MethodSubscriptionsListen:
		key.listen, uris = idText(id), m.Params.Notifications.ResourceSubscriptions
		meta = map[string]any{mcp.MetaKeySubscriptionID: id}
	default:
		return nil
	}
	for _, uri := range uris {
		key.uri = uri
		if err := ws.lease(ctx, key, meta); err != nil {
			if key.listen != "" {
				ws.leave(func(k subKey) bool { return k.session == session && k.listen == key.listen })
			}
			return errors.New(ws.s.explain(ctx, uri, err))
		}
	}
	return nil
}

// lease makes a subscription that is not live yet.
func (ws *watches) lease(ctx context.Context, key subKey, meta map[string]any) error {
	at, err := ws.s.addressed(ctx, key.uri)
	if err != nil {
		if ws.s.o.Extend != nil {
			return nil // it may be a resource of who extends the server, who tells of it
		}
		return err
	}
	p, known := PrincipalFrom(ctx)
	who := ws.s.o.Requester(ctx, agent(ctx))
	of := watchKey{uri: key.uri, principal: p.Key, person: who.ID, agent: who.Agent}
	sub := &subscription{owner: p.Key, meta: meta}
	if done, err := ws.join(key, of, sub); done || err != nil {
		return err
	}
	body, err := ws.s.look(ctx, at, who) // whoever may not read it is not told of it either
	if err != nil {
		return err
	}
	w := &watch{of: ws, key: of, at: at, as: context.Background(), who: who, woken: make(chan struct{}, 1), subs: map[subKey]*subscription{}}
	if known {
		w.as = WithPrincipal(w.as, p)
	}
	if saw, _ := w.take(body); w.final(saw) {
		return nil // there is nothing more to tell
	}
	ws.mu.Lock()
	if ws.live[of] == nil {
		ws.live[of] = w
	}
	ws.mu.Unlock()
	_, err = ws.join(key, of, sub)
	return err
}

// join adds a subscription to a watch that is there, within bounds, and reports whether there was one.
func (ws *watches) join(key subKey, of watchKey, sub *subscription) (bool, error) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.subs[key] != nil {
		return true, nil
	}
	session, owner := 0, 0
	for k, other := range ws.subs {
		if k.session == key.session {
			session++
		}
		if other.owner == sub.owner {
			owner++
		}
	}
	w := ws.live[of]
	if session >= sessionSubs || owner >= ownerSubs || len(ws.subs) >= allSubs {
		if w != nil && len(w.subs) == 0 {
			ws.stop(w)
		}
		return false, approvals.Refuse(approvals.KindDenied, nil, "there are too many subscriptions: at most %d in a session and %d for one caller; end some first, or call the tool", sessionSubs, ownerSubs)
	}
	if w == nil {
		return false, nil
	}
	sub.watch = w
	sub.timer = time.AfterFunc(leaseLife, func() { ws.leave(func(k subKey) bool { return k == key }) })
	ws.subs[key], w.subs[key] = sub, sub
	return true, nil
}

// begin makes subscriptions of a request's session live.
func (ws *watches) begin(ctx context.Context, which func(subKey) bool) {
	session := server.ClientSessionFromContext(ctx)
	p, _ := PrincipalFrom(ctx)
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for key, sub := range ws.subs {
		if key.session != session || !which(key) || ws.gone[session] {
			continue
		}
		sub.live = true
		if sub.timer.Stop(); !p.Expires.IsZero() {
			sub.timer.Reset(time.Until(p.Expires) + time.Minute)
		}
		if w := sub.watch; !w.begun {
			w.begun = true
			var run context.Context
			run, w.end = context.WithCancel(w.as)
			go w.run(run)
		}
	}
}

// leave ends subscriptions, and watches that nobody is subscribed to any more.
func (ws *watches) leave(which func(subKey) bool) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for key, sub := range ws.subs {
		if !which(key) {
			continue
		}
		sub.timer.Stop()
		delete(ws.subs, key)
		delete(sub.watch.subs, key)
		if len(sub.watch.subs) == 0 {
			ws.stop(sub.watch)
		}
	}
}

// stop ends a watch. The caller holds the lock.
func (ws *watches) stop(w *watch) {
	if ws.live[w.key] == w {
		delete(ws.live, w.key)
	}
	if w.end != nil {
		w.end()
	}
}

// over ends the subscriptions of a watch that has nothing more to tell.
func (ws *watches) over(w *watch) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for key, sub := range w.subs {
		sub.timer.Stop()
		delete(ws.subs, key)
		delete(w.subs, key)
	}
	ws.stop(w)
}

// bury ends what belongs to a session that is over, and what requests of it that are under way may still begin.
func (ws *watches) bury(session server.ClientSession) {
	ws.mu.Lock()
	ws.gone[session] = true
	ws.mu.Unlock()
	time.AfterFunc(goneLife, func() { ws.unbury(session) })
	ws.leave(func(k subKey) bool { return k.session == session })
}

func (ws *watches) unbury(session server.ClientSession) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	delete(ws.gone, session)
}

// tell tells everybody who subscribed to it that a resource has changed.
func (ws *watches) tell(w *watch) {
	ws.mu.Lock()
	subs := maps.Clone(w.subs)
	ws.mu.Unlock()
	for key, sub := range subs {
		if !sub.live {
			continue
		}
		n := mcp.JSONRPCNotification{JSONRPC: mcp.JSONRPC_VERSION, Notification: mcp.Notification{
			Method: mcp.MethodNotificationResourceUpdated, Params: mcp.NotificationParams{Meta: sub.meta, AdditionalFields: map[string]any{"uri": key.uri}},
		}}
		select {
		case key.session.NotificationChannel() <- n:
		default:
			ws.s.log.DebugContext(w.as, "a client does not read what it is told", "uri", key.uri)
		}
	}
}

// touched has those resources looked at which a request that moved may have changed: the devices that it acts on and what it
// collected.
func (ws *watches) touched(w *watch, saw sight) {
	if w.at.scheme != requestScheme {
		return
	}
	ids := []string{strings.ToLower(saw.RequestID)}
	for _, target := range saw.Targets {
		ids = append(ids, strings.ToLower(target.ID))
	}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, other := range ws.live {
		if other.at.scheme != requestScheme && slices.ContainsFunc(other.about, func(id string) bool { return slices.Contains(ids, id) }) {
			other.wake()
		}
	}
}
