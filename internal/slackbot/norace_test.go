//go:build !race

package slackbot_test

const (
	// outageRequests live while Slack is away, and make at least outageTransitions.
	outageRequests    = 260
	outageTransitions = 1000
	// liveAtOnce is how many requests a drawn story has at most.
	liveAtOnce = 3
	// stories is how many are drawn at most.
	stories = 1000
)
