//go:build race

package slackbot_test

// The race detector makes the database some ten times slower, and finds what it finds in a part of the outage as well.
const (
	outageRequests    = 30
	outageTransitions = 100
	liveAtOnce        = 1
	stories           = 20
)
