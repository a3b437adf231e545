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

// The points of those who ask and vote: nothing of what they do may be visible.
const (
	DuringSubmit = "during_submit" // the request is inserted and not committed
	DuringVote   = "during_vote"   // the vote is inserted and not committed
)

// The points of fleets and time-boxes.
const (
	BeforePause  = "before_pause"  // a wave has ended and the stop rule holds the rest, nothing of that is written
	AfterAsking  = "after_asking"  // people are asked whether to go on, the paused request does not name the question yet
	BeforeResume = "before_resume" // people said yes to going on, nothing of that is written
	BoxArmed     = "box_armed"     // a step succeeded and its time-box is armed
	BoxReleasing = "box_releasing" // the request that ends a time-box is committed, nothing of it is sent
)

// The points of the switches, which are met only when people stop or restore.
const (
	AfterStop     = "after_stop"     // the stop is in the audit, what it covers is not yet cancelled
	DuringRestore = "during_restore" // a restored database is being compared with the tenant
)

// The points of the audit.
const (
	DuringExport    = "during_export"    // rows of a batch are exported, that they are is not noted
	AfterCheckpoint = "after_checkpoint" // a checkpoint is written, the process does not know it yet
)

// Names lists every point.
func Names() []string {
	return []string{
		BeforeClaim, AfterClaimBeforePost, PostSentAnswerLost, AnswerReceivedNotStored, DuringFollow, BetweenSteps,
		DuringSubmit, DuringVote,
		BeforePause, AfterAsking, BeforeResume, BoxArmed, BoxReleasing,
		AfterStop, DuringRestore,
		DuringExport, AfterCheckpoint,
	}
}
