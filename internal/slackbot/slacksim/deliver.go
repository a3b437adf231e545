package slacksim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// The types of envelopes.
const (
	SlashCommands = "slash_commands" // SlashCommands carry a command somebody typed.
	Interactive   = "interactive"    // Interactive carry button presses and modals.
	EventsAPI     = "events_api"     // EventsAPI carry events.
)

var (
	// ErrNotConnected is what a person sees as dispatch_failed: the app has no open socket.
	ErrNotConnected = errors.New("dispatch_failed: the app has no open Socket Mode connection")
	// ErrNotAcknowledged is what a person sees as operation_timeout: the app didn't acknowledge, redeliveries included.
	ErrNotAcknowledged = errors.New("operation_timeout: the app did not acknowledge in time")
)

// Envelope is a record of something sent to the app, over a socket or over HTTP.
type Envelope struct {
	ID         string          // ID is the envelope_id of the first delivery.
	Type       string          // Type is slash_commands, interactive or events_api.
	Payload    json.RawMessage // Payload is what it carried.
	Deliveries int             // Deliveries counts how often it was sent, replays included.
	Acks       int             // Acks counts acknowledgements received, late ones included.
	accepts    bool
}

// delivery is an envelope that somebody waits for.
type delivery struct {
	acked chan json.RawMessage // buffered, so that the reader never blocks
	done  bool                 // done is guarded by Workspace.mu.
	index int
}

// receipt is the app's acknowledgement.
type receipt struct {
	envelope Envelope
	payload  json.RawMessage
}

// envelope registers an envelope under a new ID.
func (s *state) newEnvelope(kind string, payload json.RawMessage, accepts bool) int {
	id := s.nextID("env")
	s.envelopes = append(s.envelopes, Envelope{ID: id, Type: kind, Payload: payload, accepts: accepts})
	s.envelopeAt[id] = len(s.envelopes) - 1
	return len(s.envelopes) - 1
}

// deliver sends a registered envelope, again when it isn't acknowledged, and waits for the acknowledgement.
func (w *Workspace) deliver(ctx context.Context, index int) (receipt, error) {
	st := w.lock()
	d := &delivery{acked: make(chan json.RawMessage, 1), index: index}
	env := st.envelopes[index]
	if urls := st.posts; urls != nil {
		w.unlock()
		return w.post(ctx, index, *urls)
	}
	st.pending[env.ID] = d
	w.unlock()
	ids := []string{env.ID}
	defer func() { w.settle(ids) }()

	redeliveries := orDefault(w.Redeliveries, defaultRedeliveries)
	var last *connection
	for attempt := 0; attempt == 0 || attempt <= redeliveries; attempt++ {
		if attempt > 0 && w.FreshEnvelopeIDs {
			ids = append(ids, w.alias(d))
		}
		payload, ok, err := w.attempt(ctx, d, ids[len(ids)-1], attempt, &last)
		if err != nil {
			return receipt{envelope: w.envelope(index)}, err
		}
		if ok {
			return receipt{envelope: w.envelope(index), payload: payload}, nil
		}
	}
	return receipt{envelope: w.envelope(index)}, ErrNotAcknowledged
}

// settle forgets that somebody waits, so that a later acknowledgement counts as late.
func (w *Workspace) settle(ids []string) {
	st := w.lock()
	defer w.unlock()
	for _, id := range ids {
		delete(st.pending, id)
	}
}

// alias gives a delivery a further envelope_id.
func (w *Workspace) alias(d *delivery) string {
	st := w.lock()
	defer w.unlock()
	id := st.nextID("env")
	st.pending[id], st.envelopeAt[id] = d, d.index
	return id
}

func (w *Workspace) envelope(index int) Envelope {
	st := w.lock()
	defer w.unlock()
	return st.envelopes[index]
}

// attempt sends the envelope once and waits until it is acknowledged (ok), the deadline passes or the connection breaks.
func (w *Workspace) attempt(ctx context.Context, d *delivery, id string, n int, last **connection) (ack json.RawMessage, ok bool, err error) {
	if n > 0 {
		ack, ok, err = w.waitAck(ctx, d, nil, orDefault(w.RedeliverAfter, defaultRedeliverAfter))
		if ok || err != nil {
			return ack, ok, err
		}
	}
	c, err := w.pick(ctx, *last, n == 0)
	if c == nil {
		return nil, false, err
	}
	*last = c
	cut, frame := w.frame(c, d.index, id, n)
	if c.write(frame) != nil || cut {
		c.cut()
	}
	return w.waitAck(ctx, d, c.gone, orDefault(w.AckDeadline, defaultAckDeadline))
}

