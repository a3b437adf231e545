package approvals

import (
	"encoding/json"
	"time"
)

// Plan is a call frozen into what will be done: resolved targets and ordered steps. What the approvers see is what runs;
// the arguments are not read again.
type Plan struct {
	// Tenant is the Entra tenant id (GUID) that the steps act on.
	Tenant string `json:"tenant"`
	// Tool is the catalogue name, such as "isolate_devices".
	Tool string `json:"tool"`
	// Risk is the tool's stated risk.
	Risk Risk `json:"risk"`
	// Args are the validated arguments as canonical JSON.
	Args json.RawMessage `json:"args"`
	// Reason is the requester's own words. Untrusted text.
	Reason string `json:"reason,omitempty"`
	// Targets are what the steps act on, one entry each, without repeats.
	Targets []Target `json:"targets"`
	// Steps are performed in order; each is one write to the remote API.
	Steps []Step `json:"steps"`
	// Warnings are facts that an approver should know first.
	Warnings []string `json:"warnings,omitempty"`
	// Preview is the plan in one sentence for people.
	Preview string `json:"preview"`
}

// Step is one write to the remote API, with everything it needs.
type Step struct {
	// Action is the tool's word for the write, such as "isolate".
	Action string `json:"action"`
	// Target is the id of the Target it acts on.
	Target string `json:"target"`
	// Args is canonical JSON that only the tool reads.
	Args json.RawMessage `json:"args,omitempty"`
	// Summary is the step in one line for people.
	Summary string `json:"summary"`
}

// Target is one thing acted on, with the facts an approver needs. All text in it is untrusted.
type Target struct {
	// ID is the remote id; ids decide, names are for reading.
	ID string `json:"id"`
	// Kind is "device" or "machine action".
	Kind string `json:"kind"`
	// Name is the device's DNS name, or what else people call the target.
	Name string `json:"name"`
	// OS, Group, Value, Health, Risk, Exposure and Onboarding are the API's own words.
	OS         string `json:"os,omitempty"`
	Group      string `json:"group,omitempty"`
	Value      string `json:"value,omitempty"`
	Health     string `json:"health,omitempty"`
	Risk       string `json:"risk,omitempty"`
	Exposure   string `json:"exposure,omitempty"`
	Onboarding string `json:"onboarding,omitempty"`
	// Tags are the device's tags when the plan was made.
	Tags []string `json:"tags,omitempty"`
	// LastSeen is the last full report of the device; zero when unknown.
	LastSeen time.Time `json:"last_seen,omitzero"`
}

// Target returns the target with that id, and false when the plan has none.
func (p Plan) Target(id string) (Target, bool) {
	for _, t := range p.Targets {
		if t.ID == id {
			return t, true
		}
	}
	return Target{}, false
}
