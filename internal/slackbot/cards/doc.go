// Package cards draws requests for Slack: the card with its buttons, the pages of its details, and what is said in its thread.
//
// Everything here is a pure function of a request and of what is around it (stops, pauses, time-boxes, policy's answer now),
// so that a card can be drawn again at any time and by any process, and be the same. A request that does not verify is
// drawn as just that, with nothing to press.
package cards