// frame counts a delivery and returns what goes over the wire, and whether the connection is to be cut after it.
func (w *Workspace) frame(c *connection, index int, id string, attempt int) (cut bool, frame map[string]any) {
	st := w.lock()
	defer w.unlock()
	env := &st.envelopes[index]
	env.Deliveries++
	st.notify()
	if st.cutNext > 0 {
		st.cutNext--
		cut, c.deaf = true, true
	}
	frame = map[string]any{
		"type": env.Type, "envelope_id": id, "payload": env.Payload, "accepts_response_payload": env.accepts,
		"retry_attempt": attempt, "retry_reason": "",
	}
	if attempt > 0 {
		frame["retry_reason"] = "timeout"
	}
	return cut, frame
}

// waitAck waits at most d for the acknowledgement; gone ends the wait early when the connection breaks.
func (w *Workspace) waitAck(ctx context.Context, d *delivery, gone <-chan struct{}, limit time.Duration) (json.RawMessage, bool, error) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		st := w.lock()
		changed, closed := st.changed, st.closed
		w.unlock()
		select {
		case ack := <-d.acked:
			return ack, true, nil
		default:
		}
		if closed {
			return nil, false, ErrClosed
		}
		select {
		case ack := <-d.acked:
			return ack, true, nil
		case <-gone:
			// What was read before the connection broke counts.
			select {
			case ack := <-d.acked:
				return ack, true, nil
			default:
				return nil, false, nil
			}
		case <-timer.C:
			return nil, false, nil
		case <-ctx.Done():
			return nil, false, fmt.Errorf("waiting for the app's acknowledgement: %w", context.Cause(ctx))
		case <-changed:
		}
	}
}

// pick chooses a connection at random, another than last if there is one. Without any, the first delivery fails and a
// redelivery waits for one until the deadline.
func (w *Workspace) pick(ctx context.Context, last *connection, first bool) (*connection, error) {
	timer := time.NewTimer(orDefault(w.AckDeadline, defaultAckDeadline))
	defer timer.Stop()
	for {
		st := w.lock()
		c, changed, closed := st.choose(last), st.changed, st.closed
		w.unlock()
		switch {
		case closed:
			return nil, ErrClosed
		case c != nil:
			return c, nil
		case first:
			return nil, ErrNotConnected
		}
		select {
		case <-changed:
		case <-timer.C:
			return nil, nil
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for the app to connect: %w", context.Cause(ctx))
		}
	}
}

func (s *state) choose(last *connection) *connection {
	var open []*connection
	for _, c := range s.conns {
		if !c.draining && c != last {
			open = append(open, c)
		}
	}
	if len(open) > 0 {
		return open[s.rnd.IntN(len(open))]
	}
	for _, c := range s.conns {
		if !c.draining {
			return c
		}
	}
	return nil
}

// Replay sends an envelope again, byte for byte and under the same envelope_id, as an attacker or a confused network would,
// and waits for the acknowledgement. The answer changes nothing in the workspace.
func (w *Workspace) Replay(ctx context.Context, envelopeID string) (Outcome, error) {
	st := w.lock()
	index, ok := st.envelopeAt[envelopeID]
	w.unlock()
	if !ok {
		return Outcome{}, fmt.Errorf("no envelope %q was sent; Snapshot().Envelopes lists them", envelopeID)
	}
	got, err := w.deliver(ctx, index)
	return Outcome{EnvelopeID: got.envelope.ID, Deliveries: got.envelope.Deliveries, Ack: got.payload}, err
}

// Send sends a payload of the caller's making in a new envelope: forged, malformed, or an event. The answer changes nothing
// in the workspace.
func (w *Workspace) Send(ctx context.Context, envelopeType string, payload any) (Outcome, error) {
	raw, err := json.Marshal(payload)
	if err != nil {
		return Outcome{}, fmt.Errorf("payload can't be written as JSON: %w", err)
	}
	st := w.lock()
	index := st.newEnvelope(envelopeType, raw, envelopeType == SlashCommands)
	w.unlock()
	got, err := w.deliver(ctx, index)
	return Outcome{EnvelopeID: got.envelope.ID, Deliveries: got.envelope.Deliveries, Ack: got.payload}, err
}
