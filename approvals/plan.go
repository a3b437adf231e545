package approvals

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
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
	// Parallel is how many of the steps may be under way at a time, from their sending to their end; 0 sets no bound. Waves are
	// policy's; this is what the remote service bears.
	Parallel int `json:"parallel,omitempty"`
	// Warnings are facts that an approver should know first.
	Warnings []string `json:"warnings,omitempty"`
	// Preview is the plan in one sentence for people.
	Preview string `json:"preview"`
	// TimeBox, when set, says that what the steps do is undone after a time, as part of the same approval.
	TimeBox *TimeBox `json:"timebox,omitempty"`
	// Resumes, when set, is what goes on when the plan is performed. Policy is asked about it as well.
	Resumes *Resumed `json:"resumes,omitempty"`
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
	// Users are the accounts that were logged on to the device last, the latest first, at most three: none is an empty list,
	// and nil is not known.
	Users []string `json:"users,omitzero"`
	// OpenAlerts is how many alerts of the device are not resolved; nil is not known.
	OpenAlerts *int `json:"open_alerts,omitempty"`
}

// MaxWeighed is the most devices of a plan of which Users and OpenAlerts are looked up.
const MaxWeighed = 10

// maxSteps bounds a plan, so that no request outgrows what a person can look through.
const maxSteps = 1000

// Key is the SHA-256 (lower-case hex) of what the plan would do: the same for two plans that differ only in who asks, in
// the reason and in what people read.
func (p Plan) Key() string {
	b, err := json.Marshal(struct {
		Tenant, Tool string
		Steps        []write
		TimeBox      *TimeBox
	}{p.Tenant, p.Tool, writes(p.Steps), p.TimeBox})
	if err != nil {
		return "" // a plan with arguments that are not JSON is let in nowhere
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// write is a step without its words.
type write struct{ Action, Target, Args string }

func writes(steps []Step) []write {
	out := make([]write, len(steps))
	for i, s := range steps {
		out[i] = write{s.Action, strings.ToLower(s.Target), string(s.Args)}
	}
	return out
}

// Check refuses a plan that does not mean one thing: KindInvalid. It is asked when a request is made, and again when it
// is shown, voted on and sent, because a card shows targets and a worker performs steps.
func (p Plan) Check() error {
	switch {
	case p.Tool == "" || p.Tenant == "":
		return badPlan("the plan names no tool or no tenant")
	case !p.Risk.Valid():
		return badPlan("tool %s states risk %q, which is none of %v", p.Tool, p.Risk, Risks())
	case p.Risk == RiskRead:
		return badPlan("tool %s only reads; a reading call is not submitted", p.Tool)
	case len(p.Steps) == 0:
		return badPlan("the plan of %s has no steps: there is nothing to do", p.Tool)
	case len(p.Steps) > maxSteps:
		return badPlan("the plan of %s has %d steps, more than %d; split the call", p.Tool, len(p.Steps), maxSteps)
	case p.Parallel < 0:
		return badPlan("the plan of %s has %d steps under way at a time", p.Tool, p.Parallel)
	case len(p.Targets) == 0:
		return badPlan("the plan of %s has no targets; name at least one", p.Tool)
	}
	if err := p.checkTargets(); err != nil {
		return err
	}
	return p.checkSteps()
}

func (p Plan) checkTargets() error {
	seen := make(map[string]bool, len(p.Targets))
	for _, t := range p.Targets {
		id := strings.ToLower(t.ID) // one device in two spellings is one device
		if id == "" || seen[id] {
			return badPlan("the plan of %s has target %q twice or without an id; name each once", p.Tool, t.ID)
		}
		seen[id] = true
	}
	return nil
}

func (p Plan) checkSteps() error {
	targets, seen := make(map[string]bool, len(p.Targets)), make(map[write]bool, len(p.Steps))
	for _, t := range p.Targets {
		targets[t.ID] = true
	}
	for i, s := range p.Steps {
		if s.Action == "" || !targets[s.Target] {
			return badPlan("step %d of the plan of %s acts on %q, which is not one of its targets", i+1, p.Tool, s.Target)
		}
		w := write{s.Action, s.Target, string(s.Args)}
		if seen[w] {
			return badPlan("step %d of the plan of %s does again what an earlier step does; name each once", i+1, p.Tool)
		}
		seen[w] = true
	}
	return nil
}

func badPlan(format string, args ...any) error {
	return Refuse(KindInvalid, nil, format, args...)
}

// Full reports whether as many steps are under way as may be.
func (p Plan) Full(steps []StepStatus) bool {
	if p.Parallel == 0 {
		return false
	}
	under := 0
	for _, s := range steps {
		if s.State == StepSending || s.State == StepAccepted {
			under++
		}
	}
	return under >= p.Parallel
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
