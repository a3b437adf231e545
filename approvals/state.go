package approvals

// State is the state of a request.
type State string

// The states of a request; docs/approvals.md draws the arrows.
const (
	Pending   State = "pending"   // waits for votes
	Approved  State = "approved"  // may start, until StartBefore
	Running   State = "running"   // claimed; steps are being sent or followed
	Succeeded State = "succeeded" // every step succeeded
	Partial   State = "partial"   // some steps succeeded
	Failed    State = "failed"    // no step succeeded
	Unknown   State = "unknown"   // a step may or may not have reached the tenant; a person decides
	Denied    State = "denied"    // an approver said no
	Expired   State = "expired"   // nobody decided, or nothing started, in time
	Cancelled State = "cancelled" // withdrawn, or the claim found the approval no longer valid
)

// States lists every state of a request.
func States() []State {
	return []State{Pending, Approved, Running, Succeeded, Partial, Failed, Unknown, Denied, Expired, Cancelled}
}

// Terminal reports whether s is final.
func (s State) Terminal() bool {
	switch s {
	case Succeeded, Partial, Failed, Unknown, Denied, Expired, Cancelled:
		return true
	case Pending, Approved, Running:
		return false
	}
	return true // an unknown state must never move
}

// CanMove reports whether a request may go from s to next.
func (s State) CanMove(next State) bool {
	switch s {
	case Pending:
		return next == Approved || next == Denied || next == Expired || next == Cancelled
	case Approved:
		return next == Running || next == Expired || next == Cancelled
	case Running:
		return next == Succeeded || next == Partial || next == Failed || next == Unknown || next == Cancelled
	case Succeeded, Partial, Failed, Unknown, Denied, Expired, Cancelled:
		return false
	}
	return false
}

// StepState is the state of a step.
type StepState string

// The states of a step.
const (
	StepWaiting   StepState = "waiting"   // not sent
	StepSending   StepState = "sending"   // committed before the write: it may or may not have reached the tenant
	StepAccepted  StepState = "accepted"  // the tenant gave an action id
	StepSucceeded StepState = "succeeded" // the remote action ended well
	StepFailed    StepState = "failed"    // refused, or the remote action failed
	StepTimedOut  StepState = "timed_out" // the remote action ended as TimeOut
	StepCancelled StepState = "cancelled" // the remote action was cancelled
	StepSkipped   StepState = "skipped"   // never sent, with a reason
	StepUnknown   StepState = "unknown"   // no trace of it was found; never sent again by a machine
)

// StepStates lists every state of a step.
func StepStates() []StepState {
	return []StepState{
		StepWaiting, StepSending, StepAccepted, StepSucceeded, StepFailed, StepTimedOut, StepCancelled, StepSkipped, StepUnknown,
	}
}

// Terminal reports whether s is final.
func (s StepState) Terminal() bool {
	switch s {
	case StepWaiting, StepSending, StepAccepted:
		return false
	case StepSucceeded, StepFailed, StepTimedOut, StepCancelled, StepSkipped, StepUnknown:
		return true
	}
	return true // an unknown state must never move
}

// CanMove reports whether a step may go from s to next. Sending goes back to waiting only when it is certain that the
// write was not accepted (refused by a rate limit, no connection made).
func (s StepState) CanMove(next StepState) bool {
	switch s {
	case StepWaiting:
		return next == StepSending || next == StepSkipped
	case StepSending:
		return next == StepAccepted || next == StepFailed || next == StepUnknown || next == StepWaiting
	case StepAccepted:
		return next == StepSucceeded || next == StepFailed || next == StepTimedOut || next == StepCancelled
	case StepSucceeded, StepFailed, StepTimedOut, StepCancelled, StepSkipped, StepUnknown:
		return false
	}
	return false
}

// Overall is the final state of a request whose steps have all ended, and false while one has not.
func Overall(steps []StepStatus) (State, bool) {
	var good, bad, skipped, unknown int
	for _, s := range steps {
		switch {
		case !s.State.Terminal():
			return "", false
		case s.State == StepSucceeded:
			good++
		case s.State == StepUnknown:
			unknown++
		case s.State == StepSkipped:
			skipped++
		default:
			bad++
		}
	}
	switch {
	case unknown > 0:
		return Unknown, true // whatever else happened, a person has to look
	case good == len(steps):
		return Succeeded, true
	case good > 0:
		return Partial, true
	case bad == 0:
		return Cancelled, true // nothing was ever sent
	case skipped > 0:
		return Partial, true
	}
	return Failed, true
}
