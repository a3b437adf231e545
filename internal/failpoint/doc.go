// Package failpoint names the moments at which a crash test kills a process. A normal build has no failpoints at all:
// Hit does nothing there. Only a build with the tag "failpoints" obeys the environment.
package failpoint

// The named points, in the order in which a request meets them.
const (
	BeforeClaim             = "before_claim"               // approved, nothing of the claim written
	AfterClaimBeforePost    = "after_claim_before_post"    // the step is marked as sending, nothing is on the wire
	PostSentAnswerLost      = "post_sent_answer_lost"      // the tenant accepted, the answer was not read
	AnswerReceivedNotStored = "answer_received_not_stored" // the action id is known to the process only
	DuringFollow            = "during_follow"              // the action is being followed
	BetweenSteps            = "between_steps"              // one step of a fleet is done, the next is waiting
)

// Names lists every point.
func Names() []string {
	return []string{BeforeClaim, AfterClaimBeforePost, PostSentAnswerLost, AnswerReceivedNotStored, DuringFollow, BetweenSteps}
}
