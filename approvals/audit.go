package approvals

import "time"

// Event is one row of the audit: something that happened to a request, or an attempt that the gate refused.
type Event struct {
	// Seq is gapless and in commit order; set by the store.
	Seq int64
	At  time.Time
	// RequestID is empty for events that belong to no request.
	RequestID string
	// Type is a short word such as "submitted", "vote", "approved", "sending", "refused".
	Type string
	// Actor is the canonical id of the person, or "worker", "clock" or "gate".
	Actor string
	// Step is the step's index, or -1 for the request itself.
	Step int
	// From and To are the states around a transition; empty for other events.
	From, To string
	// Detail is one sentence.
	Detail string
	// PrevHash and Hash chain the rows: Hash is the SHA-256 (hex) over the row's canonical form and PrevHash.
	PrevHash, Hash string
}

// AuditReport is what a verification of the audit found.
type AuditReport struct {
	// Rows is how many rows were read; Head the hash of the last.
	Rows int64
	Head string
	// Faults locates every row that is altered, missing or out of place, and every request whose state is not what its
	// last transition says. Empty means verified.
	Faults []string
}

// OK reports whether nothing was found wrong.
func (r AuditReport) OK() bool { return len(r.Faults) == 0 }
