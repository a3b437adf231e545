package tools

import (
	"fmt"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/control"
)

// How a request can have ended without being done, so that a caller tells a no from a silence.
const (
	endedDenied      = "denied"
	endedUndecided   = "timed_out_undecided"
	endedUnstarted   = "timed_out_unstarted"
	endedUnreachable = "nobody_can_approve"
	endedStopped     = "stopped"
	endedWithdrawn   = "withdrawn"
	endedCancelled   = "cancelled"
)

// endedBy is one of those words; empty while a request may still be done, and when something of it was.
func endedBy(r approvals.Request) string {
	switch r.State {
	case approvals.Denied:
		return endedDenied
	case approvals.Expired:
		if r.DecidedAt.Before(r.FinishedAt) { // it was approved first
			return endedUnstarted
		}
		return endedUndecided
	case approvals.Cancelled:
		for prefix, word := range map[string]string{
			control.Stopped: endedStopped, "nobody can approve": endedUnreachable, "withdrawn by ": endedWithdrawn,
		} {
			if strings.HasPrefix(r.Message, prefix) {
				return word
			}
		}
		return endedCancelled
	case approvals.Pending, approvals.Approved, approvals.Running,
		approvals.Succeeded, approvals.Partial, approvals.Failed, approvals.Unknown:
	}
	return ""
}

// next tells a caller, who may be a model, what to do with the request now. Nothing it says leads nowhere.
func (v requestView) next(r approvals.Request) string {
	switch r.State {
	case approvals.Pending:
		return v.nextPending(r)
	case approvals.Approved, approvals.Running:
		return v.nextRunning(r)
	case approvals.Unknown:
		return "A step may or may not have reached Defender. A person must look at the device's action history there; it is never sent again by a machine."
	case approvals.Partial, approvals.Failed:
		return v.nextFailed(r)
	case approvals.Succeeded:
		return v.nextSucceeded(r)
	case approvals.Denied, approvals.Expired, approvals.Cancelled:
		return nextUndone(v.EndedBy, r)
	}
	return "The state is not known to this version; a person must look."
}

func (v requestView) nextPending(r approvals.Request) string {
	who := "people of the group press Approve in Slack"
	if r.Outcome == approvals.Confirm {
		who = "the requester confirms in Slack"
	}
	text := fmt.Sprintf("Nothing was done yet: %s, until %s", who, clockTime(r.ExpiresAt))
	for _, c := range v.Calls {
		if !c.Past {
			text += fmt.Sprintf("; at %s %s", clockTime(c.At), c.What)
		}
	}
	return text + fmt.Sprintf(". Don't call %s again for this. Call get_request with id %s and wait_seconds 50 to wait.", r.Plan.Tool, r.ID)
}

func (v requestView) nextRunning(r approvals.Request) string {
	p := v.Progress
	switch {
	case p != nil && len(p.Held) > 0:
		return fmt.Sprintf("Held: %s. Nothing more of it is sent until approvers lift that in Slack (/mde lift %s), which you can't; what was sent is followed to its end. "+
			"Tell the person you work for. cancel_request with id %s withdraws the rest.", p.Held[0].words(), p.Held[0].Scope, r.ID)
	case p != nil && p.Paused != nil && p.Paused.Asks != "":
		return fmt.Sprintf("Paused since %s: %s. Request %s asks people in Slack whether to go on; you can't decide that. "+
			"Call get_request with id %s and wait_seconds 50 to wait for their answer. cancel_request with id %s withdraws the rest.",
			clockTime(p.Paused.Since), p.Paused.Why, p.Paused.Asks, p.Paused.Asks, r.ID)
	case p != nil && p.Paused != nil:
		return fmt.Sprintf("Paused since %s: %s. People are about to be asked in Slack whether to go on. Call get_request with id %s again in a moment.",
			clockTime(p.Paused.Since), p.Paused.Why, r.ID)
	}
	return fmt.Sprintf("It is under way. Call get_request with id %s and wait_seconds 50 to wait for its end.", r.ID)
}

func (v requestView) nextFailed(r approvals.Request) string {
	text := "Read the message of each step that did not succeed, and tell the person you work for. Steps that failed or were skipped are not tried again: " +
		"ask for those devices in a new request once the cause is mended."
	if v.Undo != nil {
		text += " undo_request with id " + r.ID + " asks to take back what succeeded."
	}
	return joined(text, v.nextBoxes(r))
}

func (v requestView) nextSucceeded(r approvals.Request) string {
	if boxes := v.nextBoxes(r); boxes != "" {
		return boxes
	}
	return "Nothing more to do: this is final."
}

// nextBoxes says what happens by itself when the time of a request's steps is over; empty when nothing is left to happen.
func (v requestView) nextBoxes(r approvals.Request) string {
	open, troubled, next := 0, "", time.Time{}
	for _, b := range v.Timeboxes {
		if !b.ClosedAt.IsZero() {
			continue
		}
		open++
		if b.Trouble != "" {
			troubled = b.Trouble + ": " + b.Message
		}
		if next.IsZero() || b.Due.Before(next) {
			next = b.Due
		}
	}
	switch {
	case open == 0 && r.Plan.TimeBox != nil && len(v.Timeboxes) == 0:
		return "Its time-boxes begin to run in a moment; call get_request again to see when."
	case open == 0:
		return ""
	case troubled != "":
		return fmt.Sprintf("A time-box is over and its step is NOT undone (%s). It is tried again by itself; people are told in Slack. Tell the person you work for.", troubled)
	}
	return fmt.Sprintf("%s still to be undone by itself, the next at %s; don't call anything for that. undo_request with id %s asks to do so earlier, extend_timebox later; people approve both in Slack.",
		counted(open, "step", false), clockTime(next), r.ID)
}

// nextUndone is what to do after a request that was not done.
func nextUndone(ended string, r approvals.Request) string {
	switch ended {
	case endedDenied:
		return "An approver said no. Don't ask for the same again; tell the person you work for, with the approver's words."
	case endedUndecided:
		return "Timed out: nobody decided in time, which is no denial, and nothing more will be done. Tell the person you work for; call " +
			r.Plan.Tool + " again only if it is still needed."
	case endedUnstarted:
		return "Timed out: it was approved and not started in time, so nothing was sent. A person must look whether the worker runs; then call " +
			r.Plan.Tool + " again if it is still needed."
	case endedUnreachable:
		return "Nobody can approve this, so that waiting helps nothing: the group or the policy must be mended first, as the message says. Tell the person you work for."
	case endedStopped:
		return "People stopped it before anything was sent. whoami shows what is stopped; approvers lift that in Slack. Call " +
			r.Plan.Tool + " again only after that, if it is still needed."
	}
	return "Nothing more to do: this is final, and nothing of it was done. Call " + r.Plan.Tool + " again only if it is still needed."
}

func joined(texts ...string) string {
	return strings.TrimSpace(strings.Join(texts, " "))
}

func clockTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }
