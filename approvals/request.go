package approvals

import "time"

// Outcome is what policy answers to a planned call.
type Outcome string

// The outcomes; any other value means deny.
const (
	Allow   Outcome = "allow"   // may run now
	Confirm Outcome = "confirm" // the requester's own human must say yes, in Slack
	Approve Outcome = "approve" // other people must say yes
	Deny    Outcome = "deny"    // may not run
)

// Group is a set of people who may approve.
type Group struct {
	// Name is the policy's name for it.
	Name string `json:"name"`
	// Slack is a Slack user group id (S…); empty when People lists them.
	Slack string `json:"slack,omitempty"`
	// People are canonical person ids.
	People []string `json:"people,omitempty"`
}

// Quorum is one demand: so many distinct people of one group.
type Quorum struct {
	Count int   `json:"count"`
	From  Group `json:"from"`
}

// Decision is policy's answer to one call, and why.
type Decision struct {
	Outcome Outcome
	// Rule is the name of the rule that answered.
	Rule string
	// Why is for the caller, when denied.
	Why string
	// Quorum is what approve demands. Also are further quorums, each of which must be met as well: targets of one call
	// may fall under different rules.
	Quorum Quorum
	Also   []Quorum
	// Expires is how long the votes may take; StartBefore how long after approval the first step may start.
	Expires, StartBefore time.Duration
	// ReasonRequired says that a call without a reason is refused.
	ReasonRequired bool
	// MaxTargets is the cap on targets of one call.
	MaxTargets int
}

// Quorums lists everything that approve demands; empty for the other outcomes.
func (d Decision) Quorums() []Quorum {
	if d.Outcome != Approve {
		return nil
	}
	return append([]Quorum{d.Quorum}, d.Also...)
}

// Call is what policy is asked about. Tool and risk decide most; targets are empty for reads.
type Call struct {
	Tool      string
	Risk      Risk
	Targets   []Target
	Requester Requester
}

// Policy decides calls. Digest identifies its content: two policies with the same digest answer alike.
type Policy interface {
	Decide(Call) Decision
	Digest() string
}

// Request is a planned call on its way through the gate.
type Request struct {
	// ID is eight letters and digits that a person can read out; it is also the tag of the remote writes.
	ID        string
	Plan      Plan
	Requester Requester
	Origin    Origin
	// Outcome, Rule, Quorum and PolicyDigest are policy's answer when the request was made. Quorum is empty unless
	// the outcome is approve.
	Outcome      Outcome
	Rule         string
	Quorum       []Quorum
	PolicyDigest string
	// ExpiresAt ends the voting; StartWithin is how long an approval stays good for starting.
	CreatedAt   time.Time
	ExpiresAt   time.Time
	StartWithin time.Duration
	// Digest is the SHA-256 (hex) that votes are for; see Digest.
	Digest string

	State   State
	Version int64
	// DecidedAt is when the request left pending; FinishedAt when it became terminal. Zero before.
	DecidedAt, FinishedAt time.Time
	// Message says in one sentence why the state is what it is.
	Message string
	Steps   []StepStatus
	Votes   []Vote
}

// StartBefore is the last moment at which an approved request may start; zero while undecided.
func (r Request) StartBefore() time.Time {
	if r.DecidedAt.IsZero() {
		return time.Time{}
	}
	return r.DecidedAt.Add(r.StartWithin)
}

// StepStatus is how far one step of a plan has come.
type StepStatus struct {
	Index   int
	State   StepState
	Version int64
	// Attempt counts the times the step was marked as sending.
	Attempt int
	// SentAt is when it was last marked as sending.
	SentAt time.Time
	// NotBefore is the earliest time to send it again after it was turned back; zero when it never was.
	NotBefore time.Time
	// ActionID is the remote machine action; empty until accepted.
	ActionID string
	// RemoteStatus is the tenant's own word for the action's status.
	RemoteStatus string
	// Message says what happened, for people.
	Message   string
	UpdatedAt time.Time
}

// Tag is the text that marks a step's write in the tenant, so that it can be found again after a crash. The API can't
// filter on comments, so it has to be recognisable at their start.
func Tag(requestID string, step int) string {
	return "[mde-ops:" + requestID + "." + itoa(step) + "]"
}
