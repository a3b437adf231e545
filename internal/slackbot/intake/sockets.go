package intake

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
)

const (
	// reopenAfter is the pause before a connection that ended is opened again.
	reopenAfter = time.Second
	// lastAcks is how long connections stay open after the last acknowledgement: the library queues them and does not say
	// when they were written. One that is lost all the same is delivered again and changes nothing.
	lastAcks = 50 * time.Millisecond
)

// SocketOptions are what Sockets are made of. All are needed.
type SocketOptions struct {
	// Clients are the connections, each a client of its own, because one leaves a gap whenever Slack asks for a fresh one.
	Clients []*socketmode.Client
	// Deadline is how long an acknowledgement may take.
	Deadline time.Duration
	// Final says what to tell the operator when an error can't pass by itself, and nil otherwise.
	Final  func(error) error
	Logger *slog.Logger
}

// Sockets are Socket Mode connections.
type Sockets struct {
	clients  []*socketmode.Client
	deadline time.Duration
	final    func(error) error
	log      *slog.Logger

	up []atomic.Bool // which of the clients are connected
	// fatal takes the first error that no reconnecting can mend.
	fatal chan error

	connected  context.Context // ends with Close; one listening, one context
	disconnect context.CancelFunc
	open       sync.WaitGroup
}

// NewSockets makes Sockets. They connect when they are listened to.
func NewSockets(o SocketOptions) *Sockets {
	s := &Sockets{clients: o.Clients, deadline: o.Deadline, final: o.Final, log: o.Logger, up: make([]atomic.Bool, len(o.Clients)), fatal: make(chan error, 1)}
	s.connected, s.disconnect = context.WithCancel(context.Background())
	return s
}

// Listen implements Intake: it connects, and connects again after most faults.
func (s *Sockets) Listen(ctx context.Context, take Taker) error {
	taking, stop := context.WithCancel(ctx)
	defer stop()
	var loops sync.WaitGroup
	for i, client := range s.clients {
		s.open.Go(func() { s.supervise(i, client) })
		loops.Go(func() { s.loop(taking, i, client, take) })
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-s.fatal:
	}
	stop()
	loops.Wait()
	return err
}

// Close implements Intake.
func (s *Sockets) Close() {
	if s.Connected() {
		time.Sleep(lastAcks)
	}
	s.disconnect()
	s.open.Wait()
}

// Connected implements Intake: at least one connection is up.
func (s *Sockets) Connected() bool {
	for i := range s.up {
		if s.up[i].Load() {
			return true
		}
	}
	return false
}

// supervise keeps one connection. The library reconnects by itself after most faults and returns after others.
func (s *Sockets) supervise(number int, client *socketmode.Client) {
	ctx := s.connected
	for ctx.Err() == nil {
		err := client.RunContext(ctx)
		s.up[number].Store(false)
		if ctx.Err() != nil {
			return
		}
		if final := s.final(err); final != nil {
			s.fail(final)
			return
		}
		s.log.WarnContext(ctx, "a Slack connection ended and is opened again", "connection", number, "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(reopenAfter):
		}
	}
}

func (s *Sockets) fail(err error) {
	select {
	case s.fatal <- err:
	default: // the first one is enough
	}
}

// loop takes one connection's events in.
func (s *Sockets) loop(ctx context.Context, number int, client *socketmode.Client, take Taker) {
	for {
		select {
		case <-ctx.Done():
			return
		case ev := <-client.Events:
			s.note(number, ev.Type)
			s.take(ctx, client, ev, take)
		}
	}
}

func (s *Sockets) take(ctx context.Context, client *socketmode.Client, ev socketmode.Event, take Taker) {
	switch ev.Type {
	case socketmode.EventTypeSlashCommand, socketmode.EventTypeInteractive, socketmode.EventTypeEventsAPI:
		s.hand(client, ev, take)
	case socketmode.EventTypeConnectionError:
		if fault, ok := ev.Data.(*slack.ConnectionErrorEvent); ok {
			s.connectionError(ctx, fault)
		}
	case socketmode.EventTypeErrorBadMessage, socketmode.EventTypeErrorWriteFailed, socketmode.EventTypeIncomingError:
		s.log.WarnContext(ctx, "a Slack connection had a fault", "type", string(ev.Type))
	case socketmode.EventTypeConnected:
		s.log.InfoContext(ctx, "a Slack connection is open")
	case socketmode.EventTypeConnecting, socketmode.EventTypeInvalidAuth, socketmode.EventTypeHello, socketmode.EventTypeDisconnect:
	}
}

// note keeps whether a connection is up.
func (s *Sockets) note(number int, event socketmode.EventType) {
	switch event { //nolint:exhaustive // the others say nothing of it
	case socketmode.EventTypeConnected, socketmode.EventTypeHello:
		s.up[number].Store(true)
	case socketmode.EventTypeConnecting, socketmode.EventTypeDisconnect, socketmode.EventTypeConnectionError, socketmode.EventTypeInvalidAuth:
		s.up[number].Store(false)
	}
}

// connectionError fails where the library would try for ever what can't succeed.
func (s *Sockets) connectionError(ctx context.Context, fault *slack.ConnectionErrorEvent) {
	if final := s.final(fault.ErrorObj); final != nil {
		s.fail(final)
		return
	}
	s.log.WarnContext(ctx, "Slack could not be reached", "attempt", fault.Attempt, "next", fault.Backoff, "error", fault.ErrorObj)
}

// hand hands an event to the taker. What it has no room for is dropped without an acknowledgement.
func (s *Sockets) hand(client *socketmode.Client, ev socketmode.Event, take Taker) {
	if ev.Request == nil || ev.Request.EnvelopeID == "" {
		return
	}
	id := ev.Request.EnvelopeID
	due, release := context.WithTimeout(s.connected, s.deadline)
	taken := take(Delivery{
		Kind: kindOf(Kind(ev.Request.Type), ev.Data), ID: id, Data: ev.Data, Due: due, Release: release,
		Answer: func(ctx context.Context, payload any) error { return client.AckCtx(ctx, id, payload) },
	})
	if !taken {
		release()
		s.log.Error("too much at once: a Slack delivery was not taken", "type", string(ev.Type))
	}
}

// kindOf tells the question for options from other interactions, which come the same way.
func kindOf(kind Kind, data any) Kind {
	if ic, ok := data.(slack.InteractionCallback); ok && ic.Type == slack.InteractionTypeBlockSuggestion {
		return Options
	}
	return kind
}
