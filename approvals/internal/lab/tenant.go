package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
)

// Weather is what happens to one send.
type Weather string

// The weathers; the zero value is fair.
const (
	Fair       Weather = ""            // accepted and answered
	AnswerLost Weather = "answer lost" // accepted, but the answer never came
	Dropped    Weather = "dropped"     // never arrived, and the sender can't know
	Throttled  Weather = "throttled"   // certainly not accepted
	Refusing   Weather = "refusing"    // definitely refused
)

// Effect is one write that the tenant accepted.
type Effect struct {
	ActionID string
	Tag      string
	Plan     approvals.Plan
	Step     approvals.Step
	At       time.Time
	// Status is the action's own word; it begins as Pending.
	Status string
	// Hidden effects are not found yet, as when a list is behind.
	Hidden bool
}

// Tenant is a small remote side with a memory: it counts every write it accepts. Its zero value is not ready; use
// NewTenant.
type Tenant struct {
	clock *Clock

	mu      sync.Mutex
	effects []*Effect
	sends   []string
	weather []Weather
	blind   error
	lag     time.Duration
	// OnApply, when set, is called before a send is treated, so that a test can let something happen meanwhile.
	OnApply func(worker.Task)
}

// NewTenant makes an empty tenant in fair weather.
func NewTenant(clock *Clock) *Tenant { return &Tenant{clock: clock} }

// Forecast sets the weather of the next sends, one each; after them it is fair.
func (t *Tenant) Forecast(w ...Weather) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.weather = append(t.weather, w...)
}

// Clear forgets the forecast, so that the next sends meet fair weather.
func (t *Tenant) Clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.weather = nil
}

// Blind makes reading fail with err, or work again with nil.
func (t *Tenant) Blind(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.blind = err
}

// Apply implements worker.Performer.
func (t *Tenant) Apply(_ context.Context, task worker.Task) (worker.Receipt, error) {
	if t.OnApply != nil {
		t.OnApply(task)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sends = append(t.sends, task.Tag)
	var w Weather
	if len(t.weather) > 0 {
		w, t.weather = t.weather[0], t.weather[1:]
	}
	switch w {
	case Dropped:
		return worker.Receipt{}, errors.New("connection reset")
	case Throttled:
		return worker.Receipt{}, &worker.NotSent{RetryAfter: 10 * time.Second, Err: errors.New("429")}
	case Refusing:
		return worker.Receipt{}, &worker.Refused{Text: "the device is not supported"}
	case Fair, AnswerLost:
	}
	e := &Effect{
		ActionID: fmt.Sprintf("action-%d", len(t.effects)+1), Tag: task.Tag, Plan: task.Plan, Step: task.Step,
		At: t.clock.Now(), Status: "Pending",
	}
	t.effects = append(t.effects, e)
	if w == AnswerLost {
		return worker.Receipt{}, errors.New("timeout awaiting response headers")
	}
	return worker.Receipt{ActionID: e.ActionID, RemoteStatus: e.Status}, nil
}

// Find implements worker.Performer.
func (t *Tenant) Find(_ context.Context, task worker.Task, since time.Time) (worker.Receipt, bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.blind != nil {
		return worker.Receipt{}, false, t.blind
	}
	for _, e := range t.effects {
		if e.Tag == task.Tag && !e.Hidden && !e.At.Before(since) {
			return worker.Receipt{ActionID: e.ActionID, RemoteStatus: e.Status}, true, nil
		}
	}
	return worker.Receipt{}, false, nil
}

// Follow implements worker.Performer.
func (t *Tenant) Follow(_ context.Context, _ worker.Task, actionID string) (worker.Progress, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.blind != nil {
		return worker.Progress{}, t.blind
	}
	i := slices.IndexFunc(t.effects, func(e *Effect) bool { return e.ActionID == actionID })
	if i < 0 {
		return worker.Progress{}, fmt.Errorf("there is no action %q", actionID)
	}
	states := map[string]approvals.StepState{
		"Pending": approvals.StepAccepted, "Succeeded": approvals.StepSucceeded, "Failed": approvals.StepFailed,
		"TimeOut": approvals.StepTimedOut, "Cancelled": approvals.StepCancelled,
	}
	status := t.effects[i].Status
	return worker.Progress{RemoteStatus: status, State: states[status], Message: "the action is " + status}, nil
}

// End gives every action that still runs its final status.
func (t *Tenant) End(status string) {
	t.change(func(e *Effect) {
		if e.Status == "Pending" {
			e.Status = status
		}
	})
}

// Hide keeps all effects from being found, or shows them again.
func (t *Tenant) Hide(hidden bool) { t.change(func(e *Effect) { e.Hidden = hidden }) }

func (t *Tenant) change(fn func(*Effect)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.effects {
		fn(e)
	}
}

// Effects are copies of all accepted writes, in order.
func (t *Tenant) Effects() []Effect {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]Effect, 0, len(t.effects))
	for _, e := range t.effects {
		out = append(out, *e)
	}
	return out
}

// Accepted counts the accepted writes with that tag.
func (t *Tenant) Accepted(tag string) (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.effects {
		if e.Tag == tag {
			n++
		}
	}
	return n
}

// Of are the accepted writes of one request.
func (t *Tenant) Of(requestID string) []Effect {
	return slices.DeleteFunc(t.Effects(), func(e Effect) bool {
		return !strings.HasPrefix(e.Tag, strings.TrimSuffix(approvals.Tag(requestID, 0), "0]"))
	})
}

// Sends are the tags of everything that was sent, accepted or not.
func (t *Tenant) Sends() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.sends)
}
