package approvals

import (
	"slices"
	"time"
)

// Escalations are the groups that may approve r later than from the start and before it expires, each once, in the order in
// which r names them. That order is part of what is approved, so that a place in the list always means the same.
func (r Request) Escalations() []Escalation {
	var all []Escalation
	for _, q := range r.Quorum {
		for _, e := range q.Then {
			comes := e.After > 0 && r.CreatedAt.Add(e.After).Before(r.ExpiresAt)
			if comes && !slices.ContainsFunc(all, func(o Escalation) bool { return o.After == e.After && o.To.equal(e.To) }) {
				all = append(all, e)
			}
		}
	}
	return all
}

// VotersAt are the groups whose members' yes to r counts at a moment, each once.
func (r Request) VotersAt(at time.Time) []Group {
	var all []Group
	for _, q := range r.Quorum {
		for _, s := range q.seats() {
			if s.open(r, at) && !slices.ContainsFunc(all, s.group.sameMembers) {
				all = append(all, s.group)
			}
		}
	}
	return all
}
