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

// The named points of the switches, which a request meets only when people stop, resume or restore.
const (
	AfterStop     = "after_stop"     // the stop is in the audit, what it covers is not yet cancelled
	BeforeResume  = "before_resume"  // people said yes to going on, nothing of that is written
	DuringRestore = "during_restore" // a restored database is being compared with the tenant
)

// Switches lists the points of the switches.
func Switches() []string { return []string{AfterStop, BeforeResume, DuringRestore} }

// Names lists every point that a request meets by itself.
func Names() []string {
	return []string{BeforeClaim, AfterClaimBeforePost, PostSentAnswerLost, AnswerReceivedNotStored, DuringFollow, BetweenSteps}
}
