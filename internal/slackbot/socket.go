package slackbot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
)

// envelope is one delivery: the event, the connection that must acknowledge it, and when that must have happened.
type envelope struct {
	socket  *socketmode.Client
	request socketmode.Request
	data    any
	// ctx ends when the acknowledgement is due; release frees its timer.
	ctx     context.Context // the deadline belongs to the delivery, which waits in a queue
	release context.CancelFunc
}

func newSocket(c *client) *socketmode.Client {
	return socketmode.New(c.api, socketmode.OptionReadLimit(1<<20), socketmode.OptionLog(log.New(io.Discard, "", 0)))
}

// session is one Run: its connections, queues and handlers.
type session struct {
	bot               *Bot
	commands, presses chan envelope
	// fatal takes the first error that no reconnecting can mend.
	fatal chan error
	// handling is cancelled when draining takes too long.
	handling context.Context // one Run, one context
}

// Run holds the connections and answers until ctx ends; then it takes in nothing more, finishes what it began, and
// returns nil. It returns an error when Slack refuses the app for good, with what to do about it.
func (b *Bot) Run(ctx context.Context) error {
	if b.responders.Empty() || len(b.channels) == 0 {
		b.log.WarnContext(ctx, "every /mde command is refused: set the responder group and the channels for commands")
	}
	handling, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	s := &session{
		bot: b, commands: make(chan envelope, queueLength), presses: make(chan envelope, queueLength),
		fatal: make(chan error, 1), handling: handling,
	}
	intake, stopIntake := context.WithCancel(ctx)
	defer stopIntake()
	connected, disconnect := context.WithCancel(handling)
	defer disconnect()

	var sockets, loops, handlers sync.WaitGroup
	for i, socket := range b.sockets {
		sockets.Go(func() { s.supervise(connected, i, socket) })
		loops.Go(func() { s.loop(intake, i, socket) })
	}
	for range workers {
		handlers.Go(func() { s.work(s.commands, b.onCommand) })
		handlers.Go(func() { s.work(s.presses, b.onInteraction) })
	}

	var err error
	select {
	case <-ctx.Done():
	case err = <-s.fatal:
	}
	stopIntake()
	loops.Wait()
	close(s.commands)
	close(s.presses)
	overdue := time.AfterFunc(drainLimit, abort)
	handlers.Wait()
	overdue.Stop()
	flush(err)
	disconnect()
	sockets.Wait()
	return err
}

// flush gives the connections a moment to write the last acknowledgements, which the library queues and does not wait
// for. One that is lost all the same is delivered again and changes nothing.
func flush(err error) {
	if err == nil {
		time.Sleep(50 * time.Millisecond)
	}
}

// work handles what a queue holds until it is closed.
func (s *session) work(queue <-chan envelope, handle func(context.Context, envelope)) {
	for e := range queue {
		s.handle(e, handle)
	}
}

func (s *session) handle(e envelope, handle func(context.Context, envelope)) {
	defer e.release()
	defer func() {
		if p := recover(); p != nil {
			s.bot.log.Error("handling a delivery failed; it was not acknowledged", "type", e.request.Type, "panic", p)
		}
	}()
	handle(s.handling, e)
}

