package mcpserver

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/tools"
)

const (
	// watchEvery is the shortest time between two looks at a resource. What costs calls of Defender's API is looked at less
	// often by costly times.
	watchEvery = time.Second
	costly     = 5
	// pollEvery is after which time a resource is looked at again when nothing announced a change, and pollSlowest after which
	// time at the most when looking fails again and again.
	pollEvery   = time.Minute
	pollSlowest = 15 * time.Minute
	// waitSeconds is how long one waiting call lasts.
	waitSeconds = 50
)

// watch looks at a resource for those who subscribed to it and are the same principal: with their rights, and never for
// anybody else.
type watch struct {
	of    *watches
	key   watchKey
	at    address
	as    context.Context // of no request: it carries who looks, and must outlive the call that subscribed
	who   approvals.Requester
	woken chan struct{} // has room for one
	end   context.CancelFunc

	// Guarded by of.mu.
	begun bool
	subs  map[subKey]*subscription
	about []string // ids of what the resource shows

	digest [sha256.Size]byte // of what was seen last
}

// watchKey tells watches apart.
type watchKey struct{ uri, principal, person, agent string }

// sight is what a look gave that matters here. Every tool gives a part of it.
type sight struct {
	RequestID string `json:"request_id"`
	Status    string `json:"status"`
	Targets   []struct {
		ID string `json:"id"`
	} `json:"targets"`
	Device struct {
		ID string `json:"id"`
	} `json:"device"`
	Evidence []struct {
		RequestID string `json:"request_id"`
	} `json:"evidence"`
}

// take takes in what a look gave, and reports whether it is new.
func (w *watch) take(body json.RawMessage) (saw sight, changed bool) {
	_ = json.Unmarshal(body, &saw) // what is not there is empty
	about := []string{strings.ToLower(w.at.id)}
	if saw.Device.ID != "" {
		about = append(about, strings.ToLower(saw.Device.ID))
	}
	for _, e := range saw.Evidence {
		about = append(about, strings.ToLower(e.RequestID))
	}
	w.of.mu.Lock()
	w.about = about
	w.of.mu.Unlock()
	digest := sha256.Sum256(body)
	changed = digest != w.digest
	w.digest = digest
	return saw, changed
}

// final reports whether a resource will not change any more.
func (w *watch) final(saw sight) bool {
	return w.at.scheme == requestScheme && !strings.HasPrefix(saw.Status, string(approvals.Pending)) && approvals.State(saw.Status).Terminal()
}

func (w *watch) wake() {
	select {
	case w.woken <- struct{}{}:
	default:
	}
}

// run looks whenever something may have changed, until the resource is final or nobody is subscribed any more.
func (w *watch) run(ctx context.Context) {
	var waiting sync.WaitGroup
	if w.at.scheme == requestScheme {
		waiting.Go(func() { w.wait(ctx) })
	}
	defer waiting.Wait()
	defer w.of.over(w)
	every, interval := w.of.s.o.WatchEvery, w.of.s.o.PollEvery
	if w.at.scheme != requestScheme {
		every *= costly
	}
	for pause(ctx, every) { // the look before a watch was one too
		select {
		case <-ctx.Done():
			return
		case <-w.woken:
		case <-time.After(interval + rand.N(interval/10+1)): // not all at the same time
		}
		body, err := w.of.s.look(ctx, w.at, w.who)
		switch {
		case ctx.Err() != nil:
			return
		case gone(err):
			w.of.tell(w) // so that they look, and are told why
			return
		case err != nil:
			interval = min(2*interval, max(pollSlowest, w.of.s.o.PollEvery))
			w.of.s.log.DebugContext(ctx, "a watched resource could not be looked at", "uri", w.at.uri, "error", err, "again", interval)
			continue
		}
		interval = w.of.s.o.PollEvery
		saw, changed := w.take(body)
		if changed {
			w.of.tell(w)
			w.of.touched(w, saw)
		}
		if w.final(saw) {
			return
		}
	}
}

// gone reports whether an error says that looking again is of no use.
func gone(err error) bool {
	kind := approvals.KindOf(err)
	return kind == approvals.KindNotFound || kind == approvals.KindDenied || kind == approvals.KindInvalid
}

// wait wakes the watch of a request whenever the gate's audit moves, by the same waiting call that a client would make.
func (w *watch) wait(ctx context.Context) {
	for ctx.Err() == nil {
		began := time.Now()
		_, err := w.of.s.run(ctx, tools.Call{Tool: w.at.tool, Requester: w.who, Progress: func(tools.Progress) { w.wake() }},
			map[string]any{w.at.arg: w.at.id, "wait_seconds": waitSeconds})
		rest := w.of.s.o.WatchEvery - time.Since(began) // a gate that is closed answers at once
		if err != nil {
			rest = w.of.s.o.PollEvery
		}
		w.wake()
		pause(ctx, rest)
	}
}

// pause waits, and reports whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
