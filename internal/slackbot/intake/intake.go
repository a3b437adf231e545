// Package intake takes in what Slack delivers, over Socket Mode or over signed HTTP, and hands it to one set of handlers.
//
// Whatever the way, a Delivery must be acknowledged within three seconds, may come more than once, and may come to another
// replica than the last one did. An Intake never handles anything itself, so a slow handler can't stop the taking in; what
// its taker has no room for stays unacknowledged, so that Slack delivers it again or tells the person.
//
// HTTP believes nothing that is not signed: a request counts once, within five minutes of its time, with the very body that
// was signed, and its signature is remembered in the store that all replicas share.
package intake

import (
	"context"
	"time"
)

// Kind says what a delivery holds.
type Kind string

// The kinds.
const (
	// Command holds a slack.SlashCommand.
	Command Kind = "slash_commands"
	// Interaction holds a slack.InteractionCallback: a press, a submission, a shortcut.
	Interaction Kind = "interactive"
	// Options holds a slack.InteractionCallback that asks for the options of a menu; it is acknowledged with them.
	Options Kind = "block_suggestion"
	// Event holds a slackevents.EventsAPIEvent.
	Event Kind = "events_api"
)

// Delivery is one thing that Slack delivered.
type Delivery struct {
	Kind Kind
	// ID is the delivery's own name, the same when it comes again by the same way.
	ID string
	// Data is what Kind says.
	Data any
	// Due ends when the acknowledgement is due: later than that Slack takes it for lost.
	Due context.Context
	// Answer acknowledges, with a payload unless it is nil. Only the first one counts.
	Answer func(ctx context.Context, payload any) error
	// Release frees what the delivery holds; whoever takes it calls it once, acknowledged or not.
	Release func()
}

// Ack acknowledges, with a payload unless it is nil. An answer that is too large for its way is told to the caller.
func (d Delivery) Ack(ctx context.Context, payload any) error { return d.Answer(ctx, payload) }

// Deadline is how long after its arrival a delivery may be acknowledged, unless set: Slack gives up after 3 s.
const Deadline = 2 * time.Second

// Taker takes a delivery over without waiting. False means that there is no room for it; nothing was done then.
type Taker func(Delivery) bool

// Intake is one way in which Slack delivers. It is listened to once.
type Intake interface {
	// Listen hands what comes to take, until ctx ends or the way fails for good. After it returned take is not called any
	// more, and what was taken can still be acknowledged until Close.
	Listen(ctx context.Context, take Taker) error
	// Close ends the way, after a moment for the last acknowledgements to leave.
	Close()
	// Connected reports whether Slack can reach this process, as far as is known here.
	Connected() bool
}
