package cards

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
)

// Planned is what a yes would let happen. When each target gets one and the same step, in the order of the list, one
// line says it all; otherwise every step has its own.
func Planned(p approvals.Plan) []string {
	if len(p.Steps) == 0 {
		return []string{"(nothing)"}
	}
	if uniform(p) {
		line := p.Steps[0].Action
		if len(p.Steps) > 1 {
			line += ", once on each of the above"
		}
		return []string{line + withArgs(p.Steps[0])}
	}
	lines := make([]string, len(p.Steps))
	for i, s := range p.Steps {
		t, _ := p.Target(s.Target)
		lines[i] = fmt.Sprintf("%d. %s %s id %s%s", i+1, s.Action, blockkit.Quote(t.Name), s.Target, withArgs(s))
	}
	return lines
}

func uniform(p approvals.Plan) bool {
	if len(p.Steps) != len(p.Targets) {
		return false
	}
	for i, s := range p.Steps {
		if s.Target != p.Targets[i].ID || s.Action != p.Steps[0].Action || !bytes.Equal(s.Args, p.Steps[0].Args) {
			return false
		}
	}
	return true
}

func withArgs(s approvals.Step) string {
	if len(s.Args) == 0 {
		return ""
	}
	return " with " + oneLine(s.Args)
}

// outcome says how far a decided request has come, step by step.
func outcome(r approvals.Request) []string { return append(sum(r), stepLines(r)...) }

// sum says it for all steps together.
func sum(r approvals.Request) []string {
	var lines []string
	if r.Message != "" && r.Message != string(r.State) && !saysStep(r) {
		lines = append(lines, r.Message)
	}
	return append(lines, fleetLines(r)...)
}

// wentWrong are the first of the steps that ended otherwise than wanted.
func wentWrong(r approvals.Request) []string {
	var lines []string
	for _, s := range r.Steps {
		if bad := s.State.Terminal() && s.State != approvals.StepSucceeded && s.State != approvals.StepSkipped; !bad {
			continue
		}
		if len(lines) == fewSteps {
			return append(lines, "… and more, below")
		}
		lines = append(lines, stepLine(r, s))
	}
	return lines
}

func stepLines(r approvals.Request) []string {
	lines := make([]string, len(r.Steps))
	for i, s := range r.Steps {
		lines[i] = stepLine(r, s)
	}
	return lines
}

// saysStep reports that the request's message only repeats what its one step says.
func saysStep(r approvals.Request) bool {
	if len(r.Steps) != 1 {
		return false
	}
	s := r.Steps[0]
	return r.Message == string(s.State) || r.Message == string(s.State)+": "+s.Message
}

func stepLine(r approvals.Request, s approvals.StepStatus) string {
	name := fmt.Sprintf("step %d", s.Index+1)
	if s.Index >= 0 && s.Index < len(r.Plan.Steps) {
		name = r.Plan.Steps[s.Index].Summary
		if t, ok := r.Plan.Target(r.Plan.Steps[s.Index].Target); ok {
			name = r.Plan.Steps[s.Index].Action + " " + blockkit.Quote(t.Name)
		}
	}
	return mark(r, s) + " " + name + ": " + strings.Join(stepWords(r, s), ", ")
}

// neverSent reports that a step waits for what will not come any more: its request has ended.
func neverSent(r approvals.Request, s approvals.StepStatus) bool {
	return s.State == approvals.StepWaiting && r.State.Terminal()
}

// stepWords says how far a step is, each thing once: what the message says already is not said before it.
func stepWords(r approvals.Request, s approvals.StepStatus) []string {
	state := strings.ReplaceAll(string(s.State), "_", " ")
	if neverSent(r, s) {
		state = "not sent"
	}
	var words []string
	if !strings.HasPrefix(s.Message, state) {
		words = append(words, state)
	}
	if s.ActionID != "" && !strings.Contains(s.Message, s.ActionID) {
		words = append(words, "action "+s.ActionID)
	}
	if s.Message != "" {
		words = append(words, s.Message)
	}
	return words
}

func mark(r approvals.Request, s approvals.StepStatus) string {
	if neverSent(r, s) {
		return "–"
	}
	switch s.State {
	case approvals.StepSucceeded:
		return "✔"
	case approvals.StepFailed, approvals.StepTimedOut, approvals.StepCancelled:
		return "✘"
	case approvals.StepUnknown:
		return "?"
	case approvals.StepSkipped:
		return "–"
	case approvals.StepWaiting, approvals.StepSending, approvals.StepAccepted:
		return "…"
	}
	return "?"
}