// supervise keeps one connection. The library reconnects by itself after most faults and returns after others.
func (s *session) supervise(ctx context.Context, number int, socket *socketmode.Client) {
	for ctx.Err() == nil {
		err := socket.RunContext(ctx)
		s.bot.up[number].Store(false)
		if ctx.Err() != nil {
			return
		}
		if final := permanent(err); final != nil {
			s.fail(final)
			return
		}
		s.bot.log.WarnContext(ctx, "a Slack connection ended and is opened again", "connection", number, "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (s *session) fail(err error) {
	select {
	case s.fatal <- err:
	default: // the first one is enough
	}
}

// permanent returns what to tell the operator when err can't pass by itself, and nil otherwise.
func permanent(err error) error {
	var status slack.StatusCodeError
	if errors.As(err, &status) && status.Code == http.StatusNotFound {
		return fmt.Errorf("slack has no Socket Mode at the configured address (HTTP 404): check the Slack API address: %w", err)
	}
	switch code := errorCode(err); code {
	case "invalid_auth", "account_inactive", "not_authed", "token_revoked", "token_expired", "not_allowed_token_type", "missing_scope":
		return fmt.Errorf("slack refuses the app-level token (%s): %s", code, hint(code))
	}
	return nil
}

// loop takes one connection's events in. It never handles them itself, so a slow handler can't stop the reading.
func (s *session) loop(ctx context.Context, number int, socket *socketmode.Client) {
	for {
		select {
		case <-ctx.Done():
			return
		case ev := <-socket.Events:
			s.bot.noteConnection(number, ev.Type)
			s.take(ctx, socket, ev)
		}
	}
}

func (s *session) take(ctx context.Context, socket *socketmode.Client, ev socketmode.Event) {
	switch ev.Type {
	case socketmode.EventTypeSlashCommand:
		s.queue(s.commands, socket, ev)
	case socketmode.EventTypeInteractive:
		s.queue(s.presses, socket, ev)
	case socketmode.EventTypeEventsAPI:
		if ev.Request != nil {
			_ = socket.AckCtx(ctx, ev.Request.EnvelopeID, nil) // fails only when stopping; nothing acts on events
		}
	case socketmode.EventTypeConnectionError:
		if fault, ok := ev.Data.(*slack.ConnectionErrorEvent); ok {
			s.connectionError(ctx, fault)
		}
	case socketmode.EventTypeErrorBadMessage, socketmode.EventTypeErrorWriteFailed, socketmode.EventTypeIncomingError:
		s.bot.log.WarnContext(ctx, "a Slack connection had a fault", "type", string(ev.Type))
	case socketmode.EventTypeConnected:
		s.bot.log.InfoContext(ctx, "a Slack connection is open")
	case socketmode.EventTypeConnecting, socketmode.EventTypeInvalidAuth, socketmode.EventTypeHello, socketmode.EventTypeDisconnect:
	}
}

// noteConnection keeps whether a connection is up.
func (b *Bot) noteConnection(number int, event socketmode.EventType) {
	switch event { //nolint:exhaustive // the others say nothing of it
	case socketmode.EventTypeConnected, socketmode.EventTypeHello:
		b.up[number].Store(true)
	case socketmode.EventTypeConnecting, socketmode.EventTypeDisconnect, socketmode.EventTypeConnectionError, socketmode.EventTypeInvalidAuth:
		b.up[number].Store(false)
	}
}

// Connected reports whether Slack can reach the bot: at least one connection is up.
func (b *Bot) Connected() bool {
	for i := range b.up {
		if b.up[i].Load() {
			return true
		}
	}
	return false
}

// connectionError stops the bot when the library would try for ever what can't succeed.
func (s *session) connectionError(ctx context.Context, fault *slack.ConnectionErrorEvent) {
	if final := permanent(fault.ErrorObj); final != nil {
		s.fail(final)
		return
	}
	s.bot.log.WarnContext(ctx, "Slack could not be reached", "attempt", fault.Attempt, "next", fault.Backoff, "error", fault.ErrorObj)
}

// queue hands an event to the handlers. When they are all busy and the queue is full it is dropped without an
// acknowledgement, so that Slack delivers it again or tells the person.
func (s *session) queue(queue chan<- envelope, socket *socketmode.Client, ev socketmode.Event) {
	if ev.Request == nil || ev.Request.EnvelopeID == "" {
		return
	}
	ctx, release := context.WithTimeout(s.handling, s.bot.deadline)
	select {
	case queue <- envelope{socket: socket, request: *ev.Request, data: ev.Data, ctx: ctx, release: release}:
	default:
		release()
		s.bot.log.Error("too much at once: a Slack delivery was not taken", "type", string(ev.Type))
	}
}
