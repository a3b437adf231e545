package approvals

import (
	"encoding/json"
	"slices"
	"time"
)

// Outcome is what policy answers to a planned call.
type Outcome string

// The outcomes; any other value means deny.
const (
	Allow   Outcome = "allow"   // may run now
	Confirm Outcome = "confirm" // the requester's own human must say yes, in Slack
	Approve Outcome = "approve" // other people must say yes
	Deny    Outcome = "deny"    // may not run
)

// Group is a set of people who may approve: a Slack user group, a list, or the people with an app role in Entra ID.
type Group struct {
	// Name is the policy's name for it.
	Name string `json:"name"`
	// Slack is a Slack user group id (S…); empty when another field says who they are.
	Slack string `json:"slack,omitempty"`
	// People are canonical person ids.
	People []string `json:"people,omitempty"`
	// Role is the value of an app role, such as "Approver", that the application's service principal assigns in Entra ID.
	Role string `json:"role,omitempty"`
}

// Quorum is one demand: so many distinct people of one group, or of several together.
type Quorum struct {
	Count int   `json:"count"`
	From  Group `json:"from"`
	// Or are further groups whose members count as well.
	Or []Group `json:"or,omitempty"`
	// Distinct asks that each of the people counts for another of the groups From and Or: two people of two groups, never
	// two of one, and never one person for two.
	Distinct bool `json:"distinct,omitempty"`
	// Then are groups whose members count as well from some time after the request was made, when nobody has decided.
	Then []Escalation `json:"then,omitempty"`
}

// Escalation widens a quorum: a vote of To's members counts when it was cast After the request was made, or later.
type Escalation struct {
	After time.Duration `json:"after"`
	To    Group         `json:"to"`
}

// Groups lists every group that q ever asks, in order: From, Or, and those of the escalations.
func (q Quorum) Groups() []Group {
	all := append([]Group{q.From}, q.Or...)
	for _, e := range q.Then {
		all = append(all, e.To)
	}
	return all
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
	// Terms are what else the request has to keep to.
	Terms Terms
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
	Tool string
	Risk Risk
	// Args are the arguments as canonical JSON; empty means none.
	Args      json.RawMessage
	Targets   []Target
	Requester Requester
	// At is the moment that counts for what policy says about times. A zero one is no moment: rules about times then say no.
	At time.Time
	// Recent answers the Windows of the policy as of At, this request left out; a window without an answer means no.
	Recent Recent
	// BreakGlass asks whether the requester may do without other people's yes, in an emergency.
	BreakGlass bool
}

// Policy decides calls. Digest identifies its content: two policies with the same digest answer alike.
type Policy interface {
	Decide(Call) Decision
	Digest() string
	// Windows are the counts of recent activity that answers depend on; a Call brings them in Recent.
	Windows() []Window
	// Limits bound what one requester may keep waiting.
	Limits() Limits
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
	// Terms are what else policy asked for when the request was made.
	Terms Terms
	// Parent is the id of the request whose time-box this one ends; empty for all others. Such a request is approved with
	// its parent and has no votes of its own.
	Parent string
	// Digest is the SHA-256 (hex) that votes are for; see Digest.
	Digest string
	// Key is the same for two requests that would do the same: see Plan.Key.
	Key string
	// Attached are the people who asked for the same while this request was open. None of them counts as approver.
	Attached []Person

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

// Begun reports whether something of r was sent.
func (r Request) Begun() bool {
	return slices.ContainsFunc(r.Steps, func(s StepStatus) bool { return s.State != StepWaiting && s.State != StepSkipped })
}

// lastVote is when the last vote was cast, or when the request was made if nobody voted. Votes are signed, so this can't be
// moved where the stored time of the decision could.
func (r Request) lastVote() time.Time {
	at := r.CreatedAt
	for _, v := range r.Votes {
		if v.At.After(at) {
			at = v.At
		}
	}
	return at
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
