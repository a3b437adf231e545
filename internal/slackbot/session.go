package slackbot

import (
	"context"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"github.com/mde-ops/mde-ops/internal/slackbot/intake"
)

// lane is a queue of one kind of delivery and how many handle it. Each kind has its own, so that people who type into a
// menu, or an event for everybody, never keep a command or a vote waiting.
type lane struct {
	workers, length int
	handle          func(context.Context, intake.Delivery)
}

func (b *Bot) lanes() map[intake.Kind]lane {
	return map[intake.Kind]lane{
		intake.Command:     {commandWorkers, queueLength, b.onAsking},
		intake.Interaction: {pressWorkers, queueLength, b.onInteraction},
		intake.Options:     {pressWorkers / 2, queueLength / 16, b.onOptions},
		intake.Event:       {pressWorkers / 4, queueLength / 4, b.onEvent},
	}
}

// laneOf is the lane of a delivery: that of its kind, but that of commands for what calls a tool, which may have to wait for
// the tenant.
func laneOf(d intake.Delivery) intake.Kind {
	if ic, ok := d.Data.(slack.InteractionCallback); ok && callsTool(ic) {
		return intake.Command
	}
	return d.Kind
}

// onAsking handles what may call a tool.
func (b *Bot) onAsking(ctx context.Context, d intake.Delivery) {
	if d.Kind == intake.Command {
		b.onCommand(ctx, d)
		return
	}
	b.onInteraction(ctx, d)
}

// session is one Run: its queues and handlers.
type session struct {
	bot    *Bot
	queues map[intake.Kind]chan intake.Delivery
	// handling is cancelled when draining takes too long.
	handling context.Context // one Run, one context
	handlers sync.WaitGroup
}

// Run takes in what Slack delivers and answers until ctx ends; then it takes in nothing more, finishes what it began, and
// returns nil. It returns an error when Slack refuses the app for good, with what to do about it.
func (b *Bot) Run(ctx context.Context) error {
	if b.responders.Empty() || len(b.channels) == 0 {
		b.log.WarnContext(ctx, "every /mde command is refused: set the responder group and the channels for commands")
	}
	handling, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	s := &session{bot: b, queues: map[intake.Kind]chan intake.Delivery{}, handling: handling}
	s.start(b.lanes())
	kept, endKeeping := context.WithCancel(handling)
	s.handlers.Go(func() { b.keepHomes(kept) })
	err := b.intake.Listen(ctx, s.take)
	endKeeping()
	for _, queue := range s.queues {
		close(queue)
	}
	overdue := time.AfterFunc(drainLimit, abort)
	s.handlers.Wait()
	overdue.Stop()
	b.intake.Close()
	return err
}

func (s *session) start(lanes map[intake.Kind]lane) {
	for kind, l := range lanes {
		queue := make(chan intake.Delivery, l.length)
		s.queues[kind] = queue
		for range l.workers {
			s.handlers.Go(func() {
				for d := range queue {
					s.handle(d, l.handle)
				}
			})
		}
	}
}

// take queues a delivery; false when its handlers are all busy and its queue is full, and for a kind that nobody handles.
func (s *session) take(d intake.Delivery) bool {
	queue, known := s.queues[laneOf(d)]
	if !known {
		return false
	}
	select {
	case queue <- d:
		return true
	default:
		return false
	}
}

func (s *session) handle(d intake.Delivery, handle func(context.Context, intake.Delivery)) {
	defer d.Release()
	defer func() {
		if p := recover(); p != nil {
			s.bot.log.Error("handling a delivery failed; it was not acknowledged", "type", string(d.Kind), "panic", p)
		}
	}()
	if s.bot.fromElsewhere(s.handling, d) {
		return
	}
	handle(s.handling, d)
}

// Connected reports whether Slack can reach the bot: a socket is up, or requests are taken.
func (b *Bot) Connected() bool { return b.intake.Connected() }
